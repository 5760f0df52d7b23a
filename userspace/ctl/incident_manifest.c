/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define MAX_PARTS 4
#define MAX_KEY 128

DEFINE_CLEANUP(struct sign_key *, sign_key_free);

void incident_manifest_done(struct incident_manifest *m)
{
	buf_done(&m->key);
	free(m->files);
	*m = (struct incident_manifest){.files = NULL};
}

bool incident_manifest_name_is_good(const char *name)
{
	uint32_t parts = 0;

	if (strlen(name) >= INCIDENT_MAX_PATH || strcmp(name, INCIDENT_MANIFEST_NAME) == 0)
		return false;
	for (;;) {
		size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

		if (n == 0 || name[0] == '.' || ++parts > MAX_PARTS)
			return false;
		name += n;
		if (*name == 0)
			return true;
		if (*name++ != '/')
			return false;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct incident_file *)a)->name,
		      ((const struct incident_file *)b)->name);
}

static void put_time(struct jsonl *j, const char *name, uint64_t ns)
{
	char text[CLOCK_TEXT_SIZE] = "";

	if (ns > 0)
		clock_text(ns, text);
	jsonl_str(j, name, text);
}

static void put_payload(const struct incident_manifest *m, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_str(&j, "tool", m->tool);
	jsonl_str(&j, "node", m->node);
	jsonl_str(&j, "label", m->label);
	jsonl_uint(&j, "incarnation", m->incarnation);
	put_time(&j, "from", m->from_ns);
	put_time(&j, "to", m->to_ns);
	put_time(&j, "made", m->made_ns);
	jsonl_str(&j, "by", m->by);
	jsonl_base64(&j, "key", m->key.data, m->key.size);
	jsonl_str(&j, "source", m->verifier ? "verifier" : "directory");
	jsonl_uint(&j, "first", m->first);
	jsonl_uint(&j, "end", m->end);
	jsonl_uint(&j, "last", m->last);
	jsonl_array(&j, "files");
	for (uint32_t i = 0; i < m->n_files; i++) {
		jsonl_object(&j, NULL);
		jsonl_str(&j, "name", m->files[i].name);
		jsonl_uint(&j, "size", m->files[i].size);
		jsonl_hex(&j, "sha256", m->files[i].sha256.bytes, DIGEST_SIZE);
		jsonl_close(&j);
	}
	jsonl_close(&j);
	jsonl_end(&j);
}

int incident_manifest_sign(struct incident_manifest *m, const struct sign_key *key, struct buf *ret)
{
	CLEANUP(buf_done) struct buf payload = {0};
	int r;

	buf_clear(&m->key);
	r = sign_key_spki(key, &m->key);
	if (r < 0)
		return r;
	if (m->n_files > 0)
		qsort(m->files, m->n_files, sizeof(*m->files), by_name);
	put_payload(m, &payload);
	r = buf_status(&payload);
	return r < 0 ? r : dsse_sign(WIRE_DSSE_INCIDENT, payload.data, payload.size, &key, 1, ret);
}

static int get_time(const json_t *o, const char *name, bool may_be_empty, uint64_t *ret,
		    struct why *ret_why)
{
	char text[CLOCK_TEXT_SIZE];
	int r = jsonl_get_text(o, name, text, sizeof(text), ret_why);

	*ret = 0;
	if (r < 0 || (may_be_empty && !text[0]))
		return r;
	return clock_from_text(text, ret) < 0
		       ? why_set(ret_why, -EBADMSG, "\"%s\" is no time", name)
		       : 0;
}

static int get_file(const json_t *o, const struct incident_file *before, uint64_t *total,
		    struct incident_file *ret, struct why *ret_why)
{
	int r = jsonl_get_text(o, "name", ret->name, sizeof(ret->name), ret_why);

