// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "client/internal.h"

#define HELLO_SERIAL 1

DEFINE_CLEANUP(struct dspbroker *, dspbroker_free);

struct dspbroker *connection_lock(struct dspbroker *broker)
{
	pthread_mutex_lock(&broker->lock);
	return broker;
}

void connection_unlock(struct dspbroker *broker)
{
	connection_update_attention(broker);
	pthread_mutex_unlock(&broker->lock);
}

static bool attention_wanted(const struct dspbroker *broker)
{
	return broker->broken || broker->n_events || !list_empty(&broker->ready) ||
	       !list_empty(&broker->receivable);
}

void connection_update_attention(struct dspbroker *broker)
{
	if (!broker->polled || broker->attention_on || !attention_wanted(broker))
		return;
	ring_kick(broker->attention);
	broker->attention_on = true;
}

void connection_clear_attention(struct dspbroker *broker)
{
	uint64_t count;

	if (!broker->attention_on || attention_wanted(broker))
		return;
	(void)!read(broker->attention, &count, sizeof(count));
	broker->attention_on = false;
}

void connection_break(struct dspbroker *broker, const char *why)
{
	struct request *request, *following;

	if (broker->broken)
		return;
	broker->broken = why;
	pending_break(broker);
	list_for_each_safe (request, following, &broker->requests, link) {
		list_remove(&request->link);
		request->status = -ECONNRESET;
		request->done = true;
	}
	pump_nudge(broker);
}

int connection_gone(const struct dspbroker *broker)
{
	message_set("%s", broker->broken);
	return -ECONNRESET;
}

static int connection_new(struct dspbroker **out)
{
	_cleanup_(freep) struct dspbroker *broker = NULL;
	pthread_condattr_t monotonic;

	broker = calloc(1, sizeof(*broker));
	if (!broker)
		return -ENOMEM;
	broker->sock = broker->doorbell = broker->notify = -1;
	broker->nudge = broker->attention = broker->epoll = broker->waiter = -1;
	list_init(&broker->free);
	list_init(&broker->running);
	list_init(&broker->ready);
	list_init(&broker->receivable);
	list_init(&broker->requests);
	list_init(&broker->sessions);
	list_init(&broker->buffers);
	pthread_mutex_init(&broker->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&broker->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*out = TAKE_PTR(broker);
	return 0;
}

struct dspbroker *dspbroker_free(struct dspbroker *broker)
{
	struct dspbroker_session *session, *next_session;
	struct dspbroker_buffer *buffer, *next_buffer;

	if (!broker)
		return NULL;
	list_for_each_safe (session, next_session, &broker->sessions, link)
		free(session);
	list_for_each_safe (buffer, next_buffer, &broker->buffers, link)
		buffer_discard(buffer);
	if (broker->area)
		munmap(broker->area, broker->area_size);
	ring_unmap(&broker->ring);
	arena_deinit(&broker->arena);
	pending_deinit(broker);
	fd_close(broker->waiter);
	fd_close(broker->epoll);
	fd_close(broker->attention);
	fd_close(broker->nudge);
	fd_close(broker->notify);
	fd_close(broker->doorbell);
	fd_close(broker->sock);
	pthread_cond_destroy(&broker->changed);
	pthread_mutex_destroy(&broker->lock);
	free(broker);
	return NULL;
}

/* Introduce ourselves. Returns 0 with the broker's descriptors, a status, or a negative errno. */
static int hello(int sock, struct dsp_hello_reply *out, struct sock_fds *fds)
{
	const struct dsp_hello message = {
		.header = {.opcode = DSP_HELLO, .serial = HELLO_SERIAL},
		.magic = DSP_WIRE_MAGIC,
		.version_min = DSP_WIRE_VERSION,
		.version_max = DSP_WIRE_VERSION,
	};
	struct pollfd readable = {.fd = sock, .events = POLLIN};
	union packet packet = {};
	ssize_t n;
	int r;

	r = sock_send(sock, &message, sizeof(message), NULL, 0, 0);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET) /* then it may have said why */
		return r;
	do { /* what happens meanwhile is no concern of ours yet */
		sock_fds_close(fds);
		if (poll(&readable, 1, -1) < 0 && errno != EINTR)
			return -errno;
		n = sock_receive(sock, &packet, sizeof(packet), fds, MSG_DONTWAIT);
	} while (n == -EAGAIN ||
		 (n >= (ssize_t)sizeof(packet.header) && packet.header.opcode & DSP_EVENT));
	if (n <= 0)
		return n == -EMFILE                     ? -EMFILE
		       : n == -EMSGSIZE || n == -EPROTO ? -EPROTO
							: -ECONNRESET;
	if (n == sizeof(packet.error) && packet.header.opcode == DSP_ERROR && packet.error.status &&
		packet.error.status <= INT32_MAX) {
		message_set_error(&packet.error);
		return (int)packet.error.status;
	}
	if (n != sizeof(*out) || packet.header.opcode != (DSP_HELLO | DSP_REPLY) ||
		packet.header.serial != HELLO_SERIAL || fds->n != DSP_HELLO_REPLY_FDS)
		return -EPROTO;
	memcpy(out, &packet, sizeof(*out));
	return out->version == DSP_WIRE_VERSION ? 0 : -EPROTO;
}

