/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonl.h"
#include "print.h"
#include "view_drift.h"
#include "view_log.h"
#include "view_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* UTF-8 without controls or marks that turn the direction; and no more lines than were promised. */
static void check(const char *text, size_t size, size_t max_lines)
{
	size_t lines = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		lines += c == '\n';
		if ((c < 0x20 && c != '\n') || c == 0x7f)
			__builtin_trap();
		if (c == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] < 0xa0)
			__builtin_trap();
		if (strncmp(text + i, "\xe2\x80\xae", 3) == 0)
			__builtin_trap();
	}
	if (max_lines && lines > max_lines)
		__builtin_trap();
}

static void show(void (*fn)(FILE *f, size_t columns, const json_t *o), size_t columns,
		 const json_t *o, size_t max_lines)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	fn(f, columns, o);
	fclose(f);
	check(text, size, max_lines);
	free(text);
}

static void cases(FILE *f, size_t columns, const json_t *o)
{
	view_drift_cases(f, columns, json_object_get(o, "cases"), true);
}

static void line(FILE *f, size_t columns, const json_t *o)
{
	struct view_log v = {.all = columns == 0};

	view_log_line(f, columns, &v, o);
	view_log_line(f, columns, &v, o);
	view_log_done(&v);
}

/* What the verifier says, as people see it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t widths[] = {0, 20, 80};
	json_t *o = NULL;
	struct why why;

	if (jsonl_parse(data, size, 1 << 20, &o, &why) < 0)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		show(view_node_explain, widths[i], o, VIEW_NODE_MAX_LINES);
		show(view_node_all, widths[i], o, 0);
		show(view_node_list, widths[i], json_object_get(o, "nodes"), 0);
		show(view_drift_groups, widths[i], json_object_get(o, "groups"), 0);
		show(view_drift_would, widths[i], json_object_get(o, "would"), 0);
		show(view_drift_policy, widths[i], o, 0);
		show(cases, widths[i], o, 0);
		show(line, widths[i], o, 2);
	}
	json_decref(o);
	return 0;
}
