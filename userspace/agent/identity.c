/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cleanup.h"
#include "ledger_read.h"
#include "log.h"
#include "measurelog.h"
#include "plumb/wire.h"
#include "quote.h"

#define MAX_BLOBS 65536
#define MAX_RECORD 65536
#define MAX_BOOT_LOG WIRE_MAX_BOOT_LOG

static struct buf_view view(const struct buf *b)
{
	return (struct buf_view){b->data, b->size};
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* This node's name while no TPM gives it one: the machine id, hashed, since it is not to be handed out as it is. */
static int name_without_tpm(const struct identity_options *o, struct identity *ret,
			    struct why *ret_why)
{
	CLEANUP(buf_done) struct buf id = {0};
	struct digest d;
	int r = fsio_read_file(o->io, "/etc/machine-id", 64, &id);

	if (r < 0 || id.size < 32)
		return why_set(ret_why, r < 0 ? r : -EBADMSG,
			       "/etc/machine-id cannot be read or is too short; "
			       "systemd-machine-id-setup makes one");
	r = digest_sha256(id.data, 32, &d);
	if (r >= 0)
		digest_hex(&d, ret->record.node);
	return r;
}

static int path_in(const char *dir, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The keys of before, or new ones: their wrapped blobs are kept where they survive a restart. */
static int open_keys(const struct identity_options *o, struct identity *i, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf blobs = {0}, before = {0};
	const struct tpm_ops *ops = i->tpm->ops;
	char path[PATH_MAX];
	int r = path_in(o->state_dir, IDENTITY_KEYS_FILE, path);

	if (r >= 0)
		r = fsio_mkdir_all(o->io, o->state_dir, 0700);
	if (r >= 0)
		r = fsio_read_file(o->io, path, MAX_BLOBS, &before);
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return why_set(ret_why, r, "%.150s: %s", path, strerror(-r));
	buf_put(&blobs, before.data, before.size);
	r = ops->keys_open(i->tpm->ctx, &blobs, &i->record.ak_public, &i->record.event_public);
	if (r < 0)
		return why_set(
			ret_why, r,
			"TPM keys cannot be made or loaded: %s; %.150s must be the file "
			"that was made with this TPM; if that was cleared since, remove the file "
			"and %.60s, and enrol this node anew",
			strerror(-r), path, o->enrolment ? o->enrolment : "the ledger");
	if (!same(&blobs, &before))
		r = fsio_replace_file(o->io, path, blobs.data, blobs.size, 0600);
	return r < 0 ? why_set(ret_why, r, "%.150s: %s", path, strerror(-r)) : 0;
}

static int read_boot_id(const struct fsio *io, uint8_t ret[16])
{
	CLEANUP(buf_done) struct buf b = {0};
	char hex[33];
	size_t n = 0;
	int r = fsio_read_file(io, "/proc/sys/kernel/random/boot_id", 256, &b);

	for (size_t i = 0; r >= 0 && i < b.size && n < 32; i++)
		if (b.data[i] != '-')
			hex[n++] = (char)b.data[i];
	if (r < 0 || n < 32)
		return r < 0 ? r : -EBADMSG;
	return digest_bytes_from_hex(hex, 32, ret, 16);
}

static int read_now(const struct identity_options *o, struct identity *i, struct why *ret_why)
{
	struct quote_pcrs pcrs = {.mask = 0};
	struct tpm_clock clock;
	int r = i->tpm->ops->read_clock(i->tpm->ctx, &clock);

	if (r >= 0)
		r = i->tpm->ops->pcr_read(i->tpm->ctx, 1u << o->pcr_index, &pcrs);
	if (r >= 0 && !(pcrs.mask & 1u << o->pcr_index))
		r = -EIO;
	if (r < 0)
		return why_set(ret_why, r,
			       "TPM: PCR %u of the SHA-256 bank or the counts cannot be read: %s",
			       o->pcr_index, strerror(-r));
	i->now.reset_count = clock.reset_count;
	i->now.restart_count = clock.restart_count;
	i->now.pcr_index = o->pcr_index;
	i->now.pcr = pcrs.values[o->pcr_index];
	r = read_boot_id(o->io, i->now.boot_id);
	return r < 0 ? why_set(ret_why, r, "boot id: %s", strerror(-r)) : 0;
}

/* It does not grow after the boot. One that cannot be read is none: the quote then says so. */
static int read_boot_log(const struct identity_options *o, struct identity *i)
{
	struct buf *b = &i->boot_log_data;
	int r;

	if (!o->boot_log)
		return 0;
	r = fsio_read_file(o->io, o->boot_log, MAX_BOOT_LOG, b);
	if (r < 0) {
		log_notice("boot_log=none path=%s error=\"%s\" next=\"quotes are bound to no boot "
			   "log\"",
			   o->boot_log, strerror(-r));
		buf_done(b);
		return 0;
	}
	return b->size ? digest_sha256(b->data, b->size, &i->boot_log) : 0;
}

/* After the register was read: what is written later than that explains nothing of it. */
static int read_measure_log(const struct identity_options *o, struct identity *i)
{
	static const struct digest zero;
	struct buf *b = &i->measure_log_data;
	struct epoch_seen *now = &i->now;
	struct why why = {""};
	int r = o->measure_log ? fsio_read_file(o->io, o->measure_log, MEASURELOG_MAX, b) : -ENOENT;

	if (r < 0 && r != -ENOENT)
		log_notice(
			"measure_log=none path=%s error=\"%s\" next=\"nothing is explained by it\"",
			o->measure_log, strerror(-r));
	if (r < 0 || b->size == 0) {
		buf_done(b);
		return 0;
	}
	r = digest_sha256(b->data, b->size, &now->measure_log);
	if (r < 0 || digest_equal(&now->pcr, &zero))
		return r;
	r = measurelog_leads(b->data, b->size, now->pcr_index, &zero, &now->pcr, &why);
	now->explained = r > 0;
	snprintf(now->unexplained, sizeof(now->unexplained), "%.159s", why.text);
	return r < 0 ? r : 0;
}

static int name_by_tpm(const struct identity_options *o, struct identity *i, struct why *ret_why)
{
	struct record *rec = &i->record;
	struct digest d;
	int r = i->tpm->ops->ek_public(i->tpm->ctx, &rec->ek_public, &rec->ek_cert);

	if (r < 0)
		return why_set(ret_why, r, "the TPM's endorsement key cannot be had: %s",
			       strerror(-r));
	r = quote_public_digest(rec->ek_public.data, rec->ek_public.size, &d, ret_why);
	if (r < 0)
		return r;
	digest_hex(&d, rec->node);
	r = open_keys(o, i, ret_why);
	if (r >= 0)
		r = quote_public_key(rec->event_public.data, rec->event_public.size, &i->event_key,
				     ret_why);
	if (r >= 0)
		r = read_now(o, i, ret_why);
	if (r >= 0)
		r = read_boot_log(o, i);
	return r < 0 ? r : read_measure_log(o, i);
}

static int certify(struct identity *i, struct why *ret_why)
{
	struct record *rec = &i->record;
	const struct buf_view ak = view(&rec->ak_public), event = view(&rec->event_public);
	struct digest qualifying;
	int r = record_certify_data(&ak, &event, &qualifying);

	if (r >= 0)
		r = i->tpm->ops->certify_event(i->tpm->ctx, &qualifying, &rec->event_attest,
					       &rec->event_sig);
	return r < 0 ? why_set(ret_why, r, "the TPM does not certify the event key: %s",
			       strerror(-r))
		     : 0;
}

/* The record that lies there decides whose ledger this is. One of an enrolment also says what its origin is. */
static int compare(const struct record *before, const struct identity *i, const char *path,
		   struct why *ret_why)
{
	const char *other = NULL;

	if (strcmp(before->node, i->record.node) != 0)
		other = "is of another TPM";
	else if (before->incarnation == 0 && strcmp(before->origin, i->origin) != 0)
		other = "has another origin (log_name was changed?)";
	else if (before->pcr_index != i->record.pcr_index)
		other = "has another pcr_index";
	else if (!same(&before->ak_public, &i->record.ak_public) ||
		 !same(&before->event_public, &i->record.event_public))
		other = "has other keys (tpm-keys in the state directory was lost?)";
	return other ? why_set(ret_why, -EXDEV, "%.120s %s; give this node a ledger_dir of its own",
			       path, other)
		     : 0;
}

static void take_record(struct identity *i, struct record *record)
{
	record_done(&i->record);
	i->record = *record;
	*record = (struct record){.incarnation = 0};
	memcpy(i->origin, i->record.origin, sizeof(i->origin));
	i->enrolled = i->record.incarnation > 0;
}

/* 0: *ret is what lies there. -ENOENT. */
static int read_record(const struct identity_options *o, struct record *ret,
		       char ret_path[PATH_MAX], struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	int r = path_in(o->ledger_dir, "record.json", ret_path);

	if (r >= 0)
		r = fsio_read_file(o->io, ret_path, MAX_RECORD, &b);
	if (r < 0)
		return r == -ENOENT ? r : why_set(ret_why, r, "%.150s: %s", ret_path, strerror(-r));
	r = record_parse(b.data, b.size, ret, &why);
	return r < 0 ? why_set(ret_why, r, "%.100s: %.120s", ret_path, why.text) : 0;
}

static int write_record(const struct identity_options *o, const struct record *record,
			struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX];
	int r = path_in(o->ledger_dir, "record.json", path);

	if (r >= 0)
		r = record_write(record, &b);
	if (r >= 0)
		r = fsio_mkdir_all(o->io, o->ledger_dir, 0700);
	if (r >= 0)
		r = fsio_replace_file(o->io, path, b.data, b.size, 0600);
	return r < 0 ? why_set(ret_why, r, "%.150s: %s", path, strerror(-r)) : 0;
}

static int keep_record(const struct identity_options *o, struct identity *i, struct why *ret_why)
{
	struct record before = {.incarnation = 0};
	char path[PATH_MAX];
	int r = read_record(o, &before, path, ret_why);

	if (r >= 0) {
		r = compare(&before, i, path, ret_why);
		if (r >= 0 && before.incarnation > 0)
			take_record(i, &before);
		record_done(&before);
		return r;
	}
	if (r == -ENOENT)
		r = certify(i, ret_why);
	if (r < 0)
		return r;
	i->record.enrolled_ns = clock_utc_ns(o->clock);
	return o->enrolment ? 0 : write_record(o, &i->record, ret_why);
}

int identity_adopt(const struct identity_options *o, struct identity *i, struct record *record,
		   struct why *ret_why)
{
	int r = write_record(o, record, ret_why);

