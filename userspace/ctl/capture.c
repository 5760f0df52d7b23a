/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "baseline.h"
#include "capture_boot.h"
#include "capture_file.h"
#include "capture_image.h"
#include "capture_mounts.h"
#include "capture_root.h"
#include "capture_walk.h"
#include "claims_binfmt.h"
#include "claims_boot.h"
#include "claims_bpf.h"
#include "claims_cpu.h"
#include "claims_host.h"
#include "claims_kernel.h"
#include "claims_modules.h"
#include "claims_runtime.h"
#include "claims_source.h"
#include "cleanup.h"
#include "clock.h"
#include "digest.h"
#include "jsonl.h"
#include "plumb/wire.h"

/* Claims. */

struct claims {
	struct capture_set *set;
	const struct capture_options *o;
	const char *only[2]; /* prefixes of the keys that are wanted; NULL: all */
	bool only_expected;
	struct why *why;
};

/* Where nobody has set it the kernel makes it of the memory that it found: another kernel, or a like machine, has another. */
static bool stays(const char *key, const char *value)
{
	return strcmp(key, "sysctl:user.max_user_namespaces") != 0 || strcmp(value, "0") == 0;
}

static int put_claim(void *ctx, const char *key, const char *value)
{
	const struct claims *c = ctx;
	bool wanted = !c->only[0];
	const char *expected;

	for (size_t i = 0; i < ARRAY_SIZE(c->only) && c->only[i]; i++)
		wanted |= strncmp(key, c->only[i], strlen(c->only[i])) == 0;
	/* What could not be read now cannot be expected later. */
	if (!wanted || strncmp(value, "unknown ", 8) == 0)
		return 0;
	/* Nobody is to sign that this is as it should be. */
	if (strcmp(key, "kernel:hidden_modules") == 0 && strcmp(value, "none") != 0)
		return why_set(
			c->why, -EUCLEAN,
			"kernel modules that not all lists have: %.150s: look into that first",
			value);
	expected = c->o->expect ? c->o->expect(c->o->expect_ctx, key, value) : NULL;
	if (!expected && (c->only_expected || !stays(key, value)))
		return 0;
	return capture_set_add_text(c->set, key, expected ? expected : value);
}

static int take_modules(struct claims_source *host, struct claims *c, struct why *ret_why)
{
	bool whole = false;
	int r;

	c->only[0] = "module:";
	c->only[1] = "boot:modules";
	r = claims_host_modules(host, &whole);
	if (r >= 0 && !whole)
		return why_set(ret_why, -ENOENT,
			       "the list of loaded kernel modules (/proc/modules) cannot be read: "
			       "run it on the node itself, "
			       "where /proc is not masked, or leave --modules out");
	return r;
}

static int take_bpf(struct claims_source *host, struct claims *c, struct why *ret_why)
{
	struct claims_bpf *b = NULL;
	int put = 0, r = claims_bpf_open(host, NULL, &b);
	bool whole;

	c->only[0] = "bpf:prog:";
	c->only[1] = "bpf:link:";
	for (int more = r >= 0; more > 0;) {
		more = claims_bpf_step(b, &put);
		r = more;
	}
	whole = b && claims_bpf_is_whole(b);
	claims_bpf_free(b);
	if (r >= 0 && put >= 0 && !whole)
		return why_set(ret_why, -EPERM,
			       "BPF programs cannot be listed: run it as root on the node itself, "
			       "or leave --bpf out");
	return r < 0 ? r : put;
}

/* What two sources of the agent should both have seen, they did. */
static int take_divergences(const struct claims_source *host)
{
	static const char *const keys[] = {"sensor:exec_divergence", "sensor:module_divergence",
					   "sensor:audit_divergence"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && r >= 0; i++)
		r = claims_source_put_text(host, keys[i], "absent");
	return r;
}

static int take_binfmt(const struct claims_source *host)
{
	bool whole;

	return claims_binfmt(host, &whole);
}

/* Only what stays as it is from one boot to the next: not the boot's id, and nothing that counts. */
static int take_facts(const struct claims_source *host)
{
	static int (*const facts[])(const struct claims_source *s) = {
		claims_host_boot,     claims_host_sysctls,    claims_host_microcode,
		claims_boot_secure,   claims_boot_firmware,   claims_boot_ima,
		claims_cpu_flags,     claims_cpu_mitigations, claims_kernel_taint,
		claims_kernel_probes, claims_kernel_ftrace,   claims_kernel_livepatch,
		claims_modules_all,   claims_runtime_all,     take_binfmt,
		take_divergences,
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(facts) && r >= 0; i++)
		r = facts[i](host);
	return r;
}

static int put_told(void *ctx, const char *key, const char *value)
{
	return capture_set_add_text(ctx, key, value);
}

