/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec_pair.h"
#include "ima_keep.h"
#include "kubelet_key.h"
#include "ledger_writer.h"
#include "log.h"
#include "order_taker.h"
#include "own_life.h"
#include "reactivation.h"
#include "ready_line.h"
#include "report.h"
#include "retention.h"
#include "scan_claims.h"
#include "scan_slow.h"
#include "self_quote.h"
#include "sensor_bpf.h"
#include "sensors_files.h"
#include "sensors_net.h"
#include "settle.h"
#include "strict.h"
#include "surface.h"
#include "transport.h"

struct agent {
	struct event_base *base;
	const struct clock *clock;
	struct tpm_queue *queue;
	struct ledger_writer *writer;
	struct strict *strict;
	struct self_quote *self_quote;
	struct ima_keep *ima_keep; /* NULL: there is no such list, or no TPM */
	struct transport *transport;
	struct order_taker *orders;
	struct report *report;
	struct reactivation *reactivation;
	struct retention retention;
	bool stopping; /* nothing but the last quote comes after the `stop` */
	struct cgroups *cgroups;
	struct images *images;
	struct overlay_layer *layers;
	struct proctab *proctab;
	struct hash_cache *hashes;
	struct file_texts *texts; /* NULL: no lines of changed files are told */
	struct file_set *files;
	struct exec_pair *exec_pair;
	struct ima_list *ima; /* NULL: this kernel has none, or nobody asks for it */
	struct sensors_net *sensors_net;
	struct sensor_bpf *bpf;
	struct sensors_files *sensors_files;
	struct scan_claims *claims;
	struct scan_slow *scan_slow;
	struct surface *surface;
	struct own_life *own_life;
	struct isolate_all *isolation;
	struct kubelet_key *kubelet_key;
};

static int open_tables(struct agent *a, const struct agent_options *o, struct why *ret_why)
{
	struct file_set_options files = {
		.paths = o->watch, .n_paths = o->n_watch, .clock = o->clock};
	const struct images_options images = {.root = o->container_root, .clock = o->clock};
	const struct file_texts_options texts = {
		.paths = o->diff, .n_paths = o->n_diff, .redact = o->diff_redact};
	struct why why = {""};
	int r;

	/* Without cgroup v2 there is a table that knows no id. */
	cgroups_open(NULL, &a->cgroups, &why);
	r = proctab_open(0, a->cgroups, &a->proctab);
	if (r >= 0)
		r = hash_cache_open(0, 0, &a->hashes);
	if (r >= 0)
		r = images_open(&images, &a->images);
	if (r >= 0)
		r = overlay_layer_open(NULL, &a->layers);
	if (r >= 0 && o->n_diff > 0)
		r = file_texts_open(&texts, &a->texts);
	if (r < 0)
		return why_set(ret_why, r, "tables: %s", strerror(-r));
	files.hash_cache = a->hashes;
	files.texts = a->texts;
	return file_set_open(&files, ledger_writer_sink(a->writer), &a->files, ret_why);
}

static void on_marked(void *ctx, const union event_record *r)
{
	struct agent *a = ctx;

	surface_take(a->surface, r);
	if (a->sensors_files)
		sensors_files_take(a->sensors_files, r);
	own_life_take(a->own_life, r);
}

static void on_flush(void *ctx)
{
	struct agent *a = ctx;

	if (a->bpf)
		sensor_bpf_drain(a->bpf);
}

