// SPDX-License-Identifier: MIT
#include "client/dspctl_wait.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

#include "protocol/util.h"

#define NEVER INT64_MAX

static int wake = -1; /* eventfd: readable once a signal came; lives as long as the program */
static volatile sig_atomic_t ended;

static void end(int number)
{
	static const uint64_t one = 1;
	const int saved = errno;

	(void)number;
	ended = 1;
	(void)!write(wake, &one, sizeof(one));
	errno = saved;
}

int dspctl_wait_catch(void)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	const struct sigaction action = {
		.sa_handler = end,
		.sa_flags = (int)(SA_RESETHAND | SA_RESTART),
	};
	struct sigaction old;

	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (sigaction(numbers[i], NULL, &old) < 0)
			return -errno;
		if (old.sa_handler != SIG_IGN && sigaction(numbers[i], &action, NULL) < 0)
			return -errno;
	}
	return 0;
}

bool dspctl_wait_ended(void)
{
	return ended;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t dspctl_wait_deadline(int64_t timeout_ms)
{
	return timeout_ms ? now_ms() + timeout_ms : NEVER;
}

/* For poll(2): one more than the clock's milliseconds say, so that it is never early. */
static int timeout_until(int64_t deadline_ms)
{
	if (deadline_ms == NEVER)
		return -1;
	return (int)MAX(MIN(deadline_ms - now_ms() + 1, INT32_MAX), 0);
}

int dspctl_wait(int fd, int64_t deadline_ms)
{
	struct pollfd fds[] = {
		{.fd = fd, .events = POLLIN}, {.fd = wake, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* its errors alone */
	};
	int n;

	do {
		n = poll(fds, ARRAY_SIZE(fds), timeout_until(deadline_ms));
	} while (n < 0 && errno == EINTR && !ended);
	if (ended)
		return -EINTR;
	if (n < 0)
		return -errno;
	if (fds[0].revents)
		return 1;
	return fds[2].revents ? -EPIPE : 0;
}
