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
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "isolate_cut.h"

#define WAIT_MS 400

static pid_t other; /* in a namespace of its own, where each byte is sent back */

/* "|" in text: the other namespace's number. */
static int run(const char *text)
{
	char command[512], number[16];
	size_t n = (size_t)snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin; ");

	snprintf(number, sizeof(number), "%d", (int)other);
	for (; *text && n + sizeof(number) < sizeof(command); text++) {
		if (*text == '|')
			n += (size_t)snprintf(command + n, sizeof(command) - n, "%s", number);
		else
			command[n++] = *text;
	}
	snprintf(command + n, sizeof(command) - n, " 2>/dev/null");
	return system(command);
}

static int listen_at(uint16_t port)
{
	const struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
	int on = 1, fd = socket(AF_INET6, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const void *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0)
		_exit(9);
	return fd;
}

static void serve(void)
{
	struct pollfd p[32] = {{listen_at(4000), POLLIN, 0}, {listen_at(4001), POLLIN, 0}};
	nfds_t n = 2;
	char c;

	for (;;) {
		poll(p, n, -1);
		for (nfds_t i = 0; i < 2 && n < 32; i++)
			if (p[i].revents)
				p[n++] = (struct pollfd){accept(p[i].fd, NULL, NULL), POLLIN, 0};
		for (nfds_t i = 2; i < n; i++)
			if (p[i].revents &&
			    (read(p[i].fd, &c, 1) != 1 || write(p[i].fd, &c, 1) != 1)) {
				close(p[i].fd);
				p[i--] = p[--n];
			}
	}
}

/* A connected socket, or -1. */
static int reach(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *a;
	struct pollfd p;
	int error = -1;
	socklen_t size = sizeof(error);

	assert_int_equal(getaddrinfo(host, port, &hints, &a), 0);
	p = (struct pollfd){socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0), POLLOUT, 0};
	if (connect(p.fd, a->ai_addr, a->ai_addrlen) == 0)
		error = 0;
	else if (errno == EINPROGRESS && poll(&p, 1, WAIT_MS) == 1)
		getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	freeaddrinfo(a);
	if (error == 0)
		return p.fd;
	close(p.fd);
	return -1;
}

static bool is_there(const char *host, const char *port)
{
	int fd = reach(host, port);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool answers(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};
	char c = 'x';

	return write(fd, &c, 1) == 1 && poll(&p, 1, WAIT_MS) == 1 && read(fd, &c, 1) == 1;
}