	if (r < 0) {
		record_done(record);
		return r;
	}
	take_record(i, record);
	return 0;
}

/* Two agents would write over each other's lines. The lock is the kernel's: it goes with the process. */
static int lock(const struct identity_options *o, struct identity *i, struct why *ret_why)
{
	int r = fsio_mkdir_all(o->io, o->ledger_dir, 0700);

	if (r >= 0)
		r = fsio_open(o->io, o->ledger_dir, O_RDONLY | O_DIRECTORY, 0);
	if (r < 0)
		return why_set(ret_why, r, "%.150s: %s", o->ledger_dir, strerror(-r));
	i->lock_fd = r;
	if (flock(i->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK
		       ? why_set(ret_why, -EALREADY, "%.150s: another plumbd writes this ledger",
				 o->ledger_dir)
		       : why_set(ret_why, -errno, "%.150s: flock: %s", o->ledger_dir,
				 strerror(errno));
}

/* Kept under a name of its own: it is evidence, and another's. */
static int set_aside(const struct identity_options *o, const char *path, struct why *ret_why)
{
	char to[PATH_MAX];
	int r = -EEXIST;

	for (int n = 0; n < 1000 && r == -EEXIST; n++) {
		if (snprintf(to, sizeof(to), "%s.%d", path, n) >= (int)sizeof(to))
			return -ENAMETOOLONG;
		r = access(to, F_OK) == 0 ? -EEXIST : o->io->ops->rename(o->io->ctx, path, to);
	}
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return why_set(ret_why, r, "%.120s cannot be set aside: %s", path, strerror(-r));
	log_notice("set_aside=%s as=%s next=\"this node is enrolled anew\"", path, to);
	return 0;
}

/* State that was copied from another machine: of no use to this TPM, and its private key must not be two machines'. */
static int set_state_aside(const struct identity_options *o, struct why *ret_why)
{
	const char *names[2 + ARRAY_SIZE(o->of_machine)] = {IDENTITY_KEYS_FILE, o->enrolment};
	char path[PATH_MAX];
	int r = 0;

	memcpy(names + 2, o->of_machine, sizeof(o->of_machine));
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(names); i++) {
		if (!names[i])
			continue;
		r = path_in(o->state_dir, names[i], path);
		if (r >= 0)
			r = set_aside(o, path, ret_why);
	}
	return r;
}

static int read_ek(struct identity *i, char ret_node[65], struct why *ret_why)
{
	CLEANUP(buf_done) struct buf ek = {0}, cert = {0};
	struct digest d;
	int r = i->tpm->ops->ek_public(i->tpm->ctx, &ek, &cert);

	if (r < 0)
		return why_set(ret_why, r, "the TPM's endorsement key cannot be had: %s",
			       strerror(-r));
	r = quote_public_digest(ek.data, ek.size, &d, ret_why);
	if (r >= 0)
		digest_hex(&d, ret_node);
	return r;
}

/* 1: there is a record, *ret_cloned and *ret_whole say of whom. 0: none. */
static int look_at_record(const struct identity_options *o, struct identity *i, bool *ret_cloned,
			  bool *ret_whole, struct why *ret_why)
{
	struct record before = {.incarnation = 0};
	char path[PATH_MAX], node[65];
	int r = read_ek(i, node, ret_why);

	if (r >= 0)
		r = read_record(o, &before, path, ret_why);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	*ret_cloned = strcmp(before.node, node) != 0;
	r = path_in(o->state_dir, o->enrolment, path);
	*ret_whole = r >= 0 && before.incarnation > 0 && access(path, F_OK) == 0;
	record_done(&before);
	return r < 0 ? r : 1;
}

/* A ledger that was begun without a TPM has no record, but lines; its origin is not the one that we shall be given. */
static int has_lines(const struct identity_options *o, struct why *ret_why)
{
	char origin[CHECKPOINT_MAX_ORIGIN];
	int r = ledger_read_origin(o->io, o->ledger_dir, origin, ret_why);

	if (r != -ENOENT && r != -EBADMSG)
		return r < 0 ? r : 1;
	ret_why->text[0] = 0;
	return r == -EBADMSG;
}

static bool is_there(const struct identity_options *o, const char *name)
{
	char path[PATH_MAX];

	return name && path_in(o->state_dir, name, path) >= 0 && access(path, F_OK) == 0;
}

/* Keys that were lost come back no more, and others are ordered: either way another incarnation, which names this one as its predecessor. */
static int set_keys_aside(const struct identity_options *o, struct why *ret_why)
{
	const char *names[] = {IDENTITY_KEYS_FILE, o->enrolment};
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(names); i++) {
		r = path_in(o->state_dir, names[i], path);
		if (r >= 0)
			r = set_aside(o, path, ret_why);
	}
	return r;
}

/* Before anything of the ledger or the keys is used: are they of an enrolment of this very TPM? */
static int set_old_aside(const struct identity_options *o, struct identity *i, struct why *ret_why)
{
	bool cloned = false, whole = false;
	bool anew = is_there(o, o->rekey) || !is_there(o, IDENTITY_KEYS_FILE);
	int r = look_at_record(o, i, &cloned, &whole, ret_why);

	if (r == 0) {
		r = has_lines(o, ret_why);
		if (r <= 0)
			return r;
	}
	if (r < 0 || (!cloned && whole && !anew))
		return r;
	r = cloned ? set_state_aside(o, ret_why) : anew ? set_keys_aside(o, ret_why) : 0;
	if (r >= 0)
		r = set_aside(o, o->ledger_dir, ret_why);
	if (r < 0)
		return r;
	close(i->lock_fd);
	i->lock_fd = -1;
	return lock(o, i, ret_why);
}

static int clear_the_way(const struct identity_options *o, struct identity *i, struct why *ret_why)
{
	char path[PATH_MAX];
	int r = set_old_aside(o, i, ret_why);

	if (r < 0 || !is_there(o, o->rekey))
		return r;
	/* Last: a start that is cut off before it does all of it again. */
	r = path_in(o->state_dir, o->rekey, path);
	if (r >= 0)
		r = fsio_unlink(o->io, path);
	if (r >= 0)
		r = fsio_sync_dir(o->io, o->state_dir);
	return r < 0 ? why_set(ret_why, r, "%.150s: %s", path, strerror(-r)) : 0;
}

int identity_open(const struct identity_options *o, struct tpm *tpm, struct identity *ret,
		  struct why *ret_why)
{
	struct record *rec = &ret->record;
	int r;

