/* SPDX-License-Identifier: Apache-2.0 */
#include "hash_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fsverity.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs_lives.h"
#include "served.h"
#include "served_walk.h"

#define NS 1000000000ull
#define SETTLED_NS \
	NS /* change times are as coarse as the timer's tick, on some file systems a second or two */
#define MAGIC_BTRFS 0x9123683eu /* stat's device is that of the subvolume, not the super block's */
#define MAGIC_OVERLAY 0x794c7630u /* stat's device may be that of a layer */
#define MAGIC_TMPFS 0x01021994u /* its pages are never cleaned: no store through a mapping shows */
#define MAGIC_RAMFS 0x858458f6u
#define MAGIC_HUGETLBFS 0x958458f6u

struct cache_key {
	uint64_t dev, ino, size, ctime_ns;
};

struct cache_entry {
	struct cache_key key;
	struct digest digest;
	bool verity; /* the kernel holds the file to these bytes */
	bool sure; /* the change time shows whatever was written since */
	bool is_free;
	uint32_t next; /* place + 1 in the chain, or of the free ones, 0: end */
};

struct hash_cache {
	struct cache_entry *entries;
	uint32_t *buckets;
	uint32_t max, n, oldest;
	uint32_t free, n_free; /* place + 1 of the first that was forgotten with its file system */
	struct fs_lives *lives;
	uint64_t file_max, n_bytes, n_missed;
	uint64_t root_dev;
	const char *proc; /* borrowed */
};

static uint32_t bucket_of(const struct hash_cache *c, const struct cache_key *k)
{
	uint64_t h = (k->ino ^ (k->dev << 40) ^ (k->ctime_ns * 3) ^ (k->size << 20)) *
		     0x9e3779b97f4a7c15ull;

	return (uint32_t)((h >> 32) % c->max);
}

static bool same_key(const struct cache_key *a, const struct cache_key *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->ctime_ns == b->ctime_ns;
}

static const struct cache_entry *find(const struct hash_cache *c, const struct cache_key *k)
{
	for (uint32_t i = c->buckets[bucket_of(c, k)]; i; i = c->entries[i - 1].next) {
		if (same_key(&c->entries[i - 1].key, k))
			return &c->entries[i - 1];
	}
	return NULL;
}

void hash_cache_hear(struct hash_cache *c)
{
	fs_lives_read(c->lives);
}

static const struct cache_entry *find_living(struct hash_cache *c, const struct cache_key *k)
{
	hash_cache_hear(c);
	return find(c, k);
}

static void forget(struct hash_cache *c, uint32_t place)
{
	uint32_t *at = &c->buckets[bucket_of(c, &c->entries[place].key)];

	while (*at && *at != place + 1)
		at = &c->entries[*at - 1].next;
	if (*at)
		*at = c->entries[place].next;
}

static uint64_t number_of(dev_t dev)
{
	return (uint64_t)major(dev) << 20 | minor(dev);
}

static dev_t device_of(const struct cache_key *k)
{
	return makedev((unsigned int)(k->dev >> 20), (unsigned int)(k->dev & 0xfffff));
}

/* What is mounted there next may have other bytes under the same times. */
static void on_gone(void *ctx, dev_t dev)
{
	struct hash_cache *c = ctx;

	for (uint32_t i = 0; i < c->n; i++) {
		struct cache_entry *e = &c->entries[i];

		if (e->is_free || e->key.dev != number_of(dev))
			continue;
		forget(c, i);
		*e = (struct cache_entry){.is_free = true, .next = c->free};
		c->free = i + 1;
		c->n_free++;
	}
}

/* How old a change must be, so that the next one shows in the time. */
enum trust {
	DOUBTED, /* it never does */
	BY_AGE, /* when what was written is on the disk: HASH_CACHE_CLEAN_S */
	UNWRITTEN, /* SETTLED_NS: nobody could write to it */
};

