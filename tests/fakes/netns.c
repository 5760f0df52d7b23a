/* SPDX-License-Identifier: Apache-2.0 */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"

#define THERE_MS 10000 /* a neighbour is asked for again after a second, and a SYN sent again */
#define TRY_MS 1500
#define CUT_MS 400

int netns_listen(uint16_t port)
{
	const struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
	int on = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const void *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0)
		abort();
	return fd;
}

_Noreturn static void serve(int first, int second)
{
	struct pollfd p[32] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
	nfds_t n = 2;
	char c;

	for (;;) {
		poll(p, n, -1);
		for (nfds_t i = 0; i < 2 && n < ARRAY_SIZE(p); i++)
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

/* Whoever reads what the test says waits for no process of it. */
static void let_go_of_output(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		_exit(9);
	for (int i = 0; i < 3; i++)
		if (dup2(fd, i) < 0)
			_exit(9);
}

pid_t netns_fork(void)
{
	int go[2];
	char c = 'x';
	pid_t at, parent = getpid();

	if (pipe2(go, O_CLOEXEC) < 0)
		return 0;
	at = fork();
	if (at == 0) {
		let_go_of_output();
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
		    unshare(CLONE_NEWNET) < 0)
			_exit(9);
		int first = netns_listen((uint16_t)atoi(NETNS_PORT));
		int second = netns_listen((uint16_t)atoi(NETNS_PORT_TOO));

		if (write(go[1], &c, 1) != 1)
			_exit(9);
		close(go[0]);
		close(go[1]);
		serve(first, second);
	}
	close(go[1]);
	if (at > 0 && read(go[0], &c, 1) != 1)
		at = netns_end(at);
	close(go[0]);
	return at > 0 ? at : 0;
}

pid_t netns_end(pid_t at)
{
	if (at > 0) {
		kill(at, SIGKILL);
		waitpid(at, NULL, 0);
	}
	return 0;
}

/* A socket belongs to the namespace that it was made in. */
static int socket_of(pid_t from, int family)
{
	CLEANUP_CLOSE int own = -1, his = -1;
	char path[32];
	int fd;

	if (from > 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)from);
		own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		his = open(path, O_RDONLY | O_CLOEXEC);
		if (own < 0 || his < 0 || setns(his, CLONE_NEWNET) < 0)
			abort();
	}
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || (from > 0 && setns(own, CLONE_NEWNET) < 0))
		abort();
	return fd;
}

static int connect_once(pid_t from, const char *host, const char *port, int wait_ms)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *a;
	struct pollfd p = {.events = POLLOUT};
	int error = -1;
	socklen_t size = sizeof(error);

	if (getaddrinfo(host, port, &hints, &a) != 0)
		abort();
	p.fd = socket_of(from, a->ai_family);
	if (connect(p.fd, a->ai_addr, a->ai_addrlen) == 0)
		error = 0;
	else if (errno == EINPROGRESS && poll(&p, 1, wait_ms) == 1)
		getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	freeaddrinfo(a);
	if (error == 0)
		return p.fd;
	close(p.fd);
	return -1;
}

int netns_connect(pid_t from, const char *host, const char *port)
{
	uint64_t until = clock_boot_ns(clock_system()) + THERE_MS * 1000000ull;
	int fd;

	for (;;) {
		fd = connect_once(from, host, port, TRY_MS);
		if (fd >= 0 || clock_boot_ns(clock_system()) >= until)
			return fd;
		usleep(50000); /* a link takes a moment, and says so at once */
	}
}

bool netns_is_there(pid_t from, const char *host, const char *port)
{
	CLEANUP_CLOSE int fd = netns_connect(from, host, port);

	return fd >= 0;
}

bool netns_is_cut(pid_t from, const char *host, const char *port)
{
	CLEANUP_CLOSE int fd = connect_once(from, host, port, CUT_MS);

	return fd < 0;
}

static bool answers_within(int fd, int wait_ms)
{
	struct pollfd p = {fd, POLLIN, 0};
	char c = 'x';

	return write(fd, &c, 1) == 1 && poll(&p, 1, wait_ms) == 1 && read(fd, &c, 1) == 1;
}

bool netns_answers(int fd)
{
	return answers_within(fd, THERE_MS);
}

bool netns_is_silent(int fd)
{
	return !answers_within(fd, CUT_MS);
}
