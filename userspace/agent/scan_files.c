/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct scan_files {
	struct scan_files_options o;
	struct event *slice_event, *pass_event;
	uint32_t next; /* number of the file that comes next, when a pass runs */
	uint32_t n_passes;
	bool running, again;
};

static const struct timeval at_once = {0, 0};

static struct timeval after_ms(uint32_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void begin(struct scan_files *s)
{
	/* Files that came unseen: the walk is part of the pass. */
	for (uint32_t i = 0; i < file_set_n_roots(s->o.files); i++)
		(void)file_set_discover(s->o.files, file_set_root_at(s->o.files, i));
	s->next = 0;
	s->running = true;
}

/* Files until the time is up. true: the pass is done. */
static bool slice(struct scan_files *s, uint64_t until_ns)
{
	const struct file_set_deed deed = {.src = "scan", .op = "rescan"};
	const char *path;
	int r;

	do {
		path = file_set_path_at(s->o.files, s->next);
		if (!path)
			return true;
		s->next++;
		r = file_set_check(s->o.files, path, &deed);
		if (r < 0)
			log_error("scan=files path=\"%s\" error=%s next=\"again in the next pass\"",
				  path, strerrorname_np(-r));
	} while (clock_boot_ns(s->o.clock) < until_ns);
	return false;
}

static void end(struct scan_files *s)
{
	s->running = false;
	s->n_passes++;
	if (s->again) {
		s->again = false;
		begin(s);
		event_add(s->slice_event, &at_once);
	}
}

static void on_slice(evutil_socket_t fd, short what, void *ctx)
{
	struct scan_files *s = ctx;

	(void)fd;
	(void)what;
	if (slice(s, clock_boot_ns(s->o.clock) + s->o.slice_ms * 1000000ull)) {
		end(s);
	} else {
		/* As long a rest as the work took: half of one core at most. */
		struct timeval tv = after_ms(s->o.slice_ms);

		event_add(s->slice_event, &tv);
	}
}

void scan_files_now(struct scan_files *s)
{
	if (s->running) {
		s->again = true;
		return;
	}
	begin(s);
	event_add(s->slice_event, &at_once);
}

static void on_pass(evutil_socket_t fd, short what, void *ctx)
{
	struct scan_files *s = ctx;

	(void)fd;
	(void)what;
	if (!s->running)
		scan_files_now(s);
}

static void on_want(void *ctx)
{
	scan_files_now(ctx);
}

int scan_files_open(struct event_base *base, const struct scan_files_options *o,
		    struct scan_files **ret, struct why *ret_why)
{
	struct scan_files *s = calloc(1, sizeof(*s));
	struct timeval tv;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->o.interval_ms = o->interval_ms ? o->interval_ms : 3600000;
	s->o.slice_ms = o->slice_ms ? o->slice_ms : 20;
	tv = after_ms(s->o.interval_ms);
	s->slice_event = evtimer_new(base, on_slice, s);
	s->pass_event = event_new(base, -1, EV_PERSIST, on_pass, s);
	if (!s->slice_event || !s->pass_event || event_add(s->pass_event, &tv) < 0) {
		scan_files_free(s);
		return why_set(ret_why, -ENOMEM, "no timer for the scan of files");
	}
	(void)file_set_on_want(s->o.files, on_want, s);
	if (o->first_now) {
		begin(s);
		while (!slice(s, UINT64_MAX))
			;
		end(s);
	} else {
		scan_files_now(s);
	}
	*ret = s;
	return 0;
}

struct scan_files *scan_files_free(struct scan_files *s)
{
	if (!s)
		return NULL;
	(void)file_set_on_want(s->o.files, NULL, s);
	if (s->slice_event)
		event_free(s->slice_event);
	if (s->pass_event)
		event_free(s->pass_event);
	free(s);
	return NULL;
}

uint32_t scan_files_n_passes(const struct scan_files *s)
{
	return s->n_passes;
}
