/* SPDX-License-Identifier: Apache-2.0 */
#include "proctab.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ancestry.h"
#include "cleanup.h"
#include "shared_texts.h"

#define PROCTAB_KTHREADD 2 /* the parent of all that the kernel runs by itself */
#define NS 1000000000ull
#define NONE UINT32_MAX
#define ENDED_PART 8

/* An ancestor that was found by its number alone is another one as soon as it ends. */
enum listed { NOT_LISTED = 0, LISTED, LISTED_BY_NUMBER };

/* What find() reads lies together: in a burst each process is another cache line, and should not be three. */
struct entry {
	uint32_t pid;
	uint32_t chain; /* next of the same bucket */
	uint64_t start_ns;
	bool used, ended;
	uint8_t listed; /* LISTED: in somebody's ancestry */
	uint32_t ppid;
	uint64_t parent_start_ns;
	struct shared_text *exe; /* NULL: unknown */
	struct shared_text *cgroup; /* NULL: by cgroup_id */
	uint32_t prev, next; /* in the list of its kind (alive or ended), oldest first */
	uint32_t uid, gid;
	uint64_t cgroup_id;
	uint32_t mnt_ns;
	char comm[PLUMB_COMM_SIZE];
};

struct list {
	uint32_t first, last;
};

struct proctab {
	struct entry *entries;
	uint32_t *buckets;
	uint32_t max, n;
	uint32_t shift; /* of a hash of 32 bits, to the number of a bucket */
	struct list alive, ended;
	uint32_t n_ended;
	struct ancestry *ancestry;
	struct shared_texts exes;
	struct cgroups *cgroups;
	struct held_proc *held;
	uint64_t tick_ns; /* /proc gives start times in these */
	uint32_t host_mnt_ns;
};

static void list_remove(struct proctab *p, struct list *l, uint32_t i)
{
	struct entry *e = &p->entries[i];

	if (e->prev != NONE)
		p->entries[e->prev].next = e->next;
	else
		l->first = e->next;
	if (e->next != NONE)
		p->entries[e->next].prev = e->prev;
	else
		l->last = e->prev;
}

static void list_append(struct proctab *p, struct list *l, uint32_t i)
{
	struct entry *e = &p->entries[i];

	e->prev = l->last;
	e->next = NONE;
	if (l->last != NONE)
		p->entries[l->last].next = i;
	else
		l->first = i;
	l->last = i;
}

static struct list *list_of(struct proctab *p, const struct entry *e)
{
	return e->ended ? &p->ended : &p->alive;
}

static uint32_t *bucket_of(struct proctab *p, uint32_t pid)
{
	return &p->buckets[(pid * 2654435761u) >> p->shift];
}

/* /proc knows start times by ticks only, so two are the same process when they fall into the same tick. 0 is not known. */
static bool same_start(const struct proctab *p, uint64_t a, uint64_t b)
{
	return a == b || a == 0 || b == 0 || a / p->tick_ns == b / p->tick_ns;
}

/* The one alive is preferred, else the one that was put last. */
static struct entry *find(struct proctab *p, uint32_t pid, uint64_t start_ns)
{
	struct entry *best = NULL;

	for (uint32_t i = *bucket_of(p, pid); i != NONE; i = p->entries[i].chain) {
		struct entry *e = &p->entries[i];

		if (e->pid != pid || !same_start(p, e->start_ns, start_ns))
			continue;
		if (!e->ended)
			return e;
		if (!best)
			best = e;
	}
	return best;
}

static void changes(struct proctab *p, struct entry *e)
{
	if (e->listed)
		ancestry_changed(p->ancestry);
	e->listed = NOT_LISTED;
}

static void drop(struct proctab *p, uint32_t i)
{
	struct entry *e = &p->entries[i];
	uint32_t *at = bucket_of(p, e->pid);

	changes(p, e);
	while (*at != NONE && *at != i)
		at = &p->entries[*at].chain;
	if (*at == i)
		*at = e->chain;
	list_remove(p, list_of(p, e), i);
	p->n_ended -= e->ended;
	shared_text_drop(e->exe);
	shared_text_drop(e->cgroup);
	memset(e, 0, sizeof(*e));
}

