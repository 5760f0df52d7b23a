/* SPDX-License-Identifier: Apache-2.0 */
/* What a verifier, or whoever answers in its stead, says to an enrolment: read without harm, and never believed of us what we are not. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "enrol_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_begun(const uint8_t *data, size_t size)
{
	struct enrol_answer_begun b;
	struct why why = {""};

	if (enrol_answer_begun_parse(data, size, &b, &why) < 0)
		return;
	if (strspn(b.session, "0123456789abcdef") != 64 || b.session[64] != 0)
		__builtin_trap();
	enrol_answer_begun_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct digest nobody;
	struct record stranger = {.incarnation = 0};
	struct enrol_answer a;
	struct why why = {""};

	try_begun(data, size);
	if (enrol_answer_parse(data, size, &a, &why) < 0)
		return 0;
	if (a.pending) {
		if (a.record.incarnation || a.cert_pem.size || a.ca_pem.size)
			__builtin_trap();
		enrol_answer_done(&a);
		return 0;
	}
	/* Its own record is ours as far as keys go; the client key is nobody's. */
	if (enrol_answer_check(&a, &a.record, &nobody, NULL, &why) >= 0 ||
	    enrol_answer_check(&a, &stranger, &nobody, NULL, &why) >= 0)
		__builtin_trap();
	enrol_answer_done(&a);
	return 0;
}
