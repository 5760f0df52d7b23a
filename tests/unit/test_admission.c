/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server asks, and what it is told: pods, bindings by both doors, nodes, what is exempt, what is no review. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>

#include "admission.h"
#include "admission_node.h"
#include "cleanup.h"
#include "digest.h"

#define UID "705ab4f5-6393-11e8-b7cc-42010a800002"
#define SCHEDULER "system:kube-scheduler"
#define DAEMONS "system:serviceaccount:kube-system:daemon-set-controller"
#define ALL "{\"operator\":\"Exists\"}"

struct world {
	char tolerant[64];
	int failing;
};

static const struct named {
	const char *name;
	struct node_state state;
} known[] = {
	{"good",
	 {PLUMB_LIFE_ACTIVE, PLUMB_APPRAISAL_TRUSTED, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_FREE,
	  false}},
	{"degraded",
	 {PLUMB_LIFE_ACTIVE, PLUMB_APPRAISAL_DEGRADED, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_REPORT,
	  false}},
	{"unarmed",
	 {PLUMB_LIFE_ACTIVE, PLUMB_APPRAISAL_UNTRUSTED, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_REPORT,
	  false}},
	{"silent",
	 {PLUMB_LIFE_ACTIVE, PLUMB_APPRAISAL_TRUSTED, PLUMB_FRESHNESS_SILENT, PLUMB_CONTAIN_FREE,
	  false}},
	{"held",
	 {PLUMB_LIFE_ACTIVE, PLUMB_APPRAISAL_DEGRADED, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_HELD,
	  false}},
	{"bad",
	 {PLUMB_LIFE_ACTIVE, PLUMB_APPRAISAL_UNTRUSTED, PLUMB_FRESHNESS_FRESH,
	  PLUMB_CONTAIN_QUARANTINED, false}},
	{"mending",
	 {PLUMB_LIFE_ACTIVE, PLUMB_APPRAISAL_UNTRUSTED, PLUMB_FRESHNESS_FRESH,
	  PLUMB_CONTAIN_REMEDIATING, false}},
	{"new",
	 {PLUMB_LIFE_ENROLLED, PLUMB_APPRAISAL_NONE, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_FREE,
	  false}},
	{"revoked",
	 {PLUMB_LIFE_REVOKED, PLUMB_APPRAISAL_TRUSTED, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_FREE,
	  false}},
	{"forked",
	 {PLUMB_LIFE_ACTIVE, PLUMB_APPRAISAL_TRUSTED, PLUMB_FRESHNESS_FRESH, PLUMB_CONTAIN_FREE,
	  true}},
};

static int find(void *ctx, const char *name, struct node_state *ret)
{
	const struct world *w = ctx;

	if (w->failing)
		return w->failing;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].name, name) == 0) {
			*ret = known[i].state;
			return 0;
		}
	return -ENOENT;
}

static void keep(void *ctx, const char *uid)
{
	snprintf(((struct world *)ctx)->tolerant, 64, "%s", uid);
}

static bool kept(void *ctx, const char *uid)
{
	return strcmp(((struct world *)ctx)->tolerant, uid) == 0;
}

static const char *const exempt[] = {"kube-system", "plumbline"};
static struct admission_rules rules;
static struct world world;
static struct admission_told told;
static struct buf answer;

static int setup(void **state)
{
	(void)state;
	world = (struct world){.failing = 0};
	rules = (struct admission_rules){.allow_unknown = true,
					 .allow_degraded = true,
					 .allow_silent = true,
					 .startup_taint = true,
					 .exempt = exempt,
					 .n_exempt = 2};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&answer);
	return 0;
}

static int review(const char *text)
{
	const struct admission_world w = {
		.node = find, .tolerant = keep, .is_tolerant = kept, .ctx = &world};
	struct why why = {""};

	buf_clear(&answer);
	return admission_review(text, strlen(text), &rules, &w, &answer, &told, &why);
}

