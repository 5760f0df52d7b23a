#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the verifier does to a node in a real cluster, and what others cannot undo: taints and who races for them, what is shown, eviction,
# forged words of a kubelet, boots, the API's bad days, and the rights of the account.
# shellcheck source=tests/kube/common
. tests/kube/common

settled() { until_true "$1" "${@:2}"; }
condition() { node_json "$1" | jq -r '.status.conditions[] | select(.type == "plumbline.io/Attested") | "\(.status) \(.reason)"'; }
label() { node_json "$1" | jq -r '.metadata.labels["node-restriction.kubernetes.io/plumbline"]'; }
verdict() { node_json "$1" | jq -r '.metadata.annotations["plumbline.io/verdict"]'; }
is_shown() { [ "$(condition "$1")" = "$2" ] && [ "$(label "$1")" = "$3" ] || { condition "$1"; label "$1"; return 1; }; }
claims() { verdict "$1" | cut -d. -f2 | tr -- '-_' '+/' | awk '{l = length($0) % 4; print $0 (l == 2 ? "==" : l == 3 ? "=" : "")}' | base64 -d; }
signed_by_verdict_key() { # as anybody would with openssl: the key from the published set
	verdict "$1" | python3 -c '
import base64, hashlib, json, subprocess, sys, tempfile
head, body, sig = sys.stdin.read().strip().split(".")
raw = base64.urlsafe_b64decode(sig + "==")
def i(b):
    b = b.lstrip(b"\0") or b"\0"
    b = b"\0" + b if b[0] & 128 else b
    return b"\x02" + bytes([len(b)]) + b
der = i(raw[:32]) + i(raw[32:])
open(sys.argv[1] + "/sig", "wb").write(b"\x30" + bytes([len(der)]) + der)
open(sys.argv[1] + "/signed", "w").write(head + "." + body)' "$work" &&
		openssl pkey -in "$v/verdict.key" -pubout -out "$work/verdict.pub" && openssl dgst -sha256 -verify "$work/verdict.pub" -signature "$work/sig" "$work/signed"
}
quietly() { "$@" >/dev/null; }
as_kubelet() { # NODE METHOD PATH TYPE BODY
	curl -sS --max-time 20 -o "$work/answer" -w '%{http_code}' --cacert "$pki/ca.crt" --cert "$pki/system-node-$1.crt" --key "$pki/system-node-$1.key" \
		-X "$2" -H "Content-Type: $4" --data-binary "$5" "$kube$3"
}
stays() { # SECONDS COMMAND…: true all the time
	local until=$((SECONDS + $1))
	shift
	while [ "$SECONDS" -lt "$until" ]; do "$@" || return 1; sleep 0.2; done
}
prefer='"nodeSelector":{"kubernetes.io/hostname":"cc-1"}'

check "a hollow kubelet that registers with the taint of the start" hollow_node cc-1 --register-with-taints=plumbline.io/unattested=:NoSchedule
check "another node without it" paper_node cc-2
check "a namespace" namespace cc
check "a verifier with the shipped account" start_herd_verifier "contain_percent: 100" "contain_calm: 0s"
pod cc early "$prefer"
check "an unattested node gets no work" stays 3 pod_is cc early '.spec.nodeName == null'
check "attested: the taint of the start goes with the first good verdict" eval 'attested_node cc-1 && settled 10 is_ours cc-1 ""'
check "and the pod that waited runs" settled 20 runs_on cc early cc-1
check "condition and label say so" settled 10 is_shown cc-1 "True Trusted" trusted
check "the annotation is signed by the verdict key" settled 10 signed_by_verdict_key cc-1
check "and names this object, so that it proves nothing on another" eval '[ "$(claims cc-1 | jq -r .kube_uid)" = "$(node_json cc-1 | jq -r .metadata.uid)" ] && claims cc-1 | true_in ".state == \"trusted\""'

