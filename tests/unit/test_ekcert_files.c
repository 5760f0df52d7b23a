/* SPDX-License-Identifier: Apache-2.0 */
/* Files of anchors: those that are shipped, directories of them, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "ekcert.h"

#define VENDORS "deploy/tpm-vendors"
#define GOOGLE VENDORS "/clouds/google.pem"

static struct why why;

/* What is shipped is whole, and has no software TPM's maker in it. */
static void test_shipped(void **state)
{
	static const char *const files[] = {VENDORS "/roots.pem", VENDORS "/intermediates.pem",
					    GOOGLE};
	static const unsigned int wanted[] = {26, 143, 5};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		FILE *f = fopen(files[i], "r");
		unsigned int n = 0;
		X509 *cert;

		assert_non_null(f);
		while ((cert = PEM_read_X509(f, NULL, NULL, NULL))) {
			char name[512];

			assert_true(X509_check_ca(cert) != 0);
			X509_NAME_oneline(X509_get_subject_name(cert), name, sizeof(name));
			assert_null(strstr(name, "swtpm"));
			X509_free(cert);
			n++;
		}
		fclose(f);
		assert_int_equal(n, wanted[i]);
	}
}

static void test_directory(void **state)
{
	char dir[] = "/tmp/plumb-ekcert-XXXXXX", path[64];
	const char *files[] = {dir};
	struct ekcert_anchors *a = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(ekcert_anchors_open(fsio_system(), files, 1, NULL, &a, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "holds no *.pem"));
	snprintf(path, sizeof(path), "%s/b.pem", dir);
	assert_int_equal(fsio_replace_file(fsio_system(), path, "hello\n", 6, 0600), 0);
	assert_int_equal(ekcert_anchors_open(fsio_system(), files, 1, NULL, &a, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "/b.pem: holds no certificate"));
	assert_null(a);
	unlink(path);
	rmdir(dir);
}

static void bad_bundle(const char *text, const char *wanted)
{
	char path[] = "/tmp/plumb-ekcert-XXXXXX";
	const char *files[] = {path};
	struct ekcert_anchors *a = NULL;
	int fd = mkstemp(path);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(ekcert_anchors_open(fsio_system(), files, 1, NULL, &a, &why), -EBADMSG);
	assert_non_null(strstr(why.text, wanted));
	assert_non_null(strstr(why.text, path));
	assert_null(a);
	unlink(path);
}

static void test_bundles(void **state)
{
	const char *missing[] = {"/does/not/exist.pem"};
	struct buf pem = {0};
	struct ekcert_anchors *a = NULL;

	(void)state;
	bad_bundle("", "holds no certificate");
	bad_bundle("hello\n", "holds no certificate");
	bad_bundle("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		   "certificate 1 is malformed");
	/* Five good ones and a sixth that is cut off. */
	assert_int_equal(fsio_read_file(fsio_system(), GOOGLE, 1 << 20, &pem), 0);
	buf_cut(&pem, pem.size - 100);
	bad_bundle((char *)pem.data, "malformed");
	assert_int_equal(ekcert_anchors_open(fsio_system(), missing, 1, NULL, &a, &why), -ENOENT);
	assert_int_equal(ekcert_anchors_open(fsio_system(), NULL, 0, missing[0], &a, &why),
			 -ENOENT);
	assert_null(ekcert_anchors_free(NULL));
	buf_done(&pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_bundles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
