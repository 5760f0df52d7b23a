/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h: plumbctl's way to a verifier: configuration, mutual TLS, signed actions. In: paths and bodies. Out: bounded answers; what
 * goes wrong is printed, with its cure, and comes back as an exit code of print.h. Blocks.
 */
#ifndef PLUMB_CLIENT_H
#define PLUMB_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "sign.h"

#define CLIENT_MAX_ANSWER (1u << 30)		/* bytes: a ledger, a baseline */
#define CLIENT_MAX_JSON (64u << 20)		/* what is read as one JSON object */
#define CLIENT_LOST 3				/* the connection failed or ended; trying again may help */

struct client;

/*
 * config NULL: $PLUMBCTL_CONFIG, ~/.config/plumbctl.yaml, /etc/plumbline/plumbctl.yaml, the first that is there. Keys: server, ca, cert, key;
 * paths in it are relative to the file.
 */
int client_open(const char *config, struct client **ret);
struct client *client_free(struct client *c);
const struct sign_key *client_key(const struct client *c);	/* the operator's; borrowed */
const char *client_who(const struct client *c);			/* his name, as the certificate has it; borrowed */

int client_get(struct client *c, const char *path, struct buf *ret);
int client_post(struct client *c, const char *path, const char *type, const void *body, size_t size, struct buf *ret);
int client_get_json(struct client *c, const char *path, json_t **ret);
int client_get_node(struct client *c, const char *name, json_t **ret);

struct client_action {
	const char *action, *node, *reason, *value;	/* NULL: "" */
	const uint64_t *cases;
	uint32_t n_cases;
};
/* Signed with the operator's key, sent; the answer's text and undo are printed, or the answer itself with json. */
int client_act(struct client *c, const struct client_action *a, bool json);
/* The same, and nothing is printed but what goes wrong. */
int client_post_action(struct client *c, const struct client_action *a, struct buf *ret_answer);
/* An {"ok","text","undo"} answer. */
int client_print_answer(const struct buf *answer, bool json);

/*
 * Lines as they come, until fn returns an exit code that is not 0, which comes back, or the connection ends. follow: it does not end by
 * itself. CLIENT_LOST was told already, too.
 */
int client_events(struct client *c, uint64_t since, bool follow, int (*fn)(void *ctx, const char *line, size_t size), void *ctx);

/* "NODE" as part of a path: everything but letters, digits, . _ - becomes %XX. Appends. */
void client_put_escaped(struct buf *b, const char *text);
int client_print_json(const json_t *o);		/* to stdout; ASCII alone */
void client_print_more(const json_t *o);	/* when the verifier says that a list in o is not whole */
/* Text of a member, "" when it is not there or no text. Borrowed. */
const char *client_text(const json_t *o, const char *key);
uint64_t client_number(const json_t *o, const char *key);

#endif
