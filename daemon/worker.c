// SPDX-License-Identifier: MIT
#include "daemon/worker.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "daemon/limits.h"

struct workers {
	pthread_mutex_t lock; /* guards what follows, up to the blank line */
	pthread_cond_t more;
	struct list waiting, ended;
	unsigned int n_jobs; /* that wait or run */
	bool stopping;

	pthread_t threads[WORKER_THREADS];
	unsigned int n_threads;
	int wake; /* an eventfd: how many jobs ended */
	sd_event_source *source;
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
	list_append(&workers->ended, &job->link);
	workers->n_jobs--;
	pthread_mutex_unlock(&workers->lock);
	/* It is in the list before it is counted; the count cannot overflow. */
	eventfd_write(workers->wake, 1);
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
		list_remove(&job->link);
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

/* Called with the lock held. No signal is for such a thread. */
static void start_thread(struct workers *workers)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&workers->threads[workers->n_threads], NULL, work, workers) == 0)
		workers->n_threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Leave a job to the threads; false when there are none. */
static bool enqueue(struct workers *workers, struct job *job)
{
	bool queued;

	pthread_mutex_lock(&workers->lock);
	if (!workers->stopping && workers->n_jobs >= workers->n_threads &&
		workers->n_threads < WORKER_THREADS)
		start_thread(workers);
	workers->n_jobs++;
	/* When it is stopping nobody takes it, and workers_free() finds it. */
	queued = workers->n_threads || workers->stopping;
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
		execute(workers, job);
}

/* One wake for all that ended until now: what their done() starts has its end in a later one. */
static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct workers *workers = userdata;
	struct job *job;
	eventfd_t n;

	(void)source;
	(void)events;
	if (eventfd_read(fd, &n) < 0)
		return 0;
	while (n-- && (job = take(workers, &workers->ended)))
		job->done(job);
	return 0;
}

DEFINE_CLEANUP(struct workers *, workers_free);

int workers_new(struct workers **out, sd_event *event)
{
	_cleanup_(workers_freep) struct workers *workers = calloc(1, sizeof(*workers));
	int r;

	if (!workers)
		return -ENOMEM;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->more, NULL);
	list_init(&workers->waiting);
	list_init(&workers->ended);
	workers->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (workers->wake < 0)
		return -errno;
	r = sd_event_add_io(event, &workers->source, workers->wake, EPOLLIN, on_wake, workers);
	if (r < 0)
		return r;
	*out = TAKE_PTR(workers);
	return 0;
}

static void join_threads(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->more);
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
	sd_event_source_disable_unref(workers->source);
	fd_close(workers->wake);
	pthread_cond_destroy(&workers->more);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
	return NULL;
}
