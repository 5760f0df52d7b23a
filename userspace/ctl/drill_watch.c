/* SPDX-License-Identifier: Apache-2.0 */
#include "drill_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"
#include "ledger_read.h"
#include "print.h"

#define MAX_NEW (64u << 20) /* bytes of a ledger between two looks */

uint64_t drill_watch_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int path_of(const struct drill_tail *t, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/events-%020" PRIu64 ".jsonl", t->dir, t->first) <
			       PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

static int newest(const char *dir, uint64_t *ret)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	uint32_t n = 0;
	struct why why;
	int r = ledger_read_list(dir, &firsts, &n, &why);

	if (r >= 0 && n == 0)
		r = -ENOENT;
	if (r >= 0)
		*ret = firsts[n - 1];
	return r;
}

int drill_watch_tail(const char *dir, struct drill_tail *ret)
{
	char path[PATH_MAX];
	struct stat st;
	int r;

	*ret = (struct drill_tail){.dir = dir};
	r = newest(dir, &ret->first);
	if (r >= 0)
		r = path_of(ret, path);
	if (r >= 0 && stat(path, &st) < 0)
		r = -errno;
	if (r >= 0)
		ret->at = (uint64_t)st.st_size;
	return r;
}

/* Whole lines alone; the rest is read again. */
static int look_through(struct drill_tail *t, const char *needle)
{
	CLEANUP_CLOSE int fd = -1;
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX], chunk[65536];
	const char *end;
	ssize_t n;
	int r = path_of(t, path);

	fd = r < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	/* Packed meanwhile: the next one is there. */
	if (fd < 0)
		return r < 0 ? r : errno == ENOENT ? 0 : -errno;
	b.max = MAX_NEW;
	while ((n = pread(fd, chunk, sizeof(chunk), (off_t)(t->at + b.size))) > 0) {
		buf_put(&b, chunk, (size_t)n);
		if (buf_status(&b) < 0)
			return buf_status(&b);
	}
	end = b.size > 0 ? memrchr(b.data, '\n', b.size) : NULL;
	if (!end)
		return n < 0 ? -errno : 0;
	t->at += (uint64_t)(end + 1 - (char *)b.data);
	return memmem(b.data, (size_t)(end - (char *)b.data), needle, strlen(needle)) ? 1 : 0;
}

int drill_watch_line(struct drill_tail *t, const char *key)
{
	CLEANUP(buf_done) struct buf needle = {0};
	struct jsonl j = {.buf = &needle};
	uint64_t first = t->first;
	int r;

	jsonl_str(&j, "key", key);
	if (buf_status(&needle) < 0)
		return buf_status(&needle);
	/* Whether there is a newer one is asked first: then the older one has all it will have, and no line falls between the two looks. */
	r = newest(t->dir, &first);
	if (r >= 0)
		r = look_through(t, (char *)needle.data);
	if (r != 0 || first == t->first)
		return r;
	t->first = first;
	t->at = 0;
	return look_through(t, (char *)needle.data);
}

static bool is_text(const json_t *o, const char *key, const char *text)
{
	return strcmp(client_text(o, key), text) == 0;
}

static bool is_armed(const json_t *k)
{
	return is_text(k, "mode", "armed") &&
	       (is_text(k, "action", "hold") || is_text(k, "action", "quarantine"));
}

/* Until then it asks for nothing. */
static bool has_grace(const json_t *k)
{
	uint64_t acts_ns;

	return clock_from_text(client_text(k, "acts"), &acts_ns) >= 0 &&
	       acts_ns > clock_utc_ns(clock_system());
}

/* Of the key. */
static void add_case(struct drill_view *v, const json_t *k)
{
	if (v->n_cases < ARRAY_SIZE(v->ids))
		v->ids[v->n_cases] = client_number(k, "id");
	if (v->n_cases++ == 0)
		snprintf(v->rule, sizeof(v->rule), "%s", client_text(k, "rule"));
	v->provisional |= json_is_true(json_object_get(k, "provisional"));
	v->asks |= is_armed(k);
}

int drill_watch_look(struct client *c, const char *node, const char *key, struct drill_view *ret)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *k;
	size_t i;
	int r = client_get_node(c, node, &o);

	*ret = (struct drill_view){.n_cases = 0};
	if (r != PRINT_GOOD)
		return r;
	snprintf(ret->state, sizeof(ret->state), "%s", client_text(o, "state"));
	snprintf(ret->cause, sizeof(ret->cause), "%s", client_text(o, "cause"));
	ret->contained =
		is_text(o, "containment", "held") || is_text(o, "containment", "quarantined");
	json_array_foreach (json_object_get(o, "cases"), i, k) {
		if (!key || client_text(k, "closed")[0])
			continue;
		if (is_text(k, "key", key))
			add_case(ret, k);
		else
			ret->others_ask |= is_armed(k) && !has_grace(k);
	}
	return PRINT_GOOD;
}