/* The request's members after its uid. Whether it is allowed; the answer's form is always looked at. */
static bool ask(const char *members)
{
	char text[8192];
	json_t *o, *response;
	bool allowed;

	assert_true(snprintf(text, sizeof(text),
			     "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
			     "\"request\":{\"uid\":\"" UID "\",%s}}",
			     members) < (int)sizeof(text));
	assert_int_equal(review(text), 0);
	o = json_loadb((char *)answer.data, answer.size, 0, NULL);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "kind")), "AdmissionReview");
	assert_string_equal(json_string_value(json_object_get(o, "apiVersion")),
			    "admission.k8s.io/v1");
	response = json_object_get(o, "response");
	assert_string_equal(json_string_value(json_object_get(response, "uid")), UID);
	assert_true(json_is_boolean(json_object_get(response, "allowed")));
	allowed = json_is_true(json_object_get(response, "allowed"));
	assert_int_equal(json_object_get(response, "status") != NULL, !allowed);
	if (!allowed)
		assert_int_equal(json_integer_value(json_object_get(
					 json_object_get(response, "status"), "code")),
				 403);
	json_decref(o);
	return allowed;
}

static bool bind_by(const char *user, const char *resource, const char *namespace, const char *node,
		    const char *pod_uid)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":%s,"
		 "\"operation\":\"CREATE\",\"name\":\"p\",\"namespace\":\"%s\",\"userInfo\":{"
		 "\"username\":\"%s\"},\"object\":{\"kind\":\"Binding\",\"metadata\":{\"uid\":"
		 "\"%s\"},\"target\":{\"kind\":\"Node\",\"name\":\"%s\"}}",
		 resource, namespace, user, pod_uid, node);
	return ask(text);
}

static bool bind_to(const char *node)
{
	return bind_by(SCHEDULER, "\"pods\"},\"subResource\":\"binding\"", "default", node, "u1");
}

static bool pod_on(const char *user, const char *namespace, const char *node,
		   const char *tolerations, const char *owner, const char *annotations)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},"
		 "\"operation\":\"CREATE\",\"name\":\"p\",\"namespace\":\"%s\",\"userInfo\":{"
		 "\"username\":\"%s\"},\"object\":{\"kind\":\"Pod\",\"metadata\":{\"uid\":\"u9\","
		 "\"annotations\":{%s},\"ownerReferences\":[%s]},\"spec\":{\"nodeName\":\"%s\","
		 "\"tolerations\":[%s]}}",
		 namespace, user, annotations, owner, node, tolerations);
	return ask(text);
}

