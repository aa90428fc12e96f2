// SPDX-License-Identifier: MIT
/*
 * The least that a process in between can do: it waits for several things at once, reads and writes
 * for somebody else, and wakes him. What this costs, every broker costs.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/sample.h"
#include "tests/kernel/bench/bench.h"
#include "tests/kernel/bench/way.h"

static void watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0, "epoll_ctl");
}

static void relay_forever(int doorbell, int endpoint, int notify)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	uint64_t one = 1;

	watch(epoll, doorbell, EPOLLIN | EPOLLET);
	watch(epoll, endpoint, EPOLLIN);
	while (epoll_wait(epoll, &event, 1, -1) == 1) {
		if (event.data.fd == doorbell) {
			raw_put(endpoint);
		} else {
			raw_take(endpoint);
			must(write(notify, &one, sizeof(one)) < 0 ? -errno : 0, "notify");
		}
	}
}

void relay_open(struct relay *relay)
{
	int endpoint = raw_endpoint("relay-echo", BENCH_ECHO_ADDRESS), ends[2];

	relay->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(relay->doorbell < 0 || pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0, "pipe");
	relay->notify = ends[0];
	relay->pid = fork();
	must(relay->pid < 0 ? -errno : 0, "fork");
	if (relay->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		relay_forever(relay->doorbell, endpoint, ends[1]);
		_exit(EXIT_FAILURE);
	}
	close(endpoint);
	close(ends[1]);
}

void relay_close(struct relay *relay)
{
	kill(relay->pid, SIGKILL);
	waitpid(relay->pid, NULL, 0);
	close(relay->doorbell);
	close(relay->notify);
}

void relay_round_trip(struct relay *relay)
{
	uint64_t one = 1;

	must(write(relay->doorbell, &one, sizeof(one)) < 0 ? -errno : 0, "doorbell");
	must(read(relay->notify, &one, sizeof(one)) == sizeof(one) ? 0 : -errno, "notify");
}
