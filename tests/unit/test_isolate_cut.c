/* SPDX-License-Identifier: Apache-2.0 */
/* The cut in a real kernel, in network namespaces of the test's own: who is spoken with, what stands is cut, what is taken away is put back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "isolate_cut.h"
#include "netns.h"
#include "scratch.h"

static pid_t other; /* in a namespace of its own */
static pid_t pod; /* in a third one, behind this one */
static const char *proc; /* of the next one; NULL: the real one */

/* "|" in text: the other namespace's number; "%": the pod's. */
static int run(const char *text)
{
	char command[768];
	size_t n = (size_t)snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin; ");

	for (; *text && n + 16 < sizeof(command); text++) {
		if (*text == '|' || *text == '%')
			n += (size_t)sprintf(command + n, "%d", (int)(*text == '|' ? other : pod));
		else
			command[n++] = *text;
	}
	snprintf(command + n, sizeof(command) - n, " 2>/dev/null");
	return system(command);
}

/* What nobody could reach is nothing to be tested. */
static int begin(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return 0;
	other = netns_fork();
	if (!other ||
	    run("ip link set lo up && ip link add v0 type veth peer name v1 netns | && "
		"ip addr add 10.9.0.1/24 dev v0 && ip -6 addr add fd09::1/64 dev v0 nodad && "
		"ip link set v0 up") != 0 ||
	    run("nsenter -t | -n sh -c 'ip link set lo up; ip addr add 10.9.0.2/24 dev v1; "
		"ip addr add 10.9.0.3/24 dev v1; ip -6 addr add fd09::2/64 dev v1 nodad; "
		"ip link set v1 up; ip route replace 10.9.0.1 src 10.9.0.3 dev v1'") != 0 ||
	    run("nft list ruleset >/dev/null") != 0)
		other = netns_end(other);
	return 0;
}

static int end(void **state)
{
	(void)state;
	other = netns_end(other);
	return 0;
}

/* Whatever became of a test: the next one begins without what it made. */
static int restore(void **state)
{
	(void)state;
	proc = NULL;
	if (pod > 0) {
		pod = netns_end(pod);
		run("ip link del p0");
	}
	if (other > 0)
		run("nft flush ruleset; ip link del br0 2>/dev/null; ip link del q0");
	return 0;
}

static void need(void)
{
	if (other > 0)
		return;
	print_message("# no network namespaces with veth and nftables here\n");
	skip();
}

static struct isolate_state isolated;
static unsigned int n_marked;

/* A power cut right after it leaves nothing that is not marked. */
static void on_marked(void *ctx)
{
	(void)ctx;
	n_marked++;
	assert_int_equal(run("case $(nft list tables) in *plumbline_isolation*) exit 1; esac"), 0);
}

static struct isolate_cut *open_cut(const char *const *peers, uint32_t n, const char *verifier)
{
	const struct isolate_cut_options o = {peers, n, verifier, proc, on_marked, NULL};
	struct isolate_cut *c = NULL;
	struct why why = {""};

	if (isolate_cut_open(&o, &c, &why) < 0)
		fail_msg("%s", why.text);
	return c;
}

static void on(struct isolate_cut *c)
{
	struct why why = {""};

	if (isolate_cut_on(c, &isolated, &why) != 0)
		fail_msg("%s", why.text);
}

static void off(struct isolate_cut *c)
{
	struct why why = {""};

	if (isolate_cut_off(c, &isolated, &why) < 0)
		fail_msg("%s", why.text);
}

