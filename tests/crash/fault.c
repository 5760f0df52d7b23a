/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c: stands between plumbd and libc (LD_PRELOAD) and, as a TCTI, between plumbd and its TPM ("swtpm-fault:<its TCTI>"): kills the
 * process before, in the middle of or after the n-th call at a named place, cuts the power, or makes calls fail. In: $PLUMB_FAULT, a file of the size of struct control that tests/crash/run writes while plumbd runs. For tests only: the
 * program that it is loaded into is the one that is shipped.
 *
 * Places: open write sync truncate rename unlink, each with .events .anchors .notes .tiles .state; tpm.extend tpm.quote tpm.sign
 * tpm.read tpm.other; net.send net.receive.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "fault_control.h"

#define MAX_FD 4096
#define BLOCK 512 /* what a disk writes whole */
#define MAGIC 0x706c756d62666c74ull

static struct control *control;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t seen, calls; /* order that is being counted for */
static struct {
	const char *of; /* events, anchors …; NULL: none of ours */
	int file; /* number in control->files, -1: not followed */
} fds[MAX_FD];

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("PLUMB_FAULT");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		control = p;
	NEXT(close)(fd);
}

static const char *kind_of(const char *path)
{
	const char *dir = getenv("PLUMB_FAULT_DIR"), *base = strrchr(path, '/');

	if (!control || !dir || strncmp(path, dir, strlen(dir)) != 0)
		return NULL;
	base = base ? base + 1 : path;
	if (strstr(path, "/tiles"))
		return "tiles";
	if (strncmp(base, "events-", 7) == 0)
		return "events";
	if (strcmp(base, "anchors") == 0)
		return "anchors";
	return strcmp(base, "notes") == 0 ? "notes" : "state";
}

/* The size was written, and the later blocks of what was not synced; zeros are where the earlier ones were. */
static void hole(const char *path, uint64_t from, uint64_t size)
{
	uint64_t n = (size - 1) / BLOCK - from / BLOCK;
	uint64_t to = n ? (from / BLOCK + 1 + control->armed * 2654435761u % n) * BLOCK : size;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);

	if (fd < 0 || syscall(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
			      to - from) < 0)
		abort(); /* fd goes with the process */
}

static void cut_power(void)
{
	for (uint32_t i = 0; i < control->n_files; i++) {
		const char *path = control->files[i].path;
		uint64_t keep = control->files[i].durable;
		struct stat st;

		if (stat(path, &st) < 0 || (uint64_t)st.st_size <= keep)
			continue;
		if (control->power == 3 && strcmp(kind_of(path), "events") == 0)
			hole(path, keep, (uint64_t)st.st_size);
		else if (truncate(path, (off_t)keep) < 0)
			abort();
		/* A file system that had written the size already. */
		if (control->power == 2 && truncate(path, st.st_size) < 0)
			abort();
		if (control->power > 1 && stat(path, &st) == 0)
			control->files[i].durable = (uint64_t)st.st_size;
	}
}

/* A power cut is one moment for all threads: who is at a file waits, and never goes on. */
static pthread_rwlock_t power = PTHREAD_RWLOCK_INITIALIZER;
static __thread bool at_file;

static bool enter(void)
{
	pthread_rwlock_rdlock(&power);
	at_file = true;
	return true;
}

static void leave(bool *entered)
{
	(void)entered;
	at_file = false;
	pthread_rwlock_unlock(&power);
}

#define AT_FILE __attribute__((cleanup(leave), unused)) bool entered = enter()

static void end(void)
{
	__atomic_add_fetch(&control->fired, 1, __ATOMIC_SEQ_CST);
	if (control->power) {
		if (at_file)
			pthread_rwlock_unlock(&power);
		pthread_rwlock_wrlock(&power);
		cut_power();
	}
	syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		pause();
}

/* What is to be done at this call. Kills before it happen here. */
static enum deed at(const char *op, const char *of)
{
	char place[32];
	enum deed d = DEED_NONE;

	if (!control)
		return DEED_NONE;
	snprintf(place, sizeof(place), "%s.%s", op, of);
	pthread_mutex_lock(&lock);
	if (seen != __atomic_load_n(&control->armed, __ATOMIC_SEQ_CST)) {
		seen = control->armed;
		calls = 0;
	}
	if (control->deed && strncmp(place, control->place, strlen(control->place)) == 0 &&
	    ++calls >= control->nth &&
	    (control->count == 0 || calls < control->nth + control->count))
		d = (enum deed)control->deed;
	pthread_mutex_unlock(&lock);
	if (d == DEED_KILL_BEFORE)
		end();
	if (d == DEED_SLOW) {
		const struct timespec t = {control->value / 1000, control->value % 1000 * 1000000};

		nanosleep(&t, NULL);
	}
	if (d == DEED_ERROR || d == DEED_SHORT || d == DEED_LOST || d == DEED_SLOW)
		__atomic_add_fetch(&control->fired, 1, __ATOMIC_SEQ_CST);
	return d;
}

