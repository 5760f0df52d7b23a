/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_make.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "fsio.h"
#include "incident_files.h"
#include "incident_ima.h"
#include "incident_page.h"
#include "incident_span.h"
#include "plumb/terms.h"
#include "record.h"

#define MAX_RECORD 65536

DEFINE_CLEANUP(struct incident_timeline *, incident_timeline_free);

static int put_page(const char *dir, const char *name, const struct buf *b, struct why *ret_why)
{
	char path[PATH_MAX];
	int r = snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path)
			? fsio_replace_file(fsio_system(), path, b->data, b->size, 0600)
			: -ENAMETOOLONG;

	return r < 0 ? why_set(ret_why, r, "%.200s/%s: %s", dir, name, strerror(-r)) : 0;
}

static int cut(const struct incident_make_in *in, struct incident_manifest *m, struct why *ret_why)
{
	struct incident_span s = {.from_ns = in->from_ns, .to_ns = in->to_ns};
	char to[PATH_MAX];
	int r = snprintf(to, sizeof(to), "%s/ledger", in->dir) < (int)sizeof(to)
			? fsio_mkdir_all(fsio_system(), to, 0700)
			: -ENAMETOOLONG;

	if (r < 0)
		return why_set(ret_why, r, "%.200s: %s", in->dir, strerror(-r));
	r = incident_span_cut(in->ledger, to, &s, ret_why);
	if (r >= 0)
		r = incident_ima_copy(in->ima ? in->ima : in->ledger, to, &s, ret_why);
	m->first = s.first;
	m->end = s.end;
	m->last = s.last;
	return r;
}

static int name_node(const struct incident_make_in *in, struct incident_manifest *m,
		     struct why *ret_why)
{
	CLEANUP(record_done) struct record k = {.incarnation = 0};
	CLEANUP(buf_done) struct buf b = {0};
	int r = incident_files_read(in->dir, "ledger/record.json", MAX_RECORD, &b);

	if (r < 0)
		return why_set(
			ret_why, r,
			"%.200s/record.json: %s; without it nobody can tell whose ledger it is",
			in->ledger, strerror(-r));
	r = record_parse(b.data, b.size, &k, ret_why);
	if (r < 0)
		return r;
	snprintf(m->node, sizeof(m->node), "%s", k.node);
	snprintf(m->label, sizeof(m->label), "%s", k.label);
	m->incarnation = k.incarnation;
	return 0;
}

static int make_pages(const struct incident_make_in *in, const struct incident_manifest *m,
		      struct why *ret_why)
{
	CLEANUP(incident_timeline_free_p) struct incident_timeline *t = NULL;
	CLEANUP(buf_done) struct buf text = {0}, html = {0};
	int r = incident_timeline_open(in->dir, m, &t, ret_why);

	if (r >= 0)
		r = incident_page_text(t, &text);
	if (r >= 0)
		r = put_page(in->dir, "timeline.txt", &text, ret_why);
	if (r >= 0)
		r = incident_page_html(t, &html);
	return r < 0 ? r : put_page(in->dir, "timeline.html", &html, ret_why);
}

static int pack(const struct incident_make_in *in, struct incident_manifest *m, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf envelope = {0};
	int r = incident_files_list(in->dir, m, ret_why);

	if (r >= 0)
		r = incident_manifest_sign(m, in->key, &envelope);
	return r < 0 ? r : incident_files_pack(in->dir, m, &envelope, in->output, ret_why);
}

int incident_make(const struct incident_make_in *in, struct incident_manifest *ret,
		  struct why *ret_why)
{
	struct incident_manifest m = {.from_ns = in->from_ns,
				      .to_ns = in->to_ns,
				      .made_ns = in->made_ns,
				      .verifier = in->verifier,
				      .tool = INCIDENT_TOOL};
	int r;

	ret_why->text[0] = 0;
	snprintf(m.by, sizeof(m.by), "%s", in->by);
	r = cut(in, &m, ret_why);
	if (r >= 0)
		r = name_node(in, &m, ret_why);
	if (r >= 0)
		r = make_pages(in, &m, ret_why);
	if (r >= 0)
		r = pack(in, &m, ret_why);
	if (r < 0) {
		if (!ret_why->text[0])
			why_set(ret_why, r, "%s", strerror(-r));
		incident_manifest_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}
