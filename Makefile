# SPDX-License-Identifier: Apache-2.0
# One Makefile, not recursive; everything it makes lies in build/. Sources, tests and programs are found by wildcard.
#   V=1 shows commands; SAN=1 builds with address and undefined sanitizers, SAN=thread with the other; WERROR=1 makes warnings errors (both on in CI).
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
SHELL := /bin/bash

ifeq ($(CI),true)
SAN ?= 1
WERROR ?= 1
endif
SAN ?= 0
WERROR ?= 0
CC := gcc
CLANG ?= clang
O := build
ifeq ($(SAN),1)
O := build/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
ifeq ($(SAN),thread)
O := build/tsan
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer
endif
PREFIX ?= /usr/local
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)

PKGS := libcrypto libssl libevent libevent_openssl libevent_pthreads libcurl jansson libcyaml yaml-0.1 sqlite3 \
	libnl-3.0 libzstd tss2-esys tss2-tctildr tss2-mu tss2-rc libseccomp libsystemd libbpf \
	libarchive libnftables
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lelf -lz -lpthread
WARN := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wwrite-strings \
	$(if $(filter 1,$(WERROR)),-Werror)
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE $(if $(SANFLAGS),,-D_FORTIFY_SOURCE=2)
INCLUDES := -Iinclude -Iuserspace/lib -Iuserspace/agent -Iuserspace/ctl -Iuserspace/verifier -Itests/fakes -I$(O)/bpf
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARN) $(HARDEN) $(SANFLAGS) $(INCLUDES) $(PKG_CFLAGS) -MMD -MP
LDFLAGS_ALL = -pie -Wl,--as-needed -Wl,-z,relro,-z,now,-z,noexecstack $(SANFLAGS) $(LDFLAGS)