static void test_cut(void **state)
{
	static const char *const peers[] = {"10.9.0.2:4000"};
	struct isolate_cut *c;
	int two, three, own = -1;

	(void)state;
	need();
	c = open_cut(peers, 1, NULL);
	two = netns_connect(0, "10.9.0.2", "4000");
	three = netns_connect(0, "10.9.0.3", "4000");
	assert_true(netns_answers(two));
	assert_true(netns_answers(three));
	assert_true(netns_is_there(0, "10.9.0.2", "4001"));
	assert_true(netns_is_there(0, "fd09::2", "4000"));
	on(c);
	assert_true(netns_is_there(0, "10.9.0.2", "4000"));
	assert_true(netns_is_cut(0, "10.9.0.2", "4001"));
	assert_true(netns_is_cut(0, "10.9.0.3", "4000"));
	assert_true(netns_is_cut(0, "fd09::2", "4000"));
	assert_true(netns_answers(two));
	assert_true(netns_is_silent(three));
	own = netns_listen(4002);
	assert_true(netns_is_there(0, "127.0.0.1", "4002"));
	assert_true(netns_is_there(0, "::1", "4002"));
	/* What others accept, before it or after it, opens nothing. */
	assert_int_equal(
		run("nft 'add table inet t; add chain inet t a { type filter hook output "
		    "priority 300; policy accept; }; add chain inet t b { type filter hook "
		    "output priority -300; policy accept; }; add rule inet t a accept; add "
		    "rule inet t b accept'"),
		0);
	assert_true(netns_is_cut(0, "10.9.0.3", "4000"));
	assert_int_equal(run("nft delete table inet t"), 0);
	/* Twice is once. */
	on(c);
	assert_true(netns_is_there(0, "10.9.0.2", "4000"));
	off(c);
	assert_true(netns_is_there(0, "10.9.0.3", "4000"));
	assert_true(netns_is_there(0, "fd09::2", "4000"));
	assert_true(netns_answers(three));
	assert_int_not_equal(run("nft list table inet plumbline_isolation >/dev/null"), 0);
	off(c);
	close(two);
	close(three);
	close(own);
	isolate_cut_free(c);
}

/* Neighbours must be found anew for it. */
static void test_version_six(void **state)
{
	static const char *const peers[] = {"[fd09::2]:4000"};
	struct isolate_cut *c;

	(void)state;
	need();
	c = open_cut(peers, 1, NULL);
	on(c);
	assert_int_equal(run("ip -6 neigh flush dev v0; nsenter -t | -n ip -6 neigh flush dev v1"),
			 0);
	assert_true(netns_is_there(0, "fd09::2", "4000"));
	assert_true(netns_is_cut(0, "fd09::2", "4001"));
	assert_true(netns_is_cut(0, "10.9.0.2", "4000"));
	off(c);
	isolate_cut_free(c);
}

/* Whoever begins it from outside must be a peer himself: that our own address is one does not help him. */
static void test_inward(void **state)
{
	static const char *const own[] = {"10.9.0.1", "10.9.0.2"}, *const his[] = {"10.9.0.3"};
	struct isolate_cut *c;
	int fd;

	(void)state;
	need();
	fd = netns_listen(4002);
	assert_true(netns_is_there(other, "10.9.0.1", "4002"));
	c = open_cut(own, 2, NULL);
	on(c);
	assert_true(netns_is_cut(other, "10.9.0.1", "4002"));
	off(c);
	isolate_cut_free(c);
	c = open_cut(his, 1, NULL);
	on(c);
	assert_true(netns_is_there(other, "10.9.0.1", "4002"));
	off(c);
	isolate_cut_free(c);
	close(fd);
}

/* An address that is rewritten on its way (a service's): what was begun with a peer's address is let through, and nothing else to that place. */
static void test_rewritten(void **state)
{
	static const char *const peers[] = {"10.96.0.1:443"};
	struct isolate_cut *c;

	(void)state;
	need();
	if (run("ip route add 10.96.0.0/16 dev v0 && nft 'add table ip nat; add chain ip nat o { "
		"type nat hook output priority -100; }; add rule ip nat o ip daddr 10.96.0.1 tcp "
		"dport 443 dnat to 10.9.0.3:4000'") != 0 ||
	    !netns_is_there(0, "10.96.0.1", "443")) {
		print_message("# no address translation here\n");
		skip();
	}
	c = open_cut(peers, 1, NULL);
	on(c);
	assert_true(netns_is_there(0, "10.96.0.1", "443"));
	assert_true(netns_is_cut(0, "10.9.0.3", "4000"));
	off(c);
	assert_int_equal(run("nft delete table ip nat; ip route del 10.96.0.0/16"), 0);
	isolate_cut_free(c);
}

