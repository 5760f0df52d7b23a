#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The automation never takes the cluster down: a share at once, the control plane, a zone; the global stop; a dry run; undoing what one rule did.
# shellcheck source=tests/kube/common
. tests/kube/common

names() { for i in "$@"; do echo "cb-$i"; done; }
n_contained() { local i n=0; for i in $(names 1 2 3 4 5 6 7 8 9 10 11 12); do [ -z "$(ours "$i")" ] || n=$((n + 1)); done; echo "$n"; }
is_n() { [ "$(n_contained)" -eq "$1" ]; }
view() { ctl contain show --json; }
held_for() { view | true_in --arg k "$1" --arg w "$2" '[.held_back[] | select(.label == $k and .held_back == $w)] | length == 1'; }
stays() { local until=$((SECONDS + $1)); shift; while [ "$SECONDS" -lt "$until" ]; do "$@" || return 1; sleep 0.3; done; }
again() { # YAML-LINE…: the verifier with other settings
	stop_verifier && grep -v '^contain_' "$work/verifier.yaml" >"$work/verifier.new" && printf '%s\n' "$@" >>"$work/verifier.new" &&
		mv "$work/verifier.new" "$work/verifier.yaml" && start_verifier && until_true 15 eval 'view | true_in .watching'
}
all_released() { local i; for i in $(view | jq -r '(.contained + .held_back)[].label'); do released "$i" || return 1; done; }

cp='{"node-role.kubernetes.io/control-plane":""}'
for i in $(names 1 2 3 4 5 6 7 8); do paper_node "$i" '{"topology.kubernetes.io/zone":"main"}'; done
for i in $(names 9 10); do paper_node "$i" "$cp"; done
for i in $(names 11 12); do paper_node "$i" '{"topology.kubernetes.io/zone":"edge"}'; done
check "a verifier as it is shipped: a tenth of the nodes at once" start_herd_verifier "contain_calm: 0s"
check "twelve attested nodes" eval 'for i in $(names 1 2 3 4 5 6 7 8 9 10 11 12); do attested_node "$i" || exit 1; done'
check "the cluster is watched" until_true 15 eval 'view | true_in ".watching and .nodes == 12 and .limit == 1"'

check "three drift at once: one is contained" eval 'drifted cb-1 cb-2 cb-3 && until_true 5 is_n 1 && stays 3 is_n 1'
check "the first" is_ours cb-1 "$quarantine"
check "what is held back is shown, with the reason, exit code 1" eval 'held_for cb-2 share && held_for cb-3 share; ctl contain show >"$work/shown"; [ $? -eq 1 ] && grep -q "at most 1 at once" "$work/shown" && grep -q "contained already" "$work/shown"'
check "also of the node" eval 'show cb-2 | true_in ".held_back != \"\" and .containment == \"quarantined\""'
check "and in the verifier's log" eval 'ctl events --json | true_in -s "[.[] | select(.type == \"transition\" and .held_back == \"share\")] | length == 2"'
check "a node that is held back is no trusted one" eval 'node_json cb-2 | true_in ".metadata.labels[\"node-restriction.kubernetes.io/plumbline\"] == \"quarantined\""'
check "the first is released: the next one's turn" eval 'released cb-1 && until_true 8 is_ours cb-2 "$quarantine" && is_ours cb-1 ""'
check "that is logged" eval 'ctl events --json | true_in -s "[.[] | select(.action == \"let\")] | length == 1"'

check "the global stop" ctl contain pause --reason="looks wrong"
check "is logged with its name" eval 'ctl events --json | true_in -s "[.[] | select(.action == \"contain_pause\" and .operator == \"alice\" and .reason == \"looks wrong\")] | length == 1"'
check "and shown" eval 'view | true_in ".paused.by == \"alice\""'
check "it is given once" refused 1 'paused already' ctl contain pause --reason=again
check "paused: nothing is put back, and nothing new is done" eval 'kubectl taint node cb-2 plumbline.io/quarantined- >/dev/null && drifted cb-4 && stays 4 is_n 0'
check "paused: what is released stays free" eval 'released cb-3 && stays 2 is_ours cb-3 ""'
check "it outlives the verifier" eval 'stop_verifier && start_verifier && stays 3 is_n 0 && view | true_in ".paused.by == \"alice\""'
check "resumed: what was let is there again" eval 'ctl contain resume --reason=fine && until_true 5 is_ours cb-2 "$quarantine"'
check "and no more than that" stays 3 is_n 1
check "a viewer may not stop it" eval '"$O/plumb-verifier" --data-dir="$v" operator add victor viewer >/dev/null && as victor contain pause --reason=x; [ $? -ne 0 ]'
all_released >/dev/null

check "with all the share there is" again "contain_percent: 100" "contain_calm: 0s"
check "one of the control plane is contained" eval 'set_ready cb-9 && set_ready cb-10 && until_true 5 eval "view | true_in .watching" && drifted cb-9 && until_true 5 is_ours cb-9 "$quarantine"'
check "the last Ready one is not" eval 'drifted cb-10 && until_true 5 held_for cb-10 control_plane && stays 3 is_ours cb-10 ""'
check "one of a zone is contained" eval 'drifted cb-11 && until_true 5 is_ours cb-11 "$quarantine"'
check "the whole zone is not" eval 'drifted cb-12 && until_true 5 held_for cb-12 zone && stays 3 is_ours cb-12 ""'
check "a kubelet that moves to another zone escapes nothing, and brakes nobody" eval 'kubectl label --overwrite node cb-11 topology.kubernetes.io/zone=other >/dev/null && stays 2 is_ours cb-11 "$quarantine" && held_for cb-12 zone'
check "somebody's release makes room" eval 'released cb-9 && until_true 8 is_ours cb-10 "$quarantine"'
all_released >/dev/null
until_true 20 is_n 0

check "a rule goes wrong: eight nodes are contained" eval 'drifted $(names 1 2 3 4 5 6 7) cb-11 && until_true 15 is_n 8'
check "a dry run of the undo names them, and does nothing" eval 'ctl contain undo --rule=evil --since=10m --dry-run --reason=test | grep -q "would undo 8 nodes" && stays 2 is_n 8'
check "none of a rule that did nothing" refused 1 'no contained node has an open case' ctl contain undo --rule=other --since=10m --reason=test
check "nor of a time when it did nothing" refused 1 'no contained node has an open case' ctl contain undo --rule=evil --since=2031-01-01T00:00:00Z --reason=test
began=$(date +%s%N)
check "the undo" ctl contain undo --rule=evil --since=10m --reason="the rule is wrong"
check "takes all of it back" until_true 20 is_n 0
check "not all at once" test $((($(date +%s%N) - began) / 1000000)) -ge 1000
check "they are degraded, not trusted" eval 'for i in $(names 1 2 3 4 5 6 7) cb-11; do until_true 5 state "$i" degraded || exit 1; done'
check "that it is over is logged" until_true 5 eval 'ctl events --json | true_in -s "[.[] | select(.action == \"contain_undone\")] | length == 1"'
check "what was taken back stays so when the same is found again" eval 'herd drift cb-1 && stays 3 is_ours cb-1 ""'

check "a dry run" again "contain_percent: 100" "contain_dry_run: true"
check "contains nothing, and says what it would" eval 'drifted cb-8 && until_true 5 held_for cb-8 dry_run && stays 3 is_ours cb-8 ""'
exit "$bad"
