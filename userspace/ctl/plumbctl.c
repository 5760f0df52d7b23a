/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plumbctl.c: the tool of the people around a node. In: a command and its arguments. Out: text or JSON, and an exit code:
 * 0 good, 1 not good, 2 could not tell, 64 wrong usage.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cmd_baseline.h"
#include "cmd_contain.h"
#include "cmd_drift.h"
#include "cmd_drill.h"
#include "cmd_ek.h"
#include "cmd_events.h"
#include "cmd_gate.h"
#include "cmd_incident.h"
#include "cmd_ledger.h"
#include "cmd_node.h"
#include "cmd_policy.h"
#include "cmd_release_order.h"
#include "log.h"
#include "plumb/terms.h"
#include "print.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"node", cmd_node,
	 "list | show | explain | approve | release | retire | revoke | rekey | bind | restart | "
	 "leaving | remedy | challenge | scan"},
	{"gate", cmd_gate, "may work go to these nodes? For pipelines, also offline"},
	{"drift", cmd_drift, "summary | list | acknowledge what is not as it should be"},
	{"events", cmd_events, "the verifier's log, as it comes"},
	{"baseline", cmd_baseline,
	 "capture | show | diff | sign | verify | push | accept what may be on a node"},
	{"policy", cmd_policy,
	 "check | test | compile | sign | push | show | preview | arm | disarm the rules"},
	{"ledger", cmd_ledger, "show | verify | boots | ima | export | fetch a ledger"},
	{"release-order", cmd_release_order, "sign offline that a node is isolated no more"},
	{"incident", cmd_incident,
	 "NODE | verify: one signed archive of what happened, proven offline"},
	{"drill", cmd_drill, "exec | file | module: harmless tampering with this node, with times"},
	{"contain", cmd_contain,
	 "show | pause | resume | undo what is done to nodes that are not as they should be"},
	{"ek", cmd_ek, "import | list | remove endorsement keys that no maker vouches for"},
	{"token", cmd_events_token, "create a join token for a node"},
};

static void help(FILE *f)
{
	fprintf(f, "Usage: plumbctl COMMAND [ARGUMENT…]\n\n"
		   "The tool of the people around a Plumbline node.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-14s %s\n", commands[i].name, commands[i].help);
	fprintf(f, "\n  --config=FILE before the command: the verifier to ask\n"
		   "  --help, --version; plumbctl COMMAND --help tells more\n\n"
		   "Exit codes: 0 good, 1 not good, 2 could not tell, 64 wrong usage.\n");
}

int main(int argc, char **argv)
{
	log_open("plumbctl", LOG_LEVEL_WARNING, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	/* Before the command as well as after it; some commands have no configuration, and do not mind this one. */
	if (argc > 1 && strncmp(argv[1], "--config=", 9) == 0) {
		if (setenv("PLUMBCTL_CONFIG", argv[1] + 9, 1) < 0)
			return print_failure(PRINT_UNKNOWN, "no memory");
		argc--;
		argv++;
	}
	if (argc < 2) {
		help(stderr);
		return PRINT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		help(stdout);
		return PRINT_GOOD;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("plumbctl %s\n", PLUMB_VERSION);
		return PRINT_GOOD;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return print_failure(PRINT_USAGE, "no command '%s'; plumbctl --help lists them", argv[1]);
}
