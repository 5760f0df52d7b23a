/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as the runtimes make them, and names that only look so; /proc/PID/cgroup of v1, hybrid and v2 nodes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "container_path.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define POD "8dbc42f8-2f5c-4a11-9c4e-0123456789ab"
#define POD_ "8dbc42f8_2f5c_4a11_9c4e_0123456789ab"
#define POD2 "11111111-2222-3333-4444-555555555555"
#define STATIC "0123456789abcdef0123456789abcdef"

struct row {
	const char *path, *id, *pod;
};

static void hold(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct container_path c;

		container_path_parse(rows[i].path, &c);
		if (strcmp(c.id, rows[i].id) != 0 || strcmp(c.pod, rows[i].pod) != 0)
			fail_msg("%s is \"%s\" \"%s\", not \"%s\" \"%s\"", rows[i].path, c.id,
				 c.pod, rows[i].id, rows[i].pod);
	}
}

static void test_shapes(void **state)
{
	static const struct row rows[] = {
		{NULL, "", ""},
		{"", "", ""},
		{"/", "", ""},
		{"/system.slice/ssh.service", "", ""},
		{"/user.slice/user-1000.slice/session-3.scope", "", ""},
		/* Docker: cgroupfs, systemd, a container that makes groups of its own */
		{"/docker/" ID, ID, ""},
		{"/docker/" ID "/inner.slice", ID, ""},
		{"/system.slice/docker-" ID ".scope", ID, ""},
		/* cgroupfs driver */
		{"/kubepods/burstable/pod" POD "/" ID, ID, POD},
		{"/kubepods/besteffort/pod" POD "/" ID, ID, POD},
		{"/kubepods/pod" POD "/" ID, ID, POD},
		{"/kubepods/besteffort/pod" POD "/crio-" ID, ID, POD},
		{"/kubepods/burstable/pod" STATIC "/" ID, ID, STATIC},
		/* systemd driver */
		{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_
		 ".slice/cri-containerd-" ID ".scope",
		 ID, POD},
		{"/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID ".scope", ID, POD},
		{"/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID ".scope/container", ID, POD},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_
		 ".slice/docker-" ID ".scope",
		 ID, POD},
		{"/kubepods.slice/kubepods-pod" STATIC ".slice/cri-containerd-" ID ".scope", ID,
		 STATIC},
		/* the monitor is none of the container's */
		{"/kubepods.slice/kubepods-pod" POD_ ".slice/crio-conmon-" ID ".scope", "", POD},
		{"/machine.slice/libpod-conmon-" ID ".scope", "", ""},
		{"/machine.slice/libpod-" ID ".scope", ID, ""},
		{"/machine.slice/libpod-" ID ".scope/container", ID, ""},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
		 ".scope/container",
		 ID, ""},
		{"/system.slice/web.service/libpod-payload-" ID, ID, ""},
		{"/libpod_parent/libpod-" ID, ID, ""},
		/* containerd without a slice of its own */
		{"/system.slice/containerd.service/kubepods-burstable-pod" POD_
		 ".slice:cri-containerd:" ID,
		 ID, POD},
		{"/kubepods-pod" POD_ ".slice:cri-containerd:" ID, ID, POD},
		{"/default/" ID, ID, ""},
		{"/system.slice/nerdctl-" ID ".scope", ID, ""},
		/* kind: a node in a container; and Docker in a pod */
		{"/system.slice/docker-" ID ".scope/kubelet.slice/kubelet-kubepods.slice/"
		 "kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" POD_
		 ".slice/cri-containerd-" ID2 ".scope",
		 ID2, POD},
		{"/docker/" ID "/kubelet/kubepods/besteffort/pod" POD "/" ID2, ID2, POD},
		{"/kubepods/besteffort/pod" POD "/" ID "/docker/" ID2, ID2, POD},
		{"/kubepods/pod" POD "/" ID "/kubepods/pod" POD2 "/" ID2, ID2, POD2},
		/* from another cgroup namespace */
		{"/../../kubepods/pod" POD "/" ID, ID, POD},
	};

	(void)state;
	hold(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_look_alikes(void **state)
{
	static const struct row rows[] = {
		{"/docker/" ID "0", "", ""},
		{"/docker/0" ID, "", ""},
		{"/docker/x" ID, "", ""},
		{"/docker-" ID ".scopes", "", ""},
		{"/docker-" ID ".scope.d", "", ""},
		{"/docker-" ID ".service", "", ""},
		{"/docker/0123456789abcdef", "", ""},
		{"/docker/0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", "",
		 ""},
		{"/docker-.scope", "", ""},
		{"/.scope", "", ""},
		{"/xconmon-" ID, "", ""},
		{"/pod" POD "0/" ID, ID, ""},
		{"/pod/" ID, ID, ""},
		{"/xpod" POD "/" ID, ID, ""},
		{"/kubepods/pod8dbc42f8-2f5c-4a11-9c4e-0123456789a/" ID, ID, ""},
		{"/kubepods/pod8dbc42f8x2f5c-4a11-9c4e-0123456789ab/" ID, ID, ""},
		{"/kubepods/pod8DBC42F8-2f5c-4a11-9c4e-0123456789ab/" ID, ID, ""},
		{"/kubepods-pod" POD_ ".slices/" ID, ID, ""},
		{"/kubepods-pod" POD_ ".sli/" ID, ID, ""},
	};
	char big[CONTAINER_PATH_MAX + 100];
	struct container_path c;

	(void)state;
	hold(rows, sizeof(rows) / sizeof(rows[0]));
	/* As long as may be, and one byte more. */
	memset(big, 'a', sizeof(big));
	memcpy(big + CONTAINER_PATH_MAX - 1 - strlen("/" ID), "/" ID, strlen("/" ID) + 1);
	container_path_parse(big, &c);
	assert_string_equal(c.id, ID);
	big[CONTAINER_PATH_MAX - 1 - strlen("/" ID)] = 'a';
	memcpy(big + CONTAINER_PATH_MAX - strlen("/" ID), "/" ID, strlen("/" ID) + 1);
	container_path_parse(big, &c);
	assert_string_equal(c.id, "");
}

static void test_choose(void **state)
{
	static const struct {
		const char *text, *path;
	} rows[] = {
		{"0::/kubepods/pod1/x\n", "/kubepods/pod1/x"},
		{"0::/\n", "/"},
		/* v1: what names the container counts, wherever it stands */
		{"12:pids:/\n3:cpu,cpuacct:/docker/" ID "\n1:name=systemd:/x\n0::/\n",
		 "/docker/" ID},
		{"0::/init.scope\n1:name=systemd:/docker/" ID "\n", "/docker/" ID},
		/* hybrid: v2 goes before systemd's own, and that before the others */
		{"5:memory:/foo\n1:name=systemd:/system.slice/a.service\n0::/b.slice\n",
		 "/b.slice"},
		{"5:memory:/foo\n1:name=systemd:/system.slice/a.service\n0::/\n",
		 "/system.slice/a.service"},
		{"5:memory:/foo\n4:cpu:/bar\n", "/foo"},
		{"4:cpu:/\n5:name=x:/foo\n", "/"},
		/* a named hierarchy; colons in a name; a group that is gone */
		{"1:name=a:b:/a:b/docker-" ID ".scope\n", NULL},
		{"1:cpu:/a:b/docker-" ID ".scope\n", "/a:b/docker-" ID ".scope"},
		{"0::/docker/" ID " (deleted)\n", "/docker/" ID " (deleted)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[CONTAINER_PATH_MAX];
		int r = container_path_choose(rows[i].text, strlen(rows[i].text), path);

		if (rows[i].path ? r != 0 || strcmp(path, rows[i].path) != 0 : r != -EBADMSG)
			fail_msg("%s: %d %s", rows[i].text, r, r == 0 ? path : "");
	}
}

static void test_twins(void **state)
{
	static const char good[] = "12:pids:/a\n3:cpu,cpuacct:/docker/" ID "\n0::/\n";
	static const char *const bad[] = {
		"pids:/a\n", ":pids:/a\n", "1:pids\n",	 "1:pids:\n", "1:pids:a\n", "x1::/a\n",
		"1::",	     "\n",	   "1:a:/a\n\n", "1 :a:/a\n", "::/\n",
	};
	char path[CONTAINER_PATH_MAX], text[CONTAINER_PATH_MAX + 64];

	(void)state;
	assert_int_equal(container_path_choose("", 0, path), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (container_path_choose(bad[i], strlen(bad[i]), path) != -EBADMSG)
			fail_msg("%s was taken", bad[i]);
	/* Cut within a line it is refused, between lines it is another file. */
	for (size_t cut = 1; cut < strlen(good); cut++)
		assert_int_equal(container_path_choose(good, cut, path),
				 good[cut - 1] == '\n' ? 0 : -EBADMSG);
	assert_int_equal(container_path_choose("0::/a\0b\n", 8, path), -EBADMSG);
	memset(text, 'a', sizeof(text));
	memcpy(text, "0::/", 4);
	text[3 + CONTAINER_PATH_MAX - 1] = '\n';
	assert_int_equal(container_path_choose(text, 3 + CONTAINER_PATH_MAX, path), 0);
	text[3 + CONTAINER_PATH_MAX - 1] = 'a';
	text[3 + CONTAINER_PATH_MAX] = '\n';
	assert_int_equal(container_path_choose(text, 4 + CONTAINER_PATH_MAX, path), -EBADMSG);
}

/* Where a name that anybody may give does not make him somebody else. */
static void test_owner(void **state)
{
	static const struct {
		const char *path, *owner;
	} rows[] = {
		{"", ""},
		{"/", "/"},
		{"unknown", "unknown"},
		{"/init.scope", "/init.scope"},
		{"/system.slice/ssh.service", "/system.slice/ssh.service"},
		{"/system.slice/x.service/a/b", "/system.slice/x.service"},
		{"/system.slice/run-r12ab.scope", "/system.slice/run-"},
		{"/system.slice/docker-" ID ".scope", "/system.slice/docker-" ID ".scope"},
		{"/docker/" ID "/kubelet/kubepods/pod" POD "/" ID2, "/docker/" ID},
		{"/kubepods/pod" POD "/" ID, "/kubepods/pod" POD},
		{"/kubepods/burstable/pod" POD "/" ID "/" ID2 "/x", "/kubepods/burstable/pod" POD},
		{"/a/b/c/kubepods/pod" POD2 "/" ID, "/a/b/c/kubepods/pod" POD2},
		{"/user.slice/user-1000.slice/user@1000.service/pod" POD "/" ID,
		 "/user.slice/user-1000.slice"},
		{"/user.slice/user-1000.slice/libpod-" ID ".scope", "/user.slice/user-1000.slice"},
		{"//a//b", "//a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (container_path_owner(rows[i].path) != strlen(rows[i].owner))
			fail_msg("%s: %zu bytes, not %s", rows[i].path,
				 container_path_owner(rows[i].path), rows[i].owner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),	    cmocka_unit_test(test_owner),
		cmocka_unit_test(test_look_alikes), cmocka_unit_test(test_choose),
		cmocka_unit_test(test_twins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
