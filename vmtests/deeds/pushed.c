/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pushed.c: `pushed check DIRECTORY` runs a memfd that is not sealed, and holds the exec back between what the kernel asks of it and what it tells
 * of it, by a lease on the program's interpreter. Meanwhile, and before, thousands of execs fail: whatever is kept of each takes room.
 */
#include <elf.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "deed.h"

#define BEFORE 4500 /* more than places for one thread each */
#define MEANWHILE 2500 /* more than once as many as there is room for beside them */
#define CODE_AT (sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr))
#define FILE_SIZE 4096

static const uint8_t ends[] = {0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05}; /* exit(0) */

/* One page that is mapped, with code in it; interpreter NULL: it is one itself. */
static int write_program(int fd, const char *interpreter)
{
	static uint8_t file[FILE_SIZE];
	Elf64_Ehdr *e = (void *)file;
	Elf64_Phdr *p = (void *)(file + sizeof(*e));
	size_t name_at = CODE_AT + sizeof(ends);

	memset(file, 0, sizeof(file));
	memcpy(e->e_ident, ELFMAG, SELFMAG);
	e->e_ident[EI_CLASS] = ELFCLASS64;
	e->e_ident[EI_DATA] = ELFDATA2LSB;
	e->e_ident[EI_VERSION] = EV_CURRENT;
	e->e_type = ET_DYN;
	e->e_machine = EM_X86_64;
	e->e_version = EV_CURRENT;
	e->e_entry = CODE_AT;
	e->e_phoff = sizeof(*e);
	e->e_ehsize = sizeof(*e);
	e->e_phentsize = sizeof(*p);
	e->e_phnum = interpreter ? 2 : 1;
	p[0] = (Elf64_Phdr){.p_type = PT_LOAD,
			    .p_flags = PF_R | PF_X,
			    .p_filesz = FILE_SIZE,
			    .p_memsz = FILE_SIZE,
			    .p_align = 4096};
	memcpy(file + CODE_AT, ends, sizeof(ends));
	if (interpreter) {
		p[1] = (Elf64_Phdr){.p_type = PT_INTERP,
				    .p_offset = name_at,
				    .p_filesz = strlen(interpreter) + 1};
		strcpy((char *)file + name_at, interpreter);
	}
	return write(fd, file, sizeof(file)) == FILE_SIZE ? 0 : -EIO;
}

static int put_program(const char *path, const char *interpreter)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755), r;

	if (fd < 0)
		return -errno;
	r = write_program(fd, interpreter);
	close(fd);
	return r;
}

/* They end as they fail: nobody may have anything of them after that. */
static pid_t fail_once(const char *path)
{
	char name[] = "fails", *argv[] = {name, NULL}, *envp[] = {NULL};
	pid_t pid = vfork();

	if (pid == 0) {
		execve(path, argv, envp);
		_exit(1);
	}
	return pid;
}

static int fail(const char *path, int n)
{
	for (int i = 0; i < n; i++) {
		pid_t pid = fail_once(path);

		if (pid < 0 || waitpid(pid, NULL, 0) < 0)
			return -errno;
	}
	return 0;
}

static pid_t run_memfd(const char *interpreter)
{
	char name[] = "pushed", *argv[] = {name, NULL}, *envp[] = {NULL};
	int fd = (int)syscall(SYS_memfd_create, "pushed", MFD_CLOEXEC), r;
	pid_t pid;

	r = fd < 0 ? -errno : write_program(fd, interpreter);
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(126);
	}
	return pid < 0 ? -errno : pid;
}

static bool is_asked_for(int fd)
{
	for (int i = 0; i < 200; i++) {
		if (fcntl(fd, F_GETLEASE) != F_WRLCK)
			return true;
		usleep(50000);
	}
	return false;
}

static int check(char **argv)
{
	char interpreter[256], bad[256];
	int fd, status, r;
	pid_t pid;

	signal(SIGIO, SIG_IGN);
	snprintf(interpreter, sizeof(interpreter), "%s/interpreter", argv[0]);
	snprintf(bad, sizeof(bad), "%s/bad", argv[0]);
	r = put_program(interpreter, NULL);
	if (r == 0)
		r = put_program(bad, "/none");
	if (r == 0)
		r = fail(bad, BEFORE);
	if (r < 0)
		return r;
	fd = open(interpreter, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		return -errno;
	pid = run_memfd(interpreter);
	if (pid < 0)
		return pid;
	r = is_asked_for(fd) ? fail(bad, MEANWHILE) : -ETIMEDOUT;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (r < 0)
		return r;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EACCES;
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {{"check", check, 1}};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
