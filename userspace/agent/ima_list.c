/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_list.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "imalog.h"

#define DIR "/sys/kernel/security/ima"
#define DIGEST 20u /* of the templates in this list, whatever banks there are */
#define PIECE 65536

struct ima_list {
	int fd; /* stays open: the kernel goes on where the last reading ended */
	const char *dir;
	enum ima_list_covers covers;
	struct buf kept; /* from entry `from` on; may end within one */
	uint64_t from;
};

const char *ima_list_covers_name(enum ima_list_covers c)
{
	static const char *const names[] = {"unknown", "programs", "other"};

	return names[c];
}

/* One rule measures what its func says; without one, or with FILE_CHECK, whatever is opened. Of what is mapped not all has a line. */
static enum ima_list_covers rule_covers(const char *rule, size_t size)
{
	static const char *const programs[] = {"BPRM_CHECK",	     "MODULE_CHECK",
					       "FIRMWARE_CHECK",     "POLICY_CHECK",
					       "KEXEC_KERNEL_CHECK", "KEXEC_INITRAMFS_CHECK"};
	const char *func = memmem(rule, size, "func=", 5);
	size_t n = func ? strcspn(func + 5, " \t\n") : 0;

	for (size_t i = 0; i < ARRAY_SIZE(programs) && func; i++)
		if (strlen(programs[i]) == n && memcmp(func + 5, programs[i], n) == 0)
			return IMA_LIST_PROGRAMS;
	return IMA_LIST_OTHER;
}

enum ima_list_covers ima_list_policy(const char *text)
{
	enum ima_list_covers c = IMA_LIST_UNKNOWN;

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (strncmp(text, "measure ", 8) == 0 && c != IMA_LIST_OTHER)
			c = rule_covers(text, n);
		text += n + (text[n] == '\n');
	}
	return c;
}

static int open_in(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir ? dir : DIR, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Up to max bytes; the file may grow meanwhile. */
static int read_some(int fd, size_t max, struct buf *ret)
{
	uint8_t piece[PIECE];
	size_t want;
	ssize_t n = 1;

	while (n > 0 && ret->size < max) {
		want = max - ret->size < sizeof(piece) ? max - ret->size : sizeof(piece);
		n = read(fd, piece, want);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n > 0)
			buf_put(ret, piece, (size_t)n);
	}
	return n < 0 ? -errno : buf_status(ret);
}

static void read_policy(struct ima_list *l, const char *dir)
{
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP_CLOSE int fd = open_in(dir, "policy");

	if (fd >= 0 && read_some(fd, 1u << 20, &text) >= 0 && text.data)
		l->covers = ima_list_policy((char *)text.data);
}

int ima_list_open(const char *dir, enum ima_list_covers covers, struct ima_list **ret,
		  struct why *ret_why)
{
	struct ima_list *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->covers = covers;
	l->dir = dir;
	l->fd = open_in(dir, "binary_runtime_measurements");
	r = l->fd;
	if (r < 0) {
		ima_list_free(l);
		return why_set(ret_why, r, "IMA's list: %s", strerror(-r));
	}
	if (covers == IMA_LIST_UNKNOWN)
		read_policy(l, dir);
	*ret = l;
	return 0;
}

struct ima_list *ima_list_free(struct ima_list *l)
{
	if (!l)
		return NULL;
	if (l->fd >= 0)
		close(l->fd);
	buf_done(&l->kept);
	free(l);
	return NULL;
}

int ima_list_count(const struct ima_list *l, uint64_t *ret)
{
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP_CLOSE int fd = open_in(l->dir, "runtime_measurements_count");
	unsigned long long n;
	int r = fd < 0 ? fd : read_some(fd, 64, &text);

	if (r < 0)
		return r;
	if (!text.data || sscanf((char *)text.data, "%llu", &n) != 1)
		return -EBADMSG;
	*ret = n;
	return 0;
}

enum ima_list_covers ima_list_covers(const struct ima_list *l)
{
	return l->covers;
}

int ima_list_next(struct ima_list *l, size_t max, struct buf_view *ret, uint64_t *ret_from,
		  uint64_t *ret_n, struct why *ret_why)
{
	size_t size = 0;
	int r = read_some(l->fd, IMA_LIST_KEPT, &l->kept);

	if (r < 0)
		return why_set(ret_why, r, "IMA's list: %s", strerror(-r));
	*ret_n = 0;
	r = imalog_whole(l->kept.data, l->kept.size, DIGEST, max, &size, ret_n, ret_why);
	if (r < 0)
		return r;
	*ret = (struct buf_view){l->kept.data, size};
	*ret_from = l->from;
	return 0;
}

int ima_list_seek(struct ima_list *l, uint64_t from, struct why *ret_why)
{
	uint64_t before;
	int r = 0;

	if (from < l->from) {
		if (lseek(l->fd, 0, SEEK_SET) != 0)
			return why_set(ret_why, -EIO, "IMA's list: it cannot be read anew");
		buf_clear(&l->kept);
		l->from = 0;
	}
	do {
		before = l->from;
		ima_list_taken(l, from);
		if (l->from < from)
			r = read_some(l->fd, IMA_LIST_KEPT, &l->kept);
		if (r < 0)
			return why_set(ret_why, r, "IMA's list: %s", strerror(-r));
		ima_list_taken(l, from);
	} while (l->from < from && l->from > before);
	return 0;
}

void ima_list_taken(struct ima_list *l, uint64_t to)
{
	struct buf_reader r = buf_reader_of(l->kept.data, l->kept.size);
	struct imalog_entry e;
	struct why why = {""};

	while (l->from < to && imalog_next(&r, DIGEST, &e, &why) > 0)
		l->from++;
	if (r.at == 0)
		return;
	memmove(l->kept.data, l->kept.data + r.at, l->kept.size - r.at);
	buf_cut(&l->kept, l->kept.size - r.at);
}
