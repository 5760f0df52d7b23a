/* SPDX-License-Identifier: Apache-2.0 */
#include "view_ahead.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "clock.h"
#include "print.h"

#define NAME_WIDTH 13
#define MAX_ACTS 2 /* cases whose grace ends, the soonest */

__attribute__((format(printf, 4, 5))) static void add(json_t *list, const char *what,
						      const char *command, const char *format, ...)
{
	CLEANUP_FREE char *text = NULL;
	va_list args;
	json_t *line;
	int r;

	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	if (r < 0) {
		text = NULL;
		return;
	}
	line = json_pack("{s:s,s:s+}", "what", what, "text", text, "");
	if (line && command)
		json_object_set_new(line, "command", json_string(command));
	if (line)
		json_array_append_new(list, line);
}

/* "2026-11-25T20:52:36Z" of a member; "": there is none, or it is no time. */
static uint64_t time_of(const json_t *o, const char *key, char ret[24])
{
	const char *text = client_text(o, key);
	uint64_t ns = 0;

	ret[0] = 0;
	if (clock_from_text(text, &ns) < 0)
		return 0;
	snprintf(ret, 24, "%.19sZ", text);
	return ns;
}

static void put_evidence(json_t *list, const json_t *node)
{
	uint64_t confirmed = client_number(node, "confirmed"), size = client_number(node, "size");
	char at[24];

	if (!json_object_get(node, "last_evidence"))
		return;
	if (!time_of(node, "last_evidence", at)) {
		add(list, "evidence", NULL, "none yet");
		return;
	}
	if (size > confirmed)
		add(list, "evidence", NULL,
		    "last %s; %" PRIu64 " lines under a quote, %" PRIu64 " not yet", at, confirmed,
		    size - confirmed);
	else
		add(list, "evidence", NULL, "last %s; all %" PRIu64 " lines under a quote", at,
		    confirmed);
}

static void join(const json_t *steps, const json_t *without, char *ret, size_t size)
{
	size_t i, j;
	json_t *step, *other;

	ret[0] = 0;
	json_array_foreach (steps, i, step) {
		const char *name = json_is_string(step) ? json_string_value(step) : "?";
		bool skip = false;

		json_array_foreach (without, j, other)
			skip |= json_equal(step, other);
		if (!skip)
			snprintf(ret + strlen(ret), size - strlen(ret), "%s%.12s",
				 ret[0] ? ", " : "", name);
	}
}

static bool is_over(const json_t *remedy)
{
	return !json_is_object(remedy) || strcmp(client_text(remedy, "step"), "over") == 0;
}

static void put_remedy(json_t *list, const json_t *remedy)
{
	char since[24], done[128], ahead[128];

	if (is_over(remedy))
		return;
	time_of(remedy, "since", since);
	join(json_object_get(remedy, "done"), NULL, done, sizeof(done));
	join(json_object_get(remedy, "plan"), json_object_get(remedy, "done"), ahead,
	     sizeof(ahead));
	add(list, "remedy", NULL, "%.16s %.8s since %s; done: %s; to come: %s",
	    client_text(remedy, "step"), client_text(remedy, "phase"), since, done[0] ? done : "-",
	    ahead[0] ? ahead : "-");
}

/* When the grace of a case's rule ends: the soonest that are still to come. */
static void put_acts(json_t *list, const json_t *cases, uint64_t now_ns)
{
	uint64_t after = now_ns;

	for (int n = 0; n < MAX_ACTS; n++) {
		const json_t *soonest = NULL;
		uint64_t least = UINT64_MAX;
		char at[24], text[24];
		size_t i;
		json_t *k;

		json_array_foreach (cases, i, k) {
			uint64_t ns = time_of(k, "acts", text);

			if (ns > after && ns < least &&
			    json_is_null(json_object_get(k, "closed"))) {
				least = ns;
				soonest = k;
			}
		}
		if (!soonest)
			return;
		time_of(soonest, "acts", at);
		add(list, "by itself", NULL,
		    "%s: case %" PRIu64 " asks for %.16s, unless it is good again", at,
		    client_number(soonest, "id"), client_text(soonest, "action"));
		after = least;
	}
}