# Quarantine.
api PATCH /api/v1/nodes/cc-1 $json_patch '[{"op":"add","path":"/spec/taints","value":[{"key":"example.com/other","value":"x","effect":"PreferNoSchedule"}]}]' >/dev/null
check "drift: both taints within a second of the verdict" eval 'drifted cc-1 && settled 1 is_ours cc-1 "$quarantine"'
check "NoExecute really moves the pod" settled 30 pod_gone cc early
check "somebody else's taint stays as it was" eval 'node_json cc-1 | true_in ".spec.taints | any(.key == \"example.com/other\" and .value == \"x\" and .effect == \"PreferNoSchedule\")"'
check "condition and label say quarantined" settled 10 is_shown cc-1 "False Quarantined" quarantined
check "an Event tells people" settled 10 eval 'kubectl get events.events.k8s.io -n default -o json | true_in "[.items[] | select(.regarding.name == \"cc-1\" and .reason == \"Quarantined\" and .type == \"Warning\")] | length > 0"'
pod cc late "$prefer"
check "the scheduler keeps pods away" stays 3 pod_is cc late '.spec.nodeName == null'
pod cc direct '"nodeName":"cc-1"'
check "one that names the node itself is put out again" settled 30 pod_gone cc direct
pod cc lenient '"nodeName":"cc-1","tolerations":[{"key":"plumbline.io/quarantined","operator":"Exists","effect":"NoSchedule"}]'
check "one that tolerates only NoSchedule too" settled 30 pod_gone cc lenient

# Who removes or forges what.
check "a third party takes the taints off: back within a second" eval 'api PATCH /api/v1/nodes/cc-1 $merge "{\"spec\":{\"taints\":null}}" >/dev/null && settled 1 is_ours cc-1 "$quarantine"'
check "one of the two is taken off: back" eval 'kubectl taint node cc-1 plumbline.io/quarantined:NoExecute- >/dev/null && settled 1 is_ours cc-1 "$quarantine"'
check "a strategic merge patch that replaces the whole list: ours are back, theirs is there" eval 'api PATCH /api/v1/nodes/cc-1 $smp "{\"spec\":{\"taints\":[{\"key\":\"example.com/new\",\"effect\":\"NoSchedule\"}]}}" >/dev/null && settled 2 is_ours cc-1 "$quarantine" && taints cc-1 | grep -q example.com/new'
check "a kubelet cannot take them off" eval '[ "$(as_kubelet cc-1 PATCH /api/v1/nodes/cc-1 $merge "{\"spec\":{\"taints\":null}}")" = 403 ] && is_ours cc-1 "$quarantine"'
check "a kubelet's forged condition is put right" eval '[ "$(as_kubelet cc-1 PATCH /api/v1/nodes/cc-1/status $smp "{\"status\":{\"conditions\":[{\"type\":\"plumbline.io/Attested\",\"status\":\"True\",\"reason\":\"Trusted\",\"message\":\"me\"}]}}")" = 200 ] && settled 3 is_shown cc-1 "False Quarantined" quarantined'
check "a kubelet cannot set our label" eval '[ "$(as_kubelet cc-1 PATCH /api/v1/nodes/cc-1 $merge "{\"metadata\":{\"labels\":{\"node-restriction.kubernetes.io/plumbline\":\"trusted\"}}}")" = 403 ]'
check "its forged annotation is put right" eval '[ "$(as_kubelet cc-1 PATCH /api/v1/nodes/cc-1 $merge "{\"metadata\":{\"annotations\":{\"plumbline.io/verdict\":\"a.b.c\"}}}")" = 200 ] && settled 3 signed_by_verdict_key cc-1'
check "forged words free nothing" is_ours cc-1 "$quarantine"
check "nor does a NUL that it writes into its annotations: taken off by others, they are back" eval '[ "$(as_kubelet cc-1 PATCH /api/v1/nodes/cc-1 $merge "{\"metadata\":{\"annotations\":{\"x\":\"\\u0000\"}}}")" = 200 ] && kubectl taint node cc-1 plumbline.io/quarantined- >/dev/null && settled 2 is_ours cc-1 "$quarantine"'
check "nor do two keys of its capacity that become one" eval '[ "$(as_kubelet cc-1 PATCH /api/v1/nodes/cc-1/status $merge "{\"status\":{\"capacity\":{\"a\\u0000\":\"1\",\"a\\uffff\":\"1\"}}}")" = 200 ] && kubectl taint node cc-1 plumbline.io/quarantined- >/dev/null && settled 2 is_ours cc-1 "$quarantine"'
check "and whoever is released meanwhile is free" eval 'released cc-1 && settled 10 is_ours cc-1 "" && drifted cc-1 && settled 2 is_ours cc-1 "$quarantine"'
check "a kubelet that tells another boot id escapes nothing" eval 'set_boot cc-1 "$(new_boot)" && stays 2 eval "ours cc-1 | grep -q quarantined:NoExecute"'
churn() { while :; do for i in 1 2; do kubectl taint --overwrite node cc-1 "example.com/churn=$i:NoSchedule"; done; done >/dev/null 2>&1; }
churn &
churner=$!
check "released while another writer churns the list: ours go, every time" eval 'set_boot cc-1 "$(boot_of cc-1)" && released cc-1 && settled 10 is_ours cc-1 ""'
check "and come back in the same race" eval 'drifted cc-1 && settled 5 is_ours cc-1 "$quarantine"'
kill "$churner"
wait "$churner" 2>/dev/null
check "the churner's is still there" eval 'taints cc-1 | grep -q example.com/churn'
check "released: the taints go, and the waiting pod runs" eval 'kubectl taint node cc-1 example.com/churn- example.com/new- >/dev/null; released cc-1 && settled 10 is_ours cc-1 "" && settled 30 runs_on cc late cc-1'

