/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_release_order.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "fsio.h"
#include "order.h"
#include "plumb/wire.h"
#include "print.h"
#include "sign.h"

#define MAX_PEM 65536

struct arguments {
	const char *node, *number, *key, *reason, *output;
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl release-order --node=ID --number=N --key=PRIVATE.pem "
		"--reason=TEXT -o FILE\n\n"
		"Signs, without a verifier, that a node which isolated itself is isolated no more. "
		"On the node:\n"
		"plumbd --release FILE. It takes the word of a key that its operator_keys name, "
		"and for the\n"
		"one isolation that is in force.\n\n"
		"  --node=ID        the node's id, 64 hex digits\n"
		"  --number=N       of the isolation, as the node's log, isolation.json in its "
		"state\n"
		"                   directory, or its ledger tells\n"
		"  --key=FILE       the operator's private key\n"
		"  --reason=TEXT    kept in the node's ledger\n"
		"  -o FILE          where it is written\n\n"
		"Exit codes: 0 good, 2 could not, 64 wrong usage.\n");
}

static int fill(const struct arguments *a, struct order *ret)
{
	struct order o = {.kind = ORDER_RELEASE, .issued_ns = clock_utc_ns(clock_system())};
	struct digest node;
	char *end = NULL;

	if (!a->node || !a->number || !a->key || !a->output || !a->reason || !a->reason[0])
		return print_failure(PRINT_USAGE, "release-order wants --node, --number, --key, "
						  "--reason and -o");
	if (digest_from_hex(a->node, &node) < 0)
		return print_failure(PRINT_USAGE, "--node wants the node's id, 64 hex digits");
	digest_hex(&node, o.node);
	errno = 0;
	o.number = strtoull(a->number, &end, 10);
	if (errno || a->number[0] < '0' || a->number[0] > '9' || *end || o.number == 0 ||
	    o.number > INT64_MAX)
		return print_failure(PRINT_USAGE, "--number wants the number of the isolation");
	if (strlen(a->reason) >= sizeof(o.reason))
		return print_failure(PRINT_USAGE, "--reason has more than %zu bytes",
				     sizeof(o.reason) - 1);
	snprintf(o.reason, sizeof(o.reason), "%s", a->reason);
	*ret = o;
	return PRINT_GOOD;
}

static int read_key(const char *path, struct sign_key **ret)
{
	CLEANUP(buf_done) struct buf pem = {0};
	struct why why = {""};
	int r = fsio_read_file(fsio_system(), path, MAX_PEM, &pem);

	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", path, strerror(-r));
	r = sign_key_from_pem((char *)pem.data, pem.size, ret, &why);
	memset(pem.data, 0, pem.size);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", path, why.text);
	if (!sign_key_is_private(*ret))
		return print_failure(PRINT_UNKNOWN, "%s: this is a public key", path);
	return PRINT_GOOD;
}

static int run(const struct arguments *a)
{
	CLEANUP(buf_done) struct buf payload = {0}, envelope = {0};
	struct sign_key *key = NULL;
	struct order o;
	int code = fill(a, &o), r = 0;

	if (code == PRINT_GOOD)
		code = read_key(a->key, &key);
	if (code == PRINT_GOOD) {
		r = order_write(&o, &payload);
		if (r >= 0)
			r = dsse_sign(WIRE_DSSE_RELEASE, payload.data, payload.size,
				      (const struct sign_key *const *)&key, 1, &envelope);
		if (r >= 0)
			r = fsio_replace_file(fsio_system(), a->output, envelope.data,
					      envelope.size, 0600);
		if (r < 0)
			code = print_failure(PRINT_UNKNOWN, "%s: %s", a->output, strerror(-r));
	}
	sign_key_free(key);
	if (code == PRINT_GOOD)
		printf("%s: releases isolation %" PRIu64 " of %s, once; on the node: plumbd "
		       "--release=%s\n",
		       a->output, o.number, o.node, a->output);
	return code;
}

int cmd_release_order(int argc, char **argv)
{
	static const struct option options[] = {
		{"node", required_argument, NULL, 'n'},
		{"number", required_argument, NULL, 'i'},
		{"key", required_argument, NULL, 'k'},
		{"reason", required_argument, NULL, 'r'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct arguments a = {NULL, NULL, NULL, NULL, NULL};
	int o;

	while ((o = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE,
					     "plumbctl release-order --help tells the options");
		a.node = o == 'n' ? optarg : a.node;
		a.number = o == 'i' ? optarg : a.number;
		a.key = o == 'k' ? optarg : a.key;
		a.reason = o == 'r' ? optarg : a.reason;
		a.output = o == 'o' ? optarg : a.output;
	}
	if (optind < argc)
		return print_failure(PRINT_USAGE, "there are arguments that are no options");
	return run(&a);
}