static void put_deadline(json_t *list, const json_t *node)
{
	const char *freshness = client_text(node, "freshness");
	char at[24];

	if (strcmp(freshness, "leaving") == 0 && time_of(node, "leaving_until", at))
		add(list, "by itself", NULL,
		    "%s: silent, unless it is back; until then nothing is raised", at);
	else if (strcmp(freshness, "fresh") == 0 && time_of(node, "deadline", at))
		add(list, "by itself", NULL, "%s: silent, unless evidence comes", at);
}

static void put_step_end(json_t *list, const json_t *remedy)
{
	const char *step = client_text(remedy, "step"), *then = client_text(remedy, "then");
	char at[24];

	if (is_over(remedy))
		return;
	if (time_of(remedy, "until", at))
		add(list, "by itself", NULL, "%s: the time of %.16s is over, then %.40s", at, step,
		    then);
	else if (json_is_true(json_object_get(remedy, "itself")))
		add(list, "by itself", NULL, "now: %.16s is started", step);
}

/* Of what is contained: the one command that goes on. Of the rest what undoes it is what is next. */
static void put_next(json_t *list, const json_t *node, const char *name)
{
	const json_t *remedy = json_object_get(node, "remedy");
	const char *containment = client_text(node, "containment"),
		   *state = client_text(node, "state"), *phase = client_text(remedy, "phase");
	CLEANUP_FREE char *command = NULL;

	if (!remedy || strcmp(state, "forked") == 0 || strcmp(state, "revoked") == 0 ||
	    strcmp(state, "retired") == 0 ||
	    (strcmp(containment, "held") != 0 && strcmp(containment, "quarantined") != 0 &&
	     strcmp(containment, "remediating") != 0))
		return;
	if (asprintf(&command, "plumbctl node remedy %s --reason=\"…\"", name) < 0) {
		command = NULL;
		return;
	}
	if (is_over(remedy))
		add(list, "next", command, "put right what the cases tell, and begin its way back");
	else if (strcmp(phase, "runs") == 0)
		add(list, "next", NULL, "%.100s", client_text(remedy, "advice"));
	else if (!json_is_true(json_object_get(remedy, "itself")))
		add(list, "next", command, "%s%.100s",
		    strcmp(phase, "stuck") == 0 ? "tried in vain: " : "",
		    client_text(remedy, "advice"));
}

json_t *view_ahead_make(const json_t *node, const char *name, uint64_t now_ns)
{
	const json_t *remedy = json_object_get(node, "remedy");
	json_t *list = json_array();

	if (!list)
		return NULL;
	put_evidence(list, node);
	put_remedy(list, remedy);
	put_deadline(list, node);
	put_acts(list, json_object_get(node, "cases"), now_ns);
	put_step_end(list, remedy);
	put_next(list, node, name);
	return list;
}

size_t view_ahead_lines(const json_t *made)
{
	size_t i, n = json_array_size(made) > 0;
	json_t *line;

	json_array_foreach (made, i, line)
		n += json_object_get(line, "command") ? 2 : 1;
	return n;
}

void view_ahead_put(FILE *f, size_t columns, const json_t *made)
{
	const char *before = "";
	size_t i;
	json_t *line;

	if (json_array_size(made) > 0)
		fputc('\n', f);
	json_array_foreach (made, i, line) {
		const char *what = client_text(line, "what"),
			   *command = client_text(line, "command");

		fprintf(f, "%s%-*s%s", print_on(f, PRINT_BOLD), NAME_WIDTH,
			strcmp(what, before) == 0 ? "" : what, print_off(f));
		print_fit(f, client_text(line, "text"), columns ? columns - NAME_WIDTH : 0,
			  PRINT_CUT_END);
		fputc('\n', f);
		/* Never cut: it is there to be copied. */
		if (command[0])
			fprintf(f, "%-*s%s\n", NAME_WIDTH, "", command);
		before = what;
	}
}
