#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pods are asked to leave, disruption budgets respected until the deadline; cordon, and whose it is.
# shellcheck source=tests/kube/common
. tests/kube/common

on1='"nodeSelector":{"kubernetes.io/hostname":"ce-1"}'
tolerates='"tolerations":[{"operator":"Exists"}]'
is_cordoned() { node_json ce-1 | true_in '.spec.unschedulable == true'; }
budget() { # NAME: two of app=guarded must be there
	local v=v1
	api GET /apis/policy | true_in '[.versions[].version] | index("v1") != null' || v=v1beta1
	api POST "/apis/policy/$v/namespaces/ce/poddisruptionbudgets" $json '{"apiVersion":"policy/'$v'","kind":"PodDisruptionBudget","metadata":{"name":"'"$1"'"},"spec":{"minAvailable":2,"selector":{"matchLabels":{"app":"guarded"}}}}' >/dev/null
}
stays() { local until=$((SECONDS + $1)); shift; while [ "$SECONDS" -lt "$until" ]; do "$@" || return 1; sleep 0.3; done; }
again() { stop_verifier && grep -v '^kube_evict' "$work/verifier.yaml" >"$work/verifier.new" && printf '%s\n' "$@" >>"$work/verifier.new" && mv "$work/verifier.new" "$work/verifier.yaml" && start_verifier; }

check "a hollow kubelet" hollow_node ce-1
check "a namespace" namespace ce
check "a verifier that evicts and cordons" start_herd_verifier "contain_percent: 100" "contain_calm: 0s" \
	"kube_deeds: [taint, unattested, label, annotation, condition, event, cordon, evict]" "kube_evict_for: 20s"
check "without the right to list pods" attested_node ce-1
check "that is told, and the node is contained all the same" eval 'drifted ce-1 && until_true 5 is_ours ce-1 "$hold" && until_true 15 grep -q "lacks verb .*list.* on pods" "$work/verifier.log" && until_true 30 is_ours ce-1 "$quarantine"'
check "with it" eval 'released ce-1 && until_true 10 is_ours ce-1 "" && kubectl create clusterrolebinding ce-evict --clusterrole=plumb-verifier-evict --serviceaccount=plumbline:plumb-verifier'
for i in guarded-1 guarded-2; do pod ce $i "$on1" '"labels":{"app":"guarded"}'; done
pod ce free "$on1"
pod ce clings "$on1,$tolerates"
check "pods run, two of them under a budget" eval 'budget two && for i in guarded-1 guarded-2 free clings; do until_true 30 runs_on ce $i ce-1 || exit 1; done'
until_true 20 eval 'api GET /apis/policy/v1beta1/namespaces/ce/poddisruptionbudgets/two | true_in ".status.currentHealthy == 2"'
check "drift: no new work at once, and cordoned" eval 'drifted ce-1 && until_true 2 is_ours ce-1 "$hold" && is_cordoned'
check "what no budget keeps is evicted" until_true 12 pod_gone ce free
check "what one keeps stays" eval 'stays 4 runs_on ce guarded-1 ce-1 && runs_on ce guarded-2 ce-1 && is_ours ce-1 "$hold"'
check "the API said why" grep -q 'evicted=.*kept=2.*429' "$work/verifier.log"
check "until the deadline: NoExecute, and they go" eval 'until_true 25 is_ours ce-1 "$quarantine" && until_true 20 eval "pod_gone ce guarded-1 && pod_gone ce guarded-2"'
check "released: schedulable again" eval 'released ce-1 && until_true 10 is_ours ce-1 "" && until_true 5 eval "! is_cordoned"'

kubectl delete pod -n ce --all --grace-period=0 --force >/dev/null 2>&1
pod ce only "$on1"
until_true 30 runs_on ce only ce-1
# shellcheck disable=SC2034
began=$SECONDS
check "all have left: NoExecute does not wait for the deadline" eval 'drifted ce-1 && until_true 18 is_ours ce-1 "$quarantine" && [ $((SECONDS - began)) -lt 19 ] && pod_gone ce only'
check "a person uncordons it meanwhile: put right" eval 'kubectl uncordon ce-1 >/dev/null && until_true 2 is_cordoned'
check "released" eval 'released ce-1 && until_true 10 is_ours ce-1 "" && until_true 5 eval "! is_cordoned"'
check "cordoned by a person before: it stays so after the release" eval 'kubectl cordon ce-1 >/dev/null && drifted ce-1 && until_true 5 is_cordoned && released ce-1 && until_true 30 is_ours ce-1 "" && stays 2 is_cordoned'
kubectl uncordon ce-1 >/dev/null

kubectl create clusterrolebinding ce-force --clusterrole=plumb-verifier-evict-force --serviceaccount=plumbline:plumb-verifier >/dev/null
pod ce clings-2 "$on1,$tolerates" '"labels":{"app":"guarded"}'
check "with force" again "kube_evict_for: 6s" "kube_evict_force: true"
check "what neither an eviction nor NoExecute moves is deleted at the deadline" eval 'until_true 30 runs_on ce clings-2 ce-1 && drifted ce-1 && until_true 25 pod_gone ce clings-2'
kubectl delete clusterrolebinding ce-evict ce-force >/dev/null
exit "$bad"
