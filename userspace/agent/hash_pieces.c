/* SPDX-License-Identifier: Apache-2.0 */
#include "hash_pieces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct hash_pieces {
	struct hash_cache *cache; /* borrowed */
	struct digest_stream *stream;
	struct stat before;
	int fd;
	bool verity;
	uint8_t piece[HASH_PIECES_STEP];
};

static int start(struct hash_pieces *p, bool anew)
{
	if (fstat(p->fd, &p->before) < 0)
		return -errno;
	if (!S_ISREG(p->before.st_mode) || p->before.st_size < (off_t)HASH_PIECES_MIN ||
	    !hash_cache_takes(p->cache, &p->before) ||
	    (!anew && hash_cache_knows(p->cache, &p->before)))
		return 0;
	p->verity = hash_cache_has_verity(p->fd);
	return digest_stream_open(&p->stream) < 0 ? -ENOMEM : 1;
}

int hash_pieces_open_fd(struct hash_cache *c, int fd, bool anew, struct hash_pieces **ret)
{
	struct hash_pieces *p = malloc(sizeof(*p));
	int r;

	if (!p) {
		close(fd);
		return -ENOMEM;
	}
	p->cache = c;
	p->stream = NULL;
	p->fd = fd;
	r = start(p, anew);
	if (r == 1)
		*ret = p;
	else
		hash_pieces_free(p);
	return r;
}

int hash_pieces_open(struct hash_cache *c, const char *path, bool anew, struct hash_pieces **ret)
{
	/* As file_set opens it: a name that became a pipe or a link meanwhile is none of ours. */
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : hash_pieces_open_fd(c, fd, anew, ret);
}

struct hash_pieces *hash_pieces_free(struct hash_pieces *p)
{
	if (!p)
		return NULL;
	digest_stream_free(p->stream);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
	return NULL;
}

int hash_pieces_step(struct hash_pieces *p)
{
	ssize_t n = read(p->fd, p->piece, sizeof(p->piece));
	struct digest d;
	int r;

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	hash_cache_count(p->cache, (uint64_t)n);
	if (n > 0) {
		r = digest_stream_add(p->stream, p->piece, (size_t)n);
		return r < 0 ? r : 1;
	}
	r = digest_stream_end(p->stream, &d);
	return r < 0 ? r : hash_cache_put(p->cache, p->fd, p->verity, &p->before, &d);
}
