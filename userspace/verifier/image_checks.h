/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_checks.h: what is known of images' signatures: digest -> verdict, with key and time; bounded, the oldest goes. Never asks anybody:
 * whoever wants to know what is not known leaves a wish. In: verdicts, on the loop's thread; questions, on any thread. Out: answers from
 * memory; wishes.
 */
#ifndef PLUMB_IMAGE_CHECKS_H
#define PLUMB_IMAGE_CHECKS_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "image_layout.h"
#include "sign.h"
#include "why.h"

#define IMAGE_CHECKS_MAX 4096u
#define IMAGE_CHECKS_MAX_WISHES 256u
#define IMAGE_CHECKS_MAX_NAME 512u
#define IMAGE_CHECKS_AGAIN_NS (60ull * 1000000000)	/* what was not good is asked for anew after that */

enum image_check_state {
	IMAGE_CHECK_UNKNOWN = 0,	/* nobody has asked for it, or could not be asked */
	IMAGE_CHECK_SIGNED,		/* by one of our keys */
	IMAGE_CHECK_UNSIGNED,		/* its registry was asked, and has no signature by them */
	IMAGE_CHECK_FAILED,		/* could not be checked: why */
};

struct image_check {
	enum image_check_state state;
	char image[IMAGE_LAYOUT_DIGEST_SIZE];
	char of[IMAGE_LAYOUT_DIGEST_SIZE];	/* the signed document that names it; the same as image where it was signed itself */
	char key[DIGEST_HEX_SIZE];		/* who signed; "" */
	char why[160];
	uint64_t at_ns;
	uint64_t from;				/* where it was asked for; 0: not kept */
};

struct image_checks;

/* keys: who may sign, borrowed; what was kept of others is forgotten. */
int image_checks_open(const struct sign_key *const *keys, uint32_t n_keys, struct image_checks **ret);
struct image_checks *image_checks_free(struct image_checks *c);
bool image_checks_has_keys(const struct image_checks *c);
const struct sign_key *const *image_checks_keys(const struct image_checks *c, uint32_t *ret_n);
const char *image_check_name(enum image_check_state s);

/* -ENOENT: nothing is known. */
int image_checks_find(struct image_checks *c, const char *image, struct image_check *ret);
/* That something is signed is not undone by another document, unsigned, that names the same. */
int image_checks_put(struct image_checks *c, const struct image_check *k);

/* reference: as a pod has it, with a digest. Once for each until it is taken. -ENOSPC: too many; it is counted. */
int image_checks_wish(struct image_checks *c, const char *reference);
/* The oldest; -ENOENT: none. */
int image_checks_take(struct image_checks *c, char ret[IMAGE_CHECKS_MAX_NAME]);
uint64_t image_checks_lost(struct image_checks *c);	/* wishes for which there was no room */
/* Called with each new wish, on its thread; to wake the loop. */
void image_checks_on_wish(struct image_checks *c, void (*fn)(void *ctx), void *ctx);

/* Those signed, for the store, and back. */
int image_checks_write(struct image_checks *c, struct buf *ret);
int image_checks_read(struct image_checks *c, const void *data, size_t size, struct why *ret_why);

#endif
