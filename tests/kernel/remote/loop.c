// SPDX-License-Identifier: MIT
#include "tests/kernel/remote/loop.h"

#include <sys/epoll.h>

#include "protocol/util.h"

int loop_init(struct loop *loop)
{
	loop->exit_code = -1;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll < 0 ? -errno : 0;
}

int loop_run(struct loop *loop)
{
	/* One event at a time: what one handler closes cannot be among those still to come. */
	while (loop->exit_code < 0) {
		struct epoll_event event;
		struct source *source;
		int r = epoll_wait(loop->epoll, &event, 1, -1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		source = event.data.ptr;
		source->ready(source);
	}
	return loop->exit_code;
}

void loop_exit(struct loop *loop, int code)
{
	loop->exit_code = code;
}

int source_open(struct source *source, struct loop *loop, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	source->loop = loop;
	source->fd = fd;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		int r = -errno;

		source->fd = fd_close(fd);
		return r;
	}
	return 0;
}

void source_close(struct source *source)
{
	if (source->fd < 0)
		return;
	/* The guest has copies of some descriptors, so that close() alone would not remove them. */
	epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	source->fd = fd_close(source->fd);
}
