/* SPDX-License-Identifier: Apache-2.0 */
/* Whose ledger and keys these are: lost, foreign, cloned, corrupt, of before the TPM, of an enrolment that was cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fake_tpm.h"
#include "identity.h"
#include "ledger_write.h"

#define ENROLMENT "client.crt"

struct world {
	char dir[64], ledger[96], state[96];
	struct fake_tpm *tpm, *other;
	struct identity_options o;
	struct identity i;
};

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/plumb-test-identity-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->ledger, sizeof(w->ledger), "%s/ledger", w->dir);
	snprintf(w->state, sizeof(w->state), "%s/state", w->dir);
	assert_int_equal(fake_tpm_open(&w->tpm), 0);
	assert_int_equal(fake_tpm_open(&w->other), 0);
	w->i.lock_fd = -1;
	w->o = (struct identity_options){.io = fsio_system(),
					 .clock = clock_system(),
					 .ledger_dir = w->ledger,
					 .state_dir = w->state,
					 .log_name = "test.example",
					 .pcr_index = 15};
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;
	char command[128];

	identity_done(&w->i);
	fake_tpm_free(w->tpm);
	fake_tpm_free(w->other);
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static int open_by(struct world *w, struct fake_tpm *tpm, struct why *why)
{
	identity_done(&w->i);
	return identity_open(&w->o, tpm ? fake_tpm_door(tpm) : NULL, &w->i, why);
}

static void expect(struct world *w, struct fake_tpm *tpm, int result, const char *text)
{
	struct why why = {""};
	int r = open_by(w, tpm, &why);

	if (r != result || !strstr(why.text, text))
		fail_msg("%d instead of %d: %s", r, result, why.text);
}

static void good(struct world *w, struct fake_tpm *tpm)
{
	expect(w, tpm, 0, "");
}

static void write_file(const struct world *w, const char *dir, const char *name, const char *text)
{
	char path[160];

	(void)w;
	assert_int_equal(fsio_mkdir_all(fsio_system(), dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(fsio_replace_file(fsio_system(), path, text, strlen(text), 0600), 0);
}

static bool exists(const char *dir, const char *name)
{
	char path[192];

	snprintf(path, sizeof(path), "%s%s", dir, name);
	return access(path, F_OK) == 0;
}

static int rename_in(const char *dir, const char *from, const char *to)
{
	char one[160], two[160];

	snprintf(one, sizeof(one), "%s/%s", dir, from);
	snprintf(two, sizeof(two), "%s/%s", dir, to);
	return rename(one, two);
}

/* As an enrolment leaves it: the verifier's record, and the certificate's file. */
static void enrol(struct world *w)
{
	struct record r = {.incarnation = 0};
	struct buf text = {0};
	struct why why = {""};

	assert_int_equal(record_write(&w->i.record, &text), 0);
	assert_int_equal(record_parse(text.data, text.size, &r, &why), 0);
	buf_done(&text);
	r.incarnation = 3;
	snprintf(r.origin, sizeof(r.origin), "v.example/node/%s/3", r.node);
	assert_int_equal(identity_adopt(&w->o, &w->i, &r, &why), 0);
	write_file(w, w->state, ENROLMENT, "a certificate");
}

static void test_alone(void **state)
{
	struct world *w = *state;
	struct stat st;
	char path[128];

	good(w, w->tpm);
	assert_false(w->i.enrolled);
	assert_true(exists(w->ledger, "/record.json"));
	snprintf(path, sizeof(path), "%s/%s", w->state, IDENTITY_KEYS_FILE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(w->state, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	good(w, w->tpm);
	w->o.pcr_index = 14;
	expect(w, w->tpm, -EXDEV, "pcr_index");
	w->o.pcr_index = 15;
	w->o.log_name = "other.example";
	expect(w, w->tpm, -EXDEV, "log_name");
	w->o.log_name = "test.example";
	assert_int_equal(unlink(path), 0);
	expect(w, w->tpm, -EXDEV, "tpm-keys in the state directory was lost");
}

static void test_running(void **state)
{
	struct world *w = *state;
	struct identity second = {.lock_fd = -1};
	struct why why = {""};

	good(w, w->tpm);
	assert_int_equal(identity_open(&w->o, fake_tpm_door(w->tpm), &second, &why), -EALREADY);
	assert_non_null(strstr(why.text, "another plumbd"));
	identity_done(&w->i);
	assert_int_equal(identity_open(&w->o, fake_tpm_door(w->tpm), &second, &why), 0);
	identity_done(&second);
}

static void test_corrupt(void **state)
{
	struct world *w = *state;
	struct why why = {""};
	struct buf text = {0};
	char path[128];

	good(w, w->tpm);
	snprintf(path, sizeof(path), "%s/record.json", w->ledger);
	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, &text), 0);
	for (size_t n = 0; n < text.size - 2; n += 41) {
		assert_int_equal(fsio_replace_file(fsio_system(), path, text.data, n, 0600), 0);
		expect(w, w->tpm, -EBADMSG, "record.json");
	}
	buf_done(&text);
	write_file(w, w->state, IDENTITY_KEYS_FILE, "junk");
	assert_true(open_by(w, w->tpm, &why) < 0);
	write_file(w, w->state, IDENTITY_KEYS_FILE, "");
	assert_true(open_by(w, w->tpm, &why) < 0);
}

