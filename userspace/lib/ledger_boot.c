/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_boot.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bootlog_reading.h"
#include "cleanup.h"
#include "measurelog.h"

#define N_VALUES 16u
#define HEX 64u

DEFINE_CLEANUP(struct bootlog_reading *, bootlog_reading_free);

static const char *const endings[] = {
	[LEDGER_BOOT_LOG] = ".log", [LEDGER_BOOT_MEASURED] = ".measured"};

const char *ledger_boot_result_name(enum ledger_boot_result r)
{
	static const char *const names[] = {"good", "bad", "unproven", "nothing"};

	return names[r];
}

int ledger_boot_path(const char *dir, enum ledger_boot_file what, const struct digest *d,
		     char ret[PATH_MAX])
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(d, hex);
	return snprintf(ret, PATH_MAX, "%s/" LEDGER_BOOT_DIR "/%s%s", dir, hex, endings[what]) <
			       PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

int ledger_boot_name(const char *name, enum ledger_boot_file *ret_what, struct digest *ret)
{
	char hex[DIGEST_HEX_SIZE];

	if (strlen(name) < HEX)
		return -ENOENT;
	memcpy(hex, name, HEX);
	hex[HEX] = 0;
	for (int i = LEDGER_BOOT_LOG; i <= LEDGER_BOOT_MEASURED; i++)
		if (strcmp(name + HEX, endings[i]) == 0 && digest_from_hex(hex, ret) >= 0) {
			*ret_what = (enum ledger_boot_file)i;
			return 0;
		}
	return -ENOENT;
}

void ledger_boot_done(struct ledger_boot *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		buf_done(&b->measured[i]);
	b->n = 0;
}

/* What explains a register explains it whatever its file is called: each digest in it is made anew. */
static int load(struct ledger_boot *b)
{
	char path[PATH_MAX];
	struct dirent *e;
	int r = 0;
	DIR *d;

	if (b->loaded)
		return 0;
	b->loaded = true;
	if (snprintf(path, sizeof(path), "%s/" LEDGER_BOOT_DIR, b->dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	d = opendir(path);
	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while (r >= 0 && b->n < LEDGER_BOOT_MAX && (e = readdir(d)) != NULL) {
		enum ledger_boot_file what;
		struct digest name;

		if (ledger_boot_name(e->d_name, &what, &name) < 0 || what != LEDGER_BOOT_MEASURED)
			continue;
		r = ledger_boot_path(b->dir, what, &name, path);
		if (r >= 0)
			r = fsio_read_plain(b->io, path, MEASURELOG_MAX, &b->measured[b->n]);
		if (r >= 0)
			b->names[b->n++] = name;
		r = r == -EFBIG || r == -EBADMSG ? 0 : r;
	}
	closedir(d);
	return r;
}

/* A log that was kept again later in the same boot leads there, too: each that does is remembered. */
static int leads(struct ledger_boot *b, uint32_t pcr, const struct digest *from,
		 const struct digest *to)
{
	int r = load(b);
	bool found = false;

	for (uint32_t i = 0; i < b->n && r >= 0; i++) {
		struct why why;

		r = measurelog_leads(b->measured[i].data, b->measured[i].size, pcr, from, to, &why);
		found |= r > 0;
		b->led[i] |= r > 0 && !digest_equal(from, to);
	}
	return r < 0 ? r : found;
}

bool ledger_boot_led(const struct ledger_boot *b, const struct digest *name)
{
	for (uint32_t i = 0; i < LEDGER_BOOT_MAX; i++)
		if (b->led[i] && digest_equal(&b->names[i], name))
			return true;
	return false;
}

int ledger_boot_explains(struct ledger_boot *b, uint32_t pcr, const struct digest *found)
{
	const struct digest zero = {{0}};

	return leads(b, pcr, &zero, found);
}

/* Registers of the boot that are quoted and do not hold what values have. */
static uint32_t wrong(const struct quote_pcrs *q, const struct digest *values)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < N_VALUES; i++)
		if ((q->mask & LEDGER_BOOT_PCRS & 1u << i) &&
		    !digest_equal(&q->values[i], &values[i]))
			bits |= 1u << i;
	return bits;
}

static int explain(struct ledger_boot *b, const struct quote_pcrs *q, const struct digest *values,
		   uint32_t *bits)
{
	for (uint32_t i = 0; i < N_VALUES; i++) {
		int r = *bits & 1u << i ? leads(b, i, &values[i], &q->values[i]) : 0;

		if (r < 0)
			return r;
		if (r > 0)
			*bits &= ~(1u << i);
	}
	return 0;
}

