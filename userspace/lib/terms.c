/* SPDX-License-Identifier: Apache-2.0 */
#include "plumb/terms.h"

#include <stddef.h>
#include <string.h>

struct term {
	int value;
	const char *name;
};

static const char *name_of(const struct term *t, int value)
{
	for (; t->name; t++)
		if (t->value == value)
			return t->name;
	return NULL;
}

static int value_of(const struct term *t, const char *name)
{
	for (; name && t->name; t++)
		if (strcmp(t->name, name) == 0)
			return t->value;
	return 0;
}

static const struct term types[] = {
	{PLUMB_TYPE_EXEC, "exec"},
	{PLUMB_TYPE_FILE, "file"},
	{PLUMB_TYPE_MOUNT, "mount"},
	{PLUMB_TYPE_MODULE, "module"},
	{PLUMB_TYPE_CLAIM, "claim"},
	{PLUMB_TYPE_LOAD, "load"},
	{PLUMB_TYPE_BPF, "bpf"},
	{PLUMB_TYPE_AUDIT, "audit"},
	{PLUMB_TYPE_CODE, "code"},
	{PLUMB_TYPE_GUARD, "guard"},
	{PLUMB_TYPE_SURFACE, "surface"},
	{PLUMB_TYPE_LOG, "log"},
	{PLUMB_TYPE_START, "start"},
	{PLUMB_TYPE_STOP, "stop"},
	{PLUMB_TYPE_GAP, "gap"},
	{PLUMB_TYPE_EPOCH, "epoch"},
	{PLUMB_TYPE_QUOTE, "quote"},
	{PLUMB_TYPE_COUNTERS, "counters"},
	{PLUMB_TYPE_LOST, "lost"},
	{PLUMB_TYPE_ORDER, "order"},
	{PLUMB_TYPE_BASELINE, "baseline"},
	{PLUMB_TYPE_PRUNED, "pruned"},
	{PLUMB_TYPE_REPEATS, "repeats"},
	{PLUMB_TYPE_ISOLATION, "isolation"},
	{PLUMB_TYPE_KUBELET_KEY, "kubelet_key"},
	{PLUMB_TYPE_SNAPSHOT, "snapshot"},
	{PLUMB_TYPE_IMA, "ima"},
	{PLUMB_TYPE_VERDICT, "verdict"},
	{PLUMB_TYPE_TRANSITION, "transition"},
	{PLUMB_TYPE_ACTION, "action"},
	{PLUMB_TYPE_HEAD, "head"},
	{0, NULL},
};

static const struct term judgements[] = {
	{PLUMB_JUDGE_OK, "ok"},
	{PLUMB_JUDGE_DRIFT, "drift"},
	{PLUMB_JUDGE_UNJUDGED, "unjudged"},
	{0, NULL},
};

static const struct term lifes[] = {
	{PLUMB_LIFE_PROVISIONING, "provisioning"},
	{PLUMB_LIFE_ENROLLED, "enrolled"},
	{PLUMB_LIFE_ACTIVE, "active"},
	{PLUMB_LIFE_LEAVING, "leaving"},
	{PLUMB_LIFE_RETIRED, "retired"},
	{PLUMB_LIFE_REVOKED, "revoked"},
	{0, NULL},
};

static const struct term appraisals[] = {
	{PLUMB_APPRAISAL_NONE, "none"},
	{PLUMB_APPRAISAL_TRUSTED, "trusted"},
	{PLUMB_APPRAISAL_DEGRADED, "degraded"},
	{PLUMB_APPRAISAL_UNTRUSTED, "untrusted"},
	{0, NULL},
};

static const struct term freshnesss[] = {
	{PLUMB_FRESHNESS_FRESH, "fresh"},
	{PLUMB_FRESHNESS_LEAVING, "leaving"},
	{PLUMB_FRESHNESS_SILENT, "silent"},
	{0, NULL},
};

static const struct term containments[] = {
	{PLUMB_CONTAIN_FREE, "free"},
	{PLUMB_CONTAIN_REPORT, "report"},
	{PLUMB_CONTAIN_HELD, "held"},
	{PLUMB_CONTAIN_QUARANTINED, "quarantined"},
	{PLUMB_CONTAIN_REMEDIATING, "remediating"},
	{0, NULL},
};

static const struct term results[] = {
	{PLUMB_RESULT_ACCEPTED, "accepted"},	 {PLUMB_RESULT_STORED, "stored"},
	{PLUMB_RESULT_SEND_AGAIN, "send_again"}, {PLUMB_RESULT_REFUSED, "refused"},
	{PLUMB_RESULT_FORKED, "forked"},	 {0, NULL},
};

