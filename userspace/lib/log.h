/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h: lines for the operator, `level key=value …`, to stderr (journald takes the priority prefix there).
 * In: a level and a format. Out: one line, control bytes escaped. The only room with file-level state. Any thread.
 */
#ifndef PLUMB_LOG_H
#define PLUMB_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* What main chose. program is borrowed for the life of the process. */
void log_open(const char *program, enum log_level max, int fd);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
