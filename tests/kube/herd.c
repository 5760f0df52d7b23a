/* SPDX-License-Identifier: Apache-2.0 */
/*
 * herd: many attested nodes without machines, each with a TPM in memory, against a verifier that runs. In: a command a line (enrol LABEL
 * TOKEN BOOT-ID [POD-TOKEN-FILE] | good LABEL… | drift LABEL… | reboot LABEL BOOT-ID | id LABEL | work LABEL | kubelet LABEL KEY-FILE). Out: a line a command, "ok …" or "error …".
 */
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../forge/forge_node.h"
#include "kubelet_proof.h"
#include "ledger_dir.h"

#define MAX_NODES 64
#define MUST(x)                                            \
	do {                                               \
		if (!(x)) {                                \
			fprintf(stderr, "herd: %s\n", #x); \
			exit(2);                           \
		}                                          \
	} while (0)

struct herd {
	struct forge_wire wire;
	struct buf ca_pem;
	EVP_PKEY *maker;
	struct forge_node nodes[MAX_NODES];
	uint32_t n;
	struct forge_told told;
};

static void read_file(const char *dir, const char *name, struct buf *ret)
{
	char path[512], bytes[8192];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	if (!file) {
		perror(path);
		exit(2);
	}
	buf_put(ret, bytes, fread(bytes, 1, sizeof(bytes), file));
	fclose(file);
}

static struct forge_node *find(struct herd *h, const char *label)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (strcmp(h->nodes[i].m.label, label) == 0)
			return &h->nodes[i];
	return NULL;
}

/* kube_token: file with the token of its agent's pod; "": none. */
static bool enrol(struct herd *h, const char *label, const char *token, const char *boot,
		  const char *kube_token)
{
	struct forge_node *n = &h->nodes[h->n];
	struct buf shown = {0};

	MUST(h->n < MAX_NODES);
	forge_node_open(n, &h->wire, h->maker, label);
	snprintf(n->m.token, sizeof(n->m.token), "%s", token);
	if (kube_token[0])
		read_file("/", kube_token, &shown);
	if (shown.size)
		snprintf(n->kube_token, sizeof(n->kube_token), "%.*s",
			 (int)strcspn((char *)shown.data, "\n"), (char *)shown.data);
	buf_done(&shown);
	if (!forge_node_begin(n, &h->told) || !forge_node_activate(n, true, &h->told))
		return false;
	h->n++;
	forge_node_start(n);
	/* Its first lines again, of the boot that is meant. */
	snprintf(n->boot, sizeof(n->boot), "%s", boot);
	buf_clear(&n->lines);
	merkle_init(&n->tree);
	forge_node_record(n, "log", "\"predecessor\":null,\"agent\":\"0.1.0\",\"jv\":1");
	forge_node_record(n, "start", "\"agent\":\"0.1.0\"");
	forge_node_record(n, "epoch", "\"base\":\"zero\"");
	/* The second is judged by the baseline that the first one's answer gave. */
	return forge_node_evidence(n, &h->told) && forge_node_evidence(n, &h->told);
}

/* The registers are zero again, and the agent says that nobody looked meanwhile. */
static bool reboot(struct herd *h, struct forge_node *n, const char *boot)
{
	const struct tpm_clock *c = fake_tpm_clock(n->m.tpm);
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH};

	fake_tpm_reboot(n->m.tpm);
	snprintf(n->boot, sizeof(n->boot), "%s", boot);
	a.epoch.reset_count = c->reset_count;
	a.epoch.restart_count = c->restart_count;
	a.epoch.pcr_index = FORGE_PCR;
	a.epoch.base = LEDGER_BASE_ZERO;
	MUST(ledger_dir_anchor_write(&a, &n->anchors) == 0);
	forge_node_record(n, "start", "\"agent\":\"0.1.0\"");
	forge_node_record(n, "gap", "\"from\":\"2026-11-24T00:00:00.000000000Z\",\"stopped\":true");
	return forge_node_evidence(n, &h->told);
}

/* Its ledger shows a kubelet's key, as plumbd's would. */
static bool show_key(struct herd *h, struct forge_node *n, const char *path)
{
	struct buf pem = {0}, members = {0};
	struct digest key;

	read_file("/", path, &pem);
	MUST(kubelet_proof_make((char *)pem.data, pem.size, n->origin, &members, &key, NULL) == 0);
	forge_node_record(n, "kubelet_key", (char *)members.data);
	buf_done(&pem);
	buf_done(&members);
	return forge_node_evidence(n, &h->told);
}

static bool each(struct herd *h, char *labels, bool drifts)
{
	for (char *at, *label = strtok_r(labels, " ", &at); label;
	     label = strtok_r(NULL, " ", &at)) {
		struct forge_node *n = find(h, label);

		if (!n) {
			snprintf(h->told.reason, sizeof(h->told.reason), "no node %s", label);
			return false;
		}
		if (drifts)
			forge_node_exec(n, PLUMB_JUDGE_DRIFT, PLUMB_JUDGE_VERSION);
		if (!forge_node_evidence(n, &h->told))
			return false;
	}
	return true;
}

static bool obey(struct herd *h, char *line)
{
	char label[64] = "", a[128] = "", b[64] = "", c[256] = "";
	char *rest = line + strcspn(line, " ");
	struct forge_node *n;

	memset(&h->told, 0, sizeof(h->told));
	sscanf(rest, "%63s %127s %63s %255s", label, a, b, c);
	if (strncmp(line, "good ", 5) == 0 || strncmp(line, "drift ", 6) == 0)
		return each(h, rest, line[0] == 'd');
	if (strncmp(line, "enrol ", 6) == 0)
		return enrol(h, label, a, b, c);
	n = find(h, label);
	if (n && strncmp(line, "reboot ", 7) == 0)
		return reboot(h, n, a);
	if (n && strncmp(line, "id ", 3) == 0) {
		snprintf(h->told.answer, sizeof(h->told.answer), "%.31s", n->m.id);
		return true;
	}
	if (n && strncmp(line, "work ", 5) == 0) {
		forge_node_work(n);
		return forge_node_evidence(n, &h->told);
	}
	if (n && strncmp(line, "kubelet ", 8) == 0)
		return show_key(h, n, a);
	snprintf(h->told.reason, sizeof(h->told.reason), "what is \"%.200s\"?", line);
	return false;
}

int main(int argc, char **argv)
{
	struct herd *h = calloc(1, sizeof(*h));
	struct sign_key *maker = NULL;
	struct buf pem = {0};
	char line[4096];

	MUST(h);
	if (argc != 4) {
		fprintf(stderr, "herd VERIFIER-DIR MAKER-DIR PORT\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	read_file(argv[1], "ca.crt", &h->ca_pem);
	h->wire.ca_pem = (char *)h->ca_pem.data;
	h->wire.port = (uint16_t)strtoul(argv[3], NULL, 10);
	read_file(argv[2], "maker.key", &pem);
	MUST(sign_key_from_pem((char *)pem.data, pem.size, &maker, NULL) == 0);
	h->maker = sign_key_evp(maker);
	while (fgets(line, sizeof(line), stdin)) {
		bool ok;

		line[strcspn(line, "\n")] = 0;
		ok = obey(h, line);
		printf("%s %s %.900s\n", ok ? "ok" : "error", h->told.answer, h->told.reason);
		fflush(stdout);
	}
	for (uint32_t i = 0; i < h->n; i++)
		forge_node_done(&h->nodes[i]);
	sign_key_free(maker);
	buf_done(&h->ca_pem);
	buf_done(&pem);
	free(h);
	return 0;
}
