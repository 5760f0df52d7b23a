/* SPDX-License-Identifier: Apache-2.0 */
#include "kseq.h"

#include <string.h>

static void drop_hole(struct kseq *k, uint32_t i)
{
	memmove(&k->holes[i], &k->holes[i + 1], (k->n_holes - i - 1) * sizeof(k->holes[0]));
	k->n_holes--;
}

static void give_up(struct kseq *k)
{
	k->given_up += k->holes[0].to - k->holes[0].from + 1;
	drop_hole(k, 0);
}

static void add_hole(struct kseq *k, uint64_t from, uint64_t to, uint32_t at, uint32_t age)
{
	if (k->n_holes == KSEQ_MAX_HOLES) {
		give_up(k);
		at = at > 0 ? at - 1 : 0;
	}
	memmove(&k->holes[at + 1], &k->holes[at], (k->n_holes - at) * sizeof(k->holes[0]));
	k->holes[at].from = from;
	k->holes[at].to = to;
	k->holes[at].age = age;
	k->n_holes++;
}

static bool fill(struct kseq *k, uint64_t number)
{
	for (uint32_t i = 0; i < k->n_holes; i++) {
		uint64_t from = k->holes[i].from, to = k->holes[i].to;

		if (number < from || number > to)
			continue;
		if (from == to) {
			drop_hole(k, i);
		} else if (number == from) {
			k->holes[i].from++;
		} else if (number == to) {
			k->holes[i].to--;
		} else {
			k->holes[i].to = number - 1;
			add_hole(k, number + 1, to, i + 1, k->holes[i].age);
		}
		return true;
	}
	return false;
}

bool kseq_see(struct kseq *k, uint64_t number, bool *ret_hole)
{
	*ret_hole = number > k->last && number - k->last > 1;
	if (number <= k->last)
		return fill(k, number);
	if (*ret_hole)
		add_hole(k, k->last + 1, number - 1, k->n_holes, 0);
	k->last = number;
	return true;
}

void kseq_tick(struct kseq *k)
{
	for (uint32_t i = 0; i < k->n_holes; i++)
		k->holes[i].age++;
	while (k->n_holes > 0 && k->holes[0].age >= KSEQ_TICKS)
		give_up(k);
}

uint64_t kseq_lost(struct kseq *k)
{
	uint64_t n = k->given_up;

	k->given_up = 0;
	return n;
}