static void test_bindings_go_where_work_may(void **state)
{
	static const char *const yes[] = {"good", "degraded", "unarmed", "silent", "nobody"};
	static const char *const no[] = {"held", "bad", "mending", "new", "revoked", "forked"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(bind_to(yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		assert_false(bind_to(no[i]));
		assert_true(told.refused && told.subject == ADMISSION_BINDING);
		assert_string_equal(told.node, no[i]);
		assert_non_null(strstr(told.reason, no[i]));
		assert_non_null(strstr((char *)answer.data, told.reason));
	}
	assert_false(bind_to(""));
}

static void test_choices(void **state)
{
	(void)state;
	rules.allow_unknown = false;
	assert_false(bind_to("nobody"));
	assert_true(bind_to("good") && bind_to("degraded") && bind_to("silent"));
	rules.allow_degraded = false;
	assert_false(bind_to("degraded") || bind_to("unarmed"));
	assert_true(bind_to("good") && bind_to("silent"));
	rules.allow_silent = false;
	assert_false(bind_to("silent"));
	assert_true(bind_to("good"));
	/* What could not be read is never good, whatever is allowed. */
	rules.allow_unknown = true;
	world.failing = -EIO;
	assert_false(bind_to("good"));
}

static void test_dry_run(void **state)
{
	(void)state;
	rules.dry_run = true;
	assert_true(bind_to("bad"));
	assert_true(told.refused);
	assert_non_null(
		strstr((char *)answer.data, "\"warnings\":[\"plumbline: would be refused: "));
	assert_true(bind_to("good"));
	assert_null(strstr((char *)answer.data, "warnings"));
}

/* POST …/bindings does what POST …/pods/NAME/binding does. */
static void test_older_door(void **state)
{
	(void)state;
	assert_false(bind_by("eve", "\"bindings\"}", "default", "bad", "u1"));
	assert_int_equal(told.subject, ADMISSION_BINDING);
	assert_true(bind_by("eve", "\"bindings\"}", "default", "good", "u1"));
}

static void test_direct_node_name(void **state)
{
	(void)state;
	assert_false(pod_on("eve", "default", "bad", "", "", ""));
	assert_int_equal(told.subject, ADMISSION_POD);
	assert_false(pod_on("eve", "default", "bad", ALL, "", ""));
	assert_true(pod_on("eve", "default", "good", "", "", ""));
	assert_true(pod_on("eve", "default", "", "", "", "")); /* the scheduler's to find */
}

static void test_exemptions(void **state)
{
	static const char owner[] = "{\"kind\":\"DaemonSet\",\"name\":\"d\",\"controller\":true}";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(exempt); i++) {
		assert_true(pod_on("eve", exempt[i], "bad", "", "", ""));
		assert_true(bind_by(SCHEDULER, "\"pods\"},\"subResource\":\"binding\"", exempt[i],
				    "bad", "u1"));
	}
	/* Whoever makes a pod may name any owner: only the controller's word counts, and only with tolerations. */
	assert_false(pod_on("eve", "default", "bad", ALL, owner, ""));
	assert_false(pod_on(DAEMONS, "default", "bad", "", owner, ""));
	assert_false(pod_on(DAEMONS, "default", "bad", ALL, "", ""));
	assert_string_equal(world.tolerant, "");
	assert_false(bind_by(SCHEDULER, "\"pods\"},\"subResource\":\"binding\"", "default", "bad",
			     "u9"));
	assert_true(pod_on(DAEMONS, "default", "bad", ALL, owner, ""));
	/* What it is bound by later says nothing but its uid. */
	assert_string_equal(world.tolerant, "u9");
	assert_true(bind_by(SCHEDULER, "\"pods\"},\"subResource\":\"binding\"", "default", "bad",
			    "u9"));
	assert_false(bind_to("bad"));
	assert_false(
		bind_by(SCHEDULER, "\"pods\"},\"subResource\":\"binding\"", "default", "bad", ""));
}

static void test_mirrors(void **state)
{
	static const char mirror[] = "\"kubernetes.io/config.mirror\":\"x\"";

	(void)state;
	assert_true(pod_on("system:node:bad", "default", "bad", "", "", mirror));
	assert_false(pod_on("system:node:bad", "default", "bad", "", "", ""));
	assert_false(pod_on("system:node:good", "default", "bad", "", "", mirror));
	assert_false(pod_on("eve", "default", "bad", "", "", mirror));
}

static bool tolerated(const char *list)
{
	json_t *o = json_loads(list, 0, NULL);
	bool is = admission_pod_tolerates(o);

	assert_non_null(o);
	json_decref(o);
	return is;
}

static void test_tolerations(void **state)
{
	(void)state;
	assert_true(tolerated("[" ALL "]"));
	assert_true(tolerated("[{\"key\":\"plumbline.io/quarantined\",\"operator\":\"Exists\"}]"));
	assert_true(tolerated("[{\"key\":\"plumbline.io/quarantined\",\"value\":\"true\"}]"));
	assert_true(tolerated("[{\"operator\":\"Exists\",\"effect\":\"NoSchedule\"},"
			      "{\"operator\":\"Exists\",\"effect\":\"NoExecute\"}]"));
	assert_false(tolerated("[]"));
	assert_false(tolerated("[{\"operator\":\"Exists\",\"effect\":\"NoExecute\"}]"));
	assert_false(tolerated("[{\"key\":\"\",\"operator\":\"Equal\"}]"));
	assert_false(tolerated("[{\"key\":\"plumbline.io/quarantined\",\"value\":\"\"}]"));
	assert_false(tolerated("[{\"key\":\"other\",\"operator\":\"Exists\"}]"));
	assert_false(tolerated("{\"key\":\"x\"}"));
}

static bool node(const char *user, const char *operation, const char *before, const char *after)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"nodes\"},"
		 "\"operation\":\"%s\",\"name\":\"n1\",\"userInfo\":{\"username\":\"%s\"},"
		 "\"oldObject\":%s,\"object\":%s",
		 operation, user, before, after);
	return ask(text);
}

