/* SPDX-License-Identifier: Apache-2.0 */
#include "remedy_view.h"

#include <errno.h>

#include "clock.h"
#include "remedy_book.h"

static void put_time(struct jsonl *j, const char *key, uint64_t ns)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(ns, text);
	if (ns)
		jsonl_str(j, key, text);
	else
		jsonl_null(j, key);
}

static void put_steps(struct jsonl *j, const char *key, uint32_t steps)
{
	jsonl_array(j, key);
	for (enum policy_remedy_step s = POLICY_REMEDY_ISOLATE; s <= POLICY_REMEDY_RELEASE; s++)
		if (steps & 1u << s)
			jsonl_str(j, NULL, policy_remedy_name(s));
	jsonl_close(j);
}

int remedy_view_put(const struct store *s, const struct store_node *n, struct jsonl *j)
{
	struct remedy_record k;
	struct why why = {""};
	int braked = 0;
	int r = remedy_book_get(s, n->id, &k, &why);

	if (r == -ENOENT) {
		jsonl_null(j, "remedy");
		return 0;
	}
	if (r >= 0)
		braked = remedy_book_braked(s, n);
	if (r < 0 || braked < 0)
		return r < 0 ? r : braked;
	jsonl_object(j, "remedy");
	jsonl_str(j, "step", remedy_book_step(&k));
	jsonl_str(j, "phase", remedy_phase_name(k.m.phase));
	put_time(j, "since", k.m.since_ns);
	put_time(j, "until", k.m.until_ns);
	jsonl_str(j, "then", k.m.until_ns ? remedy_late(&k.m) : "");
	jsonl_bool(j, "itself", remedy_goes_itself(&k.m) && !braked);
	jsonl_str(j, "advice", remedy_advice(k.m.step));
	put_steps(j, "plan", k.m.plan);
	put_steps(j, "auto", k.m.itself);
	put_steps(j, "done", k.m.seen);
	put_time(j, "began", k.began_ns);
	jsonl_uint(j, "case", k.case_id);
	jsonl_str(j, "rule", k.rule);
	jsonl_str(j, "by", k.by);
	jsonl_str(j, "why", k.why);
	jsonl_close(j);
	return 0;
}
