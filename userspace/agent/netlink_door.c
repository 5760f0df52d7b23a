/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink_door.h"

#include <errno.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "rested_fd.h"

#define DATAGRAMS_A_TURN 256 /* others on the loop want their turn */
#define SMALL_AT_ONCE 64
#define SMALL_MAX 256u

struct netlink_door {
	struct netlink_door_options o;
	struct nl_sock *sock;
	struct rested_fd *socket;
	void *small; /* SMALL_AT_ONCE places of SMALL_MAX bytes; NULL: they may be of any size */
};

static int errno_of(int r)
{
	return r == -NLE_PERM || r == -NLE_NOACCESS ? -EPERM : -ENOTSUP;
}

/* The bytes of one datagram of the kernel; 0 and NULL for somebody else's. Else libnl's error. */
static int receive(struct netlink_door *d, unsigned char **ret)
{
	struct sockaddr_nl from = {0};
	int n;

	*ret = NULL;
	n = nl_recv(d->sock, &from, ret, NULL);
	if (n > 0 && from.nl_pid == 0)
		return n;
	free(*ret);
	*ret = NULL;
	return n < 0 ? n : 0;
}

int netlink_door_take(struct netlink_door *d)
{
	CLEANUP_FREE unsigned char *data = NULL;
	int n = receive(d, &data);

	if (n == -NLE_AGAIN)
		return 0;
	if (n == -NLE_NOMEM) { /* ENOBUFS: the kernel threw some away */
		d->o.lost(d->o.ctx, "the socket's buffer was full");
		return 1;
	}
	if (n < 0 && n != -NLE_INTR) {
		d->o.lost(d->o.ctx, nl_geterror(n));
		return 0;
	}
	if (data)
		d->o.datagram(d->o.ctx, data, (size_t)n);
	return 1;
}

/* Many at once, of a sender whose datagrams are small: two calls and an allocation for each are most of what it costs to read them. */
static int take_small(struct netlink_door *d)
{
	char(*data)[SMALL_MAX] = (void *)d->small;
	struct mmsghdr headers[SMALL_AT_ONCE] = {0};
	struct sockaddr_nl from[SMALL_AT_ONCE];
	struct iovec parts[SMALL_AT_ONCE];
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		parts[i] = (struct iovec){data[i], SMALL_MAX};
		headers[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
						     .msg_namelen = sizeof(from[i]),
						     .msg_iov = &parts[i],
						     .msg_iovlen = 1};
	}
	n = recvmmsg(nl_socket_get_fd(d->sock), headers, ARRAY_SIZE(headers), MSG_DONTWAIT, NULL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0) {
		d->o.lost(d->o.ctx,
			  errno == ENOBUFS ? "the socket's buffer was full" : strerror(errno));
		return errno == ENOBUFS ? 1 : 0;
	}
	for (int i = 0; i < n; i++) {
		if (headers[i].msg_hdr.msg_namelen != sizeof(from[i]) || from[i].nl_pid != 0)
			continue; /* not the kernel */
		if (headers[i].msg_hdr.msg_flags & MSG_TRUNC)
			d->o.lost(d->o.ctx, "a datagram is larger than they are said to be");
		else
			d->o.datagram(d->o.ctx, data[i], headers[i].msg_len);
	}
	return n;
}

static enum rested_fd_turn on_socket(void *ctx)
{
	struct netlink_door *d = ctx;
	int at_once = d->small ? SMALL_AT_ONCE : 1, n = 0, r;

	do {
		r = d->small ? take_small(d) : netlink_door_take(d);
		n += r;
	} while (r == at_once && n < DATAGRAMS_A_TURN);
	return n >= DATAGRAMS_A_TURN ? RESTED_FD_MORE : n > 0 ? RESTED_FD_ALL : RESTED_FD_NOTHING;
}

