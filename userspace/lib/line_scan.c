/* SPDX-License-Identifier: Apache-2.0 */
#include "line_scan.h"

#include <string.h>

#include "clock.h"
#include "digest.h"
#include "plain.h"

#define HEX "0123456789abcdef"
#define LOWER "abcdefghijklmnopqrstuvwxyz"

static void scan_kernel(struct plain *s, struct line *l)
{
	const char *hex = plain_text(s, 16);
	uint8_t bytes[8];

	if (s->failed || digest_bytes_from_hex(hex, strlen(hex), bytes, sizeof(bytes)) < 0) {
		s->failed = true;
		return;
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		l->ksess = l->ksess << 8 | bytes[i];
	l->has_kernel = true;
	PLAIN_EXPECT(s, ",\"cpu\":");
	l->cpu = (uint32_t)plain_number(s, UINT32_MAX);
	PLAIN_EXPECT(s, ",\"kseq\":");
	l->kseq = plain_number(s, INT64_MAX);
}

static void scan_envelope(struct plain *s, struct line *l)
{
	const char *t;

	PLAIN_EXPECT(s, "{\"v\":1,\"seq\":");
	l->seq = plain_number(s, INT64_MAX);
	PLAIN_EXPECT(s, ",\"t\":\"");
	t = plain_text(s, CLOCK_TEXT_SIZE);
	PLAIN_EXPECT(s, ",\"bt\":");
	l->boot_ns = plain_number(s, INT64_MAX);
	PLAIN_EXPECT(s, ",\"boot\":\"");
	l->boot = plain_text(s, 36);
	PLAIN_EXPECT(s, ",\"src\":\"");
	l->src = plain_text(s, 32);
	if (PLAIN_NEXT(s, ",\"ksess\":\""))
		scan_kernel(s, l);
	PLAIN_EXPECT(s, ",\"type\":\"");
	l->type_name = plain_text(s, 32);
	if (s->failed || clock_from_text(t, &l->utc_ns) < 0) {
		s->failed = true;
		return;
	}
	l->type = (enum plumb_type)terms_type_from_name(l->type_name);
	if (!terms_type_is_measurement(l->type))
		s->failed = true;
}

static void scan_judgement(struct plain *s, struct line *l)
{
	l->judgement = (enum plumb_judgement)terms_judgement_from_name(plain_text(s, 16));
	if (!l->judgement) {
		s->failed = true;
		return;
	}
	if (l->judgement == PLUMB_JUDGE_DRIFT) {
		PLAIN_EXPECT(s, ",\"expected\":\"");
		l->expected = plain_text(s, LINE_MAX_VALUE);
	}
	PLAIN_EXPECT(s, ",\"jv\":");
	l->judge_version = (uint32_t)plain_number(s, UINT32_MAX);
	PLAIN_EXPECT(s, ",\"bv\":");
	l->baseline_version = plain_number(s, INT64_MAX);
}

static void scan_ancestors(struct plain *s, struct line_actor *a)
{
	PLAIN_EXPECT(s, ",\"ancestors\":[");
	if (PLAIN_NEXT(s, "]"))
		return;
	do {
		struct line_ancestor *p = &a->ancestors[a->n_ancestors];

		if (a->n_ancestors == LINE_MAX_ANCESTORS) {
			s->failed = true;
			return;
		}
		PLAIN_EXPECT(s, "{\"pid\":");
		p->pid = (uint32_t)plain_number(s, UINT32_MAX);
		if (PLAIN_NEXT(s, ",\"comm\":\""))
			p->comm = plain_text(s, 64);
		if (PLAIN_NEXT(s, ",\"exe\":\""))
			p->exe = plain_text(s, LINE_MAX_KEY);
		PLAIN_EXPECT(s, "}");
		a->n_ancestors++;
	} while (PLAIN_NEXT(s, ","));
	PLAIN_EXPECT(s, "]");
}

static void scan_actor(struct plain *s, struct line_actor *a)
{
	if (PLAIN_NEXT(s, "\"unknown\""))
		return;
	a->known = true;
	PLAIN_EXPECT(s, "{\"pid\":");
	a->pid = (uint32_t)plain_number(s, UINT32_MAX);
	PLAIN_EXPECT(s, ",\"start\":");
	a->start_ns = plain_number(s, INT64_MAX);
	PLAIN_EXPECT(s, ",\"ppid\":");
	a->ppid = (uint32_t)plain_number(s, UINT32_MAX);
	PLAIN_EXPECT(s, ",\"uid\":");
	a->uid = (uint32_t)plain_number(s, UINT32_MAX);
	PLAIN_EXPECT(s, ",\"gid\":");
	a->gid = (uint32_t)plain_number(s, UINT32_MAX);
	if (PLAIN_NEXT(s, ",\"comm\":\""))
		a->comm = plain_text(s, 64);
	if (PLAIN_NEXT(s, ",\"exe\":\""))
		a->exe = plain_text(s, LINE_MAX_KEY);
	if (PLAIN_NEXT(s, ",\"cgroup\":\""))
		a->cgroup = plain_text(s, LINE_MAX_KEY);
	if (PLAIN_NEXT(s, ",\"container\":\""))
		a->container = plain_word(s, HEX, 64);
	if (PLAIN_NEXT(s, ",\"pod\":\""))
		a->pod = plain_word(s, HEX "-", 64);
	scan_ancestors(s, a);
	PLAIN_EXPECT(s, "}");
}

static void scan_measurement(struct plain *s, struct line *l)
{
	PLAIN_EXPECT(s, ",\"scope\":\"");
	l->scope = plain_text(s, 256);
	PLAIN_EXPECT(s, ",\"key\":\"");
	l->key = plain_text(s, LINE_MAX_KEY * 3);
	PLAIN_EXPECT(s, ",\"found\":\"");
	l->found = plain_text(s, LINE_MAX_VALUE * 3);
	if (PLAIN_NEXT(s, ",\"op\":\""))
		l->op = plain_text(s, 32);
	if (PLAIN_NEXT(s, ",\"other\":\""))
		l->other = plain_text(s, LINE_MAX_KEY * 3);
	if (PLAIN_NEXT(s, ",\"before\":\""))
		l->before = plain_text(s, LINE_MAX_VALUE * 3);
	if (PLAIN_NEXT(s, ",\"diff\":\""))
		l->diff = plain_text(s, LINE_MAX_VALUE * 3);
	if (PLAIN_NEXT(s, ",\"hash_src\":\""))
		l->hash_src = plain_text(s, 32);
	if (PLAIN_NEXT(s, ",\"name\":\""))
		l->name = plain_text(s, LINE_MAX_KEY * 3);
	if (PLAIN_NEXT(s, ",\"layer\":\""))
		l->layer = plain_word(s, LOWER, 16);
	if (PLAIN_NEXT(s, ",\"times\":"))
		l->times = (uint32_t)plain_number(s, UINT32_MAX);
	if (PLAIN_NEXT(s, ",\"judge\":\""))
		scan_judgement(s, l);
	if (PLAIN_NEXT(s, ",\"actor\":")) {
		l->has_actor = true;
		scan_actor(s, &l->actor);
	}
}

bool line_scan(struct line_scan *s, const void *data, size_t size, struct line *ret)
{
	struct plain scan = {.at = s->text};
	struct line l = {.seq = 0};

	if (size > LINE_MAX_SIZE || !plain_copy(s->text, data, size))
		return false;
	scan_envelope(&scan, &l);
	if (!scan.failed)
		scan_measurement(&scan, &l);
	PLAIN_EXPECT(&scan, "}");
	if (scan.failed || scan.at != s->text + size)
		return false;
	*ret = l;
	return true;
}

int line_scan_or_parse(struct line_scan *s, const void *data, size_t size, json_t **ret_json,
		       struct line *ret, struct why *ret_why)
{
	if (!line_scan(s, data, size, ret))
		return line_parse(data, size, ret_json, ret, ret_why);
	*ret_json = NULL;
	return 0;
}
