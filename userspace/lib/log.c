/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Below PIPE_BUF, so that a pipe takes a line in one piece. */
#define LINE_SIZE 4000

/* Set once by main before any thread starts. */
static struct {
	const char *program;
	enum log_level max;
	int fd;
} target = {"plumb", LOG_LEVEL_INFO, STDERR_FILENO};

void log_open(const char *program, enum log_level max, int fd)
{
	target.program = program;
	target.max = max;
	target.fd = fd;
}

static const char *name_of(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_NOTICE:
		return "notice";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "?";
}

/* 1: c is a control character of one byte, 2: of two (U+0080 to U+009F, which terminals obey too), 0: it is none. */
static int control(const char *p)
{
	unsigned char c = (unsigned char)p[0], next = (unsigned char)p[1];

	if (c < 0x20 || c == 0x7f)
		return 1;
	return c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0;
}

/* One write(2) a line, so that threads do not mix within one; control bytes are made harmless. */
void log_line(enum log_level level, const char *format, ...)
{
	static const char cut[] = " [cut]";
	char text[2048], line[LINE_SIZE];
	const size_t end = sizeof(line) - sizeof(cut) - 8;
	const char *p = text;
	int saved = errno, n;
	size_t at;
	va_list ap;

	if (level > target.max)
		return;
	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0)
		text[0] = 0;
	snprintf(line, sizeof(line), "<%d>%.64s: %s ", (int)level, target.program, name_of(level));
	at = strlen(line);
	while (*p && at < end) {
		int size = control(p);

		if (size == 0)
			line[at++] = *p++;
		for (; size > 0; size--, p++)
			at += (size_t)snprintf(line + at, 5, "\\x%02x", (unsigned char)*p);
	}
	if (*p || n >= (int)sizeof(text)) {
		memcpy(line + at, cut, sizeof(cut) - 1);
		at += sizeof(cut) - 1;
	}
	line[at++] = '\n';
	/* Nothing can be done about a log that cannot be written. */
	n = (int)TEMP_FAILURE_RETRY(write(target.fd, line, at));
	(void)n;
	errno = saved;
}
