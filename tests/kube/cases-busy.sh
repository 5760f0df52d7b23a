#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An API server that has too much to do (429), or whose memory is shorter than our watch (410): through a proxy with moods, before the real one.
# shellcheck source=tests/kube/common
. tests/kube/common

: >"$work/mood"
tests/kube/busy-api "$work/proxy.port" "$kube" "$pki/ca.crt" "$work/mood" >"$work/proxy.log" 2>&1 &
proxy=$!
trap 'kube_cleanup; kill $proxy' EXIT
until_true 10 test -s "$work/proxy.port"
check "a node" paper_node cy-1
# shellcheck disable=SC2034
kube_seen=http://127.0.0.1:$(cat "$work/proxy.port")
check "a verifier behind the proxy" start_herd_verifier "contain_percent: 100" "contain_calm: 0s"
check "the node is attested" attested_node cy-1
echo "429 2" >"$work/mood"
began=$(date +%s%N)
check "429 with Retry-After: the node is tainted all the same" eval 'drifted cy-1 && until_true 15 is_ours cy-1 "$quarantine"'
check "but not before the time that was asked for" test $((($(date +%s%N) - began) / 1000000)) -ge 4000
check "and the API was asked no more often than it wanted" eval '[ "$(grep -c " 429$" "$work/proxy.log")" -eq 2 ]'
echo "429 100" >"$work/mood"
check "429 without an end is told as an API that is down" eval 'released cy-1; until_true 60 grep -q "HTTP 429" "$work/verifier.log"'
: >"$work/mood"
check "and over when it is over" until_true 40 is_ours cy-1 ""
# shellcheck disable=SC2034
lists=$(grep -c 'GET /api/v1/nodes?limit' "$work/proxy.log")
until_true 40 eval 'ctl contain show --json | true_in .watching'
echo "410" >"$work/mood"
check "an expired watch" until_true 20 grep -q "kube_watch=too_old" "$work/verifier.log"
check "is begun again with a list" until_true 20 eval '[ "$(grep -c "GET /api/v1/nodes?limit" "$work/proxy.log")" -gt "$lists" ]'
check "and sees what third parties do: a repair within two seconds" eval 'drifted cy-1 && until_true 5 is_ours cy-1 "$quarantine" && sleep 3 && kubectl taint node cy-1 plumbline.io/quarantined- >/dev/null && until_true 2 is_ours cy-1 "$quarantine"'
exit "$bad"
