/* SPDX-License-Identifier: Apache-2.0 */
#include "conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "cleanup.h"
#include "fsio.h"
#include "pattern.h"
#include "plumb/terms.h"

#define MAX_FILE (256u * 1024)

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {{"ms", 1},	{"s", 1000},	 {"m", 60000},
					{"h", 3600000}, {"d", 86400000}, {0}};
static const struct unit sizes[] = {{"", 1},
				    {"B", 1},
				    {"KiB", 1ull << 10},
				    {"MiB", 1ull << 20},
				    {"GiB", 1ull << 30},
				    {"TiB", 1ull << 40},
				    {0}};
static const struct unit plain[] = {{"", 1}, {0}};

static void *field(const struct conf_option *o, void *target)
{
	return (char *)target + o->offset;
}

static void free_list(struct conf_list *list)
{
	for (uint32_t i = 0; i < list->n_items; i++)
		free(list->items[i]);
	*list = (struct conf_list){.n_items = 0};
}

/* A decimal number and one of the units; "0" needs none. */
static int parse_number(const char *text, const struct unit *units, uint64_t *ret)
{
	const char *p = text;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	if (p == text)
		return -EINVAL;
	if (v == 0 && *p == 0) {
		*ret = 0;
		return 0;
	}
	for (; units->name; units++) {
		if (strcmp(p, units->name) != 0)
			continue;
		if (__builtin_mul_overflow(v, units->factor, &v))
			return -ERANGE;
		*ret = v;
		return 0;
	}
	return -EINVAL;
}

/* where names file and line, or the command line. */
static int set_number(const struct conf_option *o, void *target, const char *text,
		      const char *where, struct why *ret_why)
{
	const struct unit *units = o->type == CONF_UINT		 ? plain
				   : o->type == CONF_DURATION_MS ? durations
								 : sizes;
	const char *form = o->type == CONF_UINT		 ? "a decimal number"
			   : o->type == CONF_DURATION_MS ? "a duration such as 500ms, 30s or 5m"
							 : "a size such as 4096, 512KiB or 64MiB";
	uint64_t v;
	int r = parse_number(text, units, &v);

	if (r == -EINVAL)
		return why_set(ret_why, r, "%s: %s: \"%.60s\" is not %s", where, o->name, text,
			       form);
	if (r < 0 || ((o->min || o->max) && (v < o->min || v > o->max)))
		return why_set(ret_why, -ERANGE,
			       "%s: %s: %.60s is outside %" PRIu64 " to %" PRIu64 "%s", where,
			       o->name, text, o->min, o->max ? o->max : UINT64_MAX,
			       o->type == CONF_DURATION_MS ? " ms" : "");
	*(uint64_t *)field(o, target) = v;
	return 0;
}

