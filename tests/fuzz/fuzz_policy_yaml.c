/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "policy_compile.h"
#include "policy_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_test_report report;
	struct policy_yaml *y = NULL;
	struct policy *p = NULL;
	struct buf bundle = {0};
	struct why why;

	if (policy_yaml_open("fuzz", data, size, &y, &why) >= 0 &&
	    policy_compile(y, &bundle, &p, &why) >= 0)
		policy_test(y, p, NULL, &report, &why);
	policy_free(p);
	policy_yaml_free(y);
	buf_done(&bundle);
	return 0;
}