/*
 * A free place; when there is none, the one that ended first, else the one untouched for longest. Of those that ended a part of the
 * table is kept: their names are asked for soon or not at all, and a burst should not go through all of its memory.
 */
static uint32_t take_place(struct proctab *p)
{
	uint32_t i;

	if (p->n < p->max && p->n_ended < p->max / ENDED_PART)
		return p->n++;
	i = p->ended.first != NONE ? p->ended.first : p->alive.first;
	drop(p, i);
	return i;
}

static void end(struct proctab *p, struct entry *e, bool ended)
{
	uint32_t i = (uint32_t)(e - p->entries);

	list_remove(p, list_of(p, e), i);
	p->n_ended += (uint32_t)ended - (uint32_t)e->ended;
	if (e->listed == LISTED_BY_NUMBER)
		changes(p, e);
	e->ended = ended;
	list_append(p, list_of(p, e), i);
}

/* The entry of (pid, start_ns), alive and newest; a process of the same pid with another start has ended. */
static struct entry *put(struct proctab *p, uint32_t pid, uint64_t start_ns)
{
	struct entry *e = find(p, pid, start_ns);
	uint32_t i, *bucket;

	if (!e) {
		struct entry *old = find(p, pid, 0);

		if (old && !old->ended)
			end(p, old, true);
		i = take_place(p);
		e = &p->entries[i];
		bucket = bucket_of(p, pid);
		*e = (struct entry){.pid = pid, .used = true, .chain = *bucket};
		*bucket = i;
		list_append(p, &p->alive, i);
	} else {
		/* An exec by a thread ends the old leader first: the same process goes on. */
		end(p, e, false);
	}
	if (start_ns)
		e->start_ns = start_ns;
	return e;
}

int proctab_open(uint32_t max, struct cgroups *cgroups, struct proctab **ret)
{
	struct proctab *p = calloc(1, sizeof(*p));
	long ticks = sysconf(_SC_CLK_TCK);

	if (!p)
		return -ENOMEM;
	p->max = max ? max : PROCTAB_MAX;
	p->cgroups = cgroups;
	p->tick_ns = NS / (uint64_t)(ticks > 0 ? ticks : 100);
	p->alive = p->ended = (struct list){NONE, NONE};
	p->entries = calloc(p->max, sizeof(*p->entries));
	p->shift = 31;
	while (p->shift > 1 && 1u << (32 - p->shift) < p->max)
		p->shift--;
	p->buckets = malloc(sizeof(*p->buckets) << (32 - p->shift));
	if (!p->entries || !p->buckets || ancestry_open(&p->ancestry) < 0 ||
	    held_proc_open(NULL, &p->held) < 0) {
		proctab_free(p);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < 1u << (32 - p->shift); i++)
		p->buckets[i] = NONE;
	p->host_mnt_ns = cgroups_host_mnt_ns();
	*ret = p;
	return 0;
}

struct proctab *proctab_free(struct proctab *p)
{
	if (!p)
		return NULL;
	for (uint32_t i = 0; p->entries && i < p->n; i++) {
		shared_text_drop(p->entries[i].exe);
		shared_text_drop(p->entries[i].cgroup);
	}
	shared_texts_done(&p->exes);
	ancestry_free(p->ancestry);
	held_proc_free(p->held);
	free(p->entries);
	free(p->buckets);
	free(p);
	return NULL;
}

static void set_exe(struct proctab *p, struct entry *e, const char *exe)
{
	struct shared_text *t = shared_texts_get(&p->exes, exe);

	shared_text_drop(e->exe);
	e->exe = t; /* out of memory: unknown */
}

/* In the same container as its parent: what runs in a mount namespace of its own was put there by a runtime, and is alone in it. */
static struct shared_text *cgroup_of_parent(struct proctab *p, const struct entry *e)
{
	const struct entry *above = find(p, e->ppid, e->parent_start_ns);