static void test_no_tpm(void **state)
{
	struct world *w = *state;

	w->o.enrolment = ENROLMENT;
	expect(w, NULL, -ENODEV, "leave out verifier:");
	fake_tpm_faults(w->tpm)->fail = -EPERM;
	expect(w, w->tpm, -EPERM, "endorsement key");
}

/* An enrolment that is whole is gone on with; one whose certificate is gone begins anew, and the ledger is kept beside. */
static void test_enrolled(void **state)
{
	struct world *w = *state;
	char path[128];

	w->o.enrolment = ENROLMENT;
	good(w, w->tpm);
	assert_false(w->i.enrolled);
	assert_false(exists(w->ledger, "/record.json"));
	enrol(w);
	good(w, w->tpm);
	assert_true(w->i.enrolled);
	assert_int_equal(w->i.record.incarnation, 3);
	assert_non_null(strstr(w->i.origin, "v.example/node/"));
	write_file(w, w->ledger, "mark", "of the first");
	snprintf(path, sizeof(path), "%s/%s", w->state, ENROLMENT);
	assert_int_equal(unlink(path), 0);
	good(w, w->tpm);
	assert_false(w->i.enrolled);
	assert_true(exists(w->ledger, ".0/mark"));
	assert_false(exists(w->ledger, "/mark"));
	assert_true(exists(w->state, "/" IDENTITY_KEYS_FILE));
}

/* Ordered, or lost: other keys, another ledger; what there was is kept, also when the start was cut off between. */
static void test_other_keys(void **state)
{
	struct world *w = *state;
	struct buf before = {0};

	w->o.enrolment = ENROLMENT;
	w->o.rekey = "rekey";
	good(w, w->tpm);
	enrol(w);
	good(w, w->tpm);
	assert_true(w->i.enrolled);
	buf_put(&before, w->i.record.ak_public.data, w->i.record.ak_public.size);
	write_file(w, w->ledger, "mark", "of the first");
	write_file(w, w->state, "client.key", "the same");
	write_file(w, w->state, "rekey", "");
	good(w, w->tpm);
	assert_false(w->i.enrolled);
	assert_false(exists(w->state, "/rekey"));
	assert_true(exists(w->ledger, ".0/mark"));
	assert_true(exists(w->state, "/" IDENTITY_KEYS_FILE ".0"));
	assert_true(exists(w->state, "/" ENROLMENT ".0"));
	assert_true(exists(w->state, "/client.key"));
	assert_true(before.size != w->i.record.ak_public.size ||
		    memcmp(before.data, w->i.record.ak_public.data, before.size) != 0);
	buf_done(&before);
	/* Cut off when all but the mark was aside: it is once, not at each start. */
	write_file(w, w->state, "rekey", "");
	good(w, w->tpm);
	assert_false(exists(w->state, "/rekey"));
	enrol(w);
	good(w, w->tpm);
	assert_true(w->i.enrolled);
	/* The blob is gone. */
	write_file(w, w->ledger, "mark", "of the second");
	assert_int_equal(rename_in(w->state, IDENTITY_KEYS_FILE, "elsewhere"), 0);
	good(w, w->tpm);
	assert_false(w->i.enrolled);
	assert_true(exists(w->ledger, ".1/mark"));
	assert_true(exists(w->state, "/" IDENTITY_KEYS_FILE));
}

