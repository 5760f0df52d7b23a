/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cert.h"
#include "cleanup.h"
#include "clock.h"
#include "conf.h"
#include "dsse.h"
#include "fetch.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/terms.h"
#include "plumb/wire.h"
#include "print.h"

#define MAX_FILE 65536
#define MAX_URL 4096
#define WARN_DAYS 30

struct settings_file {
	char *server, *ca, *cert, *key;
};

struct client {
	struct event_base *base;
	struct fetch *fetch;
	struct settings_file conf;
	struct sign_key *key;
	char *config;
	char who[CERT_MAX_NAME];
};

static const struct conf_option options[] = {
	{"server", CONF_STR, offsetof(struct settings_file, server), NULL, 0, 0,
	 "https://HOST:PORT"},
	{"ca", CONF_STR, offsetof(struct settings_file, ca), NULL, 0, 0,
	 "PEM file of the verifier's CA"},
	{"cert", CONF_STR, offsetof(struct settings_file, cert), NULL, 0, 0,
	 "PEM file of the operator's certificate"},
	{"key", CONF_STR, offsetof(struct settings_file, key), NULL, 0, 0,
	 "PEM file of the operator's key"},
};
static const struct conf_table table = {.program = "plumbctl",
					.summary = "",
					.usage = "",
					.file = "",
					.options = options,
					.n_options = ARRAY_SIZE(options)};

static const char *find_config(const char *given, char ret[PATH_MAX])
{
	const char *home = getenv("HOME"), *named = getenv("PLUMBCTL_CONFIG");

	if (given)
		return given;
	if (named && *named)
		return named;
	if (home && snprintf(ret, PATH_MAX, "%s/.config/plumbctl.yaml", home) < PATH_MAX &&
	    access(ret, F_OK) == 0)
		return ret;
	return "/etc/plumbline/plumbctl.yaml";
}

static int read_conf(const char *path, struct settings_file *ret)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct why why = {""};
	int r = fsio_read_file(fsio_system(), path, MAX_FILE, &text);
	size_t size;

	if (r < 0) {
		print_failure(PRINT_UNKNOWN, "%s: %s", path,
			      r == -ENOENT ? "no configuration: it names the verifier"
					   : strerror(-r));
		print_cure("copy plumbctl.yaml, which plumb-verifier init wrote, and name it with "
			   "--config=FILE or PLUMBCTL_CONFIG");
		return PRINT_UNKNOWN;
	}
	r = conf_read(&table, path, text.data, text.size, ret, &why);
	if (r < 0)
		return print_failure(PRINT_USAGE, "%s", why.text[0] ? why.text : strerror(-r));
	if (!ret->server || !ret->ca || !ret->cert || !ret->key)
		return print_failure(PRINT_USAGE, "%s: server, ca, cert and key are all needed",
				     path);
	if (strncmp(ret->server, "https://", 8) != 0 || !ret->server[8])
		return print_failure(PRINT_USAGE, "%s: server: %s is no https://HOST:PORT", path,
				     ret->server);
	size = strlen(ret->server);
	while (ret->server[size - 1] == '/')
		ret->server[--size] = 0;
	return PRINT_GOOD;
}

static int read_pem(const char *config, const char *what, const char *name, struct buf *ret)
{
	const char *slash = strrchr(config, '/');
	char path[PATH_MAX];
	int r, n = name[0] == '/' || !slash ? snprintf(path, sizeof(path), "%s", name)
					    : snprintf(path, sizeof(path), "%.*s/%s",
						       (int)(slash - config), config, name);

	r = n < (int)sizeof(path) ? fsio_read_file(fsio_system(), path, MAX_FILE, ret)
				  : -ENAMETOOLONG;
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s (%s in %s)", path, strerror(-r), what,
				     config)
		     : PRINT_GOOD;
}

/* Nobody can renew it in its owner's place, and a pipeline's ends on a day when nobody looks: each command says so in the last month. */
static void warn_of_end(const struct client *c, const char *who, uint64_t end_s, uint64_t now_s)
{
	char until[CLOCK_TEXT_SIZE];

	if (end_s - now_s > WARN_DAYS * 86400)
		return;
	clock_text(end_s * 1000000000, until);
	print_note("the certificate of %s, %s, ends %.10s: plumb-verifier operator add renews it",
		   who, c->conf.cert, until);
}

