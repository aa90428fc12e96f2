// SPDX-License-Identifier: MIT
/* The functions that all transports which speak FastRPC have in common. */
#ifndef DSP_FASTRPC_TRANSPORT_H
#define DSP_FASTRPC_TRANSPORT_H

#include "daemon/transport/fastrpc/call.h"
#include "daemon/transport/fastrpc/device.h"
#include "daemon/transport/fastrpc/find.h"
#include "daemon/transport/transport.h"

struct import;

void fastrpc_finish(struct device *device);
void fastrpc_remove(struct device *device);
void fastrpc_state_changed(struct device *device);
int fastrpc_open(struct session *session);
void fastrpc_close(struct session *session);
int fastrpc_import_buffer(struct session *session, struct buffer *buffer, struct import **out);
void fastrpc_release_import(struct import *import);
int fastrpc_memory_node(struct session *session);

/* In a struct transport_ops; what remains is .name, .calls, .probe, .deinit, and memory. */
#define FASTRPC_TRANSPORT_OPS                                                     \
	.hardware = true, .brings_modules = true, .dirs = fastrpc_usual_dirs,     \
	.finish = fastrpc_finish, .remove = fastrpc_remove, .open = fastrpc_open, \
	.close = fastrpc_close, .import = fastrpc_import_buffer,                  \
	.release = fastrpc_release_import, .submit = fastrpc_call_submit,         \
	.cancel = fastrpc_call_cancel, .abort = fastrpc_call_abort,               \
	.state_changed = fastrpc_state_changed

#endif