/* As a node has them: a veth, forwarding, IPv4 with its address rewritten. Only in namespaces of this test's own. */
static bool start_pod(void)
{
	pod = netns_fork();
	return pod &&
	       run("ip link add p0 type veth peer name p1 netns % && ip addr add 10.8.0.1/24 dev "
		   "p0 && ip -6 addr add fd08::1/64 dev p0 nodad && ip link set p0 up") == 0 &&
	       run("nsenter -t % -n sh -c 'ip link set lo up; ip addr add 10.8.0.2/24 dev p1; ip "
		   "-6 addr add fd08::2/64 dev p1 nodad; ip link set p1 up; ip route add default "
		   "via 10.8.0.1; ip -6 route add default via fd08::1'") == 0 &&
	       run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && nft 'add "
		   "table ip pods; add chain ip pods p { type nat hook postrouting priority 100; "
		   "}; add rule ip pods p ip saddr 10.8.0.0/24 masquerade' && nsenter -t | -n ip "
		   "-6 route add fd08::/64 via fd09::1") == 0 &&
	       netns_is_there(pod, "10.9.0.3", "4000");
}

/* What passes through this node for pods is cut too, whoever else is a peer: new, standing, rewritten, of either version. */
static void test_forward(void **state)
{
	static const char *const peers[] = {"10.9.0.2", "fd09::2"};
	struct isolate_cut *c;
	const char *found = NULL;
	struct why why = {""};
	int standing;

	(void)state;
	need();
	if (!start_pod()) {
		print_message("# no forwarding here\n");
		skip();
	}
	assert_true(netns_is_there(pod, "10.9.0.2", "4000"));
	assert_true(netns_is_there(pod, "fd09::2", "4000"));
	assert_true(netns_is_there(other, "fd08::2", "4000"));
	standing = netns_connect(pod, "10.9.0.3", "4000");
	assert_true(netns_answers(standing));
	c = open_cut(peers, 2, NULL);
	on(c);
	assert_true(netns_is_cut(pod, "10.9.0.3", "4000"));
	assert_true(netns_is_cut(pod, "fd09::2", "4000"));
	/* A peer of the node's is none of its pods'. */
	assert_true(netns_is_cut(pod, "10.9.0.2", "4000"));
	assert_true(netns_is_silent(standing));
	assert_true(netns_is_there(0, "10.9.0.2", "4000"));
	assert_true(netns_is_there(0, "fd09::2", "4000"));
	/* From outside to a pod, and what others accept in that hook. */
	assert_int_equal(run("nft 'add table inet t; add chain inet t f { type filter hook forward "
			     "priority 300; policy accept; }; add rule inet t f accept'"),
			 0);
	assert_true(netns_is_cut(pod, "10.9.0.3", "4000"));
	assert_true(netns_is_cut(other, "fd08::2", "4000"));
	/* Somebody flushes every rule: it is free for as long as until the next look, and no longer. */
	assert_int_equal(run("nft flush ruleset"), 0);
	assert_true(netns_is_there(pod, "fd09::2", "4000"));
	assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), 0);
	assert_string_equal(found, "removed");
	assert_true(netns_is_cut(pod, "fd09::2", "4000"));
	/* Another rule set in its place, as iptables-restore or a firewall's start puts one. */
	assert_int_equal(run("nft 'flush ruleset; add table inet firewall; add chain inet firewall "
			     "forward { type filter hook forward priority 0; policy accept; }'"),
			 0);
	assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), 0);
	assert_true(netns_is_cut(pod, "fd09::2", "4000"));
	assert_int_equal(run("nft list table inet firewall >/dev/null"), 0);
	off(c);
	assert_true(netns_is_there(pod, "fd09::2", "4000"));
	close(standing);
	isolate_cut_free(c);
}

/* A bridge of the node's with a pod and the way outside in it, and an address of its own; nothing hands its frames to the node's IP. */
static bool start_bridged(void)
{
	pod = netns_fork();
	if (!pod ||
	    run("ip link add br0 type bridge && ip addr add 10.6.0.1/24 dev br0 && ip link add q0 "
		"master br0 type veth peer name q1 netns | && ip link set q0 up && ip link set br0 "
		"up && nsenter -t | -n sh -c 'ip addr add 10.6.0.2/24 dev q1; ip -6 addr add "
		"fd06::2/64 dev q1 nodad; ip link set q1 up'") != 0 ||
	    run("ip link add p0 master br0 type veth peer name p1 netns % && ip link set p0 "
		"up && nsenter -t % -n sh -c 'ip addr add 10.6.0.3/24 dev p1; ip -6 addr add "
		"fd06::3/64 dev p1 nodad; ip link set p1 up'") != 0)
		return false;
	run("sysctl -qw net.bridge.bridge-nf-call-iptables=0 "
	    "net.bridge.bridge-nf-call-ip6tables=0");
	return true;
}

