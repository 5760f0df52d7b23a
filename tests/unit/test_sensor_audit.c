/* SPDX-License-Identifier: Apache-2.0 */
/* test_sensor_audit.c: audit records, the numbers that are missing among them, and when a dump is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/audit_serials.h"
#include "../../userspace/agent/dump_due.h"
#include "../../userspace/agent/sensor_audit.h"
#include "netlink_bytes.h"

#define IMA "audit(1763500000.123:456): file=\"/bin/x\" hash=\"sha256:ab\" ppid=1 pid=77 uid=0"
#define MS 1000000ull

static int parse(uint16_t type, const char *text, size_t size, struct sensor_audit_record *ret)
{
	struct why why = {""};
	int r = sensor_audit_parse(type, (struct buf_view){(const uint8_t *)text, size}, ret, &why);

	assert_true(r == 0 || why.text[0] != '\0');
	return r;
}

static void records_are_read(void **state)
{
	static const char bpf[] = "audit(1763500000.123:457): prog-id=12 op=LOAD";
	struct sensor_audit_record a;

	(void)state;
	assert_int_equal(parse(1805, IMA, strlen(IMA), &a), 0);
	assert_string_equal(a.key, "audit:ima");
	assert_int_equal(a.serial, 456);
	assert_int_equal(a.pid, 77);
	assert_int_equal(a.utc_ns, 1763500000123 * MS);
	assert_memory_equal(a.text.data, "file=", 5);
	assert_int_equal(parse(1334, bpf, strlen(bpf), &a), 0);
	assert_string_equal(a.key, "audit:bpf");
	assert_int_equal(a.pid, 0);
	assert_int_equal(a.text.size, strlen("prog-id=12 op=LOAD"));
	assert_int_equal(parse(1300, IMA, strlen(IMA), &a), 0); /* counted, and no line */
	assert_null(a.key);
}

static void broken_records_are_refused(void **state)
{
	static const char *const bad[] = {"",
					  "audit(",
					  "audit(1.2:3",
					  "audit(1.2:)",
					  "audit(.2:3)",
					  "audit(1.2:3x)",
					  "audit(1.2.3)",
					  "audit(1.2:4294967296)",
					  "audit[1.2:3)",
					  "audit(1.2:-3)",
					  "audit(1.99999999999999999999999:3)",
					  "audit(18446744074.1:3)",
					  "audit(1.1000:3)",
					  "Audit(1.2:3)"};
	struct sensor_audit_record a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(parse(1805, bad[i], strlen(bad[i]), &a), -EBADMSG);
	/* Not NUL-terminated: a cut one is refused as long as its number is not whole, and read to its end after that. */
	for (size_t size = 0; size < strlen("audit(1763500000.123:456)"); size++)
		assert_int_equal(parse(1805, IMA, size, &a), -EBADMSG);
	for (size_t size = strlen("audit(1763500000.123:456)"); size < strlen(IMA); size++) {
		assert_int_equal(parse(1805, IMA, size, &a), 0);
		assert_true((const char *)a.text.data + a.text.size == (const char *)a.text.data ||
			    a.text.size < size);
	}
}

static void numbers_may_come_in_disorder(void **state)
{
	struct audit_serials s = {0};
	static const uint32_t order[] = {100, 102, 101, 101, 105, 104, 103, 99, 106};

	(void)state;
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		assert_int_equal(audit_serials_take(&s, order[i]), 0);
	assert_int_equal(s.missing, 0);
	assert_int_equal(audit_serials_give_up(&s, s.top), 0);
}

static void missing_ones_are_given_up_once(void **state)
{
	struct audit_serials s = {0};
	uint32_t lost = 0;

	(void)state;
	assert_int_equal(audit_serials_take(&s, 10), 0);
	assert_int_equal(audit_serials_take(&s, 13), 0);
	assert_int_equal(s.missing, 2);
	assert_int_equal(audit_serials_take(&s, 15), 0);
	assert_int_equal(audit_serials_give_up(&s, 13), 2); /* 14 has time yet */
	assert_int_equal(s.missing, 1);
	for (uint32_t n = 16; n < 16 + 2 * AUDIT_SERIALS_WINDOW; n++)
		lost += audit_serials_take(&s, n);
	assert_int_equal(lost, 1);
	assert_int_equal(audit_serials_take(&s, 14), 0); /* too late */
	assert_int_equal(s.missing, 0);
	/* Far ahead: what lay between is counted, each once. */
	lost = audit_serials_take(&s, s.top + 10 * AUDIT_SERIALS_WINDOW);
	lost += audit_serials_give_up(&s, s.top);
	assert_int_equal(lost, 10 * AUDIT_SERIALS_WINDOW - 1);
}

static void numbers_wrap_around(void **state)
{
	struct audit_serials s = {0};

	(void)state;
	assert_int_equal(audit_serials_take(&s, UINT32_MAX - 1), 0);
	assert_int_equal(audit_serials_take(&s, 2), 0);
	assert_int_equal(audit_serials_take(&s, UINT32_MAX), 0);
	assert_int_equal(audit_serials_give_up(&s, s.top), 2);
}

