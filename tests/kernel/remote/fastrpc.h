// SPDX-License-Identifier: MIT
/* The DSP's end of FastRPC. */
#ifndef DSP_REMOTE_FASTRPC_H
#define DSP_REMOTE_FASTRPC_H

#include "tests/kernel/remote/rpmsg.h"

/* Says yes to every call and does nothing, which suffices for the kernel to open and to close
 * sessions. */
extern const struct service fastrpc_service;

#endif