/* Handed on between a bridge's ports, what comes to no IP; the node itself is on that bridge, too. */
static void test_bridge(void **state)
{
	static const char *const peers[] = {"10.6.0.2:4000"};
	static const char *const changes[] = {
		"nft delete table bridge plumbline_isolation",
		"nft add rule bridge plumbline_isolation forward accept",
		"nft 'add chain bridge plumbline_isolation forward { policy accept; }'",
	};
	const char *found = NULL;
	struct isolate_cut *c;
	struct why why;

	(void)state;
	need();
	if (!start_bridged()) {
		print_message("# no bridges here\n");
		skip();
	}
	assert_true(netns_is_there(pod, "10.6.0.2", "4000"));
	assert_true(netns_is_there(pod, "fd06::2", "4000"));
	assert_true(netns_is_there(0, "10.6.0.2", "4001"));
	c = open_cut(peers, 1, NULL);
	n_marked = 0;
	on(c);
	assert_true(n_marked == 1 && isolated.bridge == ISOLATE_TABLE_OURS);
	assert_true(netns_is_cut(pod, "10.6.0.2", "4000"));
	assert_true(netns_is_cut(pod, "fd06::2", "4000"));
	assert_true(netns_is_there(0, "10.6.0.2", "4000"));
	assert_true(netns_is_cut(0, "10.6.0.2", "4001"));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		assert_int_equal(run(changes[i]), 0);
		assert_true(netns_is_there(pod, "10.6.0.2", "4000"));
		assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), 0);
		assert_string_equal(found, i == 0 ? "removed" : "changed");
		assert_true(netns_is_cut(pod, "10.6.0.2", "4000"));
		assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), 1);
	}
	off(c);
	assert_true(n_marked == 1 && isolated.bridge == ISOLATE_TABLE_NONE);
	assert_true(netns_is_there(pod, "10.6.0.2", "4000"));
	assert_true(netns_is_there(pod, "fd06::2", "4000"));
	assert_int_not_equal(run("nft list table bridge plumbline_isolation >/dev/null"), 0);
	isolate_cut_free(c);
}

static void check(struct isolate_cut *c, const char *want)
{
	const char *found = NULL;
	struct why why = {""};
	int r = isolate_cut_check(c, &isolated, &found, &why);

	assert_int_equal(r, want ? 0 : 1);
	if (want)
		assert_string_equal(found, want);
	assert_true(netns_is_cut(0, "10.9.0.3", "4000"));
	assert_true(netns_is_there(0, "10.9.0.2", "4000"));
}

static void test_put_back(void **state)
{
	static const char *const peers[] = {"10.9.0.2"};
	static const char *const changes[] = {
		"nft add rule inet plumbline_isolation output accept",
		"nft insert rule inet plumbline_isolation input accept",
		"nft flush table inet plumbline_isolation",
		"nft 'add chain inet plumbline_isolation output { policy accept; }'",
		"nft add chain inet plumbline_isolation more",
		"nft 'add table inet plumbline_isolation { flags dormant; }'",
	};
	struct isolate_cut *c;
	struct why why;
	const char *found;

	(void)state;
	need();
	c = open_cut(peers, 1, NULL);
	assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), -ENOENT);
	on(c);
	check(c, NULL);
	assert_int_equal(run("nft delete table inet plumbline_isolation"), 0);
	assert_true(netns_is_there(0, "10.9.0.3", "4000"));
	check(c, "removed");
	check(c, NULL);
	assert_int_equal(run("nft flush ruleset"), 0);
	check(c, "removed");
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		assert_int_equal(run(changes[i]), 0);
		check(c, "changed");
		check(c, NULL);
	}
	/* What is another's is none of ours. */
	assert_int_equal(run("nft add table inet t"), 0);
	check(c, NULL);
	assert_int_equal(run("nft delete table inet t"), 0);
	off(c);
	isolate_cut_free(c);
}

static bool is_followed(void)
{
	return run("case $(nft list table inet plumbline_isolation) in "
		   "*'ct original ip daddr 10.9.0.2 accept'*) ;; *) exit 1; esac") == 0;
}