static const struct term findings[] = {
	{PLUMB_FINDING_UNANCHORED, "unanchored"},
	{PLUMB_FINDING_FOREIGN, "foreign"},
	{PLUMB_FINDING_FORK, "fork"},
	{PLUMB_FINDING_GAP, "gap"},
	{PLUMB_FINDING_LOSS, "loss"},
	{PLUMB_FINDING_JUDGE_SKEW, "judge_skew"},
	{PLUMB_FINDING_JUDGE_LIE, "judge_lie"},
	{PLUMB_FINDING_UNCONFIRMED, "unconfirmed"},
	{PLUMB_FINDING_SILENT, "silent"},
	{PLUMB_FINDING_COUNTERS, "counters"},
	{PLUMB_FINDING_CLOCK, "clock"},
	{PLUMB_FINDING_BASELINE, "baseline"},
	{PLUMB_FINDING_IMA, "ima"},
	{PLUMB_FINDING_IMA_LIST, "ima_list"},
	{PLUMB_FINDING_IMA_VIOLATION, "ima_violation"},
	{PLUMB_FINDING_IMA_SIGNATURE, "ima_signature"},
	{PLUMB_FINDING_BOOT_LOG, "boot_log"},
	{PLUMB_FINDING_BOOT_MISMATCH, "boot_mismatch"},
	{PLUMB_FINDING_BOOT_EVENT, "boot_event"},
	{PLUMB_FINDING_ROLLBACK, "rollback"},
	{0, NULL},
};

static const struct term actions[] = {
	{PLUMB_ACTION_REPORT, "report"},
	{PLUMB_ACTION_HOLD, "hold"},
	{PLUMB_ACTION_QUARANTINE, "quarantine"},
	{0, NULL},
};

static const struct term severitys[] = {
	{PLUMB_SEVERITY_INFO, "info"},	       {PLUMB_SEVERITY_LOW, "low"},
	{PLUMB_SEVERITY_MEDIUM, "medium"},     {PLUMB_SEVERITY_HIGH, "high"},
	{PLUMB_SEVERITY_CRITICAL, "critical"}, {0, NULL},
};

static const struct term roles[] = {
	{PLUMB_ROLE_VIEWER, "viewer"},
	{PLUMB_ROLE_RESPONDER, "responder"},
	{PLUMB_ROLE_APPROVER, "approver"},
	{0, NULL},
};

const char *terms_type_name(enum plumb_type v)
{
	return name_of(types, (int)v);
}

int terms_type_from_name(const char *name)
{
	return value_of(types, name);
}

const char *terms_judgement_name(enum plumb_judgement v)
{
	return name_of(judgements, (int)v);
}

int terms_judgement_from_name(const char *name)
{
	return value_of(judgements, name);
}

const char *terms_life_name(enum plumb_life v)
{
	return name_of(lifes, (int)v);
}

int terms_life_from_name(const char *name)
{
	return value_of(lifes, name);
}

const char *terms_appraisal_name(enum plumb_appraisal v)
{
	return name_of(appraisals, (int)v);
}

int terms_appraisal_from_name(const char *name)
{
	return value_of(appraisals, name);
}

const char *terms_freshness_name(enum plumb_freshness v)
{
	return name_of(freshnesss, (int)v);
}

int terms_freshness_from_name(const char *name)
{
	return value_of(freshnesss, name);
}

const char *terms_containment_name(enum plumb_containment v)
{
	return name_of(containments, (int)v);
}

int terms_containment_from_name(const char *name)
{
	return value_of(containments, name);
}

const char *terms_result_name(enum plumb_result v)
{
	return name_of(results, (int)v);
}

int terms_result_from_name(const char *name)
{
	return value_of(results, name);
}

const char *terms_finding_name(enum plumb_finding v)
{
	return name_of(findings, (int)v);
}

int terms_finding_from_name(const char *name)
{
	return value_of(findings, name);
}

const char *terms_action_name(enum plumb_action v)
{
	return name_of(actions, (int)v);
}

int terms_action_from_name(const char *name)
{
	return value_of(actions, name);
}

const char *terms_severity_name(enum plumb_severity v)
{
	return name_of(severitys, (int)v);
}

int terms_severity_from_name(const char *name)
{
	return value_of(severitys, name);
}

const char *terms_role_name(enum plumb_role v)
{
	return name_of(roles, (int)v);
}

int terms_role_from_name(const char *name)
{
	return value_of(roles, name);
}

bool terms_type_is_measurement(enum plumb_type v)
{
	return v >= PLUMB_TYPE_EXEC && v < PLUMB_TYPE_LOG && terms_type_name(v);
}

bool terms_type_is_deed(enum plumb_type v)
{
	return v == PLUMB_TYPE_EXEC || v == PLUMB_TYPE_LOAD || v == PLUMB_TYPE_BPF ||
	       v == PLUMB_TYPE_AUDIT || v == PLUMB_TYPE_GUARD || v == PLUMB_TYPE_SURFACE ||
	       v == PLUMB_TYPE_CODE;
}
