/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

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

static void put_digits(char *at, unsigned int n, uint64_t v)
{
	while (n > 0) {
		at[--n] = (char)('0' + v % 10);
		v /= 10;
	}
}

/* By hand: it stands in every line, and strftime() takes longer than all else of a line's envelope. */
void clock_text(uint64_t utc_ns, char ret[CLOCK_TEXT_SIZE])
{
	uint64_t s = utc_ns / NS, of_day = s % 86400;
	/* In years that begin in March the odd day comes last; eras of 400 years all have 146,097 days. */
	uint64_t day = s / 86400 + 719468, era = day / 146097, of_era = day % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * of_year + 2) / 153;

	memcpy(ret, "yyyy-mm-ddThh:mm:ss.nnnnnnnnnZ", CLOCK_TEXT_SIZE);
	put_digits(ret, 4, year + era * 400 + (month >= 10));
	put_digits(ret + 5, 2, month < 10 ? month + 3 : month - 9);
	put_digits(ret + 8, 2, of_year - (153 * month + 2) / 5 + 1);
	put_digits(ret + 11, 2, of_day / 3600);
	put_digits(ret + 14, 2, of_day / 60 % 60);
	put_digits(ret + 17, 2, of_day % 60);
	put_digits(ret + 20, 9, utc_ns % NS);
}

int clock_from_text(const char *text, uint64_t *ret_utc_ns)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
	char back[CLOCK_TEXT_SIZE];
	struct tm tm = {0};
	uint64_t ns = 0, all;
	time_t s;

	if (strlen(text) != sizeof(form) - 1)
		return -EBADMSG;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return -EBADMSG;
	if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return -EBADMSG;
	for (size_t i = 20; i < 29; i++)
		ns = ns * 10 + (uint64_t)(text[i] - '0');
	s = timegm(&tm);
	if (s < 0 || (uint64_t)s > UINT64_MAX / NS - 1)
		return -EBADMSG;
	all = (uint64_t)s * NS + ns;
	/* A 31st of February is not what it says. */
	clock_text(all, back);
	if (strcmp(back, text) != 0)
		return -EBADMSG;
	*ret_utc_ns = all;
	return 0;
}
