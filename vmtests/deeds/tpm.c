/* SPDX-License-Identifier: Apache-2.0 */
/* tpm.c: what somebody else does to a PCR, by commands as they are on the wire (TPM 2.0 Library, part 3). */
#include <stdint.h>

#include "deed.h"

#define PASSWORD \
	"\x00\x00\x00\x09\x40\x00\x00\x09\x00\x00\x00\x00\x00" /* an empty one, its size first */

/* The whole command, size in bytes 2 to 5. 0, or -EPERM: this locality may not; -EPROTO: it says something else. */
static int tpm_do(uint8_t *command, size_t size)
{
	int fd = open("/dev/tpmrm0", O_RDWR | O_CLOEXEC);
	uint8_t answer[4096];
	uint32_t code;
	ssize_t n;

	if (fd < 0)
		return -errno;
	command[5] = (uint8_t)size;
	n = write(fd, command, size) == (ssize_t)size ? read(fd, answer, sizeof(answer)) : -1;
	close(fd);
	if (n < 10)
		return -EIO;
	code = (uint32_t)answer[6] << 24 | (uint32_t)answer[7] << 16 | (uint32_t)answer[8] << 8 |
	       answer[9];
	return code == 0 ? 0 : code == 0x907 ? -EPERM : -EPROTO; /* TPM_RC_LOCALITY */
}

static int extend(char **argv)
{
	uint8_t c[65] = "\x80\x02\x00\x00\x00\x00\x00\x00\x01\x82\x00\x00\x00\x00" PASSWORD
			"\x00\x00\x00\x01\x00\x0b";

	c[13] = (uint8_t)atoi(argv[0]);
	memset(c + 33, 0x5a, 32); /* what is extended */
	return tpm_do(c, sizeof(c));
}

static int reset(char **argv)
{
	uint8_t c[27] =
		"\x80\x02\x00\x00\x00\x00\x00\x00\x01\x3d\x00\x00\x00\x00\x00\x00\x00\x09\x40"
		"\x00\x00\x09\x00\x00\x00\x00";

	c[13] = (uint8_t)atoi(argv[0]);
	return tpm_do(c, sizeof(c));
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {{"extend", extend, 1}, {"reset", reset, 1}};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
