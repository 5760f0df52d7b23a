/* SPDX-License-Identifier: Apache-2.0 */
/*
 * members.h: members of a JSON object without its braces, as jsonl.h writes plain ones: who puts them behind others must know that they end
 * where they seem to, and that none of them is there twice. Pure, no memory of its own.
 * In: text. Out: yes, or that it is for a parser of JSON to say.
 */
#ifndef PLUMB_MEMBERS_H
#define PLUMB_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#define MEMBERS_MAX 24u

/*
 * True: `"name":value`, with commas between them; values are text, positive integers, true, false, null, and lists of those; names are other
 * than one another and than those given. False: broken, or of another form (escapes, what is no ASCII, objects, blanks, more of them).
 */
bool members_are_plain(const char *text, const char *const *names, size_t n_names);

#endif
