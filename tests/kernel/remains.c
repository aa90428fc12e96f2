// SPDX-License-Identifier: MIT
#include "tests/kernel/remains.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "daemon/limits.h"
#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/fastrpc.h"
#include "tests/kernel/messages.h"

#define TICK_US 1000

void have_cdsp(void)
{
	static bool is_there;

	if (is_there)
		return;
	is_there = true;
	cdsp_files();
	cdsp_up();
}

/* The broker. */

void add_fastrpc_case(Suite *suite, const char *name, const TTest *test)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, have_cdsp, NULL);
	tcase_add_test(tcase, test);
	suite_add_tcase(suite, tcase);
}

void start_broker(struct harness *harness, const char *policy)
{
	struct dspbroker *broker;

	harness_start(harness, policy);
	broker = connect_to(harness);
	require_soon(device_record(broker, "cdsp").n_attributes > 0);
	dspbroker_free(broker);
}

static size_t count_threads(const struct harness *harness)
{
	const struct dirent *entry;
	char path[64];
	size_t n = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", harness->pid);
	folder = opendir(path);
	require(folder);
	while ((entry = readdir(folder)))
		n += entry->d_name[0] != '.';
	closedir(folder);
	return n;
}

/* Of "PID (NAME) STATE PARENT ..."; 0: it is gone. */
static pid_t parent_of(pid_t pid)
{
	const char *after_name;
	pid_t parent = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	after_name = strrchr(read_file(path), ')');
	if (after_name && sscanf(after_name, ") %*c %d", &parent) != 1)
		parent = 0;
	return parent;
}

/* And theirs: those that opened FastRPC's nodes are the opener's. */
static size_t count_children(const struct harness *harness)
{
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	size_t n = 0;

	require(folder);
	while ((entry = readdir(folder))) {
		pid_t parent = atoi(entry->d_name) ? parent_of(atoi(entry->d_name)) : 0;

		n += parent == harness->pid || (parent && parent_of(parent) == harness->pid);
	}
	closedir(folder);
	return n;
}

struct footprint footprint_of(const struct harness *harness)
{
	return (struct footprint){
		.fds = harness_fds(harness),
		.threads = count_threads(harness),
		.children = count_children(harness),
	};
}

static bool is_within(struct footprint now, struct footprint before)
{
	return now.fds <= before.fds && now.threads <= before.threads + WORKER_THREADS &&
	       now.children <= before.children;
}

void await_footprint(const struct harness *harness, struct footprint before)
{
	uint64_t since = harness_now_ms();
	struct footprint now;
	char text[160];

	while (!is_within(now = footprint_of(harness), before)) {
		snprintf(text, sizeof(text),
			"descriptors %zu, not %zu; threads %zu, not %zu; children %zu, not %zu",
			now.fds, before.fds, now.threads, before.threads, now.children,
			before.children);
		harness_wait_a_little(__FILE__, __LINE__, text, since);
	}
}

/* The kernel. */

size_t free_sessions(void)
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

size_t free_contexts(void)
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
	return n;
}

/* The DSP. */

bool are_pending(uint64_t n)
{
	return cdsp_count("pending") >= n;
}

void await_idle_dsp(void)
{
	require_soon(cdsp_count("domains") == 0);
	require_soon(cdsp_count("threads") == 0);
	require_soon(cdsp_count("pending") == 0);
	require_soon(cdsp_count("maps") == 0);
	require_soon(cdsp_count("heap") == 0);
}

void await_nothing_left(void)
{
	await_idle_dsp();
	require_soon(free_sessions() == CDSP_SESSIONS);
}
