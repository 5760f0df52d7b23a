/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup.h: scope-bound release of locals. In: a function `void *x_free(T *)`. Out: the attribute.
 */
#ifndef PLUMB_CLEANUP_H
#define PLUMB_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(func) __attribute__((cleanup(func)))

/* Makes func##_p for use with CLEANUP: DEFINE_CLEANUP(struct buf *, buf_free) */
#define DEFINE_CLEANUP(type, func)			\
	static inline void func##_p(type *p)		\
	{						\
		if (*p)					\
			func(*p);			\
	}						\
	_Static_assert(1, "semicolon")

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
