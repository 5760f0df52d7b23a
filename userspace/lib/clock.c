/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "ascii.h"

#define NS 1000000000ull

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static uint64_t system_utc(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME);
}

static uint64_t system_boot(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_BOOTTIME);
}

const struct clock *clock_system(void)
{
	static const struct clock c = {system_utc, system_boot, NULL};

	return &c;
}

uint64_t clock_utc_ns(const struct clock *c)
{
	return c->utc_ns(c->ctx);
}

uint64_t clock_boot_ns(const struct clock *c)
{
	return c->boot_ns(c->ctx);
}

/* By hand: it stands in every line, and strftime() takes longer than all else of a line's envelope. */
void clock_text(uint64_t utc_ns, char ret[CLOCK_TEXT_SIZE])
{
	uint64_t s = utc_ns / NS;
	uint32_t of_day = (uint32_t)(s % 86400), ns = (uint32_t)(utc_ns % NS);
	/* In years that begin in March the odd day comes last; eras of 400 years all have 146,097 days. */
	uint32_t day = (uint32_t)(s / 86400) + 719468, era = day / 146097, of_era = day % 146097;
	uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * of_year + 2) / 153;
	uint8_t *to = (uint8_t *)ret;

	memcpy(ret, "yyyy-mm-ddThh:mm:ss.nnnnnnnnnZ", CLOCK_TEXT_SIZE);
	year += era * 400 + (month >= 10);
	ascii_put_two(to, year / 100);
	ascii_put_two(to + 2, year % 100);
	ascii_put_two(to + 5, month < 10 ? month + 3 : month - 9);
	ascii_put_two(to + 8, of_year - (153 * month + 2) / 5 + 1);
	ascii_put_two(to + 11, of_day / 3600);
	ascii_put_two(to + 14, of_day / 60 % 60);
	ascii_put_two(to + 17, of_day % 60);
	to[20] = (uint8_t)('0' + ns / 100000000);
	ascii_put_two(to + 21, ns / 1000000 % 100);
	ascii_put_two(to + 23, ns / 10000 % 100);
	ascii_put_two(to + 25, ns / 100 % 100);
	ascii_put_two(to + 27, ns % 100);
}

static uint32_t two(const char *text)
{
	return (uint32_t)(text[0] - '0') * 10 + (uint32_t)(text[1] - '0');
}

/* The other way, by hand, too: a verifier reads more of them than anybody writes. */
int clock_from_text(const char *text, uint64_t *ret_utc_ns)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
	char back[CLOCK_TEXT_SIZE];
	uint32_t year, month, era, of_era;
	uint64_t days, ns = 0, all;

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return -EBADMSG;
	if (text[sizeof(form) - 1])
		return -EBADMSG;
	month = two(text + 5);
	year = two(text) * 100 + two(text + 2) - (month < 3);
	era = year / 400;
	of_era = year % 400;
	/* 1970 is in the middle of an era; what lies before it, or has no such month, does not come back as it was. */
	if (year < 1969 || month < 1 || month > 12)
		return -EBADMSG;
	days = (uint64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       (153 * (month + (month > 2 ? 0 : 12) - 3) + 2) / 5 + two(text + 8) - 1;
	if (days < 719468)
		return -EBADMSG;
	for (size_t i = 20; i < 29; i++)
		ns = ns * 10 + (uint64_t)(text[i] - '0');
	all = (days - 719468) * 86400 + two(text + 11) * 3600 + two(text + 14) * 60 +
	      two(text + 17);
	if (all > UINT64_MAX / NS - 1)
		return -EBADMSG;
	all = all * NS + ns;
	/* A 31st of February is not what it says. */
	clock_text(all, back);
	if (memcmp(back, text, sizeof(back)) != 0)
		return -EBADMSG;
	*ret_utc_ns = all;
	return 0;
}
