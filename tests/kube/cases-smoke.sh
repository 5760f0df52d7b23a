#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shortest way through everything: an attested node drifts, the real API server has the taint, a pod leaves, a release takes it off.
# shellcheck source=tests/kube/common
. tests/kube/common

check "a hollow kubelet registers" hollow_node smoke-1
check "a namespace" namespace smoke
check "a verifier with the shipped account, and nodes" start_herd_verifier
check "the node is attested and bound" attested_node smoke-1
check "a pod of the scheduler's runs on it" eval 'pod smoke one "\"nodeSelector\":{\"kubernetes.io/hostname\":\"smoke-1\"}" && until_true 30 runs_on smoke one smoke-1'
check "it drifts" drifted smoke-1
check "both taints are there within two seconds" until_true 2 is_ours smoke-1 "$quarantine"
check "the pod leaves" until_true 30 pod_gone smoke one
check "released, and good again" released smoke-1
check "the taints are gone" until_true 10 is_ours smoke-1 ""
exit "$bad"
