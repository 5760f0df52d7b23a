/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier_settings.h: the verifier's options: one table for the configuration file, the command line and --help.
 * In: argv, /etc/plumbline/plumb-verifier.yaml, in a pod where the Kubernetes API is. Out: plain values, checked. Read by main alone.
 */
#ifndef PLUMB_VERIFIER_SETTINGS_H
#define PLUMB_VERIFIER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include "conf.h"
#include "why.h"

struct verifier_settings {
	char *data_dir, *listen, *log_name, *developer;
	struct conf_list hosts, ek_anchors, webhooks, ima_keys, kube_deeds;
	char *emulated_anchors, *webhook_ca, *kube_server, *kube_token_file, *kube_ca, *boot_pcrs, *contain_command;
	uint64_t silent_after, unconfirmed_after, leaving_limit, node_cert_life, pcr_index, max_connections, max_per_address;
	char *admission_listen, *admission_cert, *admission_key, *admission_client_ca;
	char *admission_unknown, *admission_degraded, *admission_silent, *admission_untainted;
	struct conf_list admission_exempt, image_keys, image_registries;
	char *image_ca, *image_unchecked;
	bool image_require_digest, allow_unchecked;
	bool admission_dry_run;
	char *csr_token_file, *csr_bind, *csr_renewal;
	bool csr_approve;
	char *kube_agent_account, *kube_audience;
	bool allow_unknown, allow_degraded, allow_silent, allow_untainted, bind_by_csr, chain_csrs;	/* of the words */
	uint64_t contain_percent, contain_calm, kube_evict_for, retire_deleted;
	bool verbose, expired_eks, contain_dry_run, kube_evict_force;
	uint32_t boot_pcr_mask;		/* of boot_pcrs */
};

/* 1: --help or --version was printed. ret_rest: index of the first word that is no option. Call verifier_settings_done() in any case. */
int verifier_settings_load(int argc, char **argv, struct verifier_settings *ret, int *ret_rest, struct why *ret_why);
void verifier_settings_done(struct verifier_settings *s);

#endif
