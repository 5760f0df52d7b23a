/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_ek.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "cleanup.h"
#include "client.h"
#include "digest.h"
#include "ek_public.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"

#define MAX_LIST (16u << 20)
#define MAX_EKS 100000u

struct arguments {
	const char *config, *reason, *label;
	bool json;
};

struct ek {
	char node[65];
	char label[WIRE_MAX_LABEL + 1];
};

/* All that is to be imported: read whole before the first is sent. */
struct eks {
	struct ek *all;
	uint32_t n, max;
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl ek import FILE|HASH… --reason=TEXT [--label=LABEL] [--json]\n"
		"       plumbctl ek list [--json]\n"
		"       plumbctl ek remove HASH… --reason=TEXT [--json]\n\n"
		"For TPMs whose maker put no certificate into them: you name their endorsement "
		"keys, and your\n"
		"word stands where the maker's would. A node still has to show that its TPM has "
		"that key, and\n"
		"needs a join token or an approval.\n\n"
		"FILE is a list, a line each: HASH [LABEL], # begins a comment; or one key: what "
		"tpm2_createek\n"
		"or tpm2_readpublic gives, or the EK's public key in PEM or DER as clouds give it. "
		"HASH is SHA-256\n"
		"of the EK's public area, 64 hex digits: the node's id, which plumbd and the "
		"verifier name when\n"
		"they refuse it.\n\n"
		"  --label=LABEL    the only label that the key may enrol with; of a list, its "
		"lines say\n"
		"  --reason=TEXT    kept in the verifier's log with your name\n\n"
		"--config=FILE says which verifier.\n"
		"Exit codes: 0 good, 1 not good or refused, 2 could not tell, 64 wrong usage.\n");
}

static bool is_hash(const char *text)
{
	struct digest d;
	char hex[DIGEST_HEX_SIZE];

	if (digest_from_hex(text, &d) < 0)
		return false;
	digest_hex(&d, hex);
	return strcmp(hex, text) == 0;
}

static int add(struct eks *e, const char *node, const char *label)
{
	struct ek *more;

	if (e->n == MAX_EKS)
		return print_failure(PRINT_USAGE, "more than %u keys at once", MAX_EKS);
	if (e->n == e->max) {
		e->max = e->max ? e->max * 2 : 64;
		more = realloc(e->all, e->max * sizeof(*more));
		if (!more)
			return print_failure(PRINT_UNKNOWN, "no memory");
		e->all = more;
	}
	snprintf(e->all[e->n].node, sizeof(e->all[0].node), "%s", node);
	snprintf(e->all[e->n++].label, sizeof(e->all[0].label), "%s", label);
	return PRINT_GOOD;
}

static int add_line(struct eks *e, const char *path, unsigned int number, char *line)
{
	char *rest = NULL, *hash, *label;

	line[strcspn(line, "#")] = 0;
	hash = strtok_r(line, " \t\r", &rest);
	label = hash ? strtok_r(NULL, " \t\r", &rest) : NULL;
	if (!hash)
		return PRINT_GOOD;
	if (!is_hash(hash) || strtok_r(NULL, " \t\r", &rest) ||
	    (label && strlen(label) > WIRE_MAX_LABEL))
		return print_failure(PRINT_USAGE, "%s: line %u is not HASH [LABEL]", path, number);
	return add(e, hash, label ? label : "");
}

static int add_list(struct eks *e, const char *path, char *text)
{
	unsigned int number = 0;
	char *line;
	int r = PRINT_GOOD;

	while (r == PRINT_GOOD && (line = strsep(&text, "\n")))
		r = add_line(e, path, ++number, line);
	return r;
}

static bool is_text(const struct buf *b)
{
	for (size_t i = 0; i < b->size; i++)
		if (b->data[i] < ' ' && !strchr("\t\r\n", b->data[i]))
			return false;
	return b->size == 0 || !strstr((char *)b->data, "-----BEGIN");
}

static int add_file(struct eks *e, const char *path, const char *label)
{
	CLEANUP(buf_done) struct buf b = {.max = MAX_LIST};
	char node[65];
	struct why why = {""};
	uint32_t before = e->n;
	int r = fsio_read_file(fsio_system(), path, MAX_LIST, &b);

	if (r < 0)
		return print_failure(PRINT_USAGE, "%s: %s", path, strerror(-r));
	buf_put(&b, "", 1);
	b.size--;
	if (is_text(&b)) {
		r = add_list(e, path, (char *)b.data);
		if (r == PRINT_GOOD && e->n == before)
			r = print_failure(PRINT_USAGE, "%s: holds no key", path);
		return r;
	}
	if (ek_public_node(b.data, b.size, node, &why) < 0)
		return print_failure(PRINT_USAGE, "%s: %s", path, why.text);
	return add(e, node, label);
}

