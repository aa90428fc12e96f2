// SPDX-License-Identifier: MIT
/* What a module finds in its protection domain when it looks where it should not. */
#ifndef DSP_DOMAIN_SIDE_H
#define DSP_DOMAIN_SIDE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/softdsp/remote.h"
#include "daemon/transport/softdsp.h"
#include "protocol/ring.h"
#include "protocol/wire.h"

/* Where daemon/softdsp/domain.c keeps its descriptors. */
#define SOCKET_FD 16
#define NOTIFY_FD 18

#define EXPORT __attribute__((visibility("default")))

static inline void send_packet(const void *bytes, size_t size, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 8)];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		for (size_t i = 0; i < n_fds; i++)
			((int *)CMSG_DATA(&control.align))[i] = NOTIFY_FD;
	}
	sendmsg(SOCKET_FD, &msg, MSG_NOSIGNAL);
}

static inline void send_started(size_t n_fds)
{
	const struct soft_message message = {.type = SOFT_STARTED};

	send_packet(&message, sizeof(message), n_fds);
}

/* What a module without any method of use answers to being opened and closed. */
static inline bool is_open_or_close(uint32_t scalars)
{
	return REMOTE_SCALARS_METHOD(scalars) <= SOFT_METHOD_CLOSE;
}

#endif
