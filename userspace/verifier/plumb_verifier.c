/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plumb_verifier.c: the verifier. In: options, or a command (init, operator). Out: a server, until a signal. Exit codes: 0 in order,
 * 64 wrong usage, 65 a store, log or document that is corrupt, 66 init was not run, 69 the address cannot be served, 71 the rest,
 * 73 a verifier or operator exists already, 74 a disk that is full or fails, 77 files that belong to somebody else.
 */
#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions.h"
#include "api.h"
#include "cleanup.h"
#include "contain.h"
#include "contain_desk.h"
#include "deeds_want.h"
#include "deserted.h"
#include "documents.h"
#include "ek_owner.h"
#include "enrol.h"
#include "gates.h"
#include "image_service.h"
#include "intake.h"
#include "key_orders.h"
#include "log.h"
#include "name_desk.h"
#include "remedy_desk.h"
#include "server.h"
#include "server_renewal.h"
#include "verifier_files.h"
#include "verifier_operators.h"
#include "verifier_settings.h"
#include "verifier_setup.h"

enum {
	EXIT_USAGE = 64,
	EXIT_CORRUPT = 65,
	EXIT_NO_INIT = 66,
	EXIT_NO_ADDRESS = 69,
	EXIT_REST = 71,
	EXIT_THERE = 73,
	EXIT_DISK = 74,
	EXIT_NOT_OURS = 77
};

/* All that main opens, in order; closed in reverse. */
struct rooms {
	struct event_base *base;
	struct verifier_keys keys;
	struct store store;
	struct vlog *vlog;
	struct image_service *images;
	struct documents *documents;
	struct contain *contain;
	struct intake *intake;
	struct ekcert_anchors *anchors;
	struct name_desk *names;
	struct enrol *enrol;
	struct actions *actions;
	struct remedy_desk *remedy;
	uint64_t retire_deleted_ms;
	struct api api;
	struct server *server;
	struct server_renewal renewal;
	struct gates *gates;
	struct event *tick, *term, *interrupt;
	struct verifier v;
	int lock;
	const char *exempt[CONF_MAX_LIST + 1]; /* namespaces; borrowed */
	char baseline_dir[PATH_MAX], log_dir[PATH_MAX], witness_name[256];
	char server_cert[PATH_MAX], server_key[PATH_MAX];
};

static const struct ending {
	int error, code;
	const char *cure; /* NULL: the error's own sentence has it */
} endings[] = {
	{0, 0, NULL},
	{-EBADMSG, EXIT_CORRUPT, "put it back from a backup; nothing was changed"},
	{-EXDEV, EXIT_CORRUPT, "log_name must stay what it was; or put the log back from a backup"},
	{-EKEYREJECTED, EXIT_CORRUPT, "put the key back from a backup; nothing was changed"},
	{-EPROTONOSUPPORT, EXIT_CORRUPT, NULL},
	{-ENOENT, EXIT_NO_INIT, NULL},
	{-EADDRINUSE, EXIT_NO_ADDRESS, NULL},
	{-EINVAL, EXIT_USAGE, "plumb-verifier --help lists commands and options"},
	{-EEXIST, EXIT_THERE, NULL},
	{-ENOSPC, EXIT_DISK, "make room on that disk and start again; nothing was lost"},
	{-EDQUOT, EXIT_DISK, "make room in that quota and start again; nothing was lost"},
	{-EFBIG, EXIT_DISK, "raise the limit of file sizes and start again; nothing was lost"},
	{-EIO, EXIT_DISK, "look whether the disk is full, and at the kernel's log"},
	{-EROFS, EXIT_NOT_OURS, "mount it to be written, or give another --data-dir"},
	{-EACCES, EXIT_NOT_OURS, "run it as the user whom the data directory belongs to"},
	{-EPERM, EXIT_NOT_OURS, "run it as the user whom the data directory belongs to"},
	{-EBUSY, EXIT_REST, "another plumb-verifier has the data directory: stop that one first"},
	{-EAGAIN, EXIT_REST, "another plumb-verifier has the data directory: stop that one first"},
};

static const struct ending *ending_of(int r)
{
	static const struct ending rest = {0, EXIT_REST, NULL};

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (endings[i].error == r)
			return &endings[i];
	return &rest;
}

