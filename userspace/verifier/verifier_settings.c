/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier_settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define OPTION(name, type, initial, min, max, help)                                            \
	{                                                                                      \
#name, type, offsetof(struct verifier_settings, name), initial, min, max, help \
	}

static const struct conf_option options[] = {
	OPTION(data_dir, CONF_STR, "/var/lib/plumb-verifier", 0, 0,
	       "where keys, store, log and baselines lie"),
	OPTION(listen, CONF_STR, "0.0.0.0:8443", 0, 0, "ADDRESS:PORT that is served"),
	OPTION(hosts, CONF_LIST, NULL, 0, 0,
	       "names and addresses in the server's certificate; init needs one"),
	OPTION(log_name, CONF_STR, "plumbline.local", 0, 0,
	       "first part of the origin of every ledger"),
	OPTION(developer, CONF_STR, "https://plumbline.local", 0, 0,
	       "URI of who runs this verifier, for its verdicts"),
	OPTION(ek_anchors, CONF_LIST, NULL, 0, 0,
	       "PEM files with the certificates of TPM makers, or directories of such"),
	OPTION(expired_eks, CONF_BOOL, "false", 0, 0,
	       "take EK certificates whose time is over, if they were good when issued"),
	OPTION(emulated_anchors, CONF_STR, NULL, 0, 0,
	       "PEM file with those of emulated TPMs; none: they are refused"),
	OPTION(webhooks, CONF_LIST, NULL, 0, 0, "URLs that hear of each transition"),
	OPTION(webhook_ca, CONF_STR, NULL, 0, 0, "PEM file for https webhooks; none: the system's"),
	OPTION(kube_server, CONF_STR, NULL, 0, 0,
	       "URL of the Kubernetes API, or in-cluster: that of the cluster this pod is in; "
	       "none: no "
	       "node is tainted"),
	OPTION(kube_token_file, CONF_STR, NULL, 0, 0, "bearer token for it, read each time"),
	OPTION(kube_ca, CONF_STR, NULL, 0, 0, "PEM file of its CA"),
	OPTION(kube_agent_account, CONF_STR, NULL, 0, 0,
	       "NAMESPACE:NAME of the agents' pods: a token of theirs binds a machine to its "
	       "Kubernetes node; none: it does not"),
	OPTION(kube_audience, CONF_STR, "plumb-verifier", 0, 0, "audience of those tokens"),
	OPTION(csr_approve, CONF_BOOL, "false", 0, 0,
	       "approve kubelets' certificate requests, by verdict and key"),
	OPTION(csr_token_file, CONF_STR, NULL, 0, 0,
	       "bearer token for that, of an account of its own; none: kube_token_file"),
	OPTION(csr_bind, CONF_STR, "manual", 0, 0,
	       "manual, or csr: the key in a request binds its node name to the node that showed "
	       "it"),
	OPTION(csr_renewal, CONF_STR, "chained", 0, 0,
	       "chained, or shown: must the ledger show the key of a renewal before, too?"),
	OPTION(admission_listen, CONF_STR, NULL, 0, 0,
	       "ADDRESS:PORT of the webhook that the Kubernetes API asks; none: it is not served"),
	OPTION(admission_cert, CONF_STR, NULL, 0, 0,
	       "PEM file of its certificate, read again when it changes; none: the verifier's own"),
	OPTION(admission_key, CONF_STR, NULL, 0, 0, "PEM file of its key"),
	OPTION(admission_client_ca, CONF_STR, NULL, 0, 0,
	       "PEM file of who signed the API server's certificate; none: anybody may ask"),
	OPTION(admission_unknown, CONF_STR, "allow", 0, 0,
	       "allow or deny work on nodes that no attested machine is bound to"),
	OPTION(admission_degraded, CONF_STR, "allow", 0, 0,
	       "allow or deny it on degraded ones that nothing contains"),
	OPTION(admission_silent, CONF_STR, "allow", 0, 0, "allow or deny it on silent ones"),
	OPTION(admission_untainted, CONF_STR, "deny", 0, 0,
	       "allow new nodes without the startup taint, or deny it: they are given it"),
	OPTION(admission_exempt, CONF_LIST, "plumbline", 0, 0,
	       "namespaces whose pods go anywhere, as those of kube-system do"),
	OPTION(admission_dry_run, CONF_BOOL, "false", 0, 0,
	       "say what would be refused, and refuse nothing"),
	OPTION(image_require_digest, CONF_BOOL, "false", 0, 0,
	       "refuse pods whose images are named by a tag alone"),
	OPTION(image_keys, CONF_LIST, NULL, 0, 0,
	       "PEM files of public keys for cosign's signatures; pods are refused whose images "
	       "none "
	       "of them signed"),
	OPTION(image_registries, CONF_LIST, NULL, 0, 0,
	       "HOST[:PORT] of registries that are asked for signatures, and no others"),
	OPTION(image_ca, CONF_STR, NULL, 0, 0, "PEM file of their CA; none: the system's"),
	OPTION(image_unchecked, CONF_STR, "deny", 0, 0,
	       "allow or deny images whose signature is not known yet, or could not be checked"),
	OPTION(kube_deeds, CONF_LIST, NULL, 0, 0,
	       "what is done to nodes there: taint unattested label annotation condition event "
	       "cordon evict; none "
	       "given: all but the last two"),
	OPTION(kube_evict_for, CONF_DURATION_MS, "5m", 0, 86400000,
	       "with evict: how long pods are asked to leave before NoExecute"),
	OPTION(kube_evict_force, CONF_BOOL, "false", 0, 0,
	       "with evict: delete what has not left by then, disruption budgets or not"),
	OPTION(contain_command, CONF_STR, NULL, 0, 0,
	       "file of root's with the words, a line each, of a program that hears of each "
	       "transition"),
	OPTION(contain_percent, CONF_UINT, "10", 0, 100,
	       "never more of the nodes are contained at once, but always one"),
	OPTION(contain_calm, CONF_DURATION_MS, "60s", 0, 86400000,
	       "a node that is contained time and again is let go once in so long"),
	OPTION(contain_dry_run, CONF_BOOL, "false", 0, 0,
	       "contain nothing, say what would have been"),
	OPTION(retire_deleted, CONF_DURATION_MS, "1h", 0, 2592000000,
	       "a node whose Kubernetes object is deleted and who is silent is retired after so "
	       "long; 0: never"),
	OPTION(silent_after, CONF_DURATION_MS, "180s", 1000, 86400000,
	       "no evidence for so long: the node is silent"),
	OPTION(unconfirmed_after, CONF_DURATION_MS, "10s", 1000, 3600000,
	       "provisional drift that no quote covers for so long is drift itself"),
	OPTION(leaving_limit, CONF_DURATION_MS, "10m", 1000, 86400000,
	       "how long a node may be away that announced it itself"),
	OPTION(node_cert_life, CONF_DURATION_MS, "30d", 10000, 31536000000,
	       "life of a node's certificate; accepted evidence renews it after a third"),
	OPTION(boot_pcrs, CONF_STR, "0-7,10", 0, 0,
	       "PCRs that a quote must have besides the ledger's"),
	OPTION(ima_keys, CONF_LIST, NULL, 0, 0,
	       "files of certificates or public keys that sign files for IMA; none: signatures in "
	       "its list are not looked at"),
	OPTION(pcr_index, CONF_UINT, "15", 11, 15, "PCR that new nodes anchor their ledger in"),
	OPTION(max_connections, CONF_UINT, "2048", 16, 100000, "connections at once, in all"),
	OPTION(max_per_address, CONF_UINT, "64", 1, 100000,
	       "of those, without a certificate from one address"),
	OPTION(verbose, CONF_BOOL, "false", 0, 0, "log more"),
};

