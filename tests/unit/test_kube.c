/* SPDX-License-Identifier: Apache-2.0 */
/* Taints: only ours, on the right object, again when somebody was faster; what the API refuses is told with its cure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cert.h"
#include "cleanup.h"
#include "fake_kube.h"
#include "kube.h"

#define BOOT "11111111-2222-3333-4444-555555555555"
#define OTHER_BOOT "99999999-2222-3333-4444-555555555555"
#define OURS "plumbline.io/quarantined"
#define THEIRS "[{\"key\":\"a/b\",\"effect\":\"NoExecute\",\"timeAdded\":\"2026-11-25T00:00:00Z\"}]"

struct world {
	struct event_base *base;
	struct fake_kube api;
	struct kube *kube;
	char dir[64], token_file[96], ca_file[96], server[64];
	/* how the last one ended */
	int r, n_ended;
	char uid[64], taints[512];
	struct why why;
};

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void open_kube(struct world *w, const char *scheme, const char *ca)
{
	const struct kube_options o = {
		.base = w->base, .server = w->server, .token_file = w->token_file, .ca_file = ca};

	snprintf(w->server, sizeof(w->server), "%s://127.0.0.1:%d/", scheme,
		 fake_http_port(w->api.http));
	kube_free(w->kube);
	assert_int_equal(kube_open(&o, &w->kube, NULL), 0);
}

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	snprintf(w->dir, sizeof(w->dir), "/tmp/plumb-kube-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->token_file, sizeof(w->token_file), "%s/token", w->dir);
	snprintf(w->ca_file, sizeof(w->ca_file), "%s/ca", w->dir);
	put_file(w->token_file, "first\n");
	w->base = event_base_new();
	fake_kube_open(&w->api, w->base, NULL, NULL);
	fake_kube_node(&w->api, 0, "n1", "uid-1", BOOT, NULL);
	fake_kube_node(&w->api, 1, "n2", "uid-2", BOOT, THEIRS);
	open_kube(w, "http", NULL);
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;

	kube_free(w->kube);
	fake_kube_done(&w->api);
	event_base_free(w->base);
	unlink(w->token_file);
	unlink(w->ca_file);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void on_done(void *ctx, int r, const struct kube_done *d, const struct why *why)
{
	struct world *w = ctx;

	w->r = r;
	w->n_ended++;
	snprintf(w->uid, sizeof(w->uid), "%s", d->seen.certain ? d->seen.facts.uid : "");
	w->why = *why;
}

static struct kube_job job(const char *node, enum kube_want want)
{
	struct kube_job j = {.want = want, .boot_id = BOOT};

	snprintf(j.node, sizeof(j.node), "%s", node);
	return j;
}

static int run(struct world *w, const struct kube_job *j)
{
	int n = w->n_ended, r;

	w->why.text[0] = 0;
	r = kube_apply(w->kube, j, NULL, on_done, w, &w->why);
	if (r < 0)
		return r;
	assert_int_equal(w->n_ended, n); /* never from inside */
	while (w->n_ended == n)
		event_base_loop(w->base, EVLOOP_ONCE);
	return w->r;
}

static int taint(struct world *w, const char *node, enum kube_want want)
{
	const struct kube_job j = job(node, want);

	return run(w, &j);
}

#define TAINTS(i, text) assert_string_equal(fake_kube_taints(&w->api, i, w->taints), text)

static void test_they_come_and_go(void **state)
{
	struct world *w = *state;
	unsigned int patches;

	assert_int_equal(taint(w, "n1", KUBE_HOLD), 0);
	TAINTS(0, OURS ":NoSchedule");
	assert_string_equal(w->uid, "uid-1");
	assert_string_equal(w->api.patch_query, "?fieldManager=plumb-verifier");
	assert_int_equal(taint(w, "n1", KUBE_QUARANTINE), 0);
	TAINTS(0, OURS ":NoSchedule " OURS ":NoExecute");
	patches = w->api.n_patch;
	assert_int_equal(taint(w, "n1", KUBE_QUARANTINE), 0);
	assert_int_equal(w->api.n_patch, patches); /* it is so already */
	assert_int_equal(taint(w, "n1", KUBE_HOLD), 0);
	TAINTS(0, OURS ":NoSchedule");
	assert_int_equal(taint(w, "n1", KUBE_FREE), 0);
	assert_null(w->api.nodes[0].taints);
	assert_int_equal(taint(w, "n1", KUBE_FREE), 0);
}

static void test_others_stay_as_they_are(void **state)
{
	struct world *w = *state;
	json_t *theirs = json_loads(THEIRS, 0, NULL);

	assert_int_equal(taint(w, "n2", KUBE_QUARANTINE), 0);
	TAINTS(1, "a/b:NoExecute " OURS ":NoSchedule " OURS ":NoExecute");
	assert_int_equal(taint(w, "n2", KUBE_FREE), 0);
	assert_true(json_equal(w->api.nodes[1].taints, theirs));
	json_decref(theirs);
}

static void test_somebody_was_faster(void **state)
{
	struct world *w = *state;

	w->api.conflicts = 2;
	assert_int_equal(taint(w, "n1", KUBE_QUARANTINE), 0);
	TAINTS(0, "racer2:NoSchedule racer1:NoSchedule " OURS ":NoSchedule " OURS ":NoExecute");
	assert_int_equal(w->api.n_patch, 3);
	/* For ever: five times, then it is told. */
	w->api.conflicts = 100;
	w->api.n_patch = 0;
	assert_int_equal(taint(w, "n1", KUBE_FREE), -EBUSY);
	assert_int_equal(w->api.n_patch, 5);
	assert_non_null(strstr(w->why.text, "422"));
	w->api.conflicts = 0;
	w->api.fail_patch = 409;
	assert_int_equal(taint(w, "n1", KUBE_FREE), -EBUSY);
	w->api.fail_patch = 0;
	assert_int_equal(taint(w, "n1", KUBE_FREE), 0);
}

static void test_a_node_that_is_gone(void **state)
{
	struct world *w = *state;

	assert_int_equal(taint(w, "n3", KUBE_QUARANTINE), -ENOENT);
	assert_non_null(strstr(w->why.text, "n3"));
	assert_int_equal(w->api.n_patch, 0);
	/* Between GET and PATCH. */
	w->api.fail_patch = 404;
	assert_int_equal(taint(w, "n1", KUBE_QUARANTINE), -ENOENT);
}

/* A web server that is none of Kubernetes says 404 to all: that is no node that is gone. */
static void on_stranger(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	(void)ctx;
	(void)q;
	fake_http_say(a, 404, "<html>nothing here</html>");
}

static void test_another_server(void **state)
{
	struct world *w = *state;

	fake_kube_done(&w->api);
	w->api.http = fake_http_open(w->base, NULL, NULL, on_stranger, NULL);
	open_kube(w, "http", NULL);
	assert_int_equal(taint(w, "n1", KUBE_QUARANTINE), -EAGAIN);
}

static void test_what_we_may_not(void **state)
{
	struct world *w = *state;

	w->api.fail_get = 403;
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EACCES);
	assert_non_null(strstr(w->why.text, "verb \"get\" on nodes"));
	assert_non_null(strstr(w->why.text, "verifier-rbac.yaml"));
	w->api.fail_get = 0;
	w->api.fail_patch = 403;
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EACCES);
	assert_non_null(strstr(w->why.text, "verb \"patch\" on nodes"));
	w->api.fail_get = 401;
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EACCES);
	assert_non_null(strstr(w->why.text, w->token_file));
	assert_null(strstr(w->why.text, "first")); /* the token itself */
}

