/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h: the door to time. In: nothing. Out: nanoseconds. Tests hand in a clock of their own.
 */
#ifndef PLUMB_CLOCK_H
#define PLUMB_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct clock {
	uint64_t (*utc_ns)(void *ctx);		/* since the Unix epoch; may jump */
	uint64_t (*boot_ns)(void *ctx);		/* CLOCK_BOOTTIME: never back within a boot, counts suspend */
	void *ctx;
};

const struct clock *clock_system(void);
uint64_t clock_utc_ns(const struct clock *c);
uint64_t clock_boot_ns(const struct clock *c);

#define CLOCK_TEXT_SIZE 31
/* "2026-11-23T19:40:00.123456789Z"; and back (exactly this form, else -EBADMSG). */
void clock_text(uint64_t utc_ns, char ret[CLOCK_TEXT_SIZE]);
int clock_from_text(const char *text, uint64_t *ret_utc_ns);

#endif
