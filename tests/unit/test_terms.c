/* SPDX-License-Identifier: Apache-2.0 */
/* Every enum of terms.h both ways, spelled out: the words stand in ledgers and databases and must not change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "plumb/terms.h"

struct word {
	int value;
	const char *name;
};

/* Also that no number from -1 to 99 other than these has a name, and that near misses are none. */
#define CHECK(kind, ...)                                                                           \
	static void test_##kind(void **state)                                                      \
	{                                                                                          \
		static const struct word words[] = {__VA_ARGS__};                                  \
		int named = 0;                                                                     \
                                                                                                   \
		(void)state;                                                                       \
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {                                   \
			const char *name = terms_##kind##_name((enum plumb_##kind)words[i].value); \
                                                                                                   \
			assert_non_null(name);                                                     \
			assert_string_equal(name, words[i].name);                                  \
			assert_int_equal(terms_##kind##_from_name(name), words[i].value);          \
		}                                                                                  \
		for (int v = -1; v < 100; v++)                                                     \
			named += terms_##kind##_name((enum plumb_##kind)v) != NULL;                \
		assert_int_equal(named, ARRAY_SIZE(words));                                        \
		assert_int_equal(terms_##kind##_from_name(NULL), 0);                               \
		assert_int_equal(terms_##kind##_from_name(""), 0);                                 \
		assert_int_equal(terms_##kind##_from_name("nonsense"), 0);                         \
		assert_int_equal(terms_##kind##_from_name("Drift "), 0);                           \
	}                                                                                          \
	_Static_assert(1, "semicolon")

CHECK(type, {1, "exec"}, {2, "file"}, {3, "mount"}, {4, "module"}, {5, "claim"}, {6, "load"},
      {7, "bpf"}, {8, "audit"}, {9, "code"}, {10, "surface"}, {12, "guard"}, {32, "log"},
      {33, "start"}, {34, "stop"}, {35, "gap"}, {36, "epoch"}, {37, "quote"}, {38, "counters"},
      {39, "lost"}, {40, "order"}, {41, "baseline"}, {42, "pruned"}, {43, "repeats"},
      {44, "isolation"}, {45, "kubelet_key"}, {46, "snapshot"}, {47, "ima"}, {64, "verdict"},
      {65, "transition"}, {66, "action"}, {67, "head"});
CHECK(judgement, {1, "ok"}, {2, "drift"}, {3, "unjudged"});
CHECK(life, {1, "provisioning"}, {2, "enrolled"}, {3, "active"}, {4, "leaving"}, {5, "retired"},
      {6, "revoked"});
CHECK(appraisal, {1, "none"}, {2, "trusted"}, {3, "degraded"}, {4, "untrusted"});
CHECK(freshness, {1, "fresh"}, {2, "leaving"}, {3, "silent"});
CHECK(containment, {1, "free"}, {2, "report"}, {3, "held"}, {4, "quarantined"}, {5, "remediating"});
CHECK(result, {1, "accepted"}, {2, "stored"}, {3, "send_again"}, {4, "refused"}, {5, "forked"});
CHECK(finding, {1, "unanchored"}, {2, "foreign"}, {3, "fork"}, {4, "gap"}, {5, "loss"},
      {6, "judge_skew"}, {7, "judge_lie"}, {8, "unconfirmed"}, {9, "silent"}, {10, "counters"},
      {11, "clock"}, {12, "baseline"}, {13, "ima"}, {14, "ima_list"}, {15, "ima_violation"},
      {16, "ima_signature"}, {17, "boot_log"}, {18, "boot_mismatch"}, {19, "boot_event"},
      {20, "rollback"});
CHECK(action, {1, "report"}, {2, "hold"}, {3, "quarantine"});
CHECK(severity, {1, "info"}, {2, "low"}, {3, "medium"}, {4, "high"}, {5, "critical"});
CHECK(role, {1, "viewer"}, {2, "responder"}, {3, "approver"});

/* What nothing undoes: such a case closes by a person, never by itself. */
static void test_deed(void **state)
{
	static const enum plumb_type deeds[] = {PLUMB_TYPE_EXEC,  PLUMB_TYPE_LOAD,
						PLUMB_TYPE_BPF,	  PLUMB_TYPE_AUDIT,
						PLUMB_TYPE_GUARD, PLUMB_TYPE_SURFACE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		assert_true(terms_type_is_deed(deeds[i]));
	assert_false(terms_type_is_deed(PLUMB_TYPE_CLAIM));
	assert_false(terms_type_is_deed(PLUMB_TYPE_FILE));
	assert_false(terms_type_is_deed(PLUMB_TYPE_START));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type),	  cmocka_unit_test(test_judgement),
		cmocka_unit_test(test_life),	  cmocka_unit_test(test_appraisal),
		cmocka_unit_test(test_freshness), cmocka_unit_test(test_containment),
		cmocka_unit_test(test_result),	  cmocka_unit_test(test_finding),
		cmocka_unit_test(test_action),	  cmocka_unit_test(test_severity),
		cmocka_unit_test(test_role),	  cmocka_unit_test(test_deed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
