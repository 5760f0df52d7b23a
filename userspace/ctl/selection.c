/* SPDX-License-Identifier: Apache-2.0 */
#include "selection.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"

/* A case that is meant. */
struct wanted {
	uint64_t id;
	const json_t *a_case; /* NULL: not found yet */
};

struct selection {
	struct wanted *wanted; /* sorted by number, each once */
	size_t n, max;
	json_t *nodes; /* each with its cases */
};

static int add(struct selection *s, uint64_t id)
{
	struct wanted *more;

	if (s->n == SELECTION_MAX_CASES)
		return print_failure(PRINT_USAGE, "more than %d cases at once",
				     SELECTION_MAX_CASES);
	if (s->n == s->max) {
		s->max = s->max ? s->max * 2 : 64;
		more = realloc(s->wanted, s->max * sizeof(*more));
		if (!more)
			return print_failure(PRINT_UNKNOWN, "no memory");
		s->wanted = more;
	}
	s->wanted[s->n++] = (struct wanted){.id = id};
	return PRINT_GOOD;
}

static int add_group(struct selection *s, const json_t *g)
{
	int r = PRINT_GOOD;
	json_t *id;
	size_t i;

	if (json_is_true(json_object_get(g, "more")))
		return print_failure(PRINT_NOT_GOOD,
				     "%s has more cases than the verifier lists; do it by --node",
				     client_text(g, "group"));
	json_array_foreach (json_object_get(g, "cases"), i, id) {
		json_int_t n = json_integer_value(id);

		if (r == PRINT_GOOD && n > 0)
			r = add(s, (uint64_t)n);
	}
	return r;
}

/* The group of that name; or all with that key, whoever did it. */
static int add_named(struct selection *s, const json_t *groups, const char *name)
{
	bool found = false;
	int r = PRINT_GOOD;
	json_t *g;
	size_t i;

	json_array_foreach (groups, i, g) {
		if (strcmp(client_text(g, "group"), name) != 0 &&
		    strcmp(client_text(g, "key"), name) != 0)
			continue;
		found = true;
		if (r == PRINT_GOOD)
			r = add_group(s, g);
	}
	if (!found) {
		print_failure(PRINT_NOT_GOOD, "there is no open group %s", name);
		print_cure("plumbctl drift summary lists them");
		return PRINT_NOT_GOOD;
	}
	return r;
}

static int get_groups(struct client *c, const char *node, json_t **ret)
{
	CLEANUP(buf_done) struct buf path = {0};

	buf_puts(&path, WIRE_ROUTE_DRIFT_SUMMARY "?open=1&node=");
	client_put_escaped(&path, node ? node : "");
	if (buf_status(&path) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	return client_get_json(c, (char *)path.data, ret);
}

static int read_words(struct selection *s, struct client *c, const char *node, int n, char **words)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = PRINT_GOOD;

	for (int i = 0; r == PRINT_GOOD && i < n; i++) {
		const char *text = words[i][0] == '#' ? words[i] + 1 : words[i];
		size_t digits = strspn(text, "0123456789");

		if (digits > 0 && digits < 19 && !text[digits]) {
			r = add(s, strtoull(text, NULL, 10));
			continue;
		}
		if (!o)
			r = get_groups(c, node, &o);
		if (r == PRINT_GOOD)
			r = add_named(s, json_object_get(o, "groups"), words[i]);
	}
	return r;
}

static int by_id(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void sort_and_merge(struct selection *s)
{
	size_t kept = 0;

	qsort(s->wanted, s->n, sizeof(*s->wanted), by_id);
	for (size_t i = 0; i < s->n; i++)
		if (i == 0 || s->wanted[i].id != s->wanted[kept - 1].id)
			s->wanted[kept++] = s->wanted[i];
	s->n = kept;
}

static struct wanted *find(const struct selection *s, const json_t *a_case)
{
	const struct wanted key = {.id = client_number(a_case, "id")};

	if (!json_is_null(json_object_get(a_case, "closed")))
		return NULL;
	return bsearch(&key, s->wanted, s->n, sizeof(key), by_id);
}

static int take_node(struct selection *s, struct client *c, const char *name)
{
	json_t *node = NULL, *k;
	size_t i;
	int r = client_get_node(c, name, &node);

	if (r != PRINT_GOOD)
		return r;
	if (json_array_append_new(s->nodes, node) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	json_array_foreach (json_object_get(node, "cases"), i, k) {
		struct wanted *w = find(s, k);

		if (w && !w->a_case)
			w->a_case = k;
	}
	return PRINT_GOOD;
}

static int take_nodes(struct selection *s, struct client *c, const char *node)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *n;
	size_t i;
	int r;

	if (node)
		return take_node(s, c, node);
	r = client_get_json(c, WIRE_ROUTE_NODES, &o);
	if (r != PRINT_GOOD)
		return r;
	json_array_foreach (json_object_get(o, "nodes"), i, n)
		if (r == PRINT_GOOD && client_number(n, "open_cases") > 0)
			r = take_node(s, c, client_text(n, "id"));
	return r;
}

static int all_found(const struct selection *s, const char *node)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->wanted[i].a_case)
			continue;
		if (node)
			print_failure(PRINT_NOT_GOOD, "case %" PRIu64 " is not open on %s",
				      s->wanted[i].id, node);
		else
			print_failure(PRINT_NOT_GOOD, "case %" PRIu64 " is not open on any node",
				      s->wanted[i].id);
		print_cure("plumbctl drift summary lists the open ones; nothing was done");
		return PRINT_NOT_GOOD;
	}
	return PRINT_GOOD;
}

int selection_open(struct client *c, const char *node, int n_words, char **words,
		   struct selection **ret)
{
	struct selection *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return print_failure(PRINT_UNKNOWN, "no memory");
	s->nodes = json_array();
	r = s->nodes ? read_words(s, c, node, n_words, words)
		     : print_failure(PRINT_UNKNOWN, "no memory");
	if (r == PRINT_GOOD && s->n == 0)
		r = print_failure(PRINT_NOT_GOOD, "no case was named");
	if (r == PRINT_GOOD) {
		sort_and_merge(s);
		r = take_nodes(s, c, node);
	}
	if (r == PRINT_GOOD)
		r = all_found(s, node);
	if (r != PRINT_GOOD) {
		selection_free(s);
		return r;
	}
	*ret = s;
	return PRINT_GOOD;
}

struct selection *selection_free(struct selection *s)
{
	if (!s)
		return NULL;
	json_decref(s->nodes);
	free(s->wanted);
	free(s);
	return NULL;
}

int selection_each(const struct selection *s,
		   int (*fn)(void *ctx, const json_t *node, const json_t *const *cases, size_t n),
		   void *ctx)
{
	CLEANUP_FREE const json_t **cases = calloc(s->n, sizeof(const json_t *));
	json_t *node, *k;
	size_t i, j;

	if (!cases)
		return print_failure(PRINT_UNKNOWN, "no memory");
	json_array_foreach (s->nodes, i, node) {
		size_t n = 0;
		int r;

		/* A case is taken where it was found first: no number stands for two. */
		json_array_foreach (json_object_get(node, "cases"), j, k) {
			const struct wanted *w = find(s, k);

			if (w && w->a_case == k && n < s->n)
				cases[n++] = k;
		}
		r = n ? fn(ctx, node, cases, n) : PRINT_GOOD;
		if (r != PRINT_GOOD)
			return r;
	}
	return PRINT_GOOD;
}
