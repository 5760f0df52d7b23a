#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is shipped in deploy/kubernetes: rendered by this kubectl, taken by this server (a dry run), of a shape that a current Kubernetes knows; each check also with
# a manifest that is broken, which must fail. The agents get to a node that everything else keeps away from, without rights, and with a token that only the verifier takes.
# shellcheck source=tests/kube/common
. tests/kube/common

manifests=deploy/kubernetes
# Eviction budgets are policy/v1beta1 on servers before 1.21.
old_pdb() { if kubectl api-versions | grep -qx policy/v1; then cat; else sed 's#^apiVersion: policy/v1$#apiVersion: policy/v1beta1#'; fi; }
render() { kubectl kustomize "$manifests" | old_pdb; }
dry() { kubectl apply --dry-run=server -f -; } # of what comes in
dry_file() { old_pdb <"$manifests/$1" | dry; }
dry_broken() { # FILE SED-SCRIPT TEXT: changed by it, it is refused with that
	sed "$2" "$manifests/$1" >"$work/broken.yaml"
	! cmp -s "$work/broken.yaml" "$manifests/$1" || { echo "the script changes nothing"; return 1; }
	if old_pdb <"$work/broken.yaml" | dry >"$work/said" 2>&1; then return 1; fi
	cat "$work/said"
	grep -q -- "$3" "$work/said"
}

check "kubectl renders the kustomization" eval 'render >"$work/all.yaml" && grep -q "^kind: DaemonSet" "$work/all.yaml" && grep -q "^kind: StatefulSet" "$work/all.yaml"'
check "each image is named by it" eval '! grep -E "image: plumbline\$" "$work/all.yaml"'
# What is rendered and the plain files that it names, object by object, as kubectl reads them; images aside, which it names.
objects() { kubectl create --dry-run=client --validate=false -o json -f "$1" | jq -cS 'if .kind == "List" then .items[] else . end' | sed -E 's#"image":"plumbline(:[^"]*)?"#"image":"plumbline"#g' | sort; }
plain() { for file in $(sed -n 's/^  - \(.*\.yaml\)$/\1/p' "$manifests/kustomization.yaml"); do echo ---; cat "$manifests/$file"; done; }
# shellcheck disable=SC2317
same_objects() { old_pdb >"$work/plain.yaml" && objects "$work/plain.yaml" >"$work/plain" && objects "$work/all.yaml" >"$work/rendered" && [ "$(wc -l <"$work/plain")" -ge 15 ] && diff "$work/plain" "$work/rendered"; }
check "what is rendered are the plain manifests" eval 'plain | same_objects'
check "and not other ones" eval '! plain | sed "s/maxUnavailable: 10%/maxUnavailable: 20%/" | same_objects >/dev/null'
setting() { kubectl create --dry-run=client --validate=false -o json -f "$work/all.yaml" | jq -rs --arg n "$1" '[.[] | if .kind == "List" then .items[] else . end] | .[] | select(.kind == "ConfigMap" and .metadata.name == $n) | .data[]' | sed -n "s/^$2: //p"; } # CONFIGMAP KEY
of_daemons() { kubectl create --dry-run=client --validate=false -o json -f "$work/all.yaml" | jq -rs '[.[] | if .kind == "List" then .items[] else . end] | .[] | select(.kind == "DaemonSet") | '"$1"; }
check "the verifier knows the agents' account" eval '[ "$(setting plumb-verifier kube_agent_account)" = "$(of_daemons ".metadata.namespace + \":\" + .spec.template.spec.serviceAccountName")" ]'
check "and the API server by its address: in a new cluster nobody answers names before a node takes work" eval '[ "$(setting plumb-verifier kube_server)" = in-cluster ] && ! grep -q -e --kube-server "$work/all.yaml"'
check "and the agents their token" eval '[ "$(setting plumb-agent kube_token_file)" = "$(of_daemons ".spec.template.spec.containers[].volumeMounts[] | select(.name == \"token\") | .mountPath")/token" ]'
check "the namespace and its accounts" eval 'kubectl apply -f "$manifests/verifier-rbac.yaml" >/dev/null'
check "the server takes all that is rendered" eval 'dry <"$work/all.yaml"'
for file in "$manifests"/*.yaml; do
	name=${file##*/}
	[ "$name" = kustomization.yaml ] || check "and $name" dry_file "$name"