/* True: the call is to fail so; errno is set. A half that is no write's is one before. */
static bool fails(enum deed d)
{
	if (d == DEED_KILL_HALF)
		end();
	if (d != DEED_ERROR)
		return false;
	errno = (int)control->value;
	return true;
}

static void after(enum deed d)
{
	if (d == DEED_KILL_AFTER)
		end();
}

static int follow(const char *path, uint64_t size)
{
	uint32_t i;

	for (i = 0; i < control->n_files; i++)
		if (strcmp(control->files[i].path, path) == 0)
			return (int)i;
	if (i == MAX_FILES || strlen(path) >= sizeof(control->files[i].path))
		return -1;
	snprintf(control->files[i].path, sizeof(control->files[i].path), "%s", path);
	control->files[i].durable = size;
	control->n_files++;
	return (int)i;
}

static uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int opened(int fd, const char *path, const char *of)
{
	if (fd < 0 || fd >= MAX_FD)
		return fd;
	fds[fd].of = of;
	fds[fd].file = -1;
	/* Also what is only read: recovery syncs what it reads. */
	if (of && strcmp(of, "state") != 0)
		fds[fd].file = follow(path, size_of(fd));
	return fd;
}

static int open_any(const char *path, int flags, mode_t mode)
{
	AT_FILE;
	const char *of = kind_of(path);
	enum deed d = DEED_NONE;
	int fd;

	if (control && control->boot_id[0] &&
	    strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) {
		fd = memfd_create("boot_id", MFD_CLOEXEC);
		if (fd >= 0 && write(fd, control->boot_id, strlen(control->boot_id)) < 0)
			return -1;
		return fd;
	}
	if (of && flags & O_CREAT)
		d = at("open", of);
	if (fails(d))
		return -1;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	after(d);
	return opened(fd, path, of);
}

int open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
	va_end(list);
	return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
	va_end(list);
	return open_any(path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);

int __open_2(const char *path, int flags)
{
	return open_any(path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
	return open_any(path, flags, 0);
}

static const char *of_fd(int fd)
{
	return fd >= 0 && fd < MAX_FD ? fds[fd].of : NULL;
}

int close(int fd)
{
	if (fd >= 0 && fd < MAX_FD)
		fds[fd].of = NULL;
	return NEXT(close)(fd);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	AT_FILE;
	const char *of = of_fd(fd);
	enum deed d = of ? at("write", of) : DEED_NONE;
	ssize_t n;

	if (d == DEED_SHORT && size > 1)
		size = control->value ? size - 1 : size / 2;
	if (d == DEED_KILL_HALF) {
		syscall(SYS_pwrite64, fd, data, size / 2, offset);
		end();
	}
	if (fails(d))
		return -1;
	n = syscall(SYS_pwrite64, fd, data, size, offset);
	after(d);
	return n;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
	return pwrite(fd, data, size, offset);
}

static int sync_any(int fd, long number)
{
	AT_FILE;
	const char *of = of_fd(fd);
	enum deed d = of ? at("sync", of) : DEED_NONE;
	uint64_t size = of ? size_of(fd) : 0;
	int r;

	if (fails(d))
		return -1;
	r = (int)syscall(number, fd);
	if (r == 0 && of && fds[fd].file >= 0)
		control->files[fds[fd].file].durable = size;
	after(d);
	return r;
}

int fsync(int fd)
{
	return sync_any(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return sync_any(fd, SYS_fdatasync);
}

int ftruncate(int fd, off_t size)
{
	AT_FILE;
	const char *of = of_fd(fd);
	enum deed d = of ? at("truncate", of) : DEED_NONE;
	int r;

	if (fails(d))
		return -1;
	r = (int)syscall(SYS_ftruncate, fd, size);
	if (r == 0 && of && fds[fd].file >= 0 &&
	    control->files[fds[fd].file].durable > (uint64_t)size)
		control->files[fds[fd].file].durable = (uint64_t)size;
	after(d);
	return r;
}

int ftruncate64(int fd, off_t size)
{
	return ftruncate(fd, size);
}

int rename(const char *from, const char *to)
{
	AT_FILE;
	const char *of = kind_of(to);
	enum deed d = of ? at("rename", of) : DEED_NONE;
	int r;

	if (fails(d))
		return -1;
	r = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
	after(d);
	return r;
}

int unlink(const char *path)
{
	AT_FILE;
	const char *of = kind_of(path);
	enum deed d = of ? at("unlink", of) : DEED_NONE;
	int r;

	if (fails(d))
		return -1;
	r = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	after(d);
	return r;
}

/* Only the connection to the verifier: what goes to other ports is the TPM's, which is counted at its commands. */
static bool is_verifier(int fd)
{
	const char *port = getenv("PLUMB_FAULT_PORT");
	struct sockaddr_storage a;
	socklen_t size = sizeof(a);

	if (!control || !port || getpeername(fd, (struct sockaddr *)&a, &size) < 0 ||
	    a.ss_family != AF_INET)
		return false;
	return (a.ss_family << 16 | ((uint8_t *)&a)[2] << 8 | ((uint8_t *)&a)[3]) ==
	       (AF_INET << 16 | atoi(port));
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
	enum deed d = is_verifier(fd) ? at("net", "send") : DEED_NONE;
	ssize_t n;

	if (d == DEED_KILL_HALF) {
		syscall(SYS_sendto, fd, data, size / 2, flags, NULL, 0);
		end();
	}
	if (fails(d))
		return -1;
	n = syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
	after(d);
	return n;
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
	ssize_t n = syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
	enum deed d = n > 0 && is_verifier(fd) ? at("net", "receive") : DEED_NONE;

	if (fails(d))
		return -1;
	after(d);
	return n;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, id, t);

	if (r == 0 && control && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += control->clock_s;
	if (r == 0 && control && id == CLOCK_BOOTTIME)
		t->tv_sec += control->boot_s;
	return r;
}

time_t time(time_t *ret)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (ret)
		*ret = t.tv_sec;
	return t.tv_sec;
}

/* libbpf calls the kernel by number. */
long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf && control && control->no_bpf) {
		errno = EPERM;
		return -1;
	}
	if (!next)
		next = (__typeof__(next))dlsym(RTLD_NEXT, "syscall");
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* --- the TPM --- */
struct between {
	TSS2_TCTI_CONTEXT_COMMON_V2 common;
	TSS2_TCTI_CONTEXT *inner;
	enum deed deed; /* of the command at hand, for its answer */
	uint32_t answer; /* a response code in place of the TPM's; 0: none */
};

