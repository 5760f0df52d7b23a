/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container_path.h: what the path of a cgroup says: which container, which pod; and which of the lines of /proc/PID/cgroup to go by. Pure.
 * In: foreign text (anyone who may make a cgroup may call it so). Out: 64 hex digits and a pod's uid, "" where the path names none.
 */
#ifndef PLUMB_CONTAINER_PATH_H
#define PLUMB_CONTAINER_PATH_H

#include <stddef.h>

#define CONTAINER_PATH_MAX 4096		/* bytes of a path with its NUL */
#define CONTAINER_PATH_FILE_MAX 65536	/* bytes of /proc/PID/cgroup that are looked at */

struct container_path {
	char id[65];	/* of the innermost container */
	char pod[37];	/* uid of the innermost pod: 8-4-4-4-12, or the 32 digits of a static pod's file */
};

/* path NULL or longer than the maximum: names nothing. */
void container_path_parse(const char *path, struct container_path *ret);

/*
 * How much of a path says whose it is, whatever he makes below: up to the outermost container or pod; what is a user's or in none, as far as
 * /user.slice/user-1000.slice, /system.slice/x.service, and of names that systemd counts up /system.slice/run- are.
 */
size_t container_path_owner(const char *path);

/*
 * The path to go by: that of the first hierarchy that names a container (with cgroup v1 only some may), else of v2 unless it is "/",
 * else of systemd's, else the first. 0; -ENOENT: there is none; -EBADMSG: a line is none of that file's.
 */
int container_path_choose(const char *text, size_t size, char ret[CONTAINER_PATH_MAX]);

#endif
