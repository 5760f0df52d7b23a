/* SPDX-License-Identifier: Apache-2.0 */
#include "strict_keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "cleanup.h"
#include "fsio.h"
#include "mountinfo.h"
#include "served.h"
#include "strict_held.h"

#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x200
#endif

#define SOCKET_FD 3 /* in the child; all above the next one is closed */
#define GROUP_FD 4
#define EVENTS 64
#define FILES_MAX 4096
#define RISKY_MAX 256
#define UNIT_DEPTH \
	4 /* a pod's container; below them a user's own slices, a container's own cgroups */
#define PROC_PREFIX "/proc/1/root"
#define PROCESSES_A_TURN 16 /* each costs a mount table; who is held waits meanwhile */

struct keeper {
	const struct strict_keeper_options *o;
	struct strict_held *held;
	pid_t agent;
	int mounts; /* /proc/1/mountinfo: readable anew when mounts came or went; -1: not followed */
	DIR *proc; /* programs that run already are measured as there is room; NULL: all are */
	bool going, evictable;
	uint32_t n_marked;
	uint32_t devs[4096]; /* marked in this pass */
	uint32_t n_devs, n_risky;
	char *risky[RISKY_MAX]; /* mount points of this pass that a server stands behind */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void on_answer(void *ctx, int fd, bool allow)
{
	const struct fanotify_response r = {.fd = fd, .response = allow ? FAN_ALLOW : FAN_DENY};

	(void)ctx;
	/* It can fail only when nobody waits any more: killed meanwhile. */
	if (write(GROUP_FD, &r, sizeof(r)) < 0)
		return;
}

static int mark_inode(struct keeper *k, int fd, unsigned int flags, uint64_t mask)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (k->evictable && flags & FAN_MARK_ADD) {
		if (fanotify_mark(GROUP_FD, flags | FAN_MARK_EVICTABLE, mask, AT_FDCWD, path) == 0)
			return 0;
		if (errno != EINVAL)
			return -errno;
		k->evictable = false;
	}
	return fanotify_mark(GROUP_FD, flags, mask, AT_FDCWD, path) == 0 ? 0 : -errno;
}

/* On the inode, until it is modified. Evictable: it does not keep the inode in memory (5.19). Stores through a mapping are no modification. */
static int on_ignore(void *ctx, int fd)
{
	int r = mark_inode(ctx, fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN_EXEC_PERM);

	return r < 0 ? r : mark_inode(ctx, fd, FAN_MARK_ADD, FAN_CLOSE_WRITE);
}

static void on_unignore(void *ctx, int fd)
{
	(void)mark_inode(ctx, fd, FAN_MARK_REMOVE | FAN_MARK_IGNORED_MASK, FAN_OPEN_EXEC_PERM);
	(void)mark_inode(ctx, fd, FAN_MARK_REMOVE, FAN_CLOSE_WRITE);
}

