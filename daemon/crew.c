// SPDX-License-Identifier: MIT
#include "daemon/crew.h"

#include <signal.h>

/*
 * Threads that wait for events, at most: when one takes a job there is another, which need not be
 * woken for that, and none of them needs to be woken again and again. The kernel wakes the one that
 * came last, so that few of them do what there is.
 */
#define WAITERS_MAX 4

/* A thread that has nothing to do. */
struct idler {
	struct list link; /* crew->idlers */
	pthread_cond_t wake;
	bool woken;
};

struct crew {
	pthread_mutex_t baton; /* guards all that follows, and the broker */
	atomic_uint wanted;    /* threads that come back for it; guarded by nothing */
	struct list idlers;    /* who came last is first: a DSP keeps a thread for each of ours that
				* calls it, so that as few as possible should */
	struct loop *loop;
	int (*turn_over)(void *userdata);
	void *userdata;
	struct list jobs; /* that wait for a thread */
	unsigned int n_jobs_max;
	struct job *staying;    /* which the thread that acts is to run next */
	unsigned int n_waiters; /* that run the loop */
	int ended;              /* what turn_over() said last, if not 0 */

	unsigned int n_threads; /* beside the one that called crew_run() */
	pthread_t threads[CREW_JOBS_MAX];
};

/* One more thread is of use: for a job, or for the loop. */
static void wake_one(struct crew *crew)
{
	struct idler *idler = list_first(&crew->idlers, struct idler, link);

	if (crew->n_waiters && list_empty(&crew->jobs))
		return;
	if (!idler) {
		loop_wake(crew->loop);
		return;
	}
	list_remove(&idler->link);
	idler->woken = true;
	pthread_cond_signal(&idler->wake);
}

static void wake_all(struct crew *crew)
{
	struct idler *idler;

	while ((idler = list_first(&crew->idlers, struct idler, link))) {
		list_remove(&idler->link);
		idler->woken = true;
		pthread_cond_signal(&idler->wake);
	}
	loop_wake(crew->loop);
}

static void end_turn(struct crew *crew)
{
	if (!crew->ended)
		crew->ended = crew->turn_over(crew->userdata);
	if (crew->ended)
		wake_all(crew);
}

static void run_job(struct crew *crew, struct job *job)
{
	list_remove(&job->link);
	do {
		job->thread = pthread_self();
		job->running = true;
		wake_one(crew);
		loop_leave(crew->loop);
		pthread_mutex_unlock(&crew->baton);
		job->run(job);
		loop_lock(&crew->baton, &crew->wanted);
		job->running = false;
		loop_enter(crew->loop);
		job->done(job);
		job = crew->staying;
		crew->staying = NULL;
		end_turn(crew);
	} while (job);
}

static void run_loop(struct crew *crew)
{
	int r;

	crew->n_waiters++;
	r = loop_turn(crew->loop, true);
	crew->n_waiters--;
	if (r < 0)
		crew->ended = r;
	end_turn(crew);
}

static void rest(struct crew *crew)
{
	struct idler idler = {.wake = PTHREAD_COND_INITIALIZER};

	loop_leave(crew->loop);
	list_prepend(&crew->idlers, &idler.link);
	while (!idler.woken)
		pthread_cond_wait(&idler.wake, &crew->baton);
	pthread_cond_destroy(&idler.wake);
}

static void serve(struct crew *crew)
{
	struct job *job;

	for (;;) {
		loop_let_others_go(crew->loop);
		if (crew->ended)
			return;
		job = list_first(&crew->jobs, struct job, link);
		if (job)
			run_job(crew, job);
		else if (crew->n_waiters < WAITERS_MAX)
			run_loop(crew);
		else
			rest(crew);
	}
}

static void *member(void *userdata)
{
	struct crew *crew = userdata;

	loop_lock(&crew->baton, &crew->wanted);
	serve(crew);
	pthread_mutex_unlock(&crew->baton);
	return NULL;
}

int crew_new(struct crew **out, struct loop *loop, int (*turn_over)(void *userdata), void *userdata)
{
	struct crew *crew = calloc(1, sizeof(*crew));
	pthread_mutexattr_t attributes;
	int r = worker_catch_signal();

	if (!crew || r < 0) {
		free(crew);
		return r < 0 ? r : -ENOMEM;
	}
	/* It is held for microseconds: who comes back for it may look for that long. */
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&crew->baton, &attributes);
	pthread_mutexattr_destroy(&attributes);
	list_init(&crew->idlers);
	list_init(&crew->jobs);
	crew->loop = loop;
	crew->turn_over = turn_over;
	crew->userdata = userdata;
	pthread_mutex_lock(&crew->baton);
	*out = crew;
	return 0;
}

struct crew *crew_free(struct crew *crew)
{
	if (!crew)
		return NULL;
	loop_share(crew->loop, NULL, NULL);
	pthread_mutex_unlock(&crew->baton);
	pthread_mutex_destroy(&crew->baton);
	free(crew);
	return NULL;
}

int crew_run(struct crew *crew)
{
	serve(crew);
	/* Jobs that run are waited for. */
	pthread_mutex_unlock(&crew->baton);
	while (crew->n_threads)
		pthread_join(crew->threads[--crew->n_threads], NULL);
	pthread_mutex_lock(&crew->baton);
	return crew->ended;
}

/* Of signals they get but the one that interrupts. */
static int start_thread(struct crew *crew)
{
	sigset_t others, before;
	int r;

	sigfillset(&others);
	sigdelset(&others, WORKER_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &others, &before);
	r = pthread_create(&crew->threads[crew->n_threads], NULL, member, crew);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* Until there is a second one nothing needs to be let go. */
	if (r == 0 && !crew->n_threads)
		loop_share(crew->loop, &crew->baton, &crew->wanted);
	crew->n_threads += r == 0;
	return -r;
}

int crew_grow(struct crew *crew, unsigned int jobs)
{
	if (jobs > CREW_JOBS_MAX - crew->n_jobs_max)
		return -EUSERS;
	/* Those there were stay. */
	while (crew->n_threads < crew->n_jobs_max + jobs)
		if (start_thread(crew) < 0)
			return -EAGAIN;
	crew->n_jobs_max += jobs;
	return 0;
}

void crew_shrink(struct crew *crew, unsigned int jobs)
{
	crew->n_jobs_max -= jobs;
}

void crew_job(struct crew *crew, struct job *job)
{
	list_init(&job->link);
	job->running = false;
	list_append(&crew->jobs, &job->link);
	/* The one that acts now will take it, unless it has another to run. */
	if (crew->jobs.next != &job->link)
		wake_one(crew);
}

void crew_stay(struct crew *crew, struct job *job)
{
	list_init(&job->link);
	crew->staying = job;
}

bool crew_cancel(struct crew *crew, struct job *job)
{
	(void)crew;
	if (job->running || list_empty(&job->link))
		return false;
	list_remove(&job->link);
	return true;
}

void crew_interrupt(struct crew *crew, struct job *job)
{
	(void)crew;
	if (job->running && job->interruptible)
		pthread_kill(job->thread, WORKER_SIGNAL);
}
