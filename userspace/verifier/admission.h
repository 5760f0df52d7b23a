/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission.h: an AdmissionReview (v1) of a Kubernetes API server in, its answer out: pods and bindings go to nodes that may take work,
 * and a kubelet changes nothing of ours in its own Node. In: foreign JSON, rules, what is known of nodes. Out: the answer's JSON, and
 * what was decided on. Pure but for the callbacks, which may be called from any thread.
 */
#ifndef PLUMB_ADMISSION_H
#define PLUMB_ADMISSION_H

#include "admission_pod.h"
#include "buf.h"
#include "why.h"

#define ADMISSION_MAX_BODY \
	(32u << 20) /* a Node as the API takes it, 3 MiB, and one as it keeps it, 1.5 MiB; each byte may become six */
#define ADMISSION_MAX_UID 128

enum admission_subject {
	ADMISSION_OTHER = 0,
	ADMISSION_POD,
	ADMISSION_BINDING,
	ADMISSION_NODE,
	ADMISSION_POD_CHANGE, /* also a container for debugging that joins it */
	ADMISSION_N_SUBJECTS
};

struct admission_told {
	enum admission_subject subject;
	bool tainted; /* the answer has a patch that does so, but when dry_run is set */
	bool refused; /* by the rules; the answer allows it all the same when dry_run is set */
	char namespace[64], name[254], node[254],
		user[254]; /* as the review says, cut to what fits */
	char reason[256]; /* why it was refused; "" */
};

/* 0: an answer was appended to *ret. -EBADMSG: that is no AdmissionReview v1 that could be answered. */
int admission_review(const void *review, size_t size, const struct admission_rules *rules,
		     const struct admission_world *w, struct buf *ret,
		     struct admission_told *ret_told, struct why *ret_why);

#endif
