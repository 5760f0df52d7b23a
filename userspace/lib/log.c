/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* One write(2) a line, so that threads do not mix within one; control bytes are made harmless. */
void log_line(enum log_level level, const char *format, ...)
{
	static const char *const names[] = {"",	       "",	 "",	 "error",
					    "warning", "notice", "info", "debug"};
	char text[2048], line[2600];
	size_t at;
	va_list ap;

	if (level > target.max)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	at = (size_t)snprintf(line, sizeof(line), "<%d>%s: %s ", level, target.program,
			      names[level]);
	for (const char *p = text; *p && at < sizeof(line) - 6; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f)
			at += (size_t)snprintf(line + at, sizeof(line) - at, "\\x%02x", c);
		else
			line[at++] = *p;
	}
	line[at++] = '\n';
	/* Nothing can be done about a log that cannot be written. */
	if (write(target.fd, line, at) < 0)
		return;
}