main_plumbd := agent/plumbd
main_plumb-verifier := verifier/plumb_verifier
main_plumbctl := ctl/plumbctl
PROGRAMS := $(foreach p,plumbd plumb-verifier plumbctl,$(if $(wildcard userspace/$(main_$(p)).c),$(p)))
MAINS := $(foreach p,$(PROGRAMS),userspace/$(main_$(p)).c)
rooms = $(patsubst %.c,$(O)/%.o,$(filter-out $(MAINS),$(wildcard userspace/$(1)/*.c)))
ARCHIVES := $(foreach h,agent verifier ctl lib,$(O)/lib$(h).a)
FAKES := $(patsubst %.c,$(O)/%.o,$(wildcard tests/fakes/*.c))
UNIT := $(patsubst %.c,$(O)/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MAIN := $(patsubst %.c,$(O)/%.o,$(filter-out tests/fuzz/fuzz_%.c,$(wildcard tests/fuzz/*.c)))
BENCH := $(patsubst %.c,$(O)/%,$(filter-out tests/bench/spawn.c,$(wildcard tests/bench/*.c))) $(O)/tests/bench/spawn
REPLAY := $(O)/vmtests/replay
DEEDS := $(patsubst %.c,$(O)/%,$(wildcard vmtests/deeds/*.c))
FORGE := $(O)/tests/forge/forge
HERD := $(O)/tests/kube/herd
SHIM := $(O)/tests/bench/shim/libtss2-tcti-slow.so
FAULT := $(O)/tests/crash/libtss2-tcti-swtpm-fault.so
BPF := $(patsubst bpf/%.bpf.c,$(O)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
SKEL := $(if $(BPF),$(O)/bpf/plumb.skel.h)

all: $(foreach p,$(PROGRAMS),$(O)/$(p)) ## build the three programs

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n",$$1,$$2}' $(MAKEFILE_LIST)

deps: ## install what is needed from Debian (root)
	$(Q)tests/deps

$(O)/%.o: %.c | $(SKEL)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(foreach h,agent verifier ctl lib,$(eval $(O)/lib$(h).a: $(call rooms,$(h))))
$(O)/libfakes.a: $(FAKES)
$(ARCHIVES) $(O)/libfakes.a:
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(O)/plumbd: $(O)/userspace/agent/plumbd.o $(O)/libagent.a $(O)/liblib.a
$(O)/plumb-verifier: $(O)/userspace/verifier/plumb_verifier.o $(O)/libverifier.a $(O)/liblib.a
$(O)/plumbctl: $(O)/userspace/ctl/plumbctl.o $(O)/libctl.a $(O)/liblib.a
$(foreach p,$(PROGRAMS),$(O)/$(p)):
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# Kernel programs: one object a subject, linked into one skeleton.
BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
$(O)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<)$(CLANG) -g -O2 -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wextra -Wno-missing-declarations \
		$(if $(filter 1,$(WERROR)),-Werror) -Iinclude -I/usr/include/$(shell uname -m)-linux-gnu -MMD -MP -c -o $@ $<
$(O)/bpf/plumb.bpf.o: $(BPF)
	$(call say,BPFLD,$@)PATH=$$PATH:/usr/sbin bpftool gen object $@ $^
$(SKEL): $(O)/bpf/plumb.bpf.o
	$(call say,SKEL,$@)PATH=$$PATH:/usr/sbin bpftool gen skeleton $< name plumb > $@

# Tests. Every runner speaks TAP; tests/run counts it.
$(UNIT): $(O)/tests/unit/%: $(O)/tests/unit/%.o $(FAKES) $(ARCHIVES)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $< $(FAKES) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(PKG_LIBS) -lcmocka
$(FUZZ): $(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(FUZZ_MAIN) $(ARCHIVES) $(O)/libfakes.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $< $(FUZZ_MAIN) -Wl,--start-group $(ARCHIVES) $(O)/libfakes.a -Wl,--end-group $(PKG_LIBS)
$(filter-out %/spawn,$(BENCH)): $(O)/tests/bench/%: $(O)/tests/bench/%.o $(FAKES) $(ARCHIVES)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $< $(FAKES) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(PKG_LIBS) -lcmocka

$(FORGE): $(patsubst %.c,$(O)/%.o,$(wildcard tests/forge/*.c)) $(ARCHIVES) $(O)/libfakes.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(ARCHIVES) $(O)/libfakes.a -Wl,--end-group $(PKG_LIBS) -lcmocka

$(HERD): $(O)/tests/kube/herd.o $(O)/tests/forge/forge_node.o $(O)/tests/forge/forge_wire.o $(ARCHIVES) $(O)/libfakes.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(ARCHIVES) $(O)/libfakes.a -Wl,--end-group $(PKG_LIBS) -lcmocka

$(REPLAY): $(O)/vmtests/replay.o $(O)/liblib.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# What it takes to start is what is measured: nothing is to be loaded with it.
$(O)/tests/bench/spawn: tests/bench/spawn.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARN) -static -o $@ $<

$(SHIM): tests/bench/shim/tcti_slow.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu11 -O2 -g $(WARN) -shared -fPIC -o $@ $< $(shell pkg-config --libs tss2-tctildr)

# Loaded before libc into the program that is shipped; without sanitizers, which come after it.
$(FAULT): tests/crash/fault.c tests/crash/fault_control.h
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARN) -shared -fPIC -o $@ $< $(shell pkg-config --libs tss2-tctildr)

# They run in a guest that has nothing else, and are what is looked at, not what looks: static, without sanitizers.
$(DEEDS): $(O)/%: %.c vmtests/deeds/deed.h
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARN) -static -o $@ $<

tests: all $(UNIT) $(FUZZ) $(BENCH) $(FORGE) $(HERD) $(SHIM) $(FAULT) $(DEEDS) $(REPLAY) ## build programs and tests

check: deps ## install what is needed, lint, and pass all tests (the heavy suites as smoke cases)
	$(Q)$(MAKE) -j$$(nproc) tests && $(MAKE) -j$$(nproc) SAN=thread O=build/tsan threads && O=$(O) tests/run lint model flow threads fuzz unit vm

# Those that have more than one thread, built for the thread sanitizer.
threads: $(addprefix $(O)/tests/unit/test_,held_proc tpm_queue tpm commit capture log admission_server image_checks image_service)

lint: ## floors, headers alone, formatting, static analysis, shell
	$(Q)O=$(O) tests/run lint

unit: $(UNIT) ## unit tests only
	$(Q)O=$(O) tests/run unit

model: ## the ledger's model under spin; ALL=1: in the bounds of docs/ledger-model.md (minutes, 7 GB)
	$(Q)O=$(O) ALL="$(ALL)" $(if $(ALL),LIMIT=7200) tests/run model

fuzz: ## fuzz every parser for TIME= seconds (30) each with libFuzzer
	$(Q)O=build/fuzz tests/fuzz/run $(or $(TIME),$(SECONDS_EACH),30)

forge: all $(FORGE) ## a client that lies in every way we know against a verifier that runs, a line a lie
	$(Q)O=$(O) FORGE_LINES="max_connections: 12000" tests/forge/run

check-kube: all $(FORGE) $(HERD) ## against a real Kubernetes control plane, binaries in KUBEBUILDER_ASSETS; ONLY=text: some of tests/kube/cases-*.sh
	$(Q)O=$(O) ONLY="$(ONLY)" tests/kube/run

flow: all $(FAULT) $(FORGE) $(HERD) ## whole programs on the running kernel
	$(Q)O=$(O) tests/run flow

vmtest: all $(DEEDS) $(SHIM) $(REPLAY) $(O)/tests/bench/spawn $(O)/tests/bench/stir ## real kernels in QEMU; KERNELS=all adds 5.10 and the newest
	$(Q)O=$(O) KERNELS="$(KERNELS)" tests/run vm

detect: all $(DEEDS) ## each way round a sensor as a deed, on 6.12 and this machine, a line each; KERNELS=all for all kernels
	$(Q)O=$(O) KERNELS="$(or $(KERNELS),6.12 host)" DETECT=1 vmtests/30-matrix

quarantine-drill: all $(DEEDS) ## from a bad exec to a cut network and refused programs, in a VM; and released, once without a verifier; and alone
	$(Q)O=$(O) DRILL=full ONLY=49-quarantine tests/run vm && O=$(O) DRILL=full ONLY=50-standing tests/run vm

bursts: all $(BENCH) $(DEEDS) ## 20,000 execs and 1,000,000 file events, here and in a VM: all in the ledger, or told as lost (root)
	$(Q)O=$(O) BURSTS=full LIMIT=3600 ONLY=bursts tests/run flow vm

secureboot: all $(REPLAY) ## Secure Boot in a VM, and each way round it: other command line, kernel, initrd, switched off, unsigned
	$(Q)O=$(O) SECUREBOOT=all vmtests/48-secureboot

bench: all $(BENCH) $(SHIM) ## measure, A B A B in one run; writes build/bench.json (root)
	$(Q)O=$(O) tests/bench/run

crash: all $(FAULT) ## kill -9 and power cuts at N= random points (default 5000) of real agents and a verifier; SEED= N=1: one again (root)
	$(Q)O=$(O) N=$(or $(N),5000) JOBS=$(or $(JOBS),4) SEED="$(SEED)" tests/crash/run

soak: all ## a quiet day under all shipped policies, armed: 0 quarantines; MINUTES=30 (root)
	$(Q)O=$(O) MINUTES=$(or $(MINUTES),30) tests/soak

demo: deps ## the whole path on this machine (KEEP=1 leaves it running), or with VM=1 on a node at full tier in QEMU
	$(Q)$(MAKE) -j$$(nproc) all $(if $(VM),$(DEEDS)) && O=$(O) tests/demo$(if $(VM),-vm)

install: all ## into DESTDIR/PREFIX
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(O)/plumbd $(O)/plumb-verifier $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(O)/plumbctl $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(wildcard docs/*.8) $(DESTDIR)$(PREFIX)/share/man/man8/
	install -d $(DESTDIR)$(PREFIX)/share/plumbline/tpm-vendors/clouds $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 644 deploy/tpm-vendors/[!c]* $(DESTDIR)$(PREFIX)/share/plumbline/tpm-vendors/
	install -m 644 deploy/tpm-vendors/clouds/* $(DESTDIR)$(PREFIX)/share/plumbline/tpm-vendors/clouds/
	for u in deploy/systemd/*.service; do \
		sed 's#/usr/local/#$(PREFIX)/#' $$u >$(DESTDIR)$(PREFIX)/lib/systemd/system/$${u##*/} || exit; done

deb: all ## three Debian packages in build/deb
	+$(Q)deploy/debian/build $(O) $(shell sed -n 's/^.define PLUMB_VERSION[[:space:]]*"\(.*\)"/\1/p' include/plumb/terms.h)

check-packages: all ## the packages in a fresh Debian under systemd, in a VM: installed, run, enrolled, rebooted, upgraded (root, mmdebstrap)
	$(Q)O=$(O) PACKAGES=all LIMIT=3600 ONLY=51-packages tests/run vm

image: all ## an OCI image from scratch in build/image, by buildah
	+$(Q)deploy/container/build $(O) $(shell sed -n 's/^.define PLUMB_VERSION[[:space:]]*"\(.*\)"/\1/p' include/plumb/terms.h)

clean: ## remove build/
	rm -rf build

.PHONY: all help deps tests threads check lint model unit fuzz forge check-kube flow vmtest detect secureboot check-packages quarantine-drill bursts bench crash soak demo install deb image clean
-include $(shell find $(O) -name '*.d' -type f 2>/dev/null)
