// SPDX-License-Identifier: MIT
/*
 * The nodes of the DRM accel driver, /dev/accel/accelN, as kernel sessions. Inside they speak of
 * buffer objects, by handle, offset and length: objects.h, scratch.h; posted.h makes ioctls of it.
 */
#ifndef DSP_QDA_NODE_H
#define DSP_QDA_NODE_H

#include "daemon/transport/fastrpc/driver.h"
#include "daemon/transport/qda/posted.h" /* qda_calls */

extern const struct fastrpc_driver qda_driver;

#endif
