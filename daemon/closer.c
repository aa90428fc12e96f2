// SPDX-License-Identifier: MIT
#include "daemon/closer.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "daemon/limits.h"
#include "protocol/util.h"

/* Interrupts a close that takes long: sockets then stop to linger. */
#define HURRY_SIGNAL SIGALRM

struct job {
	struct list link;
	int fd;
};

/* One a process, since threads that hang outlive everything else. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list jobs;
	unsigned int n_jobs, threads;
} closer = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER,
	.jobs = {&closer.jobs, &closer.jobs},
};

static void ignore(int signal)
{
	(void)signal;
}

static bool make_timer(timer_t *out)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = HURRY_SIGNAL,
		._sigev_un._tid = (pid_t)syscall(SYS_gettid),
	};
	const struct sigaction action = {.sa_handler = ignore}; /* without SA_RESTART */
	sigset_t hurry;

	sigemptyset(&hurry);
	sigaddset(&hurry, HURRY_SIGNAL);
	return sigaction(HURRY_SIGNAL, &action, NULL) == 0 &&
	       pthread_sigmask(SIG_UNBLOCK, &hurry, NULL) == 0 &&
	       timer_create(CLOCK_MONOTONIC, &event, out) == 0;
}

static void set_timer(const timer_t *timer, uint64_t interval_us)
{
	const struct timespec interval = {.tv_nsec = (long)interval_us * 1000};
	const struct itimerspec setting = {.it_value = interval, .it_interval = interval};

	if (timer)
		timer_settime(*timer, 0, &setting, NULL);
}

/* The timer, if there is one, runs while there is work. */
static struct job *take_job(const timer_t *timer)
{
	struct job *job;

	pthread_mutex_lock(&closer.lock);
	while (list_empty(&closer.jobs)) {
		set_timer(timer, 0);
		pthread_cond_wait(&closer.more, &closer.lock);
		set_timer(timer, CLOSER_PATIENCE_US);
	}
	job = list_first(&closer.jobs, struct job, link);
	list_remove(&job->link);
	closer.n_jobs--;
	pthread_mutex_unlock(&closer.lock);
	return job;
}

static void *work(void *unused)
{
	timer_t made, *timer = make_timer(&made) ? &made : NULL;

	(void)unused;
	set_timer(timer, CLOSER_PATIENCE_US);
	for (;;) {
		_cleanup_(freep) struct job *job = take_job(timer);

		close(job->fd);
	}
	return NULL;
}

/* Called with the lock held. No signal but the one above is for such a thread. */
static void start_thread(void)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, work, NULL) == 0) {
		pthread_detach(thread);
		closer.threads++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void closer_close(int fd)
{
	struct job *job = fd < 0 ? NULL : malloc(sizeof(*job));

	if (!job) {
		fd_close(fd);
		return;
	}
	job->fd = fd;
	pthread_mutex_lock(&closer.lock);
	list_append(&closer.jobs, &job->link);
	closer.n_jobs++;
	if (closer.n_jobs > closer.threads * CLOSER_BACKLOG && closer.threads < CLOSER_THREADS)
		start_thread();
	pthread_cond_signal(&closer.more);
	pthread_mutex_unlock(&closer.lock);
}