static int act_on(struct client *c, const struct eks *e, const char *action,
		  const struct arguments *a)
{
	int r = PRINT_GOOD;

	for (uint32_t i = 0; i < e->n && r == PRINT_GOOD; i++) {
		const struct client_action act = {.action = action,
						  .node = e->all[i].node,
						  .reason = a->reason,
						  .value = e->all[i].label};

		r = client_act(c, &act, a->json);
		if (r != PRINT_GOOD && i > 0)
			print_cure("the %u before %s are done", i, e->all[i].node);
	}
	return r;
}

static int gather(struct eks *e, int n, char **words, bool files, const struct arguments *a)
{
	const char *label = a->label ? a->label : "";
	int r = PRINT_GOOD;

	if (!a->reason || !a->reason[0])
		return print_failure(PRINT_USAGE,
				     "ek %s needs --reason=\"why\": it is kept with your name",
				     files ? "import" : "remove");
	if (strlen(label) > WIRE_MAX_LABEL)
		return print_failure(PRINT_USAGE, "--label is too long");
	for (int i = 0; i < n && r == PRINT_GOOD; i++) {
		if (is_hash(words[i]))
			r = add(e, words[i], label);
		else if (files)
			r = add_file(e, words[i], label);
		else
			r = print_failure(PRINT_USAGE, "%s is no hash of 64 hex digits", words[i]);
	}
	if (r == PRINT_GOOD && e->n == 0)
		r = print_failure(PRINT_USAGE, "plumbctl ek --help tells what is needed");
	return r;
}

static int list(struct client *c, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *all, *e;
	size_t i;
	int r = client_get_json(c, WIRE_ROUTE_EKS, &o);

	if (r != PRINT_GOOD)
		return r;
	if (a->json)
		return client_print_json(o);
	all = json_object_get(o, "eks");
	if (!json_is_array(all))
		return print_failure(PRINT_UNKNOWN, "the verifier's answer has no eks");
	json_array_foreach (all, i, e) {
		print_safe(stdout, client_text(e, "ek"), strlen(client_text(e, "ek")));
		fputc(' ', stdout);
		print_column(stdout, client_text(e, "label")[0] ? client_text(e, "label") : "-", 24,
			     PRINT_CUT_END);
		print_column(stdout, client_text(e, "by"), 16, PRINT_CUT_END);
		print_safe(stdout, client_text(e, "at"), strlen(client_text(e, "at")));
		fputc('\n', stdout);
	}
	if (i == 0)
		puts("No endorsement key was imported.");
	client_print_more(o);
	return PRINT_GOOD;
}

static int run(int n, char **words, const struct arguments *a)
{
	bool lists = n == 1 && strcmp(words[0], "list") == 0;
	bool imports = strcmp(words[0], "import") == 0;
	struct eks e = {.n = 0};
	struct client *c = NULL;
	int r = PRINT_GOOD;

	if (!lists && !imports && strcmp(words[0], "remove") != 0)
		return print_failure(PRINT_USAGE, "no command '%s'; plumbctl ek --help", words[0]);
	if (!lists)
		r = gather(&e, n - 1, words + 1, imports, a);
	if (r == PRINT_GOOD)
		r = client_open(a->config, &c);
	if (r == PRINT_GOOD)
		r = lists ? list(c, a) : act_on(c, &e, imports ? "ek_import" : "ek_remove", a);
	client_free(c);
	free(e.all);
	return r;
}

int cmd_ek(int argc, char **argv)
{
	struct arguments a = {.json = false};
	const struct arguments_option options[] = {
		{"config", &a.config, NULL},
		{"reason", &a.reason, NULL},
		{"label", &a.label, NULL},
		{"json", NULL, &a.json},
	};
	const struct arguments_command c = {"ek", help, options, ARRAY_SIZE(options)};
	int r = PRINT_GOOD, n = arguments_take(argc, argv, &c, &r);

	return n > 0 ? run(n, argv + optind, &a) : r;
}
