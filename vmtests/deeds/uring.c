/* SPDX-License-Identifier: Apache-2.0 */
/* uring.c: the same through io_uring, where no system call names the file. By raw system calls: there is no liburing here. */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/nvme_ioctl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "deed.h"

struct ring {
	int fd;
	uint32_t *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static int ring_open_with(struct ring *r, uint32_t flags)
{
	struct io_uring_params p = {.flags = flags, .sq_thread_idle = 2000};
	uint8_t *sq, *cq;
	size_t sq_size, cq_size;

	r->fd = (int)syscall(SYS_io_uring_setup, 4, &p);
	if (r->fd < 0)
		return -errno;
	sq_size = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
		       MAP_SHARED, r->fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || r->sqes == MAP_FAILED)
		return -errno;
	r->sq_tail = (uint32_t *)(sq + p.sq_off.tail);
	r->sq_mask = (uint32_t *)(sq + p.sq_off.ring_mask);
	r->sq_array = (uint32_t *)(sq + p.sq_off.array);
	r->cq_head = (uint32_t *)(cq + p.cq_off.head);
	r->cq_tail = (uint32_t *)(cq + p.cq_off.tail);
	r->cq_mask = (uint32_t *)(cq + p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return 0;
}

static int ring_open(struct ring *r)
{
	return ring_open_with(r, 0);
}

/* One request, waited for: its result. A thread of the kernel's may have taken it by then. */
static int ring_do(struct ring *r, const struct io_uring_sqe *sqe)
{
	uint32_t tail = *r->sq_tail, at = tail & *r->sq_mask, head;
	int result;

	r->sqes[at] = *sqe;
	r->sq_array[at] = at;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1,
		    IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL, 0) < 0)
		return -errno;
	head = *r->cq_head;
	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		return -EIO;
	result = r->cqes[head & *r->cq_mask].res;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

static int open_and_write(struct ring *ring, const char *path)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_OPENAT,
				   .fd = AT_FDCWD,
				   .addr = (uintptr_t)path,
				   .open_flags = O_WRONLY};
	int fd = ring_do(ring, &sqe), r;

	if (fd < 0)
		return fd;
	sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_WRITE, .fd = fd, .addr = (uintptr_t) "changed\n", .len = 8};
	r = ring_do(ring, &sqe);
	close(fd);
	return r < 0 ? r : 0;
}

static int write_path(char **argv)
{
	struct ring ring;
	int r = ring_open(&ring);

	return r < 0 ? r : open_and_write(&ring, argv[0]);
}

/* A thread that the kernel made looks for requests. */
static int write_polled(char **argv)
{
	struct ring ring;
	int r = ring_open_with(&ring, IORING_SETUP_SQPOLL);

	return r < 0 ? r : open_and_write(&ring, argv[0]);
}

/* The file is in the ring's own table and never in the process's. Since 5.15. */
static int write_direct(char **argv)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_OPENAT,
				   .fd = AT_FDCWD,
				   .addr = (uintptr_t)argv[0],
				   .open_flags = O_WRONLY,
				   .file_index = 1};
	int32_t empty = -1;
	struct ring ring;
	int r = ring_open(&ring);

	if (r == 0 && syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &empty, 1) < 0)
		r = -errno;
	if (r == 0)
		r = ring_do(&ring, &sqe);
	if (r < 0)
		return r;
	sqe = (struct io_uring_sqe){.opcode = IORING_OP_WRITE,
				    .flags = IOSQE_FIXED_FILE,
				    .addr = (uintptr_t) "changed\n",
				    .len = 8};
	r = ring_do(&ring, &sqe);
	return r < 0 ? r : 0;
}

static int remove_name(char **argv)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (uintptr_t)argv[0]};
	struct ring ring;
	int r = ring_open(&ring);

	return r < 0 ? r : ring_do(&ring, &sqe);
}

/* Since 5.19. */
static int set_xattr(char **argv)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_SETXATTR,
				   .addr = (uintptr_t) "trusted.deed",
				   .addr2 = (uintptr_t) "1",
				   .addr3 = (uintptr_t)argv[0],
				   .len = 1};
	struct ring ring;
	int r = ring_open(&ring);

	return r < 0 ? r : ring_do(&ring, &sqe);
}

static int rename_to(char **argv)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_RENAMEAT,
				   .fd = AT_FDCWD,
				   .addr = (uintptr_t)argv[0],
				   .len = (uint32_t)AT_FDCWD,
				   .off = (uintptr_t)argv[1]};
	struct ring ring;
	int r = ring_open(&ring);

	return r < 0 ? r : ring_do(&ring, &sqe);
}

/* By the first request of a ring whose entries are twice as long. Since 5.19. */
static int nvme_do(const char *path, uint32_t op, const struct nvme_uring_cmd *command)
{
	struct io_uring_sqe *sqe;
	struct ring ring;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = ring_open_with(&ring, IORING_SETUP_SQE128 | IORING_SETUP_CQE32);
	if (r < 0)
		return r;
	sqe = ring.sqes;
	memset(sqe, 0, 128);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = op;
	memcpy(sqe->cmd, command, sizeof(*command));
	ring.sq_array[0] = 0;
	__atomic_store_n(ring.sq_tail, *ring.sq_tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	r = ring.cqes[0].res;
	close(fd);
	return r;
}

/* NVME: its first block is read past its driver's reads. */
static int nvme_read(char **argv)
{
	static uint8_t block[4096] __attribute__((aligned(4096)));
	const struct nvme_uring_cmd command = {
		.opcode = 2, .nsid = 1, .addr = (uintptr_t)block, .data_len = 512};

	return nvme_do(argv[0], NVME_URING_CMD_IO, &command);
}

/* NVME: the controller is asked what it is. */
static int nvme_admin(char **argv)
{
	static uint8_t answer[4096] __attribute__((aligned(4096)));
	const struct nvme_uring_cmd command = {
		.opcode = 6, .addr = (uintptr_t)answer, .data_len = sizeof(answer), .cdw10 = 1};

	return nvme_do(argv[0], NVME_URING_CMD_ADMIN, &command);
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"write", write_path, 1},    {"polled", write_polled, 1},
		{"direct", write_direct, 1}, {"unlink", remove_name, 1},
		{"setxattr", set_xattr, 1},  {"rename", rename_to, 2},
		{"nvme", nvme_read, 1},	     {"nvme_admin", nvme_admin, 1},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