static const struct conf_table table = {
	.program = "plumb-verifier",
	.summary = "Appraises what nodes send, gives verdicts, and keeps bad nodes away from work.",
	.usage = "[OPTION…] [init [OPERATOR] | operator add NAME ROLE [CSR.pem] | operator revoke "
		 "NAME | operator list | key rotate [witness] | key finish]",
	.file = "/etc/plumbline/plumb-verifier.yaml",
	.options = options,
	.n_options = ARRAY_SIZE(options),
};

/* Digits alone: no sign, no space. */
static int parse_pcr(const char **text, unsigned long *ret)
{
	char *end;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	*ret = strtoul(*text, &end, 10);
	*text = end;
	return *ret > 23 ? -EINVAL : 0;
}

/* "0-7,10"; "": none */
static int parse_pcrs(const char *text, uint32_t *ret)
{
	uint32_t mask = 0;
	bool more = *text;

	while (more) {
		unsigned long from, to;
		int r = parse_pcr(&text, &from);

		to = from;
		if (r >= 0 && *text == '-') {
			text++;
			r = parse_pcr(&text, &to);
		}
		if (r < 0 || from > to || (*text && *text != ','))
			return -EINVAL;
		for (unsigned long i = from; i <= to; i++)
			mask |= 1u << i;
		more = *text == ',';
		text += more;
	}
	*ret = mask;
	return 0;
}

