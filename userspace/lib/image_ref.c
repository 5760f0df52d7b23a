/* SPDX-License-Identifier: Apache-2.0 */
#include "image_ref.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DOCKER "docker.io"

static bool is_of(const char *text, const char *characters)
{
	return text[0] && text[strspn(text, characters)] == 0;
}

/* A name, or an IPv4 address, and perhaps a port. An IPv6 address is none that image names may have. */
static bool is_host(const char *text)
{
	const char *port = strchr(text, ':');
	size_t size = port ? (size_t)(port - text) : strlen(text);

	return size > 0 && text[0] != '.' && text[0] != '-' &&
	       strspn(text, LOWER DIGITS ".-") == size &&
	       (!port || (is_of(port + 1, DIGITS) && strlen(port + 1) <= 5));
}

/* Words with slashes between; each begins and ends with a letter or digit, so that none is ".." or empty. */
static bool is_repository(const char *text)
{
	const char *at = text;

	if (text[strspn(text, LOWER DIGITS "._-/")])
		return false;
	for (;;) {
		size_t n = strcspn(at, "/");

		if (n == 0 || strchr("._-", at[0]) || strchr("._-", at[n - 1]))
			return false;
		if (!at[n])
			return true;
		at += n + 1;
	}
}

/* Cuts what stands behind the last `mark` of text into ret; ret is as it was where there is none. */
static int cut(char *text, char mark, char *ret, size_t size)
{
	char *at = strrchr(text, mark);

	/* A colon before a slash is that of a port. */
	if (!at || strchr(at, '/'))
		return 0;
	*at = 0;
	return snprintf(ret, size, "%s", at + 1) < (int)size && at[1] ? 0 : -EBADMSG;
}

static int split(char *text, struct image_ref *r)
{
	char *slash = strchr(text, '/');
	bool named = false;
	int n;

	if (slash) {
		*slash = 0;
		for (char *c = text; *c; c++)
			if (strchr(UPPER, *c))
				named = true; /* no word of a repository has one */
		named |= strpbrk(text, ".:") || strcmp(text, "localhost") == 0;
		if (!named)
			*slash = '/';
	}
	for (char *c = text; named && *c; c++)
		if (strchr(UPPER, *c))
			*c = (char)(*c - 'A' + 'a');
	if (named && strcmp(text, "index." DOCKER) == 0)
		snprintf(text, strlen(text) + 1, DOCKER);
	n = snprintf(r->registry, sizeof(r->registry), "%s", named ? text : DOCKER);
	if (n >= (int)sizeof(r->registry) || !is_host(r->registry))
		return -EBADMSG;
	text = named ? slash + 1 : text;
	n = snprintf(r->repository, sizeof(r->repository), "%s%s",
		     strcmp(r->registry, DOCKER) == 0 && !strchr(text, '/') ? "library/" : "",
		     text);
	return n < (int)sizeof(r->repository) && is_repository(r->repository) ? 0 : -EBADMSG;
}

int image_ref_parse(const char *text, struct image_ref *ret, struct why *ret_why)
{
	char copy[IMAGE_REF_MAX + 1];
	struct image_ref r = {.tag = ""};
	size_t size = strlen(text);

	if (size > IMAGE_REF_MAX)
		return why_set(ret_why, -EBADMSG, "an image's name has more than %u bytes",
			       IMAGE_REF_MAX);
	memcpy(copy, text, size + 1);
	if (cut(copy, '@', r.digest, sizeof(r.digest)) < 0 ||
	    (r.digest[0] && !image_layout_is_digest(r.digest)))
		return why_set(ret_why, -EBADMSG,
			       "image %.120s: its digest is not sha256: and 64 digits", text);
	if (cut(copy, ':', r.tag, sizeof(r.tag)) < 0 ||
	    (r.tag[0] && !is_of(r.tag, LOWER UPPER DIGITS "._-")))
		return why_set(ret_why, -EBADMSG, "image %.120s: its tag is none", text);
	if (split(copy, &r) < 0)
		return why_set(ret_why, -EBADMSG, "image %.120s: that is no name of one", text);
	*ret = r;
	return 0;
}
