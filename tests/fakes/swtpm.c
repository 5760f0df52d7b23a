/* SPDX-License-Identifier: Apache-2.0 */
#include "swtpm.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int read_line(FILE *f, char *ret, int size)
{
	if (!fgets(ret, size, f))
		return -EIO;
	ret[strcspn(ret, "\n")] = 0;
	return 0;
}

static int start(struct swtpm *s)
{
	char command[128], path[128], number[32] = "";
	FILE *f;
	int r;

	snprintf(command, sizeof(command), "exec tests/swtpm-start %s", s->dir);
	f = popen(command, "r");
	if (!f)
		return -errno;
	r = read_line(f, s->tcti, sizeof(s->tcti));
	if (r >= 0)
		r = read_line(f, s->ca, sizeof(s->ca));
	if (pclose(f) != 0 || r < 0)
		return -EIO;
	snprintf(path, sizeof(path), "%s/pid", s->dir);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	r = read_line(f, number, sizeof(number));
	fclose(f);
	s->pid = (pid_t)strtol(number, NULL, 10);
	return r < 0 || s->pid <= 1 ? -EIO : 0;
}

int swtpm_start(struct swtpm *ret)
{
	struct swtpm s = {.dir = "/tmp/plumb-swtpm-XXXXXX"};
	int r;

	if (!mkdtemp(s.dir))
		return -errno;
	r = start(&s);
	if (r >= 0)
		*ret = s;
	return r;
}

/* Not our child any more: wait until it is gone, at most five seconds. */
static void kill_it(struct swtpm *s)
{
	const struct timespec pause = {0, 10000000};

	if (s->pid <= 1)
		return;
	kill(s->pid, SIGKILL);
	for (int i = 0; i < 500 && kill(s->pid, 0) == 0; i++)
		nanosleep(&pause, NULL);
	s->pid = 0;
}

int swtpm_power_cut(struct swtpm *s)
{
	kill_it(s);
	return start(s);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

void swtpm_stop(struct swtpm *s)
{
	kill_it(s);
	if (s->dir[0])
		nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	s->dir[0] = 0;
}
