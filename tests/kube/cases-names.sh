#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A machine gets its Kubernetes name by the token of its agent's pod: real tokens, bound to real pods, judged by the real API.
# shellcheck source=tests/kube/common
. tests/kube/common

pod_token() { # NAMESPACE POD AUDIENCE ACCOUNT: bound to that pod
	api POST "/api/v1/namespaces/$1/serviceaccounts/$4/token" $json '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":600,"audiences":["'"$3"'"],"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"'"$2"'","uid":"'"$(pod_json "$1" "$2" | jq -r .metadata.uid)"'"}}}' | jq -r .status.token
}
agent_pod() { # NAME NODE [ACCOUNT]: as the DaemonSet's on that node
	pod plumbline "$1" '"nodeName":"'"$2"'","serviceAccountName":"'"${3:-plumbd}"'","tolerations":[{"operator":"Exists"}]'
}
enrolled() { herd enrol "$1" "$(ctl token create --label "$1")" "$2" "${3:-}"; } # LABEL BOOT [TOKEN-FILE]
is_bound() { [ "$(ctl node show "$1" --json | jq -r ".kube_name // \"\"")" = "$2" ]; }
refused() { until_true 15 grep -q "bound=no reason=\".*$1" "$work/verifier.log"; }
stays_unbound() { sleep 4; is_bound "$1" ""; }

check "two nodes, whose boot ids stay what they are" eval 'paper_node cn-1 && paper_node cn-2'
check "a verifier that asks whose a pod's token is" start_herd_verifier "kube_agent_account: plumbline:plumbd" "contain_percent: 100" "contain_calm: 0s"
check "the agents' account, and another one" eval 'kubectl create serviceaccount -n plumbline plumbd >/dev/null && kubectl create serviceaccount -n plumbline eve >/dev/null'
check "a pod of it on each node" eval 'until_true 30 agent_pod agent-1 cn-1 && agent_pod agent-2 cn-2'
check "its tokens, of ten minutes" eval '(umask 077 && pod_token plumbline agent-1 plumb-verifier plumbd >"$work/t1" && pod_token plumbline agent-2 plumb-verifier plumbd >"$work/t2") && [ "$(wc -c <"$work/t1")" -gt 300 ]'

kubectl delete clusterrolebinding plumb-verifier-names >/dev/null
check "without the right to ask: not bound, and said" eval 'enrolled one "$(boot_of cn-1)" "$work/t1" && until_true 10 grep -q "lacks verb .*create.* on tokenreviews" "$work/verifier.log" && stays_unbound one'
check "which is shipped" eval 'kubectl apply -f deploy/kubernetes/verifier-rbac.yaml | grep -q "plumb-verifier-names created"'
check "with it: bound to the pod's node, by itself" until_true 60 is_bound one cn-1
check "that is in the verifier's log" eval 'ctl events --json | grep "\"action\":\"bind\"" | grep -q "of Kubernetes node cn-1"'
check "and its drift taints that node" eval 'drifted one && until_true 5 is_ours cn-1 "$quarantine"'
check "nobody's token is in a log" eval '! grep -qF "$(cut -d. -f2 "$work/t1")" "$work/verifier.log" && ! ctl events --json | grep -qF "$(cut -d. -f2 "$work/t1")"'

check "replayed by another machine: refused" eval 'enrolled eve "$(boot_of cn-1)" "$work/t1" && refused "it is replayed" && stays_unbound eve'
check "another token of that node: its name is the first machine's" eval 'pod_token plumbline agent-1 plumb-verifier plumbd >"$work/t1b" && enrolled eve2 "$(boot_of cn-1)" "$work/t1b" && refused "cn-1 is node" && stays_unbound eve2'
check "a token for another audience" eval 'pod_token plumbline agent-2 https://kubernetes.default.svc plumbd >"$work/aud" && enrolled aud "$(boot_of cn-2)" "$work/aud" && refused "another audience" && stays_unbound aud'
check "one of another account" eval 'agent_pod other-2 cn-2 eve && pod_token plumbline other-2 plumb-verifier eve >"$work/acc" && enrolled acc "$(boot_of cn-2)" "$work/acc" && refused "plumbline:eve.s, and not" && stays_unbound acc'
check "one that is bound to no pod" eval 'api POST /api/v1/namespaces/plumbline/serviceaccounts/plumbd/token $json "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":{\"audiences\":[\"plumb-verifier\"]}}" | jq -r .status.token >"$work/nopod" && enrolled nopod "$(boot_of cn-2)" "$work/nopod" && refused "bound to no pod" && stays_unbound nopod'
check "one that is made up" eval 'tr "a-z" "b-za" <"$work/t2" >"$work/false" && enrolled false "$(boot_of cn-2)" "$work/false" && refused "does not know the token" && stays_unbound false'
check "one whose pod is gone" eval 'agent_pod gone-2 cn-2 && pod_token plumbline gone-2 plumb-verifier plumbd >"$work/gone" && kubectl delete pod -n plumbline gone-2 --grace-period=0 --force >/dev/null 2>&1 && enrolled gone "$(boot_of cn-2)" "$work/gone" && until_true 20 eval "[ \$(grep -c \"does not know the token\" \"$work/verifier.log\") -ge 3 ]" && stays_unbound gone'
check "the right token, of a machine of another boot: claimed, not bound" eval 'enrolled two "$(new_boot)" "$work/t2" && until_true 10 grep -q "kube_name=cn-2 claimed=yes" "$work/verifier.log" && until_true 10 grep -q "kube_name=cn-2 bound=no reason=\"the Node.s boot id" "$work/verifier.log" && stays_unbound two'
check "until the Node is of that boot, over a start of the verifier" eval 'stop_verifier && start_verifier && set_boot cn-2 "$(ctl node show two --json | jq -r .boot_id)" && until_true 20 is_bound two cn-2'

cluster stop apiserver
check "the API away: enrolled all the same, and not bound" eval 'enrolled late "$(new_boot)" "$work/t2" && stays_unbound late'
cluster start apiserver
check "back: asked then, and that token is known" eval 'until_true 60 eval "[ \$(grep -c \"it is replayed\" \"$work/verifier.log\") -ge 2 ]"'
exit "$bad"
