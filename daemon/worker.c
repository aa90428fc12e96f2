// SPDX-License-Identifier: MIT
#include "daemon/worker.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "protocol/clock.h"

/* How often those that do not end are interrupted again. */
#define AGAIN_NS 5000000

struct workers {
	pthread_mutex_t lock;       /* guards what follows, up to the blank line */
	pthread_cond_t more, fewer; /* that wait, that run */
	struct list waiting, running, ended;
	unsigned int n_jobs; /* that wait or run */
	bool held;           /* no thread may be started yet */
	bool stopping;

	struct loop_source wake; /* an eventfd: how many jobs ended */
	unsigned int n_threads, threads_max;
	pthread_t threads[];
};

static struct job *take(struct workers *workers, struct list *from)
{
	struct job *job;

	pthread_mutex_lock(&workers->lock);
	job = list_first(from, struct job, link);
	if (job)
		list_remove(&job->link);
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void execute(struct workers *workers, struct job *job)
{
	job->run(job);
	pthread_mutex_lock(&workers->lock);
	job->running = false;
	list_remove(&job->link);
	list_append(&workers->ended, &job->link);
	workers->n_jobs--;
	pthread_cond_signal(&workers->fewer);
	pthread_mutex_unlock(&workers->lock);
	/* It is in the list before it is counted; the count cannot overflow. */
	eventfd_write(workers->wake.fd, 1);
}

static void execute_in_loop(struct workers *workers, struct job *job)
{
	job->in_loop = true;
	execute(workers, job);
}

/* Called with the lock held. */
static void begin(struct workers *workers, struct job *job)
{
	list_remove(&job->link);
	list_append(&workers->running, &job->link);
	job->running = true;
	job->thread = pthread_self();
}

/* The next job for a thread, or NULL: it ends. */
static struct job *await_job(struct workers *workers)
{
	struct job *job = NULL;

