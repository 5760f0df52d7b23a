/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_binfmt.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "claims.h"
#include "cleanup.h"

#define BINFMT_DIR "sys/fs/binfmt_misc"
#define BINFMT_TEXT_MAX 8192 /* bytes of one; the kernel takes 1920 to register it */

static bool starts(const char *text, size_t size, const char *with)
{
	return size >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

int claims_binfmt_parse(const char *text, size_t size, struct buf *ret)
{
	size_t first = strcspn(text, "\n");

	if (memchr(text, '\0', size) || first >= size ||
	    (!starts(text, size, "enabled\n") && !starts(text, size, "disabled\n")))
		return -EBADMSG;
	if (!starts(text + first + 1, size - first - 1, "interpreter "))
		return -EBADMSG;
	return claims_text_value(text, size, ret);
}

static int put_one(const struct claims_source *s, const char *name)
{
	CLEANUP(buf_done) struct buf text = {0}, value = {0};
	char path[NAME_MAX + sizeof(BINFMT_DIR) + 2], key[NAME_MAX + 16];
	int r;

	snprintf(path, sizeof(path), BINFMT_DIR "/%s", name);
	snprintf(key, sizeof(key), "binfmt:%s", name);
	r = claims_source_read(s, CLAIMS_PROC, path, BINFMT_TEXT_MAX, &text);
	if (r == -ENOENT) /* went meanwhile */
		return 0;
	if (r >= 0)
		buf_put(&text, "", 1);
	if (r >= 0)
		r = buf_status(&text) < 0
			    ? -ENOMEM
			    : claims_binfmt_parse((const char *)text.data, text.size - 1, &value);
	return r == -ENOMEM ? r : claims_source_put(s, key, r, &value);
}

static int put_all(const struct claims_source *s, DIR *dir, bool *ret_whole)
{
	int told = 0, n = 0;

	for (;;) {
		struct dirent *e;
		int r;

		errno = 0;
		e = readdir(dir);
		if (!e) {
			*ret_whole = errno == 0;
			return errno ? -errno : told;
		}
		if (e->d_name[0] == '.' || strcmp(e->d_name, "register") == 0 ||
		    strcmp(e->d_name, "status") == 0)
			continue;
		if (n++ == CLAIMS_BINFMT_MAX)
			return claims_source_put_unknown(s, "kernel:binfmt_misc",
							 "more registrations than are looked at");
		r = put_one(s, e->d_name);
		if (r < 0)
			return r;
		told += r;
	}
}

int claims_binfmt(const struct claims_source *s, bool *ret_whole)
{
	CLEANUP(buf_done) struct buf status = {0}, value = {0};
	char path[PATH_MAX];
	DIR *dir;
	int r, told;

	*ret_whole = false;
	if (!claims_source_has(s, CLAIMS_PROC, BINFMT_DIR)) {
		*ret_whole = true;
		return claims_source_put_text(s, "kernel:binfmt_misc", "absent");
	}
	/* Where it is not mounted nobody can register anything, but what was registered before still holds. */
	if (!claims_source_has(s, CLAIMS_PROC, BINFMT_DIR "/status"))
		return claims_source_put_text(s, "kernel:binfmt_misc", "not mounted");
	r = claims_source_read(s, CLAIMS_PROC, BINFMT_DIR "/status", 64, &status);
	if (r >= 0)
		r = claims_text_value((const char *)status.data, status.size, &value);
	if (r == -ENOMEM)
		return r;
	told = claims_source_put(s, "kernel:binfmt_misc", r, &value);
	r = claims_source_path(s, CLAIMS_PROC, BINFMT_DIR, path, sizeof(path));
	if (told < 0 || r < 0)
		return told < 0 ? told : r;
	dir = opendir(path);
	if (!dir)
		return -errno;
	r = put_all(s, dir, ret_whole);
	closedir(dir);
	return r < 0 ? r : told + r;
}