	if (!above || above == e || above->mnt_ns != e->mnt_ns || e->mnt_ns == 0 ||
	    e->mnt_ns == p->host_mnt_ns || (e->parent_start_ns == 0 && above->ended))
		return NULL;
	return shared_text_share(above->cgroup);
}

/*
 * With cgroup v1 a container's processes sit in the root of v2, and what /proc says counts, asked once for those in another mount
 * namespace than the host's. One that has ended by then is where its parent is. NULL: not known.
 */
static struct shared_text *find_cgroup(struct proctab *p, const struct entry *e)
{
	const char *path = p->cgroups ? cgroups_path(p->cgroups, e->cgroup_id) : NULL;
	bool host = e->mnt_ns == p->host_mnt_ns && e->mnt_ns != 0;
	char v1[CONTAINER_PATH_MAX];
	struct shared_text *t;

	if (path && (strcmp(path, "/") != 0 || host || !cgroups_has_v1(p->cgroups)))
		return shared_text_cgroup(path);
	if (cgroups_path_of_pid(e->pid, v1) == 0)
		return shared_text_cgroup(v1);
	t = cgroup_of_parent(p, e);
	return t || !path || !host ? t : shared_text_cgroup(path);
}

static void set_cgroup(struct proctab *p, struct entry *e, uint64_t id, uint32_t mnt_ns)
{
	bool scanned = e->cgroup_id == 0 && e->mnt_ns == mnt_ns;
	struct shared_text *found;

	if (e->cgroup && e->cgroup_id == id && e->mnt_ns == mnt_ns)
		return;
	e->cgroup_id = id;
	e->mnt_ns = mnt_ns;
	found = find_cgroup(p, e);
	/* /proc told it without a number, and who is gone by now has no other. */
	if (!found && scanned)
		return;
	shared_text_drop(e->cgroup);
	e->cgroup = found;
}

static void set_task(struct proctab *p, struct entry *e, const struct plumb_task *t)
{
	e->ppid = t->ppid;
	e->uid = t->uid;
	e->gid = t->gid;
	e->parent_start_ns = t->parent_start_ns;
	memcpy(e->comm, t->comm, sizeof(e->comm));
	e->comm[sizeof(e->comm) - 1] = '\0';
	set_cgroup(p, e, t->cgroup_id, t->mnt_ns);
}

void proctab_exec(struct proctab *p, const struct plumb_task *t, const char *exe)
{
	struct entry *e = put(p, t->pid, t->start_ns);

	changes(p, e);
	set_task(p, e, t);
	set_exe(p, e, exe);
}

void proctab_fork(struct proctab *p, const struct plumb_task *parent, uint32_t child_pid,
		  uint64_t child_start_ns)
{
	struct entry *child = put(p, child_pid, child_start_ns);
	/* Looked for after put(), which may have taken the parent's place. */
	struct entry *known = find(p, parent->pid, parent->start_ns);

	if (known == child)
		known = NULL;
	changes(p, child);
	child->ppid = parent->pid;
	child->parent_start_ns = parent->start_ns;
	child->uid = parent->uid;
	child->gid = parent->gid;
	child->cgroup_id = parent->cgroup_id;
	child->mnt_ns = parent->mnt_ns;
	memcpy(child->comm, parent->comm, sizeof(child->comm));
	child->comm[sizeof(child->comm) - 1] = '\0';
	shared_text_drop(child->exe);
	child->exe = known ? shared_text_share(known->exe) : NULL;
	shared_text_drop(child->cgroup);
	/* Of a parent that is elsewhere by now the child's own is looked for; with cgroup v1 the number stays the same. */
	child->cgroup =
		known && known->cgroup_id == parent->cgroup_id && known->mnt_ns == parent->mnt_ns
			? shared_text_share(known->cgroup)
			: NULL;
}

/*
 * There is one ring, and the records of one process lie in it as they were begun, so a later one does not set back what an earlier one
 * said; but for its threads in the very moment of the move, of whom the next record tells again. 0 is not known: its end has begun.
 */
