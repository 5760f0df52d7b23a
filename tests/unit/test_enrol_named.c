/* SPDX-License-Identifier: Apache-2.0 */
/* A token of the machine's pod counts when the machine is enrolled, and not before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "enrol.h"

static struct api_fixture f;
static struct api_fixture_machine m, other;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	api_fixture_machine_open(&f, &m, f.maker, "one");
	api_fixture_machine_open(&f, &other, f.maker, "two");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&m);
	api_fixture_machine_done(&other);
	api_fixture_done(&f);
	return 0;
}

static void with_token(struct api_fixture_machine *who, const char *label)
{
	api_fixture_token(&f, label, 3600, who->token);
	assert_int_equal(api_fixture_begin(&f, who), 200);
}

static char named_id[65], named_token[64];
static unsigned int n_named;

static void on_named(void *ctx, const char *id, const char *kube_token)
{
	assert_ptr_equal(ctx, &n_named);
	n_named++;
	snprintf(named_id, sizeof(named_id), "%s", id);
	snprintf(named_token, sizeof(named_token), "%s", kube_token);
}

/* A token of the machine's pod counts when the machine is enrolled, and not before; none of it is kept here. */
static void test_kube_token(void **state)
{
	const struct enrol_options o = {.v = &f.v,
					.contain = f.contain,
					.intake = f.intake,
					.anchors = f.anchors,
					.ca_cert_pem = (char *)f.ca_pem.data,
					.ca_key = f.ca,
					.node_cert_life_s = 86400,
					.named = on_named,
					.named_ctx = &n_named};

	(void)state;
	enrol_free(f.enrol);
	assert_int_equal(enrol_open(&o, &f.enrol), 0);
	f.api.enrol = f.enrol;
	n_named = 0;
	/* Who waits for an approver has no name yet. */
	m.kube_token = "eyJ.first-_=";
	snprintf(m.label, sizeof(m.label), "one");
	assert_int_equal(api_fixture_begin(&f, &m), 200);
	assert_int_equal(api_fixture_activate(&f, &m, true), 202);
	assert_int_equal(n_named, 0);
	assert_int_equal(api_fixture_act(&f, &f.approver, "approve", m.id, "known", ""), 200);
	m.kube_token = "eyJ.second";
	assert_int_equal(api_fixture_activate(&f, &m, true), 200);
	assert_int_equal(n_named, 1);
	assert_string_equal(named_id, m.id);
	assert_string_equal(named_token, "eyJ.second");
	assert_int_equal(api_fixture_log_has(&f, "eyJ."), 0);
	/* Whose TPM does not answer names nobody. */
	with_token(&other, "two");
	other.kube_token = "eyJ.third";
	assert_int_equal(api_fixture_activate(&f, &other, false), 403);
	with_token(&other, "two");
	other.kube_token = "not a token";
	assert_int_equal(api_fixture_activate(&f, &other, true), 400);
	assert_int_equal(n_named, 1);
	other.kube_token = NULL;
	assert_int_equal(api_fixture_activate(&f, &other, true), 200);
	assert_int_equal(n_named, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kube_token, setup, teardown),
	};

	return cmocka_run_group_tests_name("enrol_named", tests, NULL, NULL);
}
