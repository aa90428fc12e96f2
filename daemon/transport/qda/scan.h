// SPDX-License-Identifier: MIT
/*
 * The DSPs behind the DRM accel driver, as sysfs shows them: nodes of DRM's on devices of rpmsg's.
 * Sysfs does not tell which driver and which DSP a node is of, so each is asked once (candidate.h),
 * and counts from when it has answered. For the loop.
 */
#ifndef DSP_QDA_SCAN_H
#define DSP_QDA_SCAN_H

#include "daemon/transport/fastrpc/found.h"

/* Ask the nodes that are there, and wait for their answers. From now on @news() says that a node
 * came, went or has answered, so that qda_scan() may return something else. */
void qda_scan_start(struct broker *broker, void (*news)(void));
/* Also when it was never started. */
void qda_scan_stop(void);

/* As fastrpc_driver.scan. */
ssize_t qda_scan(struct broker *broker, struct fastrpc_found **out);

#endif