	if (r >= 0)
		r = jsonl_get_uint(o, "size", INCIDENT_MAX_BYTES, &ret->size, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(o, "sha256", ret->sha256.bytes, DIGEST_SIZE, ret_why);
	if (r < 0)
		return r;
	if (!incident_manifest_name_is_good(ret->name))
		return why_set(ret_why, -EBADMSG, "\"name\": a file may not be called so");
	if (before && strcmp(before->name, ret->name) >= 0)
		return why_set(ret_why, -EBADMSG, "%.160s: not in its order, or twice", ret->name);
	*total += ret->size;
	return *total > INCIDENT_MAX_BYTES
		       ? why_set(ret_why, -EBADMSG, "its files have more than %llu bytes",
				 INCIDENT_MAX_BYTES)
		       : 0;
}

static int get_files(const json_t *o, struct incident_manifest *m, struct why *ret_why)
{
	json_t *files = NULL, *file;
	uint64_t total = 0;
	size_t i;
	int r = jsonl_get_array(o, "files", INCIDENT_MAX_FILES, &files, ret_why);

	if (r < 0)
		return r;
	m->files = calloc(json_array_size(files) + 1, sizeof(*m->files));
	if (!m->files)
		return -ENOMEM;
	json_array_foreach (files, i, file) {
		if (!json_is_object(file))
			return why_set(ret_why, -EBADMSG, "\"files\" has what is no object");
		r = get_file(file, i > 0 ? &m->files[i - 1] : NULL, &total, &m->files[i], ret_why);
		if (r < 0)
			return r;
		m->n_files++;
	}
	return 0;
}

static int get_head(const json_t *o, struct incident_manifest *m, struct why *ret_why)
{
	uint64_t v = 0;
	int r = jsonl_get_uint(o, "v", INT64_MAX, &v, ret_why);

	if (r >= 0 && v != WIRE_VERSION)
		r = why_set(ret_why, -EBADMSG, "\"v\": it is of another version, %" PRIu64, v);
	if (r >= 0)
		r = jsonl_get_text(o, "tool", m->tool, sizeof(m->tool), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "node", m->node, sizeof(m->node), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "label", m->label, sizeof(m->label), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "incarnation", INT64_MAX, &m->incarnation, ret_why);
	if (r >= 0)
		r = get_time(o, "from", true, &m->from_ns, ret_why);
	if (r >= 0)
		r = get_time(o, "to", false, &m->to_ns, ret_why);
	if (r >= 0)
		r = get_time(o, "made", false, &m->made_ns, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "by", m->by, sizeof(m->by), ret_why);
	if (r >= 0)
		r = jsonl_get_base64(o, "key", MAX_KEY, &m->key, ret_why);
	return r;
}

static int get_lines(const json_t *o, struct incident_manifest *m, struct why *ret_why)
{
	const char *source = "";
	int r = jsonl_get_str(o, "source", 16, &source, ret_why);

	m->verifier = r >= 0 && strcmp(source, "verifier") == 0;
	if (r >= 0 && !m->verifier && strcmp(source, "directory") != 0)
		r = why_set(ret_why, -EBADMSG, "\"source\" is neither verifier nor directory");
	if (r >= 0)
		r = jsonl_get_uint(o, "first", INT64_MAX, &m->first, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "end", INT64_MAX, &m->end, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "last", INT64_MAX, &m->last, ret_why);
	if (r >= 0 && (m->first > m->end || m->end > m->last))
		r = why_set(ret_why, -EBADMSG, "\"first\", \"end\", \"last\" are not in order");
	return r;
}

static int parse(const struct buf *payload, struct incident_manifest *m, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = jsonl_parse(payload->data, payload->size, INCIDENT_MANIFEST_MAX, &o, ret_why);

	if (r >= 0)
		r = get_head(o, m, ret_why);
	if (r >= 0)
		r = get_lines(o, m, ret_why);
	return r < 0 ? r : get_files(o, m, ret_why);
}

/* The key that it names itself. */
static int own_key(const void *envelope, size_t size, struct sign_key **ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf payload = {0}, type = {0}, key = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = dsse_peek(envelope, size, INCIDENT_MANIFEST_MAX, &payload, &type, ret_why);

	if (r >= 0)
		r = jsonl_parse(payload.data, payload.size, INCIDENT_MANIFEST_MAX, &o, ret_why);
	if (r >= 0)
		r = jsonl_get_base64(o, "key", MAX_KEY, &key, ret_why);
	return r < 0 ? r : sign_key_from_spki(key.data, key.size, ret, ret_why);
}

int incident_manifest_open(const void *envelope, size_t size, const struct sign_key *const *keys,
			   uint32_t n_keys, struct incident_manifest *ret, struct why *ret_why)
{
	CLEANUP(sign_key_free_p) struct sign_key *own = NULL;
	CLEANUP(buf_done) struct buf payload = {0};
	struct incident_manifest m = {.files = NULL};
	int r = n_keys > 0 ? 0 : own_key(envelope, size, &own, ret_why);

	if (r >= 0)
		r = dsse_open(envelope, size, INCIDENT_MANIFEST_MAX, WIRE_DSSE_INCIDENT,
			      own ? (const struct sign_key *const *)&own : keys, own ? 1 : n_keys,
			      &payload, NULL, ret_why);
	if (r >= 0)
		r = parse(&payload, &m, ret_why);
	if (r < 0) {
		incident_manifest_done(&m);
		return r == -ENOENT || r == -E2BIG ? -EBADMSG : r;
	}
	*ret = m;
	return 0;
}
