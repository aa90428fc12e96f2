// SPDX-License-Identifier: MIT
#include "daemon/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "daemon/log.h"
#include "protocol/util.h"

#define TEXT_MAX 1024

static int notify_fd = -1;

int notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd = -1;
	size_t n;

	if (!path || !*path)
		return 0;
	n = strlen(path);
	if ((*path != '/' && *path != '@') || n >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, n);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The end of a path may be followed by zeroes, that of an abstract name may not. */
	if (connect(fd, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*path == '/'))) < 0)
		return -errno;
	notify_fd = TAKE_FD(fd);
	return 0;
}

void notify_deinit(void)
{
	notify_fd = fd_close(notify_fd);
}

static int tell(const char *text, size_t size, int flags)
{
	struct iovec part = {.iov_base = (char *)text, .iov_len = size};
	const struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (notify_fd < 0)
		return 0;
	while (sendmsg(notify_fd, &message, MSG_NOSIGNAL | flags) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

void notify(const char *format, ...)
{
	char text[TEXT_MAX];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* At the end stands what is for people, and may be cut. */
	if (n > 0)
		tell(text, MIN((size_t)n, sizeof(text) - 1), 0);
}

int notify_if_room(const char *text)
{
	return tell(text, strlen(text), MSG_DONTWAIT);
}

uint64_t notify_watchdog_us(void)
{
	uint64_t us;
	int r = notify_fd >= 0 ? sd_watchdog_enabled(0, &us) : 0;

	if (r < 0)
		log_warning("the service manager will miss signs of life: WATCHDOG_USEC is %s: %s",
			getenv("WATCHDOG_USEC"), strerror(-r));
	return r > 0 ? us : 0;
}
