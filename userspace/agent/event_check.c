/* SPDX-License-Identifier: Apache-2.0 */
#include "event_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static int check_text(const char *text, size_t size, const char *what, struct why *ret_why)
{
	if (!memchr(text, '\0', size))
		return why_set(ret_why, -EBADMSG, "record: %s is not terminated", what);
	return 0;
}

/* A text whose size is told beside it: size is its bytes with the NUL, and there is no other NUL before. */
static int check_sized(const char *text, size_t room, uint16_t size, const char *what,
		       struct why *ret_why)
{
	if (size == 0 || size > room || text[size - 1] != '\0' || strlen(text) != (size_t)size - 1)
		return why_set(ret_why, -EBADMSG, "record: %s is not %u bytes with its NUL", what,
			       size);
	return 0;
}

static int check_exec(const struct plumb_event_exec *e, struct why *ret_why)
{
	int r = check_sized(e->path, sizeof(e->path), e->path_size, "path", ret_why);

	return r < 0 ? r : check_sized(e->name, sizeof(e->name), e->name_size, "name", ret_why);
}

static int check_args(const struct plumb_args *a, struct why *ret_why)
{
	if (a->kept > PLUMB_ARGS_MAX || a->kept > a->size || a->error > 0)
		return why_set(ret_why, -EBADMSG, "record: %u of %u bytes of arguments, error %d",
			       a->kept, a->size, a->error);
	return 0;
}

static int check_hash(const struct plumb_hash *h, struct why *ret_why)
{
	static const uint8_t zeros[sizeof(h->digest)];

	if (h->src > PLUMB_HASH_IMA)
		return why_set(ret_why, -EBADMSG, "record: hash of source %u", h->src);
	if (h->src == PLUMB_HASH_NONE && memcmp(h->digest, zeros, sizeof(zeros)) != 0)
		return why_set(ret_why, -EBADMSG, "record: a digest that nobody took");
	return 0;
}

static int check_load(const struct plumb_event_load *e, struct why *ret_why)
{
	if (e->what > PLUMB_LOAD_X509 || e->from_memory > 1)
		return why_set(ret_why, -EBADMSG, "record: load of %u, from memory %u", e->what,
			       e->from_memory);
	return check_sized(e->path, sizeof(e->path), e->path_size, "path", ret_why);
}

static int check_file(const struct plumb_event_file *e, struct why *ret_why)
{
	int r;

	if (e->op < PLUMB_FILE_OPEN_WRITE || e->op > PLUMB_FILE_IOCTL)
		return why_set(ret_why, -EBADMSG, "record: file op %u", e->op);
	r = check_text(e->name, sizeof(e->name), "name", ret_why);
	return r < 0 ? r : check_text(e->other_name, sizeof(e->other_name), "other name", ret_why);
}

static int check_mount(const struct plumb_event_mount *e, struct why *ret_why)
{
	int r;

	if (e->op < PLUMB_MOUNT_MOUNT || e->op > PLUMB_MOUNT_UMOUNT)
		return why_set(ret_why, -EBADMSG, "record: mount op %u", e->op);
	r = check_text(e->fstype, sizeof(e->fstype), "fstype", ret_why);
	return r < 0 ? r : check_text(e->source, sizeof(e->source), "source", ret_why);
}

static int check_bpf(const struct plumb_event_bpf *e, struct why *ret_why)
{
	if (e->op < PLUMB_BPF_LOAD || e->op > PLUMB_BPF_ATTACH)
		return why_set(ret_why, -EBADMSG, "record: bpf op %u", e->op);
	return check_text(e->name, sizeof(e->name), "name", ret_why);
}

static int check_surface(const struct plumb_event_surface *e, struct why *ret_why)
{
	int r = 0;

	if (e->what < PLUMB_SURFACE_LOCKDOWN || e->what > PLUMB_SURFACE_EXCHANGE)
		return why_set(ret_why, -EBADMSG, "record: surface of %u", e->what);
	for (size_t i = 0; r >= 0 && e->what == PLUMB_SURFACE_OPEN && i < PLUMB_SURFACE_NAMES; i++)
		r = check_text(e->names[i], PLUMB_SURFACE_NAME, "name", ret_why);
	if (r >= 0)
		r = check_text(e->text, sizeof(e->text), "text", ret_why);
	if (r >= 0)
		r = check_text(e->before, sizeof(e->before), "before", ret_why);
	return r < 0 ? r : check_text(e->after, sizeof(e->after), "after", ret_why);
}

static int check_code(const struct plumb_event_code *e, struct why *ret_why)
{
	int r = check_hash(&e->hash, ret_why);

	if (r < 0)
		return r;
	if (e->what < PLUMB_CODE_MAP || e->what > PLUMB_CODE_BINFMT ||
	    e->args_size > sizeof(e->args))
		return why_set(ret_why, -EBADMSG, "record: code %u with %u bytes of arguments",
			       e->what, e->args_size);
	return check_sized(e->path, sizeof(e->path), e->path_size, "path", ret_why);
}

static int check_guard(const struct plumb_event_guard *e, struct why *ret_why)
{
	bool file = e->op == PLUMB_GUARD_FILE;

	if (e->op < PLUMB_GUARD_KILL || e->op > PLUMB_GUARD_BPF || e->outcome > PLUMB_GUARD_ALLOWED)
		return why_set(ret_why, -EBADMSG, "record: guard op %u, outcome %u", e->op,
			       e->outcome);
	if (file != (e->file_op >= PLUMB_FILE_OPEN_WRITE) || e->file_op > PLUMB_FILE_IOCTL)
		return why_set(ret_why, -EBADMSG, "record: guard op %u, file op %u", e->op,
			       e->file_op);
	return check_text(e->name, sizeof(e->name), "name", ret_why);
}

