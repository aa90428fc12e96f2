// SPDX-License-Identifier: MIT
#include "daemon/softdsp/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/softdsp/domain.h"
#include "daemon/softdsp/module.h"
#include "protocol/sock.h"

#define NEVER_STARTED (127 << 8) /* the wait status of a domain that could not be forked */

/* A domain, from SPAWN until EXITED is sent. */
struct child {
	struct list node;
	uint32_t id;
	pid_t pid;  /* 0: gone, and reaped */
	int status; /* once it is gone */
};

struct supervisor {
	int socket;
	int signals;
	pid_t pid;
	const struct confinement *confinement;
	struct list children;
	unsigned int unreported; /* children that are gone, of which the broker does not know yet */
	bool stopping;
};

static void child_gone(struct supervisor *supervisor, struct child *child, int status)
{
	child->pid = 0;
	child->status = status;
	supervisor->unreported++;
}

static void child_free(struct child *child)
{
	list_remove(&child->node);
	free(child);
}

static int spawn(struct supervisor *supervisor, const struct soft_message *message,
	struct sock_fds *fds)
{
	struct child *child;

	child = malloc(sizeof(*child));
	if (!child)
		return -ENOMEM;
	*child = (struct child){.id = message->id};
	list_append(&supervisor->children, &child->node);

	if (fds->n == SOFT_SPAWN_FDS && module_name_valid(message->module)) {
		child->pid = fork();
		if (child->pid == 0)
			domain_run(message, fds, supervisor->confinement, supervisor->pid);
	}
	if (child->pid <= 0)
		child_gone(supervisor, child, NEVER_STARTED);
	return 0;
}

/* A domain that is not known is one whose EXITED is on its way. */
static int end(struct supervisor *supervisor, const struct soft_message *message,
	struct sock_fds *fds)
{
	struct child *child;

	(void)fds;
	list_for_each (child, &supervisor->children, node) {
		if (child->id == message->id && child->pid)
			kill(child->pid, SIGKILL);
	}
	return 0;
}

static int (*const requests[])(struct supervisor *supervisor, const struct soft_message *message,
	struct sock_fds *fds) = {
	[SOFT_SPAWN] = spawn,
	[SOFT_KILL] = end,
};

/* Handle one packet. -ECONNRESET: the broker is gone. */
static int receive(struct supervisor *supervisor)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct soft_message message;
	ssize_t n;

	n = sock_receive(supervisor->socket, &message, sizeof(message), &fds, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 ? (int)n : -ECONNRESET;
	if (n != sizeof(message) || message.type >= ARRAY_SIZE(requests) || !requests[message.type])
		return -EPROTO;
	return requests[message.type](supervisor, &message, &fds);
}

static void reap(struct supervisor *supervisor, int flags)
{
	struct child *child;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, flags)) > 0) {
		list_for_each (child, &supervisor->children, node) {
			if (child->pid != pid)
				continue;
			child_gone(supervisor, child, status);
			break;
		}
	}
}

static int take_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGTERM)
			supervisor->stopping = true;
	}
	if (errno != EAGAIN)
		return -errno;
	reap(supervisor, WNOHANG);
	return 0;
}

/* Never waits: what the socket has no room for stays in the table until it has. */
static int report(struct supervisor *supervisor)
{
	struct child *child, *following;

	list_for_each_safe (child, following, &supervisor->children, node) {
		struct soft_message message = {
			.type = SOFT_EXITED, .id = child->id, .value = child->status};
		int r;

		if (child->pid)
			continue;
		r = sock_send(supervisor->socket, &message, sizeof(message), NULL, 0, MSG_DONTWAIT);
		if (r < 0)
			return r == -EAGAIN ? 0 : r;
		supervisor->unreported--;
		child_free(child);
	}
	return 0;
}

static int turn(struct supervisor *supervisor)
{
	struct pollfd fds[] = {
		{.fd = supervisor->socket,
			.events = (short)(POLLIN | (supervisor->unreported ? POLLOUT : 0))},
		{.fd = supervisor->signals, .events = POLLIN},
	};
	int r;

	if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents) {
		r = take_signals(supervisor);
		if (r < 0)
			return r;
	}
	if (fds[0].revents & ~POLLOUT) {
		r = receive(supervisor);
		if (r < 0 && r != -EAGAIN)
			return r;
	}
	return supervisor->unreported ? report(supervisor) : 0;
}

static int listen_to_signals(struct supervisor *supervisor)
{
	sigset_t mask;

	/* What a terminal sends to its whole group is for the broker, which will tell us. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* An ignored SIGCHLD, which we may have inherited, would leave us without wait statuses. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
		return -errno;
	supervisor->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return supervisor->signals < 0 ? -errno : 0;
}

static int supervise(struct supervisor *supervisor)
{
	static const struct soft_message ready = {.type = SOFT_READY};
	int r;

	r = listen_to_signals(supervisor);
	if (r == 0)
		r = confine_supervisor(supervisor->confinement);
	if (r < 0)
		return r;
	r = sock_send(supervisor->socket, &ready, sizeof(ready), NULL, 0, 0);
	while (r >= 0 && !supervisor->stopping)
		r = turn(supervisor);
	return r;
}

static void stop(struct supervisor *supervisor)
{
	struct child *child, *following;

	list_for_each (child, &supervisor->children, node) {
		if (child->pid)
			kill(child->pid, SIGKILL);
	}
	reap(supervisor, 0);
	list_for_each_safe (child, following, &supervisor->children, node)
		child_free(child);
	fd_close(supervisor->signals);
}

int supervisor_run(int socket, const struct confinement *confinement)
{
	struct supervisor supervisor = {
		.socket = socket, .signals = -1, .pid = getpid(), .confinement = confinement};
	int r;

	list_init(&supervisor.children);
	r = supervise(&supervisor);
	stop(&supervisor);
	return r == -ECONNRESET || r == -EPIPE ? 0 : r;
}
