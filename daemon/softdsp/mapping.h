// SPDX-License-Identifier: MIT
/* The memory that the broker lent to a domain, by mapping id. */
#ifndef SOFTDSP_MAPPING_H
#define SOFTDSP_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/transport/softdsp.h"

struct mapping {
	char *base;    /* NULL: no such mapping */
	size_t size;   /* 0: this memory cannot be mapped */
	bool writable; /* not when the memfd came open for reading only, or sealed against writing
			*/
};

struct mapping_table {
	int socket;      /* borrowed; where SOFT_MAP comes from */
	bool complained; /* of memory that cannot be mapped; once is enough */
	struct mapping slots[SOFT_MAPPINGS_MAX];
};

/*
 * Take all that waits in the socket. 0: it is empty now. -ECONNRESET: the broker closed it.
 * -EPROTO: something that is no SOFT_MAP, or one for an id that is in use. A dma-buf may be of a
 * kind that cannot be mapped, which is an error of who uses it.
 */
int mapping_receive(struct mapping_table *table);

/*
 * The mapping under an id, NULL when there is none. SOFT_MAP is sent before the entry that needs
 * it, so an id that is not known yet is looked for in the socket. Negative as above.
 */
int mapping_find(struct mapping_table *table, uint64_t id, struct mapping **out);

/* End a mapping. */
void mapping_remove(struct mapping *mapping);

#endif
