#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The gates: what the API server asks before a pod goes to a node (also round the scheduler), a webhook that is dead, slow, exempt, and in the
# way of its own copy; what a kubelet may not do to its Node; whose certificate requests are approved; what pipelines are told.
# What is checked is text, evaluated where it is checked: shellcheck sees nobody use it.
# shellcheck disable=SC2034
# shellcheck source=tests/kube/common
. tests/kube/common

hook=$(free_port)
gates_cleanup() {
	kubectl delete validatingwebhookconfiguration plumbline-work >/dev/null 2>&1
	kubectl delete mutatingwebhookconfiguration plumbline-nodes >/dev/null 2>&1
	[ -z "${slow:-}" ] || kill "$slow" 2>/dev/null
	stop_verifier # started after the herd, it has the herd's end of the pipe
	kube_cleanup
}
trap gates_cleanup EXIT

# The shipped configurations, asking at loopback. [SED-SCRIPT]
gate_config() {
	sed -e "s#service: {.*}#url: https://127.0.0.1:$hook/admit#" -e "s#caBundle: .*#caBundle: $(base64 -w0 "$v/ca.crt")#" ${1:+-e "$1"} deploy/kubernetes/admission.yaml |
		kubectl apply -f - >/dev/null
}
said() { grep -q -- "$1" "$work/answer"; }
# METHOD PATH CONTENT-TYPE BODY [CERTIFICATE-OF]: the status; what was said is in $work/answer
post() {
	local who=${5:-admin}
	curl -sS --max-time 20 -o "$work/answer" -w '%{http_code}' --cacert "$pki/ca.crt" --cert "$pki/${who//:/-}.crt" --key "$pki/${who//:/-}.key" -X "$1" \
		-H "Content-Type: $3" --data-binary "$4" "$kube$2"
}
is() { [ "$1" = "$2" ] || { echo "HTTP $1, not $2"; head -c 600 "$work/answer"; echo; return 1; }; }
placed() { # NAMESPACE NAME NODE: a pod that names its node
	post POST "/api/v1/namespaces/$1/pods" $json '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"'"$2"'"},"spec":{"nodeName":"'"$3"'","terminationGracePeriodSeconds":0,"containers":[{"name":"c","image":"box"}]}}'
}
loose() { pod "$1" "$2" '"schedulerName":"nobody"'; } # NAMESPACE NAME: one that no scheduler takes
bound() { # NAMESPACE NAME NODE
	post POST "/api/v1/namespaces/$1/pods/$2/binding" $json '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"'"$2"'"},"target":{"kind":"Node","name":"'"$3"'"}}'
}
bound_old() {
	post POST "/api/v1/namespaces/$1/bindings" $json '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"'"$2"'"},"target":{"kind":"Node","name":"'"$3"'"}}'
}
refused_by_us() { [ "$1" = 403 ] && said 'plumbline: '"${2:-}" || { echo "HTTP $1"; head -c 600 "$work/answer"; echo; return 1; }; }

check "two hollow kubelets" eval 'hollow_node gates-1 && hollow_node gates-2'
check "namespaces" eval 'namespace gates && namespace gates-exempt'
check "a verifier that serves the webhook and approves requests" start_herd_verifier "admission_listen: 127.0.0.1:$hook" "admission_exempt: [plumbline, gates-exempt]" \
	"csr_approve: true" "csr_token_file: $work/approver-token"
check "the account of the approver" eval 'kubectl apply -f deploy/kubernetes/approver-rbac.yaml >/dev/null && (umask 077 && service_token plumbline plumb-approver >"$work/approver-token")'
check "it is served" until_true 10 curl -sSf --cacert "$v/ca.crt" "https://127.0.0.1:$hook/healthz"
enrolled() { herd enrol "$1" "$(ctl token create --label "$1")" "$(boot_of "$1")" && ctl node bind "$1" "$1" --reason="it is this machine"; }
check "the nodes are attested and bound" eval 'enrolled gates-1 && enrolled gates-2'
check "the shipped webhook configurations are taken" gate_config
check "the scheduler's pods still run" eval 'pod gates one "\"nodeSelector\":{\"kubernetes.io/hostname\":\"gates-1\"}" && until_true 30 runs_on gates one gates-1'
check "a pod that names a good node is taken" eval 'is "$(placed gates named gates-1)" 201'

