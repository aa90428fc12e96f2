// SPDX-License-Identifier: MIT
/* The FastRPC devices of this machine, as sysfs and /dev show them. A DSP has one node or two,
 * "fastrpc-LABEL" and "fastrpc-LABEL-secure". */
#ifndef DSP_FASTRPC_MISC_SCAN_H
#define DSP_FASTRPC_MISC_SCAN_H

#include "daemon/transport/fastrpc/found.h"

/* As fastrpc_driver.scan. */
ssize_t misc_scan(struct broker *broker, struct fastrpc_found **out);

#endif
