/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h: routes, names and size limits that both ends of the wire know. The bodies are described in docs/wire.md.
 * BORDER: verifier N speaks this of N and N-1.
 */
#ifndef PLUMB_WIRE_H
#define PLUMB_WIRE_H

#define WIRE_VERSION			1

/* Node side. All POST. Enrolment needs no client certificate; the rest needs the node's. */
#define WIRE_ROUTE_ENROL		"/v1/enrol"		/* JSON -> session + credential */
#define WIRE_ROUTE_ENROL_ACTIVATE	"/v1/enrol/activate"	/* JSON -> identity, or 202 while an approver must act */
#define WIRE_ROUTE_ENROL_AGAIN		"/v1/enrol/again"	/* as enrol, of a node that is enrolled: a certificate alone; then activate */
/* What a Kubernetes token is made of (RFC 7515, 3.1), and its most bytes, in a proof: both ends look. */
#define WIRE_KUBE_TOKEN_CHARS		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.="
#define WIRE_MAX_KUBE_TOKEN		8192u
#define WIRE_ROUTE_NONCE		"/v1/nonce"		/* {} -> nonce, stored head, quote base */
#define WIRE_ROUTE_EVIDENCE		"/v1/evidence"		/* header line + ledger lines */
#define WIRE_ROUTE_DRIFT		"/v1/drift"		/* the same, provisional: without a quote */
#define WIRE_ROUTE_BASELINE_GET		"/v1/baseline/"		/* GET + lower-case hex SHA-256 of the document */

/* Operator side, JSON. */
#define WIRE_ROUTE_NODES		"/v1/nodes"		/* GET list; GET /v1/nodes/ID one, with cases and drift */
#define WIRE_ROUTE_DRIFT_SUMMARY	"/v1/drift/summary"	/* GET ?node= */
#define WIRE_ROUTE_ACTIONS		"/v1/actions"		/* POST a DSSE envelope signed by the operator's key */
#define WIRE_ROUTE_EVENTS		"/v1/events"		/* GET ?since=SEQ&follow=1: lines of the verifier's log */
#define WIRE_ROUTE_BASELINES		"/v1/baselines"		/* POST a signed baseline; GET list */
#define WIRE_ROUTE_POLICIES		"/v1/policies"		/* POST a signed bundle; GET current */
#define WIRE_ROUTE_POLICY_PREVIEW	"/v1/policies/preview"	/* POST a bundle: what it would have done */
#define WIRE_ROUTE_TOKENS		"/v1/tokens"		/* POST: make a join token */
#define WIRE_ROUTE_CONTAIN		"/v1/contain"		/* GET: what is contained, what the brakes hold back, whether it is paused */
#define WIRE_ROUTE_EKS			"/v1/eks"		/* GET: endorsement keys that approvers named */
#define WIRE_ROUTE_LEDGER		"/v1/ledger/"		/* GET + node id: record, anchors, notes, lines, in pieces (docs/wire.md) */
#define WIRE_ROUTE_STATEMENT		"/v1/statement/"	/* GET + node: what the verifier has on it, signed (docs/wire.md) */
#define WIRE_ROUTE_LOG_PROOFS		"/v1/log/proofs"	/* POST line numbers: that they are in the verifier's log */
#define WIRE_ROUTE_JWKS			"/.well-known/jwks.json"
#define WIRE_ROUTE_HEALTH		"/healthz"

#define WIRE_TYPE_JSON			"application/json"
#define WIRE_TYPE_EVIDENCE		"application/vnd.plumb.evidence"
#define WIRE_TYPE_BASELINE		"application/vnd.plumb.baseline"

#define WIRE_DSSE_BASELINE		"application/vnd.plumb.baseline+json"
#define WIRE_DSSE_POLICY		"application/vnd.plumb.policy+json"
#define WIRE_DSSE_ACTION		"application/vnd.plumb.action+json"
#define WIRE_DSSE_ORDER			"application/vnd.plumb.order+json"
#define WIRE_DSSE_RELEASE		"application/vnd.plumb.release+json"	/* an order, signed offline by an operator whom the node pins */
#define WIRE_DSSE_WEBHOOK		"application/vnd.plumb.transition+json"
#define WIRE_DSSE_STATEMENT		"application/vnd.plumb.statement+json"
#define WIRE_DSSE_INCIDENT		"application/vnd.plumb.incident+json"

/* Sizes in bytes, counts, times in ms. Over a limit is an error that names it, never a cut. */
#define WIRE_MAX_JSON_BODY		(256u * 1024)
#define WIRE_MAX_EVIDENCE_BODY		(16u * 1024 * 1024)
#define WIRE_MAX_BASELINE_BODY		(128u * 1024 * 1024)
#define WIRE_MAX_EVIDENCE_LINES		50000u
#define WIRE_MAX_LINE			65535u
#define WIRE_MAX_ANCHORS		(4u * 1024 * 1024)
#define WIRE_MAX_IMA			(256u * 1024)	/* of IMA's list in one evidence; the rest goes with the next */
#define WIRE_MAX_BOOT_LOG		(4u * 1024 * 1024)	/* the firmware's log, whole; only when the verifier has another one */
#define WIRE_MAX_MEASURE_LOG		(256u * 1024)	/* of what systemd measured from user space; only when the verifier has another one */
#define WIRE_MAX_LEDGER			(64u * 1024 * 1024)	/* one that is handed out whole; larger ones are in pieces alone */
#define WIRE_LEDGER_PIECE		(8u * 1024 * 1024)	/* of one in pieces: an answer ends with the item that reaches it */
#define WIRE_MAX_PROOFS			1000u	/* lines of the verifier's log in one request */
#define WIRE_NONCE_SIZE			32u
#define WIRE_NONCE_LIFE_MS		10000u
#define WIRE_NODE_ID_HEX		64u	/* SHA-256 of the EK's public area, lower-case hex */
#define WIRE_MAX_LABEL			253u
#define WIRE_MAX_REASON			1024u

#endif
