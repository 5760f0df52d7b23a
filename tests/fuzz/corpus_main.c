/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_main.c: runs a fuzz target over its corpus without a fuzzing engine, so that the corpus is part of the normal test.
 * In: a directory. Out: one TAP line; each file is tried whole, cut short at every one of 64 places, and with single bits turned.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy on the heap without slack, so that the address sanitizer sees one byte too many. */
static void try_bytes(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void try_twins(uint8_t *data, size_t size)
{
	size_t step = size / 64 + 1;

	try_bytes(data, size);
	for (size_t at = 0; at < size; at += step) {
		try_bytes(data, at);
		data[at] ^= (uint8_t)(1u << (at % 8));
		try_bytes(data, size);
		data[at] ^= (uint8_t)(1u << (at % 8));
	}
}

static int try_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f)
		return -1;
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	try_twins(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int n = 0;
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

	if (!dir) {
		printf("not ok 1 - corpus %s cannot be opened\n",
		       argc == 2 ? argv[1] : "(none given)");
		return 1;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		char path[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		if (try_file(path) == 0)
			n++;
	}
	closedir(dir);
	printf("%sok 1 - corpus %s, %u files and their twins\n", n ? "" : "not ", argv[1], n);
	return n ? 0 : 1;
}
