// SPDX-License-Identifier: MIT
/*
 * The transport to the embedded software DSP: starts its supervisor, finds its modules, and gives
 * each session a protection domain.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/become.h"
#include "daemon/broker.h"
#include "daemon/call.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/session.h"
#include "daemon/transport/module_name.h"
#include "daemon/transport/soft_domain.h"
#include "daemon/transport/transport.h"
#include "protocol/sock.h"

#define DEVICE_NAME "soft0"

/* How long the supervisor may take to start, and bytes of its socket: room for a burst. */
#define READY_TIMEOUT_MS 10000
#define SOCKET_BYTES     (1024 * 1024)

static struct soft_device *soft_of(struct device *device)
{
	return container_of(device, struct soft_device, device);
}

static struct soft_domain *domain_of(const struct lane *lane)
{
	return container_of(lane, struct soft_domain, lane);
}

/* The supervisor. */

static void supervisor_gone(struct soft_device *soft)
{
	static const char died[] = "the software DSP died";
	struct soft_domain *domain, *following;

	log_error("the software DSP's supervisor died; stopping");
	soft->source = sd_event_source_disable_unref(soft->source);
	soft->sock = fd_close(soft->sock);
	/* It takes its domains with it. Those whose sockets have closed are gone already. */
	list_for_each_safe (domain, following, &soft->domains, link) {
		soft_domain_end(domain, DSP_DEVICE_DOWN, died);
		if (domain->sock_source)
			continue;
		/* Its end was noticed first, and nobody will say any more what it died of. */
		if (!*domain->end_text) {
			domain->end_status = DSP_DEVICE_DOWN;
			wire_string_set(domain->end_text, sizeof(domain->end_text), died);
		}
		soft_domain_gone(domain, SIGKILL);
	}
	device_lost_state(&soft->device, false);
	broker_stop(soft->device.broker, EXIT_FAILURE);
}

static void domain_exited(struct soft_device *soft, const struct soft_message *message)
{
	struct soft_domain *domain;

	list_for_each (domain, &soft->domains, link) {
		if (domain->number == message->id) {
			soft_domain_gone(domain, message->value);
			return;
		}
	}
}

static int on_supervisor(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct soft_device *soft = userdata;
	struct soft_message message;
	struct soft_domain *domain;
	ssize_t n;

	if (events & EPOLLOUT) {
		sd_event_source_set_io_events(source, EPOLLIN);
		list_for_each (domain, &soft->domains, link)
			soft_domain_send_kill(domain);
	}
	n = sock_receive(fd, &message, sizeof(message), &fds, MSG_DONTWAIT);
	if (n == -EAGAIN)
		return 0;
	if (n != sizeof(message))
		supervisor_gone(soft);
	else if (message.type == SOFT_EXITED)
		domain_exited(soft, &message);
	return 0;
}

static int wait_ready(int sock)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct pollfd pollfd = {.fd = sock, .events = POLLIN};
	struct soft_message message;

	if (poll(&pollfd, 1, READY_TIMEOUT_MS) <= 0)
		return -ETIMEDOUT;
	if (sock_receive(sock, &message, sizeof(message), &fds, MSG_DONTWAIT) != sizeof(message) ||
		message.type != SOFT_READY)
		return -ECHILD;
	return 0;
}

/* In the child: become the supervisor. */
static void exec_supervisor(const struct broker_options *options, int sock)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (become(options->user) < 0)
		_exit(EXIT_FAILURE);
	/* dup2() onto itself would keep CLOEXEC. */
	if (sock == SOFT_SUPERVISOR_FD)
		sock = dup(sock);
	if (sock < 0 || dup2(sock, SOFT_SUPERVISOR_FD) < 0)
		_exit(EXIT_FAILURE);
	execl(options->softdsp, options->softdsp, "--modules", options->modules,
		options->allow_unconfined ? "--allow-unconfined" : NULL, NULL);
	log_error("cannot run %s: %m", options->softdsp);
	_exit(EXIT_FAILURE);
}

