/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge: lies to a verifier that runs, in every way that we can think of, and looks what comes of it: an answer, a reason, and nothing
 * else. Prints a line a lie and the count.
 */
#include "forge.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "dsse.h"
#include "jsonl.h"
#include "verifier_fixture.h"

#define MUST(x)                                             \
	do {                                                \
		if (!(x)) {                                 \
			fprintf(stderr, "forge: %s\n", #x); \
			exit(2);                            \
		}                                           \
	} while (0)

#define BASELINE "{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg one\"}\n"

static const struct forge_table *const tables[] = {
	&lies_quote, &lies_register, &lies_ledger, &lies_early, &lies_judged, &lies_boot,
	&lies_body,  &lies_http,     &lies_tls,	   &lies_enrol, &lies_people};

void forge_result(struct forge *f, const char *what, const char *answer, const char *reason,
		  const char *wrong)
{
	printf("%s %u - %s | %s | %s\n", wrong ? "not ok" : "ok", ++f->n, what, answer, reason);
	if (wrong)
		printf("# %s\n", wrong);
	*(wrong ? &f->failed : &f->passed) += 1;
	fflush(stdout);
}

void forge_skip(struct forge *f, const char *what, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++f->n, what, why);
	f->skipped++;
}

long forge_memory(const struct forge *f, const char *what)
{
	char path[64], line[256];
	long kib = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)f->verifier);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, what, strlen(what)) == 0)
			kib = strtol(line + strlen(what) + 1, NULL, 10);
	if (file)
		fclose(file);
	return kib;
}

void forge_replace(struct buf *b, const char *find, const char *with)
{
	uint8_t *at = memmem(b->data, b->size, find, strlen(find));
	struct buf n = {0};

	MUST(at);
	buf_put(&n, b->data, (size_t)(at - b->data));
	buf_puts(&n, with);
	buf_put(&n, at + strlen(find), b->size - (size_t)(at - b->data) - strlen(find));
	MUST(buf_status(&n) == 0);
	buf_done(b);
	*b = n;
}

void forge_get(struct forge *f, const struct api_fixture_person *p, const char *path,
	       struct forge_told *t)
{
	struct forge_answer a;

	forge_wire_call(&f->wire, p, "GET", path, NULL, "", 0, &a);
	forge_told_set(t, &a);
	forge_answer_done(&a);
}

void forge_post(struct forge *f, const struct api_fixture_person *p, const char *path,
		const char *type, const void *body, size_t size, struct forge_told *t)
{
	struct forge_answer a;

	forge_wire_call(&f->wire, p, "POST", path, type, body, size, &a);
	forge_told_set(t, &a);
	forge_answer_done(&a);
}

void forge_envelope(const struct api_fixture_person *signer, const char *action, const char *node,
		    const char *reason, int64_t age_s, struct buf *ret)
{
	struct buf payload = {0};
	char at[CLOCK_TEXT_SIZE];
	struct jsonl j;

	clock_text(clock_utc_ns(clock_system()) - (uint64_t)(age_s * 1000000000), at);
	jsonl_begin(&j, &payload);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "action", action);
	jsonl_str(&j, "node", node);
	jsonl_str(&j, "reason", reason);
	jsonl_array(&j, "cases");
	jsonl_close(&j);
	jsonl_str(&j, "value", "");
	jsonl_str(&j, "at", at);
	jsonl_end(&j);
	MUST(dsse_sign(WIRE_DSSE_ACTION, payload.data, payload.size,
		       (const struct sign_key *const *)&signer->key, 1, ret) == 0);
	buf_done(&payload);
}

void forge_action(struct forge *f, const struct api_fixture_person *signer,
		  const struct api_fixture_person *sender, const char *action, const char *node,
		  const char *reason, int64_t age_s, struct forge_told *t)
{
	struct buf b = {0};

	forge_envelope(signer, action, node, reason, age_s, &b);
	forge_post(f, sender, WIRE_ROUTE_ACTIONS, WIRE_TYPE_JSON, b.data, b.size, t);
	buf_done(&b);
}

