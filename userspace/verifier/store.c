/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

void store_node_done(struct store_node *n)
{
	buf_done(&n->record);
	*n = (struct store_node){.version = 0};
}

void store_operator_done(struct store_operator *o)
{
	buf_done(&o->spki);
	*o = (struct store_operator){.added_ns = 0};
}

void store_message_done(struct store_message *m)
{
	buf_done(&m->body);
	*m = (struct store_message){.id = 0};
}
