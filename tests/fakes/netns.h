/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netns.h: network namespaces of a test's own, in each a process that sends every byte back. In: from which one, where to. Out: whether it
 * is reached. What is to be there is waited for as long as a busy machine needs; what is to be cut is given a moment to come through.
 */
#ifndef PLUMB_NETNS_H
#define PLUMB_NETNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NETNS_PORT "4000" /* where it listens, */
#define NETNS_PORT_TOO "4001" /* and here */

/* 0: none can be had here. It ends with the test, and holds nothing of its output open. */
pid_t netns_fork(void);
pid_t netns_end(pid_t at); /* 0: there is none any more */
/* In this process's own namespace; aborts. */
int netns_listen(uint16_t port);

/* from: the process whose namespace it is, 0: this one's own. The socket stays in that namespace; -1: it was not reached in 10 s. */
int netns_connect(pid_t from, const char *host, const char *port);
bool netns_is_there(pid_t from, const char *host, const char *port);
bool netns_is_cut(pid_t from, const char *host, const char *port);
/* A byte comes back on it, or not. */
bool netns_answers(int fd);
bool netns_is_silent(int fd);

#endif