check "gates-1 drifts" eval 'drifted gates-1 && until_true 10 state gates-1 quarantined'
check "a pod that names it is refused, and told why" eval 'refused_by_us "$(placed gates round gates-1)" "node gates-1 is quarantined"'
check "and the refusal is in the log" grep -q 'admission=refused of=pod namespace="gates" name="round" node="gates-1"' "$work/verifier.log"
check "so is a Binding that anybody posts" eval 'loose gates loose && refused_by_us "$(bound gates loose gates-1)" "node gates-1 is quarantined"'
check "and one by the older door" eval 'refused_by_us "$(bound_old gates loose gates-1)" "node gates-1 is quarantined"'
check "to a good node it goes" eval 'is "$(bound gates loose gates-2)" 201'
check "a pod of an exempt namespace goes anywhere" eval 'is "$(placed gates-exempt any gates-1)" 201'
watcher='{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"watcher","namespace":"gates"},"spec":{"selector":{"matchLabels":{"app":"watcher"}},"template":{"metadata":{"labels":{"app":"watcher"}},"spec":{"nodeSelector":{"kubernetes.io/hostname":"gates-1"},"tolerations":[{"operator":"Exists"}],"containers":[{"name":"c","image":"box"}]}}}}'
watches() { kubectl -n gates get pods -l app=watcher -o json | true_in '[.items[] | select(.spec.nodeName == "gates-1" and .status.phase == "Running")] | length == 1'; }
check "a DaemonSet that tolerates the taint gets to the quarantined node" eval 'api POST /apis/apps/v1/namespaces/gates/daemonsets $json "$watcher" >/dev/null && until_true 40 watches'
check "one that somebody else made does not, whatever owner it names" eval 'refused_by_us "$(post POST /api/v1/namespaces/gates/pods $json "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"forged\",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"DaemonSet\",\"name\":\"watcher\",\"uid\":\"1\",\"controller\":true}]},\"spec\":{\"nodeName\":\"gates-1\",\"tolerations\":[{\"operator\":\"Exists\"}],\"containers\":[{\"name\":\"c\",\"image\":\"box\"}]}}")" "node gates-1 is quarantined"'
check "a dry run of the API server's is answered as well" eval 'refused_by_us "$(post POST "/api/v1/namespaces/gates/pods?dryRun=All" $json "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"dry\"},\"spec\":{\"nodeName\":\"gates-1\",\"containers\":[{\"name\":\"c\",\"image\":\"box\"}]}}")"'

# The trap: no Binding has a label.
check "a copy with an objectSelector that asks for a label" gate_config 's#^    namespaceSelector:#    objectSelector: {matchExpressions: [{key: app, operator: Exists}]}\n    namespaceSelector:#'
check "sees no Binding at all: the gate stands open without a word" eval 'loose gates trap && until_true 10 eval "is \"\$(bound gates trap gates-1)\" 201"'
check "the shipped one again" eval 'kubectl delete validatingwebhookconfiguration plumbline-work >/dev/null && gate_config'
check "and it is closed again" eval 'loose gates shut && until_true 10 eval "refused_by_us \"\$(bound gates shut gates-1)\""'

# Kubelets and their own Nodes.
check "a kubelet's identity" cluster user system:node:gates-9 system:nodes
node_object() { printf '{"apiVersion":"v1","kind":"Node","metadata":{"name":"gates-9","labels":{%s}},"spec":{%s}}' "$1" "$2"; }
gates_9_taint() { node_json gates-9 | true_in '[.spec.taints[] | select(.key == "plumbline.io/unattested" and .effect == "NoSchedule")] | length == 1'; }
check "a new Node without the startup taint is given it" eval 'is "$(post POST /api/v1/nodes $json "$(node_object "" "")" system:node:gates-9)" 201 && gates_9_taint'
check "beside another" eval 'kubectl delete node gates-9 >/dev/null && is "$(post POST /api/v1/nodes $json "$(node_object "" "\"taints\":[{\"key\":\"example.com/a\",\"effect\":\"NoSchedule\"}]")" system:node:gates-9)" 201 && gates_9_taint && taints gates-9 | grep -q example.com/a'
check "posted once more it is there already, and nothing else" eval 'is "$(post POST /api/v1/nodes $json "$(node_object "" "")" system:node:gates-9)" 409 && kubectl delete node gates-9 >/dev/null'
heartbeat() { node_json "$1" | jq -r '.status.conditions[] | select(.type == "Ready") | .lastHeartbeatTime'; }
check "a kubelet that starts anew comes back to its Node, which is not tainted for that" eval 'before=$(heartbeat gates-2) && cluster stop node-gates-2 && sleep 1 && cluster start node-gates-2 && until_true 40 eval "[ \"\$(heartbeat gates-2)\" \> \"$before\" ]" && ! taints gates-2 | grep -q unattested'
check "with a label of ours, too" eval 'refused_by_us "$(post POST /api/v1/nodes $json "$(node_object "\"plumbline.io/attested\":\"true\"" "\"taints\":[{\"key\":\"plumbline.io/unattested\",\"effect\":\"NoSchedule\"}]")" system:node:gates-9)" "system:node:gates-9 may not change the label"'
check "with the taint it registers" eval 'is "$(post POST /api/v1/nodes $json "$(node_object "" "\"taints\":[{\"key\":\"plumbline.io/unattested\",\"effect\":\"NoSchedule\"}]")" system:node:gates-9)" 201'
check "it may not say that it is attested: label" eval 'refused_by_us "$(post PATCH /api/v1/nodes/gates-9 $merge "{\"metadata\":{\"labels\":{\"plumbline.io/attested\":\"true\"}}}" system:node:gates-9)"'
check "annotation, by the door of its status" eval 'refused_by_us "$(post PATCH /api/v1/nodes/gates-9/status $merge "{\"metadata\":{\"annotations\":{\"plumbline.io/verdict\":\"good\"}}}" system:node:gates-9)"'
check "condition" eval 'refused_by_us "$(post PATCH /api/v1/nodes/gates-9/status $smp "{\"status\":{\"conditions\":[{\"type\":\"plumbline.io/Attested\",\"status\":\"True\",\"reason\":\"Forged\",\"message\":\"\"}]}}" system:node:gates-9)"'
check "what is its own it may" eval 'is "$(post PATCH /api/v1/nodes/gates-9/status $merge "{\"metadata\":{\"labels\":{\"own\":\"true\"}}}" system:node:gates-9)" 200'