/* The settings that were given are the ones that are named. */
static void test_another_account(void **state)
{
	struct world *w = *state;
	const struct kube_options o = {.base = w->base,
				       .server = w->server,
				       .token_file = "/nowhere/token",
				       .option = "csr_token_file",
				       .rights = "approver-rbac.yaml"};
	struct kube_options other = o;

	kube_free(w->kube);
	assert_int_equal(kube_open(&o, &w->kube, NULL), 0);
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EACCES);
	assert_non_null(strstr(w->why.text, "csr_token_file: /nowhere/token: No such file"));
	kube_free(w->kube);
	other.token_file = w->token_file;
	assert_int_equal(kube_open(&other, &w->kube, NULL), 0);
	w->api.fail_get = 401;
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EACCES);
	assert_non_null(strstr(w->why.text, "csr_token_file"));
	assert_null(strstr(w->why.text, "kube_token_file"));
	w->api.fail_get = 403;
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EACCES);
	assert_non_null(strstr(w->why.text, "approver-rbac.yaml"));
	assert_null(strstr(w->why.text, "verifier-rbac.yaml"));
}

static void test_an_api_that_is_ill(void **state)
{
	static const int statuses[] = {429, 500, 503, 302};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		w->api.fail_get = statuses[i];
		assert_int_equal(taint(w, "n1", KUBE_HOLD), -EAGAIN);
		w->api.fail_get = 0;
		w->api.fail_patch = statuses[i];
		assert_int_equal(taint(w, "n1", KUBE_HOLD), -EAGAIN);
		w->api.fail_patch = 0;
	}
	w->api.raw = "{}";
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EBADMSG);
	fake_kube_done(&w->api);
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -ECONNREFUSED);
}

