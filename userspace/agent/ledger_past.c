/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_past.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "jsonl.h"
#include "ledger_read.h"
#include "line.h"

#define NOTES_END 16384 /* bytes of notes that are looked at: some 60 */
/* That are looked at for a `stop`: the last evidence is tried for as long as an agent may take to stop, and each try may leave three. */
#define LAST_LINES 32

/* One segment, or all that were read so far. */
struct reading {
	uint64_t size;
	bool decided; /* whether it stopped */
	uint32_t n_quotes;
	struct ledger_past past;
};

/*
 * The last quote covers the `stop`, so it comes after it, and how far IMA's list is kept by then; somebody else may extend meanwhile; and the
 * verifier that is told of it may have gone back.
 */
static bool may_follow_stop(const struct line *l, const json_t *o)
{
	const char *of = "";
	struct why why;

	if (l->type == PLUMB_TYPE_LOST)
		(void)jsonl_get_str(o, "of", 64, &of, &why);
	return l->type == PLUMB_TYPE_QUOTE || l->type == PLUMB_TYPE_IMA ||
	       l->type == PLUMB_TYPE_EPOCH || strcmp(of, "verifier") == 0;
}

static void take_last(struct reading *r, uint64_t seq, const struct line *l, const json_t *o)
{
	struct ledger_past *p = &r->past;

	p->any = true;
	p->seq = seq;
	if (!may_follow_stop(l, o)) {
		p->stopped = l->type == PLUMB_TYPE_STOP;
		r->decided = true;
	}
	p->utc_ns = l->utc_ns;
	p->boot_ns = l->boot_ns;
	snprintf(p->boot, sizeof(p->boot), "%s", l->boot);
}

/*
 * Orders are carried out once and upwards: which was the last is in the ledger itself. Quotes bind it, too, and a `pruned` line keeps it
 * when the order's own line goes. An order may come while a quote is made, which then does not bind it; the one before it was written
 * before that one was begun, so nothing older than the last two need be read.
 */
static void take_order(struct ledger_past *p, enum plumb_type type, const json_t *o)
{
	uint64_t number;
	struct why why;

	if (jsonl_get_uint(o, type == PLUMB_TYPE_ORDER ? "number" : "order", INT64_MAX, &number,
			   &why) >= 0 &&
	    number > p->last_order)
		p->last_order = number;
}

/* In a string of JSON its quotes would be escaped; so only lines of that type, or with such a member inside, are parsed at all. */
static bool says(const char *line, size_t size, const char *member)
{
	return memmem(line, size, member, strlen(member)) != NULL;
}

static int on_line(void *ctx, const struct ledger_read_segment *s, uint64_t seq, const char *text,
		   size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct reading *r = ctx;
	bool wanted = says(text, size, "\"type\":\"order\"") ||
		      says(text, size, "\"type\":\"quote\"") ||
		      says(text, size, "\"type\":\"pruned\"");
	struct line l;
	struct why why;

	(void)s;
	r->past.bytes += size + 1;
	if ((!wanted && seq + LAST_LINES < r->size) || line_parse(text, size, &o, &l, &why) < 0)
		return 0;
	if (seq + LAST_LINES >= r->size)
		take_last(r, seq, &l, o);
	if (l.type == PLUMB_TYPE_QUOTE) {
		r->n_quotes++;
		r->past.quote_seq = seq;
		r->past.bytes = 0;
	}
	if (l.type == PLUMB_TYPE_ORDER || l.type == PLUMB_TYPE_QUOTE || l.type == PLUMB_TYPE_PRUNED)
		take_order(&r->past, l.type, o);
	return 0;
}

/* What an older segment adds. */
static void add(struct reading *all, const struct reading *older)
{
	struct ledger_past *to = &all->past;
	const struct ledger_past *p = &older->past;

	if (!all->decided) {
		to->stopped = p->stopped;
		all->decided = older->decided;
	}
	if (!to->any && p->any) {
		to->any = true;
		to->seq = p->seq;
		to->utc_ns = p->utc_ns;
		to->boot_ns = p->boot_ns;
		memcpy(to->boot, p->boot, sizeof(to->boot));
	}
	if (all->n_quotes == 0) {
		to->bytes += p->bytes;
		to->quote_seq = p->quote_seq;
	}
	all->n_quotes += older->n_quotes;
	if (p->last_order > to->last_order)
		to->last_order = p->last_order;
}

static int nothing_torn(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	(void)ctx;
	(void)s;
	(void)at;
	(void)size;
	return 0;
}

int ledger_past_read(const struct fsio *io, const char *dir, uint64_t size, bool quotes,
		     struct ledger_past *ret, struct why *ret_why)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	struct reading all = {.size = size};
	uint32_t n = 0;
	int r = size ? ledger_read_list(dir, &firsts, &n, ret_why) : 0;

	while (r >= 0 && n > 0) {
		struct reading one = {.size = size};
		const struct ledger_read_calls calls = {&one, NULL, on_line, nothing_torn, NULL};

		r = ledger_read_one(io, dir, firsts[--n], &calls, ret_why);
		add(&all, &one);
		if ((all.n_quotes >= 2 || !quotes) && firsts[n] + LAST_LINES <= size)
			break;
	}
	if (r >= 0)
		*ret = all.past;
	return r;
}

/* "<size> <root> <name> <signature>": the size, when the name is that one. */
static bool is_cosignature(const char *line, const char *end, const char *witness, uint64_t *ret)
{
	const char *root = memchr(line, ' ', (size_t)(end - line));
	const char *name = root ? memchr(root + 1, ' ', (size_t)(end - root - 1)) : NULL;
	size_t n = strlen(witness);
	uint64_t size = 0;

	if (!name || (size_t)(end - name) < n + 2 || memcmp(name + 1, witness, n) != 0 ||
	    name[1 + n] != ' ')
		return false;
	for (const char *c = line; c < root; c++) {
		if (*c < '0' || *c > '9' || size > INT64_MAX / 10 - 9)
			return false;
		size = size * 10 + (uint64_t)(*c - '0');
	}
	*ret = size;
	return root > line;
}

int ledger_past_cosigned(const struct fsio *io, const char *dir, const char *witness,
			 uint64_t *ret_size)
{
	char path[PATH_MAX], end[NOTES_END];
	uint64_t from, found = 0;
	size_t size = 0;
	struct stat st;
	int fd, r;

	*ret_size = 0;
	if (snprintf(path, sizeof(path), "%s/notes", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (!witness[0] || stat(path, &st) < 0)
		return !witness[0] || errno == ENOENT ? 0 : -errno;
	fd = fsio_open(io, path, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	from = (uint64_t)st.st_size > sizeof(end) ? (uint64_t)st.st_size - sizeof(end) : 0;
	r = fsio_read_full(io, fd, end, sizeof(end), from, &size);
	fsio_close(io, fd);
	/* The last one counts, not the largest: after a verifier went back its cosignatures go on from where it is. */
	for (const char *at = end, *lf; r >= 0 && at < end + size; at = lf + 1) {
		lf = memchr(at, '\n', size - (size_t)(at - end));
		if (!lf)
			break;
		/* The first may be the rest of one. */
		if ((from == 0 || at > end) && is_cosignature(at, lf, witness, &found))
			*ret_size = found;
	}
	return r < 0 ? r : 0;
}