static int on_send(void *ctx, const struct strict_msg *m)
{
	size_t size = offsetof(struct strict_msg, path) + strlen(m->path) + 1;

	(void)ctx;
	return send(SOCKET_FD, m, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

bool strict_keeper_skips(const char *fstype)
{
	static const char *const skipped[] = {
		"proc",	     "sysfs",	   "cgroup",	  "cgroup2", "devpts",	  "mqueue",
		"debugfs",   "tracefs",	   "securityfs",  "pstore",  "bpf",	  "configfs",
		"hugetlbfs", "rpc_pipefs", "binfmt_misc", "nsfs",    "efivarfs",  "selinuxfs",
		"fusectl",   "autofs",	   "nfs",	  "nfs4",    "cifs",	  "smb3",
		"9p",	     "virtiofs",   "ceph",	  "afs",     "glusterfs", "lustre",
		"nfsd",	     "resctrl",	   "smackfs",
	};

	if (strncmp(fstype, "fuse", 4) == 0 && strcmp(fstype, "fuseblk") != 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(skipped); i++)
		if (strcmp(fstype, skipped[i]) == 0)
			return true;
	return false;
}

/* The whole file system, whatever mount and mount namespace it is reached by. */
static int mark(struct keeper *k, const char *path)
{
	if (fanotify_mark(GROUP_FD, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN_EXEC_PERM,
			  AT_FDCWD, path) < 0)
		return -errno;
	k->n_marked++;
	return 0;
}

/* Even to walk through such a mount to one below it may take for ever. */
static bool is_below_risky(const struct keeper *k, const char *point)
{
	for (uint32_t i = 0; i < k->n_risky; i++) {
		size_t n = strlen(k->risky[i]);

		if (strncmp(point, k->risky[i], n) == 0 && point[n] == '/')
			return true;
	}
	return false;
}

bool strict_keeper_has_layer(const char *options, size_t size, const char *point)
{
	size_t n = strlen(point);
	const char *end = options + size, *at = options;

	while ((at = memmem(at, (size_t)(end - at), point, n))) {
		bool begins = at > options && (at[-1] == '=' || at[-1] == ':');
		char after = at + n < end ? at[n] : ',';

		if (begins && (after == '/' || after == ':' || after == ','))
			return true;
		at++;
	}
	return false;
}

/* Images that are pulled as they are read: the kernel opens the layer's file for us. */
static bool is_above_risky(const struct keeper *k, const struct mountinfo_entry *e)
{
	bool found = false;

	for (uint32_t i = 0; i < k->n_risky && !found && strcmp(e->fstype, "overlay") == 0; i++)
		found = strict_keeper_has_layer(e->super, e->super_size, k->risky[i]);
	return found;
}

static void note_risky(struct keeper *k, const struct mountinfo_entry *e)
{
	if (!strict_keeper_skips(e->fstype) || !e->point[1] || e->major != 0 ||
	    k->n_risky == RISKY_MAX)
		return;
	k->risky[k->n_risky] = strdup(e->point);
	k->n_risky += k->risky[k->n_risky] != NULL;
}

static void mark_mount(struct keeper *k, const struct mountinfo_entry *e)
{
	char path[sizeof(PROC_PREFIX) + sizeof(e->point)];
	uint32_t dev = e->major << 20 | e->minor;

	if (strict_keeper_skips(e->fstype) || is_below_risky(k, e->point) || is_above_risky(k, e))
		return;
	for (uint32_t i = 0; i < k->n_devs; i++)
		if (k->devs[i] == dev)
			return;
	snprintf(path, sizeof(path), "%s%s", PROC_PREFIX, e->point);
	/* A mount that another one covers leads to that one; it is reached by another mount, or by nobody. */
	if (mark(k, path) == 0 && k->n_devs < ARRAY_SIZE(k->devs))
		k->devs[k->n_devs++] = dev;
}

static void each_mount(struct keeper *k, const struct buf *text, struct mountinfo_entry *e,
		       void (*fn)(struct keeper *k, const struct mountinfo_entry *e))
{
	const char *at = (const char *)text->data, *end = at ? at + text->size : at;
	struct why why = {""};

	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));

		if (mountinfo_parse(at, (size_t)((lf ? lf : end) - at), e, &why) == 0)
			fn(k, e);
		at = lf ? lf + 1 : end;
	}
}

/*
 * All file systems of the node: a new one (a container's overlay) is marked as soon as its mount is seen. Who may not be asked is known first: such
 * a mount may cover the way to one that was there before it.
 */
static int mark_all(struct keeper *k)
{
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP_FREE struct mountinfo_entry *e = malloc(sizeof(*e));
	int r = e ? fsio_read_file(fsio_system(), "/proc/1/mountinfo", MOUNTINFO_MAX_SIZE, &text)
		  : -ENOMEM;

	k->n_devs = k->n_marked = 0;
	while (k->n_risky > 0)
		free(k->risky[--k->n_risky]);
	if (r < 0)
		return r;
	each_mount(k, &text, e, note_risky);
	each_mount(k, &text, e, mark_mount);
	return r;
}

static int mark_paths(struct keeper *k, const char **ret_path)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < k->o->n_paths; i++) {
		*ret_path = k->o->paths[i];
		r = mark(k, k->o->paths[i]);
	}
	return r;
}

/*
 * Nobody waits for these, and nobody else may have to be waited for: what a server that does not answer stands behind is not opened, for the child
 * would hang in the kernel with all that it holds. pid: in whose mount table it is.
 */
