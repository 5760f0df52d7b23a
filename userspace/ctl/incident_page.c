/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "print.h"

#define MAX_CASES 2000 /* on the page; all are in the statement */
#define STRIP_WIDTH 1000
#define STRIP_TICKS 2000u

static const char style[] =
	":root{color-scheme:light "
	"dark;--bg:#fbfaf8;--fg:#1d2126;--dim:#68707a;--line:#dedad3;--card:#fff;"
	"--bad:#b3261e;--warn:#946200;--good:#1b6e3c;--plain:#5b6b7d}"
	"@media(prefers-color-scheme:dark){:root{--bg:#15171a;--fg:#e4e6e9;--dim:#97a0aa;--line:#"
	"31363c;"
	"--card:#1c1f23;--bad:#ff8a80;--warn:#e8b44c;--good:#6fd08c;--plain:#9fb2c6}}"
	"*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);"
	"font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
	"main{max-width:1180px;margin:0 auto;padding:32px 24px 64px}h1{font-size:26px;margin:0 0 "
	"4px}"
	"h2{font-size:18px;margin:36px 0 10px}code,.m{font:13px/1.45 ui-monospace,'DejaVu Sans "
	"Mono',monospace;"
	"overflow-wrap:anywhere}.dim{color:var(--dim)}"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:16px 0 "
	"0;background:var(--card);"
	"border:1px solid var(--line);border-radius:8px;padding:14px "
	"18px}dt{color:var(--dim)}dd{margin:0;"
	"overflow-wrap:anywhere}"
	".wrap{overflow-x:auto;background:var(--card);border:1px solid "
	"var(--line);border-radius:8px}"
	"table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600;color:var(--"
	"dim);"
	"font-size:13px;white-space:nowrap}th,td{padding:7px 12px;border-bottom:1px solid "
	"var(--line);"
	"vertical-align:top}tr:last-child td{border-bottom:0}td.n{white-space:nowrap;"
	"font-variant-numeric:tabular-nums}td.w{min-width:170px;overflow-wrap:anywhere}td.k{min-"
	"width:420px;overflow-wrap:anywhere}"
	".t{display:inline-block;padding:0 8px;border-radius:9px;border:1px solid "
	"currentColor;font-size:12px;"
	"white-space:nowrap}.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}"
	".plain{color:var(--plain)}"
	"svg{display:block;width:100%;height:64px}svg .bad{stroke:var(--bad)}svg "
	".warn{stroke:var(--warn)}"
	"svg .good{stroke:var(--good)}svg .plain{stroke:var(--plain)}svg .axis{stroke:var(--line)}"
	"svg text{fill:var(--dim);font:11px system-ui,sans-serif}"
	"ul{columns:3;margin:0;padding:14px 18px 14px "
	"34px}footer{margin-top:36px;color:var(--dim);font-size:13px}"
	"@media(max-width:700px){ul{columns:1}main{padding:18px 12px}}@media "
	"print{.wrap,dl{border-color:#999}}";