/* What nobody could reach is nothing to be tested. */
static int begin(void **state)
{
	int go[2];
	char c = 'x';

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 || pipe(go) < 0)
		return 0;
	other = fork();
	if (other == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(go[1], &c, 1) != 1)
			_exit(9);
		serve();
	}
	if (read(go[0], &c, 1) != 1 ||
	    run("ip link set lo up && ip link add v0 type veth peer name v1 netns | && "
		"ip addr add 10.9.0.1/24 dev v0 && ip -6 addr add fd09::1/64 dev v0 nodad && "
		"ip link set v0 up") != 0 ||
	    run("nsenter -t | -n sh -c 'ip link set lo up; ip addr add 10.9.0.2/24 dev v1; "
		"ip addr add 10.9.0.3/24 dev v1; ip -6 addr add fd09::2/64 dev v1 nodad; "
		"ip link set v1 up; ip route replace 10.9.0.1 src 10.9.0.3 dev v1'") != 0 ||
	    run("nft list ruleset >/dev/null") != 0) {
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
		other = 0;
	}
	close(go[0]);
	close(go[1]);
	/* A link takes a moment. */
	for (int i = 0; other > 0 && i < 50 && !is_there("10.9.0.2", "4000"); i++)
		usleep(100000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (other > 0) {
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
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
	const struct isolate_cut_options o = {peers, n, verifier, NULL, on_marked, NULL};
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
	two = reach("10.9.0.2", "4000");
	three = reach("10.9.0.3", "4000");
	assert_true(answers(two) && answers(three));
	assert_true(is_there("10.9.0.2", "4001") && is_there("fd09::2", "4000"));
	on(c);
	assert_true(is_there("10.9.0.2", "4000"));
	assert_false(is_there("10.9.0.2", "4001"));
	assert_false(is_there("10.9.0.3", "4000"));
	assert_false(is_there("fd09::2", "4000"));
	assert_true(answers(two));
	assert_false(answers(three));
	own = listen_at(4002);
	assert_true(is_there("127.0.0.1", "4002") && is_there("::1", "4002"));
	/* What others accept, before it or after it, opens nothing. */
	assert_int_equal(
		run("nft 'add table inet t; add chain inet t a { type filter hook output "
		    "priority 300; policy accept; }; add chain inet t b { type filter hook "
		    "output priority -300; policy accept; }; add rule inet t a accept; add "
		    "rule inet t b accept'"),
		0);
	assert_false(is_there("10.9.0.3", "4000"));
	assert_int_equal(run("nft delete table inet t"), 0);
	/* Twice is once. */
	on(c);
	assert_true(is_there("10.9.0.2", "4000"));
	off(c);
	assert_true(is_there("10.9.0.3", "4000") && is_there("fd09::2", "4000"));
	assert_true(answers(three));
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
	assert_true(is_there("fd09::2", "4000"));
	assert_false(is_there("fd09::2", "4001"));
	assert_false(is_there("10.9.0.2", "4000"));
	off(c);
	isolate_cut_free(c);
}

#define FROM_OTHER "nsenter -t | -n timeout 0.4 bash -c '</dev/tcp/10.9.0.1/4002'"

/* Whoever begins it from outside must be a peer himself: that our own address is one does not help him. */
static void test_inward(void **state)
{
	static const char *const own[] = {"10.9.0.1", "10.9.0.2"}, *const his[] = {"10.9.0.3"};
	struct isolate_cut *c;
	int fd;

	(void)state;
	need();
	fd = listen_at(4002);
	assert_int_equal(run(FROM_OTHER), 0);
	c = open_cut(own, 2, NULL);
	on(c);
	assert_int_not_equal(run(FROM_OTHER), 0);
	off(c);
	isolate_cut_free(c);
	c = open_cut(his, 1, NULL);
	on(c);
	assert_int_equal(run(FROM_OTHER), 0);
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
	    !is_there("10.96.0.1", "443")) {
		print_message("# no address translation here\n");
		skip();
	}
	c = open_cut(peers, 1, NULL);
	on(c);
	assert_true(is_there("10.96.0.1", "443"));
	assert_false(is_there("10.9.0.3", "4000"));
	off(c);
	assert_int_equal(run("nft delete table ip nat; ip route del 10.96.0.0/16"), 0);
	isolate_cut_free(c);
}

static pid_t pod; /* in a third namespace, behind this one */
/* "%" in text: the pod's number. */
static int run_pod(const char *text)
{
	char command[512], *at = command;

	for (; *text && at < command + sizeof(command) - 16; text++)
		if (*text == '%')
			at += sprintf(at, "%d", (int)pod);
		else
			*at++ = *text;
	*at = 0;
	return run(command);
}

#define IN_POD "nsenter -t % -n "
#define POD_REACHES(host, port) \
	(run_pod(IN_POD "timeout 0.4 bash -c '</dev/tcp/" host "/" port "'") == 0)

static void stop_pod(void)
{
	kill(pod, SIGKILL);
	waitpid(pod, NULL, 0);
	pod = 0;
	run("ip link del p0; rm -f /tmp/plumb-pod-*");
}

static bool fork_pod(void)
{
	int go[2];
	char c = 'x';

	if (pipe(go) < 0)
		return false;
	pod = fork();
	if (pod == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(go[1], &c, 1) != 1)
			_exit(9);
		for (;;)
			pause();
	}
	close(go[1]);
	if (read(go[0], &c, 1) != 1)
		pod = 0;
	close(go[0]);
	return pod > 0;
}