done
check "not with a field that it does not know" dry_broken agent.yaml 's/hostPID: true/hostPIDs: true/' 'unknown field'
check "nor with one of the wrong type" dry_broken verifier.yaml 's/replicas: 1/replicas: one/' 'replicas'
check "nor a priority above what is the cluster's own" dry_broken verifier.yaml 's/value: 900000000/value: 2000000000/' 'PriorityClass'

said=$(tests/kube/schema "$manifests"/*.yaml 2>&1)
case $? in
77)
	n=$((n + 1))
	echo "ok $n - a current Kubernetes knows their shape # SKIP $said"
	;;
0)
	check "a current Kubernetes knows their shape" test -n "$said"
	shape_refused() { # SED-SCRIPT TEXT
		sed "$1" "$manifests/agent.yaml" >"$work/broken.yaml"
		! tests/kube/schema "$work/broken.yaml" >"$work/said" || return 1
		cat "$work/said"
		grep -q -- "$2" "$work/said"
	}
	check "not a field's that it does not know" shape_refused 's/hostPID: true/hostPIDs: true/' hostPIDs
	check "nor a wrong type's" shape_refused 's/hostPID: true/hostPID: "yes"/' boolean
	;;
*) check "a current Kubernetes knows their shape" eval 'echo "$said"; false' ;;
esac

# A verifier outside of the cluster: what the page says, as it says it.
outside() {
	mkdir -p "$work/outside" && ln -sfn "$PWD/deploy" "$work/outside/deploy" &&
		sed -n '/^## Where the verifier runs/,/^## In which/{/^```sh$/,/^```$/{/^```/!p}}' docs/kubernetes.md >"$work/outside.sh" && [ "$(wc -l <"$work/outside.sh")" -ge 3 ] || return
	# The controller fills the Secret in a moment: only the first line made it.
	(cd "$work/outside" && eval "$(head -n 1 ../outside.sh)") && until_true 20 eval 'kubectl -n plumbline get secret plumb-verifier-token -o json | true_in ".data.token != null"' &&
		(cd "$work/outside" && set -e && eval "$(cat ../outside.sh)")
}
check "a verifier outside of the cluster gets a token that lasts and the CA" outside
check "which are good for what the account may" eval 'cmp "$work/outside/kube-ca.crt" "$pki/ca.crt" && [ "$(status_of GET /api/v1/nodes "$(cat "$work/outside/kube-token")")" = 200 ] && [ "$(status_of GET /api/v1/secrets "$(cat "$work/outside/kube-token")")" = 403 ]'
check "and nobody else's to read" eval '[ "$(stat -c %a "$work/outside/kube-token")" = 600 ]'
check "it ends with its object" eval 'kubectl delete -f "$manifests/verifier-token.yaml" >/dev/null && until_true 20 eval "[ \"\$(status_of GET /api/v1/nodes \"\$(cat \"$work/outside/kube-token\")\")\" = 401 ]"'

# Rights: three accounts, none with another's. Each asks for itself, with its own token, for what it needs and for what it must not have; what would change something is a
# dry run that the server takes to the end.
check "the approver's account" kubectl apply -f "$manifests/approver-rbac.yaml"
check "gets a token in its Secret" until_true 20 eval 'kubectl -n plumbline get secret plumb-approver-token -o json | true_in ".data.token != null"'
check "the agent's" kubectl apply -f "$manifests/agent.yaml"
verifier_token=$(service_token plumbline plumb-verifier) agent_token=$(service_token plumbline plumb-agent)
approver_token=$(kubectl -n plumbline get secret plumb-approver-token -o json | jq -r '.data.token | @base64d')
check "there are three, each another" eval '[ "$(printf "%s\n" "$verifier_token" "$approver_token" "$agent_token" | grep "..*\..*\..*" | sort -u | wc -l)" -eq 3 ]'
api POST "/api/v1/namespaces/plumbline/serviceaccounts/plumb-agent/token" $json '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"audiences":["plumb-verifier"]}}' | jq -r .status.token >"$work/for-verifier"
check "one for the verifier is nothing to the API" eval 'code=$(status_of GET /api/v1/namespaces "$(cat "$work/for-verifier")"); echo "$code"; [ "$code" = 401 ] && [ "$(wc -c <"$work/for-verifier")" -gt 300 ]'
check "a node, a pod, requests of a kubelet's signer and of another" eval 'paper_node deploy-paper && namespace deploy && pod deploy rights && pod plumbline rights &&
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -subj "/O=system:nodes/CN=system:node:deploy-paper" -out "$work/node.csr" 2>/dev/null &&
	for signer in kube-apiserver-client-kubelet kube-apiserver-client; do
		jq -cn --arg s "kubernetes.io/$signer" --arg r "$(base64 -w0 "$work/node.csr")" "{apiVersion: \"certificates.k8s.io/v1\", kind: \"CertificateSigningRequest\", metadata: {name: (\"deploy-\" + (\$s | split(\"/\")[1]))},
			spec: {signerName: \$s, usages: [\"digital signature\", \"key encipherment\", \"client auth\"], request: \$r}}" | kubectl create -f - || exit 1
	done'
asks() { # TOKEN METHOD PATH [CONTENT-TYPE BODY]: allowed, refused, or what else came
	local code path=$3
	[ "$2" = GET ] || path+="?dryRun=All"
	code=$(status_of "$2" "$path" "$1" "${@:4}")
	case $code in 2??) echo allowed ;; 403) echo refused ;; *) echo "$code $(head -c 200 "$work/answer")" ;; esac
}
rights() { # EXPECTED: of verifier, approver and agent, + or -; then METHOD PATH [CONTENT-TYPE BODY]
	local who=(verifier approver agent) tokens=("$verifier_token" "$approver_token" "$agent_token") i word got
	for i in 0 1 2; do
		if [ "${1:$i:1}" = + ]; then word=allowed; else word=refused; fi
		got=$(asks "${tokens[$i]}" "${@:2}")
		check "${who[$i]}, $2 $3: $word" eval 'echo "$got"; [ "$got" = "$word" ]'
	done
}
nodes=/api/v1/nodes ours_=/api/v1/namespaces/plumbline csrs=/apis/certificates.k8s.io/v1/certificatesigningrequests
approved='{"status":{"conditions":[{"type":"Approved","status":"True","reason":"Test","message":""}]}}'
event='{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"generateName":"d-"},"eventTime":"2026-11-23T19:48:31.000000Z","reportingController":"plumbline.io/verifier","reportingInstance":"v","action":"Hold","reason":"Test","type":"Normal","note":"","regarding":{"apiVersion":"v1","kind":"Node","name":"deploy-paper"'
some_pod='{"apiVersion":"v1","kind":"Pod","metadata":{"name":"mine"},"spec":{"containers":[{"name":"c","image":"box"}]}}'
eviction='{"apiVersion":"policy/v1beta1","kind":"Eviction","metadata":{"name":"rights","namespace":"deploy"}}'
binding='{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"up"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[]}'
token_request='{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}'
rights +-- GET "$nodes"
rights +-- GET "$nodes/deploy-paper"
rights +-- PATCH "$nodes/deploy-paper" $merge '{"spec":{"unschedulable":true}}'
rights +-- PATCH "$nodes/deploy-paper/status" $smp '{"status":{"conditions":[{"type":"Attested","status":"True","reason":"Test"}]}}'
rights --- DELETE "$nodes/deploy-paper"
rights --- POST "$nodes" $json '{"apiVersion":"v1","kind":"Node","metadata":{"name":"deploy-more"}}'
rights +-- POST /apis/events.k8s.io/v1/namespaces/default/events $json "$event,\"namespace\":\"default\"}}"
rights --- POST /apis/events.k8s.io/v1/namespaces/plumbline/events $json "$event,\"namespace\":\"plumbline\"}}"
rights +-- POST /apis/authentication.k8s.io/v1/tokenreviews $json '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"x","audiences":["plumb-verifier"]}}'
rights --- POST /apis/authorization.k8s.io/v1/subjectaccessreviews $json '{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":"x","nonResourceAttributes":{"path":"/","verb":"get"}}}'
rights +-- GET "$ours_/pods/rights"
rights --- GET "$ours_/pods"
rights --- GET /api/v1/namespaces/deploy/pods/rights
rights --- GET /api/v1/pods
rights --- POST "$ours_/pods" $json "$some_pod"
rights --- POST /api/v1/namespaces/deploy/pods/rights/eviction $json "$eviction"
rights --- DELETE /api/v1/namespaces/deploy/pods/rights
rights --- GET "$ours_/secrets/plumb-approver-token"
rights --- GET /api/v1/secrets
rights --- GET "$ours_/configmaps"
rights --- PATCH "$ours_/configmaps/plumb-agent" $merge '{"data":{}}'
rights --- POST "$ours_/serviceaccounts/plumb-approver/token" $json "$token_request"
rights --- POST "$ours_/serviceaccounts/plumb-verifier/token" $json "$token_request"
rights -+- GET "$csrs"
rights -+- PATCH "$csrs/deploy-kube-apiserver-client-kubelet/approval" $merge "$approved"
rights --- PATCH "$csrs/deploy-kube-apiserver-client/approval" $merge "$approved"
rights --- DELETE "$csrs/deploy-kube-apiserver-client-kubelet"
rights --- POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings $json "$binding"
rights --- GET /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations
rights --- DELETE /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/plumbline-work
kubectl delete csr deploy-kube-apiserver-client deploy-kube-apiserver-client-kubelet >/dev/null
# The roles apart: eviction by the second, deletion by the third, and no more.
bound() { kubectl create clusterrolebinding "deploy-$1" --clusterrole="$1" --serviceaccount=plumbline:plumb-verifier >/dev/null; }
check "the role for eviction" bound plumb-verifier-evict
until_true 10 eval '[ "$(asks "$verifier_token" GET /api/v1/pods)" = allowed ]'
rights +-- GET /api/v1/pods
rights +-- POST /api/v1/namespaces/deploy/pods/rights/eviction $json "$eviction"
rights --- DELETE /api/v1/namespaces/deploy/pods/rights
check "the role for force" bound plumb-verifier-evict-force
until_true 10 eval '[ "$(asks "$verifier_token" DELETE /api/v1/namespaces/deploy/pods/rights)" = allowed ]'
rights +-- DELETE /api/v1/namespaces/deploy/pods/rights
rights --- POST /api/v1/namespaces/deploy/pods $json "$some_pod"
kubectl delete clusterrolebinding deploy-plumb-verifier-evict deploy-plumb-verifier-evict-force >/dev/null
kubectl delete node deploy-paper >/dev/null
kubectl -n plumbline delete pod rights --grace-period=0 --force >/dev/null 2>&1
kubectl -n plumbline delete daemonset plumb-agent >/dev/null

# The agents, on a hollow kubelet that registers with the startup taint; what a real one would make on the host it makes here.
check "a node with the startup taint" hollow_node deploy-1 --register-with-taints=plumbline.io/unattested=:NoSchedule
check "the verifier's CA" kubectl -n plumbline create configmap plumb-verifier-ca --from-file=ca.crt="$pki/ca.crt"
mkdir -p "$work/state"
check "the agents" eval 'sed "s#path: /var/lib/plumbline,#path: $work/state,#" "$manifests/agent.yaml" | kubectl apply -f - >/dev/null'
agent_on() { kubectl -n plumbline get pods -l app.kubernetes.io/name=plumb-agent -o json | true_in --arg n "$1" '[.items[] | select(.spec.nodeName == $n and .status.phase == "Running" and .metadata.deletionTimestamp == null)] | length == 1'; }
check "one runs there" until_true 60 agent_on deploy-1
of_agent() { kubectl -n plumbline get pods -l app.kubernetes.io/name=plumb-agent -o json | true_in "[.items[].spec | $1] | length > 0 and all"; }
check "with a token for the verifier, short and root's alone, and no other" of_agent '[.volumes[]? | select(.secret != null or .projected != null) | .projected] == [{defaultMode: 256, sources: [{serviceAccountToken: {path: "token", audience: "plumb-verifier", expirationSeconds: 600}}]}]'
check "before all other work" of_agent '.priority == 2000001000'
check "in the host's network and processes" of_agent '.hostNetwork and .hostPID'

# The verifier, where nothing is attested yet; nobody provides volumes here.
mkdir -p "$work/data"
volume() {
	printf '{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"deploy-data"},"spec":{"capacity":{"storage":"10Gi"},"accessModes":["ReadWriteOnce"],"persistentVolumeReclaimPolicy":"Retain","hostPath":{"path":"%s"},"claimRef":{"namespace":"plumbline","name":"plumb-verifier"}}}' "$work/data" |
		kubectl apply -f - && old_pdb <"$manifests/verifier.yaml" | kubectl apply -f -
}
verifier_is() { pod_is plumbline plumb-verifier-0 "$1"; }
others() { kubectl get nodes -o json | jq -r '.items[].metadata.name | select(. != "deploy-1")'; }
for node in $(others); do kubectl cordon "$node" >/dev/null; done # those of other cases, which may be attested
check "the verifier and a volume for it" volume
check "it runs on a node that is not attested" until_true 60 runs_on plumbline plumb-verifier-0 deploy-1
check "after what the cluster is made of, before work" verifier_is '.spec.priority == 900000000'
check "without root, capabilities or a way to them" verifier_is '(.spec.securityContext.runAsNonRoot and (.spec.containers | all(.securityContext | .capabilities == {drop: ["ALL"]} and .allowPrivilegeEscalation == false and .readOnlyRootFilesystem)))'
check "the budget knows it" until_true 30 eval 'kubectl -n plumbline get pdb plumb-verifier -o json | true_in ".status.currentHealthy == 1 and .status.disruptionsAllowed == 0"'
evict_code() {
	curl -sS --max-time 20 -o "$work/answer" -w '%{http_code}' --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" -X POST -H "Content-Type: $json" \
		--data-binary "${eviction//rights/plumb-verifier-0}" "$kube/api/v1/namespaces/plumbline/pods/plumb-verifier-0/eviction"
}
check "a drain waits for a person" eval 'eviction=${eviction/\"deploy\"/\"plumbline\"}; code=$(evict_code); echo "$code $(cat "$work/answer")"; [ "$code" = 429 ] && grep -q DisruptionBudget "$work/answer"'

# The program itself with the settings that are shipped, but for its paths and ports, in an environment as its pod has it: it finds the API without a name.
as_in_its_pod() {
	port=$(free_port)
	# As verifier-init.yaml has it, whose words are without blanks.
	kubectl create --dry-run=client --validate=false -o json -f "$manifests/verifier-init.yaml" |
		jq -r '.spec.template.spec.containers[0].args[]' | sed "s#^--data-dir=.*#--data-dir=$v#; s#\$(PLUMB_VERIFIER_SERVICE_HOST)#127.0.0.1#" >"$work/init-words"
	# shellcheck disable=SC2046
	"$O/plumb-verifier" $(cat "$work/init-words") >/dev/null || return
	sed -i "s#^server:.*#server: https://127.0.0.1:$port#" "$v/plumbctl.yaml"
	(umask 077 && service_token plumbline plumb-verifier >"$work/kube-token")
	kubectl -n plumbline get configmap plumb-verifier -o json | jq -r '.data["plumb-verifier.yaml"]' |
		sed "s#^data_dir:.*#data_dir: $v#; s#^ek_anchors:.*#listen: 127.0.0.1:$port#; s#^kube_token_file:.*#kube_token_file: $work/kube-token#; s#^kube_ca:.*#kube_ca: $pki/ca.crt#
			s#^admission_listen:.*#admission_listen: 127.0.0.1:0#" >"$work/verifier.yaml"
	KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=${kube##*:} start_verifier
}
check "the verifier as shipped starts as in its pod" as_in_its_pod
check "and watches the cluster" until_true 20 eval 'ctl contain show --json | true_in .watching'
check "without the cluster's DNS" eval '! kubectl -n plumbline get configmap plumb-verifier plumb-agent -o json | jq -r ".items[].data[]" | grep -v "^ *#" | grep "[.]svc"'
# What is copied out of the volume, and a name that leads to a forwarded port.
from_outside() {
	local name
	name=$(sed -n 's/.*`127\.0\.0\.1 \([a-z.-]*\)`.*/\1/p' docs/kubernetes.md)
	grep -q "\`server: https://$name:8443\`" docs/kubernetes.md && mkdir -p "$work/people/operators" && cp "$v/plumbctl.yaml" "$v/ca.crt" "$work/people" && cp "$v/operators/admin".* "$work/people/operators" || return
	sed -i "s#^server:.*#server: https://$name:$port#" "$work/people/plumbctl.yaml"
	{ cat /etc/hosts; echo "127.0.0.1 $name"; } >"$work/hosts"
	PLUMBCTL_CONFIG=$work/people/plumbctl.yaml unshare -m bash -c 'mount --bind "$1" /etc/hosts && exec "$2" node list' _ "$work/hosts" "$O/plumbctl"
}
if unshare -m true 2>/dev/null; then check "people reach it from outside, with what lies in its volume" from_outside; else
	n=$((n + 1))
	echo "ok $n - people reach it from outside # SKIP no mount namespaces"