/* What TLS would only say in its own words is said before it is asked. */
static int check_cert(struct client *c, const struct buf *pem)
{
	struct cert_identity who;
	char until[CLOCK_TEXT_SIZE];
	struct why why = {""};
	struct digest key;
	uint64_t now_s = clock_utc_ns(clock_system()) / 1000000000;
	int r = cert_identity_pem((char *)pem->data, pem->size, &who, &why);

	if (r < 0 || who.kind != CERT_OPERATOR) {
		print_failure(PRINT_UNKNOWN, "%s: it is no operator's certificate", c->conf.cert);
	} else if (sign_key_id(c->key, &key) < 0 || !digest_equal(&key, &who.key_id)) {
		print_failure(PRINT_UNKNOWN, "%s: it is not the key of the certificate %s",
			      c->conf.key, c->conf.cert);
	} else if (who.not_after_s < now_s) {
		clock_text(who.not_after_s * 1000000000, until);
		print_failure(PRINT_UNKNOWN, "%s: the certificate of %s ended %.10s", c->conf.cert,
			      who.name, until);
	} else {
		snprintf(c->who, sizeof(c->who), "%s", who.name);
		warn_of_end(c, who.name, who.not_after_s, now_s);
		return PRINT_GOOD;
	}
	print_cure("plumb-verifier operator add NAME ROLE makes a key and a certificate; cert and "
		   "key in %s name them",
		   c->config);
	return PRINT_UNKNOWN;
}

static int open_tls(struct client *c)
{
	CLEANUP(buf_done) struct buf ca = {0}, cert = {0}, key = {0};
	struct fetch_options f = {
		.base = c->base, .total_ms = 120000, .user_agent = "plumbctl/" PLUMB_VERSION};
	struct why why = {""};
	struct digest d;
	int r = read_pem(c->config, "ca", c->conf.ca, &ca);

	if (r == PRINT_GOOD)
		r = read_pem(c->config, "cert", c->conf.cert, &cert);
	if (r == PRINT_GOOD)
		r = read_pem(c->config, "key", c->conf.key, &key);
	if (r != PRINT_GOOD)
		return r;
	if (cert_fingerprint_pem((char *)ca.data, ca.size, &d, &why) < 0)
		return print_failure(PRINT_UNKNOWN, "%s: it is no certificate in PEM", c->conf.ca);
	r = sign_key_from_pem((char *)key.data, key.size, &c->key, &why);
	if (r >= 0 && !sign_key_is_private(c->key))
		r = why_set(&why, -EKEYREJECTED, "it has no private part");
	if (r < 0) {
		OPENSSL_cleanse(key.data, key.size);
		return print_failure(PRINT_UNKNOWN, "%s: %s", c->conf.key,
				     why.text[0] ? why.text : strerror(-r));
	}
	r = check_cert(c, &cert);
	f.ca_pem = (char *)ca.data;
	f.cert_pem = (char *)cert.data;
	f.key_pem = (char *)key.data;
	if (r == PRINT_GOOD && fetch_open(&f, &c->fetch, &why) < 0)
		r = print_failure(PRINT_UNKNOWN, "%s", why.text[0] ? why.text : "no memory");
	OPENSSL_cleanse(key.data, key.size);
	return r;
}

int client_open(const char *config, struct client **ret)
{
	struct client *c = calloc(1, sizeof(*c));
	char path[PATH_MAX];
	int r;

	if (!c)
		return print_failure(PRINT_UNKNOWN, "no memory");
	c->base = event_base_new();
	c->config = strdup(find_config(config, path));
	r = c->base && c->config ? read_conf(c->config, &c->conf)
				 : print_failure(PRINT_UNKNOWN, "no memory");
	if (r == PRINT_GOOD)
		r = open_tls(c);
	if (r != PRINT_GOOD) {
		client_free(c);
		return r;
	}
	*ret = c;
	return PRINT_GOOD;
}

struct client *client_free(struct client *c)
{
	if (!c)
		return NULL;
	fetch_free(c->fetch);
	sign_key_free(c->key);
	conf_done(&table, &c->conf);
	if (c->base)
		event_base_free(c->base);
	free(c->config);
	free(c);
	return NULL;
}

const struct sign_key *client_key(const struct client *c)
{
	return c->key;
}

const char *client_who(const struct client *c)
{
	return c->who;
}