static void test_the_token_is_read_each_time(void **state)
{
	static const char *const none[] = {"", "\n\n", "a\r\nX-Evil: 1", "a b", "\x80"};
	struct world *w = *state;
	unsigned int gets;

	assert_int_equal(taint(w, "n1", KUBE_FREE), 0);
	assert_string_equal(w->api.token, "Bearer first");
	put_file(w->token_file, "second\r\n");
	assert_int_equal(taint(w, "n1", KUBE_FREE), 0);
	assert_string_equal(w->api.token, "Bearer second");
	gets = w->api.n_get;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		put_file(w->token_file, none[i]);
		assert_int_equal(taint(w, "n1", KUBE_HOLD), -EACCES);
		assert_non_null(strstr(w->why.text, "no token"));
	}
	/* A file that is not there is no node that is not there. */
	unlink(w->token_file);
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EACCES);
	assert_non_null(strstr(w->why.text, w->token_file));
	assert_int_equal(w->api.n_get, gets);
}

/* It vanishes between GET and the second GET after a conflict. */
static void test_the_token_goes_meanwhile(void **state)
{
	struct world *w = *state;
	struct kube_job j = job("n1", KUBE_HOLD);

	assert_int_equal(kube_apply(w->kube, &j, NULL, on_done, w, &w->why), 0);
	assert_int_equal(kube_apply(w->kube, &j, NULL, on_done, w, &w->why), -EBUSY);
	unlink(w->token_file);
	while (w->n_ended == 0)
		event_base_loop(w->base, EVLOOP_ONCE);
	assert_int_equal(w->r, -EACCES);
	assert_int_equal(w->api.n_patch, 0);
}

