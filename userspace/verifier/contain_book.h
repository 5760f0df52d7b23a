/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contain_book.h: what is known of each node for its containment, over starts: whether the brakes let it be contained, its object in the cluster,
 * the boots that were seen and found good; and what the cluster says of it now. In: rows, facts. Out: entries, kept in the store.
 */
#ifndef PLUMB_CONTAIN_BOOK_H
#define PLUMB_CONTAIN_BOOK_H

#include "brakes.h"
#include "kube_facts.h"
#include "store.h"

struct contain_book;

struct contain_before { bool let; enum brakes_why held_back; uint64_t lifted_ns, drain_until_ns; };

struct contain_entry {
	char id[65], label[254], kube_name[KUBE_FACTS_MAX_NAME];
	enum plumb_life life;
	enum plumb_containment containment;
	/* kept */
	bool let;			/* the brakes let it: what it is held or quarantined for is done, but for what is held back */
	bool unsure;			/* what it is quarantined for is that nothing is known: it is held, no more */
	bool cordoned;			/* by us */
	bool control_plane;		/* its object was of the control plane, when it was last seen */
	enum brakes_why held_back;	/* of one that is let: it is held, and quarantined when that is over */
	uint64_t since_ns;		/* of being let or held back */
	uint64_t lifted_ns;		/* when it was last let down */
	uint64_t drain_until_ns;	/* its pods are asked to leave until then, and NoExecute waits */
	uint64_t cleared_ns;		/* the drain_until_ns after which what had not left was deleted, all of it */
	char uid[KUBE_FACTS_MAX_UID], zone[KUBE_FACTS_MAX_ZONE];	/* of the object that is its own for certain; the zone that it had at first */
	bool zone_open;			/* not yet: its cloud has still to say which it is */
	char seen_boot[KUBE_FACTS_MAX_BOOT], good_boot[KUBE_FACTS_MAX_BOOT];
	/* not kept */
	bool lifting;			/* it was let down by a transaction that may have been rolled back; before: as it was */
	struct contain_before before;
	struct kube_facts facts;	/* uid "": nothing is known, or there is none */
	bool listed;
	uint64_t unlisted_ns;		/* boot time since when it is seen that there is none; 0: it is not */
	bool due;			/* it is to be looked at */
	bool is_own;			/* the last look that found an object found the machine's own */
	int last;			/* how the last look ended: told when that changes */
	bool event_due;
	uint32_t events;		/* sent of late */
	uint64_t events_ns;
	uint64_t asked_ns;		/* boot time of the last round of that */
	bool over;			/* that its time to leave is over was told */
	uint32_t want_label, want_verdict, want_condition;	/* hashes of what is shown there; 0: nothing */
};

int contain_book_open(const struct store *store, struct contain_book **ret);	/* reads all rows */
struct contain_book *contain_book_free(struct contain_book *b);
/* The entry of that row, made when there is none; names and containment are as the row has them. NULL: no memory. */
struct contain_entry *contain_book_of(struct contain_book *b, const struct store_node *n);
struct contain_entry *contain_book_id(const struct contain_book *b, const char *id);	/* NULL: none */
struct contain_entry *contain_book_name(struct contain_book *b, const char *kube_name);	/* who is bound to it, and not retired; NULL: nobody */
uint32_t contain_book_n(const struct contain_book *b);
struct contain_entry *contain_book_at(const struct contain_book *b, uint32_t i);
int contain_book_refresh(struct contain_book *b);	/* rows anew, once a minute: a transaction may have been rolled back */
/*
 * An entry that was let down, by its row as it stands: where the transaction was rolled back, it is as it was. Nobody would ask for the node again, and
 * its next look would take the taints off.
 */
void contain_book_check(struct contain_book *b, struct contain_entry *e);
int contain_book_put(struct contain_book *b, const struct contain_entry *e);	/* inside the caller's transaction */
int contain_book_save(struct contain_book *b, const struct contain_entry *e);	/* in one of its own */
/* All times by so much, and none for its pods that ends after latest_ns: all of it, in a transaction of its own, or nothing. */
int contain_book_move(struct contain_book *b, int64_t by_ns, uint64_t latest_ns);
/* Of a node that is there and not gone, by the brakes' rules; what counts is who is let. */
enum brakes_why contain_book_judge(struct contain_book *b, const struct brakes_settings *s, const struct contain_entry *e);
void contain_book_counts(const struct contain_book *b, uint32_t *ret_nodes, uint32_t *ret_let);
/* Of a row alone, without a book: what the brakes say of it; and whether nothing at all is done about it, not even that it is held. */
enum brakes_why contain_book_held(const struct store *store, const struct store_node *n);
bool contain_book_is_left(const struct store *store, const struct store_node *n);
bool contain_book_wants(const struct contain_entry *e);	/* it is held, quarantined or remediating */

#endif
