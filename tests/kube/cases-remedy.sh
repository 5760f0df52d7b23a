#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The way back of a real agent's node in a real cluster, by policy and without a person: drift, taint, the file put back, looked at again, released, no taint;
# over a start of the verifier. And nodes whose object is deleted: who is not heard of is retired by itself and raises nothing, who reports or is held is not.
# shellcheck source=tests/kube/common
. tests/kube/common

agent=''
remedy_cleanup() {
	[ -z "$agent" ] || { kill -TERM "$agent" && wait "$agent"; } 2>/dev/null
	[ ! -s "$work/tpm/pid" ] || kill "$(cat "$work/tpm/pid")" 2>/dev/null
	[ "$bad" -eq 0 ] || tail -n 10 "$work/agent.log" 2>/dev/null | cut -c 1-300 | sed 's/^/# agent: /'
	kube_cleanup
}
trap remedy_cleanup EXIT
lines() { cat "$work/ledger"/events-*.jsonl 2>/dev/null; }
# The agent is this machine's, and sees what else runs here: a program that nobody knows opens a case by no rule, which reports and holds nothing.
is_released() { # NODE: nothing of ours is open, and nothing contains it
	show "$1" | true_in '(.containment | IN("free", "report")) and ([.cases[] | select(.closed == null and (.rule // "" | IN("file", "program", "evil")))] == [])' || {
		show "$1" | jq -c '{state, containment, remedy, open: [.cases[] | select(.closed == null) | {key, rule}]}'
		return 1
	}
}
remedy() { [ "$(show cr-1 | jq -r '.remedy | "\(.step) \(.phase)"')" = "$1" ] || { show cr-1 | jq -c '{state,containment,remedy}'; return 1; }; }
moves() { ctl events --json | jq -r 'select(.type == "action" and .action == "remedy" and .event) | "\(.operator): \(.step) \(.event)"'; }
has_move() { moves | grep -qxF "$1" || { moves; return 1; }; }
to_states() { ctl events --json | jq -r --arg l "$1" 'select(.type == "transition" and .label == $l) | .to'; }
rule() { # ID KEY RELEASE [REMEDY]
	cat <<-YAML
		  - id: $1
		    title: Something of the test's own drifted
		    claim: configuration
		    value: 33
		    when: {key: [{glob: "$2"}]}
		    severity: critical
		    action: quarantine
		    release: $3
		    score: 900
	YAML
	[ -z "${4:-}" ] || echo "    remedy: $4"
}
plan() { # the verifier's policy, with a way back
	local by_itself='{steps: [files], auto: [files, attest, release]}'
	{
		printf 'name: kube\nversion: 2\nrules:\n'
		rule evil "exec:/tmp/evil*" ack
		rule file "file:$work/watched/**" claim "$by_itself"
		rule program "exec:$work/unknown" ack "$by_itself"
		printf 'tests:\n  - name: one\n    given: {type: exec, key: "exec:/tmp/evil", uid: 0}\n    expect: evil\n'
	} >"$work/policy.yaml"
	ctl policy sign --key="$alice" -o "$work/policy.json" "$work/policy.yaml" && ctl policy push "$work/policy.json" && ctl policy arm all --yes --reason=test
}
real_node() { # the machine of Node cr-1 is this one: the kubelet's word is its boot
	cat /proc/sys/kernel/random/boot_id >"$work/boot-cr-1" && set_boot cr-1 "$(boot_of cr-1)" || return
	(umask 077 && ctl token create --label cr-1 >"$work/token") || return
	"$O/plumbd" --ledger-dir="$work/ledger" --state-dir="$work/state" --tpm="$tcti" --watch="$work/watched" --batch=50ms --verifier="https://127.0.0.1:$port" \
		--verifier-ca="$v/ca.crt" --evidence-interval=1s --join-token-file="$work/token" --label=cr-1 2>>"$work/agent.log" &
	agent=$!
	until_true 60 eval 'show cr-1 | true_in ".confirmed > 0"'
}
is_known() { # the hollow kubelet takes its word back now and then
	set_boot cr-1 "$(boot_of cr-1)" && grep -q "kube_name=cr-1 uid=" "$work/verifier.log"
}
real_baseline() {
	ctl baseline capture --name real --file "$work/watched" --exec /usr/bin --exec /usr/sbin --exec "$O" --exec "$bin" -o "$work/real.jsonl" &&
		ctl baseline sign --key "$alice" "$work/real.jsonl" && ctl baseline push --node cr-1 "$work/real.jsonl" &&
		until_true 60 eval 'lines | grep -qa "\"type\":\"baseline\""'
}
# The herd's baseline is that of all new nodes: not before this machine's own is chosen.
eval "$(declare -f put_baseline | sed '1s/put_baseline/put_herd_baseline/')"
put_baseline() { :; }
again() { # YAML-LINE…: the verifier with other settings
	local line
	stop_verifier || return
	for line in "$@"; do sed -i "/^${line%%:*}:/d" "$work/verifier.yaml"; done
	printf '%s\n' "$@" >>"$work/verifier.yaml"
	start_verifier && until_true 20 eval 'ctl contain show --json | true_in .watching'
}

