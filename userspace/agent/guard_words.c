/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_words.h"

#include <inttypes.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

static void put_signal(uint64_t number, char *ret, size_t size)
{
	const char *name = number < NSIG ? sigabbrev_np((int)number) : NULL;

	if (name)
		snprintf(ret, size, "kill:%s", name);
	else
		snprintf(ret, size, "kill:%" PRIu64, number);
}

static void put_rlimit(uint64_t number, char *ret, size_t size)
{
	static const char *const names[] = {
		"cpu",	   "fsize", "data",  "stack",	   "core",     "rss",  "nproc",	 "nofile",
		"memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};

	if (number < ARRAY_SIZE(names))
		snprintf(ret, size, "rlimit:%s", names[number]);
	else
		snprintf(ret, size, "rlimit:%" PRIu64, number);
}

bool guard_words_control(const struct plumb_event_guard *e)
{
	return e->mark & (PLUMB_MARK_GUARD_CGROUP | PLUMB_MARK_GUARD_LIMIT);
}

static void put_file(const struct plumb_event_guard *e, const char *path, char *ret, size_t size)
{
	if (guard_words_control(e))
		snprintf(ret, size, "cgroup:%s", e->name[0] ? e->name : "unknown");
	else
		snprintf(ret, size, "file:%s", path ? path : e->name[0] ? e->name : "unknown");
}

void guard_words_key(const struct plumb_event_guard *e, const char *path, char *ret, size_t size)
{
	static const char *const plain[] = {
		[PLUMB_GUARD_PTRACE] = "ptrace", [PLUMB_GUARD_SCHEDULER] = "scheduler",
		[PLUMB_GUARD_NICE] = "nice",	 [PLUMB_GUARD_IOPRIO] = "ioprio",
		[PLUMB_GUARD_PROG] = "program",	 [PLUMB_GUARD_LINK] = "link",
		[PLUMB_GUARD_MOVED] = "moved",	 [PLUMB_GUARD_FROZEN] = "frozen",
		[PLUMB_GUARD_MOUNT] = "mount",
	};

	switch (e->op) {
	case PLUMB_GUARD_KILL:
		put_signal(e->object, ret, size);
		break;
	case PLUMB_GUARD_RLIMIT:
		put_rlimit(e->object, ret, size);
		break;
	case PLUMB_GUARD_MAP:
		snprintf(ret, size, "map:%s", e->name[0] ? e->name : "unknown");
		break;
	case PLUMB_GUARD_FILE:
		put_file(e, path, ret, size);
		break;
	case PLUMB_GUARD_EXEC:
		snprintf(ret, size, "isolation:exec:%s", e->name[0] ? e->name : "unknown");
		break;
	case PLUMB_GUARD_LOAD:
		snprintf(ret, size, "isolation:load:%s",
			 e->object == PLUMB_LOAD_KEXEC_IMAGE ||
					 e->object == PLUMB_LOAD_KEXEC_INITRAMFS
				 ? "kexec"
				 : "module");
		break;
	case PLUMB_GUARD_BPF:
		snprintf(ret, size, "isolation:bpf:%s",
			 e->object == BPF_PROG_LOAD ? "load" : "attach");
		break;
	default:
		snprintf(ret, size, "%s",
			 e->op < ARRAY_SIZE(plain) && plain[e->op] ? plain[e->op] : "unknown");
		break;
	}
}

const char *guard_words_outcome(const struct plumb_event_guard *e)
{
	return e->outcome == PLUMB_GUARD_DENIED	   ? "denied"
	       : e->outcome == PLUMB_GUARD_ALLOWED ? "allowed"
						   : "seen";
}

const char *guard_words_file_op(const struct plumb_event_guard *e)
{
	switch (e->file_op) {
	case 0:
		return NULL;
	case PLUMB_FILE_OPEN_WRITE:
	case PLUMB_FILE_WRITE:
	case PLUMB_FILE_MMAP:
	case PLUMB_FILE_IOCTL:
		return "write";
	case PLUMB_FILE_UNLINK:
	case PLUMB_FILE_RMDIR:
		return "delete";
	case PLUMB_FILE_RENAME:
		return "moved_to";
	case PLUMB_FILE_SETATTR:
	case PLUMB_FILE_XATTR:
		return "attr";
	default:
		return "create";
	}
}
