/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "store_sqlite.h"

#define MAX_PEM 65536
#define NO_VERIFIER "%.150s: there is no verifier; plumb-verifier init makes one"

int verifier_files_ours(const char *dir, struct why *ret_why)
{
	const struct passwd *owner;
	struct stat st;

	if (geteuid() != 0 || stat(dir, &st) < 0 || st.st_uid == 0)
		return 0;
	owner = getpwuid(st.st_uid);
	return why_set(
		ret_why, -EPERM,
		"%.150s belongs to user %u, who cannot read what root makes (runuser -u %.60s "
		"-- plumb-verifier …)",
		dir, st.st_uid, owner ? owner->pw_name : "USER");
}

void verifier_files_wipe(struct buf *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->size);
	buf_done(b);
}

static int path_of(const char *dir, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int verifier_files_put(const struct fsio *io, const char *dir, const char *name,
		       const struct buf *b)
{
	char path[PATH_MAX];
	int r = buf_status(b);

	if (r >= 0)
		r = path_of(dir, name, path);
	return r < 0 ? r : fsio_replace_file(io, path, b->data, b->size, 0600);
}

int verifier_files_get(const struct fsio *io, const char *dir, const char *name, struct buf *ret)
{
	char path[PATH_MAX];
	int r = path_of(dir, name, path);

	return r < 0 ? r : fsio_read_file(io, path, MAX_PEM, ret);
}

int verifier_files_make_key(const struct fsio *io, const char *dir, const char *name,
			    enum sign_kind kind, struct sign_key **ret)
{
	CLEANUP(verifier_files_wipe) struct buf pem = {0};
	struct sign_key *key;
	int r = sign_key_generate(kind, &key);

	if (r < 0)
		return r;
	r = sign_key_private_pem(key, &pem);
	if (r >= 0)
		r = verifier_files_put(io, dir, name, &pem);
	if (r < 0) {
		sign_key_free(key);
		return r;
	}
	*ret = key;
	return 0;
}

int verifier_files_read_key(const struct fsio *io, const char *dir, const char *name,
			    struct sign_key **ret, struct why *ret_why)
{
	CLEANUP(verifier_files_wipe) struct buf pem = {0};
	int r = verifier_files_get(io, dir, name, &pem);

	if (r < 0)
		return why_set(ret_why, r, "%.150s/%s: %s", dir, name, strerror(-r));
	r = sign_key_from_pem((char *)pem.data, pem.size, ret, NULL);
	return r < 0 ? why_set(ret_why, r, "%.150s/%s: is no key in PEM", dir, name) : 0;
}

int verifier_files_read(const struct fsio *io, const char *dir, const char *name, struct buf *ret,
			struct why *ret_why)
{
	int r = verifier_files_get(io, dir, name, ret);

	return r < 0 ? why_set(ret_why, r, "%.150s/%s: %s", dir, name, strerror(-r)) : 0;
}

int verifier_files_ready(const struct fsio *io, const char *dir, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf ready = {0};
	int r = verifier_files_get(io, dir, "ready", &ready);

	if (r == -ENOENT)
		return why_set(ret_why, r, NO_VERIFIER, dir);
	return r < 0 ? why_set(ret_why, r, "%.150s/ready: %s", dir, strerror(-r)) : 0;
}

int verifier_files_store(const char *dir, struct store *ret, struct why *ret_why)
{
	char path[PATH_MAX];
	int r = path_of(dir, "store.db", path);

	/* SQLite says only that it cannot open it. */
	if (r >= 0 && access(path, R_OK | W_OK) < 0 && errno != ENOENT)
		r = why_set(ret_why, -errno, "%.200s: %s", path, strerror(errno));
	return r < 0 ? r : store_sqlite_open(path, ret, ret_why);
}

int verifier_files_lock(const char *dir, int *ret_fd, struct why *ret_why)
{
	char path[PATH_MAX];
	int fd, r = path_of(dir, "lock", path);

	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return why_set(ret_why, -errno, "%.200s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close(fd);
		return why_set(ret_why, r, "%.200s: is held", path);
	}
	*ret_fd = fd;
	return 0;
}