static void measure(struct keeper *k, const char *path, uint32_t pid)
{
	CLEANUP_CLOSE int link = open(path, O_PATH | O_CLOEXEC);
	int fd = link >= 0 && served_check(NULL, pid, link, NULL) == 0 ? served_open(link) : -1;

	if (fd >= 0)
		strict_held_program(k->held, fd);
}

/* The interpreter of dynamic programs: with it what runs already can be started again. */
static int find_interpreter(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct keeper *k = ctx;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			measure(k, (const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr,
				(uint32_t)getpid());
	return 1; /* only the program itself */
}

/*
 * What runs already is measured though nobody waits for it: a TPM's broker, systemd, whatever the ledger's disk needs. Should one of them
 * have to be started again, it is not held for the very extend that needs it. True: there is more to look at, and room for it.
 */
static bool measure_running(struct keeper *k)
{
	uint32_t n = 0;

	while (k->proc && strict_held_n_files(k->held) < STRICT_FILES / 4) {
		const struct dirent *d;
		char path[300];

		if (n == PROCESSES_A_TURN)
			return true;
		d = readdir(k->proc);
		if (!d) {
			closedir(k->proc);
			k->proc = NULL;
			return false;
		}
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/exe", d->d_name);
		measure(k, path, (uint32_t)strtoul(d->d_name, NULL, 10));
		n++;
	}
	return false;
}

static void go(struct keeper *k)
{
	struct strict_msg *m = calloc(1, sizeof(*m));
	const char *path = "/proc/1/mountinfo";
	int r;

	if (!m)
		_exit(1);
	r = k->o->n_paths ? mark_paths(k, &path) : mark_all(k);
	if (r >= 0 && k->n_marked == 0)
		r = -ENOTSUP;
	m->kind = STRICT_READY;
	m->n = k->n_marked;
	m->error = r < 0 ? r : 0;
	snprintf(m->path, sizeof(m->path), "%s", r < 0 ? path : "");
	(void)on_send(k, m);
	free(m);
	k->going = r >= 0;
	if (!k->going)
		return;
	if (!k->o->n_paths)
		k->mounts = open("/proc/1/mountinfo", O_RDONLY | O_CLOEXEC);
	k->proc = opendir("/proc");
	dl_iterate_phdr(find_interpreter, k);
}

/* The agent runs nothing after its start; should it or a child of it ever, it must not wait for itself. */
static bool is_agents(const struct keeper *k, pid_t pid)
{
	CLEANUP(buf_done) struct buf text = {0};
	const char *name_end;
	char path[64];
	int ppid = 0;

	if (pid == k->agent || pid == getpid())
		return true;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fsio_read_file(fsio_system(), path, 4096, &text) < 0)
		return false;
	name_end = memrchr(text.data, ')', text.size);
	return name_end && sscanf(name_end, ") %*c %d", &ppid) == 1 && ppid == k->agent;
}

/* Who shares room with whom: a user, in what lies below the first levels of the cgroups: nobody gets out of that by cgroups of his own. */
static uint64_t unit_of(pid_t pid)
{
	char proc[64], cgroup[CONTAINER_PATH_MAX] = "";
	uint64_t h = 0xcbf29ce484222325ull;
	struct stat st = {.st_uid = 0};
	int depth = 0;

	snprintf(proc, sizeof(proc), "/proc/%d", pid);
	(void)stat(proc, &st);
	(void)cgroups_path_of_pid((uint32_t)pid, cgroup);
	for (const char *c = cgroup; *c && (*c != '/' || depth++ < UNIT_DEPTH); c++)
		h = (h ^ (unsigned char)*c) * 0x100000001b3ull;
	return (h ^ st.st_uid) * 0x100000001b3ull;
}

static void take_events(struct keeper *k)
{
	struct fanotify_event_metadata events[EVENTS], *e = events;
	ssize_t n = read(GROUP_FD, events, sizeof(events));

	for (; n > 0 && FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
		if (e->vers != FANOTIFY_METADATA_VERSION)
			_exit(1); /* another kernel's events: nobody is held any more */
		if (e->fd >= 0 && !(e->mask & FAN_OPEN_EXEC_PERM))
			strict_held_closed(k->held, e->fd);
		if (e->fd < 0 || !(e->mask & FAN_OPEN_EXEC_PERM))
			continue;
		if (is_agents(k, e->pid)) {
			on_answer(k, e->fd, true);
			close(e->fd);
			continue;
		}
		strict_held_event(k->held, e->fd, (uint32_t)e->pid, unit_of(e->pid), now_ms());
	}
}

