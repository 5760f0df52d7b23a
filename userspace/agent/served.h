/* SPDX-License-Identifier: Apache-2.0 */
/*
 * served.h: does somebody serve what a file lies on: another machine (NFS, CIFS), a process (FUSE)? Then each read may give other bytes, and
 * one may never end. In: an O_PATH descriptor, the mount table of a process. Out: whether it may be read. Nothing is asked of the file system.
 */
#ifndef PLUMB_SERVED_H
#define PLUMB_SERVED_H

#include <stdbool.h>
#include <stdint.h>

#define SERVED_MOUNTINFO_MAX (4u << 20)	/* bytes of one mount table that are read */
#define SERVED_WHY "on no file system that is the kernel's own"

bool served_magic(uint32_t fs_magic);	/* the file systems that are known to be, by what statfs() calls f_type */
int served_file_system(int fd);	/* is fd on one of those? 0, -EREMOTE, or the -errno of asking */
/* What a mount is, by a mount table; not there: of another mount namespace, of none (memfd), below another root than the process's. */
enum served_kind { SERVED_BY_SOMEBODY, SERVED_BY_NOBODY, SERVED_NOT_LISTED };

/* proc NULL: /proc. pid: its name there. enum served_kind or -errno. */
int served_mount(const char *proc, const char *pid, uint64_t mount);
int served_mount_of(int fd, uint64_t *ret_mount);	/* fd may be of O_PATH. 0 or -errno */
/*
 * 0: fd is of a mount of the kernel's own, by the table of pid, else by ours; or of one that neither has, and its file system is memory, or keeps
 * flags that only the kernel's own keep. -EREMOTE: it may not be read. -errno. own, or NULL: the mount that was found to be so last, 0: none; for
 * one piece of work only, for numbers are given again.
 */
int served_check(const char *proc, uint32_t pid, int fd, uint64_t *own);
/* enum served_kind or -errno, by the same rule: of what is not listed nothing is known. */
int served_find(const char *proc, uint32_t pid, int fd);
/* Is it that file, by what the kernel knows of both? path may lead to what somebody serves. 1, 0 or -errno. */
int served_is(const char *path, uint64_t dev, uint64_t ino);
int served_open(int fd);	/* what an O_PATH descriptor stands for, for reading; after a check. Descriptor or -errno */

#endif
