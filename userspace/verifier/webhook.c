/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define MAX_BODY (4u << 20) /* our own: texts that are bounded, and a verdict */

static void put_time(struct jsonl *j, const char *key, uint64_t ns)
{
	char text[CLOCK_TEXT_SIZE];

	if (ns == 0) {
		jsonl_null(j, key);
		return;
	}
	clock_text(ns, text);
	jsonl_str(j, key, text);
}

int webhook_body(const struct webhook_transition *t, const struct sign_key *key, struct buf *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_uint(&j, "id", t->log_seq);
	jsonl_str(&j, "node", t->node->id);
	jsonl_str(&j, "label", t->node->label);
	jsonl_str(&j, "kube_name", t->node->kube_name);
	jsonl_str(&j, "from", t->from);
	jsonl_str(&j, "to", t->to);
	jsonl_str(&j, "cause", t->cause);
	jsonl_str(&j, "rule", t->rule);
	jsonl_str(&j, "key", t->key);
	jsonl_str(&j, "expected", t->expected);
	jsonl_str(&j, "found", t->found);
	jsonl_str(&j, "who", t->who);
	jsonl_uint(&j, "line", t->ledger_line);
	jsonl_uint(&j, "log_line", t->log_seq);
	jsonl_bool(&j, "provisional", t->provisional);
	put_time(&j, "at", t->at_ns);
	put_time(&j, "event_at", t->event_ns);
	jsonl_str(&j, "verdict", t->verdict_jwt);
	if (t->held_back)
		jsonl_str(&j, "held_back", t->held_back);
	if (t->remedy_step) {
		jsonl_object(&j, "remedy");
		jsonl_str(&j, "step", t->remedy_step);
		jsonl_str(&j, "phase", t->remedy_phase);
		jsonl_close(&j);
	}
	jsonl_end(&j);
	return buf_status(&b) < 0 ? buf_status(&b)
				  : dsse_sign(WIRE_DSSE_WEBHOOK, b.data, b.size, &key, 1, ret);
}

int webhook_id(const void *body, size_t size, uint64_t *ret)
{
	CLEANUP(buf_done) struct buf payload = {0}, type = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct why why;
	int r = dsse_peek(body, size, MAX_BODY, &payload, &type, &why);

	if (r >= 0)
		r = jsonl_parse(payload.data, payload.size, MAX_BODY, &o, &why);
	return r < 0 ? r : jsonl_get_uint(o, "id", INT64_MAX, ret, &why);
}

/* The part between "//" and the path; NULL: it is no URL of a kind that we know. */
static const char *authority(const char *url, size_t *ret_size, bool *ret_plain)
{
	const char *rest = NULL;

	*ret_plain = strncmp(url, "http://", 7) == 0;
	if (*ret_plain)
		rest = url + 7;
	else if (strncmp(url, "https://", 8) == 0)
		rest = url + 8;
	if (rest)
		*ret_size = strcspn(rest, "/?#");
	return rest;
}

/* By its text alone: a name that resolves to loopback today may be somebody else's tomorrow. "localhost" is ours by RFC 6761. */
static bool is_loopback(const char *host, size_t size)
{
	static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == size && memcmp(host, names[i], size) == 0)
			return true;
	return false;
}

static bool is_port(const char *text, size_t size)
{
	unsigned int port = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9' || size > 5)
			return false;
		port = port * 10 + (unsigned int)(text[i] - '0');
	}
	return port > 0 && port < 65536;
}

int webhook_check_url(const char *url, struct why *ret_why)
{
	size_t size = 0, host;
	const char *rest, *colon;
	bool plain;

	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '\\')
			return why_set(ret_why, -EINVAL,
				       "a URL has blanks or bytes that no URL has");
	rest = authority(url, &size, &plain);
	if (!rest)
		return why_set(ret_why, -EINVAL, "\"%.20s…\" is no https URL", url);
	if (memchr(rest, '@', size))
		return why_set(ret_why, -EINVAL, "a URL with a user in it is not taken");
	colon = size && rest[0] == '[' ? memchr(rest, ']', size) : NULL;
	colon = colon ? colon + 1 : memchr(rest, ':', size);
	if (colon == rest + size)
		colon = NULL;
	host = colon ? (size_t)(colon - rest) : size;
	if (host == 0 || (colon && (*colon != ':' || !is_port(colon + 1, size - host - 1))))
		return why_set(ret_why, -EINVAL, "\"%.*s\" is no host and port", (int)size, rest);
	if (plain && !is_loopback(rest, host))
		return why_set(ret_why, -EINVAL,
			       "http://%.*s: unencrypted only to 127.0.0.1, [::1] and localhost",
			       (int)size, rest);
	return 0;
}

void webhook_origin(const char *url, char ret[128])
{
	size_t size = 0;
	bool plain;
	const char *rest = authority(url, &size, &plain);

	snprintf(ret, 128, "%.*s", rest ? (int)(rest - url + (long)size) : 0, url);
}
