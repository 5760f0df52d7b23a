/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "isolate_net.h"
#include "isolate_state.h"
#include "plumb/event.h"

#define OPTION(name, type, initial, min, max, help)                                   \
	{                                                                             \
#name, type, offsetof(struct settings, name), initial, min, max, help \
	}

static const struct conf_option options[] = {
	OPTION(ledger_dir, CONF_STR, "/var/lib/plumbline/ledger", 0, 0, "where the ledger lies"),
	OPTION(state_dir, CONF_STR, "/var/lib/plumbline", 0, 0,
	       "where this node's own state lies: the wrapped TPM keys"),
	OPTION(tpm, CONF_STR, "auto", 0, 0,
	       "TCTI string, e.g. device:/dev/tpmrm0; auto: that one if it is there; none"),
	OPTION(pcr_index, CONF_UINT, "15", 11, 15,
	       "PCR of the SHA-256 bank that the ledger is anchored in"),
	OPTION(quote_interval, CONF_DURATION_MS, "60s", 1000, 86400000,
	       "time between the quotes that the node makes of itself"),
	OPTION(watch, CONF_LIST, NULL, 0, 0,
	       "a file, or a directory with all below it; 64 at most"),
	OPTION(diff, CONF_LIST, NULL, 0, 0,
	       "a watched file, or a directory, whose changed lines are told; none: digests alone"),
	OPTION(watch_runtime, CONF_BOOL, "true", 0, 0,
	       "watch the settings of container runtimes and kubelet as well, those that there "
	       "are"),
	OPTION(scan_interval, CONF_DURATION_MS, "60s", 1000, 86400000,
	       "time between scans of what is read in a moment: boot, sysctls, modules"),
	OPTION(slow_scan_interval, CONF_DURATION_MS, "10m", 1000, 86400000,
	       "time between scans of what takes longer: BPF, tracing, other mount namespaces"),
	OPTION(rescan_interval, CONF_DURATION_MS, "1h", 1000, 604800000,
	       "time between readings of all watched files"),
	OPTION(log_name, CONF_STR, "plumbline.local", 0, 0, "first part of the ledger's origin"),
	OPTION(baseline, CONF_STR, NULL, 0, 0,
	       "signed baseline to judge by; none: nothing is judged"),
	OPTION(baseline_keys, CONF_LIST, NULL, 0, 0, "PEM files of the keys that may sign it"),
	OPTION(protect, CONF_STR, "observe", 0, 0,
	       "observe: what is done to the agent itself is told; enforce: it is refused as well"),
	OPTION(exec, CONF_STR, "once", 0, 0,
	       "once: each program once per digest, scope, user and cgroup; all: every exec; "
	       "strict: "
	       "once, and held before its first run until that is in the PCR"),
	OPTION(exec_args, CONF_STR, "off", 0, 0,
	       "on: the line of a program has its arguments, those that are secret hidden"),
	OPTION(redact, CONF_PATTERNS, NULL, 0, 0,
	       "what else to hide in arguments: extended regular expressions"),
	OPTION(strict_wait, CONF_DURATION_MS, "3s", 100, 60000,
	       "exec strict: how long a program is held at most"),
	OPTION(strict_timeout, CONF_STR, "open", 0, 0,
	       "exec strict: what was held so long runs (open) or is refused (closed)"),
	OPTION(strict_paths, CONF_LIST, NULL, 0, 0,
	       "exec strict: hold programs of the file systems that these lie on; none: of all "
	       "local ones"),
	OPTION(ima_measures, CONF_STR, "auto", 0, 0,
	       "what IMA's policy measures: programs (and what the kernel loads), other; auto: by "
	       "the policy, if it can be read"),
	OPTION(boot_log, CONF_STR, "auto", 0, 0,
	       "the firmware's log of this TPM: a file; auto: the kernel's, of the kernel's TPM"),
	OPTION(measure_log, CONF_STR, "auto", 0, 0,
	       "systemd's log of what it measured into this TPM: a file; auto: "
	       "/run/log/systemd/tpm2-measure.log, of the kernel's TPM"),
	OPTION(interpreters, CONF_LIST, NULL, 0, 0,
	       "programs whose scripts are told, by name without a version; none: sh, bash, "
	       "python, perl and the like"),
	OPTION(container_root, CONF_STR, "/", 0, 0,
	       "directory below which Docker's, CRI-O's, Podman's and containerd's state lies"),
	OPTION(host_view, CONF_STR, NULL, 0, 0,
	       "for an agent in a container: a process of the host, /proc/1, whose mounts and "
	       "cgroups are seen then; none: this process's own"),
	OPTION(batch, CONF_DURATION_MS, "1s", 1, 60000,
	       "how long lines that can wait do wait before they are synced"),
	OPTION(verifier, CONF_STR, NULL, 0, 0,
	       "https://HOST:PORT that evidence is sent to; none: the node keeps it to itself"),
	OPTION(join_token_file, CONF_STR, NULL, 0, 0,
	       "file with the join token of the first start; none: an approver must act"),
	OPTION(verifier_ca, CONF_STR, NULL, 0, 0,
	       "PEM file of the verifier's CA; not needed with a join token"),
	OPTION(label, CONF_STR, NULL, 0, 0, "name for people; none: the host's name"),
	OPTION(kube_token_file, CONF_STR, NULL, 0, 0,
	       "token of the pod that this agent is, for the verifier's audience: says which "
	       "Kubernetes node it enrols; none: a person says it"),
	OPTION(kubelet_csr_key, CONF_STR, NULL, 0, 0,
	       "the kubelet's key, or auto: shown to the verifier to be this node's, which then "
	       "approves its certificate requests; none: it is not read"),
	OPTION(evidence_interval, CONF_DURATION_MS, "60s", 200, 86400000,
	       "time between evidence when there is no news"),
	OPTION(keep_age, CONF_DURATION_MS, "7d", 0, 3155760000000,
	       "how long lines that the verifier cosigned are kept; 0s: for ever"),
	OPTION(keep_size, CONF_SIZE, "2GiB", 0, 1ull << 50,
	       "bytes of lines beyond which the oldest such go; 0: no bound"),
	OPTION(isolate, CONF_LIST, NULL, 0, 0,
	       "what an order may do to this node itself: network, exec, freeze; none: it is "
	       "noted"),
	OPTION(isolate_peers, CONF_LIST, NULL, 0, 0,
	       "who is still spoken with then, besides the verifier: ADDRESS, ADDRESS/PREFIX, "
	       "ADDRESS:PORT or [ADDRESS]:PORT"),
	OPTION(isolate_freeze, CONF_LIST, NULL, 0, 0,
	       "cgroups that are frozen then, as paths below cgroup v2; none: those of kubelet's "
	       "pods"),
	OPTION(operator_keys, CONF_LIST, NULL, 0, 0,
	       "PEM files of the keys that may release this node offline"),
	OPTION(standing, CONF_LIST, NULL, 0, 0,
	       "of what isolate arms, what the agent does by itself on critical drift that the "
	       "verifier does not hear of; none: nothing"),
	OPTION(standing_after, CONF_DURATION_MS, "10m", 1000, 604800000,
	       "how long the verifier must not have been reached for that"),
	OPTION(standing_keys, CONF_LIST, NULL, 0, 0,
	       "how the keys of such drift begin: exec:, module:"),
	OPTION(release_dir, CONF_STR, "/run/plumbline/release", 0, 0,
	       "directory that a signed release is taken from"),
	OPTION(release, CONF_STR, NULL, 0, 0,
	       "hand this signed release to the agent that runs, say what came of it, and end"),
	OPTION(verbose, CONF_BOOL, "false", 0, 0, "log more"),
};

