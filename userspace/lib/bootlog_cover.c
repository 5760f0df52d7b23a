/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog_cover.h"

#include <string.h>

#include "bootlog_efi.h"
#include "cleanup.h"
#include "digest.h"

/* 1: the digest is of these bytes. */
static int is_of(const struct bootlog_event *e, uint32_t bank, const struct buf_view *bytes)
{
	struct digest d;
	int r = digest_sha256_parts(bytes, 1, &d);

	return r < 0 ? r : memcmp(d.bytes, e->digests[bank], DIGEST_SIZE) == 0;
}

static int covered_if(const struct bootlog_event *e, uint32_t bank, const struct buf_view *bytes,
		      enum bootlog_cover otherwise, struct bootlog_covered *ret)
{
	int r = is_of(e, bank, bytes);

	if (r < 0)
		return r;
	ret->cover = r ? BOOTLOG_COVERED : otherwise;
	if (r)
		ret->bytes = *bytes;
	return r;
}

/* Releases of shim before 15.3 wrote one byte more than they measured. */
static int cover_authority(const struct bootlog_event *e, uint32_t bank,
			   struct bootlog_covered *ret)
{
	struct buf_view less = {e->data.data, e->data.size - 1};
	int r = covered_if(e, bank, &e->data, BOOTLOG_LIE, ret);

	if (r != 0 || e->data.size == 0)
		return r;
	r = covered_if(e, bank, &less, BOOTLOG_LIE, ret);
	ret->extra = r > 0;
	return r;
}

/* Firmware measures the variable's data alone, or all that it logs. */
static int cover_boot(const struct bootlog_event *e, uint32_t bank, struct bootlog_covered *ret)
{
	struct bootlog_efi_variable v;

	if (bootlog_efi_variable(&e->data, &v) >= 0) {
		int r = covered_if(e, bank, &v.data, BOOTLOG_LIE, ret);

		if (r != 0)
			return r;
	}
	return covered_if(e, bank, &e->data, BOOTLOG_LIE, ret);
}

/* GRUB says what kind of text it is before the text, and a NUL after it; of files and shim's lists it gives the name. */
static int cover_text(const struct bootlog_event *e, uint32_t bank, struct bootlog_covered *ret)
{
	static const char *const prefixes[] = {
		"grub_cmd: ", "kernel_cmdline: ", "module_cmdline: ", "grub_kernel_cmdline "};
	struct buf_view text = e->data;

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (text.size < n || memcmp(text.data, prefixes[i], n) != 0)
			continue;
		text.data += n;
		text.size -= n;
		if (text.size > 0 && text.data[text.size - 1] == 0)
			text.size--;
		ret->prefix = (uint8_t)n;
		return covered_if(e, bank, &text, BOOTLOG_LIE, ret);
	}
	/* A text of systemd-stub or another loader, or the name of a file. */
	return covered_if(e, bank, &text, BOOTLOG_OF_ELSE, ret);
}

int bootlog_cover(const struct bootlog_event *e, uint32_t bank, struct bootlog_covered *ret)
{
	int r = 0;

	*ret = (struct bootlog_covered){.cover = BOOTLOG_OF_ELSE};
	switch (e->type) {
	case BOOTLOG_CRTM_VERSION:
	case BOOTLOG_SEPARATOR:
	case BOOTLOG_ACTION:
	case BOOTLOG_OMIT_BOOT_DEVICE:
	case BOOTLOG_EFI_ACTION:
	case BOOTLOG_EFI_VARIABLE:
	case BOOTLOG_EFI_GPT:
	case BOOTLOG_EFI_GPT2:
	case BOOTLOG_EFI_BOOT2:
	case BOOTLOG_EFI_SPDM_POLICY:
		r = covered_if(e, bank, &e->data, BOOTLOG_LIE, ret);
		break;
	case BOOTLOG_EFI_AUTHORITY:
		r = cover_authority(e, bank, ret);
		break;
	case BOOTLOG_EFI_BOOT:
		r = cover_boot(e, bank, ret);
		break;
	case BOOTLOG_IPL:
		r = cover_text(e, bank, ret);
		break;
	case BOOTLOG_EVENT_TAG:
		r = covered_if(e, bank, &e->data, BOOTLOG_OF_ELSE, ret);
		break;
	default:
		break;
	}
	return r < 0 ? r : 0;
}