/* "what is wrong and where; what to do" */
static void complain(int r, const struct why *why, char ret[512])
{
	const char *cure = ending_of(r)->cure, *text = why->text[0] ? why->text : strerror(-r);

	snprintf(ret, 512, "%s%s%s", text, cure ? "; " : "", cure ? cure : "");
}

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(ctx);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct rooms *o = ctx;
	struct why why = {""};
	int r = intake_tick(o->intake);

	if (r >= 0)
		r = contain_desk_tick(&o->api.desk);
	if (r >= 0)
		r = remedy_desk_tick(o->remedy);
	if (r >= 0)
		r = deserted_tick(&o->api.desk, contain_watches(o->contain, &why),
				  o->retire_deleted_ms);
	server_renewal_tick(&o->renewal);
	(void)fd;
	(void)what;
	if (r < 0)
		log_error("deadlines=unchecked error=\"%s\" next=\"looked at again in a second\"",
			  strerror(-r));
}

static int on_renewed(void *ctx, const char *cert_pem, struct why *ret_why)
{
	struct rooms *o = ctx;

	return server_show(o->server, cert_pem, ret_why);
}

static int open_doors(const struct verifier_settings *s, struct rooms *o, struct why *ret_why)
{
	int r = verifier_files_ours(s->data_dir, ret_why);

	if (r >= 0)
		r = verifier_setup_keys(fsio_system(), s->data_dir, &s->hosts, &o->keys, ret_why);
	if (r >= 0)
		r = verifier_files_lock(s->data_dir, &o->lock, ret_why);
	if (r >= 0)
		r = verifier_files_store(s->data_dir, &o->store, ret_why);
	if (r < 0)
		return r;
	snprintf(o->baseline_dir, sizeof(o->baseline_dir), "%s/baselines", s->data_dir);
	snprintf(o->log_dir, sizeof(o->log_dir), "%s/log", s->data_dir);
	snprintf(o->server_cert, sizeof(o->server_cert), "%s/server.crt", s->data_dir);
	snprintf(o->server_key, sizeof(o->server_key), "%s/server.key", s->data_dir);
	if (snprintf(o->witness_name, sizeof(o->witness_name), "%s/verifier", s->log_name) >=
	    (int)sizeof(o->witness_name))
		return why_set(ret_why, -EINVAL, "log_name is too long");
	o->v = (struct verifier){
		.store = &o->store,
		.clock = clock_system(),
		.io = fsio_system(),
		.verdict_key = o->keys.verdict,
		.old_verdict_key = o->keys.old_verdict,
		.witness_key = o->keys.witness,
		.witness_name = o->witness_name,
		.log_name = s->log_name,
		.developer = s->developer,
		.baseline_dir = o->baseline_dir,
		.pcr_index = (uint8_t)s->pcr_index,
		.boot_pcr_mask = s->boot_pcr_mask,
		.silent_after_ms = s->silent_after,
		.unconfirmed_after_ms = s->unconfirmed_after,
		.leaving_ms = s->leaving_limit,
		.verdict_life_s = s->silent_after / 1000 + 120,
	};
	r = vlog_open(fsio_system(), clock_system(), o->log_dir, s->log_name, o->keys.witness,
		      &o->vlog, ret_why);
	o->v.vlog = o->vlog;
	if (r >= 0)
		r = vlog_join(o->vlog, &o->store, ret_why);
	if (r >= 0)
		r = ek_owner_gather(&o->store);
	return r < 0 ? r : key_orders_give(&o->v);
}

static int open_contain(const struct verifier_settings *s, struct rooms *o, struct why *ret_why)
{
	struct contain_options c = {
		.base = o->base,
		.store = &o->store,
		.clock = clock_system(),
		.key = o->keys.verdict,
		.webhooks = (const char *const *)s->webhooks.items,
		.n_webhooks = s->webhooks.n_items,
		.webhook_ca = s->webhook_ca,
		.command_file = s->contain_command,
		.kube_server = s->kube_server,
		.kube_token_file = s->kube_token_file,
		.kube_ca_file = s->kube_ca,
		.v = &o->v,
		.max_percent = (uint32_t)s->contain_percent,
		.calm_ms = s->contain_calm,
		.evict_ms = s->kube_evict_for,
		.evict_force = s->kube_evict_force,
		.dry_run = s->contain_dry_run,
	};
	int r = 0;

	for (uint32_t i = 0; i < s->kube_deeds.n_items; i++) {
		uint32_t kind = deeds_kind_of(s->kube_deeds.items[i]);

		if (!kind)
			return why_set(ret_why, -EINVAL, "kube_deeds: \"%.60s\" is no deed",
				       s->kube_deeds.items[i]);
		c.kinds |= kind;
	}
	r = contain_open(&c, &o->contain, ret_why);

	return r == -ENOENT ? -EINVAL : r; /* a file that an option names */
}