# Boots.
check "booted anew: unattested until a good verdict of that boot" eval 'new_boot >"$work/boot-cc-1" && set_boot cc-1 "$(boot_of cc-1)" && settled 2 is_ours cc-1 "$unattested"'
check "which somebody takes off in vain" eval 'kubectl taint node cc-1 plumbline.io/unattested- >/dev/null && settled 2 is_ours cc-1 "$unattested"'
check "evidence of the new boot, looked at by a person: it is let in" eval 'herd reboot cc-1 "$(boot_of cc-1)"; ctl drift acknowledge --node cc-1 --all --reason="it was planned"; herd good cc-1 && settled 10 is_ours cc-1 ""'

# Names that are not bound, or not to this machine.
check "an unbound node is left alone" eval '[ -z "$(ours cc-2)" ] && [ "$(label cc-2)" = null ]'
check "bound to a name of another machine: nothing is done to it" eval 'new_boot >"$work/boot-cc-3"; herd enrol cc-3 "$(ctl token create --label cc-3)" "$(boot_of cc-3)" && ctl node bind cc-3 cc-2 --reason=test && drifted cc-3 && stays 3 is_ours cc-2 ""'
check "and that is told" settled 5 grep -q "cc-2: its bootID is" "$work/verifier.log"
check "a Node deleted and registered anew by the same machine is tainted again" eval 'drifted cc-1 && settled 2 is_ours cc-1 "$quarantine" && kubectl delete node cc-1 >/dev/null && cluster stop node-cc-1 && cluster start node-cc-1 && until_true 20 node_json cc-1 >/dev/null && set_boot cc-1 "$(boot_of cc-1)" && settled 5 is_ours cc-1 "$quarantine"'

# The API's bad days.
check "the API server goes, a node is released meanwhile, it comes back: the taints go" eval 'cluster stop apiserver && released cc-1 && sleep 2 && cluster start apiserver && settled 40 is_ours cc-1 ""'
check "and the watch stands again: what is taken off comes back, before the next look of a minute" eval 'drifted cc-1 && settled 20 is_ours cc-1 "$quarantine" && settled 45 grep -q "kube_watch=up" "$work/verifier.log" && kubectl taint node cc-1 plumbline.io/quarantined- >/dev/null && settled 10 is_ours cc-1 "$quarantine"'
check "the verifier starts anew: nothing is forgotten" eval 'stop_verifier && kubectl taint node cc-1 plumbline.io/quarantined- >/dev/null && start_verifier && settled 10 is_ours cc-1 "$quarantine"'
check "bound to none: all that is ours goes" eval 'ctl node bind cc-1 "" --reason=test && settled 10 is_ours cc-1 "" && [ "$(label cc-1)" = null ] && [ -z "$(condition cc-1)" ]'

# Rights.
token=$(cat "$work/kube-token")
forbidden() { [ "$(status_of "$1" "$2" "$token" "${@:3}")" = 403 ] || { cat "$work/answer"; return 1; }; }
check "the account may not read secrets" forbidden GET /api/v1/secrets
check "nor pods" forbidden GET /api/v1/pods
check "nor make one" forbidden POST /api/v1/namespaces/cc/pods $json '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"box"}]}}'
check "nor delete a node" forbidden DELETE /api/v1/nodes/cc-2
check "nor make one of those" forbidden POST /api/v1/nodes $json '{"apiVersion":"v1","kind":"Node","metadata":{"name":"cc-9"}}'
check "nor write Events elsewhere" forbidden POST /apis/events.k8s.io/v1/namespaces/kube-system/events $json '{}'
check "nor evict, without the second role" forbidden POST /api/v1/namespaces/cc/pods/late/eviction $json '{"apiVersion":"policy/v1beta1","kind":"Eviction","metadata":{"name":"late","namespace":"cc"}}'
check "nor widen its own rights" forbidden PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/plumb-verifier $merge '{"rules":[]}'
check "nor approve a certificate" forbidden PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/x/approval $merge '{}'
exit "$bad"