static void test_whose_object_it_is(void **state)
{
	struct world *w = *state;
	struct kube_job j = job("n1", KUBE_QUARANTINE);

	/* Never seen before, and its boot id is another machine's. */
	snprintf(j.boot_id, sizeof(j.boot_id), OTHER_BOOT);
	assert_int_equal(run(w, &j), -EXDEV);
	assert_non_null(strstr(w->why.text, "node n1: its bootID is " BOOT));
	assert_non_null(strstr(w->why.text, OTHER_BOOT));
	assert_int_equal(w->api.n_patch, 0);
	assert_string_equal(w->uid, "");
	/* Seen before: a kubelet that tells another boot id now escapes nothing. */
	snprintf(j.uid, sizeof(j.uid), "uid-1");
	assert_int_equal(run(w, &j), 0);
	TAINTS(0, OURS ":NoSchedule " OURS ":NoExecute");
	/* Made anew, by the same machine: tainted, too, and known from now on. */
	fake_kube_node(&w->api, 0, "n1", "uid-9", BOOT, NULL);
	snprintf(j.boot_id, sizeof(j.boot_id), BOOT);
	assert_int_equal(run(w, &j), 0);
	assert_string_equal(w->uid, "uid-9");
	/* Made anew by another machine. */
	fake_kube_node(&w->api, 0, "n1", "uid-10", OTHER_BOOT, NULL);
	assert_int_equal(run(w, &j), -EXDEV);
	assert_null(w->api.nodes[0].taints);
	/* Nothing is known of its boot yet: by its name, and it is not known for later. */
	j.boot_id[0] = 0;
	assert_int_equal(run(w, &j), 0);
	assert_string_equal(w->uid, "");
	TAINTS(0, OURS ":NoSchedule " OURS ":NoExecute");
	/* Our taint comes off whosoever has it, and it is told. */
	snprintf(j.boot_id, sizeof(j.boot_id), BOOT);
	j.want = KUBE_FREE;
	assert_int_equal(run(w, &j), -EXDEV);
	assert_null(w->api.nodes[0].taints);
}

/* Between GET and PATCH the object became another one. */
static void on_swap(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	const char **body = ctx;

	if (strcmp(q->method, "GET") == 0)
		fake_http_say(a, 200, "{\"metadata\":{\"uid\":\"u\"},\"spec\":{}}");
	else
		*body = strdup(q->body);
	if (strcmp(q->method, "GET") != 0)
		fake_http_say(a, 500, "");
}

static void test_the_patch_tests_what_it_rests_on(void **state)
{
	struct world *w = *state;
	char *body = NULL;

	fake_kube_done(&w->api);
	w->api.http = fake_http_open(w->base, NULL, NULL, on_swap, &body);
	open_kube(w, "http", NULL);
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EAGAIN);
	assert_string_equal(body,
			    "[{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"u\"},"
			    "{\"op\":\"test\",\"path\":\"/spec/taints\",\"value\":null},"
			    "{\"op\":\"add\",\"path\":\"/spec/taints\",\"value\":[{\"key\":\"" OURS
			    "\",\"value\":\"true\",\"effect\":\"NoSchedule\"}]}]");
	free(body);
}