bool forge_token(struct forge *f, const char *label, uint64_t life_s, char ret[128])
{
	struct forge_answer a;
	char body[160];
	json_t *o = NULL;
	bool ok;

	snprintf(body, sizeof(body), "{\"label\":\"%s\",\"life_s\":%llu}", label,
		 (unsigned long long)life_s);
	forge_wire_call(&f->wire, &f->alice, "POST", WIRE_ROUTE_TOKENS, WIRE_TYPE_JSON, body,
			strlen(body), &a);
	ok = a.status == 200 && jsonl_parse(a.body.data, a.body.size, 4096, &o, NULL) == 0 &&
	     jsonl_get_text(o, "token", ret, 128, NULL) == 0;
	json_decref(o);
	forge_answer_done(&a);
	return ok;
}

static bool enrol(struct forge *f, struct forge_node *n, const char *label, struct forge_told *t)
{
	forge_node_open(n, &f->wire, f->maker, label);
	if (!forge_token(f, label, 600, n->m.token) || !forge_node_begin(n, t) ||
	    !forge_node_activate(n, true, t))
		return false;
	forge_node_start(n);
	return forge_node_evidence(n, t);
}

bool forge_new_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	char label[64];

	snprintf(label, sizeof(label), "own-%u", ++f->n_nodes);
	return enrol(f, n, label, t) && forge_node_evidence(n, t);
}

/* The row with its cases as people see it; the verdict has a time in it. */
static json_t *view(struct forge *f, const struct forge_node *n)
{
	struct forge_answer a;
	json_t *o = NULL;
	char path[128];

	snprintf(path, sizeof(path), WIRE_ROUTE_NODES "/%s", n->m.id);
	forge_wire_call(&f->wire, &f->alice, "GET", path, NULL, "", 0, &a);
	if (a.status == 200)
		(void)jsonl_parse(a.body.data, a.body.size, 1u << 26, &o, NULL);
	json_object_del(o, "verdict");
	forge_answer_done(&a);
	return o;
}

/* key NULL: any; says NULL: whatever it found. */
static bool is_open(struct forge *f, const struct forge_node *n, const char *key, const char *says)
{
	json_t *o = view(f, n), *k;
	bool open = false;
	size_t i;

	json_array_foreach (json_object_get(o, "cases"), i, k) {
		const char *its = json_string_value(json_object_get(k, "key"));
		const char *found = json_string_value(json_object_get(k, "found"));

		if (!its || !found || (key && strcmp(its, key) != 0) ||
		    (says && !strstr(found, says)) || !json_is_null(json_object_get(k, "closed")))
			continue;
		open = true;
		snprintf(f->seen, sizeof(f->seen), "%s: %s", its, found);
	}
	json_decref(o);
	return open;
}

static bool is_state(struct forge *f, const struct forge_node *n, const char *state)
{
	json_t *o = view(f, n);
	const char *its = json_string_value(json_object_get(o, "state"));
	bool same = its && strcmp(its, state) == 0;

	json_decref(o);
	return same;
}

static void hook(forge_hook h, struct forge_at *at)
{
	if (h)
		h(at);
}

static void lie_with_evidence(struct forge *f, const struct forge_lie *l, struct forge_node *n,
			      struct forge_told *t)
{
	struct evidence *e = calloc(1, sizeof(*e));
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding b;
	struct buf body = {0};
	struct forge_at at = {f, n, e, &b, &body};