static const char *tone_name(enum incident_tone t)
{
	static const char *const names[] = {"plain", "good", "warn", "bad"};

	return names[t];
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* Seconds are enough for people: the lines have the rest. */
static const char *time_text(uint64_t ns, char ret[CLOCK_TEXT_SIZE])
{
	if (ns == 0)
		return "its beginning";
	clock_text(ns, ret);
	ret[10] = ' ';
	ret[19] = 'Z';
	ret[20] = 0;
	return ret;
}

/* "2026-11-23T19:40:00.1…Z" as it is shown. */
static void put_stamp(FILE *f, const char *text, void (*put)(FILE *f, const char *text))
{
	char t[24];

	snprintf(t, sizeof(t), "%.19s", text);
	if (strlen(t) > 10 && t[10] == 'T')
		t[10] = ' ';
	put(f, t);
}

static void put_plain(FILE *f, const char *text)
{
	print_safe(f, text, strlen(text));
}

/* What steers a reader's eye is made visible, as on a terminal, and then what steers a browser. */
static void put_html(FILE *f, const char *text)
{
	char *shown = NULL;
	size_t size = 0;
	FILE *m = open_memstream(&shown, &size);

	if (!m)
		return;
	print_safe(m, text, strlen(text));
	if (fclose(m) == 0)
		for (const char *p = shown; *p; p++) {
			const char *e = *p == '&'    ? "&amp;"
					: *p == '<'  ? "&lt;"
					: *p == '>'  ? "&gt;"
					: *p == '"'  ? "&quot;"
					: *p == '\'' ? "&#39;"
						     : NULL;

			if (e)
				fputs(e, f);
			else
				fputc(*p, f);
		}
	free(shown);
}

static const json_t *node_of(const struct incident_timeline *t)
{
	return json_object_get(t->statement, "node");
}

static const json_t *cases_of(const struct incident_timeline *t)
{
	return json_object_get(node_of(t), "cases");
}

/* Of the span: opened before its end, and not closed before its beginning. */
static bool is_of_the_span(const struct incident_timeline *t, const json_t *k)
{
	uint64_t opened = 0, closed = 0;

	clock_from_text(text_of(k, "opened"), &opened);
	clock_from_text(text_of(k, "closed"), &closed);
	return opened <= t->m->to_ns && (closed == 0 || closed >= t->m->from_ns);
}

static const char *const severities[] = {"critical", "high", "medium", "low", "info", NULL};

static bool is_severity(const json_t *k, const char *name)
{
	const char *s = text_of(k, "severity");

	if (name)
		return strcmp(s, name) == 0;
	for (size_t i = 0; severities[i]; i++)
		if (strcmp(s, severities[i]) == 0)
			return false;
	return true;
}

/* Those of the span, the gravest first. Returns how many there are; put gets at most MAX_CASES of them. */
static size_t each_case(const struct incident_timeline *t, void (*put)(const json_t *k, FILE *f),
			FILE *f)
{
	json_t *k;
	size_t i, n = 0;

	for (size_t s = 0; s < ARRAY_SIZE(severities); s++)
		json_array_foreach (cases_of(t), i, k)
			if (is_severity(k, severities[s]) && is_of_the_span(t, k) &&
			    n++ < MAX_CASES)
				put(k, f);
	return n;
}

static void text_head(const struct incident_timeline *t, FILE *f)
{
	const struct incident_manifest *m = t->m;
	const json_t *node = node_of(t);
	char a[CLOCK_TEXT_SIZE], b[CLOCK_TEXT_SIZE];

	fputs("Incident on ", f);
	put_plain(f, m->label);
	fprintf(f, "\n\nNode         %s, incarnation %" PRIu64 "\n", m->node, m->incarnation);
	fprintf(f, "Span         %s to ", time_text(m->from_ns, a));
	fprintf(f, "%s, by the node's clock\n", time_text(m->to_ns, b));
	fprintf(f, "Lines        %" PRIu64 " to %" PRIu64 " of the node's ledger\n", m->first,
		m->end > 0 ? m->end - 1 : 0);
	if (node) {
		fputs("State        ", f);
		put_plain(f, text_of(node, "state"));
		fputs(" since ", f);
		put_stamp(f, text_of(node, "since"), put_plain);
		fputs("Z: ", f);
		put_plain(f, text_of(node, "cause"));
		fputs("\n             as the verifier stated at ", f);
		put_stamp(f, text_of(t->statement, "made"), put_plain);
		fputs("Z\n", f);
	} else {
		fputs("State        not stated: made of a ledger alone, without a verifier\n", f);
	}
	fprintf(f, "Made         %s by ", time_text(m->made_ns, a));
	put_plain(f, m->by[0] ? m->by : "a key without a name");
	fputc('\n', f);
}

static void text_case(const json_t *k, FILE *f)
{
	fprintf(f, "%6" JSON_INTEGER_FORMAT "  ", json_integer_value(json_object_get(k, "id")));
	put_plain(f, text_of(k, "severity"));
	fputs("  ", f);
	put_plain(f, text_of(k, "key"));
	fputs("\n        expected ", f);
	put_plain(f, text_of(k, "expected"));
	fputs("\n        found    ", f);
	put_plain(f, text_of(k, "found"));
	fputs("\n        by       ", f);
	put_plain(f, text_of(k, "who"));
	fputs("\n        opened   ", f);
	put_stamp(f, text_of(k, "opened"), put_plain);
	fputs("Z, rule ", f);
	put_plain(f, text_of(k, "rule")[0] ? text_of(k, "rule") : "none");
	fprintf(f, ", line %" JSON_INTEGER_FORMAT "\n",
		json_integer_value(json_object_get(k, "first_line")));
	if (!text_of(k, "closed")[0])
		return;
	fputs("        closed   ", f);
	put_stamp(f, text_of(k, "closed"), put_plain);
	fputs("Z: ", f);
	put_plain(f, text_of(k, "closed_why"));
	fputc('\n', f);
}

static void text_cases(const struct incident_timeline *t, FILE *f)
{
	size_t n;

	if (!node_of(t))
		return;
	fputs("\nCases\n\n", f);
	n = each_case(t, text_case, f);
	if (n == 0)
		fputs("        none in this span\n", f);
	if (n > MAX_CASES)
		fprintf(f, "        and %zu more, in statement.dsse\n", n - MAX_CASES);
}

static void text_entries(const struct incident_timeline *t, FILE *f)
{
	char a[CLOCK_TEXT_SIZE];

	fputs("\nTimeline\n\n", f);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct incident_entry *e = &t->entries[i];

		fprintf(f, "%s  %-8s %7" PRIu64 "  ", time_text(e->utc_ns, a),
			e->verifier ? "verifier" : "node", e->seq);
		print_column(f, e->kind, 10, PRINT_CUT_END);
		put_plain(f, e->text);
		fputc('\n', f);
	}
	if (t->left_out > 0)
		fprintf(f, "and %" PRIu64 " more, in ledger/ and log/\n", t->left_out);
	fputs("\nAll lines of the node that are here, by type\n\n", f);
	for (uint32_t i = 0; i < t->n_types; i++) {
		print_column(f, t->types[i].type, 12, PRINT_CUT_END);
		fprintf(f, "%8" PRIu64 "\n", t->types[i].n);
	}
	fputs("\nplumbctl incident verify FILE proves what of this is proven.\n", f);
}