static void test_names(void **state)
{
	static const char *const good[] = {"n1", "a.b-c.d", "1", "ip-10-0-0-1.ec2.internal"};
	static const char *const bad[] = {
		"",
		".",
		"..",
		"-a",
		"a-",
		"a..b",
		"a.-b",
		"A",
		"a/b",
		"a?b",
		"a%2f",
		"a b",
		"a\n",
		"../x",
		"a_b",
		"\xc3\xa4",
		"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd"};
	struct world *w = *state;
	char longest[260];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(kube_patch_is_name(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(kube_patch_is_name(bad[i]));
		assert_int_equal(taint(w, bad[i], KUBE_HOLD), -EBADMSG);
	}
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '.' : 'a';
	longest[253] = 0;
	assert_true(kube_patch_is_name(longest));
	longest[253] = '.';
	longest[255] = 0;
	assert_false(kube_patch_is_name(longest));
	assert_int_equal(w->api.n_get, 0);
}

/* Broken twins of a Node. */
static void test_what_is_no_node(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"metadata\":{\"uid\":\"u\"}}",
		"{\"metadata\":{\"uid\":\"u\"},\"spec\":[]}",
		"{\"metadata\":{\"uid\":\"u\"},\"spec\":{\"taints\":{}}}",
		"{\"metadata\":{\"uid\":\"u\"},\"spec\":{\"taints\":\"x\"}}",
		"{\"metadata\":{\"uid\":\"\"},\"spec\":{}}",
		"{\"metadata\":{\"uid\":7},\"spec\":{}}",
		"{\"metadata\":{},\"spec\":{}}",
		"{\"metadata\":{\"uid\":\"u\"},\"spec\":{}",
		"{\"metadata\":{\"uid\":\"u\"},\"spec\":{}}x",
		"{\"metadata\":{\"uid\":"
		"\"0123456789012345678901234567890123456789012345678901234567"
		"890123456789\"},\"spec\":{}}",
	};
	static const char odd[] = "{\"metadata\":{\"uid\":\"u\"},\"spec\":{\"taints\":[7,null,{},{"
				  "\"key\":\"" OURS "\"},{\"key\":\"" OURS
				  "\",\"effect\":\"PreferNoSchedule\"},{\"key\":9}]}}";
	const struct kube_job j = job("n1", KUBE_HOLD);
	struct kube_patches p = {.taints = {0}};
	struct kube_seen seen;
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(kube_patch_make(bad[i], strlen(bad[i]), &j, &p, &seen, &why),
				 -EBADMSG);
	assert_int_equal(p.taints.size, 0);
	/* Ours with another effect is ours; what we do not know stays. */
	assert_int_equal(kube_patch_make(odd, strlen(odd), &j, &p, &seen, &why), 0);
	assert_non_null(strstr((char *)p.taints.data,
			       "\"op\":\"add\",\"path\":\"/spec/taints\",\"value\":[7,null,{},{"
			       "\"key\":9},{\"key\":\"" OURS "\",\"value\":\"true\",\"effect\":"
			       "\"NoSchedule\"}]}]"));
	kube_patches_done(&p);
}

/* Any kubelet can write that into its own annotations: it keeps no taint away, and makes no text of ours of another. */
static void test_a_nul_in_a_text(void **state)
{
	struct world *w = *state;
	struct kube_job j = job("n1", KUBE_QUARANTINE);

	w->api.raw =
		"{\"metadata\":{\"uid\":\"uid-1\",\"annotations\":{\"x\":\"\\u0000\","
		"\"" KUBE_FACTS_VERDICT
		"\":\"a.b.c\\u0000d\"}},\"spec\":{},\"status\":{\"nodeInfo\":{\"bootID\":\"" BOOT
		"\"}}}";
	j.verdict = "a.b.c";
	assert_int_equal(run(w, &j), 0);
	TAINTS(0, OURS ":NoSchedule " OURS ":NoExecute");
	assert_int_equal(w->api.n_shown, 1);
	/* Nor is another machine's boot id ours because it begins with it. */
	w->api.raw = "{\"metadata\":{\"uid\":\"uid-1\"},\"spec\":{},\"status\":{\"nodeInfo\":{"
		     "\"bootID\":\"" BOOT "\\u0000\"}}}";
	assert_int_equal(run(w, &j), -EXDEV);
	assert_string_equal(w->uid, "");
}

/* Nor do keys that its kubelet chose so that they become one: for a NUL and what stands for it here, and for what is no UTF-8 in the API server. */
static void test_keys_that_become_one(void **state)
{
	static const char *const pairs[] = {"\"a\\u0000\":\"1\",\"a\\uffff\":\"1\"",
					    "\"a\\u0000\":\"1\",\"a\xef\xbf\xbf\":\"1\"",
					    "\"a\xef\xbf\xbd\":\"1\",\"a\xef\xbf\xbd\":\"1\""};
	struct world *w = *state;
	char raw[512];

	w->api.raw = raw;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		snprintf(raw, sizeof(raw),
			 "{\"metadata\":{\"uid\":\"uid-1\"},\"spec\":{},\"status\":{"
			 "\"capacity\":{%s},\"nodeInfo\":{\"bootID\":\"" BOOT "\"}}}",
			 pairs[i]);
		fake_kube_node(&w->api, 0, "n1", "uid-1", BOOT, NULL);
		assert_int_equal(taint(w, "n1", KUBE_QUARANTINE), 0);
		TAINTS(0, OURS ":NoSchedule " OURS ":NoExecute");
	}
	w->api.raw = NULL;
}

