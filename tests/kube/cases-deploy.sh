#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is shipped in deploy/kubernetes: rendered by this kubectl, taken by this server (a dry run), of a shape that a current Kubernetes knows; each check also with
# a manifest that is broken, which must fail. The agents get to a node that everything else keeps away from, without a token and without rights.
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

# Rights: three accounts, none with another's.
may() { kubectl auth can-i "${@:2}" --as="system:serviceaccount:plumbline:$1" >/dev/null; } # ACCOUNT VERB RESOURCE…
check "the approver's account" kubectl apply -f "$manifests/approver-rbac.yaml"
check "gets a token in its Secret" until_true 20 eval 'kubectl -n plumbline get secret plumb-approver-token -o json | true_in ".data.token != null"'
check "the verifier's changes nodes" may plumb-verifier patch nodes
approves() { may "$1" patch certificatesigningrequests --subresource=approval && may "$1" approve signers/kubernetes.io/kube-apiserver-client-kubelet; }
check "and approves nothing" eval '! may plumb-verifier patch certificatesigningrequests --subresource=approval && ! may plumb-verifier approve signers/kubernetes.io/kube-apiserver-client-kubelet'
check "the approver's approves" approves plumb-approver
check "and changes no node" eval '! may plumb-approver patch nodes && ! may plumb-approver get nodes'
for right in 'get nodes' 'patch nodes' 'list pods' 'get secrets' 'create pods' 'create events.events.k8s.io' 'list certificatesigningrequests' 'get configmaps'; do
	# shellcheck disable=SC2086
	check "the agent's may not: $right" eval '! may plumb-agent $right'
done

# The agents, on a hollow kubelet that registers with the startup taint; what a real one would make on the host it makes here.
check "a node with the startup taint" hollow_node deploy-1 --register-with-taints=plumbline.io/unattested=:NoSchedule
check "the verifier's CA" kubectl -n plumbline create configmap plumb-verifier-ca --from-file=ca.crt="$pki/ca.crt"
mkdir -p "$work/state"
check "the agents" eval 'sed "s#path: /var/lib/plumbline,#path: $work/state,#" "$manifests/agent.yaml" | kubectl apply -f - >/dev/null'
agent_on() { kubectl -n plumbline get pods -l app.kubernetes.io/name=plumb-agent -o json | true_in --arg n "$1" '[.items[] | select(.spec.nodeName == $n and .status.phase == "Running" and .metadata.deletionTimestamp == null)] | length == 1'; }
check "one runs there" until_true 60 agent_on deploy-1
of_agent() { kubectl -n plumbline get pods -l app.kubernetes.io/name=plumb-agent -o json | true_in "[.items[].spec | $1] | length > 0 and all"; }
check "without a token" of_agent '[.volumes[]? | select(.secret != null or .projected != null)] == []'
check "before all other work" of_agent '.priority == 2000001000'
check "in the host's network and processes" of_agent '.hostNetwork and .hostPID'
check "a quarantine of its node" kubectl taint node deploy-1 plumbline.io/quarantined=:NoSchedule plumbline.io/quarantined=:NoExecute
namespace deploy >/dev/null
check "keeps other work away" eval 'pod deploy one "\"nodeSelector\":{\"kubernetes.io/hostname\":\"deploy-1\"}" && sleep 3 && pod_is deploy one ".spec.nodeName == null"'
check "and leaves it" agent_on deploy-1
kubectl -n plumbline delete daemonset plumb-agent >/dev/null
kubectl -n plumbline delete configmap plumb-verifier-ca >/dev/null
cluster stop node-deploy-1
kubectl delete node deploy-1 >/dev/null
exit "$bad"
