/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_page.h: an incident's timeline for people, as text and as one page of HTML without scripts and without anything from elsewhere.
 * In: a timeline (hostile text). Out: bytes, the same for the same timeline.
 */
#ifndef PLUMB_INCIDENT_PAGE_H
#define PLUMB_INCIDENT_PAGE_H

#include "incident_timeline.h"

int incident_page_text(const struct incident_timeline *t, struct buf *ret);
int incident_page_html(const struct incident_timeline *t, struct buf *ret);

#endif
