// SPDX-License-Identifier: MIT
#include "daemon/hotplug.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

/* The multicast group in which the kernel speaks; udev has another. */
#define KERNEL_GROUP 1
/* A message is a path and at most 2048 bytes of variables (UEVENT_BUFFER_SIZE). */
#define MESSAGE_BYTES 8192
/* Room for what comes at once, when a bus full of devices appears. */
#define RECEIVE_BYTES (1024 * 1024)
/* Read before others get their turn. */
#define MESSAGES_A_TURN 256

struct hotplug {
	int fd;
	sd_event_source *source;
	struct list watches;
	struct list concerned; /* watches too, while they wait for their call */
	bool lost;             /* the kernel drops events, until the socket was empty once */
};

const char *hotplug_subsystem(const char *message, size_t size)
{
	static const char key[] = "SUBSYSTEM=";
	const char *end = message + size, *line = message, *stop;

	for (; line < end && (stop = memchr(line, '\0', (size_t)(end - line))); line = stop + 1) {
		if (line == message) {
			if (!strchr(line, '@'))
				return NULL;
		} else if (strncmp(line, key, strlen(key)) == 0) {
			return line + strlen(key);
		}
	}
	return NULL;
}

/* Those who watch @subsystem, or everybody if it is NULL. */
static void mark(struct hotplug *hotplug, const char *subsystem)
{
	struct hotplug_watch *watch, *following;

	list_for_each_safe (watch, following, &hotplug->watches, link) {
		if (subsystem && strcmp(watch->subsystem, subsystem) != 0)
			continue;
		list_remove(&watch->link);
		list_append(&hotplug->concerned, &watch->link);
	}
}

/* Take one message. Returns 0; -EAGAIN: there is none; or another -errno. */
static int take_message(struct hotplug *hotplug)
{
	char message[MESSAGE_BYTES];
	struct sockaddr_nl sender = {};
	struct iovec part = {.iov_base = message, .iov_len = sizeof(message)};
	struct msghdr header = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	const char *subsystem;
	ssize_t size = recvmsg(hotplug->fd, &header, 0);

	if (size < 0)
		return -errno;
	/* Whoever has CAP_NET_ADMIN can send to that group; the kernel's own number is 0. */
	if (header.msg_namelen != sizeof(sender) || sender.nl_pid != 0)
		return 0;
	subsystem = hotplug_subsystem(message, (size_t)size);
	if (subsystem)
		mark(hotplug, subsystem);
	else if (header.msg_flags & MSG_TRUNC)
		mark(hotplug, NULL);
	return 0;
}

static void read_messages(struct hotplug *hotplug)
{
	int r = 0;

	for (int i = 0; i < MESSAGES_A_TURN && r != -EAGAIN; i++) {
		r = take_message(hotplug);
		if (r == -ENOBUFS)
			hotplug->lost = true;
		else if (r < 0 && r != -EINTR)
			break;
	}
	/* ENOBUFS comes once, but events are lost until the last one in the socket is taken. So
	 * nobody can rely on having looked before that. */
	if (hotplug->lost)
		mark(hotplug, NULL);
	if (r == -EAGAIN)
		hotplug->lost = false;
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct hotplug *hotplug = userdata;
	struct hotplug_watch *watch;

	(void)source;
	(void)fd;
	(void)events;
	read_messages(hotplug);
	/* Any watch may go away in a call, and others may come; those are not called now. */
	while ((watch = list_first(&hotplug->concerned, struct hotplug_watch, link))) {
		list_remove(&watch->link);
		list_append(&hotplug->watches, &watch->link);
		watch->changed(watch);
	}
	return 0;
}

static int open_socket(void)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
	const int bytes = RECEIVE_BYTES;
	_cleanup_(fd_closep) int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -errno;
	/* With a small buffer events are lost sooner, which is dealt with. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int get_option(int fd, int option)
{
	int value;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -errno : value;
}

bool hotplug_is_socket(int fd)
{
	return get_option(fd, SO_DOMAIN) == AF_NETLINK &&
	       get_option(fd, SO_PROTOCOL) == NETLINK_KOBJECT_UEVENT;
}

/* The socket of that name which the service manager hands over; -ENOENT: it has none. */
static int find_handed(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(false, &names), found = n < 0 ? n : -ENOENT;

	for (int i = 0; i < n; i++) {
		if (found < 0 && strcmp(names[i], HOTPLUG_FD_NAME) == 0)
			found = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	return found;
}

/* Returns the socket, or -errno. */
static int get_socket(void)
{
	int fd = find_handed();

	if (fd == -ENOENT)
		return open_socket();
	if (fd < 0)
		return fd;
	if (!hotplug_is_socket(fd))
		return -EPROTOTYPE;
	return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : fd;
}

DEFINE_CLEANUP(struct hotplug *, hotplug_free);

int hotplug_new(struct hotplug **out, sd_event *event)
{
	_cleanup_(hotplug_freep) struct hotplug *hotplug = calloc(1, sizeof(*hotplug));
	int r;

	if (!hotplug)
		return -ENOMEM;
	list_init(&hotplug->watches);
	list_init(&hotplug->concerned);
	hotplug->fd = r = get_socket();
	if (r < 0)
		return r;
	r = sd_event_add_io(event, &hotplug->source, hotplug->fd, EPOLLIN, on_socket, hotplug);
	if (r < 0)
		return r;
	*out = TAKE_PTR(hotplug);
	return 0;
}

struct hotplug *hotplug_free(struct hotplug *hotplug)
{
	if (!hotplug)
		return NULL;
	assert(list_empty(&hotplug->watches) && list_empty(&hotplug->concerned));
	sd_event_source_disable_unref(hotplug->source);
	fd_close(hotplug->fd);
	free(hotplug);
	return NULL;
}

void hotplug_add(struct hotplug *hotplug, struct hotplug_watch *watch)
{
	list_init(&watch->link);
	if (hotplug)
		list_append(&hotplug->watches, &watch->link);
}

void hotplug_remove(struct hotplug_watch *watch)
{
	if (watch->link.next)
		list_remove(&watch->link);
}