	pthread_mutex_lock(&workers->lock);
	while (list_empty(&workers->waiting) && !workers->stopping)
		pthread_cond_wait(&workers->more, &workers->lock);
	if (!workers->stopping) {
		job = list_first(&workers->waiting, struct job, link);
		begin(workers, job);
	}
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void *work(void *userdata)
{
	struct workers *workers = userdata;
	struct job *job;

	while ((job = await_job(workers)))
		execute(workers, job);
	return NULL;
}

/* Called with the lock held. No other signal is for such a thread. */
static void start_thread(struct workers *workers)
{
	sigset_t others, before;

	sigfillset(&others);
	sigdelset(&others, WORKER_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &others, &before);
	if (pthread_create(&workers->threads[workers->n_threads], NULL, work, workers) == 0)
		workers->n_threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Leave a job to the threads; false when there are none. */
static bool enqueue(struct workers *workers, struct job *job)
{
	bool queued;

	list_init(&job->link);
	job->running = job->in_loop = false;
	pthread_mutex_lock(&workers->lock);
	if (!workers->stopping && !workers->held && workers->n_jobs >= workers->n_threads &&
		workers->n_threads < workers->threads_max)
		start_thread(workers);
	workers->n_jobs++;
	/* When it is stopping nobody takes it, and workers_free() finds it. */
	queued = workers->n_threads || workers->stopping || workers->held;
	if (queued) {
		list_append(&workers->waiting, &job->link);
		pthread_cond_signal(&workers->more);
	}
	pthread_mutex_unlock(&workers->lock);
	return queued;
}

void workers_run(struct workers *workers, struct job *job)
{
	/* Its done() comes from the loop in any case, never from within this call. */
	if (!enqueue(workers, job))
		execute_in_loop(workers, job);
}

void workers_hold(struct workers *workers)
{
	workers->held = true;
}

void workers_go(struct workers *workers)
{
	struct job *job;

	pthread_mutex_lock(&workers->lock);
	workers->held = false;
	while (workers->n_threads < MIN(workers->n_jobs, workers->threads_max)) {
		const unsigned int before = workers->n_threads;

		start_thread(workers);
		if (workers->n_threads == before)
			break;
	}
	pthread_mutex_unlock(&workers->lock);
	while (!workers->n_threads && (job = take(workers, &workers->waiting)))
		execute_in_loop(workers, job);
}

bool workers_cancel(struct workers *workers, struct job *job)
{
	struct job *waiting;
	bool found = false;

	pthread_mutex_lock(&workers->lock);
	list_for_each (waiting, &workers->waiting, link)
		found = found || waiting == job;
	if (found) {
		list_remove(&job->link);
		workers->n_jobs--;
	}
	pthread_mutex_unlock(&workers->lock);
	return found;
}

void workers_interrupt(struct workers *workers, struct job *job)
{
	pthread_mutex_lock(&workers->lock);
	if (job->running && job->interruptible)
		pthread_kill(job->thread, WORKER_SIGNAL);
	pthread_mutex_unlock(&workers->lock);
}

/* One wake for all that ended until now: what their done() starts has its end in a later one. */
static void on_wake(struct loop_source *source, uint32_t events)
{
	struct workers *workers = container_of(source, struct workers, wake);
	struct job *job;
	eventfd_t n;

	(void)events;
	if (eventfd_read(source->fd, &n) < 0)
		return;
	while (n-- && (job = take(workers, &workers->ended)))
		job->done(job);
}

static _Thread_local volatile unsigned int n_signals;

/* That it came is all there is to it: a system call ends early. */
static void on_signal(int number)
{
	(void)number;
	n_signals++;
}

unsigned int worker_signals(void)
{
	return n_signals;
}

int worker_catch_signal(void)
{
	const struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */

	return sigaction(WORKER_SIGNAL, &action, NULL) < 0 ? -errno : 0;
}

/* Nothing waits for a time of the day, which may change at any moment. */
static void init_locks(struct workers *workers)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->more, NULL);
	pthread_cond_init(&workers->fewer, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

DEFINE_CLEANUP(struct workers *, workers_free);

int workers_new(struct workers **out, struct loop *loop, unsigned int threads)
{
	_cleanup_(workers_freep) struct workers *workers =
		calloc(1, sizeof(*workers) + threads * sizeof(workers->threads[0]));
	int wake;

	if (!workers)
		return -ENOMEM;
	init_locks(workers);
	list_init(&workers->waiting);
	list_init(&workers->running);
	list_init(&workers->ended);
	workers->threads_max = threads;
	workers->wake.fd = -1;
	if (worker_catch_signal() < 0)
		return -EINVAL;
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake < 0)
		return -errno;
	if (loop_add(loop, &workers->wake, wake, EPOLLIN, on_wake) < 0) {
		fd_close(wake);
		return -ENOMEM;
	}
	*out = TAKE_PTR(workers);
	return 0;
}

/* Called with the lock held. */
static void interrupt_all(struct workers *workers)
{
	struct job *job;

	list_for_each (job, &workers->running, link)
		if (job->interruptible)
			pthread_kill(job->thread, WORKER_SIGNAL);
}

/* Called with the lock held. */
static void wait_a_little(struct workers *workers)
{
	const uint64_t until_ns = clock_ns() + AGAIN_NS;
	const struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000),
		.tv_nsec = (long)(until_ns % 1000000000),
	};

	pthread_cond_timedwait(&workers->fewer, &workers->lock, &until);
}

static void join_threads(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->more);
	while (!list_empty(&workers->running)) {
		interrupt_all(workers);
		wait_a_little(workers);
	}
	pthread_mutex_unlock(&workers->lock);
	while (workers->n_threads)
		pthread_join(workers->threads[--workers->n_threads], NULL);
}

struct workers *workers_free(struct workers *workers)
{
	struct job *job;

	if (!workers)
		return NULL;
	join_threads(workers);
	/* What a done() submits now joins those that never run. */
	while ((job = take(workers, &workers->ended)) || (job = take(workers, &workers->waiting)))
		job->done(job);
	loop_remove(&workers->wake);
	fd_close(workers->wake.fd);
	pthread_cond_destroy(&workers->fewer);
	pthread_cond_destroy(&workers->more);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
	return NULL;
}
