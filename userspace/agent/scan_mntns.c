/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_mntns.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "claims_names.h"
#include "cleanup.h"
#include "inaccessible.h"
#include "log.h"
#include "mntns_files.h"
#include "mountinfo.h"
#include "served.h"

#define MOUNTINFO_MAX (4u << 20) /* bytes of one namespace's table */
#define OURS_MAX 65536
#define FOUND_MAX 4096

/* One of our own mounts. */
struct own {
	char *point, *root;
	uint32_t major, minor;
};

struct found {
	char *point, *value;
	char pid[24]; /* of a process that is in that namespace */
	ino_t ns;
};

struct scan_mntns {
	struct claims_source s;
	const struct file_set *files;
	struct mntns_files *inside;
	struct claims_names roots; /* of processes in our namespace, other than ours */
	ino_t looking_at;
	DIR *dir; /* /proc; NULL: not begun */
	bool listed; /* all processes were looked at, and their files come now */
	struct stat root, self; /* our root; our namespace */
	struct own *ours;
	struct found *found;
	uint32_t n_ours, n_found, n_seen;
	bool whole;
	int blind; /* -errno of a process that could not be looked at */
	ino_t seen[SCAN_MNTNS_MAX];
};

int scan_mntns_open(const struct claims_source *s, const struct file_set *files,
		    struct scan_mntns **ret)
{
	struct scan_mntns *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->s = *s;
	m->files = files;
	m->whole = true;
	*ret = m;
	return mntns_files_open(s, files, &m->inside);
}

struct scan_mntns *scan_mntns_free(struct scan_mntns *m)
{
	if (!m)
		return NULL;
	for (uint32_t i = 0; i < m->n_ours; i++) {
		free(m->ours[i].point);
		free(m->ours[i].root);
	}
	for (uint32_t i = 0; i < m->n_found; i++) {
		free(m->found[i].point);
		free(m->found[i].value);
	}
	free(m->ours);
	free(m->found);
	mntns_files_free(m->inside);
	claims_names_clear(&m->roots);
	if (m->dir)
		closedir(m->dir);
	free(m);
	return NULL;
}

/* A line that cannot be read keeps nobody from the others: what they say is said. */
static void be_blind(struct scan_mntns *m, const char *pid, const char *why)
{
	if (m->blind == 0)
		log_warning("scan=mntns pid=%.20s why=\"%s\" next=\"not whole: nothing is told as "
			    "gone\"",
			    pid, why);
	m->blind = -EBADMSG;
	m->whole = false;
}

/* Each line of a process's mountinfo. take: < 0 ends it. */
static int each_mount(struct scan_mntns *m, const char *pid,
		      int (*take)(struct scan_mntns *m, const struct mountinfo_entry *e,
				  const char *pid))
{
	CLEANUP_FREE struct mountinfo_entry *e = malloc(sizeof(*e));
	CLEANUP(buf_done) struct buf text = {0};
	struct why why = {""};
	char name[64];
	int r = e ? 0 : -ENOMEM;

	snprintf(name, sizeof(name), "%.20s/mountinfo", pid);
	if (r == 0)
		r = claims_source_read(&m->s, CLAIMS_PROC, name, MOUNTINFO_MAX, &text);
	for (const char *at = (const char *)text.data, *end = at ? at + text.size : at;
	     r >= 0 && at < end;) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));

		if (mountinfo_parse(at, (size_t)((lf ? lf : end) - at), e, &why) >= 0)
			r = take(m, e, pid);
		else
			be_blind(m, pid, why.text);
		at = lf ? lf + 1 : end;
	}
	return r;
}

static int add_own(struct scan_mntns *m, const struct mountinfo_entry *e, const char *pid)
{
	struct own *o;

	(void)pid;
	if (m->n_ours == OURS_MAX)
		return -E2BIG;
	if ((m->n_ours & (m->n_ours - 1)) == 0) {
		o = reallocarray(m->ours, m->n_ours ? m->n_ours * 2 : 1, sizeof(*o));
		if (!o)
			return -ENOMEM;
		m->ours = o;
	}
	o = &m->ours[m->n_ours++];
	*o = (struct own){strdup(e->point), strdup(e->root), e->major, e->minor};
	return o->point && o->root ? 0 : -ENOMEM;
}