fi
check "it stops" stop_verifier
# The gate for requests, before its role is bound and with a token that is not there: the cure is the approver's, not the verifier's.
start_gate() { # TOKEN-FILE
	printf 'csr_approve: true\ncsr_token_file: %s\n' "$1" | cat "$work/plain.yaml" - >"$work/verifier.yaml"
	KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=${kube##*:} start_verifier
}
logged() { grep -q -- "$1" "$work/verifier.log"; }
cp "$work/verifier.yaml" "$work/plain.yaml"
check "the gate for requests, with the verifier's own token" start_gate "$work/kube-token"
check "is told whose role it lacks" until_true 20 logged 'verb "list" on certificatesigningrequests (deploy/kubernetes/approver-rbac.yaml'
check "it stops" stop_verifier
check "with a token that is not there" start_gate "$work/no-token"
check "is told which setting names it" until_true 20 logged "csr_token_file: $work/no-token: No such file"
check "it stops" stop_verifier

check "a quarantine of its node" kubectl taint node deploy-1 plumbline.io/quarantined=:NoSchedule plumbline.io/quarantined=:NoExecute
check "keeps other work away" eval 'pod deploy one "\"nodeSelector\":{\"kubernetes.io/hostname\":\"deploy-1\"}" && sleep 3 && pod_is deploy one ".spec.nodeName == null"'
check "leaves the agent" agent_on deploy-1
check "and takes the verifier off" until_true 60 eval '! runs_on plumbline plumb-verifier-0 deploy-1 >/dev/null 2>&1'
kubectl -n plumbline delete statefulset plumb-verifier >/dev/null
kubectl delete -f "$manifests/verifier.yaml" --ignore-not-found >/dev/null 2>&1
kubectl -n plumbline delete pod plumb-verifier-0 --force --grace-period=0 >/dev/null 2>&1
kubectl delete pv deploy-data --wait=false >/dev/null
kubectl -n plumbline delete daemonset plumb-agent >/dev/null
kubectl -n plumbline delete configmap plumb-verifier-ca >/dev/null
cluster stop node-deploy-1
kubectl delete node deploy-1 >/dev/null
exit "$bad"