	MUST(e);
	e->provisional = l->provisional;
	forge_node_work(n);
	hook(l->lines, &at);
	if (!l->unextended && !l->provisional)
		forge_node_extend(n);
	if (forge_node_nonce(n, t)) {
		forge_node_fill(n, e);
		hook(l->evidence, &at);
		forge_node_binding(n, e, &b, text);
		hook(l->binding, &at);
		if (!l->provisional)
			forge_node_quote(n, e, &b, l->mask ? l->mask : FORGE_MASK);
		forge_node_note(n, e, &e->checkpoint);
		hook(l->quoted, &at);
		MUST(evidence_write(e, &body) == 0);
		hook(l->body, &at);
		forge_node_send(n, l->provisional, &body, t);
	}
	evidence_done(e);
	free(e);
	buf_done(&body);
}

bool forge_is_served(struct forge *f, char *ret_wrong, size_t size)
{
	struct forge_told t;

	if (forge_node_evidence(&f->one, &t))
		return true;
	snprintf(ret_wrong, size, "honest evidence: %s: %.300s", t.answer, t.reason);
	return false;
}

static bool unchanged(const json_t *before, const json_t *after, const char *who, char *ret,
		      size_t size)
{
	char *a, *b;

	if (before && json_equal(before, after))
		return true;
	a = json_dumps(before, JSON_COMPACT);
	b = json_dumps(after, JSON_COMPACT);
	snprintf(ret, size, "node %s was changed by it: %.600s, then %.600s", who, a ? a : "",
		 b ? b : "");
	free(a);
	free(b);
	return false;
}

/* What the lie left behind is gone with the next truth, or people put it away. */
static void clear_up(struct forge *f, const struct forge_lie *l, struct forge_node *n, char *wrong,
		     size_t size)
{
	struct forge_told t;

	if (!is_open(f, n, l->opens, NULL))
		return;
	forge_action(f, &f->alice, &f->alice, "acknowledge", n->m.id, "a lie of the suite", 0, &t);
	if (strcmp(t.answer, "200") != 0 || is_open(f, n, l->opens, NULL))
		snprintf(wrong, size, "case %s stays open: %s: %.200s", l->opens, t.answer,
			 t.reason);
}

static void check_lie(struct forge *f, const struct forge_lie *l, struct forge_node *n,
		      struct forge_told *t, char *wrong, size_t size)
{
	json_t *one = view(f, &f->one), *two = view(f, &f->two), *one_after, *two_after;
	struct forge_copy c;
	bool taken;

	forge_node_copy(n, &c);
	if (l->tell)
		l->tell(f, n, t);
	else
		lie_with_evidence(f, l, n, t);
	taken = !l->tell && strcmp(t->answer, "accepted") == 0;
	if (taken) {
		n->baseline_version = c.baseline_version;
		memcpy(n->boot, c.boot, sizeof(n->boot));
		buf_done(&c.lines);
		buf_done(&c.anchors);
	} else {
		forge_node_put_back(n, &c);
	}
	one_after = view(f, &f->one);
	two_after = view(f, &f->two);
	if (strcmp(t->answer, l->answer) != 0 || !strstr(t->reason, l->reason))
		snprintf(wrong, size, "wanted %s: %s", l->answer, l->reason);
	else if (l->opens && !is_open(f, n, l->opens, l->says))
		snprintf(wrong, size, "no case %s%s%s", l->opens, l->says ? " that says " : "",
			 l->says ? l->says : "");
	else if (taken && !l->opens && is_open(f, n, NULL, NULL))
		snprintf(wrong, size, "a case was opened: %s", f->seen);
	else if (strcmp(l->answer, "forked") == 0 && !is_state(f, n, "forked"))
		snprintf(wrong, size, "its state is not forked");
	else if ((!l->opens || l->fresh) && !unchanged(one, one_after, "one", wrong, size))
		;
	else
		unchanged(two, two_after, "two", wrong, size);
	json_decref(one);
	json_decref(two);
	json_decref(one_after);
	json_decref(two_after);
}

