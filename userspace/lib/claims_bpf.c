/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_bpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define STEPS_MAX 16384 /* objects of a kind; beyond it the list is not whole */

struct claims_bpf {
	struct claims_source s;
	struct claims_bpf_own own;
	uint32_t id, n, n_own_progs, n_own_links;
	bool in_links, whole;
	int told;
};

static bool is_own(const uint32_t *ids, uint32_t n, uint32_t id)
{
	for (uint32_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static void name_of_type(char *ret, size_t size, const char *known, uint32_t type)
{
	if (known)
		snprintf(ret, size, "%s", known);
	else
		snprintf(ret, size, "type%u", type);
}

/* "<name>:<tag>". A program without a name is "-". */
static int describe(uint32_t id, struct bpf_prog_info *ret, char *text, size_t size)
{
	CLEANUP_CLOSE int fd = bpf_prog_get_fd_by_id(id);
	uint32_t len = sizeof(*ret);
	int n, r = fd < 0 ? -errno : 0;

	memset(ret, 0, sizeof(*ret));
	if (r == 0 && bpf_obj_get_info_by_fd(fd, ret, &len) < 0)
		r = -errno;
	if (r < 0)
		return r;
	n = snprintf(text, size, "%.*s:", (int)sizeof(ret->name), ret->name[0] ? ret->name : "-");
	for (size_t i = 0; i < sizeof(ret->tag) && n + 3 < (int)size; i++)
		n += snprintf(text + n, size - (size_t)n, "%02x", ret->tag[i]);
	return 0;
}

/* One that is gone between being listed and being asked is gone. */
static int put_prog(struct claims_bpf *c, uint32_t id)
{
	struct bpf_prog_info info;
	char text[64], type[48], key[160];
	int r;

	if (is_own(c->own.progs, c->own.n_progs, id)) {
		c->n_own_progs++;
		return 0;
	}
	r = describe(id, &info, text, sizeof(text));
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	name_of_type(type, sizeof(type), libbpf_bpf_prog_type_str((enum bpf_prog_type)info.type),
		     info.type);
	snprintf(key, sizeof(key), "bpf:prog:%s:%s", type, text);
	return claims_source_put_text(&c->s, key, "loaded");
}

static int link_info(uint32_t id, struct bpf_link_info *ret, char *where, size_t size)
{
	CLEANUP_CLOSE int fd = bpf_link_get_fd_by_id(id);
	uint32_t len = sizeof(*ret);

	if (fd < 0)
		return -errno;
	memset(ret, 0, sizeof(*ret));
	memset(where, 0, size);
	if (bpf_obj_get_info_by_fd(fd, ret, &len) < 0)
		return -errno;
	if (ret->type != BPF_LINK_TYPE_RAW_TRACEPOINT)
		return 0;
	/* Its name comes only into memory that is given. A longer one is cut and an error, for which it is long enough. */
	memset(ret, 0, sizeof(*ret));
	len = sizeof(*ret);
	ret->raw_tracepoint.tp_name = (uint64_t)(uintptr_t)where;
	ret->raw_tracepoint.tp_name_len = (uint32_t)size - 1;
	if (bpf_obj_get_info_by_fd(fd, ret, &len) < 0 && errno != ENOSPC)
		return -errno;
	return 0;
}

static int put_link(struct claims_bpf *c, uint32_t id)
{
	struct bpf_link_info info;
	struct bpf_prog_info prog;
	char where[64], type[48], text[64] = "-:-", key[240];
	int r;

	if (is_own(c->own.links, c->own.n_links, id)) {
		c->n_own_links++;
		return 0;
	}
	r = link_info(id, &info, where, sizeof(where));
	if (r >= 0 && info.prog_id)
		r = describe(info.prog_id, &prog, text, sizeof(text));
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	name_of_type(type, sizeof(type), libbpf_bpf_link_type_str((enum bpf_link_type)info.type),
		     info.type);
	if (!where[0] && info.type == BPF_LINK_TYPE_TRACING)
		snprintf(where, sizeof(where), "attach%u", info.tracing.attach_type);
	snprintf(key, sizeof(key), "bpf:link:%s:%s:%s", type, where[0] ? where : "-", text);
	return claims_source_put_text(&c->s, key, "attached");
}

/* 1: one was looked at, 0: there are no more, -errno. */
static int next(struct claims_bpf *c)
{
	int r = c->in_links ? bpf_link_get_next_id(c->id, &c->id)
			    : bpf_prog_get_next_id(c->id, &c->id);

	if (r < 0)
		return errno == ENOENT ? 0 : -errno;
	if (c->n++ == STEPS_MAX)
		return -E2BIG;
	r = c->in_links ? put_link(c, c->id) : put_prog(c, c->id);
	if (r < 0)
		return r;
	c->told += r;
	return 1;
}

static int put_end(struct claims_bpf *c, int r)
{
	const char *key = c->in_links ? "bpf:links" : "bpf:progs";

	if (r < 0)
		c->whole = false;
	/* No bpf(2), or one from before there were links. */
	if (r == -ENOSYS || (r == -EINVAL && c->in_links && c->n == 0))
		r = claims_source_put_text(&c->s, key, "absent");
	else if (r < 0)
		r = claims_source_put(&c->s, key, r, NULL);
	else
		r = claims_source_put_text(&c->s, key, "listed");
	c->told += r > 0 ? r : 0;
	return r;
}

int claims_bpf_step(struct claims_bpf *c, int *ret_put)
{
	char own[48];
	int r = next(c);

	if (r == 1)
		return 1;
	if (r == -ENOMEM || r == -ENOSPC)
		return r;
	r = put_end(c, r);
	if (r < 0)
		return r;
	if (!c->in_links) {
		c->in_links = true;
		c->id = c->n = 0;
		return 1;
	}
	snprintf(own, sizeof(own), "%u %u", c->n_own_progs, c->n_own_links);
	/* Who could not look has not counted. */
	r = c->whole ? claims_source_put_text(&c->s, "bpf:own", own)
		     : claims_source_put_unknown(&c->s, "bpf:own", "not all were listed");
	*ret_put = r < 0 ? r : c->told + r;
	return 0;
}

int claims_bpf_open(const struct claims_source *s, const struct claims_bpf_own *own,
		    struct claims_bpf **ret)
{
	struct claims_bpf *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->s = *s;
	c->whole = true;
	if (own)
		c->own = *own;
	*ret = c;
	return 0;
}

struct claims_bpf *claims_bpf_free(struct claims_bpf *c)
{
	free(c);
	return NULL;
}

bool claims_bpf_is_whole(const struct claims_bpf *c)
{
	return c->whole;
}
