/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

struct command {
	struct event_base *base;
	char *file;
	uint32_t limit_ms;
	pid_t pid; /* 0: none runs */
	int pidfd;
	struct event *ended;
	command_fn *done;
	void *ctx;
};

struct words {
	char text[COMMAND_MAX_FILE + 1];
	char *argv[COMMAND_MAX_WORDS + 1];
};

static int read_all(int fd, char *ret, size_t max, size_t *ret_size)
{
	size_t size = 0;
	ssize_t n;

	while ((n = read(fd, ret + size, max - size)) != 0) {
		if (n < 0)
			return -errno;
		size += (size_t)n;
		if (size == max)
			return -E2BIG;
	}
	*ret_size = size;
	return 0;
}

/* Whoever may write it says what the verifier runs. */
static int open_file(const char *file, int *ret, struct why *ret_why)
{
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return why_set(ret_why, -EINVAL, "contain_command: %.150s: %s", file,
			       strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022)) {
		close(fd);
		return why_set(ret_why, -EINVAL,
			       "contain_command: %.150s: it has to be a file of root's that nobody "
			       "else may write",
			       file);
	}
	*ret = fd;
	return 0;
}

static int read_words(const char *file, struct words *w, struct why *ret_why)
{
	size_t size = 0, n = 0;
	int fd = -1, r = open_file(file, &fd, ret_why);

	if (r < 0)
		return r;
	r = read_all(fd, w->text, COMMAND_MAX_FILE, &size);
	close(fd);
	if (r < 0 || memchr(w->text, 0, size))
		return why_set(ret_why, -EINVAL, "contain_command: %.150s: %s", file,
			       r < 0 ? strerror(-r) : "a NUL is in it");
	w->text[size] = 0;
	for (char *at, *word = strtok_r(w->text, "\n", &at); word;
	     word = strtok_r(NULL, "\n", &at)) {
		if (n == COMMAND_MAX_WORDS)
			return why_set(ret_why, -EINVAL,
				       "contain_command: %.150s: more than %d words", file,
				       COMMAND_MAX_WORDS);
		w->argv[n++] = word;
	}
	w->argv[n] = NULL;
	if (n == 0 || w->argv[0][0] != '/')
		return why_set(ret_why, -EINVAL,
			       "contain_command: %.150s: its first line is no absolute path", file);
	return 0;
}

int command_check(const char *file, struct why *ret_why)
{
	struct words *w = malloc(sizeof(*w));
	int r = w ? read_words(file, w, ret_why) : -ENOMEM;

	free(w);
	return r;
}

/* In memory, so that a program that does not read it keeps nobody. */
static int make_input(const void *body, size_t size, int *ret)
{
	int fd = memfd_create("plumb-transition", MFD_CLOEXEC);
	size_t at = 0;

	if (fd < 0)
		return -errno;
	while (at < size) {
		ssize_t n = write(fd, (const char *)body + at, size - at);

		if (n < 0) {
			int r = -errno;

			close(fd);
			return r;
		}
		at += (size_t)n;
	}
	if (lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -EIO;
	}
	*ret = fd;
	return 0;
}

static int spawn(const struct words *w, int input, pid_t *ret)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const environment[] = {path, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	/* A group of its own: what it started ends with it. */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	r = -posix_spawn(ret, w->argv[0], &actions, &attributes, w->argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r;
}

static void reap(struct command *c, int *ret_status)
{
	*ret_status = 0;
	kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, ret_status, 0) < 0 && errno == EINTR)
		;
	if (c->ended)
		event_free(c->ended);
	c->ended = NULL;
	close(c->pidfd);
	c->pid = 0;
}

static void on_ended(evutil_socket_t fd, short what, void *ctx)
{
	struct command *c = ctx;
	struct why why = {""};
	int status, r = 0;

	(void)fd;
	reap(c, &status);
	if (what & EV_TIMEOUT)
		r = why_set(&why, -ETIMEDOUT, "contain_command: killed after %u ms", c->limit_ms);
	else if (WIFSIGNALED(status))
		r = why_set(&why, -EPROTO, "contain_command: ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		r = why_set(&why, -EPROTO, "contain_command: ended with %d", WEXITSTATUS(status));
	c->done(c->ctx, r, &why);
}

static int watch(struct command *c)
{
	const struct timeval limit = {c->limit_ms / 1000, c->limit_ms % 1000 * 1000};
	int status, r = 0;

	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd < 0)
		r = -errno;
	if (r >= 0)
		c->ended = event_new(c->base, c->pidfd, EV_READ, on_ended, c);
	if (r >= 0 && (!c->ended || event_add(c->ended, &limit) < 0))
		r = -ENOMEM;
	if (r < 0)
		reap(c, &status);
	return r;
}

int command_start(struct command *c, const void *body, size_t size, command_fn *done, void *ctx,
		  struct why *ret_why)
{
	struct words *w;
	int input = -1, r;

	if (c->pid)
		return -EBUSY;
	w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	r = read_words(c->file, w, ret_why);
	if (r >= 0)
		r = make_input(body, size, &input);
	if (r >= 0) {
		r = spawn(w, input, &c->pid);
		close(input);
		if (r < 0)
			c->pid = 0;
	}
	c->done = done;
	c->ctx = ctx;
	if (r >= 0)
		r = watch(c);
	if (r < 0 && !ret_why->text[0])
		why_set(ret_why, r, "contain_command: %.150s: %s",
			w->argv[0] ? w->argv[0] : c->file, strerror(-r));
	free(w);
	return r;
}

int command_open(const struct command_options *o, struct command **ret)
{
	struct command *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->base = o->base;
	c->limit_ms = o->limit_ms;
	c->file = strdup(o->file);
	if (!c->file) {
		free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

struct command *command_free(struct command *c)
{
	const struct why why = {"the program stops"};
	int status;

	if (!c)
		return NULL;
	if (c->pid) {
		reap(c, &status);
		c->done(c->ctx, -ECANCELED, &why);
	}
	free(c->file);
	free(c);
	return NULL;
}
