/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

struct settings_file {
	char *server, *ca, *cert, *key;
};

struct client {
	struct event_base *base;
	struct fetch *fetch;
	struct settings_file conf;
	struct sign_key *key;
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
	const char *home = getenv("HOME");

	if (given)
		return given;
	if (getenv("PLUMBCTL_CONFIG"))
		return getenv("PLUMBCTL_CONFIG");
	if (home && snprintf(ret, PATH_MAX, "%s/.config/plumbctl.yaml", home) < PATH_MAX &&
	    access(ret, R_OK) == 0)
		return ret;
	return "/etc/plumbline/plumbctl.yaml";
}

static int read_conf(const char *path, struct settings_file *ret)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct why why = {""};
	int r = fsio_read_file(fsio_system(), path, MAX_FILE, &text);

	if (r == -ENOENT)
		return print_failure(PRINT_UNKNOWN,
				     "%s: there is none; plumb-verifier init writes plumbctl.yaml "
				     "for the first operator "
				     "(--config or PLUMBCTL_CONFIG name it)",
				     path);
	if (r >= 0)
		r = conf_read(&table, path, text.data, text.size, ret, &why);
	if (r < 0)
		return print_failure(PRINT_USAGE, "%s", why.text[0] ? why.text : strerror(-r));
	if (!ret->server || !ret->ca || !ret->cert || !ret->key)
		return print_failure(PRINT_USAGE, "%s: server, ca, cert and key are all needed",
				     path);
	return PRINT_GOOD;
}

static int read_pem(const char *config, const char *name, struct buf *ret)
{
	const char *slash = strrchr(config, '/');
	char path[PATH_MAX];
	int r, n = name[0] == '/' || !slash ? snprintf(path, sizeof(path), "%s", name)
					    : snprintf(path, sizeof(path), "%.*s/%s",
						       (int)(slash - config), config, name);

	r = n < (int)sizeof(path) ? fsio_read_file(fsio_system(), path, MAX_FILE, ret)
				  : -ENAMETOOLONG;
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", path, strerror(-r)) : PRINT_GOOD;
}

static int open_tls(struct client *c, const char *config)
{
	CLEANUP(buf_done) struct buf ca = {0}, cert = {0}, key = {0};
	struct fetch_options f = {
		.base = c->base, .total_ms = 120000, .user_agent = "plumbctl/" PLUMB_VERSION};
	struct why why = {""};
	int r = read_pem(config, c->conf.ca, &ca);

	if (r == PRINT_GOOD)
		r = read_pem(config, c->conf.cert, &cert);
	if (r == PRINT_GOOD)
		r = read_pem(config, c->conf.key, &key);
	if (r != PRINT_GOOD)
		return r;
	r = sign_key_from_pem((char *)key.data, key.size, &c->key, &why);
	f.ca_pem = (char *)ca.data;
	f.cert_pem = (char *)cert.data;
	f.key_pem = (char *)key.data;
	if (r >= 0)
		r = fetch_open(&f, &c->fetch, &why);
	OPENSSL_cleanse(key.data, key.size);
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", c->conf.key,
				     why.text[0] ? why.text : strerror(-r))
		     : PRINT_GOOD;
}

int client_open(const char *config, struct client **ret)
{
	char path[PATH_MAX];
	const char *file = find_config(config, path);
	struct client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return print_failure(PRINT_UNKNOWN, "no memory");
	c->base = event_base_new();
	r = c->base ? read_conf(file, &c->conf) : print_failure(PRINT_UNKNOWN, "no memory");
	if (r == PRINT_GOOD)
		r = open_tls(c, file);
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
	free(c);
	return NULL;
}

/* What the verifier says is wrong, and what it says to do. */
static int print_refusal(int status, const struct buf *body)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *cure;
	struct why why;
	int code = status >= 500 ? PRINT_UNKNOWN : PRINT_NOT_GOOD;

	if (jsonl_parse(body->data, body->size, MAX_FILE, &o, &why) < 0 ||
	    !client_text(o, "error")[0])
		return print_failure(code, "the verifier answers HTTP %d", status);
	print_failure(code, "%s", client_text(o, "error"));
	cure = client_text(o, "cure");
	if (cure[0]) {
		fputs("cure:  ", stderr);
		print_safe(stderr, cure, strlen(cure));
		fputc('\n', stderr);
	}
	return code;
}

static int call(struct client *c, const struct fetch_request *q, struct buf *ret)
{
	struct why why = {""};
	int status = fetch_wait(c->fetch, q, ret, &why);

	if (status < 0)
		return print_failure(PRINT_UNKNOWN, "%s",
				     why.text[0] ? why.text : strerror(-status));
	return status >= 200 && status < 300 ? PRINT_GOOD : print_refusal(status, ret);
}

