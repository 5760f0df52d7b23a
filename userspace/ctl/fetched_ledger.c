/* SPDX-License-Identifier: Apache-2.0 */
#include "fetched_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_file.h"
#include "cleanup.h"
#include "digest.h"
#include "jsonl.h"
#include "ledger_boot.h"
#include "ledger_dir.h"
#include "ledger_tiles.h"

#define MAX_TILES 64 /* held until they are written */

enum { EVENTS, ANCHORS, NOTES, N_FILES };

static const char *const names[N_FILES] = {"events-00000000000000000000.jsonl", "anchors", "notes"};

struct fetched_ledger {
	char dir[PATH_MAX], temp[PATH_MAX];
	char paths[N_FILES][PATH_MAX];
	struct capture_file *files[N_FILES];
	uint64_t sizes[N_FILES];
	struct ledger_tiles *tiles;
};

static int path_of(const struct fetched_ledger *f, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", f->temp, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int put_header(struct fetched_ledger *f, const char *origin)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_str(&j, "plumb", "segment");
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "origin", origin);
	jsonl_uint(&j, "first", 0);
	jsonl_array(&j, "frontier");
	jsonl_close(&j);
	jsonl_end(&j);
	buf_puts(&b, "\n");
	return buf_status(&b) < 0 ? buf_status(&b)
				  : capture_file_put(f->files[EVENTS], b.data, b.size);
}

static int open_files(struct fetched_ledger *f, const char *origin)
{
	int r = 0;

	for (int i = 0; i < N_FILES && r >= 0; i++) {
		r = path_of(f, names[i], f->paths[i]);
		if (r >= 0)
			r = capture_file_open(fsio_system(), f->paths[i], &f->files[i]);
	}
	if (r >= 0)
		r = put_header(f, origin);
	if (r >= 0)
		r = capture_file_put(f->files[ANCHORS], LEDGER_ANCHORS_MAGIC,
				     strlen(LEDGER_ANCHORS_MAGIC));
	return r < 0 ? r : ledger_tiles_open(fsio_system(), f->temp, 0, &f->tiles);
}

int fetched_ledger_open(const char *dir, const char *origin, struct fetched_ledger **ret)
{
	struct fetched_ledger *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	if (snprintf(f->temp, sizeof(f->temp), "%s.part-XXXXXX", dir) >= (int)sizeof(f->temp)) {
		free(f);
		return -ENAMETOOLONG;
	}
	snprintf(f->dir, sizeof(f->dir), "%s", dir);
	if (!mkdtemp(f->temp)) {
		r = -errno;
		free(f);
		return r;
	}
	r = open_files(f, origin);
	if (r < 0) {
		fetched_ledger_abandon(f);
		return r;
	}
	*ret = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void fetched_ledger_abandon(struct fetched_ledger *f)
{
	if (!f)
		return;
	for (int i = 0; i < N_FILES; i++)
		capture_file_abandon(f->files[i]);
	ledger_tiles_free(f->tiles);
	nftw(f->temp, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
}

/* The tiles are made from the lines, as the node's own are: a proof of one line needs them. */
int fetched_ledger_event(struct fetched_ledger *f, const struct buf_view *line)
{
	struct digest leaf;
	int r = capture_file_put(f->files[EVENTS], line->data, line->size);

	if (r >= 0)
		r = capture_file_put(f->files[EVENTS], "\n", 1);
	if (r >= 0)
		r = merkle_leaf(line->data, line->size, &leaf);
	if (r >= 0)
		r = ledger_tiles_add(f->tiles, &leaf);
	return r >= 0 && ledger_tiles_waiting(f->tiles) >= MAX_TILES ? ledger_tiles_flush(f->tiles)
								     : r;
}

static int put_bounded(struct fetched_ledger *f, int file, const void *data, size_t size)
{
	if (size == 0)
		return 0;
	if (size > FETCHED_LEDGER_MAX_PART - f->sizes[file])
		return -E2BIG;
	f->sizes[file] += size;
	return capture_file_put(f->files[file], data, size);
}

int fetched_ledger_anchors(struct fetched_ledger *f, const void *data, size_t size)
{
	return put_bounded(f, ANCHORS, data, size);
}

int fetched_ledger_notes(struct fetched_ledger *f, const void *data, size_t size)
{
	return put_bounded(f, NOTES, data, size);
}

/* The verifier of a release before has no such member. What is wrong with the bytes shows when they are checked. */
static int write_boots(const struct fetched_ledger *f, const json_t *o, enum ledger_boot_file what,
		       const char *member)
{
	struct why why;
	json_t *list, *item;
	size_t i;
	int r = jsonl_get_array(o, member, LEDGER_BOOT_MAX, &list, &why);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	json_array_foreach (list, i, item) {
		CLEANUP(buf_done) struct buf data = {0};
		char path[PATH_MAX];
		struct digest d;

		r = json_is_string(item) ? digest_from_base64(json_string_value(item),
							      json_string_length(item), &data)
					 : -EBADMSG;
		if (r >= 0)
			r = digest_sha256(data.data, data.size, &d);
		if (r >= 0)
			r = ledger_boot_path(f->temp, what, &d, path);
		if (r >= 0)
			r = fsio_replace_file(fsio_system(), path, data.data, data.size, 0600);
		if (r < 0)
			return r;
	}
	return 0;
}

int fetched_ledger_boots(struct fetched_ledger *f, const json_t *o)
{
	char path[PATH_MAX];
	int r = path_of(f, LEDGER_BOOT_DIR, path);

	if (r >= 0)
		r = fsio_mkdir_all(fsio_system(), path, 0700);
	if (r >= 0)
		r = write_boots(f, o, LEDGER_BOOT_LOG, "boot_logs");
	return r < 0 ? r : write_boots(f, o, LEDGER_BOOT_MEASURED, "measure_logs");
}

static int put_record(const struct fetched_ledger *f, const struct buf_view *record)
{
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX];
	int r = path_of(f, "record.json", path);

	buf_put(&b, record->data, record->size);
	buf_puts(&b, "\n");
	if (r >= 0)
		r = buf_status(&b);
	return r < 0 ? r : fsio_replace_file(fsio_system(), path, b.data, b.size, 0644);
}

int fetched_ledger_commit(struct fetched_ledger *f, const struct buf_view *record)
{
	int r = ledger_tiles_flush(f->tiles);

	for (int i = 0; i < N_FILES && r >= 0; i++) {
		r = capture_file_commit(f->files[i]);
		f->files[i] = NULL;
	}
	if (r >= 0)
		r = put_record(f, record);
	/* Not over a directory that came meanwhile, not even an empty one. */
	if (r >= 0 && renameat2(AT_FDCWD, f->temp, AT_FDCWD, f->dir, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0) {
		fetched_ledger_abandon(f);
		return r;
	}
	ledger_tiles_free(f->tiles);
	free(f);
	return 0;
}
