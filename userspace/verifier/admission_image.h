/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission_image.h: may this pod's images run? By how they are named, and by what is known of their signatures: nobody is asked for it
 * here, and what is not known is wished for. In: the parsed request, rules. Out: yes, or no with a sentence. From any thread.
 */
#ifndef PLUMB_ADMISSION_IMAGE_H
#define PLUMB_ADMISSION_IMAGE_H

#include "admission_pod.h"

/*
 * Of a pod that is made, all; of one that is changed, those that it did not have before: what cannot be put right must still be deletable.
 * 0 allowed, -EPERM with the sentence for whoever asked.
 */
int admission_image(const json_t *request, const struct admission_rules *rules, struct why *ret_why);

#endif