static void tell(struct forge *f, const struct forge_table *table, const struct forge_lie *l)
{
	struct forge_told t = {.answer = ""};
	struct forge_node own, *n = &f->one;
	char wrong[2048] = "", name[256];

	snprintf(name, sizeof(name), "%s: %s", table->name, l->name);
	if (l->slow && f->small) {
		forge_skip(f, name, "it takes long: make forge");
		return;
	}
	if (l->fresh) {
		n = &own;
		if (!forge_new_node(f, n, &t))
			snprintf(wrong, sizeof(wrong), "its node could not be enrolled");
	}
	if (!wrong[0])
		check_lie(f, l, n, &t, wrong, sizeof(wrong));
	if (!wrong[0])
		forge_is_served(f, wrong, sizeof(wrong));
	if (!wrong[0] && l->opens)
		clear_up(f, l, n, wrong, sizeof(wrong));
	if (l->fresh)
		forge_node_done(n);
	forge_result(f, name, t.answer, t.reason, wrong[0] ? wrong : NULL);
}

static void read_file(const char *dir, const char *name, struct buf *ret)
{
	char path[512], bytes[8192];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	if (!file) {
		fprintf(stderr, "forge: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	n = fread(bytes, 1, sizeof(bytes), file);
	buf_put(ret, bytes, n);
	fclose(file);
}

static struct sign_key *read_key(const char *dir, const char *name)
{
	struct sign_key *key = NULL;
	struct buf b = {0};

	read_file(dir, name, &b);
	MUST(sign_key_from_pem((char *)b.data, b.size, &key, NULL) == 0);
	buf_done(&b);
	return key;
}

static void read_person(struct forge *f, const char *name, struct api_fixture_person *ret)
{
	char file[128];

	snprintf(file, sizeof(file), "operators/%s.key", name);
	ret->key = read_key(f->data_dir, file);
	read_file(f->data_dir, file, &ret->key_pem);
	snprintf(file, sizeof(file), "operators/%s.crt", name);
	read_file(f->data_dir, file, &ret->cert_pem);
}

static void person_done(struct api_fixture_person *p)
{
	sign_key_free(p->key);
	buf_done(&p->cert_pem);
	buf_done(&p->key_pem);
}

/* The TPM maker whose root certificate the verifier is started with. */
static int make_maker(const char *dir)
{
	EVP_PKEY *maker = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	char path[512];
	FILE *file;

	MUST(maker);
	snprintf(path, sizeof(path), "%s/maker.pem", dir);
	api_fixture_maker_file(maker, path);
	snprintf(path, sizeof(path), "%s/maker.key", dir);
	file = fopen(path, "w");
	MUST(file && PEM_write_PrivateKey(file, maker, NULL, NULL, 0, NULL, NULL) == 1 &&
	     fclose(file) == 0);
	EVP_PKEY_free(maker);
	return 0;
}

static void open_all(struct forge *f)
{
	struct sign_key *maker;
	struct buf b = {0};
	struct forge_told t;

	read_file(f->data_dir, "ca.crt", &f->ca_pem);
	f->wire.ca_pem = (char *)f->ca_pem.data;
	f->ca = read_key(f->data_dir, "ca.key");
	maker = read_key(f->dir, "maker.key");
	f->maker = sign_key_evp(maker);
	MUST(EVP_PKEY_up_ref(f->maker) == 1);
	sign_key_free(maker);
	f->stranger = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	read_person(f, "alice", &f->alice);
	read_person(f, "rita", &f->rita);
	read_person(f, "victor", &f->victor);
	read_person(f, "ron", &f->ron);
	verifier_fixture_baseline("lies", 1, BASELINE, f->alice.key, &b);
	forge_post(f, &f->alice, WIRE_ROUTE_BASELINES, WIRE_TYPE_BASELINE, b.data, b.size, &t);
	buf_done(&b);
	if (strcmp(t.answer, "200") != 0 || !enrol(f, &f->one, "one", &t) ||
	    !enrol(f, &f->two, "two", &t) || !forge_node_evidence(&f->one, &t) ||
	    !forge_node_evidence(&f->two, &t)) {
		printf("not ok 1 - the honest are served: %s: %s\n", t.answer, t.reason);
		exit(1);
	}
	forge_result(f, "two nodes are enrolled, and what they say is accepted", t.answer, t.reason,
		     NULL);
}

static void close_all(struct forge *f)
{
	forge_node_done(&f->one);
	forge_node_done(&f->two);
	person_done(&f->alice);
	person_done(&f->rita);
	person_done(&f->victor);
	person_done(&f->ron);
	sign_key_free(f->ca);
	EVP_PKEY_free(f->maker);
	EVP_PKEY_free(f->stranger);
	buf_done(&f->ca_pem);
}

static void check_memory(struct forge *f, long before)
{
	long limit = f->sanitized ? 1 << 20 : 64 << 10, after = forge_memory(f, "VmRSS"),
	     most = forge_memory(f, "VmHWM");
	char wrong[128], said[128];

	snprintf(said, sizeof(said), "%ld KiB, then %ld, at most %ld", before, after, most);
	snprintf(wrong, sizeof(wrong), "more than %ld KiB more", limit);
	forge_result(f, "memory: what all lies left at the verifier", "bounded", said,
		     before > 0 && after > 0 && after - before <= limit ? NULL : wrong);
}

static bool is_chosen(const struct forge *f, const char *only, const struct forge_table *t,
		      uint32_t i)
{
	if (only)
		return strstr(t->name, only) || strstr(t->lies[i].name, only);
	/* Of each table the first two. */
	return !f->small || i < 2;
}

static void usage(void)
{
	fprintf(stderr, "forge maker DIR\nforge --data-dir=DIR --dir=DIR --port=N --pid=N "
			"[--connections=N] [--small] [--sanitized] [--only=TEXT]\n");
	exit(64);
}

static void read_options(struct forge *f, int argc, char **argv, const char **ret_only)
{
	static const struct option options[] = {{"data-dir", required_argument, NULL, 'd'},
						{"dir", required_argument, NULL, 'w'},
						{"port", required_argument, NULL, 'p'},
						{"pid", required_argument, NULL, 'i'},
						{"connections", required_argument, NULL, 'c'},
						{"small", no_argument, NULL, 's'},
						{"sanitized", no_argument, NULL, 'a'},
						{"only", required_argument, NULL, 'o'},
						{NULL, 0, NULL, 0}};
	int c;

	f->connections = 10000;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			f->data_dir = optarg;
			break;
		case 'w':
			f->dir = optarg;
			break;
		case 'p':
			f->wire.port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'i':
			f->verifier = (pid_t)strtol(optarg, NULL, 10);
			break;
		case 'c':
			f->connections = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			f->small = true;
			break;
		case 'a':
			f->sanitized = true;
			break;
		case 'o':
			*ret_only = optarg;
			break;
		default:
			usage();
		}
	}
	if (!f->data_dir || !f->dir || !f->wire.port || f->verifier <= 0)
		usage();
}

int main(int argc, char **argv)
{
	struct forge *f = calloc(1, sizeof(*f));
	const char *only = NULL;
	long before;

	MUST(f);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "maker") == 0) {
		free(f);
		return make_maker(argv[2]);
	}
	read_options(f, argc, argv, &only);
	open_all(f);
	before = forge_memory(f, "VmRSS");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (uint32_t k = 0; k < tables[i]->n; k++)
			if (is_chosen(f, only, tables[i], k))
				tell(f, tables[i], &tables[i]->lies[k]);
	check_memory(f, before);
	if (!only || strstr("crowd", only))
		crowd_run(f);
	close_all(f);
	printf("%u passed, %u failed, %u skipped\n", f->passed, f->failed, f->skipped);
	before = f->failed;
	free(f);
	return before > 0;
}