static int start_supervisor(struct soft_device *soft, const struct broker_options *options)
{
	int pair[2], size = SOCKET_BYTES, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	soft->sock = pair[0];
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	pid = fork();
	if (pid == 0)
		exec_supervisor(options, pair[1]);
	fd_close(pair[1]);
	if (pid < 0)
		return -errno;
	soft->pid = pid;
	r = wait_ready(soft->sock);
	if (r < 0) {
		log_error("the software DSP (%s --modules %s) does not start", options->softdsp,
			options->modules);
		kill(pid, SIGKILL);
		return r;
	}
	return sd_event_add_io(soft->device.broker->event, &soft->source, soft->sock, EPOLLIN,
		on_supervisor, soft);
}

/* The device. */

static int add_channels(struct device *device, const char *directory)
{
	struct dirent **entries;
	int n, r = 0;

	n = scandir(directory, &entries, NULL, alphasort);
	if (n < 0) {
		r = -errno;
		log_error("cannot read the software DSP's modules in %s: %s", directory,
			strerror(-r));
		return r;
	}
	for (int i = 0; i < n; i++) {
		char name[SOFT_MODULE_SIZE];

		if (r >= 0 && module_name(entries[i]->d_name, name, sizeof(name)) &&
			!device_add_channel(device, name, DSP_KIND_CALL))
			r = -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int soft_probe(struct broker *broker)
{
	struct soft_device *soft = calloc(1, sizeof(*soft));
	int r;

	if (!soft)
		return -ENOMEM;
	soft->sock = -1;
	list_init(&soft->domains);
	list_init(&soft->dirty);
	device_add(broker, &soft->device, &soft_transport, DEVICE_NAME);
	r = add_channels(&soft->device, broker->options->modules);
	if (r < 0)
		return r;
	r = start_supervisor(soft, broker->options);
	if (r < 0)
		return r;
	device_set_up(&soft->device);
	return 0;
}

/* The supervisor ends when it hears no more of us, and its domains before it. */
static void await_end(int sock)
{
	struct soft_message message;

	shutdown(sock, SHUT_WR);
	for (;;) {
		_cleanup_(sock_fds_close) struct sock_fds fds = {};

		if (sock_receive(sock, &message, sizeof(message), &fds, 0) <= 0)
			return;
	}
}

static void soft_remove(struct device *device)
{
	struct soft_device *soft = soft_of(device);

	sd_event_source_disable_unref(soft->source);
	if (soft->pid > 0)
		await_end(soft->sock);
	fd_close(soft->sock);
	free(soft);
}

/* The operations. */

static int soft_open(struct session *session)
{
	struct soft_device *soft = soft_of(session->device);
	struct soft_domain *domain;
	int r;

	if (*session->share_domain) {
		list_for_each (domain, &soft->domains, link)
			if (!domain->ending && !strcmp(domain->share, session->share_domain) &&
				!strcmp(domain->module, session->service))
				return soft_domain_attach(domain, session);
	}
	r = soft_domain_new(&domain, soft, session->service, session->share_domain);
	return r < 0 ? r : soft_domain_attach(domain, session);
}

static void soft_close(struct session *session)
{
	soft_domain_detach(domain_of(session->lane), session);
}

static int soft_import(struct session *session, struct buffer *buffer, struct import **out)
{
	return soft_domain_import(domain_of(session->lane), buffer, out);
}

static void soft_release(struct import *import)
{
	soft_domain_release(domain_of(import->lane), import);
}

static int soft_submit(struct call *call)
{
	return soft_domain_submit(domain_of(call->session->lane), call);
}

static bool soft_cancel(struct call *call)
{
	return soft_domain_cancel(domain_of(call->session->lane), call);
}

static void soft_abort(struct call *call)
{
	soft_domain_end(domain_of(call->session->lane), DSP_DOMAIN_CRASHED,
		call->outcome == DSP_TIMED_OUT
			? "its protection domain was ended, as a call took longer than it may"
			: "its protection domain was ended, as the broker stops");
}

static void soft_flush(struct device *device)
{
	struct soft_device *soft = soft_of(device);
	struct soft_domain *domain;

	while ((domain = list_first(&soft->dirty, struct soft_domain, dirty))) {
		list_remove(&domain->dirty);
		soft_domain_flush(domain);
	}
}

const struct transport_ops soft_transport = {
	.name = "soft",
	.probe = soft_probe,
	.remove = soft_remove,
	.open = soft_open,
	.close = soft_close,
	.import = soft_import,
	.release = soft_release,
	.submit = soft_submit,
	.cancel = soft_cancel,
	.abort = soft_abort,
	.flush = soft_flush,
};
