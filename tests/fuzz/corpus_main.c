/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_main.c: runs a fuzz target over its corpus without a fuzzing engine, so that the corpus is part of the normal test: each file is
 * tried whole, cut short at every one of 64 places, and with single bits turned; then, for FUZZ_MS (1000) milliseconds, changed in many
 * places at once, and in the forms that they have (mutate.h). In: a directory. Out: one TAP line with the seed (FUZZ_SEED repeats it). What a target died of is left as
 * fuzz-died.<pid> in FUZZ_LEFT, or the directory that it was started in.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mutate.h"

#define MAX_FILES 512
#define MAX_SIZE (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

static struct file {
	uint8_t *data;
	size_t size;
} files[MAX_FILES];
static unsigned int n_files;
static const uint8_t *tried; /* what the target has in hands */
static size_t tried_size;
static uint64_t state;

static void leave(void)
{
	const char *dir = getenv("FUZZ_LEFT");
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/fuzz-died.%d", dir ? dir : ".", (int)getpid());
	fd = tried ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
	if (fd < 0 || write(fd, tried, tried_size) < 0)
		return;
	close(fd);
	fprintf(stderr, "what it died of is in %s\n", path);
}

static void on_signal(int sig)
{
	leave();
	signal(sig, SIG_DFL);
	raise(sig);
}

static uint32_t next(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? (uint32_t)((state >> 20) % below) : 0;
}

/* A copy on the heap without slack, so that the address sanitizer sees one byte too many. */
static void try_bytes(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	tried = copy;
	tried_size = size;
	LLVMFuzzerTestOneInput(copy, size);
	tried = NULL;
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

static size_t insert(uint8_t *data, size_t size, size_t max, const uint8_t *from, size_t n)
{
	size_t at = next((uint32_t)size + 1);

	if (n > max - size)
		return size;
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, from, n);
	return size + n;
}

static size_t cut(uint8_t *data, size_t size)
{
	size_t at = next((uint32_t)size), n = 1 + next((uint32_t)(size - at));

	memmove(data + at, data + at + n, size - at - n);
	return size - n;
}

/* One change: a bit, a byte that parsers stumble over, a piece left out, doubled, or of another file. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	static const char odd[] = "\0\xff\x7f\x80\"\\{}[]:,-+0123456789eE./ \n\t=%";
	static const char *const numbers[] = {"0",     "-1",	     "255",
					      "65536", "4294967295", "18446744073709551615"};
	static uint8_t piece[4096];
	const struct file *f = &files[next(n_files)];
	const char *number = numbers[next(6)];
	size_t at = next((uint32_t)size), n = next(64);

	switch (next(size ? 6 : 2)) {
	case 0:
		if (f->size == 0)
			return size;
		at = next((uint32_t)f->size);
		n = n < f->size - at ? n : f->size - at;
		return insert(data, size, max, f->data + at, n);
	case 1:
		return insert(data, size, max, (const uint8_t *)number, strlen(number));
	case 2:
		data[at] ^= (uint8_t)(1u << next(8));
		return size;
	case 3:
		data[at] = (uint8_t)odd[next(sizeof(odd) - 1)];
		return size;
	case 4:
		return cut(data, size);
	default:
		n = n < size - at ? n : size - at;
		memcpy(piece, data + at, n);
		return insert(data, size, max, piece, n);
	}
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static unsigned long try_changed(uint64_t ms)
{
	static uint8_t data[MAX_SIZE];
	uint64_t end = now_ms() + ms;
	unsigned long n = 0;

	for (; now_ms() < end; n++) {
		const struct file *f = &files[next(n_files)];
		size_t size = f->size;

		memcpy(data, f->data, size);
		for (uint32_t k = 1 + next(8); k > 0; k--)
			size = next(2) ? LLVMFuzzerMutate(data, size, MAX_SIZE)
				       : LLVMFuzzerCustomMutator(data, size, MAX_SIZE,
								 next(UINT32_MAX));
		try_bytes(data, size);
	}
	return n;
}

static int read_file(const char *path)
{
	static uint8_t data[MAX_SIZE];
	FILE *f = n_files < MAX_FILES ? fopen(path, "rb") : NULL;
	struct file *to = &files[n_files];

	if (!f)
		return -1;
	to->size = fread(data, 1, sizeof(data), f);
	fclose(f);
	to->data = malloc(to->size ? to->size : 1);
	if (!to->data)
		abort();
	memcpy(to->data, data, to->size);
	n_files++;
	return 0;
}

int main(int argc, char **argv)
{
	const char *seed = getenv("FUZZ_SEED"), *ms = getenv("FUZZ_MS");
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	unsigned long n = 0;
	uint64_t began;

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
		if (read_file(path) < 0)
			fprintf(stderr, "%s cannot be read\n", path);
	}
	closedir(dir);
	began = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid();
	state = began | 1;
	signal(SIGABRT, on_signal);
	signal(SIGILL, on_signal);
	signal(SIGTRAP, on_signal);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(leave);
	fprintf(stderr, "FUZZ_SEED=%llu\n", (unsigned long long)began);
	for (unsigned int i = 0; i < n_files; i++)
		try_twins(files[i].data, files[i].size);
	if (n_files)
		n = try_changed(ms ? strtoull(ms, NULL, 10) : 1000);
	printf("%sok 1 - corpus %s, %u files and their twins, and %lu changed ones\n",
	       n_files ? "" : "not ", argv[1], n_files, n);
	for (unsigned int i = 0; i < n_files; i++)
		free(files[i].data);
	return n_files ? 0 : 1;
}