/* What follows `above` in path, with its slash: "" when it is the same, NULL when path is not below. */
static const char *rest_of(const char *path, const char *above)
{
	size_t n = strcmp(above, "/") == 0 ? 0 : strlen(above);

	if (strncmp(path, above, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return strcmp(path, "/") == 0 ? "" : path + n;
}

/* Does this mount show at its point what we see there? Our mount that is nearest above, the last of several, says where that lies. */
static bool shows_the_same(const struct scan_mntns *m, const struct mountinfo_entry *e)
{
	const struct own *best = NULL;
	char want[2 * PATH_MAX];
	size_t longest = 0;

	for (uint32_t i = 0; i < m->n_ours; i++)
		if (rest_of(e->point, m->ours[i].point) && strlen(m->ours[i].point) >= longest) {
			best = &m->ours[i];
			longest = strlen(best->point);
		}
	if (!best || best->major != e->major || best->minor != e->minor)
		return false;
	snprintf(want, sizeof(want), "%s%s", strcmp(best->root, "/") == 0 ? "" : best->root,
		 rest_of(e->point, best->point));
	return strcmp(want[0] ? want : "/", e->root) == 0;
}

static int add_found(struct scan_mntns *m, const struct mountinfo_entry *e, const char *pid)
{
	CLEANUP(buf_done) struct buf value = {0};
	struct found *f;

	if (!file_set_touches(m->files, e->point) || shows_the_same(m, e) ||
	    inaccessible_mount(m->s.root, makedev(e->major, e->minor), e->root))
		return 0;
	if (m->n_found == FOUND_MAX)
		return -E2BIG;
	if ((m->n_found & (m->n_found - 1)) == 0) {
		f = reallocarray(m->found, m->n_found ? m->n_found * 2 : 1, sizeof(*f));
		if (!f)
			return -ENOMEM;
		m->found = f;
	}
	buf_printf(&value, "%s %s %s", e->fstype, e->source, e->root);
	f = &m->found[m->n_found++];
	*f = (struct found){.point = strdup(e->point), .value = buf_take(&value)};
	snprintf(f->pid, sizeof(f->pid), "%.20s", pid);
	f->ns = m->looking_at;
	if (!f->point || !f->value)
		return -ENOMEM;
	return 0;
}

static int begin(struct scan_mntns *m)
{
	char path[PATH_MAX];
	int r = claims_source_path(&m->s, CLAIMS_PROC, "self/ns/mnt", path, sizeof(path));

	if (r >= 0 && stat(path, &m->self) < 0)
		r = -errno;
	if (r >= 0)
		r = claims_source_path(&m->s, CLAIMS_PROC, "self/root", path, sizeof(path));
	if (r >= 0 && stat(path, &m->root) < 0)
		r = -errno;
	if (r >= 0)
		r = each_mount(m, "self", add_own);
	if (r >= 0)
		r = claims_source_path(&m->s, CLAIMS_PROC, "", path, sizeof(path));
	if (r < 0)
		return r;
	m->dir = opendir(path);
	return m->dir ? 0 : -errno;
}

static int stat_of(const struct scan_mntns *m, const char *pid, const char *what, struct stat *ret)
{
	char name[64], path[PATH_MAX];
	int r;

	snprintf(name, sizeof(name), "%.20s/%s", pid, what);
	r = claims_source_path(&m->s, CLAIMS_PROC, name, path, sizeof(path));
	return r < 0 ? r : stat(path, ret) < 0 ? -errno : 0;
}

/* Has the process our root? Its own may be on what somebody serves, who is not asked. */
static int has_our_root(const struct scan_mntns *m, const char *pid)
{
	char name[64], path[PATH_MAX];
	int r;

	snprintf(name, sizeof(name), "%.20s/root", pid);
	r = claims_source_path(&m->s, CLAIMS_PROC, name, path, sizeof(path));
	return r < 0 ? r : served_is(path, m->root.st_dev, m->root.st_ino);
}

static bool is_seen(const struct scan_mntns *m, ino_t ns)
{
	for (uint32_t i = 0; i < m->n_seen; i++)
		if (m->seen[i] == ns)
			return true;
	return false;
}

/* In our namespace, and files of its own all the same: what it reads as /etc is not what is watched. */
static int note_root(struct scan_mntns *m, const char *pid)
{
	char name[64], path[PATH_MAX], root[PATH_MAX];
	int r;
	ssize_t n;

	snprintf(name, sizeof(name), "%.20s/root", pid);
	r = claims_source_path(&m->s, CLAIMS_PROC, name, path, sizeof(path));
	if (r < 0)
		return r;
	n = readlink(path, root, sizeof(root));
	return n < 0 ? -errno : claims_names_add(&m->roots, root, (size_t)n);
}

/* A chrooted process says nothing of its namespace: another one that is in it may. */
static int look_at(struct scan_mntns *m, const char *pid)
{
	struct stat ns;
	int r = stat_of(m, pid, "ns/mnt", &ns);

	if (r < 0 || (ns.st_ino != m->self.st_ino && is_seen(m, ns.st_ino)))
		return r;
	r = has_our_root(m, pid);
	if (r < 0)
		return r;
	if (r == 0)
		return ns.st_ino == m->self.st_ino ? note_root(m, pid) : 0;
	if (ns.st_ino == m->self.st_ino)
		return 0;
	if (m->n_seen == SCAN_MNTNS_MAX)
		return -E2BIG;
	m->looking_at = ns.st_ino;
	r = each_mount(m, pid, add_found);
	if (r >= 0)
		m->seen[m->n_seen++] = ns.st_ino;
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return strcmp(x->point, y->point);
}

/* A namespace has no name, and a claim must not change with the number of a process: for people, one that is in it. */
static void log_who(const struct scan_mntns *m, const struct found *f)
{
	char name[64], path[PATH_MAX], exe[PATH_MAX] = "unknown";
	ssize_t n = -1;

	snprintf(name, sizeof(name), "%s/exe", f->pid);
	if (claims_source_path(&m->s, CLAIMS_PROC, name, path, sizeof(path)) == 0)
		n = readlink(path, exe, sizeof(exe) - 1);
	if (n > 0)
		exe[n] = '\0';
	log_notice("mountns path=\"%s\" found=\"%s\" pid=%s exe=\"%s\"", f->point, f->value, f->pid,
		   exe);
}

/* All that is found at one point. */
static int put_point(const struct scan_mntns *m, uint32_t from, uint32_t to)
{
	CLEANUP(claims_names_clear) struct claims_names values = {0};
	CLEANUP(buf_done) struct buf value = {0};
	char key[LINE_MAX_KEY + 16];
	const struct found *first = &m->found[from];
	int r = 0;

	snprintf(key, sizeof(key), "mountns:%s", m->found[from].point);
	for (; from < to && r >= 0; from++)
		r = claims_names_add(&values, m->found[from].value, strlen(m->found[from].value));
	claims_names_sort(&values);
	if (r >= 0)
		r = claims_names_text(&values, &value);
	if (r >= 0)
		r = claims_source_put(&m->s, key, 0, &value);
	if (r > 0)
		log_who(m, first);
	return r;
}

/* Not an exe: a claim is not to change with who came last. */
static int put_roots(struct scan_mntns *m)
{
	CLEANUP(buf_done) struct buf value = {0};
	int r;

	if (m->blind < 0)
		return claims_source_put(&m->s, "kernel:chroots", m->blind, NULL) > 0;
	claims_names_sort(&m->roots);
	r = claims_names_text(&m->roots, &value);
	return r < 0 ? r : claims_source_put(&m->s, "kernel:chroots", 0, &value) > 0;
}

static int put_all(struct scan_mntns *m)
{
	int r = m->blind < 0 ? claims_source_put(&m->s, "kernel:mount_namespaces", m->blind, NULL)
			     : claims_source_put_text(&m->s, "kernel:mount_namespaces", "listed");
	int told = r > 0;

	if (m->n_found > 1)
		qsort(m->found, m->n_found, sizeof(m->found[0]), compare);
	for (uint32_t i = 0, next; i < m->n_found && r >= 0; i = next) {
		for (next = i + 1;
		     next < m->n_found && compare(&m->found[i], &m->found[next]) == 0;)
			next++;
		r = put_point(m, i, next);
		told += r > 0 ? r : 0;
	}
	if (r >= 0)
		r = mntns_files_put(m->inside);
	told += r > 0 ? r : 0;
	if (r >= 0)
		r = put_roots(m);
	return r < 0 ? r : told + r;
}

/* All namespaces are known: now what the files are in there. */
static int begin_files(struct scan_mntns *m)
{
	int r = 0;

	m->listed = true;
	for (uint32_t i = 0; i < m->n_found && r >= 0; i++)
		r = mntns_files_add(m->inside, m->found[i].point, m->found[i].pid, m->found[i].ns);
	if (r == -E2BIG) {
		m->blind = r;
		m->whole = false;
		r = 0;
	}
	return r < 0 ? r : 1;
}

static int step_files(struct scan_mntns *m, int *ret_put)
{
	int r = mntns_files_step(m->inside);

	if (r == 0)
		*ret_put = put_all(m);
	return r;
}

int scan_mntns_step(struct scan_mntns *m, int *ret_put)
{
	struct dirent *e;
	int r = m->dir ? 0 : begin(m);

	if (r < 0 && r != -ENOMEM) {
		m->whole = false;
		m->blind = r;
		*ret_put = put_all(m);
		return 0;
	}
	if (r < 0)
		return r;
	if (m->listed)
		return step_files(m, ret_put);
	do {
		e = readdir(m->dir);
	} while (e && (e->d_name[0] < '1' || e->d_name[0] > '9'));
	if (!e)
		return begin_files(m);
	r = look_at(m, e->d_name);
	if (r == -ENOMEM)
		return r;
	/* Processes end while they are looked at. */
	if (r < 0 && r != -ENOENT && r != -ESRCH) {
		m->blind = r;
		m->whole &= r == -EACCES || r == -EPERM;
	}
	return 1;
}

bool scan_mntns_is_whole(const struct scan_mntns *m)
{
	return m->whole;
}