static void on_named(void *ctx, const char *id, const char *kube_token)
{
	name_desk_take(ctx, id, kube_token);
}

static int open_names(const struct verifier_settings *s, struct rooms *o, struct why *ret_why)
{
	const struct name_desk_options n = {
		.v = &o->v,
		.contain = o->contain,
		.kube = {.base = o->base,
			 .server = s->kube_server,
			 .token_file = s->kube_token_file,
			 .ca_file = s->kube_ca},
		.account = s->kube_agent_account,
		.audience = s->kube_audience,
	};
	int r = s->kube_agent_account ? name_desk_open(&n, &o->names, ret_why) : 0;

	return r == -ENOENT ? -EINVAL : r; /* a file that an option names */
}

static int open_enrol(const struct verifier_settings *s, struct rooms *o, struct why *ret_why)
{
	struct enrol_options e = {
		.v = &o->v,
		.contain = o->contain,
		.intake = o->intake,
		.ca_cert_pem = (char *)o->keys.ca_pem.data,
		.ca_key = o->keys.ca,
		.node_cert_life_s = s->node_cert_life / 1000,
		.default_baseline = documents_default_baseline,
		.ctx = o->documents,
		.named = o->names ? on_named : NULL,
		.named_ctx = o->names,
	};
	int r = ekcert_anchors_open(fsio_system(), (const char *const *)s->ek_anchors.items,
				    s->ek_anchors.n_items, s->emulated_anchors, &o->anchors,
				    ret_why);

	if (r < 0)
		return r == -ENOENT ? -EINVAL : r;
	ekcert_anchors_allow_expired(o->anchors, s->expired_eks);
	e.anchors = o->anchors;
	return enrol_open(&e, &o->enrol);
}

static int open_ima_keys(const struct verifier_settings *s, struct rooms *o, struct why *ret_why)
{
	int r = ima_sig_open(fsio_system(), (const char *const *)s->ima_keys.items,
			     s->ima_keys.n_items, &o->v.ima_sig, ret_why);

	return r == -ENOENT ? -EINVAL : r; /* a file that an option names */
}

static int open_images(const struct verifier_settings *s, struct rooms *o, struct why *ret_why)
{
	const struct image_service_options i = {
		.keys = (const char *const *)s->image_keys.items,
		.n_keys = s->image_keys.n_items,
		.ca_file = s->image_ca,
		.fetch = {
			.registries = {.base = o->base,
				       .registries = (const char *const *)s->image_registries.items,
				       .n_registries = s->image_registries.n_items},
			.unsigned_runs = s->allow_unchecked || s->admission_dry_run}};
	int r = image_service_open(&o->v, &i, &o->images, ret_why);

	return r == -ENOENT || r == -EKEYREJECTED ? -EINVAL : r; /* a file that an option names */
}