static size_t size_of_kind(uint16_t kind)
{
	switch (kind) {
	case PLUMB_KIND_EXEC:
		return sizeof(struct plumb_event_exec);
	case PLUMB_KIND_FORK:
		return sizeof(struct plumb_event_fork);
	case PLUMB_KIND_EXIT:
		return sizeof(struct plumb_event_exit);
	case PLUMB_KIND_SCRIPT:
		return sizeof(struct plumb_event_script);
	case PLUMB_KIND_MODULE:
		return sizeof(struct plumb_event_module);
	case PLUMB_KIND_CODE:
		return sizeof(struct plumb_event_code);
	case PLUMB_KIND_LOAD:
		return sizeof(struct plumb_event_load);
	case PLUMB_KIND_FILE:
		return sizeof(struct plumb_event_file);
	case PLUMB_KIND_MOUNT:
		return sizeof(struct plumb_event_mount);
	case PLUMB_KIND_BPF:
		return sizeof(struct plumb_event_bpf);
	case PLUMB_KIND_SURFACE:
		return sizeof(struct plumb_event_surface);
	case PLUMB_KIND_GUARD:
		return sizeof(struct plumb_event_guard);
	default:
		return 0;
	}
}

static int check_kind(const union event_record *r, struct why *ret_why)
{
	int bad = 0;

	switch (r->event.kind) {
	case PLUMB_KIND_EXEC:
		bad = check_hash(&r->exec.hash, ret_why);
		if (bad >= 0)
			bad = check_exec(&r->exec, ret_why);
		if (bad >= 0 && r->event.flags & PLUMB_EVENT_ARGS)
			bad = check_args(&r->exec_args.args, ret_why);
		return bad;
	case PLUMB_KIND_SCRIPT:
		bad = check_hash(&r->script.hash, ret_why);
		return bad < 0 ? bad
			       : check_sized(r->script.path, sizeof(r->script.path),
					     r->script.path_size, "path", ret_why);
	case PLUMB_KIND_MODULE:
		return check_text(r->module.name, sizeof(r->module.name), "module", ret_why);
	case PLUMB_KIND_CODE:
		return check_code(&r->code, ret_why);
	case PLUMB_KIND_LOAD:
		bad = check_hash(&r->load.hash, ret_why);
		return bad < 0 ? bad : check_load(&r->load, ret_why);
	case PLUMB_KIND_FILE:
		return check_file(&r->file, ret_why);
	case PLUMB_KIND_MOUNT:
		return check_mount(&r->mount, ret_why);
	case PLUMB_KIND_BPF:
		return check_bpf(&r->bpf, ret_why);
	case PLUMB_KIND_SURFACE:
		return check_surface(&r->surface, ret_why);
	case PLUMB_KIND_GUARD:
		return check_guard(&r->guard, ret_why);
	default:
		return 0;
	}
}

/* What lies behind the end of an exec's texts means nothing, and is most of its record. */
static void copy_record(const uint8_t *data, size_t size, union event_record *ret)
{
	const size_t path_at = offsetof(struct plumb_event_exec, path);
	const size_t name_at = offsetof(struct plumb_event_exec, name);
	struct plumb_event_exec *e = &ret->exec;

	if (ret->event.kind != PLUMB_KIND_EXEC) {
		memcpy(ret, data, size);
		return;
	}
	memcpy(ret, data, path_at);
	if (e->path_size <= sizeof(e->path))
		memcpy(e->path, data + path_at, e->path_size);
	if (e->name_size <= sizeof(e->name))
		memcpy(e->name, data + name_at, e->name_size);
	if (size > sizeof(*e)) /* arguments */
		memcpy((uint8_t *)ret + sizeof(*e), data + sizeof(*e), size - sizeof(*e));
}

int event_check(const void *data, size_t size, union event_record *ret, struct why *ret_why)
{
	struct plumb_event head;
	size_t expected;
	int bad;

	if (size < sizeof(head))
		return why_set(ret_why, -EBADMSG, "record: %zu bytes, a header has %zu", size,
			       sizeof(head));
	memcpy(&head, data, sizeof(head));
	if (head.size != size)
		return why_set(ret_why, -EBADMSG, "record: says %u bytes, has %zu", head.size,
			       size);
	expected = size_of_kind(head.kind);
	if (head.kind == PLUMB_KIND_EXEC && head.flags & PLUMB_EVENT_ARGS)
		expected = sizeof(struct plumb_event_exec_args);
	if (head.version == PLUMB_EVENT_VERSION && expected != 0 && size != expected)
		return why_set(ret_why, -EBADMSG, "record: kind %u has %zu bytes, not %zu",
			       head.kind, expected, size);
	ret->event = head;
	if (head.version != PLUMB_EVENT_VERSION || expected == 0)
		return why_set(ret_why, -ENOTSUP, "record: kind %u version %u is not known",
			       head.kind, head.version);
	copy_record(data, size, ret);
	/* Every kind has the task right behind the header. */
	bad = check_text(ret->fork.parent.comm, PLUMB_COMM_SIZE, "comm", ret_why);
	return bad < 0 ? bad : check_kind(ret, ret_why);
}
