/* SPDX-License-Identifier: Apache-2.0 */
#include "mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "claims.h"
#include "cleanup.h"

/* The byte at r, with \ooo undone (the kernel escapes blank, tab, LF and backslash); -EBADMSG. */
static int take_byte(struct buf_reader *r, const char *what, struct why *ret_why)
{
	uint8_t c = r->data[r->at++];

	if (c == '\\') {
		const uint8_t *d = r->data + r->at;

		if (buf_left(r) < 3 || d[0] < '0' || d[0] > '3' || d[1] < '0' || d[1] > '7' ||
		    d[2] < '0' || d[2] > '7')
			return why_set(ret_why, -EBADMSG, "mountinfo: bad escape in %s", what);
		c = (uint8_t)((d[0] - '0') << 6 | (d[1] - '0') << 3 | (d[2] - '0'));
		r->at += 3;
	}
	return c ? c : why_set(ret_why, -EBADMSG, "mountinfo: NUL in %s", what);
}

/* Copies what fits of a field up to the next blank; its whole length. */
static int64_t copy_field(struct buf_reader *r, char *ret, size_t room, const char *what,
			  struct why *ret_why)
{
	size_t n = 0;
	int c;

	while (buf_left(r) > 0 && r->data[r->at] != ' ') {
		c = take_byte(r, what, ret_why);
		if (c < 0)
			return c;
		if (n + 1 < room)
			ret[n] = (char)c;
		n++;
	}
	if (n == 0)
		return why_set(ret_why, -EBADMSG, "mountinfo: no %s", what);
	ret[n < room ? n : room - 1] = '\0';
	if (buf_left(r) > 0)
		r->at++; /* the blank */
	return (int64_t)n;
}

static int take_field(struct buf_reader *r, char *ret, size_t room, const char *what,
		      struct why *ret_why)
{
	int64_t n = copy_field(r, ret, room, what, ret_why);

	if (n >= (int64_t)room)
		return why_set(ret_why, -EBADMSG, "mountinfo: %s has more than %zu bytes", what,
			       room - 1);
	return n < 0 ? (int)n : 0;
}

/* What only says what a mount is of, in words that whoever made it may have chosen: he is not to have the line refused, and with it the others. */
static int take_words(struct buf_reader *r, char *ret, size_t room, const char *what,
		      struct why *ret_why)
{
	int64_t n = copy_field(r, ret, room, what, ret_why);

	return n < 0 ? (int)n : 0;
}

static int take_number(struct buf_reader *r, char end, uint32_t *ret, const char *what,
		       struct why *ret_why)
{
	size_t begin = r->at;
	uint64_t v = 0;

	while (buf_left(r) > 0 && r->data[r->at] >= '0' && r->data[r->at] <= '9' && v <= UINT32_MAX)
		v = v * 10 + (uint64_t)(r->data[r->at++] - '0');
	if (r->at == begin || v > UINT32_MAX || buf_left(r) == 0 || r->data[r->at] != (uint8_t)end)
		return why_set(ret_why, -EBADMSG, "mountinfo: %s is no number", what);
	r->at++;
	*ret = (uint32_t)v;
	return 0;
}

/* 36 35 98:0 /root /point options [optional …] - fstype source super-options */
int mountinfo_parse(const char *text, size_t size, struct mountinfo_entry *ret, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(text, size);
	char skipped[8192] = "";
	int bad;

	memset(ret, 0, sizeof(*ret));
	bad = take_number(&r, ' ', &ret->id, "mount id", ret_why);
	if (bad == 0)
		bad = take_number(&r, ' ', &ret->parent_id, "parent id", ret_why);
	if (bad == 0)
		bad = take_number(&r, ':', &ret->major, "major", ret_why);
	if (bad == 0)
		bad = take_number(&r, ' ', &ret->minor, "minor", ret_why);
	if (bad == 0)
		bad = take_field(&r, ret->root, sizeof(ret->root), "root", ret_why);
	if (bad == 0)
		bad = take_field(&r, ret->point, sizeof(ret->point), "mount point", ret_why);
	while (bad == 0 && strcmp(skipped, "-") != 0)
		bad = take_field(&r, skipped, sizeof(skipped), "separator", ret_why);
	if (bad == 0)
		bad = take_words(&r, ret->fstype, sizeof(ret->fstype), "file system", ret_why);
	if (bad < 0)
		return bad;
	/* A mount may have an empty source: two blanks. */
	if (buf_left(&r) > 0 && r.data[r.at] == ' ') {
		snprintf(ret->source, sizeof(ret->source), "none");
		r.at++;
	} else {
		bad = take_words(&r, ret->source, sizeof(ret->source), "source", ret_why);
	}
	ret->super = text + r.at;
	ret->super_size = buf_left(&r);
	return bad;
}

int mountinfo_value(const struct mountinfo_entry *e, struct buf *ret)
{
	CLEANUP(buf_done) struct buf raw = {0};
	int r;

	buf_printf(&raw, "%s %s %s", e->fstype, e->source, e->root);
	if (buf_status(&raw) < 0)
		return -ENOMEM;
	r = claims_text_value((const char *)raw.data, raw.size, ret);
	return r < 0 ? r : buf_status(ret);
}