static const char *command_name(uint32_t code)
{
	switch (code) {
	case 0x182:
		return "extend";
	case 0x158:
		return "quote";
	case 0x15d:
		return "sign";
	case 0x17e: /* PCR_Read */
	case 0x181: /* ReadClock */
		return "read";
	}
	return "other";
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t size, uint8_t const *command)
{
	struct between *b = (struct between *)ctx;
	uint32_t code = size < 10 ? 0
				  : (uint32_t)command[6] << 24 | (uint32_t)command[7] << 16 |
					    (uint32_t)command[8] << 8 | command[9];

	b->deed = at("tpm", command_name(code));
	b->answer = 0;
	if (b->deed == DEED_KILL_HALF) {
		Tss2_Tcti_Transmit(b->inner, size, command); /* begun, and nobody hears the end */
		end();
	}
	if (b->deed == DEED_ERROR && control->value == 0)
		return TSS2_TCTI_RC_IO_ERROR;
	if (b->deed == DEED_ERROR) {
		b->answer = control->value;
		return TSS2_RC_SUCCESS;
	}
	return Tss2_Tcti_Transmit(b->inner, size, command);
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *size, uint8_t *response, int32_t timeout)
{
	struct between *b = (struct between *)ctx;
	TSS2_RC r;

	if (b->answer) {
		uint8_t bytes[10] = {0x80, 0x01, [5] = 10};

		for (int i = 0; i < 4; i++)
			bytes[6 + i] = (uint8_t)(b->answer >> (24 - 8 * i));
		*size = sizeof(bytes);
		if (response)
			memcpy(response, bytes, sizeof(bytes));
		return TSS2_RC_SUCCESS;
	}
	r = Tss2_Tcti_Receive(b->inner, size, response, timeout);
	if (r != TSS2_RC_SUCCESS || !response)
		return r;
	after(b->deed);
	return b->deed == DEED_LOST ? TSS2_TCTI_RC_IO_ERROR : r;
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
	Tss2_TctiLdr_Finalize(&((struct between *)ctx)->inner);
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *ctx)
{
	return Tss2_Tcti_Cancel(((struct between *)ctx)->inner);
}

static TSS2_RC get_poll_handles(TSS2_TCTI_CONTEXT *ctx, TSS2_TCTI_POLL_HANDLE *handles, size_t *n)
{
	return Tss2_Tcti_GetPollHandles(((struct between *)ctx)->inner, handles, n);
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
	return Tss2_Tcti_SetLocality(((struct between *)ctx)->inner, locality);
}

static TSS2_RC init(TSS2_TCTI_CONTEXT *ctx, size_t *size, const char *conf)
{
	struct between *b = (struct between *)ctx;

	if (!ctx) {
		*size = sizeof(*b);
		return TSS2_RC_SUCCESS;
	}
	memset(b, 0, sizeof(*b));
	b->common.v1.magic = MAGIC;
	b->common.v1.version = 2;
	b->common.v1.transmit = transmit;
	b->common.v1.receive = receive;
	b->common.v1.finalize = finalize;
	b->common.v1.cancel = cancel;
	b->common.v1.getPollHandles = get_poll_handles;
	b->common.v1.setLocality = set_locality;
	return Tss2_TctiLdr_Initialize(conf, &b->inner);
}

const TSS2_TCTI_INFO *Tss2_Tcti_Info(void);
const TSS2_TCTI_INFO *Tss2_Tcti_Info(void)
{
	static const TSS2_TCTI_INFO info = {
		.version = 2,
		.name = "tcti-fault",
		.description = "fails when it is told to",
		.config_help = "the string of the TCTI behind it",
		.init = init,
	};

	return &info;
}