/* The answer's patch; "": it has none. */
static const char *patched(void)
{
	static char text[1024];
	json_t *o = json_loadb((char *)answer.data, answer.size, 0, NULL);
	const json_t *response = json_object_get(o, "response");
	const char *type = json_string_value(json_object_get(response, "patchType")),
		   *patch = json_string_value(json_object_get(response, "patch"));
	struct buf b = {0};

	assert_int_equal(type != NULL, patch != NULL);
	if (patch) {
		assert_string_equal(type, "JSONPatch");
		assert_int_equal(digest_from_base64(patch, strlen(patch), &b), 0);
	}
	snprintf(text, sizeof(text), "%s", patch ? (char *)b.data : "");
	json_decref(o);
	buf_done(&b);
	return text;
}

#define TAINTED \
	"{\"spec\":{\"taints\":[{\"key\":\"plumbline.io/unattested\",\"effect\":\"NoSchedule\"}]}"

static void test_new_nodes(void **state)
{
	(void)state;
	assert_true(node("system:node:n1", "CREATE", "null", TAINTED "}"));
	assert_string_equal(patched(), "");
	assert_int_equal(told.subject, ADMISSION_NODE);
	assert_string_equal(told.node, "n1");
	/* It does not say of itself what we say of it. */
	assert_false(node("system:node:n1", "CREATE", "null",
			  TAINTED
			  ",\"metadata\":{\"labels\":{\"plumbline.io/attested\":\"true\"}}}"));
	assert_false(node("system:node:n1", "CREATE", "null",
			  TAINTED
			  ",\"metadata\":{\"annotations\":{\"plumbline.io/verdict\":\"x\"}}}"));
	/* People and controllers are RBAC's. */
	assert_true(node("admin", "CREATE", "null", "{\"spec\":{}}"));
	assert_string_equal(patched(), "");
}

