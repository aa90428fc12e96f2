// SPDX-License-Identifier: MIT
#include "daemon/softdsp/domain.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/softdsp/service.h"
#include "protocol/util.h"
#include "protocol/wire.h"

#define FIRST_FD 16 /* where a domain's descriptors lie, in the order of enum domain_fd */
#define FDS_MAX  32 /* room for those of a message, and for what the loader opens */

struct domain {
	int fd[SOFT_SPAWN_FDS];
	struct dsp_ring ring;
	struct service service;
};

static struct domain domain; /* one process, one domain; too large for the stack */

static noreturn void die(const char *what, int error)
{
	fprintf(stderr, "softdsp: domain ends: %s: %s\n", what, strerror(-error));
	_exit(EXIT_FAILURE);
}

/* Hold stdin, stdout (both /dev/null), stderr and our four, and nothing else. */
static int keep_fds(const struct sock_fds *fds)
{
	for (int i = 0; i < SOFT_SPAWN_FDS; i++) {
		domain.fd[i] = fcntl(fds->fd[i], F_DUPFD_CLOEXEC, FIRST_FD + i);
		if (domain.fd[i] < 0)
			return -errno;
		if (domain.fd[i] != FIRST_FD + i)
			return -EBUSY;
	}
	if (close_range(STDERR_FILENO + 1, FIRST_FD - 1, 0) < 0 ||
		close_range(FIRST_FD + SOFT_SPAWN_FDS, ~0U, 0) < 0)
		return -errno;
	return 0;
}

/* The broker alone ends a domain: what is meant for its process group or its unit does not. A
 * crash ends it at once, without the handlers of any run-time. */
static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL); /* refused for those that cannot be changed */
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int isolate(const struct sock_fds *fds, pid_t supervisor)
{
	static const struct rlimit no_core = {0, 0}, few_fds = {FDS_MAX, FDS_MAX};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != supervisor) /* it died before it could have been noticed */
		return -ESRCH;
	reset_signals();
	if (setsid() < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setrlimit(RLIMIT_CORE, &no_core) < 0 || setrlimit(RLIMIT_NOFILE, &few_fds) < 0)
		return -errno;
	return keep_fds(fds);
}

static int send_started(int value, const char *text)
{
	struct soft_message message = {.type = SOFT_STARTED, .value = value};

	wire_string_set(message.text, sizeof(message.text), text);
	return sock_send(domain.fd[DOMAIN_SOCKET], &message, sizeof(message), NULL, 0, 0);
}

static int load(const struct soft_message *spawn, char text[SOFT_TEXT_SIZE])
{
	int r;

	r = ring_map(&domain.ring, domain.fd[DOMAIN_RING], SOFT_RING_SQ_SLOTS,
		SOFT_RING_CQ_ENTRIES);
	if (r < 0) {
		wire_string_set(text, SOFT_TEXT_SIZE, "the domain's ring cannot be mapped");
		return r;
	}
	domain.fd[DOMAIN_RING] = fd_close(domain.fd[DOMAIN_RING]);
	domain.service.mappings.socket = domain.fd[DOMAIN_SOCKET];
	return module_load(&domain.service.module, spawn->module, text);
}

/* Sleep until the doorbell rings or the broker says something on the socket. */
static int wait_for_broker(void)
{
	struct pollfd fds[] = {
		{.fd = domain.fd[DOMAIN_SOCKET], .events = POLLIN},
		{.fd = domain.fd[DOMAIN_DOORBELL], .events = POLLIN},
	};
	uint64_t count;

	if (ppoll(fds, ARRAY_SIZE(fds), NULL, NULL) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents & POLLIN)
		(void)!read(domain.fd[DOMAIN_DOORBELL], &count, sizeof(count));
	return fds[0].revents ? mapping_receive(&domain.service.mappings) : 0;
}

/* Take an entry, or wait for something that may make one possible and return 0. */
static int next_entry(struct dsp_entry *entry, struct dsp_entry_fault *fault)
{
	struct dsp_ring *ring = &domain.ring;
	int r;

	r = ring_unreaped(ring);
	if (r < 0)
		return r;
	if ((uint32_t)r >= ring->cq_entries) {
		r = ring_servicer_stall(ring, 0);
		return r > 0 ? wait_for_broker() : r;
	}
	r = ring_fetch(ring, entry, fault);
	if (r != 0 || !ring_servicer_sleep(ring))
		return r;
	r = wait_for_broker();
	ring_servicer_wake(ring);
	return r;
}

/* Returns why it ended. */
static int serve(void)
{
	for (;;) {
		struct dsp_completion completion;
		struct dsp_entry_fault fault;
		struct dsp_entry entry;
		int r;

		r = next_entry(&entry, &fault);
		if (r > 0)
			r = service_run(&domain.service, &entry, &fault, &completion);
		else if (r == 0)
			continue;
		if (r < 0)
			return r;
		ring_complete(&domain.ring, &completion);
		if (ring_publish(&domain.ring))
			ring_kick(domain.fd[DOMAIN_NOTIFY]);
	}
}

noreturn void domain_run(const struct soft_message *spawn, const struct sock_fds *fds,
	const struct confinement *confinement, pid_t supervisor)
{
	char text[SOFT_TEXT_SIZE];
	int r;

	r = isolate(fds, supervisor);
	if (r < 0)
		die("it cannot be isolated", r);
	r = load(spawn, text);
	if (r < 0) {
		send_started(r, text);
		_exit(EXIT_FAILURE);
	}
	r = confine_enter(confinement);
	if (r < 0) {
		send_started(r, "the domain cannot be confined");
		_exit(EXIT_FAILURE);
	}
	r = send_started(0, "");
	if (r < 0)
		die("the broker cannot be told that it has started", r);
	r = serve();
	if (r != -ECONNRESET)
		die("the broker's side of the ring or socket is broken", r);
	_exit(EXIT_SUCCESS);
}
