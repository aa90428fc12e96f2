// SPDX-License-Identifier: MIT
/*
 * The transport to DSPs behind the DRM accel driver `qda`, which is proposed for the kernel.
 *
 * It gives clients no memory of the driver's own (no memory_node()): what GEM_CREATE makes reaches
 * the DSP as its maker's, also when another session uses it, and no other driver can import it.
 * The system's dma-buf heap and memfds have neither fault.
 */
#include "daemon/transport/fastrpc/transport.h"
#include "daemon/transport/qda/node.h"
#include "daemon/transport/qda/posted.h"
#include "daemon/transport/qda/scan.h"

static int probe(struct broker *broker)
{
	qda_scan_start(broker, fastrpc_find_again);
	return fastrpc_find(broker, &qda_driver);
}

static void deinit(struct broker *broker)
{
	fastrpc_find_no_more(broker);
	qda_scan_stop();
}

const struct transport_ops qda_transport = {
	FASTRPC_TRANSPORT_OPS,
	.name = "qda",
	.calls = {&fastrpc_calls, &qda_calls},
	.probe = probe,
	.deinit = deinit,
};