/* A copied disk in another machine: nothing that was private to the first is used by the second. */
static void test_cloned(void **state)
{
	static const char *const names[] = {IDENTITY_KEYS_FILE, ENROLMENT, "client.key", "ca.crt",
					    "baseline.jsonl"};
	struct world *w = *state;
	char name[64];

	w->o.enrolment = ENROLMENT;
	w->o.of_machine[0] = "client.key";
	w->o.of_machine[1] = "ca.crt";
	w->o.of_machine[2] = "baseline.jsonl";
	good(w, w->tpm);
	enrol(w);
	for (size_t i = 2; i < 5; i++)
		write_file(w, w->state, names[i], "the first's");
	write_file(w, w->ledger, "mark", "of the first");
	good(w, w->other);
	assert_false(w->i.enrolled);
	assert_true(exists(w->ledger, ".0/mark"));
	for (size_t i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "/%s.0", names[i]);
		assert_true(exists(w->state, name));
		snprintf(name, sizeof(name), "/%s", names[i]);
		/* New keys of its own TPM; the rest comes with its enrolment. */
		assert_int_equal(exists(w->state, name), i == 0);
	}
}

/* Lines of before there was a TPM, or before there was a verifier: they are of another origin than will be given. */
static void test_lines_before(void **state)
{
	struct world *w = *state;
	const struct ledger_options lo = {.io = fsio_system(),
					  .dir = w->ledger,
					  .origin = "test.example/node/aa/0",
					  .create = true};
	struct ledger_recovery found;
	struct ledger *l;
	struct why why = {""};

	assert_int_equal(ledger_open(&lo, &l, &found, &why), 0);
	assert_int_equal(ledger_append(l, "{\"seq\":0}", 9), 0);
	assert_int_equal(ledger_sync(l), 0);
	ledger_free(l);
	w->o.enrolment = ENROLMENT;
	good(w, w->tpm);
	assert_true(exists(w->ledger, ".0"));
	assert_false(exists(w->ledger, "/events-00000000000000000000.jsonl"));
	/* Nothing there: nothing to set aside. */
	good(w, w->tpm);
	assert_false(exists(w->ledger, ".1"));
	write_file(w, w->ledger, "events-00000000000000000000.jsonl", "junk");
	good(w, w->tpm);
	assert_true(exists(w->ledger, ".1"));
}

static void test_boot_log(void **state)
{
	struct world *w = *state;
	struct digest d, none = {{0}};
	char path[128];

	snprintf(path, sizeof(path), "%s/boot-log", w->dir);
	w->o.boot_log = path;
	good(w, w->tpm);
	assert_true(digest_equal(&w->i.boot_log, &none));
	write_file(w, w->dir, "boot-log", "Spec ID Event03");
	good(w, w->tpm);
	assert_int_equal(digest_sha256("Spec ID Event03", 15, &d), 0);
	assert_true(digest_equal(&w->i.boot_log, &d));
}

static int extend(struct world *w, const struct digest *d)
{
	struct tpm *t = fake_tpm_door(w->tpm);

	return t->ops->pcr_extend(t->ctx, 15, d);
}

/* A register that systemd extended before the agent began: explained, or why not; and what is written later explains nothing. */
static void test_measure_log(void **state)
{
	static const char text[] = "machine-id:0123456789abcdef0123456789abcdef";
	struct world *w = *state;
	char path[128], log[512], hex[DIGEST_HEX_SIZE];
	struct digest d, log_digest, none = {{0}};

	snprintf(path, sizeof(path), "%s/measured", w->dir);
	w->o.measure_log = path;
	good(w, w->tpm);
	assert_false(w->i.now.explained);
	assert_true(digest_equal(&w->i.now.measure_log, &none));
	assert_int_equal(digest_sha256(text, strlen(text), &d), 0);
	digest_hex(&d, hex);
	snprintf(log, sizeof(log),
		 "\x1e{\"pcr\":%u,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":\"%s\"}],"
		 "\"content_type\":\"systemd\",\"content\":{\"string\":\"%s\",\"eventType\":"
		 "\"machine-id\"}}\n",
		 15, hex, text);
	write_file(w, w->dir, "measured", log);
	assert_int_equal(digest_sha256(log, strlen(log), &log_digest), 0);
	/* An empty register needs no explanation. */
	good(w, w->tpm);
	assert_true(digest_equal(&w->i.now.measure_log, &log_digest));
	assert_false(w->i.now.explained);
	assert_string_equal(w->i.now.unexplained, "");
	assert_int_equal(extend(w, &d), 0);
	good(w, w->tpm);
	assert_true(w->i.now.explained);
	assert_int_equal(extend(w, &d), 0);
	good(w, w->tpm);
	assert_false(w->i.now.explained);
	assert_non_null(strstr(w->i.now.unexplained, "has 1 records of PCR 15"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(test_alone),	  T(test_running),     T(test_corrupt),	   T(test_no_tpm),
		T(test_enrolled), T(test_cloned),      T(test_other_keys), T(test_lines_before),
		T(test_boot_log), T(test_measure_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
