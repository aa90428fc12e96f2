// SPDX-License-Identifier: MIT
#include "daemon/opener.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/broker.h"
#include "daemon/log.h"
#include "daemon/opener_process.h"
#include "protocol/sock.h"

struct opener {
	pid_t pid;
	int socket[OPENER_THREADS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	bool busy[OPENER_THREADS];
	bool gone;
};

/* Asking. */

/* A thread of it that has nothing to do; -ESHUTDOWN: it is gone. */
static int take_thread(struct opener *opener)
{
	int found = -1;

	pthread_mutex_lock(&opener->lock);
	while (!opener->gone && found < 0) {
		for (int i = 0; i < OPENER_THREADS && found < 0; i++)
			if (!opener->busy[i])
				found = i;
		if (found < 0)
			pthread_cond_wait(&opener->changed, &opener->lock);
	}
	if (opener->gone)
		found = -ESHUTDOWN;
	else
		opener->busy[found] = true;
	pthread_mutex_unlock(&opener->lock);
	return found;
}

static void give_thread(struct opener *opener, int i, bool gone)
{
	pthread_mutex_lock(&opener->lock);
	opener->busy[i] = false;
	if (gone && !opener->gone)
		log_error("the process that opens device nodes is gone: no session can be opened "
			  "that needs a node, until the broker is started again");
	opener->gone |= gone;
	if (gone)
		pthread_cond_broadcast(&opener->changed);
	else
		pthread_cond_signal(&opener->changed);
	pthread_mutex_unlock(&opener->lock);
}

/* Is that an answer to what was asked? */
static bool is_sound(const struct opener_request *request, const struct opener_reply *reply,
	const struct sock_fds *fds)
{
	const bool opened = reply->error == 0 && request->op != OPENER_RELEASE;

	return reply->error <= 0 && fds->n == opened &&
	       (reply->pid > 0) == (opened && request->op == OPENER_OPEN_AS);
}

/* There was no room for the descriptor that came; the reply without it is still to come. */
static int receive_no_room(int socket, struct opener_reply *reply)
{
	_cleanup_(sock_fds_close) struct sock_fds none = {};

	if (sock_receive(socket, reply, sizeof(*reply), &none, 0) != sizeof(*reply) || none.n)
		return -ESHUTDOWN;
	reply->error = -EMFILE;
	return 0;
}

/* Returns 0 or -ESHUTDOWN. */
static int receive(int socket, const struct opener_request *request, struct opener_reply *reply,
	struct sock_fds *fds)
{
	_cleanup_(sock_fds_close) struct sock_fds none = {};
	const ssize_t n = sock_receive(socket, reply, sizeof(*reply), fds, 0);

	if (n == -EMFILE)
		return receive_no_room(socket, reply);
	if (n != sizeof(*reply) || !is_sound(request, reply, fds))
		return -ESHUTDOWN;
	if (!fds->n)
		return 0;
	if (sock_receive(socket, reply, sizeof(*reply), &none, 0) != sizeof(*reply) || none.n ||
		!is_sound(request, reply, fds))
		return -ESHUTDOWN;
	return 0;
}

/* Returns 0 with an answer, or -ESHUTDOWN. */
static int ask(struct opener *opener, const struct opener_request *request,
	struct opener_reply *reply, struct sock_fds *fds)
{
	int i = take_thread(opener), r;

	if (i < 0)
		return i;
	r = sock_send(opener->socket[i], request, sizeof(*request), NULL, 0, 0);
	if (r == 0)
		r = receive(opener->socket[i], request, reply, fds);
	give_thread(opener, i, r < 0);
	return r < 0 ? -ESHUTDOWN : 0;
}

void opener_release(struct opener *opener, pid_t pid)
{
	const struct opener_request request = {.op = OPENER_RELEASE, .pid = pid};
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct opener_reply reply;

	ask(opener, &request, &reply, &fds);
}

static int open_by(struct opener *opener, enum opener_op op, const char *name, int flags,
	pid_t *pid)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct opener_request request = {.op = op, .flags = flags};
	struct opener_reply reply;
	int r;

