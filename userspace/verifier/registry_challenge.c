/* SPDX-License-Identifier: Apache-2.0 */
#include "registry_challenge.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

#define PLAIN "http://"
#define SECRET "https://"

/* The value of name="value" in a challenge. */
static int parameter(const char *challenge, const char *name, char *ret, size_t size)
{
	char mark[32];
	const char *at, *to;

	snprintf(mark, sizeof(mark), "%s=\"", name);
	at = strcasestr(challenge, mark);
	to = at ? strchr(at + strlen(mark), '"') : NULL;
	if (!to || (at > challenge && at[-1] != ' ' && at[-1] != ','))
		return -ENOENT;
	at += strlen(mark);
	if ((size_t)(to - at) >= size)
		return -E2BIG;
	memcpy(ret, at, (size_t)(to - at));
	ret[to - at] = 0;
	return 0;
}

static void escape(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text))
			buf_put(b, text, 1);
		else
			buf_printf(b, "%%%02X", (unsigned char)*text);
	}
}

int registry_challenge_url(const char *challenge, const char *repository, bool plain,
			   struct buf *ret)
{
	char realm[REGISTRY_CHALLENGE_MAX], service[256] = "";
	int r = strncasecmp(challenge, "Bearer ", 7) == 0
			? parameter(challenge, "realm", realm, sizeof(realm))
			: -EACCES;

	if (r < 0 || (strncmp(realm, SECRET, strlen(SECRET)) != 0 &&
		      (!plain || strncmp(realm, PLAIN, strlen(PLAIN)) != 0)))
		return -EACCES;
	/* What follows a mark like that is never sent, and our words with it. */
	if (strpbrk(realm, "# \\"))
		return -EACCES;
	if (parameter(challenge, "service", service, sizeof(service)) == -E2BIG)
		return -EACCES;
	buf_printf(ret, "%s%cservice=", realm, strchr(realm, '?') ? '&' : '?');
	escape(ret, service);
	buf_puts(ret, "&scope=");
	escape(ret, "repository:");
	escape(ret, repository);
	escape(ret, ":pull");
	return buf_status(ret);
}

int registry_challenge_token(const void *document, size_t size,
			     char ret[REGISTRY_CHALLENGE_MAX_TOKEN], struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *text = NULL;
	int r = jsonl_parse(document, size, REGISTRY_CHALLENGE_MAX_DOCUMENT, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_str(o, "token", REGISTRY_CHALLENGE_MAX_TOKEN - 1, &text, ret_why);
	if (r == -ENOENT)
		r = jsonl_get_str(o, "access_token", REGISTRY_CHALLENGE_MAX_TOKEN - 1, &text,
				  ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			return why_set(ret_why, -EBADMSG, "a token has what no header may have");
	if (!*text)
		return why_set(ret_why, -EBADMSG, "a token is empty");
	snprintf(ret, REGISTRY_CHALLENGE_MAX_TOKEN, "%s", text);
	return 0;
}