static int take_claims(struct capture_set *set, const struct capture_options *o,
		       struct why *ret_why)
{
	struct claims c = {.set = set, .o = o, .only_expected = !o->claims, .why = ret_why};
	struct claims_source host = {.proc = o->proc, .sys = o->sys, .put = put_claim, .ctx = &c};
	int r = 0;

	ret_why->text[0] = '\0';
	if (o->claims || o->expect)
		r = take_facts(&host);
	if (r >= 0 && o->expect_told)
		r = o->expect_told(o->expect_ctx, put_told, set);
	c.only_expected = false;
	if (r >= 0 && o->modules)
		r = take_modules(&host, &c, ret_why);
	if (r >= 0 && o->bpf)
		r = take_bpf(&host, &c, ret_why);
	return r < 0 && !ret_why->text[0] ? why_set(ret_why, r, "claims: %s", strerror(-r)) : r;
}

/* What a document is made of. */
struct making {
	const struct capture_options *o;
	struct capture_set *set;
	char scope[128];
	bool *directories; /* which of o->files are */
	struct baseline *other; /* that it is added to; NULL: none */
};

static uint64_t version_of(const struct making *m)
{
	return m->o->version ? m->o->version : m->other ? baseline_info(m->other)->version : 1;
}

/* Writing. Entries are made twice, once for their digest and once for the file: they never lie in memory all at once. */

struct writing {
	const char *scope; /* of what is captured */
	int side; /* entries of the document that is added to: those before the scope -1, after it 1 */
	struct buf line;
	struct digest_stream *digest;
	struct capture_file *file;
	uint64_t count;
};

static int put_entry(struct writing *w, const char *scope, const char *key, const char *value)
{
	struct jsonl j;
	int r;

	buf_clear(&w->line);
	jsonl_begin(&j, &w->line);
	jsonl_str(&j, "s", scope);
	jsonl_path(&j, "k", key);
	jsonl_path(&j, "x", value);
	jsonl_end(&j);
	buf_puts(&w->line, "\n");
	r = buf_status(&w->line);
	if (r < 0)
		return r;
	w->count++;
	return w->file ? capture_file_put(w->file, w->line.data, w->line.size)
		       : digest_stream_add(w->digest, w->line.data, w->line.size);
}

static int write_entry(void *ctx, const char *key, const char *value)
{
	struct writing *w = ctx;

	return put_entry(w, w->scope, key, value);
}

static int write_other(void *ctx, const char *scope, const char *key, const char *value)
{
	struct writing *w = ctx;

	return (strcmp(scope, w->scope) < 0) == (w->side < 0) ? put_entry(w, scope, key, value) : 0;
}

/* In the order of a baseline: by scope, then by key. */
static int write_entries(const struct making *m, struct writing *w)
{
	int r = 0;

	w->scope = m->scope;
	w->side = -1;
	if (m->other)
		r = baseline_each(m->other, write_other, w);
	if (r >= 0)
		r = capture_set_each(m->set, write_entry, w);
	w->side = 1;
	if (r >= 0 && m->other)
		r = baseline_each(m->other, write_other, w);
	return r;
}

/* Those of the other document, and one of ours unless it is there. */
static void put_once(const struct making *m, struct jsonl *j, const char *prefix)
{
	bool there = false;

	for (uint32_t i = 0; m->other && baseline_closed(m->other, i); i++)
		there |= strcmp(baseline_closed(m->other, i), prefix) == 0;
	if (!there)
		jsonl_str(j, NULL, prefix);
}

static int put_below(const struct making *m, struct jsonl *j, const char *kind, const char *path)
{
	CLEANUP(buf_done) struct buf prefix = {0};

	buf_printf(&prefix, "%s%s%s", kind, path, strcmp(path, "/") == 0 ? "" : "/");
	if (buf_status(&prefix) < 0)
		return -ENOMEM;
	put_once(m, j, (char *)prefix.data);
	return 0;
}

static void put_scopes(const struct making *m, struct jsonl *j)
{
	jsonl_array(j, "scopes");
	for (uint32_t i = 0; m->other && baseline_scope(m->other, i); i++)
		jsonl_str(j, NULL, baseline_scope(m->other, i));
	jsonl_str(j, NULL, m->scope);
	jsonl_close(j);
}

/*
 * What nobody does on a quiet node. Left open: modules that are asked for, user namespaces, sysctls that are no claim, the clock, what
 * security modules, services and firmware tools write on a normal day.
 */
