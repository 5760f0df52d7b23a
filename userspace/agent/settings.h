/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h: the agent's options: one table for the configuration file, the command line and --help.
 * In: argv, /etc/plumbline/plumbd.yaml. Out: plain values, checked. Read by main alone.
 */
#ifndef PLUMB_SETTINGS_H
#define PLUMB_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include "conf.h"
#include "why.h"

#define SETTINGS_MAX_INTERPRETERS 64u
#define SETTINGS_FILE "/etc/plumbline/plumbd.yaml"

struct settings {
	char *ledger_dir;
	char *state_dir;
	char *tpm;
	uint64_t pcr_index;
	uint64_t quote_interval;
	struct conf_list watch;
	struct conf_list diff;
	bool watch_runtime;
	uint64_t scan_interval, slow_scan_interval, rescan_interval;
	char *log_name;
	char *baseline;
	struct conf_list baseline_keys;
	char *file;	/* that they were read from, if it is there */
	char *protect;
	char *exec, *exec_args, *container_root, *host_view;
	struct conf_list redact;
	uint64_t strict_wait;
	char *strict_timeout;
	char *ima_measures;
	char *boot_log;
	char *measure_log;
	struct conf_list strict_paths;
	struct conf_list interpreters;
	char *verifier, *join_token_file, *verifier_ca, *label, *kubelet_csr_key, *kube_token_file;
	uint64_t evidence_interval;
	uint64_t keep_age, keep_size;
	uint64_t batch;
	struct conf_list isolate, isolate_peers, isolate_freeze, operator_keys;
	char *release_dir, *release;
	struct conf_list standing, standing_keys;
	uint64_t standing_after;
	bool verbose;
};

/* 1: --help or --version was printed. Call settings_done() in any case. */
int settings_load(int argc, char **argv, struct settings *ret, struct why *ret_why);
void settings_done(struct settings *s);

#endif