static const struct conf_table table = {
	.program = "plumbd",
	.summary = "Measures each exec, module load and change of a watched file on this node into "
		   "a ledger.",
	.usage = "[OPTION…]",
	.file = SETTINGS_FILE,
	.options = options,
	.n_options = ARRAY_SIZE(options),
};

/* The kernel programs compare names of at most 15 bytes, and those only up to their first digit. */
static int check_interpreters(const struct conf_list *l, struct why *ret_why)
{
	if (l->n_items > SETTINGS_MAX_INTERPRETERS)
		return why_set(ret_why, -EINVAL, "interpreters: %u at most",
			       SETTINGS_MAX_INTERPRETERS);
	for (uint32_t i = 0; i < l->n_items; i++) {
		const char *name = l->items[i];

		if (!*name || strlen(name) >= PLUMB_CODE_NAME || strpbrk(name, "0123456789/"))
			return why_set(ret_why, -EINVAL,
				       "interpreters: \"%.40s\" is no name of 1 to %d characters "
				       "without digits and slashes",
				       name, PLUMB_CODE_NAME - 1);
	}
	return 0;
}

static bool list_has(const struct conf_list *l, const char *text)
{
	for (uint32_t i = 0; i < l->n_items; i++)
		if (strcmp(l->items[i], text) == 0)
			return true;
	return false;
}

