/* SPDX-License-Identifier: Apache-2.0 */
#include "line_secrets.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"

#define HIDDEN "***"

static bool ends_name(char c)
{
	return c == '=' || c == ':' || c == ' ' || c == '\t' || c == '>';
}

static bool contains(const char *text, size_t size, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= size; i++)
		if (strncasecmp(text + i, word, n) == 0)
			return true;
	return false;
}

/* Not "key" alone: a third of all settings have it in their names. */
static bool is_secret_name(const char *text, size_t size)
{
	static const char *const words[] = {
		"passw",       "passphrase", "secret",	   "token",	    "credential",
		"apikey",      "api_key",    "api-key",	   "privatekey",    "private_key",
		"private-key", "accesskey",  "access_key", "authorization", "psk"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (contains(text, size, words[i]))
			return true;
	return false;
}

static bool is_of_base64(char c)
{
	return isalnum((unsigned char)c) || c == '+' || c == '/' || c == '=' || c == '-' ||
	       c == '_';
}

/* Letters and digits mixed: a path or a word of prose of that length has no digit, or a dot. */
static bool looks_random(const char *text, size_t size)
{
	bool digit = false, letter = false;

	for (size_t i = 0; i < size; i++) {
		digit |= isdigit((unsigned char)text[i]) != 0;
		letter |= isalpha((unsigned char)text[i]) != 0;
	}
	return size >= LINE_SECRETS_LONG && digit && letter;
}

/* $6$salt$hash, as in shadow and htpasswd. */
static bool is_crypt(const char *text, size_t left)
{
	size_t n = 1;

	if (left < 4 || text[0] != '$')
		return false;
	while (n < left && n < 8 && isalnum((unsigned char)text[n]))
		n++;
	return n > 1 && n < left && text[n] == '$';
}

/* Where the value of a secret's name begins, or size. */
static size_t value_of_name(const char *line, size_t size)
{
	for (size_t i = 0, word = 0; i < size; i++) {
		if (!ends_name(line[i]))
			continue;
		if (is_secret_name(line + word, i - word)) {
			while (i < size && ends_name(line[i]))
				i++;
			return i;
		}
		word = i + 1;
	}
	return size;
}

/* https://user:password@host: what stands between, or 0. */
static size_t in_url(const char *text, size_t left)
{
	size_t n = 3;

	if (left < 4 || strncmp(text, "://", 3) != 0)
		return 0;
	while (n < left && !strchr("/ \t\"'@", text[n]))
		n++;
	return n < left && text[n] == '@' ? n - 3 : 0;
}

void line_secrets_hide(const char *line, size_t size, struct buf *ret)
{
	size_t until = value_of_name(line, size), i = 0;

	while (i < until) {
		size_t run = 0;

		while (i + run < until && is_of_base64(line[i + run]))
			run++;
		if (in_url(line + i, until - i) > 0) {
			buf_puts(ret, "://" HIDDEN);
			i += 3 + in_url(line + i, until - i);
		} else if (is_crypt(line + i, until - i)) {
			buf_puts(ret, HIDDEN);
			while (i < until && line[i] != ':' && line[i] != ' ' && line[i] != '\t')
				i++;
		} else if (looks_random(line + i, run)) {
			buf_puts(ret, HIDDEN);
			i += run;
		} else {
			run = run ? run : 1;
			buf_put(ret, line + i, run);
			i += run;
		}
	}
	if (until < size)
		buf_puts(ret, HIDDEN);
}