static void html_begin(const struct incident_timeline *t, FILE *f)
{
	CLEANUP(buf_done) struct buf hash = {0};
	struct digest d;

	if (digest_sha256(style, strlen(style), &d) >= 0)
		digest_base64(&hash, d.bytes, DIGEST_SIZE);
	fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'sha256-",
	      f);
	fputs(hash.size ? (char *)hash.data : "", f);
	fputs("'; base-uri 'none'; form-action 'none'\">\n<meta name=\"referrer\" "
	      "content=\"no-referrer\">\n<meta name=\"viewport\" "
	      "content=\"width=device-width,initial-scale=1\">\n<title>Incident on ",
	      f);
	put_html(f, t->m->label);
	fprintf(f, "</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n", style);
}

static void html_row(FILE *f, const char *name, const char *text)
{
	fprintf(f, "<dt>%s</dt><dd>", name);
	put_html(f, text);
	fputs("</dd>\n", f);
}

static const char *state_tone(const char *state)
{
	return strcmp(state, "trusted") == 0 ? "good"
	       : strcmp(state, "quarantined") == 0 || strcmp(state, "held") == 0 ||
			       strcmp(state, "forked") == 0 || strcmp(state, "revoked") == 0
		       ? "bad"
		       : "warn";
}

static void html_state(const struct incident_timeline *t, FILE *f)
{
	const json_t *node = node_of(t);

	fputs("<dt>State</dt><dd>", f);
	if (!node) {
		fputs("not stated: made of a ledger alone, without a verifier</dd>\n", f);
		return;
	}
	fprintf(f, "<span class=\"t %s\">", state_tone(text_of(node, "state")));
	put_html(f, text_of(node, "state"));
	fputs("</span> since ", f);
	put_stamp(f, text_of(node, "since"), put_html);
	fputs("Z: ", f);
	put_html(f, text_of(node, "cause"));
	fputs(" <span class=\"dim\">(stated by the verifier at ", f);
	put_stamp(f, text_of(t->statement, "made"), put_html);
	fputs("Z)</span></dd>\n", f);
}