/* A boot cuts before anything else follows connections: what was rewritten is known once something does. */
static void test_followed_later(void **state)
{
	static const char *const peers[] = {"10.9.0.2"};
	const char *found = NULL;
	char dir[SCRATCH_SIZE];
	struct isolate_cut *c;
	struct why why = {""};

	(void)state;
	need();
	if (run("nft 'add table inet t; add chain inet t a; add rule inet t a ct original ip daddr "
		"10.9.0.2'") != 0) {
		print_message("# connections are not followed here\n");
		skip();
	}
	scratch_open(dir, "cut");
	proc = dir;
	c = open_cut(peers, 1, NULL);
	on(c);
	assert_false(is_followed());
	check(c, NULL);
	scratch_run(dir,
		    "mkdir -p sys/net/netfilter && echo 9 >sys/net/netfilter/nf_conntrack_max");
	check(c, NULL);
	assert_true(is_followed());
	/* Nobody else changed it; what somebody does is told as before. */
	check(c, NULL);
	assert_int_equal(run("nft flush table inet plumbline_isolation"), 0);
	check(c, "changed");
	assert_true(is_followed());
	/* What cannot be made leaves what is, and that is watched on. */
	isolated.n_verifier = 1;
	snprintf(isolated.verifier[0], sizeof(isolated.verifier[0]), "none");
	assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), -EINVAL);
	assert_int_equal(isolate_cut_on(c, &isolated, &why), -EINVAL);
	assert_int_equal(run("nft delete table inet plumbline_isolation"), 0);
	assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), -EINVAL);
	assert_string_equal(found, "removed");
	isolated.n_verifier = 0;
	check(c, NULL);
	off(c);
	isolate_cut_free(c);
	scratch_done(dir);
}

/* What the kernel takes the path to be wide, once one that is too big for it was sent. */
static int sent_mtu(const char *address, bool v6)
{
	const char data[1400] = {0};
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP, only = v6 ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO;
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(4000)};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4000)};
	socklen_t size = sizeof(mtu);

	assert_true(fd >= 0);
	inet_pton(AF_INET6, address, &in6.sin6_addr);
	inet_pton(AF_INET, address, &in.sin_addr);
	setsockopt(fd, level, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &only, sizeof(only));
	assert_int_equal(connect(fd, v6 ? (const void *)&in6 : (const void *)&in,
				 v6 ? sizeof(in6) : sizeof(in)),
			 0);
	for (int i = 0; i < 50; i++) {
		(void)send(fd, data, sizeof(data), 0);
		usleep(20000);
		assert_int_equal(getsockopt(fd, level, v6 ? IPV6_MTU : IP_MTU, &mtu, &size), 0);
		if (mtu < 1400)
			break;
	}
	close(fd);
	return mtu;
}

/* A router behind the link, which is no peer, has a narrower one to where a peer is. */
static void test_narrow_path(void **state)
{
	static const char *const peers[] = {"10.7.0.2:4000", "[fd07::2]:4000"};
	struct isolate_cut *c;

	(void)state;
	need();
	if (run("nsenter -t | -n sh -c 'ip link add d0 type veth peer name d1 && ip link set d1 up "
		"&& ip link set d0 mtu 1300 up && "
		"ip addr add 10.7.0.1/24 dev d0 && ip -6 addr add fd07::1/64 dev d0 nodad && "
		"sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1' && ip route add "
		"10.7.0.0/24 via 10.9.0.2 && ip -6 route add fd07::/64 via fd09::2") != 0) {
		print_message("# no routers here\n");
		skip();
	}
	c = open_cut(peers, 2, NULL);
	on(c);
	assert_int_equal(sent_mtu("10.7.0.2", false), 1300);
	assert_int_equal(sent_mtu("fd07::2", true), 1300);
	off(c);
	assert_int_equal(run("nsenter -t | -n ip link del d0; ip route del 10.7.0.0/24; ip -6 "
			     "route del fd07::/64"),
			 0);
	isolate_cut_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_cut, restore),
		cmocka_unit_test_teardown(test_version_six, restore),
		cmocka_unit_test_teardown(test_inward, restore),
		cmocka_unit_test_teardown(test_rewritten, restore),
		cmocka_unit_test_teardown(test_forward, restore),
		cmocka_unit_test_teardown(test_put_back, restore),
		cmocka_unit_test_teardown(test_bridge, restore),
		cmocka_unit_test_teardown(test_followed_later, restore),
		cmocka_unit_test_teardown(test_narrow_path, restore),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
