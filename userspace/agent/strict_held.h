/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strict_held.h: programs that may not run before their measurement is in the PCR, and who waits for that. In: opened programs, the agent's
 * word that one is anchored, the time. Out, through a door: measurements for the agent, answers for the kernel, marks that make later runs
 * free. Nobody waits longer than wait_ms; all is bounded, and what finds no room is answered as a time-out is. Of the keeper alone.
 */
#ifndef PLUMB_STRICT_HELD_H
#define PLUMB_STRICT_HELD_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include "digest.h"

#define STRICT_FILES 256u	/* that are read, or wait for their anchor */
#define STRICT_HOLDS 1024u	/* opens that wait */
#define STRICT_QUOTA 4u		/* one unit has at most 1/4 of both */
#define STRICT_TOLD 64u		/* time-outs that wait to be told one by one; beyond it as a number */
#define STRICT_KNOWN 4096u	/* files remembered in case their mark goes with their inode; a power of two */
#define STRICT_SETTLE_MS 20	/* after its last change a file is left alone: a timer's tick is 10 ms at most, and the change time no finer */
#define STRICT_TRIES 3u		/* of a file that changes while it is measured */

enum strict_kind {
	STRICT_READY = 1,	/* keeper: file systems are marked; error: none is, path says why */
	STRICT_MEASURED = 2,	/* keeper: write this down, and say when it is anchored */
	STRICT_TIMEOUT = 3,	/* keeper: somebody was not waited for any longer */
	STRICT_PONG = 4,	/* keeper: it lives */
	STRICT_GO = 16,		/* agent: mark, hold */
	STRICT_ANCHORED = 17,	/* agent: the measurement `id` is in the PCR */
	STRICT_PING = 18,	/* agent: to be answered */
};

/* What the agent and its keeper say to each other, over a socket that keeps messages apart. Path is the last, and sent as long as it is. */
struct strict_msg {
	uint32_t kind;		/* enum strict_kind */
	uint32_t id;
	uint32_t pid;		/* of one who waits or waited; 0: nobody */
	int32_t error;		/* -errno: it could not be measured */
	uint32_t n;		/* READY: file systems; TIMEOUT: how many this one stands for */
	uint32_t waited_ms;
	uint32_t allowed;	/* TIMEOUT: it ran all the same */
	uint32_t reserved;
	struct digest digest;
	char path[PATH_MAX];
};

struct strict_door {
	void *ctx;
	void (*answer)(void *ctx, int fd, bool allow);
	int (*ignore)(void *ctx, int fd);	/* opens of this file are not asked about until it is modified; who closes it after he could write is told. 0 or -errno */
	void (*unignore)(void *ctx, int fd);
	int (*send)(void *ctx, const struct strict_msg *m);	/* 0; -EAGAIN: not now */
};

struct strict_held;

int strict_held_open(uint32_t wait_ms, bool closed, const struct strict_door *door, struct strict_held **ret);
struct strict_held *strict_held_free(struct strict_held *h);	/* whoever waits may go */
/* unit: whose it is (a user in a cgroup): one has at most a quarter of the room, so that his storm makes nobody else a time-out. Takes fd. */
void strict_held_event(struct strict_held *h, int fd, uint32_t pid, uint64_t unit, uint64_t now_ms);
void strict_held_program(struct strict_held *h, int fd);	/* to be measured, nobody waits; takes fd */
/* Somebody who could write to it has closed it: stores through a mapping are no modification to the kernel. Takes fd. */
void strict_held_closed(struct strict_held *h, int fd);
void strict_held_anchored(struct strict_held *h, uint32_t id);
bool strict_held_work(struct strict_held *h, uint64_t now_ms);	/* a small piece; true: there is more right away */
int strict_held_next_ms(const struct strict_held *h, uint64_t now_ms);	/* until something is due; -1: nothing */
uint32_t strict_held_n_files(const struct strict_held *h);
bool strict_held_wants_to_send(const struct strict_held *h);

#endif
