// SPDX-License-Identifier: MIT
/* A DSP as a driver's scan finds it, and what all drivers' scans read of sysfs. */
#ifndef DSP_FASTRPC_FOUND_H
#define DSP_FASTRPC_FOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/sysfs.h"
#include "daemon/transport/fastrpc/driver.h"
#include "protocol/wire.h"

struct fastrpc_found {
	char label[DSP_DEVICE_SIZE]; /* "cdsp" */
	uint32_t number;             /* of the DSP (abi.h), that its shell files are named after */
	/* The names of its nodes below /dev: for domains of unsigned modules, and for all others.
	 * One of them may be ""; then the other is for all. */
	char plain[NODE_NAME_SIZE], secure[NODE_NAME_SIZE];
	dev_t plain_number, secure_number; /* theirs; 0: not known */
	uint64_t instance;                 /* differs when they went and came back */
	bool isolated;                     /* every context bank of it is behind an IOMMU */
	bool coherent;                     /* the same for seeing what is in our caches */
	struct path folder;                /* resolved, of its rpmsg device; "": not found */
};

/* The number of the DSP with that label; false: there is none. */
bool found_number(const char *label, uint32_t *number);
/* All labels, one after the other; NULL: no more. */
const char *found_label_at(size_t i);

/* The label of a device, a string of the device tree. False: it has none, or a longer one. */
bool found_label(const char *device, char *out, size_t size);
/* Look at the context banks, which are those children of @found->folder. Returns false when there
 * is none: drivers make them after the nodes, so there will be. */
bool found_scan_banks(struct fastrpc_found *found, bool (*is_bank)(const char *device));

/* Sort them by label, as a scan returns them. */
void found_sort(struct fastrpc_found *found, size_t n);

#endif
