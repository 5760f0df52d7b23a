/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plumbd.c: the agent of a node. In: options. Out: a ledger. Exit codes: 0 stopped in order, 64 wrong usage, 65 corrupt ledger,
 * 66 ledger of another node, 69 nothing can be attached, 71 the rest.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "cleanup.h"
#include "digest.h"
#include "log.h"
#include "plumb/terms.h"

enum { EXIT_USAGE = 64, EXIT_CORRUPT = 65, EXIT_OTHER_NODE = 66, EXIT_NO_SENSOR = 69, EXIT_REST = 71 };

static void help(FILE *f)
{
	fprintf(f, "Usage: plumbd [OPTION…]\n\n"
		   "Measures each exec, module load and change of a watched file on this node into a ledger.\n\n"
		   "  --ledger-dir=DIR   where the ledger lies (/var/lib/plumbline/ledger)\n"
		   "  --watch=PATH       a file, or a directory with all below it; may be given %d times\n"
		   "  --log-name=NAME    first part of the ledger's origin (plumbline.local)\n"
		   "  --exec=once|all    each program once per digest and scope, or every exec (once)\n"
		   "  --batch-ms=N       how long lines that can wait do wait, 1 to 60000 (1000)\n"
		   "  --verbose          log more\n"
		   "  --help, --version\n",
		AGENT_MAX_WATCH);
}

/* This node's name while no TPM gives it one: the machine id, hashed, since it is not to be handed out as it is. */
static int make_origin(const struct fsio *io, const char *log_name, char *ret, size_t size, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf id = { 0 };
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	int r = fsio_read_file(io, "/etc/machine-id", 64, &id);

	if (r < 0 || id.size < 32)
		return why_set(ret_why, r < 0 ? r : -EBADMSG, "/etc/machine-id cannot be read or is too short; systemd-machine-id-setup makes one");
	r = digest_sha256(id.data, 32, &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	return snprintf(ret, size, "%s/node/%s/0", log_name, hex) < (int)size ? 0 : why_set(ret_why, -E2BIG, "log name is too long");
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
	struct why why = { "" };
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
	return r >= 0 ? 0 : r == -EBADMSG ? EXIT_CORRUPT : r == -EXDEV ? EXIT_OTHER_NODE : r == -ENOTSUP ? EXIT_NO_SENSOR : EXIT_REST;
}

static int refuse(const char *text)
{
	fprintf(stderr, "plumbd: %s; plumbd --help lists the options\n", text);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ledger-dir", required_argument, NULL, 'l' }, { "watch", required_argument, NULL, 'w' },
		{ "log-name", required_argument, NULL, 'n' },	{ "exec", required_argument, NULL, 'e' },
		{ "batch-ms", required_argument, NULL, 'b' },	{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct agent_options o = { .io = fsio_system(), .clock = clock_system(), .ledger_dir = "/var/lib/plumbline/ledger", .batch_ms = 1000 };
	const char *log_name = "plumbline.local";
	enum log_level level = LOG_LEVEL_INFO;
	struct why why = { "" };
	char origin[512], *end;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			o.ledger_dir = optarg;
			break;
		case 'w':
			if (o.n_watch == AGENT_MAX_WATCH || optarg[0] != '/')
				return refuse("--watch wants an absolute path, 64 at most");
			o.watch[o.n_watch++] = optarg;
			break;
		case 'n':
			log_name = optarg;
			break;
		case 'e':
			if (strcmp(optarg, "all") != 0 && strcmp(optarg, "once") != 0)
				return refuse("--exec is once or all");
			o.exec_all = strcmp(optarg, "all") == 0;
			break;
		case 'b':
			o.batch_ms = strtoull(optarg, &end, 10);
			if (*end || o.batch_ms < 1 || o.batch_ms > 60000)
				return refuse("--batch-ms is a number from 1 to 60000");
			break;
		case 'v':
			level = LOG_LEVEL_DEBUG;
			break;
		case 'h':
			help(stdout);
			return 0;
		case 'V':
			printf("plumbd %s\n", PLUMB_VERSION);
			return 0;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return refuse("there are arguments that are no options");
	log_open("plumbd", level, STDERR_FILENO);
	signal(SIGPIPE, SIG_IGN);
	if (make_origin(o.io, log_name, origin, sizeof(origin), &why) < 0) {
		log_error("start=refused error=\"%s\"", why.text);
		return EXIT_REST;
	}
	o.origin = origin;
	return run(&o);
}