void proctab_seen(struct proctab *p, const struct plumb_task *t)
{
	struct entry *e = find(p, t->pid, t->start_ns), *now;
	uint64_t id = t->cgroup_id || !e ? t->cgroup_id : e->cgroup_id;
	uint32_t mnt_ns = t->mnt_ns || !e ? t->mnt_ns : e->mnt_ns;

	if (e && (e->cgroup_id != id || e->mnt_ns != mnt_ns))
		set_cgroup(p, e, id, mnt_ns);
	if (e || (id == 0 && mnt_ns == 0))
		return;
	now = find(p, t->pid, 0);
	/* Not one that ended long ago: its number is another's. */
	if (!now || now->start_ns <= t->start_ns)
		set_task(p, put(p, t->pid, t->start_ns), t);
}

void proctab_exit(struct proctab *p, uint32_t pid, uint64_t start_ns)
{
	struct entry *e = find(p, pid, start_ns);

	if (e && !e->ended)
		end(p, e, true);
}

/* Of one that was forked, it is looked for when somebody asks. */
static const struct shared_text *cgroup_of(struct proctab *p, struct entry *e)
{
	if (!e->cgroup)
		e->cgroup = find_cgroup(p, e);
	return e->cgroup;
}

static void actor_of(const struct entry *e, struct line_actor *ret)
{
	ret->known = true;
	ret->pid = e->pid;
	ret->ppid = e->ppid;
	ret->uid = e->uid;
	ret->gid = e->gid;
	ret->start_ns = e->start_ns;
	ret->comm = e->comm;
	ret->exe = e->exe ? e->exe->text : NULL;
	if (!e->cgroup)
		return;
	ret->cgroup = e->cgroup->text;
	ret->container = e->cgroup->container.id[0] ? e->cgroup->container.id : NULL;
	ret->pod = e->cgroup->container.pod[0] ? e->cgroup->container.pod : NULL;
}

/* A parent's start that is not known would let a reused pid pass for it: then only one alive counts. */
static struct entry *parent_of(struct proctab *p, const struct entry *e)
{
	struct entry *above = e->ppid ? find(p, e->ppid, e->parent_start_ns) : NULL;

	return !above || above == e || (e->parent_start_ns == 0 && above->ended) ? NULL : above;
}

/* What was found is kept for the next one of the same parent, unless it ends where somebody may still turn up. */
static void find_ancestors(struct proctab *p, const struct entry *e, struct line_actor *ret)
{
	struct entry *above = parent_of(p, e), *chain[LINE_MAX_ANCESTORS];
	uint32_t n = 0, parent = above ? (uint32_t)(above - p->entries) : NONE;
	bool by_number[LINE_MAX_ANCESTORS];

	if (!above || ancestry_find(p->ancestry, parent, ret))
		return;
	for (; above && n < LINE_MAX_ANCESTORS; e = above, above = parent_of(p, e)) {
		ret->ancestors[n].pid = above->pid;
		ret->ancestors[n].comm = above->comm;
		ret->ancestors[n].exe = above->exe ? above->exe->text : NULL;
		by_number[n] = e->parent_start_ns == 0 || above->start_ns == 0;
		chain[n++] = above;
	}
	ret->n_ancestors = n;
	if (!above && e->ppid != 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		if (by_number[i] || !chain[i]->listed)
			chain[i]->listed = by_number[i] ? LISTED_BY_NUMBER : LISTED;
	ancestry_put(p->ancestry, parent, ret);
	(void)ancestry_find(p->ancestry, parent, ret);
}

int proctab_actor(struct proctab *p, uint32_t pid, uint64_t start_ns, struct line_actor *ret)
{
	struct entry *found = find(p, pid, start_ns);

	memset(ret, 0, sizeof(*ret));
	if (!found)
		return -ENOENT;
	(void)cgroup_of(p, found);
	actor_of(found, ret);
	find_ancestors(p, found, ret);
	return 0;
}

bool proctab_is_kernels(const struct line_actor *a)
{
	return a->known && (a->ppid == PROCTAB_KTHREADD ||
			    (a->n_ancestors > 1 && a->ancestors[1].pid == PROCTAB_KTHREADD));
}

void proctab_scope(struct proctab *p, uint32_t pid, uint64_t start_ns, char ret[CGROUPS_SCOPE_SIZE])
{
	struct entry *e = find(p, pid, start_ns);
	const struct shared_text *cgroup = e ? cgroup_of(p, e) : NULL;

	if (cgroup && cgroup->container.id[0])
		snprintf(ret, CGROUPS_SCOPE_SIZE, "container:%s", cgroup->container.id);
	else if (e && !cgroup && e->mnt_ns != p->host_mnt_ns)
		memcpy(ret, "container:unknown", sizeof("container:unknown"));
	else
		memcpy(ret, "host", sizeof("host"));
}

uint32_t proctab_peers(const struct proctab *p, uint32_t mnt_ns, uint32_t but_pid,
		       uint32_t *ret_pids, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = p->alive.first; i != NONE && n < max && mnt_ns; i = p->entries[i].next) {
		const struct entry *e = &p->entries[i];

		if (e->mnt_ns == mnt_ns && e->pid != but_pid)
			ret_pids[n++] = e->pid;
	}
	return n;
}