	*ret = (struct identity){.tpm = tpm, .lock_fd = -1, .record = {.pcr_index = o->pcr_index}};
	ret_why->text[0] = 0;
	r = lock(o, ret, ret_why);
	if (r >= 0 && o->enrolment)
		r = tpm ? clear_the_way(o, ret, ret_why)
			: why_set(ret_why, -ENODEV,
				  "a verifier is configured, and there is no TPM to enrol with; "
				  "see "
				  "that tpm: names one, or leave out verifier:");
	if (r >= 0)
		r = tpm ? name_by_tpm(o, ret, ret_why) : name_without_tpm(o, ret, ret_why);
	if (r >= 0 && snprintf(ret->origin, sizeof(ret->origin), "%s/node/%s/0", o->log_name,
			       rec->node) >= (int)sizeof(ret->origin))
		r = why_set(ret_why, -E2BIG, "log_name is too long");
	if (r >= 0) {
		memcpy(rec->origin, ret->origin, sizeof(rec->origin));
		/* A label for people; the node id is what counts. */
		if (gethostname(rec->label, sizeof(rec->label)) < 0)
			rec->label[0] = 0;
		rec->label[sizeof(rec->label) - 1] = 0;
	}
	if (r >= 0 && tpm)
		r = keep_record(o, ret, ret_why);
	if (r < 0)
		identity_done(ret);
	return r;
}

void identity_done(struct identity *i)
{
	record_done(&i->record);
	buf_done(&i->boot_log_data);
	buf_done(&i->measure_log_data);
	i->event_key = sign_key_free(i->event_key);
	if (i->lock_fd >= 0)
		close(i->lock_fd);
	i->lock_fd = -1;
}