static int open_exec(struct event_base *base, struct agent *a, const struct agent_options *o)
{
	const struct exec_pair_options pair = {a->proctab, o->clock, a->claims};
	struct sensor_bpf_options bpf = {
		.proctab = a->proctab,
		.hash_cache = a->hashes,
		.cgroups = a->cgroups,
		.images = a->images,
		.layers = a->layers,
		.clock = o->clock,
		.exec_args = o->redact != NULL,
		.marked = on_marked,
		.marked_ctx = a,
		.enforce = o->protect,
		.isolate = isolate_may(o->isolation.isolate) & ISOLATE_EXEC,
		.code = {o->interpreters, o->n_interpreters, scan_claims_binfmt_soon, a->claims}};
	struct sensors_net_options net = {a->claims, a->proctab,	o->clock, o->scan_ms,
					  0,	     exec_pair_audited, NULL};
	const struct surface_options surface = {a->claims, a->proctab, o->clock, .flush = on_flush,
						.ctx = a};
	const struct measure_sink *sink = ledger_writer_sink(a->writer);
	struct why bpf_why = {""}, netlink_why = {""};
	int rb, rs = surface_open(base, &surface, sink, &a->surface);
	int rn = exec_pair_open(base, &pair, sink, &a->exec_pair, &netlink_why);

	net.audit_ctx = a->exec_pair;
	a->sensors_net = sensors_net_open(base, &net, sink);
	if (rn >= 0) {
		bpf.exec_seen = exec_pair_seen;
		bpf.exec_lost = exec_pair_lost;
		bpf.peer_ctx = a->exec_pair;
	}
	rb = sensor_bpf_open(base, &bpf, sensors_net_tap(a->sensors_net, sink), &a->bpf, &bpf_why);
	sensors_net_bpf(a->sensors_net, a->bpf);
	if (rn >= 0)
		rn = exec_pair_bpf(a->exec_pair, rb < 0 ? NULL : a->bpf, &netlink_why);
	if (rb < 0)
		log_warning("sensor=bpf absent=\"%s\" next=\"goes on without it\"", bpf_why.text);
	scan_claims_bpf(a->claims, rb < 0 ? NULL : a->bpf, bpf_why.text);
	surface_bpf(a->surface, a->bpf);
	scan_claims_tell_sensor(a->claims, "surface", rs, "out of memory");
	scan_claims_tell_sensor(a->claims, "proc_connector", rn, netlink_why.text);
	return rb < 0 && rn < 0 ? -ENOTSUP : 0;
}

/* Also when what was asked for has ended: that nothing was found is news as well. */
static void on_evidence_wanted(void *ctx)
{
	struct agent *a = ctx;

	if (a->report)
		report_now(a->report);
}

static void on_scanned(void *ctx)
{
	order_taker_scanned(((struct agent *)ctx)->orders);
	on_evidence_wanted(ctx);
}

/* Each watched file has a value. What events brought between `ready` and this has its actor, too, and no value before: nobody had looked. */
static void on_measured(void *ctx)
{
	struct agent *a = ctx;
	char body[64];

	snprintf(body, sizeof(body), "\"phase\":\"measured\",\"files\":%u", file_set_n(a->files));
	(void)ledger_writer_record(a->writer, PLUMB_TYPE_START, "agent", body);
}

static int open_files(struct agent *a, const struct agent_options *o)
{
	const struct sensors_files_options files = {.files = a->files,
						    .proctab = a->proctab,
						    .clock = o->clock,
						    .bpf = a->bpf,
						    .claims = a->claims,
						    .rescan_ms = o->rescan_ms,
						    .measured = on_measured,
						    .scanned = on_scanned,
						    .ctx = a};

	return o->n_watch == 0 ? -ENOENT
			       : sensors_files_open(a->base, &files, ledger_writer_sink(a->writer),
						    &a->sensors_files);
}

static void on_anchored(void *ctx, const struct checkpoint *head)
{
	struct agent *a = ctx;

	if (a->strict)
		strict_anchored(a->strict, head);
	if (a->self_quote)
		self_quote_anchored(a->self_quote);
	if (a->report)
		report_anchored(a->report);
}

static void on_drift(void *ctx, const struct line *l)
{
	struct agent *a = ctx;

	isolate_all_drift(a->isolation, l);
	if (a->report)
		report_drift(a->report);
}

static void on_orders(void *ctx, const struct buf *envelopes, uint32_t n)
{
	order_taker_take(((struct agent *)ctx)->orders, envelopes, n);
}

static void on_standing(void *ctx, uint64_t *ret_last_order, uint64_t *ret_baseline_version)
{
	const struct agent *a = ctx;

	*ret_last_order = order_taker_last(a->orders);
	*ret_baseline_version = order_taker_baseline(a->orders);
}

static void on_renewed(void *ctx, const struct buf *pem)
{
	reactivation_renew(((struct agent *)ctx)->reactivation, pem);
}

static uint64_t last_order(void *ctx)
{
	const struct agent *a = ctx;

	return a->orders ? order_taker_last(a->orders) : ledger_writer_last_order(a->writer);
}

/* What the verifier lost again, because somebody gave it an older store, it is to get again. */
static void on_confirmed(void *ctx, uint64_t size)
{
	struct agent *a = ctx;
	uint64_t sent = ledger_writer_sent_size(a->writer);

	isolate_all_heard(a->isolation, size);
	if (!a->stopping)
		retention_run(&a->retention, size < sent ? size : sent);
}

