#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images at the gate: pods whose images are named by tag or not signed, as they are made, changed and debugged; who makes them for others;
# namespaces that are exempt; registries that are away, by the operator's choice; a verifier that is away.
# What is checked is text, evaluated where it is checked: shellcheck sees nobody use it.
# shellcheck disable=SC2034
# shellcheck source=tests/kube/common
. tests/kube/common

hook=$(free_port) registry=''
registry_stop() {
	[ -z "$registry" ] || { kill "$registry"; wait "$registry"; } 2>/dev/null
	registry=''
}
images_cleanup() {
	kubectl delete validatingwebhookconfiguration plumbline-work plumbline-images >/dev/null 2>&1
	registry_stop
	kube_cleanup
}
trap images_cleanup EXIT

# The shipped configurations, asking at loopback.
for f in admission admission-images; do
	sed -e "s#service: {.*}#url: https://127.0.0.1:$hook/admit#" deploy/kubernetes/$f.yaml >"$work/$f.yaml"
done
hooked() {
	sed -i "s#caBundle: .*#caBundle: $(base64 -w0 "$v/ca.crt")#" "$work"/admission*.yaml
	sed '/^---/,$d' "$work/admission.yaml" >"$work/work.yaml" # without that of kubelets
	kubectl apply -f "$work/work.yaml" -f "$work/admission-images.yaml" >/dev/null
}

# The registry: signed, unsigned, signed by another; and one that is away.
for k in ours mallory; do
	openssl ecparam -name prime256v1 -genkey -noout -out "$work/$k.key" && openssl pkey -in "$work/$k.key" -pubout -out "$work/$k.pub"
done
reg=$work/registry away=$(free_port)
put() { # NAME: an image that has nothing in it
	printf '{"architecture":"amd64","os":"linux","config":{"Labels":{"name":"%s"}},"rootfs":{"type":"layers","diff_ids":[]}}' "$1" >"$work/config" &&
		tests/registry put "$reg" box "$work/config" >"$work/$1.digest"
}
at() { echo "$c/box@$(cat "$work/$1.digest")"; }
registry_start() {
	rm -f "$work/registry.port"
	tests/registry serve "$reg" "$work/registry.port" >>"$work/registry.log" 2>&1 &
	registry=$!
	until_true 10 test -s "$work/registry.port"
}
check "a registry with images, some of them signed" eval 'mkdir "$reg" && for i in tag bundle plain wrong late sidecar; do put $i || exit 1; done && registry_start &&
	tests/registry sign "$reg" box "$(cat "$work/tag.digest")" "$work/ours.key" tag && tests/registry sign "$reg" box "$(cat "$work/bundle.digest")" "$work/ours.key" bundle &&
	tests/registry sign "$reg" box "$(cat "$work/sidecar.digest")" "$work/ours.key" bundle && tests/registry sign "$reg" box "$(cat "$work/wrong.digest")" "$work/mallory.key" tag'
c=127.0.0.1:$(cat "$work/registry.port")

check "namespaces" eval 'namespace images && namespace images-exempt'
check "a verifier that wants images signed" start_herd_verifier "admission_listen: 127.0.0.1:$hook" "admission_exempt: [plumbline, images-exempt]" "image_require_digest: true" \
	"image_keys: [$work/ours.pub]" "image_registries: [\"http://$c\", \"http://127.0.0.1:$away\"]"
check "it serves" until_true 10 curl -sSf --cacert "$v/ca.crt" "https://127.0.0.1:$hook/healthz"
# Older API servers do not label namespaces by themselves.
check "the shipped webhook configurations are taken" eval 'kubectl label --overwrite namespace kube-system kubernetes.io/metadata.name=kube-system >/dev/null && hooked'

call() { # METHOD PATH TYPE BODY: the status; what was said is in $work/answer
	curl -sS --max-time 20 -o "$work/answer" -w '%{http_code}' --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" -X "$1" -H "Content-Type: $3" --data-binary "$4" "$kube$2"
}
spec() { echo '{"terminationGracePeriodSeconds":0,"schedulerName":"nobody","containers":[{"name":"c","image":"'"$1"'"}]'"${2:+,$2}"'}'; } # IMAGE [MEMBERS]
make() { call POST "/api/v1/namespaces/$1/pods" $json '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"'"$2"'"},"spec":'"$3"'}'; } # NAMESPACE NAME SPEC
taken() { [ "$1" = 201 ] || [ "$1" = 200 ] || { echo "HTTP $1"; head -c 600 "$work/answer"; echo; return 1; }; }
refused_for() { # STATUS TEXT
	[ "$1" = 403 ] && grep -q "plumbline: .*$2" "$work/answer" || { echo "HTTP $1"; head -c 600 "$work/answer"; echo; return 1; }
}
made() { taken "$(make "$@")"; }
not_made() { refused_for "$(make "${@:2}")" "$1"; } # TEXT NAMESPACE NAME SPEC

