/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_files.h: an incident's archive as files, both ways. In: a directory; or an archive from anybody (hostile): bounded, nothing outside the
 * directory, no file that the signed manifest does not name with this size and digest. Out: an archive; or a directory and its manifest.
 */
#ifndef PLUMB_INCIDENT_FILES_H
#define PLUMB_INCIDENT_FILES_H

#include "incident_manifest.h"

/* All plain files below dir, with size and digest, into m. -EINVAL: one that may not be in an archive. */
int incident_files_list(const char *dir, struct incident_manifest *m, struct why *ret_why);
/* The manifest, then the files in its order. */
int incident_files_pack(const char *dir, const struct incident_manifest *m, const struct buf *envelope, const char *path,
			struct why *ret_why);
/*
 * fd: the archive, borrowed. dir: empty, stays with what came when it fails. -EBADMSG, -EKEYREJECTED, -EFBIG: the archive is not good; other < 0: it
 * could not be read.
 */
int incident_files_unpack(int fd, const char *dir, const struct sign_key *const *keys, uint32_t n_keys, struct incident_manifest *ret,
			  struct why *ret_why);
/* Of a file in dir, whole; appended. */
int incident_files_read(const char *dir, const char *name, size_t max, struct buf *ret);
/* A directory of this process's own, and its end. */
int incident_files_scratch(char ret_dir[64]);
void incident_files_remove(const char *dir);	/* "" is allowed */

#endif