static void answer_ping(struct keeper *k)
{
	struct strict_msg m;

	memset(&m, 0, offsetof(struct strict_msg, path) + 1);
	m.kind = STRICT_PONG;
	(void)on_send(k, &m); /* a full socket is a sign of life, too */
}

/* false: the agent is gone. */
static bool take_message(struct keeper *k)
{
	struct strict_msg m;
	ssize_t n = recv(SOCKET_FD, &m, sizeof(m), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return false;
	if (n < (ssize_t)offsetof(struct strict_msg, path))
		return true;
	if (m.kind == STRICT_GO && !k->going)
		go(k);
	else if (m.kind == STRICT_ANCHORED)
		strict_held_anchored(k->held, m.id);
	else if (m.kind == STRICT_PING)
		answer_ping(k);
	return true;
}

static void run(struct keeper *k)
{
	bool more = false;

	for (;;) {
		struct pollfd p[] = {{.fd = SOCKET_FD, .events = POLLIN},
				     {.fd = k->going ? GROUP_FD : -1, .events = POLLIN},
				     {.fd = k->mounts, .events = POLLPRI}};
		int wait = more ? 0 : strict_held_next_ms(k->held, now_ms());

		if (strict_held_wants_to_send(k->held))
			p[0].events |= POLLOUT;
		if (poll(p, ARRAY_SIZE(p), wait) < 0 && errno != EINTR)
			return;
		if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) && !take_message(k))
			return;
		if (p[1].revents & POLLIN)
			take_events(k);
		if (p[2].revents & (POLLPRI | POLLERR))
			(void)mark_all(k);
		more = strict_held_work(k->held, now_ms());
		more |= measure_running(k);
	}
}

static void be_keeper(const struct strict_keeper_options *o, pid_t agent)
{
	const struct rlimit files = {FILES_MAX, FILES_MAX};
	struct keeper *k = calloc(1, sizeof(*k));
	const struct strict_door door = {k, on_answer, on_ignore, on_unignore, on_send};

	if (!k || strict_held_open(o->wait_ms, o->closed, &door, &k->held) < 0)
		_exit(1);
	k->o = o;
	k->agent = agent;
	k->mounts = -1;
	k->evictable = true;
	/* A descriptor that cannot be had is a denied exec: there are more of them than what can wait. */
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		_exit(1);
	run(k);
	strict_held_free(k->held);
	_exit(0);
}

/* Nothing of the agent's stays with the child: its lock on the ledger would outlive it. */
static void child(const struct strict_keeper_options *o, pid_t agent, int socket, int group)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != agent)
		_exit(1);
	/* A stop of the whole unit must not free everything before the agent has said that it stops. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN); /* somebody opens what a lease is asked of at this moment */
	prctl(PR_SET_NAME, "plumbd-strict");
	group = fcntl(group, F_DUPFD_CLOEXEC, 16);
	socket = fcntl(socket, F_DUPFD_CLOEXEC, 16);
	if (group < 0 || socket < 0 || dup2(socket, SOCKET_FD) < 0 || dup2(group, GROUP_FD) < 0)
		_exit(1);
	close_range(GROUP_FD + 1, ~0u, 0);
	be_keeper(o, agent);
}

int strict_keeper_start(const struct strict_keeper_options *o, pid_t *ret_pid, int *ret_fd,
			struct why *ret_why)
{
	CLEANUP_CLOSE int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK |
							FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
						O_RDONLY | O_CLOEXEC | O_LARGEFILE | O_NONBLOCK);
	pid_t pid, agent = getpid();
	int pair[2];

	if (group < 0)
		return why_set(ret_why, -errno, "fanotify with permission events: %s",
			       strerror(errno));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return why_set(ret_why, -errno, "socketpair: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child(o, agent, pair[1], group);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return why_set(ret_why, -errno, "fork: %s", strerror(errno));
	}
	*ret_pid = pid;
	*ret_fd = pair[0];
	return 0;
}
