// SPDX-License-Identifier: MIT
#include <stddef.h>

#include "daemon/transport/transport.h"

/* The build says which: DSP_TRANSPORTS is TRANSPORT(name) for each of them. */
#define TRANSPORT(name) &name##_transport,
const struct transport_ops *const transports[] = {DSP_TRANSPORTS NULL};