/* What the verifier says is wrong, and what it says to do. */
static int print_refusal(int status, const void *body, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int code = status >= 500 ? PRINT_UNKNOWN : PRINT_NOT_GOOD;
	struct why why;

	if (jsonl_parse(body, size, MAX_FILE, &o, &why) < 0 || !client_text(o, "error")[0])
		return print_failure(code, "the verifier answers HTTP %d", status);
	print_failure(code, "%s", client_text(o, "error"));
	if (client_text(o, "cure")[0])
		print_cure("%s", client_text(o, "cure"));
	return code;
}

/* There was no answer at all. */
static int print_lost(const struct client *c, int r, const struct why *why)
{
	print_failure(PRINT_UNKNOWN, "%s", why->text[0] ? why->text : strerror(-r));
	if (r == -ECONNREFUSED || r == -ETIMEDOUT)
		print_cure(
			"is plumb-verifier running there, and is that the server? %s: server: %s",
			c->config, c->conf.server);
	else if (r == -EKEYREJECTED && strstr(why->text, "alert"))
		print_cure("the verifier does not take %s; plumb-verifier operator list tells whom "
			   "it knows",
			   c->conf.cert);
	else if (r == -EKEYREJECTED)
		print_cure("%s (ca in %s) must be the ca.crt of this very verifier", c->conf.ca,
			   c->config);
	return PRINT_UNKNOWN;
}

