// SPDX-License-Identifier: MIT
#include "daemon/softdsp/domain.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/softdsp/service.h"
#include "protocol/clock.h"
#include "protocol/spin.h"
#include "protocol/util.h"
#include "protocol/wire.h"

#define FIRST_FD 16 /* where a domain's descriptors lie, in the order of enum domain_fd */
#define FDS_MAX  32 /* room for those of a message, and for what the loader opens */

#define MEMORY_MAX ((rlim_t)256 << 20) /* bytes of a domain's own; softdsp.8 tells */

struct domain {
	int fd[SOFT_SPAWN_FDS];
	struct dsp_ring ring;
	struct spin spin;
	bool woke; /* it had to wake the broker since it waited */
	struct service service;
};

static struct domain domain; /* one process, one domain; too large for the stack */

static noreturn void die(const char *what, int error)
{
	fprintf(stderr, "softdsp: domain ends: %s: %s\n", what, strerror(-error));
	_exit(EXIT_FAILURE);
}

/* Hold stdin, stdout (both /dev/null), stderr and ours, and nothing else. */
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

/*
 * Memory of its own: heap, data of libraries, stacks of threads. What the broker lends is shared
 * and does not count. An administrator's own limit holds instead, of softdsp's service. (A
 * sanitizer's shadow would be counted.)
 */
static int limit_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit) < 0)
		return -errno;
	if (limit.rlim_cur != RLIM_INFINITY || FILTER_SANITIZED)
		return 0;
	limit.rlim_cur = limit.rlim_max = MIN(limit.rlim_max, MEMORY_MAX);
	return setrlimit(RLIMIT_DATA, &limit) < 0 ? -errno : 0;
}

static int isolate(const struct sock_fds *fds, pid_t supervisor)
{
	static const struct rlimit few_fds = {FDS_MAX, FDS_MAX};
	int r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != supervisor) /* it died before it could have been noticed */
		return -ESRCH;
	reset_signals();
	/* Signals of a terminal are not for it. But no session of its own: between two of them,
	 * whose shares of the processor the kernel may keep apart, to give way is to wait in vain.
	 */
	if (setpgid(0, 0) < 0 || setrlimit(RLIMIT_NOFILE, &few_fds) < 0)
		return -errno;
	r = limit_memory();
	return r < 0 ? r : keep_fds(fds);
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

/* At the futex of the ring, until the broker wakes us. Whether it is gone we need not know: then
 * our supervisor is as well, and takes us with it. */
static int sleep_for_broker(void)
{
	const uint32_t how = DSP_ASLEEP | DSP_AT_FUTEX;
	int r = 0;

	if (ring_servicer_sleep(&domain.ring, how)) {
		/* It may have filled the socket, and have woken us for that. */
		r = mapping_receive(&domain.service.mappings);
		if (r >= 0)
			ring_servicer_nap(&domain.ring, how);
	}
	ring_servicer_wake(&domain.ring);
	return MIN(r, 0);
}

/* Until there may be entries: look for them first, as long as that pays. */
static int wait_for_broker(void)
{
	uint64_t limit = domain.ring.may_look ? spin_limit(&domain.spin) : 0;
	uint64_t start, now, looked;
	int r = 0;

	/* Before the clock is read: whoever needs this processor has it sooner. */
	if (limit)
		spin_pause(!domain.spin.alone);
	start = now = looked = clock_ns();
	while (!ring_can_fetch(&domain.ring)) {
		if (now - looked >= SPIN_LOST_NS)
			spin_lost(&domain.spin, now);
		if (now - start >= limit) {
			r = sleep_for_broker();
			now = clock_ns();
			break;
		}
		looked = now;
		now = spin_step(&domain.spin, now);
		ring_servicer_here(&domain.ring);
	}
	spin_waited(&domain.spin, now, now - start, domain.woke);
	domain.woke = false;
	return r;
}

/* Show the broker what is done, each at once: how long the next call takes nobody knows. The room
 * that it took in the ring first, as the broker counts on that. */
static void complete(const struct dsp_completion *completion)
{
	uint32_t how;

	ring_complete(&domain.ring, completion);
	ring_fetched(&domain.ring);
	how = ring_publish(&domain.ring);
	domain.woke |= how != DSP_AWAKE;
	ring_wake_requester(&domain.ring, how, domain.fd[DOMAIN_NOTIFY]);
}

/* Returns why it ended. */
static int serve(void)
{
	ring_servicer_here(&domain.ring);
	for (;;) {
		struct dsp_completion completion;
		struct dsp_entry_fault fault;
		struct dsp_entry entry;
		int r;

		/* The broker never has more in flight than there is room for. */
		if (ring_has_room(&domain.ring, 0) <= 0)
			return -EPROTO;
		r = ring_fetch(&domain.ring, &entry, &fault);
		if (r > 0) {
			r = service_run(&domain.service, &entry, &fault, &completion);
			if (r >= 0)
				complete(&completion);
		} else if (r == 0) {
			r = wait_for_broker();
		}
		if (r < 0)
			return r;
	}
}

noreturn void domain_run(const struct soft_message *spawn, const struct sock_fds *fds,
	const struct confinement *confinement, pid_t supervisor)
{
	char text[SOFT_TEXT_SIZE];
	int r;

	r = isolate(fds, supervisor);
	if (r == 0)
		r = confine_loading(confinement);
	if (r < 0)
		die("it cannot be isolated", r);
	r = load(spawn, text);
	if (r < 0) {
		send_started(r, text);
		_exit(EXIT_FAILURE);
	}
	r = confine_loaded(confinement);
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