static void test_only_its_own_ca(void **state)
{
	const struct cert_request ca_q = {.kind = CERT_CA,
					  .name = "kube-ca",
					  .not_before_s = (uint64_t)time(NULL) - 60,
					  .life_s = 3600};
	const char *host = "127.0.0.1";
	const struct cert_request q = {.kind = CERT_SERVER,
				       .name = "kube",
				       .hosts = &host,
				       .n_hosts = 1,
				       .not_before_s = (uint64_t)time(NULL) - 60,
				       .life_s = 3600};
	CLEANUP(buf_done) struct buf ca = {0}, other = {0}, cert = {0}, pem = {0};
	struct sign_key *ca_key, *key;
	struct world *w = *state;

	assert_int_equal(sign_key_generate(SIGN_P256, &ca_key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(cert_issue(&ca_q, ca_key, NULL, NULL, &ca, NULL), 0);
	assert_int_equal(cert_issue(&ca_q, key, NULL, NULL, &other, NULL), 0);
	assert_int_equal(cert_issue(&q, key, (char *)ca.data, ca_key, &cert, NULL), 0);
	assert_int_equal(sign_key_private_pem(key, &pem), 0);
	fake_kube_done(&w->api);
	fake_kube_open(&w->api, w->base, (char *)cert.data, (char *)pem.data);
	fake_kube_node(&w->api, 0, "n1", "uid-1", BOOT, NULL);
	put_file(w->ca_file, (char *)other.data);
	open_kube(w, "https", w->ca_file);
	assert_int_equal(taint(w, "n1", KUBE_HOLD), -EKEYREJECTED);
	assert_int_equal(w->api.n_get, 0); /* no token went there */
	/* The CA was renewed, and its file with it. */
	put_file(w->ca_file, (char *)ca.data);
	assert_int_equal(taint(w, "n1", KUBE_HOLD), 0);
	/* An empty file never means "any". */
	put_file(w->ca_file, "");
	{
		const struct kube_options o = {
			.base = w->base, .server = w->server, .ca_file = w->ca_file};
		struct kube *k;

		assert_int_equal(kube_open(&o, &k, &w->why), -EINVAL);
		assert_non_null(strstr(w->why.text, "kube_ca"));
	}
	sign_key_free(ca_key);
	sign_key_free(key);
}

static void test_the_program_stops(void **state)
{
	struct world *w = *state;
	struct kube_job j = job("n1", KUBE_HOLD);

	assert_int_equal(kube_apply(w->kube, &j, NULL, on_done, w, &w->why), 0);
	w->kube = kube_free(w->kube);
	assert_int_equal(w->n_ended, 1);
	assert_int_equal(w->r, -ECANCELED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_they_come_and_go),
		T(test_others_stay_as_they_are),
		T(test_somebody_was_faster),
		T(test_a_node_that_is_gone),
		T(test_another_server),
		T(test_what_we_may_not),
		T(test_another_account),
		T(test_an_api_that_is_ill),
		T(test_the_token_is_read_each_time),
		T(test_the_token_goes_meanwhile),
		T(test_whose_object_it_is),
		T(test_the_patch_tests_what_it_rests_on),
		T(test_names),
		T(test_what_is_no_node),
		T(test_a_nul_in_a_text),
		T(test_keys_that_become_one),
		T(test_only_its_own_ca),
		T(test_the_program_stops),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("kube", tests, NULL, NULL);
}
