/* SPDX-License-Identifier: Apache-2.0 */
/* The set of images that ran on a node: what counts, what begins it anew, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "digest.h"
#include "fsio.h"
#include "image_seen.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define BOOT "11111111-1111-1111-1111-111111111111"
#define NEXT "22222222-2222-2222-2222-222222222222"

static struct appraise_drift_item exec_in(const char *scope, const char *layer, uint64_t ns)
{
	return (struct appraise_drift_item){.type = PLUMB_TYPE_EXEC,
					    .scope = scope,
					    .key = "exec:/x",
					    .layer = layer,
					    .utc_ns = ns};
}

static int add(struct image_seen *s, const char *boot, const char *scope, const char *layer,
	       uint64_t ns)
{
	struct appraise_drift_item i = exec_in(scope, layer, ns);

	return image_seen_add(s, boot, &i);
}

static void test_counts(void **state)
{
	struct image_seen *s = calloc(1, sizeof(*s)), *again = malloc(sizeof(*again));
	struct appraise_drift_item i = exec_in("image:" A, "image", 1);
	struct buf b = {0};
	struct why why = {""};

	(void)state;
	assert_int_equal(add(s, BOOT, "host", NULL, 5), 0);
	i.type = PLUMB_TYPE_FILE;
	assert_int_equal(image_seen_add(s, BOOT, &i), 0);
	i = exec_in("image:" A, "image", 1);
	i.finding = PLUMB_FINDING_GAP;
	assert_int_equal(image_seen_add(s, BOOT, &i), 0);
	assert_int_equal(s->n, 0);
	assert_int_equal(add(s, BOOT, "image:" A, "image", 7), 1);
	assert_int_equal(add(s, BOOT, "image:" A, "upper", 9), 1);
	assert_int_equal(add(s, BOOT, "image:" A, "unknown", 8), 1);
	assert_int_equal(add(s, BOOT, "image:" A, NULL, 8), 1);
	assert_int_equal(add(s, BOOT, "container:unknown", "upper", 8), 1);
	assert_int_equal(add(s, BOOT, "image:latest", "image", 8), 1);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->images[0].digest, A);
	assert_int_equal(s->images[0].first_ns, 7);
	assert_int_equal(s->images[0].last_ns, 9);
	assert_int_equal(s->images[0].execs, 4);
	assert_int_equal(s->images[0].upper, 1);
	assert_int_equal(s->images[0].unsure, 2);
	assert_int_equal(s->unnamed, 2);
	s->images[0].listed = true;
	assert_int_equal(image_seen_write(s, &b), 0);
	assert_int_equal(image_seen_parse(b.data, b.size, again, &why), 0);
	assert_memory_equal(s, again, sizeof(*s));
	assert_int_equal(image_seen_judge(again, NULL), 1);
	assert_int_equal(image_seen_judge(again, NULL), 0);
	assert_false(again->images[0].listed);
	/* What ran before the reboot runs no more. */
	assert_int_equal(add(s, NEXT, "container:unknown", NULL, 8), 1);
	assert_int_equal(s->n, 0);
	assert_int_equal(s->unnamed, 1);
	assert_string_equal(s->boot, NEXT);
	for (size_t cut = 1; cut < b.size; cut++)
		assert_int_equal(image_seen_parse(b.data, b.size - cut, again, &why), -EBADMSG);
	buf_done(&b);
	free(again);
	free(s);
}

static void test_bound(void **state)
{
	struct image_seen *s = calloc(1, sizeof(*s)), *again = malloc(sizeof(*again));
	struct buf b = {0};
	struct why why = {""};
	char scope[96];

	(void)state;
	for (unsigned int i = 0; i < IMAGE_SEEN_MAX + 3; i++) {
		snprintf(scope, sizeof(scope), "image:sha256:%064x", i);
		assert_int_equal(add(s, BOOT, scope, "image", INT64_MAX), 1);
	}
	assert_int_equal(s->n, IMAGE_SEEN_MAX);
	assert_int_equal(s->beyond, 3);
	/* Those that have room still count. */
	assert_int_equal(add(s, BOOT,
			     "image:sha256:"
			     "0000000000000000000000000000000000000000000000000000000000000001",
			     "image", 1),
			 1);
	assert_int_equal(s->beyond, 3);
	assert_int_equal(s->images[1].execs, 2);
	assert_int_equal(image_seen_write(s, &b), 0);
	assert_int_equal(image_seen_parse(b.data, b.size, again, &why), 0);
	assert_memory_equal(s, again, sizeof(*s));
	buf_done(&b);
	free(again);
	free(s);
}

/* One whose scopes are of the host and of image A. */
static struct baseline *baseline_of(void)
{
	static const char entry[] = "{\"s\":\"host\",\"k\":\"file:/a\",\"x\":\"y\"}\n";
	char path[] = "/tmp/test-image-seen-XXXXXX", hex[DIGEST_HEX_SIZE], header[512];
	struct baseline *b = NULL;
	struct buf file = {0};
	struct why why = {""};
	struct digest d;
	struct jsonl j;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(digest_sha256(entry, strlen(entry), &d), 0);
	digest_hex(&d, hex);
	snprintf(header, sizeof(header),
		 "{\"v\":1,\"name\":\"b\",\"version\":1,\"created\":\"2026-11-24T00:00:00."
		 "000000000Z\",\"count\":1,\"sha256\":\"%s\",\"scopes\":[\"host\",\"image:" A
		 "\"],\"closed\":[]}",
		 hex);
	jsonl_begin(&j, &file);
	jsonl_base64(&j, "payload", header, strlen(header));
	jsonl_str(&j, "payloadType", WIRE_DSSE_BASELINE);
	jsonl_array(&j, "signatures");
	jsonl_close(&j);
	jsonl_end(&j);
	buf_printf(&file, "\n%s", entry);
	assert_int_equal(write(fd, file.data, file.size), file.size);
	close(fd);
	assert_int_equal(baseline_open(fsio_system(), path, NULL, 0, 0, &b, &why), 0);
	unlink(path);
	buf_done(&file);
	return b;
}

static void test_baseline(void **state)
{
	struct image_seen *s = calloc(1, sizeof(*s));
	struct baseline *b = baseline_of();

	(void)state;
	assert_int_equal(add(s, BOOT, "image:" A, "image", 1), 1);
	assert_int_equal(add(s, BOOT, "image:" B, "image", 1), 1);
	assert_int_equal(image_seen_judge(s, b), 1);
	assert_true(s->images[0].listed);
	assert_false(s->images[1].listed);
	assert_int_equal(image_seen_judge(s, b), 0);
	baseline_free(b);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts),
					   cmocka_unit_test(test_baseline),
					   cmocka_unit_test(test_bound)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
