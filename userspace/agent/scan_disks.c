/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_disks.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"

#define SG_MAJOR 21

struct known {
	struct scan_disks_found f;
	uint32_t pass; /* that found it last; 0: the place is free */
};

struct scan_disks {
	struct scan_disks_options o;
	DIR *dir; /* NULL: no pass is under way */
	char pid[24]; /* who is looked at; "": nobody */
	struct buf fds;
	uint32_t pass;
	const char *blind;
	struct known known[SCAN_DISKS_KNOWN];
};

static bool is_disk(const struct held_proc_fd *fd)
{
	return S_ISBLK(fd->mode) || (S_ISCHR(fd->mode) && fd->rdev >> 20 == SG_MAJOR);
}

static bool is_same(const struct scan_disks_found *a, const struct scan_disks_found *b)
{
	return a->pid == b->pid && a->start_ns == b->start_ns && a->dev == b->dev &&
	       a->mode == b->mode;
}

static struct known *place_of(struct scan_disks *d, const struct scan_disks_found *f)
{
	struct known *empty = NULL;

	for (uint32_t i = 0; i < SCAN_DISKS_KNOWN; i++) {
		if (d->known[i].pass != 0 && is_same(&d->known[i].f, f))
			return &d->known[i];
		if (d->known[i].pass == 0 && !empty)
			empty = &d->known[i];
	}
	return empty;
}

static void take(struct scan_disks *d, const struct scan_disks_found *f)
{
	struct known *k = place_of(d, f);

	if (k && k->pass != 0) {
		k->pass = d->pass;
		return;
	}
	if (d->o.found(d->o.ctx, f) && k)
		*k = (struct known){*f, d->pass};
}

static void look_at(struct scan_disks *d, uint32_t pid)
{
	struct scan_disks_found f = {.pid = pid};
	struct line_actor actor;
	struct held_proc_fd fd;

	if (proctab_actor(d->o.proctab, pid, 0, &actor) >= 0)
		f.start_ns = actor.start_ns;
	for (size_t at = 0; at < d->fds.size; at += sizeof(fd)) {
		memcpy(&fd, d->fds.data + at, sizeof(fd));
		if (!is_disk(&fd) || !held_proc_fd_writes(d->o.proc, pid, fd.fd))
			continue;
		f.dev = fd.rdev;
		f.mode = (uint16_t)fd.mode;
		take(d, &f);
	}
}

static void step_process(struct scan_disks *d)
{
	const struct held_proc_want want = {d->o.proc, (uint32_t)strtoul(d->pid, NULL, 10), "fd",
					    SCAN_DISKS_FDS * sizeof(struct held_proc_fd)};
	int r;

	buf_clear(&d->fds);
	r = held_proc_fds(proctab_held(d->o.proctab), &want, &d->fds);
	if (r == -EINPROGRESS)
		return;
	if (held_proc_why(r))
		d->blind = held_proc_why(r);
	else if (r < 0 && r != -ENOENT && r != -ESRCH) /* it ended */
		d->blind = strerrorname_np(-r);
	else if (r >= 0 && want.pid != (uint32_t)getpid())
		look_at(d, want.pid);
	d->pid[0] = '\0';
}

static void end(struct scan_disks *d)
{
	closedir(d->dir);
	d->dir = NULL;
	buf_done(&d->fds);
	/* Of whom could not be looked at it may be so still. */
	for (uint32_t i = 0; i < SCAN_DISKS_KNOWN && !d->blind; i++)
		if (d->known[i].pass != d->pass)
			d->known[i].pass = 0;
}

static int begin(struct scan_disks *d)
{
	d->dir = opendir(d->o.proc ? d->o.proc : "/proc");
	if (!d->dir)
		return -errno;
	d->blind = NULL;
	d->pass++;
	return 0;
}

int scan_disks_step(struct scan_disks *d)
{
	struct dirent *e;
	int r = d->dir ? 0 : begin(d);

	if (r < 0)
		return r;
	if (d->pid[0]) {
		step_process(d);
		return 1;
	}
	do
		e = readdir(d->dir);
	while (e && (e->d_name[strspn(e->d_name, "0123456789")] || strlen(e->d_name) > 20));
	if (e)
		snprintf(d->pid, sizeof(d->pid), "%.20s", e->d_name);
	else
		end(d);
	return e ? 1 : 0;
}

const char *scan_disks_blind(const struct scan_disks *d)
{
	return d->blind;
}

int scan_disks_open(const struct scan_disks_options *o, struct scan_disks **ret)
{
	struct scan_disks *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->o = *o;
	*ret = d;
	return 0;
}

struct scan_disks *scan_disks_free(struct scan_disks *d)
{
	if (!d)
		return NULL;
	if (d->dir)
		closedir(d->dir);
	buf_done(&d->fds);
	free(d);
	return NULL;
}