/* Past net.core.rmem_max needs CAP_NET_ADMIN; without it as much as is allowed. */
static void set_receive_size(struct netlink_door *d)
{
	int size = (int)(d->o.receive_size ? d->o.receive_size : 4u << 20);
	int fd = nl_socket_get_fd(d->sock);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int connect_sock(struct netlink_door *d, struct why *ret_why)
{
	int r;

	d->sock = nl_socket_alloc();
	if (!d->sock)
		return -ENOMEM;
	nl_socket_disable_seq_check(d->sock);
	nl_socket_disable_auto_ack(d->sock);
	r = nl_connect(d->sock, d->o.protocol);
	if (r < 0)
		return why_set(ret_why, errno_of(r), "%s: %s", d->o.name, nl_geterror(r));
	set_receive_size(d);
	for (size_t i = 0; i < ARRAY_SIZE(d->o.groups) && d->o.groups[i] != 0 && r == 0; i++)
		r = nl_socket_add_memberships(d->sock, (int)d->o.groups[i], 0);
	if (r == 0)
		r = nl_socket_set_nonblocking(d->sock);
	if (r < 0)
		return why_set(ret_why, errno_of(r), "%s: %s", d->o.name, nl_geterror(r));
	return 0;
}

int netlink_door_open(struct event_base *base, const struct netlink_door_options *o,
		      struct netlink_door **ret, struct why *ret_why)
{
	struct netlink_door *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->o = *o;
	if (o->small) {
		d->small = calloc(SMALL_AT_ONCE, SMALL_MAX);
		if (!d->small) {
			free(d);
			return -ENOMEM;
		}
	}
	r = connect_sock(d, ret_why);
	if (r == 0 && base) {
		const struct rested_fd_options socket = {.fd = nl_socket_get_fd(d->sock),
							 .rest_ms = o->rest_ms,
							 .turn = on_socket,
							 .ctx = d};

		r = rested_fd_open(base, &socket, &d->socket);
	}
	if (r < 0) {
		netlink_door_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

struct netlink_door *netlink_door_free(struct netlink_door *d)
{
	if (!d)
		return NULL;
	rested_fd_free(d->socket);
	if (d->sock)
		nl_socket_free(d->sock);
	free(d->small);
	free(d);
	return NULL;
}

int netlink_door_fd(const struct netlink_door *d)
{
	return nl_socket_get_fd(d->sock);
}

int netlink_door_send(struct netlink_door *d, uint16_t type, uint16_t flags, const void *data,
		      size_t size)
{
	int r = nl_send_simple(d->sock, type, flags, (void *)data, size);

	return r == -NLE_NOMEM ? -ENOMEM : r < 0 ? errno_of(r) : 0;
}

/* What ends an answer: an error or an acknowledgement, or the end of a dump, which may carry an error, too. */
static int read_end(const struct netlink_read_message *m, struct why *ret_why)
{
	struct nlmsgerr e = {0};

	if (m->body.size >= sizeof(e.error))
		memcpy(&e.error, m->body.data, sizeof(e.error));
	else if (m->type == NLMSG_ERROR)
		return why_set(ret_why, -EBADMSG, "netlink: an error without its number");
	if (e.error < -4095 || e.error > 0)
		return why_set(ret_why, -EBADMSG, "netlink: error %d is none", e.error);
	return e.error < 0 ? why_set(ret_why, e.error, "netlink: %s", strerror(-e.error)) : 0;
}

struct answer {
	const struct netlink_door_question *q;
	uint32_t seq;
	bool done, changed;
};

static int take_answer(struct answer *a, const void *data, size_t size, struct why *ret_why)
{
	struct buf_reader reader = buf_reader_of(data, size);
	struct netlink_read_message m;
	int r;

	for (;;) {
		r = netlink_read_message(&reader, &m, ret_why);
		if (r <= 0)
			return r;
		if (m.seq != a->seq)
			continue;
		a->changed |= (m.flags & NLM_F_DUMP_INTR) != 0;
		a->done = m.type == NLMSG_DONE || m.type == NLMSG_ERROR;
		r = a->done ? read_end(&m, ret_why) : a->q->message(a->q->ctx, &m, ret_why);
		if (r < 0 || a->done)
			return r;
	}
}

static int send_question(struct netlink_door *d, const struct netlink_door_question *q,
			 uint32_t *ret_seq)
{
	struct nl_msg *msg = nlmsg_alloc_simple(q->type, q->flags | NLM_F_REQUEST);
	int r;

	if (!msg)
		return -ENOMEM;
	r = nlmsg_append(msg, (void *)q->data, q->size, NLMSG_ALIGNTO);
	if (r == 0)
		r = nl_send_auto(d->sock, msg);
	*ret_seq = nlmsg_hdr(msg)->nlmsg_seq;
	nlmsg_free(msg);
	return r < 0 ? -EIO : 0;
}

int netlink_door_ask(struct netlink_door *d, const struct netlink_door_question *q,
		     struct why *ret_why)
{
	struct answer a = {.q = q};
	size_t total = 0;
	int r = send_question(d, q, &a.seq);

	if (r < 0)
		return why_set(ret_why, r, "%s: the question cannot be sent", d->o.name);
	while (!a.done) {
		CLEANUP_FREE unsigned char *data = NULL;
		int n = receive(d, &data);

		if (n == -NLE_INTR)
			continue;
		if (n < 0)
			return why_set(ret_why, -EPROTO, "%s: the answer broke off: %s", d->o.name,
				       nl_geterror(n));
		total += (size_t)n;
		if (total > NETLINK_DOOR_MAX_ANSWER)
			return why_set(ret_why, -EFBIG, "%s: an answer of more than %u bytes",
				       d->o.name, NETLINK_DOOR_MAX_ANSWER);
		r = data ? take_answer(&a, data, (size_t)n, ret_why) : 0;
		if (r < 0)
			return r;
	}
	return a.changed ? why_set(ret_why, -EAGAIN, "%s: it changed while it was read", d->o.name)
			 : 0;
}