static void html_head(const struct incident_timeline *t, FILE *f)
{
	const struct incident_manifest *m = t->m;
	char a[CLOCK_TEXT_SIZE], b[CLOCK_TEXT_SIZE], text[160];

	fputs("<h1>Incident on ", f);
	put_html(f, m->label);
	fputs("</h1>\n<div class=\"dim m\">", f);
	put_html(f, m->node);
	fputs("</div>\n<dl>\n", f);
	html_state(t, f);
	snprintf(text, sizeof(text), "%s to %s, by the node's clock", time_text(m->from_ns, a),
		 time_text(m->to_ns, b));
	html_row(f, "Span", text);
	snprintf(text, sizeof(text), "%" PRIu64 " to %" PRIu64 " of incarnation %" PRIu64, m->first,
		 m->end > 0 ? m->end - 1 : 0, m->incarnation);
	html_row(f, "Ledger lines", text);
	snprintf(text, sizeof(text), "%s by %.100s", time_text(m->made_ns, a),
		 m->by[0] ? m->by : "a key without a name");
	html_row(f, "Made", text);
	html_row(f, "Proof",
		 "plumbctl incident verify FILE says what is proven and what is only stated");
	fputs("</dl>\n", f);
}

/* Above: the node's lines; below: the verifier's. */
static void html_strip(const struct incident_timeline *t, FILE *f)
{
	uint64_t span = t->shown_to_ns - t->shown_from_ns;
	uint64_t last[2] = {UINT64_MAX, UINT64_MAX};
	char a[CLOCK_TEXT_SIZE], b[CLOCK_TEXT_SIZE];
	uint32_t ticks = 0;

	if (t->n < 2 || span == 0)
		return;
	fprintf(f,
		"<h2>In time</h2>\n<div class=\"wrap\"><svg viewBox=\"0 0 %d 64\" "
		"preserveAspectRatio=\"none\" role=\"img\" aria-label=\"entries in time\">\n"
		"<line class=\"axis\" x1=\"0\" y1=\"28\" x2=\"%d\" y2=\"28\"/>\n",
		STRIP_WIDTH, STRIP_WIDTH);
	for (uint32_t i = 0; i < t->n && ticks < STRIP_TICKS; i++) {
		const struct incident_entry *e = &t->entries[i];
		/* In steps of a ten-thousandth, so that no product overflows. */
		uint64_t x = 10 + (e->utc_ns - t->shown_from_ns) / (span / 980 + 1);

		if (last[e->verifier] == x * 4 + e->tone)
			continue;
		last[e->verifier] = x * 4 + e->tone;
		fprintf(f,
			"<line class=\"%s\" x1=\"%" PRIu64 "\" y1=\"%d\" x2=\"%" PRIu64
			"\" y2=\"%d\" stroke-width=\"2\"/>\n",
			tone_name(e->tone), x, e->verifier ? 30 : 6, x, e->verifier ? 50 : 26);
		ticks++;
	}
	fputs("</svg></div>\n", f);
	fprintf(f, "<div class=\"dim\">%s to ", time_text(t->shown_from_ns, a));
	fprintf(f, "%s; above the line the node's own lines, below it the verifier's</div>\n",
		time_text(t->shown_to_ns, b));
}

static const char *severity_tone(const char *s)
{
	return strcmp(s, "critical") == 0 || strcmp(s, "high") == 0 ? "bad"
	       : strcmp(s, "medium") == 0			    ? "warn"
								    : "plain";
}

