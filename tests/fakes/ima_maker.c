/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_maker.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "ima_maker: %s failed\n", what);
	abort();
}

void ima_maker_open(struct ima_maker *m)
{
	memset(m, 0, sizeof(*m));
}

void ima_maker_done(struct ima_maker *m)
{
	buf_done(&m->list);
}

static void put_u32le(struct buf *b, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		buf_put_u8(b, (uint8_t)(v >> 8 * i));
}

void ima_maker_field(struct buf *data, const void *field, size_t size)
{
	put_u32le(data, (uint32_t)size);
	buf_put(data, field, size);
}

static void extend(struct ima_maker *m, const struct digest *with)
{
	const struct buf_view parts[] = {{m->pcr[m->n].bytes, DIGEST_SIZE},
					 {with->bytes, DIGEST_SIZE}};

	must(digest_sha256_parts(parts, 2, &m->pcr[m->n + 1]) >= 0, "extend");
}

void ima_maker_raw(struct ima_maker *m, uint32_t pcr, const char *template_name, const void *data,
		   size_t size, bool violation)
{
	uint8_t sha1[20] = {0};
	struct digest with;

	must(m->n < IMA_MAKER_MAX, "room");
	memset(&with, 0xff, sizeof(with));
	if (!violation)
		must(EVP_Digest(data, size, sha1, NULL, EVP_sha1(), NULL) == 1 &&
			     digest_sha256(data, size, &with) >= 0,
		     "digest");
	put_u32le(&m->list, pcr);
	buf_put(&m->list, sha1, sizeof(sha1));
	ima_maker_field(&m->list, template_name, strlen(template_name));
	ima_maker_field(&m->list, data, size);
	must(buf_status(&m->list) >= 0, "memory");
	m->pcr[m->n + 1] = m->pcr[m->n];
	if (pcr == 10)
		extend(m, &with);
	m->n++;
	m->at[m->n] = m->list.size;
}

static void put_entry(struct ima_maker *m, const char *name, const struct digest *d,
		      const struct buf *sig, bool violation)
{
	struct buf data = {0}, field = {0};

	buf_puts(&field, "sha256:");
	buf_put_u8(&field, 0);
	buf_put(&field, d->bytes, DIGEST_SIZE);
	ima_maker_field(&data, field.data, field.size);
	ima_maker_field(&data, name, strlen(name) + 1);
	if (sig)
		ima_maker_field(&data, sig->data, sig->size);
	ima_maker_raw(m, 10, sig ? "ima-sig" : "ima-ng", data.data, data.size, violation);
	buf_done(&field);
	buf_done(&data);
}

void ima_maker_digest(struct ima_maker *m, const char *name, const struct digest *d,
		      const struct buf *sig)
{
	put_entry(m, name, d, sig, false);
}

void ima_maker_file(struct ima_maker *m, const char *name, uint8_t n, const struct buf *sig)
{
	struct digest d;

	memset(d.bytes, n, sizeof(d.bytes));
	put_entry(m, name, &d, sig, false);
}

void ima_maker_violation(struct ima_maker *m, const char *name)
{
	const struct digest none = {{0}};

	put_entry(m, name, &none, NULL, true);
}

void ima_maker_aggregate(struct ima_maker *m, const struct quote_pcrs *pcrs)
{
	struct digest d;

	must(digest_sha256(pcrs->values, 10 * DIGEST_SIZE, &d) >= 0, "digest");
	put_entry(m, "boot_aggregate", &d, NULL, false);
}

struct buf_view ima_maker_from(const struct ima_maker *m, uint32_t from, uint32_t to)
{
	return (struct buf_view){m->list.data + m->at[from], m->at[to] - m->at[from]};
}
