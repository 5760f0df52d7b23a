/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plumbd.c: the agent of a node. In: options. Out: a ledger. Exit codes: 0 stopped in order, 64 wrong usage, 65 corrupt ledger,
 * 66 ledger of another node, 67 baseline refused, 69 nothing can be attached, 71 the rest.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "baseline.h"
#include "cleanup.h"
#include "conf.h"
#include "digest.h"
#include "log.h"
#include "sign.h"

enum {
	EXIT_USAGE = 64,
	EXIT_CORRUPT = 65,
	EXIT_OTHER_NODE = 66,
	EXIT_BASELINE = 67,
	EXIT_NO_SENSOR = 69,
	EXIT_REST = 71
};

struct settings {
	char *ledger_dir;
	struct conf_list watch;
	char *log_name;
	char *baseline;
	struct conf_list baseline_keys;
	char *exec;
	uint64_t batch;
	bool verbose;
};

#define OPTION(name, type, initial, min, max, help)                                   \
	{                                                                             \
#name, type, offsetof(struct settings, name), initial, min, max, help \
	}

static const struct conf_option options[] = {
	OPTION(ledger_dir, CONF_STR, "/var/lib/plumbline/ledger", 0, 0, "where the ledger lies"),
	OPTION(watch, CONF_LIST, NULL, 0, 0,
	       "a file, or a directory with all below it; 64 at most"),
	OPTION(log_name, CONF_STR, "plumbline.local", 0, 0, "first part of the ledger's origin"),
	OPTION(baseline, CONF_STR, NULL, 0, 0,
	       "signed baseline to judge by; none: nothing is judged"),
	OPTION(baseline_keys, CONF_LIST, NULL, 0, 0, "PEM files of the keys that may sign it"),
	OPTION(exec, CONF_STR, "once", 0, 0,
	       "once: each program once per digest and scope; all: every exec"),
	OPTION(batch, CONF_DURATION_MS, "1s", 1, 60000,
	       "how long lines that can wait do wait before they are synced"),
	OPTION(verbose, CONF_BOOL, "false", 0, 0, "log more"),
};

static const struct conf_table table = {
	.program = "plumbd",
	.summary = "Measures each exec, module load and change of a watched file on this node into "
		   "a ledger.",
	.usage = "[OPTION…]",
	.file = "/etc/plumbline/plumbd.yaml",
	.options = options,
	.n_options = ARRAY_SIZE(options),
};

/* This node's name while no TPM gives it one: the machine id, hashed, since it is not to be handed out as it is. */
static int make_origin(const struct fsio *io, const char *log_name, char *ret, size_t size,
		       struct why *ret_why)
{
	CLEANUP(buf_done) struct buf id = {0};
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	int r = fsio_read_file(io, "/etc/machine-id", 64, &id);

	if (r < 0 || id.size < 32)
		return why_set(ret_why, r < 0 ? r : -EBADMSG,
			       "/etc/machine-id cannot be read or is too short; "
			       "systemd-machine-id-setup makes one");
	r = digest_sha256(id.data, 32, &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	return snprintf(ret, size, "%s/node/%s/0", log_name, hex) < (int)size
		       ? 0
		       : why_set(ret_why, -E2BIG, "log name is too long");
}

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(ctx);
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
		log_notice("start=ready ledger=%s origin=%s", o->ledger_dir, o->origin);
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
	return r >= 0	       ? 0
	       : r == -EBADMSG ? EXIT_CORRUPT
	       : r == -EXDEV   ? EXIT_OTHER_NODE
	       : r == -ENOTSUP ? EXIT_NO_SENSOR
			       : EXIT_REST;
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

/* Settings to what the rooms take. 0, or an exit code. */
static int start(const struct settings *s)
{
	struct agent_options o = {.io = fsio_system(),
				  .clock = clock_system(),
				  .ledger_dir = s->ledger_dir,
				  .batch_ms = s->batch};
	struct baseline *baseline = NULL;
	struct why why = {""};
	char origin[512];
	int r;

	if (strcmp(s->exec, "all") != 0 && strcmp(s->exec, "once") != 0)
		return refuse("exec is once or all");
	o.exec_all = strcmp(s->exec, "all") == 0;
	for (uint32_t i = 0; i < s->watch.n_items; i++) {
		if (s->watch.items[i][0] != '/')
			return refuse("watch wants absolute paths");
		o.watch[o.n_watch++] = s->watch.items[i];
	}
	log_open("plumbd", s->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, STDERR_FILENO);
	signal(SIGPIPE, SIG_IGN);
	if (make_origin(o.io, s->log_name, origin, sizeof(origin), &why) < 0) {
		log_error("start=refused error=\"%s\"", why.text);
		return EXIT_REST;
	}
	o.origin = origin;
	if (s->baseline && open_baseline(s, &baseline, &why) < 0) {
		log_error("start=refused error=\"%s\"", why.text);
		return EXIT_BASELINE;
	}
	o.baseline = baseline;
	r = run(&o);
	baseline_free(baseline);
	return r;
}

int main(int argc, char **argv)
{
	struct settings s = {.ledger_dir = NULL};
	struct why why = {""};
	int rest = argc, code, r = conf_load(&table, argc, argv, &s, &rest, &why);

	if (r < 0)
		code = refuse(why.text);
	else if (r > 0)
		code = 0;
	else if (rest < argc)
		code = refuse("there are arguments that are no options");
	else
		code = start(&s);
	conf_done(&table, &s);
	return code;
}
