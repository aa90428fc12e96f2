// SPDX-License-Identifier: MIT
#include "protocol/sock.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define KERNEL_FDS_MAX 253 /* SCM_MAX_FD of the kernel: descriptors of one packet */

static void close_one(const struct sock_fds *fds, int fd)
{
	if (fds->close)
		fds->close(fd);
	else
		fd_close(fd);
}

void sock_fds_close(struct sock_fds *fds)
{
	for (size_t i = 0; i < fds->n; i++)
		close_one(fds, fds->fd[i]);
	fds->n = 0;
}

int sock_fds_take(struct sock_fds *fds, size_t i)
{
	return i < fds->n ? TAKE_FD(fds->fd[i]) : -1;
}

/* Take over every descriptor of every control message before judging any of them. */
static int collect(struct msghdr *msg, struct sock_fds *fds)
{
	int r = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			r = -EPROTO;
			continue;
		}
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (fds->n < ARRAY_SIZE(fds->fd)) {
				fds->fd[fds->n++] = fd;
			} else {
				close_one(fds, fd);
				r = -EPROTO;
			}
		}
	}
	return r;
}

ssize_t sock_receive(int sock, void *packet, size_t size, struct sock_fds *fds, int flags)
{
	/* Room for all that can come: what does not fit, the kernel would close, and we would wait
	 * for it. */
	union {
		char bytes[CMSG_SPACE(sizeof(int) * KERNEL_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = packet, .iov_len = size};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;
	int r;

	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r = collect(&msg, fds);
	/* There is room for all of them here, so there was none in the table of this process. */
	if (r >= 0 && (msg.msg_flags & MSG_CTRUNC))
		r = -EMFILE;
	if (r >= 0 && (msg.msg_flags & MSG_TRUNC))
		r = -EMSGSIZE;
	if (r < 0 || n == 0)
		sock_fds_close(fds); /* an empty packet may carry descriptors, the end does not */
	return r < 0 ? r : n;
}

int sock_send(int sock, const void *packet, size_t size, const int *fds, size_t n_fds, int flags)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * DSP_FDS_MAX)];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = {.iov_base = (void *)packet, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > DSP_FDS_MAX)
		return -EINVAL;
	if (n_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * n_fds);
	}
	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | flags);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
