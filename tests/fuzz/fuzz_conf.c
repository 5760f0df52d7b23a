/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
	char *text;
	uint64_t number;
	bool flag;
	struct conf_list list;
	uint64_t time_ms, room;
};

#define AT(field) offsetof(struct target, field)
static const struct conf_option options[] = {
	{"text", CONF_STR, AT(text), NULL, 0, 0, ""},
	{"number", CONF_UINT, AT(number), NULL, 0, 100, ""},
	{"flag", CONF_BOOL, AT(flag), NULL, 0, 0, ""},
	{"list", CONF_LIST, AT(list), NULL, 0, 0, ""},
	{"time", CONF_DURATION_MS, AT(time_ms), NULL, 0, 0, ""},
	{"room", CONF_SIZE, AT(room), NULL, 0, 0, ""},
};
static const struct conf_table table = {"fuzz", "",	 "",
					NULL,	options, sizeof(options) / sizeof(options[0])};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target t = {.text = NULL};
	struct why why = {""};
	int r = conf_read(&table, "f", data, size, &t, &why);

	/* A refusal says where; numbers keep their bounds in either case. */
	if (t.number > 100 || t.list.n_items > CONF_MAX_LIST ||
	    (r == -22 && strncmp(why.text, "f:", 2) != 0))
		__builtin_trap();
	conf_done(&table, &t);
	return 0;
}
