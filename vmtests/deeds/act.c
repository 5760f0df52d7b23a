/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act.c: `act CGROUP COMMAND` becomes a shell that does one deed, in the cgroup of that directory ("-": where it is). Its number stays, so
 * that whoever is named by a line can be held against it; what it was and when is stamped as deed.h says.
 */
#include "deed.h"

static int enter(const char *cgroup)
{
	char path[1024];
	int fd, r;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write(fd, "0", 1) == 1 ? 0 : -errno;
	close(fd);
	return r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc != 3) {
		fprintf(stderr, "act CGROUP COMMAND\n");
		return 2;
	}
	r = strcmp(argv[1], "-") == 0 ? 0 : enter(argv[1]);
	if (r < 0) {
		fprintf(stderr, "%s\n", strerrorname_np(-r));
		return 1;
	}
	deed_stamp();
	execlp("sh", "sh", "-c", argv[2], (char *)NULL);
	perror("sh");
	return 1;
}
