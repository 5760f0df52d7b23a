/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "dsse.h"
#include "node_fixture.h"
#include "plumb/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct verifier_fixture v;

/* In force is what was signed; all of it can be armed and disarmed again. */
static void try_policy(const void *envelope, size_t size)
{
	const struct policy *p;
	struct policy *preview = NULL;
	struct why why = {""};

	if (documents_put_policy(v.documents, envelope, size, &why) < 0)
		return;
	if (documents_try_policy(v.documents, envelope, size, &preview, &why) < 0)
		__builtin_trap();
	policy_free(preview);
	for (int arm = 1; arm >= 0; arm--) {
		if (documents_arm(v.documents, "all", arm, &why) < 0)
			__builtin_trap();
		p = documents_policy(v.documents);
		for (uint32_t i = 0; i < policy_n_rules(p); i++)
			if ((policy_rule(p, i)->mode == POLICY_MODE_ARMED) != (arm == 1))
				__builtin_trap();
	}
}

static void try_baseline(const void *file, size_t size)
{
	const struct baseline *b = NULL;
	struct baseline_info info;
	struct why why = {""};

	if (documents_put_baseline(v.documents, file, size, &info, &why) < 0) {
		if (!why.text[0])
			__builtin_trap();
		return;
	}
	if (documents_baseline(v.documents, &info.document, &b, &why) < 0 ||
	    baseline_info(b)->version != info.version)
		__builtin_trap();
}

static void baseline_of(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf file = {0};
	char *entries = strndup((const char *)data, size);

	if (!entries)
		abort();
	verifier_fixture_baseline("fuzz", 1, entries, v.approver, &file);
	try_baseline(file.data, file.size);
	free(entries);
}

static void clean_up(void)
{
	verifier_fixture_done(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf envelope = {0};
	const struct sign_key *key;

	if (!v.intake) {
		verifier_fixture_open(&v);
		atexit(clean_up);
	}
	key = v.approver;
	if (v.ops.begin(v.store.ctx) < 0)
		abort();
	/* As it comes, and as an approver would have signed it. */
	try_policy(data, size);
	try_baseline(data, size);
	if (dsse_sign(WIRE_DSSE_POLICY, data, size, &key, 1, &envelope) < 0)
		abort();
	try_policy(envelope.data, envelope.size);
	baseline_of(data, size);
	v.ops.rollback(v.store.ctx);
	return 0;
}