static int open_gates(const struct verifier_settings *s, struct rooms *o, struct why *ret_why)
{
	struct gates_options g = {
		.store = &o->store,
		.rules = {.allow_unknown = s->allow_unknown,
			  .allow_degraded = s->allow_degraded,
			  .allow_silent = s->allow_silent,
			  .startup_taint = !s->allow_untainted,
			  .dry_run = s->admission_dry_run,
			  .exempt = o->exempt,
			  .n_exempt = 1 + s->admission_exempt.n_items,
			  .image_digests = s->image_require_digest,
			  .images = o->v.images,
			  .allow_unchecked = s->allow_unchecked},
		.admission = {.listen = s->admission_listen,
			      .cert_file = s->admission_cert ? s->admission_cert : o->server_cert,
			      .key_file = s->admission_key ? s->admission_key : o->server_key,
			      .client_ca_file = s->admission_client_ca},
		.csr = {.v = &o->v,
			.contain = o->contain,
			.kube = {.base = o->base,
				 .server = s->csr_approve ? s->kube_server : NULL,
				 .token_file =
					 s->csr_token_file ? s->csr_token_file : s->kube_token_file,
				 .ca_file = s->kube_ca,
				 .option = s->csr_token_file ? "csr_token_file" : NULL,
				 .rights = "approver-rbac.yaml"},
			.bind = s->bind_by_csr,
			.chained = s->chain_csrs},
	};
	int r;

	o->exempt[0] = "kube-system";
	for (uint32_t i = 0; i < s->admission_exempt.n_items; i++)
		o->exempt[i + 1] = s->admission_exempt.items[i];
	r = gates_open(&g, &o->gates, ret_why);
	return r == -ENOENT ? -EINVAL : r; /* a file that an option names */
}

static int open_rooms(const struct verifier_settings *s, struct rooms *o, struct why *ret_why)
{
	struct intake_options i = {.v = &o->v,
				   .ca_cert_pem = (char *)o->keys.ca_pem.data,
				   .ca_key = o->keys.ca,
				   .node_cert_life_s = s->node_cert_life / 1000};
	struct server_options so = {.base = o->base,
				    .listen = s->listen,
				    .api = &o->api,
				    .max_connections = (uint32_t)s->max_connections,
				    .max_per_address = (uint32_t)s->max_per_address};
	int r = documents_open(&o->v, &o->documents, ret_why);

	if (r >= 0 && s->ima_keys.n_items > 0)
		r = open_ima_keys(s, o, ret_why);
	if (r >= 0 && s->image_keys.n_items > 0)
		r = open_images(s, o, ret_why);
	if (r >= 0)
		r = open_contain(s, o, ret_why);
	i.documents = o->documents;
	i.contain = o->contain;
	if (r >= 0)
		r = intake_open(&i, &o->intake);
	if (r >= 0)
		r = open_names(s, o, ret_why);
	if (r >= 0)
		r = open_enrol(s, o, ret_why);
	o->api.desk = (struct action_desk){&o->v, o->documents, o->intake, o->contain};
	if (r >= 0)
		r = actions_open(&o->api.desk, &o->actions);
	if (r >= 0)
		r = remedy_desk_open(&o->api.desk, &o->remedy);
	o->retire_deleted_ms = s->retire_deleted;
	o->api.enrol = o->enrol;
	o->api.actions = o->actions;
	o->api.ca_cert_pem = (char *)o->keys.ca_pem.data;
	so.cert_pem = (char *)o->keys.server_pem.data;
	so.key_pem = (char *)o->keys.server_key_pem.data;
	so.ca_pem = o->api.ca_cert_pem;
	o->renewal = (struct server_renewal){.io = fsio_system(),
					     .clock = clock_system(),
					     .dir = s->data_dir,
					     .hosts = &s->hosts,
					     .keys = &o->keys,
					     .show = on_renewed,
					     .ctx = o};
	if (r >= 0)
		r = open_gates(s, o, ret_why);
	return r < 0 ? r : server_open(&so, &o->server, ret_why);
}

static void close_rooms(struct rooms *o)
{
	gates_free(o->gates);
	o->server = server_free(o->server);
	/* A connection that was at work is freed by the loop, in its next round. */
	if (o->base)
		event_base_loop(o->base, EVLOOP_NONBLOCK);
	remedy_desk_free(o->remedy);
	actions_free(o->actions);
	enrol_free(o->enrol);
	name_desk_free(o->names);
	ekcert_anchors_free(o->anchors);
	intake_free(o->intake);
	contain_free(o->contain);
	documents_free(o->documents);
	image_service_free(o->images);
	ima_sig_free(o->v.ima_sig);
	if (o->vlog && vlog_sync(o->vlog) < 0)
		log_error("log=unwritten next=\"what was not synced is lost\"");
	vlog_free(o->vlog);
	if (o->store.ops)
		o->store.ops->close(o->store.ctx);
	if (o->lock >= 0)
		close(o->lock);
	verifier_keys_done(&o->keys);
	if (o->tick)
		event_free(o->tick);
	if (o->term)
		event_free(o->term);
	if (o->interrupt)
		event_free(o->interrupt);
	if (o->base)
		event_base_free(o->base);
}

