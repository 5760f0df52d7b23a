/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of /proc/PID/maps and their broken twins; and the real one of this process: a library that is mapped, a file that is removed, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "scan_maps.h"
#include "scratch.h"
#include "served.h"

#define LINE "7f0a1000-7f0a2000 r-xp 00001000 08:01 131090                     /usr/lib/x.so"

static int parse(const char *text, struct scan_maps_entry *ret)
{
	/* Of its own size, so that reading past the end is seen. */
	char *copy = malloc(strlen(text) + !*text);
	int r;

	memcpy(copy, text, strlen(text));
	r = scan_maps_parse(copy, strlen(text), ret);
	if (r >= 0 && ret->path_size > 0)
		ret->path = text + (ret->path - copy);
	free(copy);
	return r;
}

static void test_lines(void **state)
{
	static const char *const broken[] = {
		"",
		"7f0a1000",
		"7f0a1000-",
		"7f0a1000-7f0a2000",
		"7f0a1000-7f0a2000 r-x",
		"7f0a1000-7f0a2000 r-xp 00001000 08:01",
		"7f0a1000-7f0a2000 r-xp 00001000 08:01 x",
		"7f0a2000-7f0a1000 r-xp 00001000 08:01 1 /x",
		"7f0a1000-7f0a2000 r-xp 00001000 fffff:01 1 /x",
		"x-7f0a2000 r-xp 00001000 08:01 1 /x",
		"7f0a1000-7f0a2000  r-xp 00001000 08:01 1 /x",
	};
	struct scan_maps_entry e;

	(void)state;
	assert_int_equal(parse(LINE, &e), 1);
	assert_int_equal(e.from, 0x7f0a1000);
	assert_int_equal(e.to, 0x7f0a2000);
	assert_int_equal(e.dev, 8u << 20 | 1);
	assert_int_equal(e.ino, 131090);
	assert_int_equal(e.path_size, strlen("/usr/lib/x.so"));
	assert_memory_equal(e.path, "/usr/lib/x.so", e.path_size);
	assert_int_equal(parse("7f0a1000-7f0a2000 r--p 0 08:01 131090 /usr/lib/x.so", &e), 0);
	assert_int_equal(parse("7f0a1000-7f0a2000 r-xp 0 00:01 17 /memfd:x (deleted)", &e), 1);
	assert_int_equal(e.path_size, strlen("/memfd:x"));
	assert_false(e.shared);
	assert_int_equal(parse("7f0a1000-7f0a2000 r-xs 0 00:01 17 /memfd:x (deleted)", &e), 1);
	assert_true(e.shared);
	assert_int_equal(parse("7f0a1000-7f0a2000 rwxp 0 00:00 0 ", &e), 1);
	assert_int_equal(e.ino, 0);
	assert_int_equal(parse("7f0a1000-7f0a2000 r-xp 0 00:00 0 [vdso]", &e), 0);
	assert_int_equal(parse("7f0a1000-7f0a2000 r-xp 0 00:00 0 [vdso] ", &e), 1);
	/* A file of that name is a file. */
	assert_int_equal(parse("7f0a1000-7f0a2000 r-xp 0 00:01 7 [vdso]", &e), 1);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		if (parse(broken[i], &e) != -EBADMSG)
			fail_msg("\"%s\" is taken", broken[i]);
}

struct bench {
	char top[SCRATCH_SIZE], pid[16];
	struct proctab *proctab;
	struct hash_cache *hashes;
	char removed[256], library[256], memory[256], whole[128];
	bool memfd; /* one was told as a file */
	char wanted[SCRATCH_SIZE + 32];
	char locked[256];
	uint32_t n_served;
	uint64_t longest_ns; /* of one step */
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	assert_int_equal(l->type, PLUMB_TYPE_CODE);
	if (strcmp(l->key, b->wanted) == 0)
		snprintf(b->removed, sizeof(b->removed), "%s %s", l->found, l->hash_src);
	b->memfd |= strncmp(l->key, "code:/memfd:", 12) == 0;
	b->n_served += strcmp(l->found, "unmeasured " SERVED_WHY) == 0;
	if (strncmp(l->key, "code:", 5) == 0 && strstr(l->key, "/libc.so."))
		snprintf(b->library, sizeof(b->library), "%s %s", l->found, l->hash_src);
	if (strncmp(l->key, "memory:locked:", 14) == 0)
		snprintf(b->locked, sizeof(b->locked), "%s %s", l->key + 14, l->found);
	if (strncmp(l->key, "memory:anonymous:", 17) == 0)
		snprintf(b->memory, sizeof(b->memory), "%s", l->key + 17);
}

static int on_claim(void *ctx, const char *key, const char *value)
{
	struct bench *b = ctx;

	assert_string_equal(key, "kernel:executable_maps");
	snprintf(b->whole, sizeof(b->whole), "%s", value);
	return 1;
}

/* A /proc in which there is nobody but us. */
static void scan(struct bench *b)
{
	const struct measure_sink sink = {b, on_line, NULL, NULL};
	const struct record_line_tables t = {b->proctab, b->hashes, NULL, clock_system()};
	char proc[SCRATCH_SIZE + 8];
	struct claims_source s = {.proc = proc, .put = on_claim, .ctx = b};
	struct scan_maps *m = NULL;
	int put = 0, r = 1;

	snprintf(proc, sizeof(proc), "%s/proc", b->top);
	assert_int_equal(scan_maps_open(&s, &t, &sink, &m), 0);
	while (r == 1) {
		uint64_t from = clock_boot_ns(clock_system()), took;

		r = scan_maps_step(m, &put);
		took = clock_boot_ns(clock_system()) - from;
		b->longest_ns = took > b->longest_ns ? took : b->longest_ns;
	}
	assert_int_equal(r, 0);
	assert_int_equal(put, 1);
	scan_maps_free(m);
}

