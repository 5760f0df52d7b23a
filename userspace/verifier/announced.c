/* SPDX-License-Identifier: Apache-2.0 */
#include "announced.h"

#include <stdbool.h>

#include "drift_state.h"
#include "order_desk.h"

#define MS 1000000ull
#define MAX_WINDOWS 16u /* the newest */

int announced_until(const struct verifier *v, const struct store_node *n, uint64_t now_ns,
		    uint64_t *ret)
{
	struct appraise_drift_restart windows[MAX_WINDOWS];
	struct appraise_drift_state state = {.restart_used = 0};
	uint64_t until_ns = 0;
	uint32_t n_windows = 0;
	int r = order_desk_restarts(v, n, windows, MAX_WINDOWS, &n_windows);

	if (r >= 0)
		r = drift_state_load(v->store, n, &state);
	for (uint32_t i = 0; r >= 0 && i < n_windows; i++) {
		uint64_t end_ns = windows[i].issued_ns + windows[i].life_ms * MS;
		bool spent = windows[i].number <= state.restart_used ||
			     windows[i].number <= state.unanchored_used;

		if (!spent && windows[i].issued_ns <= now_ns && end_ns > now_ns &&
		    end_ns > until_ns)
			until_ns = end_ns;
	}
	appraise_drift_state_done(&state);
	if (r < 0)
		return r;
	*ret = until_ns;
	return 0;
}
