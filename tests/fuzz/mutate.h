/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutate.h: changes inputs in the forms that they have: fields with their sizes before them, JSON, base64 and hex in it, lines. A change of one
 * byte mostly ends at the first size that no longer fits; these go further. The same for libFuzzer and for the run over the corpus.
 * In: bytes, a seed. Out: other bytes.
 */
#ifndef PLUMB_MUTATE_H
#define PLUMB_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libFuzzer's own, or that of corpus_main.c: knows of no form. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* A target may have one: makes sizes, counts, digests and signatures of a changed input fit again; the new size. */
size_t mutate_mend(uint8_t *data, size_t size, size_t max) __attribute__((weak));

struct mutate {
	uint8_t *data;
	size_t size, max;
	uint64_t state;
};

uint32_t mutate_below(struct mutate *m, uint32_t below); /* 0: 0 */
/* n bytes at `at` become those given; false: no room, and nothing is done. */
bool mutate_replace(struct mutate *m, size_t at, size_t n, const void *with, size_t size);
void mutate_binary(struct mutate *m); /* fields with sizes */
void mutate_json(struct mutate *m); /* in one of its lines */

#endif
