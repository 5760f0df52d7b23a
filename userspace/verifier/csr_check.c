/* SPDX-License-Identifier: Apache-2.0 */
#include "csr_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "jsonl.h"
#include "kube_patch.h"

#define BOOTSTRAP "system:bootstrap:"
#define NODE "system:node:"
#define TOKEN_ID 6 /* characters of a bootstrap token's id */

static const char *text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static bool has(const json_t *list, const char *text)
{
	size_t i;
	json_t *o;

	json_array_foreach (list, i, o) {
		const char *t = json_string_value(o);

		if (t && strcmp(t, text) == 0)
			return true;
	}
	return false;
}

/* Names of CSRs become part of a URL. Kubelets' are node-csr-<43 characters of base64url>, so capitals and _ must pass. */
static bool is_name(const char *name)
{
	size_t size = strlen(name);

	return size > 0 && size < 254 && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		       size;
}

static bool is_uid(const char *uid)
{
	size_t size = strlen(uid);

	return size > 0 && size < CSR_CHECK_UID_SIZE &&
	       strspn(uid, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
		       size;
}

static int check_usages(const json_t *usages, struct why *ret_why)
{
	static const char *const allowed[] = {"digital signature", "key encipherment",
					      "client auth"};
	size_t i;
	json_t *o;

	json_array_foreach (usages, i, o) {
		bool good = false;

		for (size_t k = 0; k < ARRAY_SIZE(allowed); k++)
			good |= json_is_string(o) && strcmp(json_string_value(o), allowed[k]) == 0;
		if (!good)
			return why_set(ret_why, -EPERM, "it asks for the usage \"%.60s\"",
				       json_is_string(o) ? json_string_value(o) : "?");
	}
	return has(usages, "digital signature") && has(usages, "client auth")
		       ? 0
		       : why_set(ret_why, -EPERM,
				 "its usages are not those of a client certificate");
}

/* The API server's word on who asks: username and groups are its own, not the request's. */
static int check_user(const json_t *spec, const char *node, bool *ret_renews, struct why *ret_why)
{
	const char *user = text_at(spec, "username");
	const json_t *groups = json_object_get(spec, "groups");

	if (strncmp(user, BOOTSTRAP, strlen(BOOTSTRAP)) == 0) {
		const char *id = user + strlen(BOOTSTRAP);

		if (strlen(id) != TOKEN_ID ||
		    strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") != TOKEN_ID ||
		    !has(groups, "system:bootstrappers"))
			return why_set(ret_why, -EPERM, "%.80s is no bootstrap token's user", user);
		*ret_renews = false;
		return 0;
	}
	if (strncmp(user, NODE, strlen(NODE)) != 0 || !has(groups, "system:nodes"))
		return why_set(ret_why, -EPERM, "%.80s is neither a bootstrap token's nor a node's",
			       user);
	if (strcmp(user + strlen(NODE), node) != 0)
		return why_set(ret_why, -EPERM, "%.80s asks to be node %.80s", user, node);
	*ret_renews = true;
	return 0;
}

/* Any condition is a decision, or a failure that is final. */
static bool is_decided(const json_t *object)
{
	const json_t *status = json_object_get(object, "status");

	return json_array_size(json_object_get(status, "conditions")) > 0 ||
	       json_object_get(status, "certificate");
}

int csr_check(const json_t *object, struct csr_check *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf pem = {0};
	const json_t *spec = json_object_get(object, "spec"),
		     *metadata = json_object_get(object, "metadata");
	int r;

	*ret = (struct csr_check){.renews = false};
	if (!json_is_object(spec) || !is_name(text_at(metadata, "name")))
		return why_set(ret_why, -EBADMSG, "that is no CertificateSigningRequest");
	snprintf(ret->name, sizeof(ret->name), "%s", text_at(metadata, "name"));
	snprintf(ret->version, sizeof(ret->version), "%s", text_at(metadata, "resourceVersion"));
	if (strcmp(text_at(spec, "signerName"), CSR_CHECK_SIGNER) != 0 || is_decided(object))
		return -EALREADY;
	if (!is_uid(text_at(metadata, "uid")))
		return why_set(ret_why, -EBADMSG, "it has no uid");
	snprintf(ret->uid, sizeof(ret->uid), "%s", text_at(metadata, "uid"));
	r = check_usages(json_object_get(spec, "usages"), ret_why);
	if (r >= 0)
		r = jsonl_get_base64(spec, "request", CSR_REQUEST_MAX, &pem, ret_why);
	if (r < 0)
		return r == -EPERM ? r : -EBADMSG;
	r = csr_request_read(pem.data ? (char *)pem.data : "", pem.size, &ret->request, ret_why);
	return r < 0 ? r : check_user(spec, ret->request.node, &ret->renews, ret_why);
}
