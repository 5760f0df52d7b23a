/* SPDX-License-Identifier: Apache-2.0 */
/* Endorsement keys that an approver named: who may, what it is good for, and what the store keeps of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "api_fixture.h"

static struct api_fixture f;
static struct api_fixture_machine m;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	api_fixture_machine_open(&f, &m, f.maker, "one");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&m);
	api_fixture_done(&f);
	return 0;
}

static void says(const char *text)
{
	if (!strstr(api_fixture_text(&f), text))
		fail_msg("\"%s\" is not in %.300s", text, api_fixture_text(&f));
}

static void refused(int status, const char *text)
{
	assert_int_equal(f.reply.status, status);
	says(text);
	says("\"cure\":\"");
}

static struct store_node row(const struct api_fixture_machine *who)
{
	struct store_node n;

	api_fixture_row(&f, who->id, &n);
	return n;
}

static int act(const struct api_fixture_person *p, const char *action, const char *ek,
	       const char *label)
{
	return api_fixture_act(&f, p, action, ek, "its maker put none into it", label);
}

static bool list_says(const char *text)
{
	assert_int_equal(api_fixture_call(&f, "GET", "/v1/eks", &f.viewer.who, NULL, 0), 200);
	return strstr(api_fixture_text(&f), text);
}

/* No certificate, or none that we know of: an approver's word for this EK, and for no other. */
static void test_imported_ek(void **state)
{
	struct store_node n;
	char wrong[65];

	(void)state;
	memcpy(wrong, m.id, sizeof(wrong));
	wrong[0] = wrong[0] == '0' ? '1' : '0';
	buf_clear(&m.ek_cert);
	api_fixture_token(&f, "one", 3600, m.token);
	api_fixture_begin(&f, &m);
	refused(403, "plumbctl ek import");
	says(m.id);
	assert_int_equal(act(&f.responder, "ek_import", m.id, "one"), 403);
	says("approver");
	assert_int_equal(act(&f.approver, "ek_import", "one", "one"), 400);
	assert_int_equal(act(&f.approver, "ek_import", m.id, "a b"), 400);
	assert_true(list_says("{\"eks\":[]}"));
	assert_int_equal(act(&f.approver, "ek_import", wrong, ""), 200);
	api_fixture_begin(&f, &m);
	refused(403, "there is none");
	assert_int_equal(act(&f.approver, "ek_import", m.id, "two"), 200);
	assert_true(list_says("\"label\":\"two\",\"by\":\"alice\""));
	api_fixture_begin(&f, &m);
	refused(403, "for label two");
	assert_int_equal(act(&f.approver, "ek_import", m.id, "one"), 200);
	says("on the list before");
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, false), 403);
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	n = row(&m);
	assert_int_equal(n.life, PLUMB_LIFE_ENROLLED);
	store_node_done(&n);
	assert_int_equal(api_fixture_log_has(&f, "its EK named by alice"), 1);
	assert_int_equal(api_fixture_log_has(&f, "\"action\":\"ek_import\""), 6);
	assert_int_equal(act(&f.approver, "ek_remove", m.id, ""), 200);
	assert_int_equal(act(&f.approver, "ek_remove", m.id, ""), 404);
	assert_false(list_says(m.id));
	assert_true(list_says(wrong));
	api_fixture_begin(&f, &m);
	refused(403, "there is none");
	/* A node that was enrolled with one stays: what it needs for that it goes on to get. */
	assert_int_equal(api_fixture_begin_at(&f, &m, "/v1/enrol/again"), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	assert_int_equal(act(&f.approver, "revoke", m.id, ""), 200);
	assert_int_equal(api_fixture_begin_at(&f, &m, "/v1/enrol/again"), 200);
	api_fixture_activate(&f, &m, true);
	refused(403, "revoked by alice");
}

/* Who only waits, or whom nobody knows, has no word that could stand. */
static void test_strangers(void **state)
{
	(void)state;
	buf_clear(&m.ek_cert);
	api_fixture_begin_at(&f, &m, "/v1/enrol/again");
	refused(403, "there is none");
	assert_int_equal(act(&f.approver, "ek_import", m.id, ""), 200);
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
	assert_int_equal(act(&f.approver, "ek_remove", m.id, ""), 200);
	api_fixture_begin_at(&f, &m, "/v1/enrol/again");
	refused(403, "there is none");
}

static int on_blob(void *ctx, const char *name, const void *data, size_t size)
{
	char *text = ctx;

	sprintf(text + strlen(text), "%s=%.*s;", name, (int)size, (const char *)data);
	return strcmp(name, "stop") == 0 ? 7 : 0;
}

static void test_blob_each(void **state)
{
	const struct store *s = &f.store;
	char text[256] = "";

	(void)state;
	assert_int_equal(s->ops->blob_each(s->ctx, "list", on_blob, text), 0);
	assert_string_equal(text, "");
	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(s->ops->blob_put(s->ctx, "list", "bb", "two", 3), 0);
	assert_int_equal(s->ops->blob_put(s->ctx, "list", "aa", "one", 3), 0);
	assert_int_equal(s->ops->blob_put(s->ctx, "list", "cc", "old", 3), 0);
	assert_int_equal(s->ops->blob_put(s->ctx, "list", "cc", "new", 3), 0);
	assert_int_equal(s->ops->blob_put(s->ctx, "other", "dd", "no", 2), 0);
	assert_int_equal(s->ops->blob_remove(s->ctx, "list", "dd"), -ENOENT);
	assert_int_equal(s->ops->commit(s->ctx), 0);
	assert_int_equal(s->ops->blob_each(s->ctx, "list", on_blob, text), 0);
	assert_string_equal(text, "aa=one;bb=two;cc=new;");
	assert_int_equal(s->ops->blob_remove(s->ctx, "list", "aa"), -EPROTO);
	assert_int_equal(s->ops->begin(s->ctx), 0);
	assert_int_equal(s->ops->blob_remove(s->ctx, "list", "bb"), 0);
	assert_int_equal(s->ops->blob_put(s->ctx, "list", "stop", "x", 1), 0);
	assert_int_equal(s->ops->blob_put(s->ctx, "list", "zz", "y", 1), 0);
	assert_int_equal(s->ops->commit(s->ctx), 0);
	text[0] = 0;
	assert_int_equal(s->ops->blob_each(s->ctx, "list", on_blob, text), 7);
	assert_string_equal(text, "aa=one;cc=new;stop=x;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_imported_ek, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blob_each, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