static void html_case(const json_t *k, FILE *f)
{
	fprintf(f, "<tr><td class=\"n\">%" JSON_INTEGER_FORMAT "</td><td><span class=\"t %s\">",
		json_integer_value(json_object_get(k, "id")),
		severity_tone(text_of(k, "severity")));
	put_html(f, text_of(k, "severity"));
	fputs("</span></td><td class=\"k\"><code>", f);
	put_html(f, text_of(k, "key"));
	fputs("</code><br><span class=\"dim\">expected</span> <code>", f);
	put_html(f, text_of(k, "expected"));
	fputs("</code><br><span class=\"dim\">found</span> <code>", f);
	put_html(f, text_of(k, "found"));
	fputs("</code></td><td class=\"w\">", f);
	put_html(f, text_of(k, "who"));
	fputs("</td><td>", f);
	put_html(f, text_of(k, "rule"));
	fputs("</td><td class=\"n\">", f);
	put_stamp(f, text_of(k, "opened"), put_html);
	fputs("Z</td><td>", f);
	if (text_of(k, "closed")[0]) {
		put_stamp(f, text_of(k, "closed"), put_html);
		fputs("Z: ", f);
		put_html(f, text_of(k, "closed_why"));
	} else {
		fputs("<span class=\"t warn\">open</span>", f);
	}
	fputs("</td></tr>\n", f);
}

static void html_cases(const struct incident_timeline *t, FILE *f)
{
	size_t n;

	if (!node_of(t))
		return;
	fputs("<h2>Cases</h2>\n<div "
	      "class=\"wrap\"><table>\n<thead><tr><th>Case</th><th>Severity</th>"
	      "<th>What</th><th>Who</th><th>Rule</th><th>Opened</th><th>Closed</th></tr></thead>\n"
	      "<tbody>\n",
	      f);
	n = each_case(t, html_case, f);
	if (n == 0)
		fputs("<tr><td colspan=\"7\">none in this span</td></tr>\n", f);
	if (n > MAX_CASES)
		fprintf(f, "<tr><td colspan=\"7\">and %zu more, in statement.dsse</td></tr>\n",
			n - MAX_CASES);
	fputs("</tbody></table></div>\n", f);
}

static void html_entries(const struct incident_timeline *t, FILE *f)
{
	char a[CLOCK_TEXT_SIZE];

	fputs("<h2>Timeline</h2>\n<div class=\"wrap\"><table>\n<thead><tr><th>Time "
	      "(UTC)</th><th>Of</th>"
	      "<th>Line</th><th>Kind</th><th>What</th></tr></thead>\n<tbody>\n",
	      f);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct incident_entry *e = &t->entries[i];

		fprintf(f,
			"<tr><td class=\"n\">%s</td><td>%s</td><td class=\"n\">%" PRIu64
			"</td><td><span class=\"t %s\">",
			time_text(e->utc_ns, a), e->verifier ? "verifier" : "node", e->seq,
			tone_name(e->tone));
		put_html(f, e->kind);
		fputs("</span></td><td class=\"w m\">", f);
		put_html(f, e->text);
		fputs("</td></tr>\n", f);
	}
	if (t->left_out > 0)
		fprintf(f,
			"<tr><td colspan=\"5\">and %" PRIu64
			" more, in ledger/ and log/</td></tr>\n",
			t->left_out);
	fputs("</tbody></table></div>\n<h2>All lines of the node that are here, by type</h2>\n<div "
	      "class=\"wrap\"><ul>\n",
	      f);
	for (uint32_t i = 0; i < t->n_types; i++) {
		fputs("<li>", f);
		put_html(f, t->types[i].type);
		fprintf(f, " <span class=\"dim\">%" PRIu64 "</span></li>\n", t->types[i].n);
	}
	fputs("</ul></div>\n<footer>This page is made of the files beside it, and only says what "
	      "they "
	      "say. <code>plumbctl incident verify</code> makes it again and compares.</footer>\n"
	      "</main>\n</body>\n</html>\n",
	      f);
}

static int end(FILE *f, char **text, const size_t *size, struct buf *ret)
{
	int r = ferror(f) ? -ENOMEM : 0;

	if (fclose(f) != 0)
		r = -ENOMEM;
	if (r >= 0)
		buf_put(ret, *text, *size);
	free(*text);
	return r < 0 ? r : buf_status(ret);
}

int incident_page_text(const struct incident_timeline *t, struct buf *ret)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	text_head(t, f);
	text_cases(t, f);
	text_entries(t, f);
	return end(f, &text, &size, ret);
}

int incident_page_html(const struct incident_timeline *t, struct buf *ret)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	html_begin(t, f);
	html_head(t, f);
	html_strip(t, f);
	html_cases(t, f);
	html_entries(t, f);
	return end(f, &text, &size, ret);
}