static bool lies_in_memory(uint32_t fs_magic)
{
	return fs_magic == MAGIC_TMPFS || fs_magic == MAGIC_RAMFS || fs_magic == MAGIC_HUGETLBFS;
}

/*
 * Whom an exec keeps from writing, and what is told as open for writing, the kernel programs know; of an overlay, whose layer it is that is
 * written to, they say. A node whose root lies in memory runs all from there: its programs are believed as on a disk.
 */
static enum trust trust_of(const struct hash_cache *c, const struct hash_cache_seen *s)
{
	if (lies_in_memory(s->file->fs_magic) && s->file->dev != c->root_dev)
		return DOUBTED;
	if (s->file->fs_magic != MAGIC_OVERLAY)
		return UNWRITTEN;
	return s->error == -ENODATA ? UNWRITTEN : s->error == -ESTALE ? DOUBTED : BY_AGE;
}

static enum trust trust_of_fd(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) < 0 || lies_in_memory((uint32_t)fs.f_type) ? DOUBTED : BY_AGE;
}

static uint64_t age_ns(const struct cache_key *k)
{
	struct timespec now;
	uint64_t ns;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return 0;
	ns = (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
	return ns > k->ctime_ns ? ns - k->ctime_ns : 0;
}

static void put(struct hash_cache *c, const struct cache_entry *e)
{
	uint32_t place, b = bucket_of(c, &e->key);

	if (c->free) {
		place = c->free - 1;
		c->free = c->entries[place].next;
		c->n_free--;
	} else if (c->n < c->max) {
		place = c->n++;
	} else {
		place = c->oldest;
		c->oldest = (c->oldest + 1) % c->max;
		forget(c, place);
	}
	c->entries[place] = *e;
	c->entries[place].next = c->buckets[b];
	c->buckets[b] = place + 1;
}

/* How it was read. */
struct found {
	int fd;
	bool verity;
	enum trust trust;
};

/*
 * What fs-verity holds cannot change any more, so it need not have settled. It may be unmounted all the same, so nothing is remembered of what nobody
 * would say that of.
 */
static void remember(struct hash_cache *c, const struct cache_key *k, const struct digest *d,
		     const struct found *f)
{
	uint64_t age = age_ns(k);
	struct cache_entry e = {
		.key = *k,
		.digest = *d,
		.verity = f->verity,
		.sure = f->verity || f->trust == UNWRITTEN ||
			(f->trust == BY_AGE && age >= HASH_CACHE_CLEAN_S * NS),
	};

	for (uint32_t i = c->buckets[bucket_of(c, k)]; i; i = c->entries[i - 1].next) {
		if (!same_key(&c->entries[i - 1].key, k))
			continue;
		e.next = c->entries[i - 1].next;
		c->entries[i - 1] = e;
		return;
	}
	if ((f->verity || age >= SETTLED_NS) && fs_lives_hold(c->lives, f->fd, device_of(k)) == 0)
		put(c, &e);
}

static struct cache_key key_of(const struct stat *st)
{
	return (struct cache_key){
		.dev = number_of(st->st_dev),
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.ctime_ns = (uint64_t)st->st_ctim.tv_sec * NS + (uint64_t)st->st_ctim.tv_nsec,
	};
}

int hash_cache_open(uint32_t max, uint64_t file_max, struct hash_cache **ret)
{
	struct hash_cache *c = calloc(1, sizeof(*c));
	struct stat root;

	if (!c)
		return -ENOMEM;
	if (stat("/", &root) == 0)
		c->root_dev = key_of(&root).dev;
	c->proc = "/proc";
	c->max = max ? max : HASH_CACHE_MAX;
	c->file_max = file_max ? file_max : HASH_CACHE_FILE_MAX;
	c->entries = calloc(c->max, sizeof(*c->entries));
	c->buckets = calloc(c->max, sizeof(*c->buckets));
	if (!c->entries || !c->buckets || fs_lives_open(0, on_gone, c, &c->lives) < 0) {
		hash_cache_free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void hash_cache_use_proc(struct hash_cache *c, const char *proc)
{
	c->proc = proc;
}

const char *hash_cache_proc(const struct hash_cache *c)
{
	return c->proc;
}

struct hash_cache *hash_cache_free(struct hash_cache *c)
{
	if (!c)
		return NULL;
	fs_lives_free(c->lives);
	free(c->entries);
	free(c->buckets);
	free(c);
	return NULL;
}

struct reading {
	bool anew; /* though it is remembered */
	bool unsure; /* what is remembered need not be sure */
	enum trust trust;
};

/* Has the file an fs-verity digest? Then the kernel refuses to read, and to run, other bytes than those of that digest. */
bool hash_cache_has_verity(int fd)
{
	_Alignas(struct fsverity_digest) uint8_t room[sizeof(struct fsverity_digest) + 64] = {0};
	struct fsverity_digest *d = (struct fsverity_digest *)room;

	d->digest_size = 64;
	return ioctl(fd, FS_IOC_MEASURE_VERITY, d) == 0 && d->digest_size >= DIGEST_SIZE;
}

/* 0, or 1: the file is under fs-verity. */
static int digest_of(struct hash_cache *c, int fd, const struct reading *how, struct digest *ret,
		     struct stat *ret_st)
{
	struct stat before, after;
	struct cache_key key, key_after;
	const struct cache_entry *known;
	struct digest d;
	bool verity;
	int r;

	if (fstat(fd, &before) < 0)
		return -errno;
	if (!S_ISREG(before.st_mode))
		return -EINVAL;
	key = key_of(&before);
	known = how->anew ? NULL : find_living(c, &key);
	if (known && (known->sure || how->unsure)) {
		*ret = known->digest;
		*ret_st = before;
		return known->verity;
	}
	if (key.size > c->file_max)
		return -EFBIG;
	verity = hash_cache_has_verity(fd);
	r = digest_fd(fd, c->file_max, &d, NULL);
	c->n_bytes += key.size;
	if (r < 0)
		return r;
	if (fstat(fd, &after) < 0)
		return -errno;
	key_after = key_of(&after);
	if (!same_key(&key, &key_after))
		return -ESTALE;
	remember(c, &key, &d, &(struct found){fd, verity, how->trust});
	*ret = d;
	*ret_st = before;
	return verity;
}

int hash_cache_fd(struct hash_cache *c, int fd, struct digest *ret, struct stat *ret_st)
{
	const struct reading how = {.unsure = true, .trust = trust_of_fd(fd)};
	int r = digest_of(c, fd, &how, ret, ret_st);

	return r < 0 ? r : 0;
}

int hash_cache_fd_sure(struct hash_cache *c, int fd, struct digest *ret, struct stat *ret_st)
{
	const struct reading how = {.trust = trust_of_fd(fd)};
	int r = digest_of(c, fd, &how, ret, ret_st);

	return r < 0 ? r : 0;
}

int hash_cache_fd_anew(struct hash_cache *c, int fd, struct digest *ret, struct stat *ret_st)
{
	const struct reading how = {.anew = true, .trust = trust_of_fd(fd)};
	int r = digest_of(c, fd, &how, ret, ret_st);

	return r < 0 ? r : 0;
}

/* Is fd the file that the kernel saw? 0, -EXDEV: another file, -ESTALE: the same, but changed since. */
static int same_file(int fd, const struct plumb_file *file)
{
	bool odd_dev = file->fs_magic == MAGIC_BTRFS || file->fs_magic == MAGIC_OVERLAY;
	struct cache_key key;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	key = key_of(&st);
	if (!S_ISREG(st.st_mode) || key.ino != file->ino || (key.dev != file->dev && !odd_dev))
		return -EXDEV;
	return key.size == file->file_size && key.ctime_ns == file->ctime_ns ? 0 : -ESTALE;
}

/* The same of a descriptor of O_PATH; who serves it, if anybody does, is not asked. */
static int seems_same_file(int link, const struct plumb_file *file, bool *ret_same_dev)
{
	bool odd_dev = file->fs_magic == MAGIC_BTRFS || file->fs_magic == MAGIC_OVERLAY;
	struct statx st;

	if (statx(link, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &st) < 0)
		return -errno;
	*ret_same_dev = ((uint64_t)st.stx_dev_major << 20 | st.stx_dev_minor) == file->dev;
	return S_ISREG(st.stx_mode) && st.stx_ino == file->ino && (*ret_same_dev || odd_dev)
		       ? 0
		       : -EXDEV;
}

/*
 * What the kernel saw was on a file system of its own; what stands here now need not be. A device that is a disk is that same file system's still.
 * Other numbers are given again, so one of them counts only where no mount table knows better: runtimes run from mounts that are in none.
 */
static int may_open(const struct hash_cache *c, uint32_t pid, int link,
		    const struct plumb_file *file)
{
	bool same_dev = false;
	int kind, r = seems_same_file(link, file, &same_dev);

	if (r < 0 || (same_dev && file->dev >> 20 != 0))
		return r;
	kind = served_find(c->proc, pid, link);
	if (kind == SERVED_NOT_LISTED && same_dev)
		kind = SERVED_BY_NOBODY;
	if (kind < 0)
		return kind;
	return kind == SERVED_BY_NOBODY ? 0 : -EREMOTE;
}

/* Takes path_fd. */
static int hash_of(struct hash_cache *c, uint32_t pid, int path_fd, const struct hash_cache_seen *s,
		   struct digest *ret)
{
	const struct reading how = {.anew = trust_of(c, s) == DOUBTED, .trust = trust_of(c, s)};
	CLEANUP_CLOSE int link = path_fd, fd = -1;
	struct digest d;
	struct stat st;
	int r, verity;

	r = link < 0 ? link : may_open(c, pid, link, s->file);
	if (r < 0)
		return r;
	fd = served_open(link);
	if (fd < 0)
		return fd;
	r = same_file(fd, s->file);
	if (r < 0)
		return r;
	verity = digest_of(c, fd, &how, &d, &st);
	if (verity < 0)
		return verity;
	/* digest_of() held the time before against the time after; this holds them against the kernel's. */
	r = same_file(fd, s->file);
	if (r < 0)
		return r;
	*ret = d;
	return verity;
}

static int link_of(const struct hash_cache *c, uint32_t pid, const char *name, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%.400s/%u/%s", c->proc, pid, name);
	fd = open(path, O_PATH | O_CLOEXEC | flags);
	return fd < 0 ? -errno : fd;
}

/* By a path below the root of a process. */
static int hash_below(struct hash_cache *c, uint32_t pid, int root_fd,
		      const struct hash_cache_seen *s, struct digest *ret)
{
	CLEANUP_CLOSE int root = root_fd;
	const struct served_walk w = {c->proc, pid, root};

	return root < 0 ? root : hash_of(c, pid, served_walk(&w, s->path, true), s, ret);
}

/* In the agent's own view. */
static int hash_here(struct hash_cache *c, const struct hash_cache_seen *s, struct digest *ret)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return hash_below(c, (uint32_t)getpid(), root < 0 ? -errno : root, s, ret);
}

/* In the process's own view: what a script's path is in a container. */
static int hash_there(struct hash_cache *c, uint32_t pid, const struct hash_cache_seen *s,
		      struct digest *ret)
{
	return hash_below(c, pid, link_of(c, pid, "root", O_DIRECTORY), s, ret);
}

static bool may_be_elsewhere(int r)
{
	return r == -ENOENT || r == -ESRCH || r == -EXDEV || r == -EACCES || r == -ENOTDIR ||
	       r == -EREMOTE;
}

static int say_why(const struct hash_cache *c, int r, struct why *ret_why)
{
	switch (r) {
	case 0:
	case 1:
		return r;
	case -ENOENT:
	case -ESRCH:
	case -ENOTDIR:
		return why_set(ret_why, -ENOENT, "gone before it was read");
	case -EXDEV:
		return why_set(ret_why, r, "another file stands there now");
	case -EREMOTE:
		return why_set(ret_why, r, SERVED_WHY);
	case -ESTALE:
		return why_set(ret_why, r, "changed since it was executed");
	case -EFBIG:
		return why_set(ret_why, r, "larger than %llu bytes",
			       (unsigned long long)c->file_max);
	default:
		return why_set(ret_why, r, "%s", strerrorname_np(-r));
	}
}

/*
 * An overlay's inode does not show what is written to the layer, and stat does, which asks the layer: a record's time is believed alone only where
 * the kernel programs have taken it from the layer.
 */
static bool shows_changes(const struct hash_cache_seen *s)
{
	return s->file->fs_magic != MAGIC_OVERLAY || s->error == -ENODATA;
}

int hash_cache_exec(struct hash_cache *c, const struct hash_cache_seen *s, struct digest *ret,
		    struct why *ret_why)
{
	struct cache_key key = {s->file->dev, s->file->ino, s->file->file_size, s->file->ctime_ns};
	const struct cache_entry *known = find(c, &key);
	int r, there;

	if (served_magic(s->file->fs_magic))
		return why_set(ret_why, -EREMOTE, "file system 0x%x is not the kernel's own",
			       s->file->fs_magic);
	if (known && known->sure && trust_of(c, s) != DOUBTED && shows_changes(s)) {
		*ret = known->digest;
		return known->verity;
	}
	c->n_missed++;
	r = hash_of(c, s->pid, link_of(c, s->pid, "exe", 0), s, ret);
	/* The process may be gone, or be another program by now. */
	if (may_be_elsewhere(r) && s->path && s->path[0] == '/') {
		r = hash_here(c, s, ret);
		if (may_be_elsewhere(r)) {
			there = hash_there(c, s->pid, s, ret);
			r = there == -ENOENT ? r : there;
		}
	}
	return say_why(c, r, ret_why);
}

int hash_cache_peer(struct hash_cache *c, uint32_t peer, const struct hash_cache_seen *s,
		    struct digest *ret)
{
	return served_magic(s->file->fs_magic) ? -EREMOTE : hash_there(c, peer, s, ret);
}

bool hash_cache_takes(const struct hash_cache *c, const struct stat *st)
{
	return S_ISREG(st->st_mode) && (uint64_t)st->st_size <= c->file_max;
}

bool hash_cache_knows(struct hash_cache *c, const struct stat *st)
{
	const struct cache_key key = key_of(st);

	return find_living(c, &key) != NULL;
}

bool hash_cache_settled(int fd, const struct stat *st)
{
	const struct cache_key key = key_of(st);

	return age_ns(&key) >= SETTLED_NS || hash_cache_has_verity(fd);
}

int hash_cache_put(struct hash_cache *c, int fd, bool verity, const struct stat *before,
		   const struct digest *d)
{
	struct cache_key key = key_of(before), key_after;
	struct stat after;

	if (fstat(fd, &after) < 0)
		return -errno;
	key_after = key_of(&after);
	if (!same_key(&key, &key_after))
		return -ESTALE;
	remember(c, &key, d, &(struct found){fd, verity, trust_of_fd(fd)});
	return 0;
}

void hash_cache_count(struct hash_cache *c, uint64_t n_bytes)
{
	c->n_bytes += n_bytes;
}

uint64_t hash_cache_n_bytes(const struct hash_cache *c)
{
	return c->n_bytes;
}

uint64_t hash_cache_n_missed(const struct hash_cache *c)
{
	return c->n_missed;
}

uint32_t hash_cache_n(const struct hash_cache *c)
{
	return c->n - c->n_free;
}

int hash_cache_lives_error(const struct hash_cache *c)
{
	return fs_lives_error(c->lives);
}
