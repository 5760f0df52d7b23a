/* SPDX-License-Identifier: Apache-2.0 */
/* The packet filter of an isolated node: its text byte for byte, what counts as a peer, and that the kernel's rules let through just these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "cleanup.h"
#include "fsio.h"
#include "isolate_net.h"

static void same_as(const char *path, const struct buf *b)
{
	struct buf want = {0};

	assert_int_equal(fsio_read_file(fsio_system(), path, 65536, &want), 0);
	/* The file ends with LF. */
	assert_int_equal(want.size, b->size + 1);
	assert_memory_equal(want.data, b->data, b->size);
	buf_done(&want);
}

static void add(struct isolate_net *n, const char *text)
{
	struct isolate_net_peer p;
	struct why why = {""};

	assert_int_equal(isolate_net_peer(text, &p, &why), 0);
	assert_int_equal(isolate_net_add(n, &p), 0);
}

static void test_bytes(void **state)
{
	struct isolate_net n = {.n_peers = 0};
	struct buf b = {0};

	(void)state;
	add(&n, "192.0.2.7:8443");
	add(&n, "198.51.100.0/24");
	add(&n, "[2001:db8::7]:8443");
	add(&n, "2001:db8::9");
	assert_int_equal(isolate_net_make(&n, &b), 0);
	same_as("tests/data/isolation/table.json", &b);
	buf_clear(&b);
	n.conntrack = true;
	assert_int_equal(isolate_net_make(&n, &b), 0);
	same_as("tests/data/isolation/table-conntrack.json", &b);
	buf_clear(&b);
	assert_int_equal(isolate_net_unmake(ISOLATE_NET_INET, &b), 0);
	assert_string_equal(
		(char *)b.data,
		"{\"nftables\":[{\"add\":{\"table\":{\"family\":\"inet\",\"name\":\"plumbline_"
		"isolation\"}}},{\"delete\":{\"table\":{\"family\":\"inet\",\"name\":\"plumbline_"
		"isolation\"}}}]}");
	buf_clear(&b);
	assert_int_equal(isolate_net_make_bridge(&b), 0);
	same_as("tests/data/isolation/table-bridge.json", &b);
	buf_done(&b);
}

static void test_peers(void **state)
{
	static const struct {
		const char *text, *back;
	} good[] = {
		{"10.0.0.1", "10.0.0.1"},
		{"10.0.0.1:1", "10.0.0.1:1"},
		{"10.255.3.4/9", "10.128.0.0/9"},
		{"10.0.0.1/32", "10.0.0.1"},
		{"::1", "::1"},
		{"fe80::1%eth0", NULL},
		{"2001:db8:ffff::1/33", "2001:db8:8000::/33"},
		{"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
		{"", NULL},
		{"10.0.0.1:0", NULL},
		{"10.0.0.1:65536", NULL},
		{"10.0.0.1:", NULL},
		{"10.0.0.1:8a", NULL},
		{"10.0.0.1/33", NULL},
		{"10.0.0.1/0", NULL},
		{"10.0.0.1/-1", NULL},
		{"10.0.0.1/24:80", NULL},
		{"2001:db8::/129", NULL},
		{"[10.0.0.1]:80", NULL},
		{"[2001:db8::1]", NULL},
		{"[2001:db8::1", NULL},
		{"[2001:db8::1]:", NULL},
		{"]:1", NULL},
		{"host.example", NULL},
		{"host:80", NULL},
		{"10.0.0.1 ", NULL},
		{"1111111111111111111111111111111111111111111111111111111111111111", NULL},
	};
	struct isolate_net_peer p;
	char text[ISOLATE_NET_TEXT];
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		why.text[0] = '\0';
		if (!good[i].back) {
			assert_int_equal(isolate_net_peer(good[i].text, &p, &why), -EINVAL);
			assert_int_not_equal(why.text[0], '\0');
			continue;
		}
		assert_int_equal(isolate_net_peer(good[i].text, &p, &why), 0);
		isolate_net_peer_text(&p, text);
		assert_string_equal(text, good[i].back);
	}
}

static void test_many(void **state)
{
	struct isolate_net n = {.n_peers = 0};
	struct isolate_net_peer p;
	struct why why;

	(void)state;
	add(&n, "10.0.0.1");
	add(&n, "10.0.0.1");
	assert_int_equal(n.n_peers, 1);
	assert_int_equal(isolate_net_peer("10.0.0.2", &p, &why), 0);
	while (n.n_peers < ISOLATE_NET_MAX_PEERS) {
		assert_int_equal(isolate_net_add(&n, &p), 0);
		p.port++;
	}
	assert_int_equal(isolate_net_add(&n, &p), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