/* Without a verifier: what the TPM quoted and the event key signed. */
static void on_quoted(void *ctx, uint64_t size)
{
	struct agent *a = ctx;
	uint64_t is_signed = commit_signed_size(ledger_writer_commit(a->writer));

	if (!a->stopping)
		retention_run(&a->retention, size < is_signed ? size : is_signed);
}

/* Another baseline, or lines that there was no room for: all that is known is told and judged again, then looked at anew. */
static void on_again(void *ctx)
{
	struct agent *a = ctx;

	/* There are no sensors any more: the next start tells it all. */
	if (a->stopping)
		return;
	isolate_all_judged(a->isolation);
	scan_claims_tell_all(a->claims);
	file_set_tell_all(a->files);
	if (a->sensors_files)
		sensors_files_now(a->sensors_files);
	on_evidence_wanted(a);
}

/* An order: all that is known is looked at anew, on the loop, a slice at a time. */
static void on_scan(void *ctx)
{
	struct agent *a = ctx;

	if (a->claims)
		(void)scan_claims_now(a->claims);
	if (a->scan_slow)
		scan_slow_now(a->scan_slow);
	if (a->sensors_files)
		sensors_files_anew(a->sensors_files);
	else
		order_taker_scanned(a->orders);
	on_evidence_wanted(a);
}

static void on_restart(void *ctx, uint64_t until_ns)
{
	own_life_open_door(((struct agent *)ctx)->own_life, until_ns);
}

static void on_own_bpf(void *ctx, struct claims_bpf_own *ret)
{
	const struct agent *a = ctx;

	if (a->bpf)
		loader_own(sensor_bpf_loader(a->bpf), ret);
}

static int open_verifier(struct agent *a, const struct agent_options *o, struct why *ret_why)
{
	const struct agent_verifier *v = o->verifier;
	const struct transport_options t = {v->url, v->ca_pem, v->cert_pem, v->key_pem};
	struct order_taker_options orders = {
		.io = o->io,
		.clock = o->clock,
		.record = &o->identity->record,
		.record_path = v->record_path,
		.writer = a->writer,
		.baseline_path = v->baseline_path,
		.baseline = o->baseline,
		.evidence = on_evidence_wanted,
		.scan = on_scan,
		.restart = on_restart,
		.judged_anew = on_again,
		.rekey = o->rekey,
		.isolate = o->isolation.isolate,
		.rekey_ctx = o->rekey_ctx,
		.ctx = a,
	};
	struct report_options report = {
		.queue = a->queue,
		.writer = a->writer,
		.identity = o->identity,
		.clock = o->clock,
		.io = o->io,
		.ledger_dir = o->ledger_dir,
		.client_key = v->client_key,
		.ima = a->ima,
		.ima_keep = a->ima_keep,
		.interval_ms = v->interval_ms,
		.orders = on_orders,
		.renewed = on_renewed,
		.confirmed = on_confirmed,
		.standing = on_standing,
		.ctx = a,
	};
	struct reactivation_options again = {.url = v->url,
					     .ca_pem = v->ca_pem,
					     .key_pem = v->key_pem,
					     .record = &o->identity->record,
					     .clock = o->clock,
					     .queue = a->queue,
					     .renewal = {.io = o->io,
							 .path = v->cert_path,
							 .node = o->identity->record.node,
							 .client_key = v->client_key,
							 .not_after_s = v->cert_not_after_s}};
	int r = transport_open(a->base, &t, &a->transport, ret_why);

	orders.transport = report.transport = again.renewal.transport = a->transport;
	if (r >= 0)
		r = reactivation_open(a->base, &again, &a->reactivation, ret_why);
	if (r >= 0)
		r = order_taker_open(&orders, &a->orders, ret_why);
	return r < 0 ? r : report_open(a->base, &report, &a->report, ret_why);
}