static int serve(const struct verifier_settings *s)
{
	const struct timeval second = {1, 0};
	struct rooms *o = calloc(1, sizeof(*o));
	struct why why = {""};
	char text[512];
	int r = o ? 0 : -ENOMEM;

	if (r >= 0) {
		o->lock = -1;
		o->base = event_base_new();
		o->tick = o->base ? event_new(o->base, -1, EV_PERSIST, on_tick, o) : NULL;
		o->term = o->tick ? evsignal_new(o->base, SIGTERM, on_signal, o->base) : NULL;
		o->interrupt = o->term ? evsignal_new(o->base, SIGINT, on_signal, o->base) : NULL;
		r = o->interrupt ? open_doors(s, o, &why) : -ENOMEM;
	}
	if (r >= 0)
		r = open_rooms(s, o, &why);
	if (r < 0) {
		complain(r, &why, text);
		log_error("start=refused error=\"%s\"", text);
	} else {
		event_add(o->tick, &second);
		event_add(o->term, NULL);
		event_add(o->interrupt, NULL);
		log_notice("start=ready listen=%s port=%u data=%s", s->listen,
			   server_port(o->server), s->data_dir);
		event_base_dispatch(o->base);
		log_notice("stop=in order");
	}
	if (o)
		close_rooms(o);
	free(o);
	return r;
}

static int command(const struct verifier_settings *s, int n, char **words, struct why *ret_why)
{
	const struct fsio *io = fsio_system();

	for (int i = 1; i < n; i++)
		if (strncmp(words[i], "--", 2) == 0)
			return why_set(ret_why, -EINVAL, "options go before the command: %.60s",
				       words[i]);
	if (strcmp(words[0], "init") == 0 && n <= 2)
		return verifier_setup_init(io, s->data_dir, &s->hosts, s->listen,
					   n == 2 ? words[1] : "admin", ret_why);
	if (strcmp(words[0], "operator") == 0 && n >= 4 && n <= 5 && strcmp(words[1], "add") == 0)
		return verifier_operators_add(io, s->data_dir, words[2], words[3],
					      n == 5 ? words[4] : NULL, ret_why);
	if (strcmp(words[0], "operator") == 0 && n == 3 && strcmp(words[1], "revoke") == 0)
		return verifier_operators_revoke(s->data_dir, words[2], ret_why);
	if (strcmp(words[0], "operator") == 0 && n == 2 && strcmp(words[1], "list") == 0)
		return verifier_operators_list(s->data_dir, ret_why);
	if (strcmp(words[0], "key") == 0 && n == 2 && strcmp(words[1], "rotate") == 0)
		return verifier_setup_rotate(io, s->data_dir, false, ret_why);
	if (strcmp(words[0], "key") == 0 && n == 3 && strcmp(words[1], "rotate") == 0 &&
	    strcmp(words[2], "witness") == 0)
		return verifier_setup_rotate(io, s->data_dir, true, ret_why);
	if (strcmp(words[0], "key") == 0 && n == 2 && strcmp(words[1], "finish") == 0)
		return verifier_setup_finish(io, s->data_dir, ret_why);
	return why_set(ret_why, -EINVAL, "no such command: %.60s", words[0]);
}

int main(int argc, char **argv)
{
	struct verifier_settings s;
	struct why why = {""};
	char text[512];
	int rest = argc, r = verifier_settings_load(argc, argv, &s, &rest, &why);

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	log_open("plumb-verifier", s.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, STDERR_FILENO);
	if (r < 0) {
		r = -EINVAL;
		complain(r, &why, text);
		fprintf(stderr, "plumb-verifier: %s\n", text);
	} else if (r == 0 && rest < argc) {
		r = verifier_files_ours(s.data_dir, &why);
		if (r >= 0)
			r = command(&s, argc - rest, argv + rest, &why);
		complain(r, &why, text);
		if (r < 0)
			fprintf(stderr, "plumb-verifier: %s\n", text);
	} else if (r == 0) {
		r = serve(&s);
	}
	verifier_settings_done(&s);
	return ending_of(r < 0 ? r : 0)->code;
}
