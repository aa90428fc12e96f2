// SPDX-License-Identifier: MIT
#include "daemon/polite.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/limits.h"

#define POLITE_SIGNAL SIGUSR2

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid /* timer_create(2); glibc names it since 2.36 */
#endif

static void give_way(int signal)
{
	(void)signal;
	sched_yield();
}

bool polite_begin(timer_t *out)
{
	const struct sigaction action = {.sa_handler = give_way, .sa_flags = SA_RESTART};
	const struct itimerspec every = {
		.it_interval.tv_nsec = POLITE_US * 1000,
		.it_value.tv_nsec = POLITE_US * 1000,
	};
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = POLITE_SIGNAL,
		.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid),
	};
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, POLITE_SIGNAL);
	if (sigaction(POLITE_SIGNAL, &action, NULL) < 0 ||
		timer_create(CLOCK_MONOTONIC, &event, out) < 0)
		return false;
	pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	timer_settime(*out, 0, &every, NULL);
	return true;
}

void polite_end(timer_t timer)
{
	timer_delete(timer);
}