static int call(struct client *c, struct fetch_request *q, const char *path, struct buf *ret)
{
	CLEANUP(buf_done) struct buf url = {0};
	struct why why = {""};
	int status;

	buf_printf(&url, "%s%s", c->conf.server, path);
	if (buf_status(&url) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	if (url.size > MAX_URL)
		return print_failure(PRINT_USAGE, "the name is too long");
	q->url = (char *)url.data;
	status = fetch_wait(c->fetch, q, ret, &why);
	if (status < 0)
		return print_lost(c, status, &why);
	return status >= 200 && status < 300 ? PRINT_GOOD
					     : print_refusal(status, ret->data, ret->size);
}

int client_get(struct client *c, const char *path, struct buf *ret)
{
	struct fetch_request q = {.method = "GET", .max = CLIENT_MAX_ANSWER};

	return call(c, &q, path, ret);
}

int client_post(struct client *c, const char *path, const char *type, const void *body, size_t size,
		struct buf *ret)
{
	struct fetch_request q = {
		.method = "POST", .type = type, .body = body, .size = size, .max = CLIENT_MAX_JSON};

	return call(c, &q, path, ret);
}

static int print_unreadable(const struct why *why)
{
	return print_failure(PRINT_UNKNOWN, "the verifier's answer cannot be read: %s", why->text);
}

int client_get_json(struct client *c, const char *path, json_t **ret)
{
	struct fetch_request q = {.method = "GET", .max = CLIENT_MAX_JSON};
	CLEANUP(buf_done) struct buf answer = {0};
	struct why why = {""};
	int r = call(c, &q, path, &answer);

	if (r != PRINT_GOOD)
		return r;
	r = jsonl_parse(answer.data, answer.size, CLIENT_MAX_JSON, ret, &why);
	return r < 0 ? print_unreadable(&why) : PRINT_GOOD;
}

int client_get_node(struct client *c, const char *name, json_t **ret)
{
	CLEANUP(buf_done) struct buf path = {0};

	if (!name[0])
		return print_failure(PRINT_USAGE, "a node has no empty name");
	buf_puts(&path, WIRE_ROUTE_NODES "/");
	client_put_escaped(&path, name);
	if (buf_status(&path) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	return client_get_json(c, (char *)path.data, ret);
}

int client_print_answer(const struct buf *answer, bool json)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *text, *undo;
	struct why why = {""};

	if (jsonl_parse(answer->data, answer->size, MAX_FILE, &o, &why) < 0)
		return print_unreadable(&why);
	if (!json_is_true(json_object_get(o, "ok")))
		return print_failure(PRINT_UNKNOWN, "the verifier does not say that it was done");
	if (json)
		return client_print_json(o);
	text = client_text(o, "text");
	undo = client_text(o, "undo");
	print_safe(stdout, text, strlen(text));
	fputs("\nundo: ", stdout);
	print_safe(stdout, undo, strlen(undo));
	fputc('\n', stdout);
	return PRINT_GOOD;
}

int client_post_action(struct client *c, const struct client_action *a, struct buf *ret_answer)
{
	CLEANUP(buf_done) struct buf payload = {0}, envelope = {0};
	char at[CLOCK_TEXT_SIZE];
	struct jsonl j;
	int r;

	clock_text(clock_utc_ns(clock_system()), at);
	jsonl_begin(&j, &payload);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_str(&j, "action", a->action);
	jsonl_str(&j, "node", a->node ? a->node : "");
	jsonl_str(&j, "reason", a->reason ? a->reason : "");
	jsonl_array(&j, "cases");
	for (uint32_t i = 0; i < a->n_cases; i++)
		jsonl_uint(&j, NULL, a->cases[i]);
	jsonl_close(&j);
	jsonl_str(&j, "value", a->value ? a->value : "");
	jsonl_str(&j, "at", at);
	jsonl_end(&j);
	r = buf_status(&payload);
	if (r >= 0)
		r = dsse_sign(WIRE_DSSE_ACTION, payload.data, payload.size,
			      (const struct sign_key *const *)&c->key, 1, &envelope);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", c->conf.key, strerror(-r));
	return client_post(c, WIRE_ROUTE_ACTIONS, WIRE_TYPE_JSON, envelope.data, envelope.size,
			   ret_answer);
}

int client_act(struct client *c, const struct client_action *a, bool json)
{
	CLEANUP(buf_done) struct buf answer = {0};
	int r = client_post_action(c, a, &answer);

	return r == PRINT_GOOD ? client_print_answer(&answer, json) : r;
}

struct following {
	struct buf part; /* a line that has not ended */
	int (*fn)(void *ctx, const char *line, size_t size);
	void *ctx;
	int result; /* exit code */
};

static int on_data(void *ctx, const void *data, size_t size)
{
	struct following *f = ctx;
	const char *at, *lf;

	buf_put(&f->part, data, size);
	if (buf_status(&f->part) < 0) {
		f->result = print_failure(PRINT_UNKNOWN, "a line of the log is too long");
		return -E2BIG;
	}
	for (at = (char *)f->part.data;; at = lf + 1) {
		size = f->part.size - (size_t)(at - (char *)f->part.data);
		lf = memchr(at, '\n', size);
		if (!lf)
			break;
		if (lf > at)
			f->result = f->fn(f->ctx, at, (size_t)(lf - at));
		if (f->result != 0)
			return -ECANCELED;
	}
	memmove(f->part.data, at, size);
	buf_cut(&f->part, size);
	return 0;
}

static int how_it_ended(struct client *c, const struct following *f, int status,
			const struct why *why)
{
	if (f->result != 0)
		return f->result;
	if (status < 0) {
		print_lost(c, status, why);
		return status == -EKEYREJECTED ? PRINT_UNKNOWN : CLIENT_LOST;
	}
	if (status > 299)
		return print_refusal(status, f->part.data, f->part.size);
	if (f->part.size > 0) {
		print_failure(PRINT_UNKNOWN, "the last line is cut short");
		return CLIENT_LOST;
	}
	return PRINT_GOOD;
}

int client_events(struct client *c, uint64_t since, bool follow,
		  int (*fn)(void *ctx, const char *line, size_t size), void *ctx)
{
	struct following f = {.fn = fn, .ctx = ctx, .part = {.max = 1u << 20}};
	CLEANUP(buf_done) struct buf rest = {0};
	char url[MAX_URL];
	struct fetch_request q = {.method = "GET",
				  .url = url,
				  .max = MAX_FILE,
				  .stream = true,
				  .data = on_data,
				  .stream_ctx = &f};
	struct why why = {""};
	int r;

	if (snprintf(url, sizeof(url), "%s%s?since=%" PRIu64 "%s", c->conf.server,
		     WIRE_ROUTE_EVENTS, since, follow ? "&follow=1" : "") >= (int)sizeof(url))
		return print_failure(PRINT_USAGE, "%s: server is too long", c->config);
	r = how_it_ended(c, &f, fetch_wait(c->fetch, &q, &rest, &why), &why);
	buf_done(&f.part);
	return r;
}

void client_put_escaped(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
			   *text))
			buf_put(b, text, 1);
		else
			buf_printf(b, "%%%02x", (unsigned char)*text);
	}
}

const char *client_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

uint64_t client_number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

int client_print_json(const json_t *o)
{
	CLEANUP_FREE char *text =
		json_dumps(o, JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);

	if (!text)
		return print_failure(PRINT_UNKNOWN, "no memory");
	puts(text);
	return PRINT_GOOD;
}

void client_print_more(const json_t *o)
{
	if (json_is_true(json_object_get(o, "more")))
		fputs("note: there is more than the verifier lists at once\n", stderr);
}
