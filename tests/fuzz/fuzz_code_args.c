/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of an interpreter, as whoever runs one may write them: a file that is named lies within them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "code_args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"sh", "python", "perl", "node", "php", "", "other"};
	const char *args = (const char *)data, *file = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (code_args_read(names[i], args, size, S_IFREG, &file, &n) != CODE_ARGS_FILE)
			continue;
		if (file < args || n == 0 || file + n > args + size || memchr(file, '\0', n))
			abort();
	}
	return 0;
}
