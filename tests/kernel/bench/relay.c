// SPDX-License-Identifier: MIT
#include "tests/kernel/bench/relay.h"

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

static void watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0, "epoll_ctl");
}

int relay_watch(int doorbell)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	watch(epoll, doorbell, EPOLLIN | EPOLLET);
	return epoll;
}

void relay_watch_also(int epoll, int fd)
{
	watch(epoll, fd, EPOLLIN);
}

int relay_wait(int epoll)
{
	struct epoll_event event;

	must(epoll_wait(epoll, &event, 1, -1) == 1 ? 0 : -errno, "epoll_wait");
	return event.data.fd;
}

void relay_answer(int notify)
{
	uint64_t one = 1;

	must(write(notify, &one, sizeof(one)) < 0 ? -errno : 0, "notify");
}

void relay_open(struct relay *relay, void (*serve)(int doorbell, int notify, const void *userdata),
	const void *userdata)
{
	int ends[2];

	relay->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(relay->doorbell < 0 || pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0, "pipe");
	relay->notify = ends[0];
	relay->pid = fork();
	must(relay->pid < 0 ? -errno : 0, "fork");
	if (relay->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(relay->doorbell, ends[1], userdata);
		_exit(EXIT_FAILURE);
	}
	close(ends[1]);
}

void relay_close(struct relay *relay)
{
	kill(relay->pid, SIGKILL);
	waitpid(relay->pid, NULL, 0);
	close(relay->doorbell);
	close(relay->notify);
}

void relay_ask(struct relay *relay)
{
	uint64_t one = 1;

	must(write(relay->doorbell, &one, sizeof(one)) < 0 ? -errno : 0, "doorbell");
	must(read(relay->notify, &one, sizeof(one)) == sizeof(one) ? 0 : -ECHILD, "notify");
}
