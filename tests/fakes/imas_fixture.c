/* SPDX-License-Identifier: Apache-2.0 */
#include "imas_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "jsonl.h"

int imas_fixture_make(void **state)
{
	struct imas_fixture *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	scratch_open(p->dir, "imas");
	ima_maker_open(&p->ima);
	p->m = (struct ledger_imas){.io = fsio_system(), .dir = p->dir};
	*state = p;
	return 0;
}

int imas_fixture_end(void **state)
{
	struct imas_fixture *p = *state;

	ledger_imas_done(&p->m);
	ima_maker_done(&p->ima);
	scratch_done(p->dir);
	free(p);
	return 0;
}

void imas_fixture_put(const struct imas_fixture *p, const char *name, const void *data, size_t size)
{
	char path[PATH_MAX];

	scratch_run(p->dir, "mkdir -p ima");
	assert_int_equal(ledger_ima_path(p->dir, name, path), 0);
	assert_int_equal(fsio_replace_file(fsio_system(), path, data, size, 0600), 0);
}

void imas_fixture_seal(struct imas_fixture *p, uint64_t line, const char *boot,
		       const struct ledger_ima_seal *s)
{
	struct buf b = {0}, members = {0};
	json_t *o = NULL;

	assert_int_equal(ledger_ima_seal_write(s, &members), 0);
	buf_printf(&b, "{%s}", (char *)members.data);
	assert_int_equal(jsonl_parse(b.data, b.size, 4096, &o, &p->why), 0);
	assert_int_equal(ledger_imas_line(&p->m, line, boot, o, &p->why), 0);
	json_decref(o);
	buf_done(&b);
	buf_done(&members);
}

void imas_fixture_quote(struct imas_fixture *p, uint64_t line, const char *boot, uint32_t reset,
			const struct digest *pcr, uint64_t cursor)
{
	struct quote_pcrs pcrs = {.mask = 0x87ff};

	pcrs.values[10] = *pcr;
	assert_int_equal(ledger_imas_quote(&p->m, line, boot, reset, &pcrs, cursor), 0);
}

void imas_fixture_expect(const struct ledger_imas_one *o, enum ledger_boot_result want,
			 const char *why)
{
	if (o->result != want || !strstr(o->why, why))
		fail_msg("%s, line %" PRIu64 ": %s", ledger_boot_result_name(o->result), o->at_line,
			 o->why);
}
