/* SPDX-License-Identifier: Apache-2.0 */
#include "lone_execs.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void lone_execs_note(struct lone_execs *l, uint32_t pid, uint64_t start_ns)
{
	if (l->named < LONE_EXECS_NAMED) {
		l->names[l->named].pid = pid;
		l->names[l->named++].start_ns = start_ns;
	}
	l->n++;
}

static void exe_of(const char *proc, uint32_t pid, char ret[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "%.32s/%u/exe", proc ? proc : "/proc", pid);
	n = readlink(link, ret, PATH_MAX - 1);
	ret[n > 0 ? n : 0] = '\0';
}

void lone_execs_text(const struct lone_execs *l, const char *source, const char *proc,
		     struct buf *b)
{
	char exe[PATH_MAX];

	if (l->n == 0)
		return;
	buf_printf(b, "%sonly %s saw %llu: ", b->size ? "; " : "", source,
		   (unsigned long long)l->n);
	for (uint32_t i = 0; i < l->named; i++) {
		exe_of(proc, l->names[i].pid, exe);
		buf_printf(b, "%spid %u", i ? ", " : "", l->names[i].pid);
		if (l->names[i].start_ns)
			buf_printf(b, " start %llu", (unsigned long long)l->names[i].start_ns);
		buf_printf(b, " %.200s", exe[0] ? exe : "(gone)");
	}
}
