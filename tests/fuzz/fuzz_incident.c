/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An incident's archive from anybody: unpacked into a directory of its own, or refused with a reason. What begins with "m" is a manifest that is
 * signed first, so that what is behind the signature is looked at, too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dsse.h"
#include "incident_files.h"
#include "plumb/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
	if (!good)
		abort();
}

static void try_manifest(const uint8_t *data, size_t size)
{
	static struct sign_key *key;
	struct incident_manifest m;
	struct buf b = {0};
	struct why why = {""};
	int r;

	must(key || sign_key_generate(SIGN_ED25519, &key) >= 0);
	must(dsse_sign(WIRE_DSSE_INCIDENT, data, size, (const struct sign_key *const *)&key, 1,
		       &b) >= 0);
	r = incident_manifest_open(b.data, b.size, (const struct sign_key *const *)&key, 1, &m,
				   &why);
	buf_done(&b);
	if (r < 0) {
		must(why.text[0] != 0);
		return;
	}
	for (uint32_t i = 0; i < m.n_files; i++)
		must(incident_manifest_name_is_good(m.files[i].name) &&
		     !strstr(m.files[i].name, "..") && m.files[i].name[0] != '/');
	incident_manifest_done(&m);
}

static void try_archive(const uint8_t *data, size_t size)
{
	struct incident_manifest m;
	struct why why = {""};
	int fd = memfd_create("archive", MFD_CLOEXEC);
	char dir[64];
	int r;

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	must(incident_files_scratch(dir) >= 0);
	r = incident_files_unpack(fd, dir, NULL, 0, &m, &why);
	must(r >= 0 || why.text[0]);
	if (r >= 0)
		incident_manifest_done(&m);
	incident_files_remove(dir);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	setenv("TMPDIR", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", 1);
	if (size > 0 && data[0] == 'm' && data[1 < size ? 1 : 0] == '{')
		try_manifest(data + 1, size - 1);
	else
		try_archive(data, size);
	return 0;
}