static int open_ledger(struct agent *a, const struct agent_options *o, struct why *ret_why)
{
	struct ledger_writer_options writer = {
		.io = o->io,
		.clock = o->clock,
		.dir = o->ledger_dir,
		.origin = o->identity->origin,
		.baseline = o->baseline,
		.batch_ms = o->batch_ms,
		.exec_all = o->exec_all,
		.redact = o->redact,
		.anchored = on_anchored,
		.drift = on_drift,
		.again = on_again,
		.ctx = a,
		.record = &o->identity->record,
		.max_unsent = o->verifier ? o->verifier->max_unsent : 0,
		.segment_size = retention_segment_size(o->keep_size),
	};
	struct ima_keep_options keep = {
		.io = o->io, .ledger_dir = o->ledger_dir, .boot_id = o->identity->now.boot_id};
	struct self_quote_options quote = {
		.identity = o->identity, .interval_ms = o->quote_ms, .quoted = on_quoted, .ctx = a};
	int r;

	if (!o->identity->tpm)
		return ledger_writer_open(a->base, &writer, &a->writer, ret_why);
	r = tpm_queue_open(a->base, o->identity->tpm, &a->queue);
	if (r < 0)
		return why_set(ret_why, r, "the TPM's thread: %s", strerror(-r));
	writer.queue = a->queue;
	writer.now = &o->identity->now;
	writer.event_key = o->identity->event_key;
	r = ledger_writer_open(a->base, &writer, &a->writer, ret_why);
	if (r < 0)
		return r;
	a->retention = (struct retention){a->writer,	 o->clock,   o->io,
					  o->ledger_dir, o->keep_ms, o->keep_size,
					  last_order,	 a,	     0};
	keep.writer = a->writer;
	r = ima_keep_open(a->base, &keep, &a->ima_keep, ret_why);
	if (r < 0)
		return r;
	if (o->verifier)
		return open_verifier(a, o, ret_why);
	quote.queue = a->queue;
	quote.writer = a->writer;
	quote.ima_keep = a->ima_keep;
	quote.baseline_version = o->baseline ? baseline_info(o->baseline)->version : 0;
	return self_quote_open(a->base, &quote, &a->self_quote);
}

static void on_strict(void *ctx, bool attached, const char *why)
{
	struct agent *a = ctx;

	scan_claims_sensor(a->claims, "strict", attached, why);
}

/* Last of all: what it waits for must be able to happen. */
static int begin_strict(struct agent *a, const struct agent_options *o, const char *absent)
{
	const struct strict_parts parts = {a->writer, a->proctab, a->images, o->clock,
					   on_flush,  on_strict,  a};

	return strict_begin(&a->strict, a->base, &parts, a->queue != NULL,
			    o->strict ? absent : NULL);
}

static int begin_isolation(struct agent *a, const struct agent_options *o, struct why *ret_why)
{
	const struct isolate_all_parts parts = {
		&o->isolation,	    a->writer,	a->bpf,	  a->hashes,
		a->cgroups,	    a->proctab, o->clock, o->identity->record.node,
		on_evidence_wanted, a};

	return isolate_all_go(a->base, &parts, &a->isolation, ret_why);
}

static int open_own_life(struct agent *a, const struct agent_options *o)
{
	const struct guard_options guard = {a->bpf,	a->claims,	    a->proctab,
					    a->cgroups, o->clock,	    o->own_paths,
					    o->protect, o->protect_why_not, 0};

	return own_life_open(a->base, &guard, ledger_writer_sink(a->writer), &a->own_life);
}

static int open_sensors(struct agent *a, const struct agent_options *o, struct why *ret_why)
{
	const struct scan_claims_options claims = {
		.interval_ms = o->scan_ms, .root = o->container_root, .clock = o->clock};
	struct scan_slow_options slow = {.clock = o->clock,
					 .interval_ms = o->slow_scan_ms,
					 .own = on_own_bpf,
					 .done = on_evidence_wanted,
					 .ctx = a};
	int rx, rf,
		r = scan_claims_open(a->base, &claims, ledger_writer_sink(a->writer), &a->claims,
				     ret_why);

	if (r >= 0)
		r = open_tables(a, o, ret_why);
	if (r < 0)
		return r;
	scan_claims_sensor(a->claims, "tpm", o->identity->tpm != NULL, o->tpm_absent);
	rx = open_exec(a->base, a, o);
	rf = open_files(a, o);
	slow.claims = a->claims;
	slow.files = a->files;
	slow.hashes = a->hashes;
	slow.surface = a->surface;
	slow.maps = &(struct record_line_tables){a->proctab, a->hashes, a->images, o->clock};
	r = scan_slow_open(a->base, &slow, ledger_writer_sink(a->writer), &a->scan_slow);
	r = r < 0 ? r : open_own_life(a, o);
	if (r < 0)
		return why_set(ret_why, r, "sensors: %s", strerror(-r));
	return rx < 0 && rf < 0
		       ? why_set(ret_why, -ENOTSUP,
				 "no sensor can be attached; run as root on a kernel with BTF, "
				 "or see the warnings above")
		       : 0;
}