int client_get(struct client *c, const char *path, struct buf *ret)
{
	char url[MAX_URL];
	const struct fetch_request q = {.method = "GET", .url = url, .max = CLIENT_MAX_ANSWER};

	if (snprintf(url, sizeof(url), "%s%s", c->conf.server, path) >= (int)sizeof(url))
		return print_failure(PRINT_USAGE, "too long a name");
	return call(c, &q, ret);
}

int client_post(struct client *c, const char *path, const char *type, const void *body, size_t size,
		struct buf *ret)
{
	char url[MAX_URL];
	const struct fetch_request q = {.method = "POST",
					.url = url,
					.type = type,
					.body = body,
					.size = size,
					.max = CLIENT_MAX_ANSWER};

	if (snprintf(url, sizeof(url), "%s%s", c->conf.server, path) >= (int)sizeof(url))
		return print_failure(PRINT_USAGE, "too long a name");
	return call(c, &q, ret);
}

int client_get_json(struct client *c, const char *path, json_t **ret)
{
	CLEANUP(buf_done) struct buf answer = {0};
	struct why why = {""};
	int r = client_get(c, path, &answer);

	if (r != PRINT_GOOD)
		return r;
	r = jsonl_parse(answer.data, answer.size, CLIENT_MAX_ANSWER, ret, &why);
	return r < 0 ? print_failure(PRINT_UNKNOWN, "the verifier's answer cannot be read: %s",
				     why.text)
		     : PRINT_GOOD;
}

int client_print_answer(const struct buf *answer, bool json)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *text, *undo;
	struct why why = {""};

	if (jsonl_parse(answer->data, answer->size, MAX_FILE, &o, &why) < 0)
		return print_failure(PRINT_UNKNOWN, "the verifier's answer cannot be read: %s",
				     why.text);
	if (json) {
		fwrite(answer->data, 1, answer->size, stdout);
		fputc('\n', stdout);
		return PRINT_GOOD;
	}
	text = client_text(o, "text");
	undo = client_text(o, "undo");
	print_safe(stdout, text, strlen(text));
	fputs("\nundo: ", stdout);
	print_safe(stdout, undo, strlen(undo));
	fputc('\n', stdout);
	return PRINT_GOOD;
}

int client_act(struct client *c, const struct client_action *a, bool json)
{
	CLEANUP(buf_done) struct buf payload = {0}, envelope = {0}, answer = {0};
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
	r = client_post(c, WIRE_ROUTE_ACTIONS, WIRE_TYPE_JSON, envelope.data, envelope.size,
			&answer);
	return r == PRINT_GOOD ? client_print_answer(&answer, json) : r;
}

struct following {
	struct buf part; /* a line that has not ended */
	int (*fn)(void *ctx, const char *line, size_t size);
	void *ctx;
	int result;
};

static void on_data(void *ctx, const void *data, size_t size)
{
	struct following *f = ctx;
	const char *at, *lf;

	if (f->result != 0)
		return;
	buf_put(&f->part, data, size);
	if (buf_status(&f->part) < 0) {
		f->result = buf_status(&f->part);
		return;
	}
	at = (char *)f->part.data;
	while (f->result == 0 &&
	       (lf = memchr(at, '\n', f->part.size - (size_t)(at - (char *)f->part.data))) !=
		       NULL) {
		if (lf > at)
			f->result = f->fn(f->ctx, at, (size_t)(lf - at));
		at = lf + 1;
	}
	size = f->part.size - (size_t)(at - (char *)f->part.data);
	memmove(f->part.data, at, size);
	buf_cut(&f->part, size);
}

int client_events(struct client *c, uint64_t since, bool follow,
		  int (*fn)(void *ctx, const char *line, size_t size), void *ctx)
{
	struct following f = {.fn = fn, .ctx = ctx, .part = {.max = 1u << 20}};
	CLEANUP(buf_done) struct buf rest = {0};
	char url[MAX_URL];
	struct fetch_request q = {
		.method = "GET", .url = url, .max = MAX_FILE, .stream = true, .data = on_data};
	struct why why = {""};
	int status;

	snprintf(url, sizeof(url), "%s%s?since=%llu%s", c->conf.server, WIRE_ROUTE_EVENTS,
		 (unsigned long long)since, follow ? "&follow=1" : "");
	q.stream_ctx = &f;
	status = fetch_wait(c->fetch, &q, &rest, &why);
	if (status < 0 || status > 299) {
		if (status > 0 && f.part.size > 0)
			status = print_refusal(status, &f.part);
		else
			status = print_failure(PRINT_UNKNOWN, "%s",
					       why.text[0] ? why.text : "the connection ended");
	} else {
		status = f.result < 0 ? PRINT_UNKNOWN : PRINT_GOOD;
	}
	buf_done(&f.part);
	return status;
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