# Pipelines.
gate() { # CODE OPTION…
	local code=$1
	shift
	ctl gate "$@"
	is $? "$code"
}
: >"$work/answer"
check "gate: a good node" gate 0 --selector=kube=gates-2
check "gate: a quarantined one, and all of them" eval 'gate 1 --selector=gates-1 && gate 1'
check "gate: none of that name" gate 2 --selector=nobody
check "gate, offline: a signed verdict and keys" eval 'herd work gates-2 && ctl node show gates-2 --json | jq -r .verdict >"$work/ear" && curl -sSf --cacert "$v/ca.crt" "https://127.0.0.1:$port/.well-known/jwks.json" >"$work/jwks" && gate 0 --ear="$work/ear" --jwks="$work/jwks" --selector=gates-2 --parts=runtime,config && gate 0 --ear="$work/ear" --jwks="$work/jwks"'
check "gate, offline: no boot log, no word on its boot, where one asks" gate 2 --ear="$work/ear" --jwks="$work/jwks" --parts=boot
check "gate, offline: of a quarantined node" eval 'ctl node show gates-1 --json | jq -r .verdict >"$work/bad" && gate 1 --ear="$work/bad" --jwks="$work/jwks"'
check "gate, offline: of another node, too old, or signed by others" eval 'gate 2 --ear="$work/ear" --jwks="$work/jwks" --selector=gates-1 && sleep 2 && gate 2 --ear="$work/ear" --jwks="$work/jwks" --max-age=1s && sed "s/..../&x/5" "$work/ear" >"$work/turned" && gate 2 --ear="$work/turned" --jwks="$work/jwks"'

# Certificate requests.
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"; }
printf '[req]\ndistinguished_name=dn\n[dn]\n[san]\nsubjectAltName=DNS:evil\n' >"$work/req.cnf"
ask_for() { # NAME KEY NODE AS [OPTION…]: a request as a kubelet makes it
	local name=$1 key=$2 node=$3 who=$4
	shift 4
	openssl req -new -config "$work/req.cnf" -key "$work/$key.key" -subj "/O=system:nodes/CN=system:node:$node" "$@" -out "$work/$name.csr" || return
	is "$(post POST /apis/certificates.k8s.io/v1/certificatesigningrequests $json '{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"'"$name"'"},"spec":{"signerName":"kubernetes.io/kube-apiserver-client-kubelet","usages":["digital signature","key encipherment","client auth"],"request":"'"$(base64 -w0 "$work/$name.csr")"'"}}' "$who")" 201
}
csr() { api GET "/apis/certificates.k8s.io/v1/certificatesigningrequests/$1" | true_in "$2"; }
issued() { csr "$1" '.status.certificate != null'; }
left() { # NAME REASON: it was looked at, and is pending
	until_true 15 grep -q "csr=$1 .*approved=no reason=\".*$2" "$work/verifier.log" && csr "$1" '.status.conditions == null'
}
check "joining machines: a bootstrap token's user, who may ask" eval 'cluster user system:bootstrap:abc123 system:bootstrappers && kubectl create clusterrolebinding gates-boot --clusterrole=system:node-bootstrapper --group=system:bootstrappers >/dev/null'
boot=system:bootstrap:abc123
for k in k1 k2 k3 k4 k5; do new_key $k; done
check "a request for a key that no ledger shows stays pending" eval 'ask_for gates-a k2 gates-2 $boot && left gates-a "does not show this key"'
check "approved and signed when the node's ledger shows it" eval 'herd kubelet gates-2 "$work/k2.key" && until_true 15 issued gates-a && csr gates-a ".status.conditions[0].reason == \"PlumblineAttested\""'
check "a key that another node shows is not relayed" eval 'herd kubelet gates-2 "$work/k3.key" && ask_for gates-b k3 gates-1 $boot && left gates-b "."'
check "a name that is bound to nobody stays pending" eval 'ask_for gates-c k3 gates-77 $boot && left gates-c "no node is bound to that name"'
check "another name beside it" eval 'ask_for gates-d k3 gates-2 $boot -reqexts san && left gates-d "asks for extensions"'
check "a quarantined node's stays pending" eval 'herd kubelet gates-1 "$work/k1.key" && ask_for gates-e k1 gates-1 $boot && left gates-e "contained"'
check "until it is released" eval 'released gates-1 && until_true 20 issued gates-e'
check "a renewal by the node itself, of a key still in memory, is approved once" eval 'ask_for gates-f k4 gates-2 system:node:gates-2 && until_true 15 issued gates-f'
check "and no second: somebody else may have its key" eval 'ask_for gates-g k5 gates-2 system:node:gates-2 && left gates-g "was never shown"'
check "until the first is shown" eval 'herd kubelet gates-2 "$work/k4.key" && until_true 15 issued gates-g'
check "each approval is in the verifier's log" eval '[ "$(ctl events --json | grep -c "\"approve_csr\"")" -eq 4 ]'