/* It is given, wherever there is room for it; and refused to nobody, for a kubelet posts its Node at each start. */
static void test_startup_taint(void **state)
{
#define STARTUP "{\"key\":\"plumbline.io/unattested\",\"effect\":\"NoSchedule\"}"
#define SOFT "{\"key\":\"plumbline.io/unattested\",\"effect\":\"PreferNoSchedule\"}"
#define ADD(path, value) "[{\"op\":\"add\",\"path\":\"" path "\",\"value\":" value "}]"
	static const struct {
		const char *object, *patch;
	} rows[] = {
		{"{}", ADD("/spec", "{\"taints\":[" STARTUP "]}")},
		{"{\"spec\":{}}", ADD("/spec/taints", "[" STARTUP "]")},
		{"{\"spec\":{\"taints\":null}}", ADD("/spec/taints", "[" STARTUP "]")},
		{"{\"spec\":{\"taints\":[]}}", ADD("/spec/taints/-", STARTUP)},
		{"{\"spec\":{\"taints\":[{\"key\":\"a\"}]}}", ADD("/spec/taints/-", STARTUP)},
		/* PreferNoSchedule keeps no pod away. */
		{"{\"spec\":{\"taints\":[" SOFT "]}}", ADD("/spec/taints/-", STARTUP)},
		{"{\"spec\":{\"taints\":[" SOFT "," STARTUP "]}}", ""},
		{"{\"spec\":{\"taints\":[{\"key\":\"plumbline.io/unattested\",\"effect\":"
		 "\"NoExecute\"}]}}",
		 ""},
		{TAINTED "}", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(node("system:node:n1", "CREATE", "null", rows[i].object));
		assert_string_equal(patched(), rows[i].patch);
		assert_int_equal(told.tainted, rows[i].patch[0] != 0);
	}
	assert_true(node("system:node:n1", "UPDATE", "{}", "{\"spec\":{}}"));
	assert_string_equal(patched(), "");
	/* Beside a refusal there is none. */
	assert_false(node("system:node:n1", "CREATE", "null",
			  "{\"metadata\":{\"labels\":{\"plumbline.io/x\":\"1\"}}}"));
	assert_string_equal(patched(), "");
	rules.dry_run = true;
	assert_true(node("system:node:n1", "CREATE", "null", "{\"spec\":{}}"));
	assert_string_equal(patched(), "");
	assert_non_null(strstr((char *)answer.data, "would be given the taint plumbline.io/un"));
	rules.dry_run = false;
	rules.startup_taint = false;
	assert_true(node("system:node:n1", "CREATE", "null", "{\"spec\":{}}"));
	assert_string_equal(patched(), "");
}

static void test_kubelets_leave_ours_alone(void **state)
{
	static const struct {
		const char *before, *after;
		bool allowed;
	} cases[] = {
#define LABELS(x) "{\"metadata\":{\"labels\":{" x "}}}"
		{LABELS("\"a\":\"1\""), LABELS("\"a\":\"2\",\"b\":\"3\""), true},
		{LABELS("\"plumbline.io/x\":\"1\""), LABELS("\"plumbline.io/x\":\"1\""), true},
		{LABELS("\"plumbline.io/x\":\"1\""), LABELS("\"plumbline.io/x\":\"2\""), false},
		{LABELS("\"plumbline.io/x\":\"1\""), LABELS(""), false},
		{LABELS(""), LABELS("\"plumbline.io/x\":\"1\""), false},
		{LABELS(""), LABELS("\"node-restriction.kubernetes.io/plumbline\":\"1\""), false},
		{LABELS(""), LABELS("\"site.plumbline.io/x\":\"1\""), false},
		{LABELS(""), LABELS("\"notplumbline.io/x\":\"1\""), true},
		{LABELS(""), LABELS("\"plumbline.io.example/x\":\"1\""), true},
#define NOTES(x) "{\"metadata\":{\"annotations\":{" x "}}}"
		{NOTES("\"plumbline.io/verdict\":\"1\""), NOTES(""), false},
		{NOTES("\"x/y\":\"1\""), NOTES(""), true},
#define TAINTS(x) "{\"spec\":{\"taints\":[" x "]}}"
#define HELD "{\"key\":\"plumbline.io/quarantined\",\"value\":\"true\",\"effect\":\"NoSchedule\"}"
#define CLEARED "{\"key\":\"plumbline.io/quarantined\",\"value\":\"true\",\"effect\":\"NoExecute\"}"
		{TAINTS(HELD "," CLEARED), TAINTS(CLEARED "," HELD), true},
		{TAINTS(HELD "," CLEARED), TAINTS(HELD), false},
		{TAINTS(HELD), "{}", false},
		{TAINTS("{\"key\":\"a\",\"effect\":\"NoExecute\"}"), TAINTS(""), true},
#define CONDITION(s, t)                                                                    \
	"{\"status\":{\"conditions\":[{\"type\":\"plumbline.io/Attested\",\"status\":\"" s \
	"\",\"lastHeartbeatTime\":\"" t "\"}]}}"
		{CONDITION("False", "1"), CONDITION("False", "2"), true},
		{CONDITION("False", "1"), CONDITION("True", "1"), false},
		{CONDITION("False", "1"), "{}", false},
		{"{}", CONDITION("True", "1"), false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool allowed = node("system:node:n1", "UPDATE", cases[i].before, cases[i].after);

		if (allowed != cases[i].allowed)
			fail_msg("%s -> %s: %d", cases[i].before, cases[i].after, allowed);
		assert_true(node("system:serviceaccount:plumbline:enforcer", "UPDATE",
				 cases[i].before, cases[i].after));
	}
}

/* The API takes it, so it is judged like any other text, and is none of those that we know. */
static void test_a_nul_in_a_text(void **state)
{
	static const char noted[] = "{\"metadata\":{\"annotations\":{\"x\":\"\\u0000\"}}}";

	(void)state;
	assert_true(node("system:node:n1", "CREATE", "null", noted));
	assert_true(told.tainted);
	assert_true(node("system:node:n1", "UPDATE", "{}", noted));
	assert_true(node("system:node:n1", "CREATE", "null",
			 "{\"spec\":{\"taints\":[{\"key\":\"plumbline.io/unattested\\u0000\"}]}}"));
	assert_true(told.tainted);
	assert_false(node("system:node:n1", "UPDATE", "{}",
			  "{\"metadata\":{\"labels\":{\"plumbline.io/x\":\"\\u0000\"}}}"));
	assert_false(
		node("system:node:n1", "UPDATE",
		     "{\"metadata\":{\"annotations\":{\"plumbline.io/verdict\":\"a\"}}}",
		     "{\"metadata\":{\"annotations\":{\"plumbline.io/verdict\":\"a\\u0000\"}}}"));
	assert_true(pod_on("eve", "default", "good", "", "", "\"x\":\"\\u0000\""));
	assert_false(pod_on("eve", "default", "bad", "", "", "\"x\":\"\\u0000\""));
	rules.allow_unknown = false;
	assert_false(bind_to("good\\u0000"));
	assert_false(pod_on("eve", "kube-system\\u0000", "bad", "", "", ""));
}

/* Of two keys one may come to be, and a webhook that broke on it would be passed by. */
static void test_keys_that_become_one(void **state)
{
#define CAPACITY(pair)                                                                          \
	"{\"metadata\":{\"labels\":{\"plumbline.io/x\":\"1\"}},\"status\":{\"capacity\":{" pair \
	"}}}"
	static const char *const after[] = {
		CAPACITY("\"a\\u0000\":\"1\",\"a\\uffff\":\"1\""),
		CAPACITY("\"a\xef\xbf\xbd\":\"1\",\"a\xef\xbf\xbd\":\"1\""),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
		assert_false(node("system:node:n1", "UPDATE", "{}", after[i]));
		assert_true(node("system:node:n1", "UPDATE", after[i], after[i]));
	}
}

static void test_what_is_not_ours(void **state)
{
	static const char *const others[] = {
		"\"resource\":{\"group\":\"\",\"resource\":\"pods\"},\"operation\":\"DELETE\"",
		"\"resource\":{\"group\":\"\",\"resource\":\"pods\"},\"subResource\":\"eviction\","
		"\"operation\":\"CREATE\"",
		"\"resource\":{\"group\":\"metrics.k8s.io\",\"resource\":\"pods\"},\"operation\":"
		"\"CREATE\",\"object\":{\"spec\":{\"nodeName\":\"bad\"}}",
		"\"operation\":\"CONNECT\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_true(ask(others[i]));
		assert_int_equal(told.subject, ADMISSION_OTHER);
	}
}

static void test_no_review(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"{}",
		"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\"}",
		"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/"
		"v1\",\"request\":{}}",
		"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{"
		"\"uid\":7}}",
		"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\","
		"\"request\":{\"uid\":\"x\"}}",
		"{\"kind\":\"Pod\",\"apiVersion\":\"admission.k8s.io/"
		"v1\",\"request\":{\"uid\":\"x\"}}",
	};
	char text[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(review(bad[i]), -EBADMSG);
		assert_int_equal(answer.size, 0);
	}
	snprintf(
		text, sizeof(text),
		"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{"
		"\"uid\":\"%0129d\"}}",
		0);
	assert_int_equal(review(text), -EBADMSG);
	snprintf(
		text, sizeof(text),
		"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{"
		"\"uid\":\"%0128d\"}}",
		0);
	assert_int_equal(review(text), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bindings_go_where_work_may, setup, teardown),
		cmocka_unit_test_setup_teardown(test_choices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dry_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_older_door, setup, teardown),
		cmocka_unit_test_setup_teardown(test_direct_node_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exemptions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mirrors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tolerations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_startup_taint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kubelets_leave_ours_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_nul_in_a_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys_that_become_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_review, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
