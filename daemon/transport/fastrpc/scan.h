// SPDX-License-Identifier: MIT
/*
 * The FastRPC devices of this machine, as sysfs and /dev show them. A DSP has one node or two,
 * "fastrpc-LABEL" and "fastrpc-LABEL-secure".
 */
#ifndef DSP_FASTRPC_SCAN_H
#define DSP_FASTRPC_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/sysfs.h"
#include "protocol/wire.h"

#define FASTRPC_NODE_SIZE 64
struct fastrpc_found {
	char label[DSP_DEVICE_SIZE]; /* "cdsp" */
	uint32_t number;             /* of the DSP (abi.h), that its shell files are named after */
	bool plain, secure;          /* its nodes that are there */
	char node[2][FASTRPC_NODE_SIZE]; /* their names: plain, secure */
	uint64_t instance;               /* differs when they went and came back */
	bool isolated;                   /* every context bank of it is behind an IOMMU */
	bool coherent;                   /* the same for seeing what is in our caches */
	struct path folder;              /* resolved, of its rpmsg device; "": not found */
};

/* Returns how many there are, which *@out holds, to be freed, sorted by label; or -errno. Labels
 * that abi.h does not know are left out. */
ssize_t fastrpc_scan(const char *sysfs, const char *dev, struct fastrpc_found **out);

/* The number of the DSP with that label; false: there is none. */
bool fastrpc_number(const char *label, uint32_t *number);

/* The names of modules in a directory: "libNAME_skel.so" -> NAME, at most @max, each found in *@out
 * once more beyond those *@n that are there already; to be freed. Returns 0 or -errno. */
int fastrpc_scan_modules(const char *directory, char (**out)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE],
	size_t *n, size_t max);

/* Can that be the NAME of a module? */
bool fastrpc_is_module(const char *name);

#endif
