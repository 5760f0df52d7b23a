/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of runtimes from package databases: what is installed, what was, what nobody knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims_fixture.h"
#include "claims_runtime.h"

#define DPKG "root/var/lib/dpkg/status"

static int setup(void **state)
{
	struct claims_fixture *f = calloc(1, sizeof(*f));

	claims_fixture_open(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	claims_fixture_done(*state);
	free(*state);
	return 0;
}

static const char *version(struct claims_fixture *f, const char *name)
{
	char key[64];

	assert_true(claims_runtime_all(&f->source) >= 0);
	snprintf(key, sizeof(key), "runtime:%s.version", name);
	return claims_fixture_found(f, key);
}

static void test_dpkg(void **state)
{
	struct claims_fixture *f = *state;

	assert_string_equal(version(f, "containerd"), "absent");
	claims_fixture_text(
		f, DPKG,
		"Package: containerd\nStatus: deinstall ok config-files\nVersion: 1.6\n\n"
		"Package: containerd.io\nStatus: install ok installed\nPriority: "
		"optional\nDescription: x\n Package: kubelet\n"
		"Version: 1.7.25-1\n\nPackage: kubelet\nStatus: hold ok installed\nVersion: "
		"1.31.2-1.1");
	assert_string_equal(version(f, "containerd"), "containerd.io 1.7.25-1");
	assert_string_equal(version(f, "kubelet"), "kubelet 1.31.2-1.1");
	/* It brings its own. */
	assert_string_equal(version(f, "runc"), "containerd.io 1.7.25-1");
	assert_string_equal(version(f, "docker"), "absent");
	/* A package of that name that is no longer installed is none. */
	claims_fixture_text(f, DPKG,
			    "Package: kubelet\nStatus: install ok not-installed\nVersion: 1\n");
	assert_string_equal(version(f, "kubelet"), "absent");
	claims_fixture_text(f, DPKG, "Package: kubelet\nStatus: install ok half-configured\n\n");
	assert_string_equal(version(f, "kubelet"), "kubelet ?");
	/* Both architectures. */
	claims_fixture_text(f, DPKG,
			    "Package: runc\nStatus: install ok installed\nVersion: 2\n\nPackage: "
			    "runc\nStatus: install ok "
			    "installed\nVersion: 1\n\n");
	assert_string_equal(version(f, "runc"), "runc 1,runc 2");
}

static void test_apk(void **state)
{
	struct claims_fixture *f = *state;

	claims_fixture_text(f, "root/lib/apk/db/installed",
			    "C:Q1\nP:musl\nV:1.2\n\nP:docker\nV:26.1.5-r0\nT:x\n\nP:k3s\nV:1.30\n");
	assert_string_equal(version(f, "docker"), "docker 26.1.5-r0");
	assert_string_equal(version(f, "k3s"), "k3s 1.30");
	assert_string_equal(version(f, "crio"), "absent");
}

static void test_nobody_knows(void **state)
{
	struct claims_fixture *f = *state;

	claims_fixture_text(f, "root/usr/local/bin/k3s", "elf");
	assert_string_equal(version(f, "k3s"), "unknown no package database");
	claims_fixture_text(f, DPKG, "Package: bash\nStatus: install ok installed\nVersion: 5\n\n");
	assert_string_equal(version(f, "k3s"), "unknown no package has it");
	assert_string_equal(version(f, "crio"), "absent");
	/* A database that cannot be read says nothing of what is not installed. */
	claims_fixture_remove(f, DPKG);
	scratch_run(f->top, "mkdir " DPKG);
	assert_string_equal(version(f, "crio"), "unknown EISDIR");
}

static void test_long_lines_and_pieces(void **state)
{
	struct claims_fixture *f = *state;
	size_t n = 200000;
	char *text = malloc(n + 200);

	memset(text, 'a', n);
	memcpy(text, "Package: runc\nDepends: ", 23);
	strcpy(text + n, "\nStatus: install ok installed\nVersion: 1.2\n\n");
	claims_fixture_text(f, DPKG, text);
	assert_string_equal(version(f, "runc"), "runc 1.2");
	free(text);
	for (size_t cut = 0; cut < 60; cut++) {
		static const char record[] =
			"Package: runc\nStatus: install ok installed\nVersion: 3\n\n";
		struct claims_runtime_packages p = {.apk = false};

		assert_int_equal(claims_runtime_parse(&p, record,
						      cut < strlen(record) ? cut : strlen(record)),
				 0);
		assert_int_equal(claims_runtime_parse(
					 &p, record + (cut < strlen(record) ? cut : strlen(record)),
					 cut < strlen(record) ? strlen(record) - cut : 0),
				 0);
		assert_int_equal(p.found.n, 1);
		assert_string_equal(p.found.names[0], "runc 3");
		claims_names_clear(&p.found);
	}
}

static void test_files(void **state)
{
	struct claims_fixture *f = *state;
	const char *paths[CLAIMS_RUNTIME_MAX_FILES];

	assert_int_equal(claims_runtime_files(&f->source, paths), 0);
	claims_fixture_text(f, "root/etc/kubernetes/kubelet.conf", "x");
	claims_fixture_text(f, "root/var/lib/kubelet/config.yaml", "x");
	assert_int_equal(claims_runtime_files(&f->source, paths), 2);
	assert_string_equal(paths[0], "/etc/kubernetes");
	assert_string_equal(paths[1], "/var/lib/kubelet/config.yaml");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_dpkg),  T(test_apk), T(test_nobody_knows), T(test_long_lines_and_pieces),
		T(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
