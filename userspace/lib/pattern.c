/* SPDX-License-Identifier: Apache-2.0 */
#include "pattern.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct pattern {
	regex_t re;
};

static bool refers_back(const char *text)
{
	for (; *text; text++) {
		if (*text != '\\')
			continue;
		text++;
		if (*text >= '1' && *text <= '9')
			return true;
		if (!*text)
			break;
	}
	return false;
}

int pattern_open(const char *text, struct pattern **ret, struct why *ret_why)
{
	struct pattern *p;
	char error[96];
	int r;

	if (!text[0] || strlen(text) > PATTERN_MAX)
		return why_set(ret_why, -EINVAL, "a pattern has 1 to %d bytes", PATTERN_MAX);
	if (refers_back(text))
		return why_set(ret_why, -EINVAL, "back-references are not taken");
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	r = regcomp(&p->re, text, REG_EXTENDED | REG_ICASE);
	if (r != 0) {
		regerror(r, &p->re, error, sizeof(error));
		free(p);
		return why_set(ret_why, r == REG_ESPACE ? -ENOMEM : -EINVAL, "%s", error);
	}
	if (p->re.re_nsub >= PATTERN_GROUPS)
		r = why_set(ret_why, -EINVAL, "more than %d groups", PATTERN_GROUPS - 1);
	else if (regexec(&p->re, "", 0, NULL, 0) == 0)
		r = why_set(ret_why, -EINVAL, "it agrees with nothing at all, so with every place");
	if (r < 0) {
		pattern_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct pattern *pattern_free(struct pattern *p)
{
	if (!p)
		return NULL;
	regfree(&p->re);
	free(p);
	return NULL;
}

unsigned int pattern_mark(const struct pattern *p, const char *text, bool *ret_hidden)
{
	regmatch_t m[PATTERN_GROUPS];
	unsigned int n = 0;
	size_t at = 0;

	while (text[at]) {
		int r = regexec(&p->re, text + at, p->re.re_nsub + 1, m, at ? REG_NOTBOL : 0);
		const regmatch_t *hide;

		if (r == REG_NOMATCH)
			break;
		/* No memory to look: then nothing of the rest may be seen. */
		if (r != 0) {
			memset(ret_hidden + at, true, strlen(text + at));
			return n + 1;
		}
		/* The last group may have had no part in it: then all of it is hidden, rather too much. */
		hide = m[p->re.re_nsub].rm_so >= 0 ? &m[p->re.re_nsub] : &m[0];
		if (hide->rm_eo > hide->rm_so) {
			memset(ret_hidden + at + hide->rm_so, true,
			       (size_t)(hide->rm_eo - hide->rm_so));
			n++;
		}
		at += m[0].rm_eo > m[0].rm_so ? (size_t)m[0].rm_eo : (size_t)m[0].rm_eo + 1;
	}
	return n;
}