/* 1: the registers agree. 0: they do not, or these bytes are no log; why says what. */
static int replay(struct ledger_boot *b, const struct quote_pcrs *q, const struct buf *log,
		  struct bootlog_reading **ret, struct why *ret_why)
{
	struct digest values[N_VALUES];
	uint32_t bits, first;
	int r = bootlog_reading_open(log->data, log->size, ret, ret_why);

	if (r < 0)
		return r == -EBADMSG || r == -E2BIG || r == -EOPNOTSUPP ? 0 : r;
	for (size_t i = 0; i < N_VALUES; i++)
		memcpy(values[i].bytes, bootlog_reading_pcrs(*ret)->values[i], DIGEST_SIZE);
	bits = wrong(q, values);
	r = explain(b, q, values, &bits);
	if (r < 0 || bits == 0)
		return r < 0 ? r : 1;
	first = (uint32_t)__builtin_ctz(bits);
	return bootlog_replay_explain(log->data, log->size, 0, first, q->values[first].bytes,
				      ret_why);
}

static int without_log(const struct quote_pcrs *q, enum ledger_boot_result *ret,
		       struct why *ret_why)
{
	static const struct digest zeros[N_VALUES];

	*ret = wrong(q, zeros) ? LEDGER_BOOT_UNPROVEN : LEDGER_BOOT_NOTHING;
	return why_set(ret_why, 0, "%s",
		       *ret == LEDGER_BOOT_NOTHING
			       ? "nothing was measured, and the node had no log"
			       : "registers were extended, and the node had no log of it");
}

/* The quote is bound to its digest; what is wrong with other bytes is told as far as the registers tell it. */
static int check_digest(const struct buf *log, const struct digest *want, int agrees,
			const struct why *inner, struct why *ret_why)
{
	struct digest is;
	char hex[DIGEST_HEX_SIZE];
	int r = digest_sha256(log->data, log->size, &is);

	if (r < 0)
		return r;
	if (digest_equal(&is, want))
		return agrees > 0 ? 1 : why_set(ret_why, 0, "%s", inner->text);
	digest_hex(want, hex);
	return why_set(
		ret_why, 0, "boot log %.12s is not the one that the quote is bound to: %.150s", hex,
		agrees > 0 ? "the registers agree, so it was changed where none of them covers it"
			   : inner->text);
}

int ledger_boot_check(struct ledger_boot *b, const struct quote_pcrs *pcrs,
		      const struct digest *log, ledger_boot_put_fn put, void *ctx,
		      enum ledger_boot_result *ret, struct why *ret_why)
{
	static const struct digest none;
	CLEANUP(bootlog_reading_free_p) struct bootlog_reading *g = NULL;
	CLEANUP(buf_done) struct buf data = {0};
	struct why inner = {""};
	char path[PATH_MAX], hex[DIGEST_HEX_SIZE];
	int r;

	digest_hex(log, hex);
	/* Of a register that is not quoted nothing is known. */
	if ((pcrs->mask & LEDGER_BOOT_PCRS) != LEDGER_BOOT_PCRS) {
		*ret = LEDGER_BOOT_UNPROVEN;
		return why_set(ret_why, 0, "the quote does not cover PCR 0 to 9 and 14");
	}
	if (digest_equal(log, &none))
		return without_log(pcrs, ret, ret_why);
	r = ledger_boot_path(b->dir, LEDGER_BOOT_LOG, log, path);
	if (r >= 0)
		r = fsio_read_plain(b->io, path, BOOTLOG_MAX, &data);
	if (r == -EBADMSG) {
		*ret = LEDGER_BOOT_BAD;
		return why_set(ret_why, 0, "boot log %.12s is no plain file", hex);
	}
	if (r == -ENOENT) {
		*ret = LEDGER_BOOT_UNPROVEN;
		return why_set(ret_why, 0, "boot log %.12s is absent", hex);
	}
	if (r >= 0 || r == -EFBIG)
		r = r < 0 ? why_set(&inner, 0, "it has more than %u bytes", BOOTLOG_MAX)
			  : replay(b, pcrs, &data, &g, &inner);
	if (r >= 0)
		r = check_digest(&data, log, r, &inner, ret_why);
	if (r < 0)
		return r;
	*ret = r > 0 ? LEDGER_BOOT_GOOD : LEDGER_BOOT_BAD;
	return r > 0 && put ? bootlog_reading_claims(g, put, ctx) : 0;
}
