/* SPDX-License-Identifier: Apache-2.0 */
/* What looks like a secret is not written, whatever stands round it; plain settings are written as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "line_secrets.h"

static void test_lines(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{"PermitRootLogin no", "PermitRootLogin no"},
		{"IdentityFile ~/.ssh/id_ed25519", "IdentityFile ~/.ssh/id_ed25519"},
		{"db_password = hunter2", "db_password = ***"},
		{"  \"clientSecret\": \"x\",", "  \"clientSecret\": ***"},
		{"exec foo --token=abc --v", "exec foo --token=***"},
		{"Authorization: Bearer x", "Authorization: ***"},
		{"root:$6$salt$hash/:19000:0:", "root:***:19000:0:"},
		{"url https://me:pw@host/path", "url https://***@host/path"},
		{"url https://host/p@th", "url https://host/p@th"},
		{"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKC", "***"},
		{"id 0123456789abcdef0123456789abcdef x", "id *** x"},
		{"/usr/lib/systemd/system/multi-user.target.wants",
		 "/usr/lib/systemd/system/multi-user.target.wants"},
		{"price $5 or $6", "price $5 or $6"},
		{"password", "password"},
		{"", ""},
		{"$", "$"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		line_secrets_hide(rows[i].line, strlen(rows[i].line), &out);
		assert_string_equal(out.data ? (char *)out.data : "", rows[i].want);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