struct held_proc *proctab_held(const struct proctab *p)
{
	return p->held;
}

uint32_t proctab_n(const struct proctab *p)
{
	return p->n;
}

/* Fields 4 (ppid) and 22 (start) of /proc/PID/stat; the name before them may hold anything, so count from its last ')'. */
static int parse_stat(struct proctab *p, const char *text, struct entry *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	unsigned long long start;
	size_t n;

	if (!open || !close || close < open)
		return -EBADMSG;
	n = (size_t)(close - open - 1);
	if (n >= sizeof(ret->comm))
		n = sizeof(ret->comm) - 1;
	memcpy(ret->comm, open + 1, n);
	if (sscanf(close + 1,
		   " %*c %u %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%llu",
		   &ret->ppid, &start) != 2)
		return -EBADMSG;
	ret->start_ns = start * p->tick_ns;
	return 0;
}

static int read_at(int dir_fd, const char *name, char *ret, size_t size)
{
	CLEANUP_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, size - 1);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return 0;
}

static int scan_one(struct proctab *p, int proc_fd, const char *name, uint32_t pid)
{
	CLEANUP_CLOSE int fd = openat(proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct entry seen = {0}, *e;
	char text[PATH_MAX];
	const char *at;
	ssize_t n;

	if (fd < 0 || read_at(fd, "stat", text, sizeof(text)) < 0 || parse_stat(p, text, &seen) < 0)
		return -ENOENT;
	if (read_at(fd, "status", text, sizeof(text)) == 0) {
		at = strstr(text, "\nUid:");
		if (at)
			(void)sscanf(at, "\nUid: %u", &seen.uid);
		at = strstr(text, "\nGid:");
		if (at)
			(void)sscanf(at, "\nGid: %u", &seen.gid);
	}
	e = find(p, pid, seen.start_ns);
	if (e && e->exe) /* a record told it already, and better */
		return 0;
	e = put(p, pid, e ? e->start_ns : seen.start_ns);
	changes(p, e);
	e->ppid = seen.ppid;
	e->uid = seen.uid;
	e->gid = seen.gid;
	memcpy(e->comm, seen.comm, sizeof(e->comm));
	n = readlinkat(fd, "ns/mnt", text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)sscanf(text, "mnt:[%u]", &e->mnt_ns);
	n = readlinkat(fd, "exe", text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	set_exe(p, e, n > 0 ? text : NULL);
	if (!e->cgroup && cgroups_path_of_pid(pid, text) == 0)
		e->cgroup = shared_text_cgroup(text);
	return 0;
}

int proctab_scan(struct proctab *p, const char *proc)
{
	DIR *dir = opendir(proc);
	int found = 0;

	if (!dir)
		return -errno;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		char *rest;
		unsigned long pid = strtoul(e->d_name, &rest, 10);

		if (!isdigit((unsigned char)e->d_name[0]) || *rest || pid == 0 || pid > INT_MAX)
			continue;
		if (scan_one(p, dirfd(dir), e->d_name, (uint32_t)pid) == 0)
			found++;
	}
	closedir(dir);
	return found;
}
