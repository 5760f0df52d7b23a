/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <errno.h>
#include <stdio.h>
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

void clock_text(uint64_t utc_ns, char ret[CLOCK_TEXT_SIZE])
{
	time_t s = (time_t)(utc_ns / NS);
	struct tm tm;
	char day[24];

	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret, CLOCK_TEXT_SIZE, "%.19s.%09uZ", day, (unsigned int)(utc_ns % NS));
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
