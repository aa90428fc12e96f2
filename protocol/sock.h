// SPDX-License-Identifier: MIT
/*
 * Packets with descriptors over SOCK_SEQPACKET: the one way in and the one way out for every
 * socket of dspbroker. Thread-safe as far as the kernel is.
 */
#ifndef DSP_SOCK_H
#define DSP_SOCK_H

#include <stddef.h>

#include "protocol/util.h"
#include "protocol/wire.h"

/* Owns its descriptors. */
struct sock_fds {
	int fd[DSP_FDS_MAX];
	size_t n;
	void (*close)(int fd); /* NULL: as usual. For who cannot wait until a peer's are closed. */
};

/* Close what is left; safe on a zeroed set. */
void sock_fds_close(struct sock_fds *fds);
/* Take descriptor @i out of the set; the caller owns it. */
int sock_fds_take(struct sock_fds *fds, size_t i);

/*
 * Receive one packet. Returns its size in bytes, 0 at the end of the connection, or:
 * -EAGAIN    nothing there (only with MSG_DONTWAIT in @flags or a non-blocking socket)
 * -EMSGSIZE  a packet larger than @size
 * -EPROTO    more descriptors than DSP_FDS_MAX, or ancillary data of another kind
 * -EMFILE    no room for its descriptors in this process; the packet itself is in @packet
 * -errno     the socket's own error
 * *@fds must be empty; received descriptors are CLOEXEC and, on error, already closed.
 */
ssize_t sock_receive(int sock, void *packet, size_t size, struct sock_fds *fds, int flags);

/* Send one packet with borrowed descriptors. Returns 0 or -errno; never raises SIGPIPE. */
int sock_send(int sock, const void *packet, size_t size, const int *fds, size_t n_fds, int flags);

#endif