# Rights: each account, tried beyond them.
token=$(cat "$work/approver-token") other=$(cat "$work/kube-token")
denied() { is "$(status_of "$@")" 403; } # METHOD PATH TOKEN [CONTENT-TYPE BODY]
check "the approver may not read nodes, pods or secrets" eval 'denied GET /api/v1/nodes "$token" && denied GET /api/v1/pods "$token" && denied GET /api/v1/namespaces/kube-system/secrets "$token"'
check "nor change a node, nor delete a request" eval 'denied PATCH /api/v1/nodes/gates-1 "$token" $merge "{\"spec\":{\"unschedulable\":true}}" && denied DELETE /apis/certificates.k8s.io/v1/certificatesigningrequests/gates-c "$token"'
check "nor approve another signer's" eval 'openssl req -new -config "$work/req.cnf" -key "$work/k5.key" -subj /CN=eve -out "$work/eve.csr" && is "$(post POST /apis/certificates.k8s.io/v1/certificatesigningrequests $json "{\"apiVersion\":\"certificates.k8s.io/v1\",\"kind\":\"CertificateSigningRequest\",\"metadata\":{\"name\":\"gates-eve\"},\"spec\":{\"signerName\":\"kubernetes.io/kube-apiserver-client\",\"usages\":[\"client auth\"],\"request\":\"$(base64 -w0 "$work/eve.csr")\"}}")" 201 && denied PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/gates-eve/approval "$token" $merge "{\"status\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\",\"reason\":\"x\",\"message\":\"x\"}]}}"'
check "and the verifier's other account approves nothing" eval 'denied PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/gates-c/approval "$other" $merge "{\"status\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\",\"reason\":\"x\",\"message\":\"x\"}]}}"'

# Without an answer.
check "pods that wait for a node" eval 'loose gates dead && loose gates slow && loose gates back'
check "a namespace that the selector leaves out" kubectl label namespace gates-exempt kubernetes.io/metadata.name=kube-system --overwrite
check "the verifier is away" stop_verifier
check "work is refused: it fails closed" eval 'is "$(bound gates dead gates-2)" 500 && said "failed calling webhook"'
check "a namespace that the selector leaves out goes on" eval 'is "$(placed gates-exempt on gates-2)" 201'
check "kubelets go on: theirs fails open" eval 'is "$(post PATCH /api/v1/nodes/gates-9/status $merge "{\"metadata\":{\"labels\":{\"own\":\"still\"}}}" system:node:gates-9)" 200'
python3 -c 'import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(64); time.sleep(600)' "$hook" &
slow=$!
until_true 10 eval 'exec {probe}<>"/dev/tcp/127.0.0.1/$hook"' 2>/dev/null
timed() { local from; from=$(date +%s%N); is "$(bound gates slow gates-2)" 500 && [ $((($(date +%s%N) - from) / 1000000)) -ge 1800 ] && [ $((($(date +%s%N) - from) / 1000000)) -le 4500 ]; }
check "one that never answers holds a pod up for two seconds, and then refuses it" timed
kill "$slow"
wait "$slow" 2>/dev/null
slow=''
check "it is back" start_verifier
check "and so is work" until_true 20 eval 'is "$(bound gates back gates-2)" 201'
exit "$bad"
