/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_serials.h"

#include <string.h>

static bool is_seen(const struct audit_serials *s, uint32_t serial)
{
	uint32_t at = serial % AUDIT_SERIALS_WINDOW;

	return s->seen[at / 64] >> (at % 64) & 1;
}

static void mark(struct audit_serials *s, uint32_t serial, bool seen)
{
	uint32_t at = serial % AUDIT_SERIALS_WINDOW;

	s->seen[at / 64] &= ~(1ull << (at % 64));
	s->seen[at / 64] |= (uint64_t)seen << (at % 64);
}

static uint32_t advance(struct audit_serials *s, uint32_t serial)
{
	uint32_t ahead = serial - s->top, lost = 0;

	if (ahead > AUDIT_SERIALS_WINDOW) {
		/* All of the window leaves it, and what is between never was in it. */
		lost = s->missing + (ahead - AUDIT_SERIALS_WINDOW);
		memset(s->seen, 0, sizeof(s->seen));
		s->missing = AUDIT_SERIALS_WINDOW - 1;
	} else {
		for (uint32_t n = s->top + 1; n != serial + 1; n++) {
			/* The one that is a window older has this one's place. */
			lost += !is_seen(s, n);
			s->missing -= !is_seen(s, n);
			mark(s, n, false);
			s->missing++;
		}
		s->missing--;
	}
	mark(s, serial, true);
	s->top = serial;
	return lost;
}

uint32_t audit_serials_take(struct audit_serials *s, uint32_t serial)
{
	if (!s->known) {
		s->known = true;
		s->top = serial;
		memset(s->seen, 0xff, sizeof(s->seen));
		return 0;
	}
	if (serial == s->top)
		return 0;
	if (serial - s->top < UINT32_MAX / 2)
		return advance(s, serial);
	if (s->top - serial < AUDIT_SERIALS_WINDOW && !is_seen(s, serial)) {
		mark(s, serial, true);
		s->missing--;
	}
	return 0;
}

uint32_t audit_serials_give_up(struct audit_serials *s, uint32_t up_to)
{
	uint32_t lost = 0;

	for (uint32_t back = 0; s->missing > 0 && back < AUDIT_SERIALS_WINDOW; back++) {
		uint32_t n = s->top - back;

		if (up_to - n >= UINT32_MAX / 2 || is_seen(s, n))
			continue;
		mark(s, n, true);
		s->missing--;
		lost++;
	}
	return lost;
}