int agent_open(struct event_base *base, const struct agent_options *o, struct agent **ret,
	       struct why *ret_why)
{
	struct agent *a = calloc(1, sizeof(*a));
	struct why absent = {""}, no_ima = {""};
	struct kubelet_key_options kubelet = {
		NULL, o->identity->origin, o->kubelet_csr_key, NULL, 0, on_evidence_wanted, a};
	int r, ima = 0;

	if (!a)
		return -ENOMEM;
	a->base = base;
	a->clock = o->clock;
	if (o->strict)
		(void)strict_open(o->strict, &a->strict, &absent);
	if (o->verifier)
		ima = ima_list_open(NULL, o->ima_measures, &a->ima, &no_ima);
	r = open_ledger(a, o, ret_why);
	r = r < 0 ? r : open_sensors(a, o, ret_why);
	if (r >= 0)
		r = begin_strict(a, o, absent.text);
	r = r < 0 ? r : begin_isolation(a, o, ret_why);
	kubelet.writer = a->writer;
	r = r < 0 || !o->verifier ? r : kubelet_key_open(base, &kubelet, &a->kubelet_key);
	if (r >= 0 && o->verifier)
		scan_claims_tell_sensor(a->claims, "ima_list", ima, no_ima.text);
	if (r >= 0)
		r = ready_line_write(a->writer, a->ima,
				     a->bpf && loader_is_attached(sensor_bpf_loader(a->bpf),
								  "plumb_bprm_check"));
	if (r < 0) {
		agent_free(a);
		return r;
	}
	if (a->self_quote)
		self_quote_now(a->self_quote);
	if (a->report)
		report_now(a->report);
	*ret = a;
	return 0;
}

static void free_sensors(struct agent *a)
{
	/* First: nobody may wait for an agent that goes. */
	a->strict = strict_free(a->strict);
	a->isolation = isolate_all_free(a->isolation);
	a->kubelet_key = kubelet_key_free(a->kubelet_key);
	a->own_life = own_life_free(a->own_life);
	a->scan_slow = scan_slow_free(a->scan_slow);
	a->sensors_files = sensors_files_free(a->sensors_files);
	/* Each of these three writes to the next. */
	a->bpf = sensor_bpf_free(a->bpf);
	a->surface = surface_free(a->surface);
	a->sensors_net = sensors_net_free(a->sensors_net);
	a->claims = scan_claims_free(a->claims);
	a->exec_pair = exec_pair_free(a->exec_pair);
}

int agent_stop(struct agent *a, const char *why)
{
	uint64_t until = clock_boot_ns(a->clock) + AGENT_STOP_MS * 1000000ull;
	uint64_t order = a->orders ? order_taker_restart(a->orders) : 0;
	const struct settle_parts rest = {a->base, a->clock, ledger_writer_commit(a->writer),
					  a->self_quote, a->report};
	int r;

	if (a->bpf)
		sensor_bpf_flush(a->bpf);
	free_sensors(a);
	a->stopping = true;
	order_taker_stop(a->orders);
	r = ledger_writer_stop(a->writer, why, order);
	if (r < 0 || !a->queue)
		return r;
	settle_run(&rest, order != 0, until);
	return 0;
}

struct agent *agent_free(struct agent *a)
{
	if (!a)
		return NULL;
	free_sensors(a);
	file_set_free(a->files);
	file_texts_free(a->texts);
	hash_cache_free(a->hashes);
	proctab_free(a->proctab);
	overlay_layer_free(a->layers);
	images_free(a->images);
	cgroups_free(a->cgroups);
	/* What the TPM did meanwhile is still told, and may be what evidence waited for: so it goes before the way to the verifier. */
	tpm_queue_free(a->queue);
	transport_free(a->transport);
	reactivation_free(a->reactivation);
	report_free(a->report);
	order_taker_free(a->orders);
	self_quote_free(a->self_quote);
	ima_keep_free(a->ima_keep);
	ledger_writer_free(a->writer);
	ima_list_free(a->ima);
	free(a);
	return NULL;
}
