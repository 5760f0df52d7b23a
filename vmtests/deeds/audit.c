/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c: what whoever wants execs audited does: `audit rule` asks the kernel for them, `audit none` takes that back. */
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "deed.h"

struct message {
	struct nlmsghdr head;
	uint8_t body[sizeof(struct audit_rule_data) + 64];
};

/* 0, or what the kernel answers */
static int say(uint16_t type, const void *body, size_t size)
{
	struct message m = {{0}, {0}};
	struct nlmsgerr e;
	ssize_t n;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT), r = -EBADMSG;

	if (fd < 0)
		return -errno;
	m.head = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
				   .nlmsg_type = type,
				   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
				   .nlmsg_seq = 1};
	memcpy(m.body, body, size);
	n = send(fd, &m, m.head.nlmsg_len, 0);
	if (n >= 0)
		n = recv(fd, &m, sizeof(m), 0);
	if (n < 0)
		r = -errno;
	else if (m.head.nlmsg_type == NLMSG_ERROR && (size_t)n >= NLMSG_LENGTH(sizeof(e.error))) {
		memcpy(&e.error, m.body, sizeof(e.error));
		r = e.error;
	}
	close(fd);
	return r;
}

static int change_rule(uint16_t type)
{
	struct audit_rule_data rule = {
		.flags = AUDIT_FILTER_EXIT, .action = AUDIT_ALWAYS, .field_count = 1};

	rule.fields[0] = AUDIT_ARCH;
	rule.fieldflags[0] = AUDIT_EQUAL;
	rule.values[0] = AUDIT_ARCH_X86_64;
	rule.mask[AUDIT_WORD(SYS_execve)] |= AUDIT_BIT(SYS_execve);
	rule.mask[AUDIT_WORD(SYS_execveat)] |= AUDIT_BIT(SYS_execveat);
	return say(type, &rule, sizeof(rule));
}

static int audit_rule(char **argv)
{
	const struct audit_status on = {.mask = AUDIT_STATUS_ENABLED | AUDIT_STATUS_BACKLOG_LIMIT,
					.enabled = 1,
					.backlog_limit = 8192};
	int r = say(AUDIT_SET, &on, sizeof(on));

	(void)argv;
	return r < 0 ? r : change_rule(AUDIT_ADD_RULE);
}

static int audit_none(char **argv)
{
	(void)argv;
	return change_rule(AUDIT_DEL_RULE);
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {{"rule", audit_rule, 0}, {"none", audit_none, 0}};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