static int set_text(char **at, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

static bool is_list(const struct conf_option *o)
{
	return o->type == CONF_LIST || o->type == CONF_PATTERNS;
}

static int check_pattern(const struct conf_option *o, const char *text, const char *where,
			 struct why *ret_why)
{
	struct pattern *p = NULL;
	struct why why = {""};
	int r = pattern_open(text, &p, &why);

	pattern_free(p);
	return r < 0 ? why_set(ret_why, r, "%s: %s: \"%.60s\" is no pattern: %s", where, o->name,
			       text, why.text)
		     : 0;
}

static int set_value(const struct conf_option *o, void *target, const char *text, const char *where,
		     struct why *ret_why)
{
	struct conf_list *list = field(o, target);

	switch (o->type) {
	case CONF_STR:
		return set_text(field(o, target), text);
	case CONF_BOOL:
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return why_set(ret_why, -EINVAL,
				       "%s: %s: \"%.60s\" is neither true nor false", where,
				       o->name, text);
		*(bool *)field(o, target) = text[0] == 't';
		return 0;
	case CONF_PATTERNS:
		if (check_pattern(o, text, where, ret_why) < 0)
			return -EINVAL;
		/* fall through */
	case CONF_LIST:
		if (list->n_items == CONF_MAX_LIST)
			return why_set(ret_why, -E2BIG, "%s: %s: more than %d items", where,
				       o->name, CONF_MAX_LIST);
		list->items[list->n_items] = NULL;
		if (set_text(&list->items[list->n_items], text) < 0)
			return -ENOMEM;
		list->n_items++;
		return 0;
	case CONF_UINT:
	case CONF_DURATION_MS:
	case CONF_SIZE:
		return set_number(o, target, text, where, ret_why);
	}
	return why_set(ret_why, -EINVAL, "%s: %s: unknown type %d", where, o->name, o->type);
}

static int find(const struct conf_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->n_options; i++)
		if (strcmp(t->options[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

/* The file. */

struct reader {
	const struct conf_table *t;
	const char *name;
	void *target;
	struct why *why;
	bool *seen;
	yaml_parser_t parser;
	yaml_event_t event; /* the present one; owned */
};

static int refuse(struct reader *d, const char *what)
{
	return why_set(d->why, -EINVAL, "%s:%zu: %s", d->name, d->event.start_mark.line + 1, what);
}

static int next_event(struct reader *d)
{
	yaml_event_delete(&d->event);
	if (yaml_parser_parse(&d->parser, &d->event))
		return 0;
	if (d->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	return why_set(d->why, -EINVAL, "%s:%zu: not YAML: %s", d->name,
		       d->parser.problem_mark.line + 1,
		       d->parser.problem ? d->parser.problem : "unreadable");
}

/* A scalar without anchor, tag and NUL; borrowed until the next event. */
static int scalar(struct reader *d, const char **ret)
{
	const yaml_event_t *e = &d->event;
	const char *text;

	if (e->type != YAML_SCALAR_EVENT)
		return refuse(d, "a value is neither text nor a list of texts");
	text = (const char *)e->data.scalar.value;
	if (e->data.scalar.anchor || e->data.scalar.tag)
		return refuse(d, "anchors and tags are not allowed");
	if (strlen(text) != e->data.scalar.length)
		return refuse(d, "NUL in text");
	*ret = text;
	return 0;
}

static int read_value(struct reader *d, const struct conf_option *o)
{
	const char *text;
	char where[128];
	int r = scalar(d, &text);

	if (r < 0)
		return r;
	if (text[0] == 0 && d->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return why_set(d->why, -EINVAL, "%s:%zu: %s: no value", d->name,
			       d->event.start_mark.line + 1, o->name);
	if (o->type == CONF_PATTERNS)
		snprintf(where, sizeof(where), "%.90s:%zu:%zu", d->name,
			 d->event.start_mark.line + 1, d->event.start_mark.column + 1);
	else
		snprintf(where, sizeof(where), "%.100s:%zu", d->name, d->event.start_mark.line + 1);
	return set_value(o, d->target, text, where, d->why);
}

static int read_sequence(struct reader *d, const struct conf_option *o)
{
	int r;

	if (!is_list(o))
		return refuse(d, "a list where one value is wanted");
	if (d->event.data.sequence_start.anchor || d->event.data.sequence_start.tag)
		return refuse(d, "anchors and tags are not allowed");
	for (r = next_event(d); r >= 0; r = next_event(d)) {
		if (d->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		r = read_value(d, o);
		if (r < 0)
			break;
	}
	return r;
}

/* At a key; reads up to the end of its value. */
static int read_pair(struct reader *d)
{
	const struct conf_option *o;
	const char *key;
	int i, r = scalar(d, &key);

	if (r < 0)
		return r;
	i = find(d->t, key);
	if (i < 0)
		return why_set(d->why, -EINVAL, "%s:%zu: unknown key \"%.60s\"", d->name,
			       d->event.start_mark.line + 1, key);
	if (d->seen[i])
		return why_set(d->why, -EINVAL, "%s:%zu: key \"%s\" stands twice", d->name,
			       d->event.start_mark.line + 1, key);
	d->seen[i] = true;
	o = &d->t->options[i];
	if (is_list(o))
		free_list(field(o, d->target));
	r = next_event(d);
	if (r < 0)
		return r;
	return d->event.type == YAML_SEQUENCE_START_EVENT ? read_sequence(d, o) : read_value(d, o);
}

static int read_document(struct reader *d)
{
	int r = next_event(d);

	if (r < 0)
		return r;
	/* A file of comments alone holds no document. */
	if (d->event.type == YAML_STREAM_START_EVENT)
		r = next_event(d);
	if (r < 0 || d->event.type == YAML_STREAM_END_EVENT)
		return r;
	r = next_event(d);
	if (r < 0)
		return r;
	if (d->event.type != YAML_MAPPING_START_EVENT)
		return refuse(d, "not a mapping of keys to values");
	if (d->event.data.mapping_start.anchor || d->event.data.mapping_start.tag)
		return refuse(d, "anchors and tags are not allowed");
	for (r = next_event(d); r >= 0; r = next_event(d)) {
		if (d->event.type == YAML_MAPPING_END_EVENT)
			break;
		r = read_pair(d);
		if (r < 0)
			return r;
	}
	/* The document's end, then the stream's. */
	for (int i = 0; r >= 0 && i < 2; i++)
		r = next_event(d);
	if (r >= 0 && d->event.type != YAML_STREAM_END_EVENT)
		return refuse(d, "a second document");
	return r;
}

int conf_read(const struct conf_table *t, const char *name, const void *data, size_t size,
	      void *target, struct why *ret_why)
{
	struct reader d = {.t = t, .name = name, .target = target, .why = ret_why};
	int r;

	if (size > MAX_FILE)
		return why_set(ret_why, -EFBIG, "%s: more than %u bytes", name, MAX_FILE);
	d.seen = calloc(t->n_options ? t->n_options : 1, sizeof(*d.seen));
	if (!d.seen || !yaml_parser_initialize(&d.parser)) {
		free(d.seen);
		return -ENOMEM;
	}
	yaml_parser_set_encoding(&d.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&d.parser, data, size);
	r = read_document(&d);
	yaml_event_delete(&d.event);
	yaml_parser_delete(&d.parser);
	free(d.seen);
	return r;
}

/* The default one, t's own string, may be absent. */
static int read_file(const struct conf_table *t, const char *path, void *target,
		     struct why *ret_why)
{
	CLEANUP(buf_done) struct buf data = {0};
	int r;

	if (!path)
		return 0;
	r = fsio_read_file(fsio_system(), path, MAX_FILE, &data);
	if (r == -ENOENT && path == t->file)
		return 0;
	if (r < 0)
		return why_set(ret_why, r, "%s: %s", path, strerror(-r));
	return conf_read(t, path, data.data ? (const void *)data.data : "", data.size, target,
			 ret_why);
}

/* The command line. */

/* What next_argument() found when it is no option of the table; no errno looks like these. */
enum { ARG_REST = -10001, ARG_CONFIG, ARG_HELP, ARG_VERSION };

/* Option's name, its length up to '=', with - as _. */
static int find_argument(const struct conf_table *t, const char *name, size_t size)
{
	char key[64];

	if (size >= sizeof(key))
		return -ENOENT;
	for (size_t i = 0; i < size; i++)
		key[i] = name[i] == '-' ? '_' : name[i];
	key[size] = 0;
	return memchr(name, '_', size) ? -ENOENT : find(t, key);
}

/*
 * Reads the argument at *at and moves on. *ret_index: the option's, or ARG_*. A switch takes no second argument, so that
 * `--json show` leaves "show" alone.
 */
static int next_argument(const struct conf_table *t, int argc, char **argv, int *at, int *ret_index,
			 const char **ret_value, struct why *ret_why)
{
	const char *arg = argv[*at], *name = arg + 2, *equals = strchr(arg, '=');
	size_t size = equals ? (size_t)(equals - arg) : strlen(arg);

	*ret_value = equals ? equals + 1 : NULL;
	*ret_index = ARG_REST;
	if (arg[0] != '-' || arg[1] == 0)
		return 0;
	++*at;
	if (strcmp(arg, "--") == 0)
		return 0;
	if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
		*ret_index = ARG_HELP;
	else if (strcmp(arg, "--version") == 0)
		*ret_index = ARG_VERSION;
	if (*ret_index != ARG_REST)
		return 0;
	if (size == strlen("--config") && strncmp(arg, "--config", size) == 0)
		*ret_index = ARG_CONFIG;
	else if (strncmp(arg, "--", 2) == 0)
		*ret_index = find_argument(t, name, size - 2);
	if (*ret_index < 0 && *ret_index != ARG_CONFIG)
		return why_set(ret_why, -EINVAL, "%.60s: unknown option", arg);
	if (*ret_value)
		return 0;
	if (*ret_index >= 0 && t->options[*ret_index].type == CONF_BOOL) {
		*ret_value = "true";
		return 0;
	}
	if (*at >= argc)
		return why_set(ret_why, -EINVAL, "%.60s: needs a value", arg);
	*ret_value = argv[(*at)++];
	return 0;
}

const char *conf_file(const struct conf_table *t, int argc, char **argv)
{
	const char *file = t->file, *value;
	int index = ARG_CONFIG;

	for (int at = 1; at < argc && index != ARG_REST;) {
		if (next_argument(t, argc, argv, &at, &index, &value, NULL) < 0)
			break;
		if (index == ARG_CONFIG)
			file = value;
	}
	return file;
}

/* First walk: every name is known. 1: help or version was printed. */
static int scan_arguments(const struct conf_table *t, int argc, char **argv, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf help = {0};
	const char *value;
	int index, r;

	for (int at = 1; at < argc;) {
		r = next_argument(t, argc, argv, &at, &index, &value, ret_why);
		if (r < 0)
			return r;
		if (index == ARG_REST)
			return 0;
		if (index == ARG_VERSION) {
			printf("%s %s\n", t->program, PLUMB_VERSION);
			return 1;
		}
		if (index == ARG_HELP) {
			conf_help(t, &help);
			r = buf_status(&help);
			if (r < 0)
				return r;
			fputs((const char *)help.data, stdout);
			return 1;
		}
	}
	return 0;
}

static int apply_arguments(const struct conf_table *t, int argc, char **argv, void *target,
			   int *ret_rest, struct why *ret_why)
{
	CLEANUP_FREE bool *seen = calloc(t->n_options ? t->n_options : 1, sizeof(*seen));
	int at = 1;

	if (!seen)
		return -ENOMEM;
	while (at < argc) {
		const struct conf_option *o;
		const char *value;
		char where[80];
		int index, from = at, r;

		r = next_argument(t, argc, argv, &at, &index, &value, ret_why);
		if (r < 0)
			return r;
		if (index == ARG_REST)
			break;
		if (index < 0)
			continue;
		o = &t->options[index];
		if (is_list(o) && !seen[index])
			free_list(field(o, target));
		seen[index] = true;
		snprintf(where, sizeof(where), "%.*s", (int)strcspn(argv[from], "="), argv[from]);
		r = set_value(o, target, value, where, ret_why);
		if (r < 0)
			return r;
	}
	*ret_rest = at;
	return 0;
}

static int set_initial(const struct conf_table *t, void *target, struct why *ret_why)
{
	static const size_t field_sizes[] = {[CONF_STR] = sizeof(char *),
					     [CONF_UINT] = sizeof(uint64_t),
					     [CONF_BOOL] = sizeof(bool),
					     [CONF_LIST] = sizeof(struct conf_list),
					     [CONF_PATTERNS] = sizeof(struct conf_list),
					     [CONF_DURATION_MS] = sizeof(uint64_t),
					     [CONF_SIZE] = sizeof(uint64_t)};
	int r = 0;

	for (uint32_t i = 0; i < t->n_options; i++)
		memset(field(&t->options[i], target), 0, field_sizes[t->options[i].type]);
	for (uint32_t i = 0; r >= 0 && i < t->n_options; i++)
		if (t->options[i].initial)
			r = set_value(&t->options[i], target, t->options[i].initial, "default",
				      ret_why);
	return r;
}

int conf_load(const struct conf_table *t, int argc, char **argv, void *target, int *ret_rest,
	      struct why *ret_why)
{
	int rest = argc, r = set_initial(t, target, ret_why);

	if (r == 0)
		r = scan_arguments(t, argc, argv, ret_why);
	if (r == 0)
		r = read_file(t, conf_file(t, argc, argv), target, ret_why);
	if (r == 0)
		r = apply_arguments(t, argc, argv, target, &rest, ret_why);
	if (r == -ENOMEM)
		why_set(ret_why, r, "out of memory");
	if (r != 0) {
		conf_done(t, target);
		return r;
	}
	if (ret_rest)
		*ret_rest = rest;
	return 0;
}

void conf_done(const struct conf_table *t, void *target)
{
	for (uint32_t i = 0; i < t->n_options; i++) {
		void *at = field(&t->options[i], target);

		if (is_list(&t->options[i]))
			free_list(at);
		if (t->options[i].type == CONF_STR) {
			free(*(char **)at);
			*(char **)at = NULL;
		}
	}
}

void conf_help(const struct conf_table *t, struct buf *ret)
{
	static const char *const forms[] = {
		[CONF_STR] = "=TEXT",		[CONF_UINT] = "=N",
		[CONF_BOOL] = "[=false]",	[CONF_LIST] = "=TEXT...",
		[CONF_DURATION_MS] = "=TIME",	[CONF_SIZE] = "=SIZE",
		[CONF_PATTERNS] = "=PATTERN..."};

	buf_printf(ret, "Usage: %s %s\n%s\n\n", t->program, t->usage ? t->usage : "[OPTION…]",
		   t->summary ? t->summary : "");
	for (uint32_t i = 0; i < t->n_options; i++) {
		const struct conf_option *o = &t->options[i];
		char left[96];
		size_t n = (size_t)snprintf(left, sizeof(left), "--%.60s", o->name);

		for (size_t k = 2; k < n; k++)
			left[k] = left[k] == '_' ? '-' : left[k];
		snprintf(left + n, sizeof(left) - n, "%s", forms[o->type]);
		buf_printf(ret, "  %-30s %s", left, o->help ? o->help : "");
		if (o->initial && o->initial[0])
			buf_printf(ret, " (%s)", o->initial);
		buf_puts(ret, "\n");
	}
	buf_printf(ret, "  %-30s %s", "--config=FILE", "the same keys, with _ for -, as YAML");
	if (t->file)
		buf_printf(ret, " (%s)", t->file);
	buf_printf(ret, "\n  %-30s %s\n  %-30s %s\n", "--help", "this text", "--version",
		   "name and version");
}