/* What a compiler at run time maps twice is memory, what a loader maps of a memfd for itself is a file. */
static void map_memfd(struct bench *b, int how, const char *exe)
{
	int fd = memfd_create("twice", MFD_CLOEXEC);
	void *at;

	assert_int_equal(ftruncate(fd, 4096), 0);
	at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, how, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	close(fd);
	b->memory[0] = '\0';
	b->memfd = false;
	scan(b);
	assert_int_equal(b->memfd, how == MAP_PRIVATE);
	if (how == MAP_SHARED)
		assert_string_equal(b->memory, exe);
	munmap(at, 4096);
}

static void test_real(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	char path[SCRATCH_SIZE + 16], exe[256] = "";
	void *file, *memory;
	int fd;

	(void)state;
	scratch_open(b->top, "code");
	scratch_run(
		b->top,
		"mkdir proc && ln -s /proc/%d proc/%d && ln -s %d proc/self && printf abc >x.so",
		getpid(), getpid(), getpid());
	assert_int_equal(proctab_open(0, NULL, &b->proctab), 0);
	assert_int_equal(hash_cache_open(0, 0, &b->hashes), 0);
	snprintf(path, sizeof(path), "%s/x.so", b->top);
	snprintf(b->wanted, sizeof(b->wanted), "code:%s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	file = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(file, MAP_FAILED);
	close(fd);
	unlink(path);
	fd = open("/proc/self/map_files", O_PATH | O_CLOEXEC);
	if (fd < 0)
		skip();
	close(fd);
	scan(b);
	assert_string_equal(b->removed,
			    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410"
			    "ff61f20015ad user");
	assert_memory_equal(b->library, "sha256:", 7);
	assert_string_equal(b->whole, "listed");
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	scan(b);
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_string_equal(b->memory, exe);
	munmap(file, 4096);
	munmap(memory, 4096);
	map_memfd(b, MAP_SHARED, exe);
	map_memfd(b, MAP_PRIVATE, exe);
	proctab_free(b->proctab);
	hash_cache_free(b->hashes);
	scratch_done(b->top);
	free(b);
}

/* As test_real has it, but for a mount table in which all is served: nothing is read, though the bytes are there. */
static void test_served(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	int fd = open("/proc/self/map_files", O_PATH | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	close(fd);
	scratch_open(b->top, "code");
	scratch_run(
		b->top,
		"mkdir -p proc/%d && cd proc/%d && for i in exe maps map_files ns root; do ln -s "
		"/proc/%d/$i .; done; sed 's/ - [^ ]* / - nfs4 /' /proc/%d/mountinfo >mountinfo",
		getpid(), getpid(), getpid(), getpid());
	assert_int_equal(proctab_open(0, NULL, &b->proctab), 0);
	assert_int_equal(hash_cache_open(0, 0, &b->hashes), 0);
	scan(b);
	assert_string_equal(b->library, "unmeasured " SERVED_WHY " none");
	assert_true(b->n_served >= 2);
	assert_int_equal(hash_cache_n_bytes(b->hashes), 0);
	assert_string_equal(b->whole, "listed");
	proctab_free(b->proctab);
	hash_cache_free(b->hashes);
	scratch_done(b->top);
	free(b);
}

/*
 * A process keeps its maps, which a pipe stands for that nobody writes to: the loop goes on in between, it is told which, that not all could be
 * looked at, and who comes after it is.
 */
static void test_kept(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	int fd = open("/proc/self/map_files", O_PATH | O_CLOEXEC);
	char path[SCRATCH_SIZE + 16];
	uint64_t from;

	(void)state;
	if (fd < 0)
		skip();
	close(fd);
	scratch_open(b->top, "code");
	scratch_run(b->top,
		    "mkdir -p proc/7 && mkfifo proc/7/maps && ln -s /bin/a proc/7/exe && "
		    "ln -s /proc/%d proc/%d",
		    getpid(), getpid());
	assert_int_equal(proctab_open(0, NULL, &b->proctab), 0);
	assert_int_equal(hash_cache_open(0, 0, &b->hashes), 0);
	alarm(60);
	scan(b);
	assert_memory_equal(b->library, "sha256:", 7);
	assert_string_equal(b->locked, "/bin/a unmeasured its maps do not come");
	assert_string_equal(b->whole, "unknown a process keeps its memory locked");
	/* It is not waited for a second time. */
	from = clock_boot_ns(clock_system());
	b->whole[0] = '\0';
	scan(b);
	assert_true(clock_boot_ns(clock_system()) - from < 2000000000);
	assert_string_equal(b->whole, "unknown a process keeps its memory locked");
	assert_true(b->longest_ns < 1000000000);
	alarm(0);
	snprintf(path, sizeof(path), "%s/proc/7/maps", b->top);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	proctab_free(b->proctab);
	hash_cache_free(b->hashes);
	scratch_done(b->top);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_real),
		cmocka_unit_test(test_served), cmocka_unit_test(test_kept)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
