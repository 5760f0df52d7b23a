/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_boot.h"

#include <errno.h>
#include <stdio.h>

#include "cleanup.h"
#include "digest.h"

#define EFI_GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define EFI_SHIM "605dab50-e046-4300-abb6-3dd810dd8b23"
#define EFIVARS "firmware/efi/efivars"
#define ATTRIBUTES 4 /* bytes before a variable's value */
#define VARIABLE_MAX (1u << 20)

/* A variable's value, without its attributes. */
static int read_variable(const struct claims_source *s, const char *name, struct buf *ret)
{
	char path[160];
	int r;

	snprintf(path, sizeof(path), EFIVARS "/%s", name);
	r = claims_source_read(s, CLAIMS_SYS, path, VARIABLE_MAX, ret);
	if (r >= 0 && ret->size < ATTRIBUTES)
		r = -EBADMSG;
	return r;
}

/* One byte that is 0 or 1. Any other size or value is no answer. */
static int read_switch(const struct claims_source *s, const char *name)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = read_variable(s, name, &b);

	if (r < 0)
		return r;
	if (b.size != ATTRIBUTES + 1 || b.data[ATTRIBUTES] > 1)
		return -EBADMSG;
	return b.data[ATTRIBUTES];
}

static int put_secure_boot(const struct claims_source *s)
{
	static const char key[] = "boot:secure_boot";
	int on = read_switch(s, "SecureBoot-" EFI_GLOBAL);
	int setup = read_switch(s, "SetupMode-" EFI_GLOBAL);

	/* Firmware that knows no Secure Boot has neither variable. */
	if (on == -ENOENT && setup == -ENOENT)
		return claims_source_put_text(s, key, "absent");
	if (on < 0)
		return claims_source_put(s, key, on, NULL);
	if (setup < 0 && setup != -ENOENT)
		return claims_source_put(s, key, setup, NULL);
	/* In setup mode anybody may enrol keys, whatever else the firmware says. */
	return claims_source_put_text(s, key, setup > 0 ? "setup" : on ? "on" : "off");
}

/* What shim lets pass beside the firmware's own keys. */
static int put_mok(const struct claims_source *s)
{
	CLEANUP(buf_done) struct buf list = {0}, value = {0};
	int insecure = read_switch(s, "MokSBStateRT-" EFI_SHIM);
	int r = read_variable(s, "MokListRT-" EFI_SHIM, &list), told;
	char hex[DIGEST_HEX_SIZE];
	struct digest d;

	told = insecure == -ENOENT ? claims_source_put_text(s, "boot:mok_state", "absent")
	       : insecure < 0	   ? claims_source_put(s, "boot:mok_state", insecure, NULL)
				   : claims_source_put_text(s, "boot:mok_state",
							    insecure ? "not validating" : "validating");
	if (told < 0)
		return told;
	if (r >= 0)
		r = digest_sha256(list.data + ATTRIBUTES, list.size - ATTRIBUTES, &d);
	if (r >= 0) {
		digest_hex(&d, hex);
		buf_printf(&value, "sha256:%s %zu", hex, list.size - ATTRIBUTES);
	} else if (r == -ENOENT) {
		buf_puts(&value, "absent");
		r = 0;
	}
	if (buf_status(&value) < 0)
		return buf_status(&value);
	r = claims_source_put(s, "boot:mok_list", r, &value);
	return r < 0 ? r : r + told;
}

int claims_boot_secure(const struct claims_source *s)
{
	static const char *const keys[] = {"boot:secure_boot", "boot:mok_state", "boot:mok_list"};
	int results[ARRAY_SIZE(keys)] = {0};
	int filled = claims_source_is_filled(s, CLAIMS_SYS, EFIVARS);

	if (filled > 0) {
		results[0] = put_secure_boot(s);
		results[1] = put_mok(s);
		return claims_source_sum(results, 2);
	}
	/* Without EFI there is nothing to secure; with EFI and without its variables nobody knows. */
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		results[i] =
			filled < 0 ? claims_source_put(s, keys[i], filled, NULL)
			: claims_source_has(s, CLAIMS_SYS, "firmware/efi")
				? claims_source_put_unknown(s, keys[i], "efivarfs is not mounted")
				: claims_source_put_text(s, keys[i], "none");
	return claims_source_sum(results, ARRAY_SIZE(keys));
}

int claims_boot_firmware(const struct claims_source *s)
{
	/* No serial numbers: what is the same on machines of a kind is what a baseline can expect. */
	static const char *const names[] = {"bios_vendor", "bios_version", "bios_date",
					    "sys_vendor",  "product_name", "board_vendor",
					    "board_name",  "board_version"};
	int results[ARRAY_SIZE(names)];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(buf_done) struct buf text = {0};
		char path[64], key[64];
		int r;

		snprintf(path, sizeof(path), "class/dmi/id/%s", names[i]);
		snprintf(key, sizeof(key), "firmware:%s", names[i]);
		r = claims_source_read(s, CLAIMS_SYS, path, 4096, &text);
		results[i] = r == -ENOENT ? claims_source_put_text(s, key, "absent")
					  : claims_source_put(s, key, r, &text);
	}
	return claims_source_sum(results, ARRAY_SIZE(names));
}

/* A count of what was measured would be another one every second: not a claim. */
int claims_boot_ima(const struct claims_source *s)
{
	CLEANUP(buf_done) struct buf text = {0}, value = {0};
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	int r = claims_source_read(s, CLAIMS_SYS, "kernel/security/ima/policy",
				   CLAIMS_SOURCE_TEXT_MAX, &text);

	if (r == -ENOENT && !claims_source_has(s, CLAIMS_SYS, "kernel/security/ima"))
		return claims_source_is_filled(s, CLAIMS_SYS, "kernel/security") > 0
			       ? claims_source_put_text(s, "ima:policy", "none")
			       : claims_source_put_unknown(s, "ima:policy",
							   "securityfs is not mounted");
	/* Some kernels take the file away once a policy was loaded, or never let it be read. */
	if (r < 0)
		return claims_source_put(s, "ima:policy", r, NULL);
	if (text.size == 0)
		return claims_source_put_text(s, "ima:policy", "empty");
	r = digest_sha256(text.data, text.size, &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	buf_printf(&value, "sha256:%s %zu", hex, text.size);
	return buf_status(&value) < 0 ? buf_status(&value)
				      : claims_source_put(s, "ima:policy", 0, &value);
}
