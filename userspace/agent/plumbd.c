/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plumbd.c: the agent of a node. In: options. Out: a ledger. Exit codes: 0 stopped in order, 64 wrong usage, 65 corrupt ledger,
 * 66 ledger of another node, 67 baseline refused, 68 no TPM, 69 nothing can be attached,
 * 71 the rest, 73 another agent runs.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "baseline.h"
#include "cleanup.h"
#include "log.h"
#include "settings.h"
#include "sign.h"
#include "tpm.h"

enum {
	EXIT_USAGE = 64,
	EXIT_CORRUPT = 65,
	EXIT_OTHER_NODE = 66,
	EXIT_BASELINE = 67,
	EXIT_NO_TPM = 68,
	EXIT_NO_SENSOR = 69,
	EXIT_REST = 71,
	EXIT_RUNNING = 73
};

#define TPM_DEVICE "/dev/tpmrm0"

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(ctx);
}

static int exit_code(int r, int rest)
{
	switch (r < 0 ? r : 0) {
	case 0:
		return 0;
	case -EBADMSG:
		return EXIT_CORRUPT;
	case -EXDEV:
	case -EKEYREJECTED:
		return EXIT_OTHER_NODE;
	case -ENOTSUP:
		return EXIT_NO_SENSOR;
	case -EALREADY:
		return EXIT_RUNNING;
	}
	return rest;
}

static int run(const struct agent_options *o)
{
	struct event_base *base = event_base_new();
	struct event *term = base ? evsignal_new(base, SIGTERM, on_signal, base) : NULL;
	struct event *interrupt = base ? evsignal_new(base, SIGINT, on_signal, base) : NULL;
	struct agent *agent = NULL;
	struct why why = {""};
	int r = term && interrupt ? 0 : -ENOMEM;

	if (r >= 0) {
		event_add(term, NULL);
		event_add(interrupt, NULL);
		r = agent_open(base, o, &agent, &why);
	}
	if (r < 0) {
		log_error("start=refused error=\"%s\"", why.text[0] ? why.text : strerror(-r));
	} else {
		log_notice("start=ready ledger=%s origin=%s", o->ledger_dir, o->identity->origin);
		event_base_dispatch(base);
		r = agent_stop(agent, "signal");
		log_notice("stop=%s", r < 0 ? strerror(-r) : "in order");
	}
	agent_free(agent);
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	if (base)
		event_base_free(base);
	return exit_code(r, EXIT_REST);
}

static int refuse(const char *text)
{
	fprintf(stderr, "plumbd: %s; plumbd --help lists the options\n", text);
	return EXIT_USAGE;
}

/* Opens the baseline with the keys that may sign it. Without a key nothing that is signed can be believed. */
static int open_baseline(const struct settings *s, struct baseline **ret, struct why *ret_why)
{
	struct sign_key *keys[CONF_MAX_LIST] = {NULL};
	uint32_t n = 0;
	int r = s->baseline_keys.n_items ? 0
					 : why_set(ret_why, -EKEYREJECTED,
						   "baseline is given without baseline_keys");

	for (; r >= 0 && n < s->baseline_keys.n_items; n++) {
		CLEANUP(buf_done) struct buf pem = {0};

		r = fsio_read_file(fsio_system(), s->baseline_keys.items[n], 65536, &pem);
		if (r < 0)
			why_set(ret_why, r, "%.200s: %s", s->baseline_keys.items[n], strerror(-r));
		else
			r = sign_key_from_pem((const char *)pem.data, pem.size, &keys[n], ret_why);
	}
	if (r >= 0)
		r = baseline_open(fsio_system(), s->baseline, (const struct sign_key *const *)keys,
				  n, 0, ret, ret_why);
	for (uint32_t i = 0; i < n; i++)
		sign_key_free(keys[i]);
	return r;
}

/* auto: the kernel's resource manager when it is there. A node that had a TPM and has none now is refused by its ledger's origin. */
static int open_tpm(const struct settings *s, struct tpm **ret, char *ret_absent, size_t size,
		    struct why *ret_why)
{
	bool automatic = strcmp(s->tpm, "auto") == 0;

	*ret = NULL;
	ret_absent[0] = 0;
	if (strcmp(s->tpm, "none") == 0) {
		snprintf(ret_absent, size, "tpm: none");
		return 0;
	}
	if (automatic && access(TPM_DEVICE, F_OK) < 0) {
		snprintf(ret_absent, size, "no %s", TPM_DEVICE);
		return 0;
	}
	return tpm_open(automatic ? "device:" TPM_DEVICE : s->tpm, ret, ret_why);
}

/* 0, or an exit code with ret_why. */
static int open_identity(const struct settings *s, struct tpm **ret_tpm, struct identity *ret,
			 char *ret_absent, size_t size, struct why *ret_why)
{
	const struct identity_options o = {
		.io = fsio_system(),
		.clock = clock_system(),
		.ledger_dir = s->ledger_dir,
		.state_dir = s->state_dir,
		.log_name = s->log_name,
		.pcr_index = (uint8_t)s->pcr_index,
	};
	int r = open_tpm(s, ret_tpm, ret_absent, size, ret_why);

	if (r >= 0)
		r = identity_open(&o, *ret_tpm, ret, ret_why);
	return exit_code(r, strcmp(s->tpm, "none") != 0 ? EXIT_NO_TPM : EXIT_REST);
}

/* Settings to what the rooms take. 0, or an exit code. */
static int start(const struct settings *s)
{
	struct agent_options o = {.io = fsio_system(),
				  .clock = clock_system(),
				  .ledger_dir = s->ledger_dir,
				  .batch_ms = s->batch,
				  .quote_ms = s->quote_interval};
	struct baseline *baseline = NULL;
	struct identity identity = {.lock_fd = -1};
	struct tpm *tpm = NULL;
	struct why why = {""};
	char absent[128];
	int code = 0;

	o.exec_all = strcmp(s->exec, "all") == 0;
	for (uint32_t i = 0; i < s->watch.n_items; i++)
		o.watch[o.n_watch++] = s->watch.items[i];
	if (s->baseline && open_baseline(s, &baseline, &why) < 0)
		code = EXIT_BASELINE;
	if (code == 0)
		code = open_identity(s, &tpm, &identity, absent, sizeof(absent), &why);
	if (code == 0) {
		o.identity = &identity;
		o.tpm_absent = absent;
		o.baseline = baseline;
		code = run(&o);
	} else {
		log_error("start=refused error=\"%s\"", why.text);
	}
	identity_done(&identity);
	tpm_free(tpm);
	baseline_free(baseline);
	return code;
}

int main(int argc, char **argv)
{
	struct settings s;
	struct why why = {""};
	int code, r = settings_load(argc, argv, &s, &why);

	if (r < 0)
		code = refuse(why.text);
	else if (r > 0)
		code = 0;
	else {
		log_open("plumbd", s.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, STDERR_FILENO);
		signal(SIGPIPE, SIG_IGN);
		code = start(&s);
	}
	settings_done(&s);
	return code;
}
