/* SPDX-License-Identifier: Apache-2.0 */
/* test_netlink_read.c: messages and attributes, whole and broken, and dumps through the real door. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "../../userspace/agent/netlink_door.h"
#include "netlink_bytes.h"

static void two_messages(struct buf *b)
{
	const uint32_t head = 7;
	size_t at = netlink_bytes_message(b, 20, &head, sizeof(head));

	netlink_bytes_text(b, 3, "eth0");
	netlink_bytes_u32(b, 4 | NLA_F_NET_BYTEORDER, 99);
	netlink_bytes_message_end(b, at);
	at = netlink_bytes_message(b, 21, &head, sizeof(head));
	netlink_bytes_message_end(b, at);
}

static void messages_are_read(void **state)
{
	struct buf b = {0};
	struct buf_reader r, attributes;
	struct netlink_read_message m;
	struct netlink_read_attribute a;
	char text[5];
	uint32_t n;

	(void)state;
	two_messages(&b);
	r = buf_reader_of(b.data, b.size);
	assert_int_equal(netlink_read_message(&r, &m, NULL), 1);
	assert_int_equal(m.type, 20);
	attributes = buf_reader_of(m.body.data, m.body.size);
	attributes.at = 4;
	assert_int_equal(netlink_read_attribute(&attributes, &a, NULL), 1);
	assert_int_equal(a.type, 3);
	assert_int_equal(netlink_read_text(a.data, text, sizeof(text)), 0);
	assert_string_equal(text, "eth0");
	assert_int_equal(netlink_read_text(a.data, text, 4), -EBADMSG);
	assert_int_equal(netlink_read_attribute(&attributes, &a, NULL), 1);
	assert_int_equal(a.type, 4);
	assert_int_equal(netlink_read_u32(a.data, &n), 0);
	assert_int_equal(n, 99);
	a.data.size = 3;
	assert_int_equal(netlink_read_u32(a.data, &n), -EBADMSG);
	assert_int_equal(netlink_read_u32be(a.data, &n), -EBADMSG);
	assert_int_equal(netlink_read_attribute(&attributes, &a, NULL), 0);
	assert_int_equal(netlink_read_message(&r, &m, NULL), 1);
	assert_int_equal(m.type, 21);
	assert_int_equal(netlink_read_message(&r, &m, NULL), 0);
	buf_done(&b);
}

/* Cut anywhere, what is whole is read and the rest is refused: nothing else. */
static void cut_ones_are_refused(void **state)
{
	struct buf b = {0};

	(void)state;
	two_messages(&b);
	for (size_t size = 1; size < b.size; size++) {
		struct buf_reader r = buf_reader_of(b.data, size);
		struct netlink_read_message m;
		struct why why = {""};
		int n = 1, whole = 0;

		while (n > 0) {
			n = netlink_read_message(&r, &m, &why);
			whole += n > 0;
		}
		assert_int_equal(whole, size >= 40 ? 1 : 0);
		assert_int_equal(n, size == 40 ? 0 : -EBADMSG);
		assert_true(n == 0 || why.text[0] != '\0');
	}
	buf_done(&b);
}

static void wrong_lengths_are_refused(void **state)
{
	static const uint32_t lengths[] = {0, 15, 61, UINT32_MAX};
	static const uint16_t small[] = {0, 3, 9, UINT16_MAX};
	uint8_t attribute[8] = {8, 0, 1, 0, 'x', 0, 0, 0};
	struct netlink_read_attribute a;
	struct netlink_read_message m;
	struct buf b = {0};

	(void)state;
	two_messages(&b);
	for (size_t i = 0; i < 4; i++) {
		struct buf_reader r = buf_reader_of(b.data, b.size);

		memcpy(b.data, &lengths[i], sizeof(lengths[i]));
		assert_int_equal(netlink_read_message(&r, &m, NULL), -EBADMSG);
		memcpy(attribute, &small[i], sizeof(small[i]));
		r = buf_reader_of(attribute, sizeof(attribute));
		assert_int_equal(netlink_read_attribute(&r, &a, NULL), -EBADMSG);
	}
	buf_done(&b);
}

static void what_is_not_plain_text_is_marked(void **state)
{
	const uint8_t name[] = {'a', ' ', 0xc3, '\n', 'b'};
	char text[8];

	(void)state;
	assert_int_equal(netlink_read_text((struct buf_view){name, sizeof(name)}, text, 8), 0);
	assert_string_equal(text, "a???b");
}

static int count(void *ctx, const struct netlink_read_message *m, struct why *ret_why)
{
	(void)ret_why;
	*(uint32_t *)ctx += m->type == RTM_NEWLINK;
	return 0;
}

static int refuse(void *ctx, const struct netlink_read_message *m, struct why *ret_why)
{
	(void)ctx;
	(void)m;
	return why_set(ret_why, -E2BIG, "enough");
}

static void a_dump_comes_whole_or_says_why(void **state)
{
	const struct netlink_door_options o = {.name = "test", .protocol = NETLINK_ROUTE};
	const struct ifinfomsg h = {0};
	uint32_t links = 0;
	struct netlink_door_question q = {.type = RTM_GETLINK,
					  .flags = NLM_F_DUMP,
					  .data = &h,
					  .size = sizeof(h),
					  .message = count,
					  .ctx = &links};
	struct netlink_door *d;
	struct why why = {""};

	(void)state;
	assert_int_equal(netlink_door_open(NULL, &o, &d, &why), 0);
	assert_int_equal(netlink_door_ask(d, &q, &why), 0);
	assert_true(links >= 1);
	q.type = RTM_MAX + 1; /* a kind that there is not: the kernel says so */
	assert_int_equal(netlink_door_ask(d, &q, &why), -EOPNOTSUPP);
	q.type = RTM_GETLINK;
	q.message = refuse;
	assert_int_equal(netlink_door_ask(d, &q, &why), -E2BIG);
	assert_string_equal(why.text, "enough");
	netlink_door_free(d);
}

static void a_protocol_that_is_not_there_is_named(void **state)
{
	const struct netlink_door_options o = {.name = "nothing", .protocol = 31};
	struct netlink_door *d;
	struct why why = {""};

	(void)state;
	assert_int_equal(netlink_door_open(NULL, &o, &d, &why), -ENOTSUP);
	assert_memory_equal(why.text, "nothing: ", 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_read),
		cmocka_unit_test(cut_ones_are_refused),
		cmocka_unit_test(wrong_lengths_are_refused),
		cmocka_unit_test(what_is_not_plain_text_is_marked),
		cmocka_unit_test(a_dump_comes_whole_or_says_why),
		cmocka_unit_test(a_protocol_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
