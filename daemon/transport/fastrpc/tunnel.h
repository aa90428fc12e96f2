// SPDX-License-Identifier: MIT
/*
 * The reverse tunnel of one protection domain: asks the DSP for requests, one after the other, and
 * answers them (host.h). It is a loop around a call that blocks, and runs in a thread.
 */
#ifndef DSP_FASTRPC_TUNNEL_H
#define DSP_FASTRPC_TUNNEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "daemon/transport/fastrpc/host.h"

struct tunnel;

/* @options outlive the tunnel. Returns 0 or -errno. */
int tunnel_new(struct tunnel **out, const struct host_options *options);
struct tunnel *tunnel_free(struct tunnel *tunnel);

/* Tell the DSP that there is somebody to call. It may do so when this has returned, and waits. */
struct node_result tunnel_begin(struct tunnel *tunnel);
/* Serve until the domain ends (an error of the DSP's, or -EPIPE), or until *@stop is set and a
 * signal comes (-EINTR). Returns what ended it. */
struct node_result tunnel_run(struct tunnel *tunnel, const atomic_bool *stop);

/*
 * The part of it that needs no DSP: one request, as LISTENER_NEXT brings it, answered. @inputs are
 * @size bytes of packed inputs, followed by the sizes of outputs. Writes the packed outputs to
 * @out, which has HOST_BYTES_MAX bytes; *@out_size are used. Returns what the DSP is told.
 */
uint32_t tunnel_answer(struct tunnel *tunnel, uint32_t handle, uint32_t scalars, const void *inputs,
	size_t size, void *out, size_t *out_size);

#endif