/* As a node has them: a veth, forwarding, IPv4 with its address rewritten. Only in namespaces of this test's own. */
static bool start_pod(void)
{
	if (!fork_pod() ||
	    run_pod("ip link add p0 type veth peer name p1 netns % && ip addr add 10.8.0.1/24 dev "
		    "p0 && ip -6 addr add fd08::1/64 dev p0 nodad && ip link set p0 up") != 0 ||
	    run_pod(IN_POD "sh -c 'ip link set lo up; ip addr add 10.8.0.2/24 dev p1; ip -6 addr "
			   "add fd08::2/64 dev p1 nodad; ip link set p1 up; ip route add default "
			   "via 10.8.0.1; ip -6 route add default via fd08::1'") != 0 ||
	    run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && nft 'add table "
		"ip pods; add chain ip pods p { type nat hook postrouting priority 100; }; add "
		"rule ip pods p ip saddr 10.8.0.0/24 masquerade' && nsenter -t | -n ip -6 route "
		"add fd08::/64 via fd09::1") != 0) {
		stop_pod();
		return false;
	}
	for (int i = 0; i < 50 && !POD_REACHES("10.9.0.3", "4000"); i++)
		usleep(100000);
	return POD_REACHES("10.9.0.3", "4000");
}

static long size_of(const char *path)
{
	FILE *f = fopen(path, "r");
	long size = 0;

	if (!f)
		return 0;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	fclose(f);
	return size;
}

/* Answers on a connection of the pod's that stands: how many came in that time. */
static long pod_heard(unsigned int ms)
{
	long before = size_of("/tmp/plumb-pod-heard");

	usleep(ms * 1000);
	return size_of("/tmp/plumb-pod-heard") - before;
}

/* What passes through this node for pods is cut too, whoever else is a peer: new, standing, rewritten, of either version. */
static void test_forward(void **state)
{
	static const char *const peers[] = {"10.9.0.2", "fd09::2"};
	struct isolate_cut *c;
	const char *found = NULL;
	struct why why = {""};

	(void)state;
	need();
	if (!start_pod()) {
		print_message("# no forwarding here\n");
		skip();
	}
	assert_true(POD_REACHES("10.9.0.2", "4000") && POD_REACHES("fd09::2", "4000"));
	assert_int_equal(
		run_pod(IN_POD "timeout 15 bash -c 'exec 3<>/dev/tcp/10.9.0.3/4000; while printf x "
			       ">&3; do read -t 1 -N 1 -u 3 c && echo -n y; sleep 0.05; done' "
			       "</dev/null >/tmp/plumb-pod-heard 2>&1 &"),
		0);
	usleep(300000);
	assert_true(pod_heard(500) > 0);
	c = open_cut(peers, 2, NULL);
	on(c);
	assert_false(POD_REACHES("10.9.0.3", "4000"));
	assert_false(POD_REACHES("fd09::2", "4000"));
	assert_false(
		POD_REACHES("10.9.0.2", "4000")); /* a peer of the node's is none of its pods' */
	usleep(300000);
	assert_int_equal(pod_heard(1000), 0);
	assert_true(is_there("10.9.0.2", "4000") && is_there("fd09::2", "4000"));
	/* From outside to a pod, and what others accept in that hook. */
	assert_int_equal(run("nft 'add table inet t; add chain inet t f { type filter hook forward "
			     "priority 300; policy accept; }; add rule inet t f accept'"),
			 0);
	assert_false(POD_REACHES("10.9.0.3", "4000"));
	assert_int_not_equal(run("nsenter -t | -n timeout 0.4 bash -c '</dev/tcp/fd08::2/22'"), 0);
	/* Somebody flushes every rule: it is free for as long as until the next look, and no longer. */
	assert_int_equal(run("nft flush ruleset"), 0);
	assert_true(POD_REACHES("fd09::2", "4000"));
	assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), 0);
	assert_string_equal(found, "removed");
	assert_false(POD_REACHES("fd09::2", "4000"));
	/* Another rule set in its place, as iptables-restore or a firewall's start puts one. */
	assert_int_equal(run("nft 'flush ruleset; add table inet firewall; add chain inet firewall "
			     "forward { type filter hook forward priority 0; policy accept; }'"),
			 0);
	assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), 0);
	assert_false(POD_REACHES("fd09::2", "4000"));
	assert_int_equal(run("nft list table inet firewall >/dev/null"), 0);
	off(c);
	assert_true(POD_REACHES("fd09::2", "4000"));
	run("nft flush ruleset");
	stop_pod();
	isolate_cut_free(c);
}