	if (strlen(name) >= sizeof(request.name))
		return -EPERM;
	strcpy(request.name, name);
	r = ask(opener, &request, &reply, &fds);
	if (r < 0)
		return r;
	if (reply.error < 0 && reply.pid > 0)
		opener_release(opener, reply.pid);
	if (reply.error < 0)
		return reply.error;
	*pid = reply.pid;
	return sock_fds_take(&fds, 0);
}

int opener_open(struct opener *opener, const char *name, int flags)
{
	pid_t none;

	return open_by(opener, OPENER_OPEN, name, flags, &none);
}

int opener_open_as(struct opener *opener, const char *name, int flags, pid_t *pid)
{
	*pid = 0;
	return open_by(opener, OPENER_OPEN_AS, name, flags, pid);
}

/* Its life. */

/* Both ends of each are made before there is another process, which has then all of the others. */
static int make_sockets(struct opener *opener, int theirs[OPENER_THREADS])
{
	for (size_t i = 0; i < OPENER_THREADS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		opener->socket[i] = pair[0];
		theirs[i] = pair[1];
	}
	return 0;
}

static int fork_it(struct opener *opener, const struct opener_place *place, const int *sockets)
{
	opener->pid = fork();
	if (opener->pid < 0)
		return -errno;
	if (opener->pid == 0)
		opener_process_run(place, sockets);
	return 0;
}

static int await_ready(const struct opener *opener, bool allow_unconfined)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct opener_ready ready;

	if (sock_receive(opener->socket[0], &ready, sizeof(ready), &fds, 0) != sizeof(ready))
		return -ECHILD;
	ready.missing[sizeof(ready.missing) - 1] = '\0';
	if (ready.error < 0)
		return ready.error;
	if (!ready.unconfined)
		return 0;
	if (!allow_unconfined) {
		log_error("the process that opens device nodes cannot %s: %s; "
			  "--allow-unconfined lets it run all the same",
			ready.missing, strerror(-ready.unconfined));
		return ready.unconfined;
	}
	log_warning("UNCONFINED: the process that opens device nodes cannot %s: %s", ready.missing,
		strerror(-ready.unconfined));
	return 0;
}

static int start(struct opener *opener, const struct opener_place *place, bool allow_unconfined)
{
	int theirs[OPENER_THREADS], r;

	memset(theirs, -1, sizeof(theirs));
	r = make_sockets(opener, theirs);
	if (r == 0)
		r = fork_it(opener, place, theirs);
	for (size_t i = 0; i < OPENER_THREADS; i++)
		fd_close(theirs[i]);
	return r < 0 ? r : await_ready(opener, allow_unconfined);
}

int opener_start(struct opener **out, const struct opener_place *place, bool allow_unconfined)
{
	_cleanup_(opener_freep) struct opener *opener = calloc(1, sizeof(*opener));
	int r;

	if (!opener)
		return -ENOMEM;
	memset(opener->socket, -1, sizeof(opener->socket));
	pthread_mutex_init(&opener->lock, NULL);
	pthread_cond_init(&opener->changed, NULL);
	r = start(opener, place, allow_unconfined);
	if (r == 0)
		*out = TAKE_PTR(opener);
	return r;
}

int opener_new(struct opener **out, const struct broker_options *options)
{
	const struct opener_place place = {
		.dev = options->dev,
		.user = options->user,
		.confined = true,
		.open = options->drm_render_nodes ? opener_process_open_render
						  : opener_process_open,
	};
	int r = opener_start(out, &place, options->allow_unconfined);

	if (r < 0)
		log_error("the process that opens device nodes does not start: %s", strerror(-r));
	return r;
}

struct opener *opener_free(struct opener *opener)
{
	if (!opener)
		return NULL;
	/* That ends it, and we do not wait: if somebody has stopped it, it ends with us. */
	for (size_t i = 0; i < OPENER_THREADS; i++)
		fd_close(opener->socket[i]);
	pthread_cond_destroy(&opener->changed);
	pthread_mutex_destroy(&opener->lock);
	free(opener);
	return NULL;
}

pid_t opener_pid(const struct opener *opener)
{
	return opener->pid;
}