mkdir "$work/watched"
echo one >"$work/watched/file"
tcti=''
if [ "$(id -u)" -eq 0 ] && command -v swtpm swtpm_setup >/dev/null && [ -e /sys/kernel/btf/vmlinux ]; then
	tcti=$(tests/swtpm-start "$work/tpm" 2>>"$work/agent.log" | head -n 1)
fi
check "a namespace" namespace cr
check "a verifier" start_herd_verifier "contain_percent: 100" "contain_calm: 0s" ${tcti:+"emulated_anchors: $work/tpm/ca.pem"}
check "its policy has a way back" plan

if [ -z "$tcti" ]; then
	n=$((n + 1))
	echo "ok $n - the way back of a real agent's node # SKIP needs root, a software TPM and a kernel with BTF"
else
	check "a hollow kubelet that registers with the taint of the start" hollow_node cr-1 --register-with-taints=plumbline.io/unattested=:NoSchedule
	check "and a real agent on its machine" real_node
	check "judged by its own baseline" real_baseline
	check "bound, and known to be this machine's" eval 'ctl node bind cr-1 cr-1 --reason="it is this machine" && until_true 20 is_known'
	check "let in" until_true 30 is_ours cr-1 ""
	pod cr one '"nodeSelector":{"kubernetes.io/hostname":"cr-1"}'
	check "a pod runs there" until_true 30 runs_on cr one cr-1
	echo two >"$work/watched/file"
	check "a file drifts: both taints" until_true 20 is_ours cr-1 "$quarantine"
	check "the pod leaves" until_true 30 pod_gone cr one
	check "by the policy it is to be put back" until_true 20 remedy "files runs"
	cp /bin/true "$work/unknown" && printf '\nunknown' >>"$work/unknown" && "$work/unknown"
	check "and a program ran that nobody knows" until_true 20 has_case cr-1 "exec:$work/unknown"
	check "the verifier starts anew in the middle of it: the step runs on, the taints stand" eval 'again "contain_calm: 0s" && remedy "files runs" && is_ours cr-1 "$quarantine"'
	pod cr two '"nodeSelector":{"kubernetes.io/hostname":"cr-1"}'
	echo one >"$work/watched/file"
	check "put back: it goes on by itself" until_true 30 eval 'has_move "policy: attest done" || has_move "policy: release done" || has_move "policy: release started"'
	check "looked at again, and released" until_true 150 is_released cr-1
	check "the taints are gone" until_true 20 is_ours cr-1 ""
	check "the pod that waited runs" until_true 30 runs_on cr two cr-1
	check "nobody had to say anything" eval '[ -z "$(moves | grep -v "^policy: ")" ] && has_move "policy: release started"'
	check "and the incident is over" until_true 10 eval '[ "$(show cr-1 | jq -c .remedy)" = null ]'
	check "a kubelet cannot delete its own Node" eval '[ "$(curl -sS --max-time 20 -o /dev/null -w "%{http_code}" --cacert "$pki/ca.crt" --cert "$pki/system-node-cr-1.crt" --key "$pki/system-node-cr-1.key" -X DELETE "$kube/api/v1/nodes/cr-1")" = 403 ]'
fi

[ -z "$agent" ] || { kill -TERM "$agent" && wait "$agent"; }
agent=''

# Deleted objects. The hour is 20 seconds here.
reporting() { herd good cr-3 >/dev/null && "$@"; }
check "four more attested nodes" eval 'put_herd_baseline && for i in 2 3 4 5; do paper_node cr-$i && attested_node cr-$i || exit 1; done'
check "one of them is quarantined" eval 'drifted cr-5 && until_true 10 is_ours cr-5 "$quarantine"'
check "all are heard of, and silence is soon noticed" eval 'again "silent_after: 6s" "retire_deleted: 20s" && herd good cr-2 cr-3 cr-4 cr-5'
check "the objects of three are deleted" kubectl delete node cr-2 cr-3 cr-5
check "who says nothing is leaving" until_true 30 reporting state cr-2 leaving
check "one whose object is there is silent, and that is a case" until_true 30 reporting eval 'state cr-4 silent && has_case cr-4 finding:silent'
check "after the time it is retired by itself" until_true 60 reporting state cr-2 retired
check "it never was silent, and no case tells of it" eval '! to_states cr-2 | grep -qx silent && [ "$(show cr-2 | jq "[.cases[] | select(.key == \"finding:silent\")] | length")" = 0 ]'
check "the log says why" eval 'ctl events --json | true_in -s "[.[] | select(.type == \"transition\" and .label == \"cr-2\" and .to == \"retired\" and (.cause | test(\"cr-2 was deleted\")))] | length == 1"'
check "its evidence is kept" eval 'ctl ledger fetch cr-2 -o "$work/kept" && grep -q "\"type\":\"start\"" "$work/kept"/events-*.jsonl'
for _ in {1..15}; do herd good cr-3 >/dev/null; sleep 1; done
check "one that still reports is not retired" eval 'state cr-3 trusted && ! to_states cr-3 | grep -qx "silent\|leaving\|retired"'
check "nor one that is held, nor one whose object is there" eval 'show cr-5 | true_in ".containment == \"quarantined\" and .life == \"active\"" && show cr-4 | true_in ".life == \"active\""'
check "who reports no more, is" until_true 90 state cr-3 retired
exit "$bad"
