/* SPDX-License-Identifier: Apache-2.0 */
#include "host_view.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <nss.h>
#include <openssl/crypto.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

struct host_view {
	int root; /* the container's */
	int ns; /* as long as somebody holds it, what is mounted in it stays */
};

/* What would be looked for by its path when it is first needed: from the host's directories, another library, or none. */
static void load_early(void)
{
	static const char *const libraries[] = {
		"libtss2-tcti-device.so.0", "libtss2-tcti-swtpm.so.0", "libtss2-tcti-tabrmd.so.0"};

	/* Never closed: who asks for it by this name later gets this one. One that the image has not got is missed by who wants it. */
	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++)
		(void)dlopen(libraries[i], RTLD_NOW | RTLD_GLOBAL);
	(void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS |
					  OPENSSL_INIT_ADD_ALL_DIGESTS,
				  NULL);
	/* Both are in libc itself; others would be plug-ins of the host's. */
	(void)__nss_configure_lookup("hosts", "files dns");
}

static int open_of(const char *process, const char *what, int flags, int *ret, struct why *ret_why)
{
	char path[PATH_MAX];
	int r = snprintf(path, sizeof(path), "%s/%s", process, what) < (int)sizeof(path)
			? 0
			: -ENAMETOOLONG;

	if (r >= 0) {
		*ret = open(path, flags | O_CLOEXEC);
		r = *ret < 0 ? -errno : 0;
	}
	return r < 0 ? why_set(ret_why, r, "%.150s/%s: %s", process, what, strerror(-r)) : 0;
}

static bool is_same(int a, int b)
{
	struct stat one, two;

	return fstat(a, &one) == 0 && fstat(b, &two) == 0 && one.st_dev == two.st_dev &&
	       one.st_ino == two.st_ino;
}

static int enter(int fd, int kind, const char *what, struct why *ret_why)
{
	int r = setns(fd, kind) < 0 ? -errno : 0;

	return r < 0 ? why_set(ret_why, r,
			       "its %s namespace cannot be entered, which takes CAP_SYS_ADMIN and "
			       "CAP_SYS_CHROOT: %s",
			       what, strerror(-r))
		     : 0;
}

/* The host's /proc has our own number only if both count processes alike. */
static int check_proc(struct why *ret_why)
{
	char self[32], own[32];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	snprintf(own, sizeof(own), "%d", (int)getpid());
	if (n > 0)
		self[n] = '\0';
	return n > 0 && strcmp(self, own) == 0
		       ? 0
		       : why_set(ret_why, -EINVAL,
				 "its /proc does not know this process: the container must have "
				 "the host's processes (hostPID)");
}

static int go(struct host_view *v, const char *process, struct why *ret_why)
{
	CLEANUP_CLOSE int mnt = -1, cgroup = -1, own_cgroup = -1;
	int r = open_of("/proc/self", "ns/mnt", O_RDONLY, &v->ns, ret_why);

	if (r >= 0)
		r = open_of("/proc/self", "root", O_PATH | O_DIRECTORY, &v->root, ret_why);
	if (r >= 0)
		r = open_of("/proc/self", "ns/cgroup", O_RDONLY, &own_cgroup, ret_why);
	if (r >= 0)
		r = open_of(process, "ns/mnt", O_RDONLY, &mnt, ret_why);
	if (r >= 0)
		r = open_of(process, "ns/cgroup", O_RDONLY, &cgroup, ret_why);
	if (r >= 0 && is_same(mnt, v->ns))
		r = why_set(ret_why, -EINVAL,
			    "%.150s has no other mount namespace than this process: the container "
			    "must have the host's processes (hostPID)",
			    process);
	if (r < 0)
		return r;
	load_early();
	r = enter(mnt, CLONE_NEWNS, "mount", ret_why);
	/* Entering it makes its root ours, and the working directory. */
	if (r >= 0 && !is_same(cgroup, own_cgroup))
		r = enter(cgroup, CLONE_NEWCGROUP, "cgroup", ret_why);
	return r < 0 ? r : check_proc(ret_why);
}

int host_view_enter(const char *process, struct host_view **ret, struct why *ret_why)
{
	struct host_view *v = malloc(sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	*v = (struct host_view){.root = -1, .ns = -1};
	r = go(v, process, ret_why);
	if (r < 0)
		host_view_free(v);
	else
		*ret = v;
	return r;
}

struct host_view *host_view_free(struct host_view *v)
{
	if (!v)
		return NULL;
	if (v->root >= 0)
		close(v->root);
	if (v->ns >= 0)
		close(v->ns);
	free(v);
	return NULL;
}

int host_view_own(const struct host_view *v, char **path)
{
	char *longer;

	if (!v || !*path || (*path)[0] != '/')
		return 0;
	if (asprintf(&longer, "/proc/self/fd/%d%s", v->root, *path) < 0)
		return -ENOMEM;
	free(*path);
	*path = longer;
	return 0;
}
