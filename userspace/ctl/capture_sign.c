/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_sign.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "baseline.h"
#include "capture_file.h"
#include "cleanup.h"
#include "dsse.h"
#include "plumb/wire.h"

#define MAX_HEADER (256u * 1024) /* as baseline reads it */
#define CHUNK 65536

static int read_first_line(const struct fsio *io, int fd, struct buf *ret)
{
	const uint8_t *end = NULL;

	while (!end && ret->size < 2 * MAX_HEADER) {
		char chunk[4096];
		size_t n;
		int r = fsio_read_full(io, fd, chunk, sizeof(chunk), ret->size, &n);

		if (r < 0)
			return r;
		if (n == 0)
			break;
		buf_put(ret, chunk, n);
		if (buf_status(ret) < 0)
			return buf_status(ret);
		end = memchr(ret->data, '\n', ret->size);
	}
	if (!end)
		return -EBADMSG;
	ret->size = (size_t)(end - ret->data);
	return 0;
}

static int copy_rest(const struct fsio *io, int fd, uint64_t at, struct capture_file *to)
{
	char chunk[CHUNK];
	size_t n = 1;
	int r = 0;

	while (r >= 0 && n > 0) {
		r = fsio_read_full(io, fd, chunk, sizeof(chunk), at, &n);
		if (r >= 0)
			r = capture_file_put(to, chunk, n);
		at += n;
	}
	return r;
}

static int sign_line(const struct buf *line, const struct sign_key *key, struct buf *ret,
		     struct why *ret_why)
{
	CLEANUP(buf_done) struct buf header = {0}, type = {0};
	int r = dsse_peek(line->data, line->size, MAX_HEADER, &header, &type, ret_why);

	if (r >= 0)
		r = dsse_sign(WIRE_DSSE_BASELINE, header.data, header.size, &key, 1, ret);
	if (r >= 0 && ret->data[ret->size - 1] != '\n')
		buf_puts(ret, "\n");
	return r < 0 ? r : buf_status(ret);
}

int capture_sign(const struct fsio *io, const char *path, const struct sign_key *key,
		 struct why *ret_why)
{
	CLEANUP(buf_done) struct buf line = {0}, signed_line = {0};
	struct capture_file *to = NULL;
	struct baseline *b = NULL;
	struct why why = {""};
	int fd, r;

	/* Nobody's name goes under something that an agent would refuse. */
	r = baseline_open(io, path, NULL, 0, 0, &b, ret_why);
	baseline_free(b);
	if (r < 0)
		return r;
	fd = fsio_open(io, path, O_RDONLY, 0);
	r = fd < 0 ? fd : read_first_line(io, fd, &line);
	if (r >= 0)
		r = sign_line(&line, key, &signed_line, &why);
	if (r >= 0)
		r = capture_file_open(io, path, &to);
	if (r >= 0)
		r = capture_file_put(to, signed_line.data, signed_line.size);
	if (r >= 0)
		r = copy_rest(io, fd, line.size + 1, to);
	if (r >= 0)
		r = capture_file_commit(to);
	else
		capture_file_abandon(to);
	if (fd >= 0)
		fsio_close(io, fd);
	return r < 0 ? why_set(ret_why, r, "%.100s: %.120s", path,
			       why.text[0] ? why.text : strerror(-r))
		     : 0;
}