/* A bridge of the node's with a pod and the way outside in it, and an address of its own; nothing hands its frames to the node's IP. */
static bool start_bridged(void)
{
	if (!fork_pod() ||
	    run("ip link add br0 type bridge && ip addr add 10.6.0.1/24 dev br0 && ip link add q0 "
		"master br0 type veth peer name q1 netns | && ip link set q0 up && ip link set br0 "
		"up && nsenter -t | -n sh -c 'ip addr add 10.6.0.2/24 dev q1; ip -6 addr add "
		"fd06::2/64 dev q1 nodad; ip link set q1 up'") != 0 ||
	    run_pod("ip link add p0 master br0 type veth peer name p1 netns % && ip link set p0 "
		    "up && nsenter -t % -n sh -c 'ip addr add 10.6.0.3/24 dev p1; ip -6 addr add "
		    "fd06::3/64 dev p1 nodad; ip link set p1 up'") != 0) {
		stop_pod();
		return false;
	}
	run("sysctl -qw net.bridge.bridge-nf-call-iptables=0 "
	    "net.bridge.bridge-nf-call-ip6tables=0");
	for (int i = 0; i < 50 && !POD_REACHES("10.6.0.2", "4000"); i++)
		usleep(100000);
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
	assert_true(POD_REACHES("10.6.0.2", "4000") && POD_REACHES("fd06::2", "4000"));
	assert_true(is_there("10.6.0.2", "4001"));
	c = open_cut(peers, 1, NULL);
	n_marked = 0;
	on(c);
	assert_true(n_marked == 1 && isolated.bridge == ISOLATE_TABLE_OURS);
	assert_false(POD_REACHES("10.6.0.2", "4000") || POD_REACHES("fd06::2", "4000"));
	assert_true(is_there("10.6.0.2", "4000"));
	assert_false(is_there("10.6.0.2", "4001"));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		assert_int_equal(run(changes[i]), 0);
		assert_true(POD_REACHES("10.6.0.2", "4000"));
		assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), 0);
		assert_string_equal(found, i == 0 ? "removed" : "changed");
		assert_false(POD_REACHES("10.6.0.2", "4000"));
		assert_int_equal(isolate_cut_check(c, &isolated, &found, &why), 1);
	}
	off(c);
	assert_true(n_marked == 1 && isolated.bridge == ISOLATE_TABLE_NONE);
	assert_true(POD_REACHES("10.6.0.2", "4000") && POD_REACHES("fd06::2", "4000"));
	assert_int_not_equal(run("nft list table bridge plumbline_isolation >/dev/null"), 0);
	stop_pod();
	run("ip link del br0; ip link del q0");
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
	assert_false(is_there("10.9.0.3", "4000"));
	assert_true(is_there("10.9.0.2", "4000"));
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
	assert_true(is_there("10.9.0.3", "4000"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),	cmocka_unit_test(test_version_six),
		cmocka_unit_test(test_inward),	cmocka_unit_test(test_rewritten),
		cmocka_unit_test(test_forward), cmocka_unit_test(test_put_back),
		cmocka_unit_test(test_bridge),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