static int check_isolation(const struct settings *s, struct why *ret_why)
{
	struct isolate_net_peer p;
	int r = 0;

	for (uint32_t i = 0; i < s->isolate.n_items; i++)
		if (!isolate_state_way_of(s->isolate.items[i]))
			return why_set(ret_why, -EINVAL, "isolate is of network, exec and freeze");
	for (uint32_t i = 0; i < s->standing.n_items; i++)
		if (!list_has(&s->isolate, s->standing.items[i]))
			return why_set(ret_why, -EINVAL, "standing: %.40s is not in isolate",
				       s->standing.items[i]);
	if (s->standing.n_items > 0 && (s->standing_keys.n_items == 0 || !s->verifier))
		return why_set(ret_why, -EINVAL, "standing wants standing_keys and a verifier");
	for (uint32_t i = 0; i < s->isolate_freeze.n_items; i++)
		if (s->isolate_freeze.items[i][0] != '/' || !s->isolate_freeze.items[i][1])
			return why_set(ret_why, -EINVAL,
				       "isolate_freeze wants paths of cgroups, /kubepods.slice");
	for (uint32_t i = 0; r >= 0 && i < s->isolate_peers.n_items; i++)
		r = isolate_net_peer(s->isolate_peers.items[i], &p, ret_why);
	return r;
}

int settings_load(int argc, char **argv, struct settings *ret, struct why *ret_why)
{
	int rest = argc, r;

	*ret = (struct settings){.ledger_dir = NULL};
	ret->file = strdup(conf_file(&table, argc, argv));
	if (!ret->file)
		return -ENOMEM;
	r = conf_load(&table, argc, argv, ret, &rest, ret_why);
	if (r != 0)
		return r;
	if (rest < argc)
		return why_set(ret_why, -EINVAL, "there are arguments that are no options");
	if (strcmp(ret->exec, "all") != 0 && strcmp(ret->exec, "once") != 0 &&
	    strcmp(ret->exec, "strict") != 0)
		return why_set(ret_why, -EINVAL, "exec is once, all or strict");
	if (strcmp(ret->exec_args, "on") != 0 && strcmp(ret->exec_args, "off") != 0)
		return why_set(ret_why, -EINVAL, "exec_args is on or off");
	if (strcmp(ret->strict_timeout, "open") != 0 && strcmp(ret->strict_timeout, "closed") != 0)
		return why_set(ret_why, -EINVAL, "strict_timeout is open or closed");
	if (strcmp(ret->ima_measures, "auto") != 0 && strcmp(ret->ima_measures, "programs") != 0 &&
	    strcmp(ret->ima_measures, "other") != 0)
		return why_set(ret_why, -EINVAL, "ima_measures is auto, programs or other");
	for (uint32_t i = 0; i < ret->strict_paths.n_items; i++)
		if (ret->strict_paths.items[i][0] != '/')
			return why_set(ret_why, -EINVAL, "strict_paths wants absolute paths");
	if (strcmp(ret->protect, "observe") != 0 && strcmp(ret->protect, "enforce") != 0)
		return why_set(ret_why, -EINVAL, "protect is observe or enforce");
	for (uint32_t i = 0; i < ret->watch.n_items; i++)
		if (ret->watch.items[i][0] != '/')
			return why_set(ret_why, -EINVAL, "watch wants absolute paths");
	for (uint32_t i = 0; i < ret->diff.n_items; i++)
		if (ret->diff.items[i][0] != '/')
			return why_set(ret_why, -EINVAL, "diff wants absolute paths");
	if (ret->host_view && ret->host_view[0] != '/')
		return why_set(ret_why, -EINVAL, "host_view wants a directory of /proc: /proc/1");
	r = check_isolation(ret, ret_why);
	return r < 0 ? r : check_interpreters(&ret->interpreters, ret_why);
}

void settings_done(struct settings *s)
{
	conf_done(&table, s);
	free(s->file);
	s->file = NULL;
}
