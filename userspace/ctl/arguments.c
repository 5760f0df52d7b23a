/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include <assert.h>
#include <getopt.h>

#include "print.h"

#define HELP ARGUMENTS_MAX

static void take(const struct arguments_option *o, const char *value)
{
	if (o->text)
		*o->text = value;
	else
		*o->given = true;
}

int arguments_take(int argc, char **argv, const struct arguments_command *c, int *ret_exit)
{
	struct option options[ARGUMENTS_MAX + 2] = {{"help", no_argument, NULL, HELP}};
	int o;

	assert(c->n_options <= ARGUMENTS_MAX);
	for (unsigned int i = 0; i < c->n_options; i++)
		options[i + 1] = (struct option){.name = c->options[i].name,
						 .has_arg = c->options[i].text ? required_argument
									       : no_argument,
						 .val = (int)i};
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == HELP) {
			c->help(stdout);
			*ret_exit = PRINT_GOOD;
			return 0;
		}
		if (o == '?') {
			*ret_exit = print_failure(PRINT_USAGE,
						  "plumbctl %s --help tells the options", c->name);
			return 0;
		}
		take(&c->options[o], optarg);
	}
	if (optind < argc)
		return argc - optind;
	c->help(stderr);
	*ret_exit = PRINT_USAGE;
	return 0;
}
