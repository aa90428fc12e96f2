// SPDX-License-Identifier: MIT
/*
 * The same calls without a broker: this program has a supervisor of the software DSP and a
 * protection domain of its own, and drives the domain's ring itself. What the broker adds to this
 * is what it costs: a second ring, and everything that makes it worth having.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/transport/softdsp.h"
#include "protocol/ring.h"
#include "protocol/sock.h"
#include "protocol/spin.h"
#include "protocol/util.h"
#include "protocol/wire.h"
#include "tests/bench/bench.h"
#include "tests/bench/peer.h"
#include "tests/bench/pin.h"
#include "tests/bench/pipeline.h"
#include "tests/bench/sample.h"

#define SESSION 0

struct direct {
	pid_t supervisor;
	int supervisor_sock, sock, notify;
	struct dsp_ring ring;
};

/* The links to supervisor and domain. */

static void exec_supervisor(int sock)
{
	char program[SERVICE_PATH_MAX], modules[SERVICE_PATH_MAX];

	service_built(program, "softdsp");
	service_built(modules, "modules");
	if (sock == SOFT_SUPERVISOR_FD)
		must_errno(fcntl(sock, F_SETFD, 0), "fcntl");
	else
		must_errno(dup2(sock, SOFT_SUPERVISOR_FD), "dup2");
	execl(program, program, "--modules", modules, NULL);
	must(-errno, program);
}

static void await(int sock, uint32_t type)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct soft_message message;
	ssize_t n;

	n = sock_receive(sock, &message, sizeof(message), &fds, 0);
	must(n < 0 ? (int)n : 0, "softdsp");
	must(n == sizeof(message) && message.type == type && message.value == 0 ? 0 : -EPROTO,
		"softdsp");
}

static void start_supervisor(struct direct *direct)
{
	pid_t benchmark = getpid();
	int pair[2];

	must_errno(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
	direct->supervisor = must_errno(fork(), "fork");
	if (direct->supervisor == 0) {
		peer_follow(benchmark);
		exec_supervisor(pair[1]);
	}
	close(pair[1]);
	direct->supervisor_sock = pair[0];
	await(direct->supervisor_sock, SOFT_READY);
}

static void start_domain(struct direct *direct)
{
	struct soft_message spawn = {.type = SOFT_SPAWN, .id = 1, .module = "example"};
	int pair[2], ring;

	must_errno(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
	must(ring_create(&direct->ring, &ring, SOFT_RING_SQ_SLOTS, SOFT_RING_CQ_ENTRIES), "ring");
	direct->sock = pair[0];
	direct->notify = must_errno(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
	must(sock_send(direct->supervisor_sock, &spawn, sizeof(spawn),
		     (const int[SOFT_SPAWN_FDS]){pair[1], ring, direct->notify}, SOFT_SPAWN_FDS, 0),
		"spawn");
	close(pair[1]);
	close(ring);
	await(direct->sock, SOFT_STARTED);
}

static void stop(struct direct *direct)
{
	close(direct->supervisor_sock); /* so the supervisor ends, and its domain with it */
	close(direct->sock);
	close(direct->notify);
	ring_unmap(&direct->ring);
	must_errno(waitpid(direct->supervisor, NULL, 0), "waitpid");
}

/* Calls. */

static void submit(struct dsp_ring *ring)
{
	ring_wake_servicer(ring, ring_submit(ring), -1);
}

static unsigned int direct_submit(void *data, unsigned int n)
{
	static const struct dsp_entry call = {
		.op = DSP_OP_INVOKE, .session = SESSION, .method = METHOD_NOP};
	struct direct *direct = data;

	for (unsigned int i = 0; i < n; i++)
		must(ring_push(&direct->ring, &call, NULL), "push");
	submit(&direct->ring);
	return n;
}

/* It looks, as the library does while it pays, and here it always pays. */
static unsigned int direct_reap(void *data)
{
	struct direct *direct = data;
	struct dsp_completion completion;
	unsigned int n = 0;
	int r;

	while (!ring_can_reap(&direct->ring)) {
		spin_pause(true);
		ring_requester_here(&direct->ring);
	}
	while (n < PIPELINE_DEPTH && (r = ring_reap(&direct->ring, &completion)) != 0) {
		must(r < 0 ? r : (int)completion.status, "direct call");
		n++;
	}
	ring_reaped(&direct->ring);
	return n;
}

void measure_direct(const struct service *service, double *figures)
{
	static const struct dsp_entry open = {.op = DSP_OP_MODULE_OPEN, .session = SESSION};
	struct direct direct;
	const struct pipeline pipeline = {direct_submit, direct_reap, &direct};

	(void)service;
	start_supervisor(&direct);
	start_domain(&direct);
	must(ring_push(&direct.ring, &open, NULL), "push");
	submit(&direct.ring);
	must(direct_reap(&direct) == 1 ? 0 : -EPROTO, "module");
	figures[DIRECT_PER_SECOND] = pipeline_per_second(&pipeline);
	if (pin_possible()) {
		/* The domain takes the broker's place: each of the two has a processor. */
		pin_descendants(direct.supervisor, PLACE_BROKER);
		pin(PLACE_ENDS);
		figures[DIRECT_PINNED_PER_SECOND] = pipeline_per_second(&pipeline);
		pin(PLACE_ANY);
	} else {
		figure_absent(DIRECT_PINNED_PER_SECOND, PIN_IMPOSSIBLE);
	}
	stop(&direct);
}