struct bench {
	uint32_t lines, lost, execs, pid;
	uint64_t utc_ns;
	char key[64], found[256];
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	b->lines++;
	assert_int_equal(l->type, PLUMB_TYPE_AUDIT);
	snprintf(b->key, sizeof(b->key), "%s", l->key);
	snprintf(b->found, sizeof(b->found), "%s", l->found);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)src;
	(void)what;
	((struct bench *)ctx)->lost += (uint32_t)n;
}

static void on_exec(void *ctx, uint32_t pid, uint64_t utc_ns)
{
	struct bench *b = ctx;

	b->execs++;
	b->pid = pid;
	b->utc_ns = utc_ns;
}

static void record(struct sensor_audit *s, uint16_t type, uint32_t serial, const char *text)
{
	struct buf b = {0};
	char all[128];
	int n = snprintf(all, sizeof(all), "audit(1.002:%u): %s", serial, text);
	size_t at = netlink_bytes_message(&b, type, all, (size_t)n);

	netlink_bytes_message_end(&b, at);
	sensor_audit_take(s, b.data, b.size);
	buf_done(&b);
}

static void records_become_lines_and_gaps_losses(void **state)
{
	struct bench b = {0};
	const struct measure_sink sink = {&b, on_line, NULL, on_lost};
	struct sensor_audit_options o = {.clock = clock_system(), .exec = on_exec, .ctx = &b};
	struct event_base *base = event_base_new();
	struct proctab *proctab;
	struct sensor_audit *s;
	struct why why = {""};

	(void)state;
	assert_int_equal(proctab_open(0, NULL, &proctab), 0);
	o.proctab = proctab;
	if (sensor_audit_open(base, &o, &sink, &s, &why) < 0) {
		print_message("# %s\n", why.text);
		proctab_free(proctab);
		event_base_free(base);
		skip();
	}
	/* The loop does not run: nothing of this machine's own comes in between. */
	record(s, 1305, 1000, "op=set audit_enabled=0 old=1 res=1");
	assert_int_equal(b.lines, 1);
	assert_string_equal(b.key, "audit:config");
	assert_memory_equal(b.found, "op=set audit_enabled=0 old=1 res=1", 34);
	record(s, 1400, 1001, "apparmor"); /* not taken, and no gap */
	/* As a rule for execs makes them; the path behind it names no process. */
	record(s, 1300, 1002,
	       "arch=c000003e syscall=59 success=yes exit=0 items=2 ppid=5 pid=77 auid=0");
	assert_int_equal(b.execs, 0);
	record(s, 1309, 1002, "argc=2 a0=\"a\" a1=\"pid=4\"");
	record(s, 1309, 1002, "a2=\"b\"");
	assert_int_equal(b.execs, 1);
	assert_int_equal(b.pid, 77);
	assert_int_equal(b.utc_ns, 1002 * MS);
	assert_int_equal(b.lines, 1);
	record(s, 1334, 1003 + 2 * AUDIT_SERIALS_WINDOW, "prog-id=3 op=UNLOAD");
	assert_int_equal(b.lines, 2);
	assert_true(b.lost > AUDIT_SERIALS_WINDOW && b.lost <= 2 * AUDIT_SERIALS_WINDOW);
	for (uint32_t i = 0; i < 2 * SENSOR_AUDIT_MAX_A_SECOND; i++)
		record(s, 1805, 1004 + 2 * AUDIT_SERIALS_WINDOW + i, "file=x");
	assert_int_equal(b.lines, SENSOR_AUDIT_MAX_A_SECOND);
	/* When the second is over, all that did not become a line is counted. */
	while (b.lost < 2 * AUDIT_SERIALS_WINDOW + SENSOR_AUDIT_MAX_A_SECOND)
		event_base_loop(base, EVLOOP_ONCE);
	sensor_audit_free(s);
	proctab_free(proctab);
	event_base_free(base);
}

static void a_first_change_is_read_at_once_and_a_hundredth_rarely(void **state)
{
	struct dump_due d = {0};
	uint64_t now = 1000 * MS, first = dump_due_wait_ns(&d, now);
	uint32_t readings = 0;

	(void)state;
	assert_int_equal(first, DUMP_DUE_QUIET_MS * MS);
	/* Ten minutes in which it changes all the time. */
	while (now < 600000 * MS) {
		now += dump_due_wait_ns(&d, now);
		dump_due_done(&d, now, now + MS, true);
		readings++;
	}
	assert_in_range(readings, 10, 25);
	/* Quiet for long: at once again. */
	now += 1000 * 1000 * MS;
	assert_int_equal(dump_due_wait_ns(&d, now), DUMP_DUE_QUIET_MS * MS);
}

static void long_readings_are_rare(void **state)
{
	struct dump_due d = {0};
	uint64_t now = 1000 * MS;

	(void)state;
	dump_due_done(&d, now, now + 5000 * MS, false);
	assert_true(dump_due_wait_ns(&d, now + 5000 * MS) >= 95000 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(broken_records_are_refused),
		cmocka_unit_test(numbers_may_come_in_disorder),
		cmocka_unit_test(missing_ones_are_given_up_once),
		cmocka_unit_test(numbers_wrap_around),
		cmocka_unit_test(records_become_lines_and_gaps_losses),
		cmocka_unit_test(a_first_change_is_read_at_once_and_a_hundredth_rarely),
		cmocka_unit_test(long_readings_are_rare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