static void put_surface(const struct making *m, struct jsonl *j)
{
	static const char *const prefixes[] = {
		"surface:block:",    "surface:filesystem:",
		"surface:cgroup:",   "surface:debugfs:",
		"surface:lockdown:", "surface:memory:",
		"surface:perf:",     "surface:proc:sysrq-trigger",
		"surface:ptrace:",   "surface:securityfs:lockdown",
		"surface:selinux:",  "surface:sysfs:kernel/",
		"surface:tracefs:",
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		put_once(m, j, prefixes[i]);
}

/* The agent tells files, attributes and mounts of its host alone: an image's close nothing there. */
static int put_watched(const struct making *m, struct jsonl *j)
{
	const struct capture_options *o = m->o;
	int r = 0;

	for (uint32_t i = 0; i < o->n_files && !o->image && r >= 0; i++) {
		if (!m->directories[i])
			continue;
		r = put_below(m, j, "file:", o->files[i]);
		if (r >= 0)
			r = put_below(m, j, "attr:", o->files[i]);
		/* Below "/" are those of sessions and units, which come and go all day. */
		if (r >= 0 && strcmp(o->files[i], "/") != 0)
			r = put_below(m, j, "mount:", o->files[i]);
	}
	return r;
}

static int write_header(const struct making *m, const struct digest *body, uint64_t count,
			struct buf *ret)
{
	const struct capture_options *o = m->o;
	char now[CLOCK_TEXT_SIZE];
	struct jsonl j;

	clock_text(clock_utc_ns(clock_system()), now);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "name", o->name ? o->name : baseline_info(m->other)->name);
	jsonl_uint(&j, "version", version_of(m));
	jsonl_str(&j, "created", now);
	jsonl_uint(&j, "count", count);
	jsonl_hex(&j, "sha256", body->bytes, DIGEST_SIZE);
	put_scopes(m, &j);
	jsonl_array(&j, "closed");
	for (uint32_t i = 0; m->other && baseline_closed(m->other, i); i++)
		jsonl_str(&j, NULL, baseline_closed(m->other, i));
	if (o->n_exec)
		put_once(m, &j, "exec:");
	if (o->n_code)
		put_once(m, &j, "code:");
	if (o->n_load)
		put_once(m, &j, "load:");
	if (put_watched(m, &j) < 0)
		return -ENOMEM;
	if (o->modules)
		put_once(m, &j, "module:");
	/*
	 * Mounts over watched paths in other mount namespaces, and what is done to the agent itself, are found by the agent alone: there are to be
	 * none. And no more interpreters than were registered.
	 */
	if (o->claims) {
		put_once(m, &j, "mountns:");
		put_once(m, &j, "guard:");
		put_once(m, &j, "binfmt:");
	}
	if (o->bpf) {
		put_once(m, &j, "bpf:prog:");
		put_once(m, &j, "bpf:link:");
	}
	if (o->surface)
		put_surface(m, &j);
	for (size_t i = 0; o->boot_log && capture_boot_closed[i]; i++)
		put_once(m, &j, capture_boot_closed[i]);
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

/* A DSSE envelope that nobody has signed yet, and LF. */
static int write_unsigned(const struct buf *header, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_base64(&j, "payload", header->data, header->size);
	jsonl_str(&j, "payloadType", WIRE_DSSE_BASELINE);
	jsonl_array(&j, "signatures");
	jsonl_close(&j);
	jsonl_end(&j);
	buf_puts(ret, "\n");
	return buf_status(ret);
}

static int write_document(const struct fsio *io, const char *path, const struct buf *line,
			  const struct making *m, struct writing *w)
{
	int r = capture_file_open(io, path, &w->file);

	if (r < 0)
		return r;
	r = capture_file_put(w->file, line->data, line->size);
	if (r >= 0)
		r = write_entries(m, w);
	if (r < 0)
		capture_file_abandon(w->file);
	else
		r = capture_file_commit(w->file);
	w->file = NULL;
	return r;
}

static int write_all(const struct fsio *io, const struct making *m, const char *path,
		     uint64_t *ret_count, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf header = {0}, line = {0};
	struct writing w = {.count = 0};
	struct digest body;
	int r = digest_stream_open(&w.digest);

	if (r >= 0)
		r = write_entries(m, &w);
	if (r >= 0)
		r = digest_stream_end(w.digest, &body);
	digest_stream_free(w.digest);
	*ret_count = w.count;
	if (r >= 0 && w.count > BASELINE_MAX_ENTRIES)
		r = why_set(ret_why, -E2BIG, "more than %u entries", BASELINE_MAX_ENTRIES);
	else if (r >= 0 && w.count == 0)
		r = why_set(ret_why, -ENOENT, "nothing was found to capture");
	else if (r >= 0) {
		r = write_header(m, &body, w.count, &header);
		if (r >= 0)
			r = write_unsigned(&header, &line);
		if (r >= 0)
			r = write_document(io, path, &line, m, &w);
		if (r < 0)
			why_set(ret_why, r, "%.200s: %s", path, strerror(-r));
	}
	buf_done(&w.line);
	return r;
}

/*
 * What runs is judged in every scope, and what is closed is closed in all of them: either each lists it, or none does. Else one of them would be drift as a
 * whole. All other keys are the host's alone.
 */
static int check_closed(const struct making *m, const char *prefix, const char *option, bool listed,
			struct why *ret_why)
{
	bool closed = baseline_is_closed(m->other, prefix);

	if (listed && !closed)
		return why_set(ret_why, -EINVAL,
			       "%.120s: leaves %s open, which would be closed in it, too, by a "
			       "scope that lists it: capture it with %s",
			       m->o->add, prefix, option);
	if (closed && !listed)
		return why_set(ret_why, -EINVAL,
			       "%.120s: closes %s in every scope, and this one would list nothing "
			       "of it: give it %s",
			       m->o->add, prefix, option);
	return 0;
}

static int open_other(const struct fsio *io, struct making *m, struct why *ret_why)
{
	const char *path = m->o->add;
	int r = baseline_open(io, path, NULL, 0, 0, &m->other, ret_why);

	if (r < 0)
		return r;
	if (baseline_has_scope(m->other, m->scope))
		return why_set(ret_why, -EEXIST, "%.150s: has the scope %.100s already", path,
			       m->scope);
	if (baseline_scope(m->other, BASELINE_MAX_SCOPES - 1))
		return why_set(ret_why, -E2BIG, "%.150s: has %u scopes, and no more may be in one",
			       path, BASELINE_MAX_SCOPES);
	r = check_closed(m, "exec:", "--exec", m->o->n_exec > 0, ret_why);
	return r < 0 ? r : check_closed(m, "code:", "--code", m->o->n_code > 0, ret_why);
}

static int fill_set(struct making *m, int root, struct why *ret_why)
{
	const struct capture_options *o = m->o;
	int r = 0;

	for (uint32_t i = 0; i < o->n_load && r >= 0; i++)
		r = capture_walk_load(m->set, o->load[i], ret_why);
	for (uint32_t i = 0; i < o->n_exec && r >= 0; i++)
		r = o->tree ? capture_image_exec(m->set, o->tree, o->exec[i], ret_why)
			    : capture_walk_exec(m->set, root, o->exec[i], ret_why);
	for (uint32_t i = 0; i < o->n_code && r >= 0; i++)
		r = o->tree ? capture_image_code(m->set, o->tree, o->code[i], ret_why)
			    : capture_walk_code(m->set, root, o->code[i], ret_why);
	for (uint32_t i = 0; i < o->n_files && r >= 0; i++)
		r = o->tree ? capture_image_file(m->set, o->tree, o->files[i], &m->directories[i],
						 ret_why)
			    : capture_walk_file(m->set, root, o->files[i], &m->directories[i],
						ret_why);
	if (r >= 0 && o->n_files && !o->image)
		r = capture_mounts(m->set, o->proc, o->files, o->n_files, ret_why);
	if (r >= 0)
		r = take_claims(m->set, o, ret_why);
	if (r >= 0 && o->boot_log)
		r = capture_boot(m->set, fsio_system(), o->boot_log, ret_why);
	return r < 0 ? r : capture_set_hash(m->set, o->n_threads, &o->progress, ret_why);
}

static int open_root(const struct capture_options *o, struct why *ret_why)
{
	int root;

	if (!o->image || o->tree)
		return CAPTURE_ROOT_HOST;
	root = open(o->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? why_set(ret_why, -errno, "%.200s: %s", o->root, strerror(errno)) : root;
}

int capture_make(const struct fsio *io, const struct capture_options *o, const char *path,
		 uint64_t *ret_count, struct why *ret_why)
{
	struct making m = {.o = o, .directories = calloc(o->n_files + 1, sizeof(bool))};
	int root = CAPTURE_ROOT_HOST, r = m.directories ? 0 : -ENOMEM;

	snprintf(m.scope, sizeof(m.scope), "%s%s", o->image ? "image:" : "host",
		 o->image ? o->image : "");
	if (r >= 0 && o->add)
		r = open_other(io, &m, ret_why);
	if (r >= 0)
		root = open_root(o, ret_why);
	if (r >= 0 && o->image && !o->tree && root < 0)
		r = root;
	if (r >= 0)
		r = capture_set_open(root, &m.set);
	if (r >= 0)
		r = fill_set(&m, root, ret_why);
	if (r >= 0)
		r = write_all(io, &m, path, ret_count, ret_why);
	capture_set_free(m.set);
	baseline_free(m.other);
	free(m.directories);
	if (o->image && root >= 0)
		close(root);
	return r;
}