/* Memory that the broker shares must not shrink under us: that would be SIGBUS. */
static int check_memory(int fd, size_t size)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0)
		return -EPROTO;
	return st.st_size > 0 && (size_t)st.st_size >= size ? 0 : -EPROTO;
}

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -EPROTO : 0;
}

/* Writing to a pipe or a socket could raise SIGPIPE, and a blocking write could hang. */
static int check_doorbell(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		return -EPROTO;
	return set_nonblocking(fd);
}

static int map_shared(struct dspbroker *broker, const struct dsp_hello_reply *reply, int ring,
	int area)
{
	char *mapping;
	int r;

	r = ring_map(&broker->ring, ring, reply->sq_slots, reply->cq_entries);
	if (r < 0)
		return r == -ENOMEM ? r : -EPROTO;
	if (check_memory(ring, broker->ring.size) < 0 ||
		check_memory(area, reply->argument_bytes) < 0)
		return -EPROTO;
	mapping = mmap(NULL, reply->argument_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, area, 0);
	if (mapping == MAP_FAILED)
		return errno == ENOMEM ? -ENOMEM : -EPROTO;
	broker->area = mapping;
	broker->area_size = reply->argument_bytes;
	return 0;
}

static int adopt(struct dspbroker *broker, const struct dsp_hello_reply *reply,
	struct sock_fds *fds)
{
	_cleanup_(fd_closep) int ring = sock_fds_take(fds, 0);
	_cleanup_(fd_closep) int area = sock_fds_take(fds, 1);
	int r;

	broker->doorbell = sock_fds_take(fds, 2);
	broker->notify = sock_fds_take(fds, 3);
	if (reply->sq_slots < DSP_RING_SQ_MIN || reply->cq_entries < DSP_RING_SQ_MIN)
		return -EPROTO;
	if (check_doorbell(broker->doorbell) < 0 || set_nonblocking(broker->notify) < 0)
		return -EPROTO;
	r = map_shared(broker, reply, ring, area);
	if (r < 0)
		return r;
	r = pending_init(broker, reply->cq_entries);
	if (r < 0)
		return r;
	return arena_init(&broker->arena, reply->argument_bytes, reply->cq_entries);
}

/* The descriptor for event loops: one that is readable when any of the three is. */
static int gather(struct dspbroker *broker, int sock)
{
	struct epoll_event readable = {.events = EPOLLIN};

	broker->nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	broker->attention = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	broker->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (broker->nudge < 0 || broker->attention < 0 || broker->epoll < 0)
		return -errno;
	if (epoll_ctl(broker->epoll, EPOLL_CTL_ADD, sock, &readable) < 0 ||
		epoll_ctl(broker->epoll, EPOLL_CTL_ADD, broker->attention, &readable) < 0)
		return -errno;
	/* Not everything can be polled; a broker that sends such a thing is no broker. */
	if (epoll_ctl(broker->epoll, EPOLL_CTL_ADD, broker->notify, &readable) < 0)
		return errno == EPERM ? -EPROTO : -errno;
	return pump_init(broker, sock);
}

static int check_socket(int fd)
{
	int domain, type;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	return domain == AF_UNIX && type == SOCK_SEQPACKET ? 0 : -EPROTOTYPE;
}

int dspbroker_connect_fd(struct dspbroker **out, int fd)
{
	_cleanup_(dspbroker_freep) struct dspbroker *broker = NULL;
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct dsp_hello_reply reply = {};
	int r;

	message_clear();
	if (!out)
		return -EINVAL;
	r = check_socket(fd);
	if (r < 0)
		return r;
	r = connection_new(&broker);
	if (r < 0)
		return r;
	r = hello(fd, &reply, &fds);
	if (r)
		return r;
	r = adopt(broker, &reply, &fds);
	if (r < 0)
		return r;
	r = gather(broker, fd);
	if (r < 0)
		return r;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	broker->sock = fd;
	*out = TAKE_PTR(broker);
	return 0;
}

static int address_set(struct sockaddr_un *address, const char *path)
{
	if (!path) {
		path = secure_getenv("DSPBROKER_SOCKET");
		if (!path || !*path)
			path = DSP_SOCKET_DEFAULT;
	}
	if (!*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(address->sun_path, path);
	return 0;
}

int dspbroker_connect(struct dspbroker **out, const char *path)
{
	_cleanup_(fd_closep) int fd = -1;
	struct sockaddr_un address;
	int r;

	message_clear();
	r = address_set(&address, path);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	do {
		r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	r = dspbroker_connect_fd(out, fd);
	if (r)
		return r;
	TAKE_FD(fd);
	return 0;
}

int dspbroker_fd(const struct dspbroker *broker)
{
	struct dspbroker *mutable = (struct dspbroker *)broker;

	if (!broker)
		return -EINVAL;
	HOLD(mutable);
	if (!mutable->polled)
		pump_expose(mutable);
	return broker->epoll;
}