check "the configuration is heard of" until_true 20 not_made "named without a digest" images bytag "$(spec "$c/box:1")"
check "an image that nobody asked for yet: try again" not_made "not checked yet, try again" images first "$(spec "$(at plain)")"
check "one that is signed under its tag is taken, a moment later" until_true 20 made images tag "$(spec "$(at tag)")"
check "one with a bundle, too" until_true 20 made images bundle "$(spec "$(at bundle)")"
check "an unsigned one is refused" until_true 20 not_made "is not signed by a known key" images plain "$(spec "$(at plain)")"
check "one signed by somebody else" until_true 20 not_made "is not signed by a known key" images wrong "$(spec "$(at wrong)")"
check "one in a container that starts before" not_made "is not signed by a known key" images init "$(spec "$(at tag)" '"initContainers":[{"name":"i","image":"'"$(at plain)"'"}]')"
check "the refusal is in the log" grep -q 'admission=refused of=pod namespace="images" name="plain"' "$work/verifier.log"
check "a registry that nobody named" until_true 20 not_made "is not among image_registries" images stranger "$(spec "127.0.0.1:1/box@sha256:$(printf 'a%.0s' {1..64})")"
check "an exempt namespace takes what it is given" made images-exempt plain "$(spec "$(at plain)")"
check "and so does kube-system, which is not even asked about" made kube-system plain "$(spec "$c/box:1")"
check "a dry run is answered as well" eval 'refused_for "$(call POST "/api/v1/namespaces/images/pods?dryRun=All" $json "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"dry\"},\"spec\":$(spec "$(at plain)")}")" "is not signed"'

# What comes to a pod later.
patch_image() { call PATCH "/api/v1/namespaces/images/pods/$1" $smp '{"spec":{"containers":[{"name":"c","image":"'"$2"'"}]}}'; }
check "another image for a pod that is there is refused" eval 'refused_for "$(patch_image tag "$(at plain)")" "is not signed"'
check "or taken, when it is signed" eval 'taken "$(patch_image tag "$(at bundle)")"'
check "a label may change" eval 'taken "$(call PATCH /api/v1/namespaces/images/pods/tag $merge "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}")"'
debug() { call PATCH "/api/v1/namespaces/images/pods/tag/ephemeralcontainers" $smp '{"spec":{"ephemeralContainers":[{"name":"'"$1"'","image":"'"$2"'"}]}}'; }
if [ "$(debug none "$(at tag)")" = 404 ]; then
	for name in "a container for debugging is refused, too" "and one that is signed is taken"; do n=$((n + 1)) && echo "ok $n - $name # SKIP this API server has no pods/ephemeralcontainers"; done
else
	check "a container for debugging is refused, too" eval 'refused_for "$(debug one "$(at plain)")" "is not signed"'
	check "and one that is signed is taken" eval 'until_true 20 made images sidecar "$(spec "$(at sidecar)")" && taken "$(debug two "$(at sidecar)")"'
fi
check "a pod that is there and would be refused today may still be changed and deleted" eval 'taken "$(call PATCH /api/v1/namespaces/images-exempt/pods/plain $merge "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}")" && taken "$(call DELETE /api/v1/namespaces/images-exempt/pods/plain $json "")"'

# Whoever makes pods for others tries again by itself.
set_of() { printf '{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"%s","namespace":"images"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"%s"}},"template":{"metadata":{"labels":{"app":"%s"}},"spec":%s}}}' "$1" "$1" "$1" "$(spec "$2")"; }
replicas() { api GET "/apis/apps/v1/namespaces/images/replicasets/$1" | true_in "$2"; }
check "a ReplicaSet of an image that is not signed yet gets no pod, and says why" eval 'taken "$(call POST /apis/apps/v1/namespaces/images/replicasets $json "$(set_of late "$(at late)")")" &&
	until_true 30 replicas late ".status.conditions[0].reason == \"FailedCreate\"" && replicas late "(.status.replicas // 0) == 0"'
# Its own tries come ever more seldom: a wish for more wakes it up.
more=1
nudged() {
	sleep 5
	more=$((more + 1))
	kubectl -n images scale replicaset late --replicas=$more >/dev/null && replicas late "(.status.replicas // 0) >= 1"
}
check "once it is signed, it does" eval 'tests/registry sign "$reg" box "$(cat "$work/late.digest")" "$work/ours.key" tag && until_true 150 nudged'

# Registries that are away.
gone_image=127.0.0.1:$away/box@sha256:$(printf 'b%.0s' {1..64})
check "a registry that is away: could not be checked" until_true 20 not_made "could not be checked, try again" images away "$(spec "$gone_image")"
registry_stop
check "what was signed needs it no more" made images again "$(spec "$(at tag)")"
restart() { stop_verifier && start_verifier && until_true 10 curl -sSf --cacert "$v/ca.crt" "https://127.0.0.1:$hook/healthz"; }
check "not even after a restart" eval 'restart && made images restarted "$(spec "$(at bundle)")"'
check "a verifier whose operator lets run what could not be checked" eval 'echo "image_unchecked: allow" >>"$work/verifier.yaml" && restart'
check "takes it" made images away "$(spec "$gone_image")"
check "but none by its tag" not_made "named without a digest" images bytag "$(spec "$c/box:1")"
stop_verifier
check "while the verifier is away no pod is made or changed" eval '[ "$(make images closed "$(spec "$(at tag)")")" = 500 ] && [ "$(patch_image bundle "$(at tag)")" = 500 ]'
check "but in kube-system" made kube-system open "$(spec "$(at tag)")"
echo "1..$n"
exit "$bad"
