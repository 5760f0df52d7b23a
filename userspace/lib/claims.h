/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims.h: keys and canonical values of claims, so that comparing is comparing text (BORDER; docs/ledger.md).
 * In: facts. Out: "key" and "value" text. Pure.
 *
 *   file:<path>      "reg 0644 0:0 1234 sha256:<hex>" | "dir 0755 0:0" | "link 0:0 -> <target>" | "absent" | "unreadable <errno name>"
 *   attr:<path>      "acl=u::rw-,u:1000:r--,… capability=<hex>[,effective] flags=immutable ima=sha256:… selinux=<label>", those that
 *                    there are (claims_attrs) | "absent": none, or no such file
 *   exec:<path>      found "sha256:<hex>" | "unmeasured <why>"; its baseline key is "exec:sha256:<hex>"
 *   module:<name>    "loaded" | "loaded srcversion=<text>" | "absent"
 *   mount:<path>     "<fstype> <source> <root>" | "absent"
 *   mountns:<path>   mounts over watched paths in other mount namespaces that show other files: as mount:, several: sorted, comma between
 *                    of /run/systemd/inaccessible/{dir,reg} also "filled <name>": something is put into what services have in place of other paths
 *   mountns:file:<path>    what a watched file is in other mount namespaces, as file:<path>, where it is other than here (several: as above)
 *   sysctl:<name>    the text of /proc/sys, runs of blanks as one space, no LF
 *   boot:id boot:cmdline boot:release boot:lockdown boot:lsm    text as the kernel gives it
 *   boot:secure_boot "on" | "off" | "setup" | "absent" (firmware without it) | "none" (no EFI); shim: boot:mok_state, boot:mok_list
 *   boot:modules     "none": the kernel has no modules at all
 *   firmware:<name>  DMI: bios_vendor bios_version bios_date sys_vendor product_name board_vendor board_name board_version
 *   cpu:microcode    "0x…" (different per CPU: sorted, comma between)
 *   cpu:flags        "sha256:<hex> <n>" of the n flags, sorted, comma between (different per CPU: as above)
 *   cpu:vulnerability:<name> cpu:smt    text as the kernel gives it; cpu:vulnerabilities "listed" | "absent"
 *   ima:policy       "sha256:<hex> <size>" | "empty" | "none" (a kernel without IMA)
 *   kernel:taint     "0" | "P,O,E": the kernel's letters
 *   kernel:kprobes kernel:kprobe_events kernel:uprobe_events kernel:ftrace kernel:ftrace_filter kernel:tracer kernel:livepatch
 *                    "none" | names without addresses, sorted, comma between | "absent": the kernel has no such thing
 *   kernel:hidden_modules     "none" | "<name>=+proc+sys+kallsyms": where a module is seen that is not in all lists
 *   kernel:binfmt_misc        "enabled" | "disabled" | "not mounted" | "absent"
 *   binfmt:<name>    "enabled interpreter /usr/bin/x flags: F offset 0 magic 7f…": one registration in binfmt_misc, as the kernel gives it
 *   kernel:mount_namespaces   "listed": all could be looked at
 *   kernel:chroots   roots other than ours of processes in our mount namespace, sorted, comma between | "none"
 *   running:[container:<id>:|elsewhere:]<path>   as exec's found: what ran already when the agent started
 *   bpf:prog:<type>:<name>:<tag> "loaded"   bpf:link:<type>:<where>:<name>:<tag> "attached"   bpf:progs bpf:links "listed"
 *   bpf:own          "<programs> <links>" of the agent's own, which are not listed
 *   runtime:<name>.version    "<package> <version>" | "absent"; containerd crio docker k3s kubelet podman runc
 *   net:links        names of the interfaces that count (hardware, loopback, bond, team, vlan and bridges of them), sorted, blank between
 *   net:link:<name>  "up mtu 1500 mac 02:…", then where so " kind bond" " master br0" " promisc" " xdp" | "down …" | "absent"
 *   net:addr:<name>  its addresses with prefix, without link-local and temporary ones, sorted, blank between | "none" | "absent"
 *   net:routes       those with a prefix of less than 8 bits, of all tables, sorted, ", " between:
 *                    "0.0.0.0/0 table 254 unicast via 10.0.0.1 dev eth0 metric 100 proto 3" | "none"
 *   net:nft_ruleset  "sha256:<hex> 1 tables 2 chains 3 rules 0 sets" | "none" (no tables, or no nf_tables in the kernel)
 *   net:nft_table:<family>:<name>    the same of one table | "absent"
 *   audit:config audit:bpf audit:ima audit:ima_policy audit:integrity    lines of type audit: the record's text without time and number
 *   surface:lockdown:<reason> …:<file system>:<file in it> …:block:<device> under <mount point, swap> …:sysctl:<name> …:sysctl-elsewhere:<name>
 *   …:perf:kprobe:<function> …:ptrace:<program> …:memory:<program> …:module-request:<alias> …:userns:new …:clock:set, then " by <program>":
 *                    lines of type surface: what was done; of a sysctl the new value, "another" of a secret one; "several" of more objects than are told
 *   sensor:exec_divergence sensor:module_divergence sensor:audit_divergence    "only <source> saw …", of what two sources should have seen | "absent": ten seconds without
 *   guard:held_up guard:clock guard:ring guard:counters guard:links    lines of type guard: what happened to the agent itself, in words
 *   guard:kill:<signal> guard:ptrace guard:scheduler guard:nice guard:ioprio guard:rlimit:<name> guard:map:<name> guard:program guard:link
 *   guard:file:<path> guard:mount guard:cgroup:<file> guard:moved guard:frozen    what was done to it, by whom: "seen" | "denied"; allowed:…    "allowed"
 *   sensor:guard     as below, with a deed of its own seen;   sensor:protect  "observe" | "observe <why>" | "enforce" | "absent <why>"
 *   sensor:ring      what the kernel puts into the ring does come: "attached" | "absent <why>"
 *   sensor:tier      "full" | "reduced" | "observe" | "none"
 *   sensor:<name>    "attached" | "absent <why>"
 *   measured:<name>  of the firmware's log; made by the verifier, never by a node: docs/baseline.md
 * What cannot be read is "unknown <why>": never equal to anything that a baseline expects.
 */
#ifndef PLUMB_CLAIMS_H
#define PLUMB_CLAIMS_H

#include <sys/stat.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"

/* Appends. digest NULL for a regular file that could not be hashed: "unreadable". target: for links. */
int claims_file_value(const struct stat *st, const struct digest *digest, const char *target, struct buf *ret);
int claims_absent(struct buf *ret);
int claims_unreadable(int error, struct buf *ret);	/* error: positive errno */
int claims_unknown(const char *why, struct buf *ret);
int claims_exec_value(const struct digest *digest, struct buf *ret);
/* Text from /proc or /sys: blanks folded, end trimmed, at most LINE_MAX_VALUE - 1 bytes (longer: "sha256:<hex> <size>"). */
int claims_text_value(const char *text, size_t size, struct buf *ret);

#endif
