/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_cache.h: SHA-256 of files, remembered by (device, inode, size, change time).
 * In: a process and what the kernel said about its executable, or an open file. Out: its digest, or why there is none.
 * A file that changed within the last second is hashed but not remembered: its change time could not show the next change. Nor does it show a store
 * through a mapping, as long as the page is dirty; so of what was executed only that is believed which nobody could write to when it was read.
 * What lies on a file system that was unmounted is forgotten: the next one there may have the same numbers and times, and other bytes.
 */
#ifndef PLUMB_HASH_CACHE_H
#define PLUMB_HASH_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "digest.h"
#include "plumb/event.h"
#include "why.h"

#define HASH_CACHE_MAX 16384			/* digests remembered, when the options say 0; the oldest goes */
#define HASH_CACHE_FILE_MAX (1ull << 30)	/* bytes of a file that are hashed, when the options say 0 */

#define HASH_CACHE_CLEAN_S 120	/* after its last change all of a file is on the disk (30 seconds, vm.dirty_expire_centisecs): the next store shows */

struct hash_cache;

/* What the kernel saw of a file that was executed, mapped or opened as a script. */
struct hash_cache_seen {
	uint32_t pid;
	const char *path;	/* NULL: not known */
	const struct plumb_file *file;
	int error;		/* of its plumb_hash: of an overlay's file it says whether anybody could write to it (event.h) */
};

int hash_cache_open(uint32_t max, uint64_t file_max, struct hash_cache **ret);
struct hash_cache *hash_cache_free(struct hash_cache *c);
void hash_cache_use_proc(struct hash_cache *c, const char *proc);	/* borrowed; instead of /proc */
const char *hash_cache_proc(const struct hash_cache *c);

/*
 * Hears which file systems are no longer what they were. To be called after the kernel began a record and before hash_cache_exec() is asked about it;
 * it is a system call, so records that have all begun share one. The others below call it themselves.
 */
void hash_cache_hear(struct hash_cache *c);
/*
 * Digest of what a process executed or was given to run: /proc/PID/exe first, else path in the agent's own view, else in the process's.
 * Each must be the very inode in *file, with the same size and change time before and after reading, and what somebody serves is not opened to find
 * out. 0; 1: and fs-verity holds the file to these bytes. -ESTALE: changed since; -EFBIG; -ENOENT: gone; -EREMOTE: served; why says it in a few words.
 */
int hash_cache_exec(struct hash_cache *c, const struct hash_cache_seen *s, struct digest *ret, struct why *ret_why);
/* The same, by its path in the view of another process. */
int hash_cache_peer(struct hash_cache *c, uint32_t peer, const struct hash_cache_seen *s, struct digest *ret);
/* Digest of an open regular file. *ret_st: its status, equal before and after reading. -ESTALE: it changed meanwhile. */
int hash_cache_fd(struct hash_cache *c, int fd, struct digest *ret, struct stat *ret_st);
/* The same of what runs: read again while what is remembered may have been stored into without another time. */
int hash_cache_fd_sure(struct hash_cache *c, int fd, struct digest *ret, struct stat *ret_st);
/* The same, read although it is remembered: a store through an old mapping and a write to the block device change no time. */
int hash_cache_fd_anew(struct hash_cache *c, int fd, struct digest *ret, struct stat *ret_st);
/* For whoever reads a file by pieces (hash_pieces): would it be read at all; is it remembered; and what came out. */
bool hash_cache_takes(const struct hash_cache *c, const struct stat *st);
bool hash_cache_knows(struct hash_cache *c, const struct stat *st);
/* Does the next change of fd, as it is in *st, show in its time, if it can be changed at all? On this file system: it may be unmounted. */
bool hash_cache_settled(int fd, const struct stat *st);
bool hash_cache_has_verity(int fd);	/* asked before it is read: it does not go away again */
/* verity, before: of when reading began. -ESTALE: it is no longer as it was then. */
int hash_cache_put(struct hash_cache *c, int fd, bool verity, const struct stat *before, const struct digest *d);
void hash_cache_count(struct hash_cache *c, uint64_t n_bytes);
uint64_t hash_cache_n_bytes(const struct hash_cache *c);	/* that were read so far, by all of these */
uint64_t hash_cache_n_missed(const struct hash_cache *c);	/* how often hash_cache_exec() had to look for the file */
uint32_t hash_cache_n(const struct hash_cache *c);
int hash_cache_lives_error(const struct hash_cache *c);	/* 0, or the -errno for which file systems are not remembered (fs_lives.h) */

#endif