struct choice {
	const char *name, *text, *yes, *no;
	bool *ret;
};

static int parse_choices(const struct choice *c, size_t n, struct why *ret_why)
{
	for (size_t i = 0; i < n; i++) {
		*c[i].ret = strcmp(c[i].text, c[i].yes) == 0;
		if (!*c[i].ret && strcmp(c[i].text, c[i].no) != 0)
			return why_set(ret_why, -EINVAL, "%s: \"%.60s\" is neither %s nor %s",
				       c[i].name, c[i].text, c[i].yes, c[i].no);
	}
	return 0;
}

static int parse_gates(struct verifier_settings *s, struct why *ret_why)
{
	const struct choice choices[] = {
		{"admission_unknown", s->admission_unknown, "allow", "deny", &s->allow_unknown},
		{"admission_degraded", s->admission_degraded, "allow", "deny", &s->allow_degraded},
		{"admission_silent", s->admission_silent, "allow", "deny", &s->allow_silent},
		{"admission_untainted", s->admission_untainted, "allow", "deny",
		 &s->allow_untainted},
		{"image_unchecked", s->image_unchecked, "allow", "deny", &s->allow_unchecked},
		{"csr_bind", s->csr_bind, "csr", "manual", &s->bind_by_csr},
		{"csr_renewal", s->csr_renewal, "chained", "shown", &s->chain_csrs},
	};
	int r = parse_choices(choices, ARRAY_SIZE(choices), ret_why);

	if (r >= 0 && !s->admission_cert != !s->admission_key)
		r = why_set(ret_why, -EINVAL,
			    "admission_cert and admission_key: one is nothing without the other");
	if (r >= 0 && !s->image_keys.n_items != !s->image_registries.n_items)
		r = why_set(ret_why, -EINVAL,
			    "image_keys and image_registries: one is nothing without the other");
	if (r >= 0 && s->kube_agent_account && !s->kube_server)
		r = why_set(ret_why, -EINVAL,
			    "kube_agent_account: kube_server says who is asked about tokens");
	if (r >= 0 && s->csr_approve && !s->kube_server)
		r = why_set(ret_why, -EINVAL, "csr_approve: kube_server says where requests are");
	return r;
}

/* As all clients in pods do it: by address, for the cluster's DNS may be what waits for the first node that is attested. */
static int find_cluster(struct verifier_settings *s, struct why *ret_why)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"),
		   *port = getenv("KUBERNETES_SERVICE_PORT");
	bool v6 = host && strchr(host, ':') && host[0] != '[';
	char *url;

	if (!s->kube_server || strcmp(s->kube_server, "in-cluster") != 0)
		return 0;
	if (!host || !host[0] || !port || !port[0])
		return why_set(ret_why, -EINVAL,
			       "kube_server: in-cluster: KUBERNETES_SERVICE_HOST and "
			       "KUBERNETES_SERVICE_PORT are not set, this is no pod; give a URL");
	if (asprintf(&url, "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port) < 0)
		return -ENOMEM;
	free(s->kube_server);
	s->kube_server = url;
	return 0;
}

int verifier_settings_load(int argc, char **argv, struct verifier_settings *ret, int *ret_rest,
			   struct why *ret_why)
{
	int r;

	*ret = (struct verifier_settings){.data_dir = NULL};
	r = conf_load(&table, argc, argv, ret, ret_rest, ret_why);
	if (r != 0)
		return r;
	r = find_cluster(ret, ret_why);
	if (r < 0)
		return r;
	r = parse_pcrs(ret->boot_pcrs, &ret->boot_pcr_mask);
	return r < 0 ? why_set(ret_why, r, "boot_pcrs: \"%.60s\" is no list like 0-7,10",
			       ret->boot_pcrs)
		     : parse_gates(ret, ret_why);
}

void verifier_settings_done(struct verifier_settings *s)
{
	conf_done(&table, s);
}
