// SPDX-License-Identifier: MIT
#include "daemon/listener.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/hotplug.h"
#include "daemon/limits.h"
#include "daemon/log.h"

struct listener {
	struct list link; /* broker->listeners */
	int fd;
	sd_event_source *source;
	struct sockaddr_un address; /* to be unlinked; sun_family 0: not ours */
};

/* Strangers can cause it as often as they like. */
static void tell(struct broker *broker, int level, const char *what, const char *why)
{
	char before[64] = "";
	unsigned int suppressed;

	if (!log_allowed(&broker->accept_log, broker_now(broker), &suppressed))
		return;
	if (suppressed)
		snprintf(before, sizeof(before), " (%u such lines were suppressed)", suppressed);
	log_line(level, "%s%s%s", what, why, before);
}

static void set_enabled(struct broker *broker, bool on)
{
	struct listener *listener;

	broker->accept_paused = !on;
	deadline_clear(&broker->deadlines, &broker->accept_again);
	list_for_each (listener, &broker->listeners, link)
		sd_event_source_set_enabled(listener->source, on ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void try_again(struct deadline *deadline)
{
	set_enabled(container_of(deadline, struct broker, accept_again), true);
}

/* Out of descriptors, accepting would fail again and again. So it pauses until a connection ends;
 * but what is missing may be had again without that, and there may be no connection. */
static void pause_accepting(struct broker *broker, int r)
{
	if (!broker->accept_failing)
		tell(broker, LOG_WARNING,
			"no connections are accepted until there is room for one: ", strerror(-r));
	broker->accept_failing = true;
	set_enabled(broker, false);
	broker_deadline(broker, &broker->accept_again, ACCEPT_AGAIN_US, try_again);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct broker *broker = userdata;
	int sock, r;

	(void)source;
	(void)events;
	sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (sock >= 0) {
		if (broker->accept_failing)
			tell(broker, LOG_NOTICE, "connections are accepted again", "");
		broker->accept_failing = false;
		r = client_new(broker, sock);
		if (r < 0 && r != -EDQUOT)
			tell(broker, LOG_WARNING, "a connection was turned away: ", strerror(-r));
		return 0;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		pause_accepting(broker, -errno);
	return 0;
}

void listeners_resume(struct broker *broker)
{
	if (broker->accept_paused)
		set_enabled(broker, true);
}

static void listener_free(struct listener *listener)
{
	list_remove(&listener->link);
	sd_event_source_disable_unref(listener->source);
	fd_close(listener->fd);
	if (listener->address.sun_family)
		unlinkat(AT_FDCWD, listener->address.sun_path, 0);
	free(listener);
}

/* Serve a listening socket, which is ours from here on. */
static int serve(struct broker *broker, int fd, const struct sockaddr_un *address)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener) {
		fd_close(fd);
		return -ENOMEM;
	}
	listener->fd = fd;
	if (address)
		listener->address = *address;
	list_append(&broker->listeners, &listener->link);
	/* No less important than those who are connected: they could keep it waiting for ever. */
	return sd_event_add_io(broker->event, &listener->source, fd, EPOLLIN, on_connection,
		broker);
}

/* Is somebody serving that path, or is the socket there a left-over? */
static bool is_served(const struct sockaddr_un *address)
{
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

static int bind_path(int fd, const struct sockaddr_un *address)
{
	struct stat st;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode) || is_served(address))
		return -EADDRINUSE;
	if (unlink(address->sun_path) < 0 ||
		bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	return 0;
}

static int listen_path(struct broker *broker, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = bind_path(fd, &address);
	if (r < 0)
		return r;
	/* Policy decides, not the mode. */
	if (chmod(path, 0666) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return serve(broker, TAKE_FD(fd), &address);
}

/* Serve a socket from systemd. Returns 1; 0 if it is somebody else's; or -errno. */
static int serve_activated(struct broker *broker, int fd, const char *name)
{
	int r;

	if (strcmp(name, HOTPLUG_FD_NAME) == 0) {
		if (hotplug_is_socket(fd))
			return 0;
		log_error("descriptor %d (%s) from systemd does not tell of devices; the unit "
			  "needs ListenNetlink=kobject-uevent 1",
			fd, name);
		return -EINVAL;
	}
	if (sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0) <= 0) {
		log_error("descriptor %d (%s) from systemd is no listening SOCK_SEQPACKET Unix "
			  "socket; the unit needs ListenSequentialPacket=",
			fd, name);
		return -EINVAL;
	}
	/* A connection that is gone before it is accepted must not block us. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = serve(broker, fd, NULL);
	return r < 0 ? r : 1;
}

static int listen_activated(struct broker *broker)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(true, &names), served = 0, r = MIN(n, 0);

	for (int i = 0; i < n; i++) {
		if (r >= 0)
			r = serve_activated(broker, SD_LISTEN_FDS_START + i, names[i]);
		if (r > 0)
			served++;
		free(names[i]);
	}
	free(names);
	if (n < 0)
		log_error("the sockets that systemd hands over (LISTEN_FDS) cannot be used: %s",
			strerror(-n));
	if (r >= 0 && !served) {
		log_error("no socket: give --socket PATH, or let systemd activate this service");
		return -EINVAL;
	}
	return MIN(r, 0);
}

int listeners_start(struct broker *broker)
{
	const char *path = broker->options->socket;
	int r;

	if (!path)
		return listen_activated(broker);
	r = listen_path(broker, path);
	if (r == -EADDRINUSE)
		log_error("%s is in use: another broker serves it, or it is no socket", path);
	else if (r < 0)
		log_error("cannot listen on %s: %s", path, strerror(-r));
	return r;
}

void listeners_stop(struct broker *broker)
{
	struct listener *listener, *following;

	deadline_clear(&broker->deadlines, &broker->accept_again);
	list_for_each_safe (listener, following, &broker->listeners, link)
		listener_free(listener);
}
