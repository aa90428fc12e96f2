// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/cdsp.h"
#include "tests/kernel/fastrpc.h"

#define TICK_US 1000

static bool are_there(void)
{
	return access(FASTRPC_NODE, R_OK) == 0 && access(FASTRPC_NODE_SECURE, R_OK) == 0;
}

static bool are_gone(void)
{
	return access(FASTRPC_NODE, F_OK) < 0 && access(FASTRPC_NODE_SECURE, F_OK) < 0;
}

static const char *node(void)
{
	return FASTRPC_NODE;
}

static size_t free_sessions(void)
{
	struct fastrpc_node nodes[CDSP_SESSIONS + 1];
	size_t n = 0;

	while (n < ARRAY_SIZE(nodes) && fastrpc_open(&nodes[n], FASTRPC_NODE) == 0)
		n++;
	for (size_t i = 0; i < n; i++)
		fastrpc_close(&nodes[i]);
	return n;
}

static void nothing(int number)
{
	(void)number;
}

/* Interrupt this process again and again. */
static void set_ticks(suseconds_t us)
{
	const struct sigaction action = {.sa_handler = nothing}; /* without SA_RESTART */
	const struct itimerval timer = {.it_value.tv_usec = us, .it_interval.tv_usec = us};

	require_eq(sigaction(SIGALRM, &action, NULL), 0);
	require_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* Wait for what the DSP has to ask, which is nothing. */
static int wait_for_next(const struct fastrpc_node *node)
{
	struct listener_next_in in = {.result = -1};
	struct listener_next_out out;
	const struct fastrpc_invoke_args args[] = {
		fastrpc_inline(&in, sizeof(in)),
		fastrpc_inline(NULL, 0),
		fastrpc_inline(&out, sizeof(out)),
		fastrpc_inline(NULL, 0),
	};

	return fastrpc_call(node, FASTRPC_LISTENER, LISTENER_NEXT, args);
}

/* Whoever goes away before the DSP has answered leaves the number of its call behind. So all are
 * used up, and those that there were are counted. */
static size_t lost_calls(void)
{
	struct fastrpc_node node;
	size_t n = 0;
	int r;

	require_eq(fastrpc_open(&node, FASTRPC_NODE), 0);
	require_eq(fastrpc_attach(&node), 0);
	require_eq(fastrpc_call(&node, FASTRPC_LISTENER, LISTENER_INIT, NULL), 0);
	set_ticks(TICK_US);
	while ((r = wait_for_next(&node)) == -EINTR)
		n++;
	set_ticks(0);
	fastrpc_close(&node);
	require_eq(r, -ENOSPC);
	require(n <= CDSP_CONTEXTS);
	return CDSP_CONTEXTS - n;
}

static uint64_t held(void)
{
	return cdsp_count("maps");
}

static uint64_t mappings(const struct harness *harness)
{
	(void)harness;
	return held();
}

static void await_nothing_left(void)
{
	require_soon(free_sessions() == CDSP_SESSIONS);
}

const struct cdsp_driver cdsp_driver = {
	.transport = "fastrpc",
	.has_memory = true,
	.has_kinds = true,
	.copies = true,
	.keeps_mappings = true,
	.forgets = true,
	.are_there = are_there,
	.are_gone = are_gone,
	.node = node,
	.free_sessions = free_sessions,
	.lost_calls = lost_calls,
	.mappings = mappings,
	.held = held,
	.await_nothing_left = await_nothing_left,
};
