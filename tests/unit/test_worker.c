// SPDX-License-Identifier: MIT
/* Blocking work: when it begins, where it ends, and that none is forgotten. */
#include <semaphore.h>
#include <stdatomic.h>

#include "tests/suite.h"

/* Included to see how many threads there are, and when workers_free() has begun. */
#include "daemon/limits.h"
#include "daemon/worker.c"

enum {
	MANY = 200,
};

struct task {
	struct job job;
	struct task *next; /* submitted by done() */
	bool all_signals_blocked;
	unsigned int runs, dones;
};

static struct loop *loop;
static struct workers *workers;
static pthread_t looper;
static struct task tasks[MANY];

static sem_t gate;    /* closed: run() waits here */
static sem_t arrived; /* how many came to the gate */
static atomic_uint n_running, most_running;
static struct task *_Atomic begun[MANY]; /* in that order */
static atomic_uint n_begun;
static unsigned int n_done; /* on the loop */

static void set_up(void)
{
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(workers_new(&workers, loop, WORKER_THREADS), 0);
	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	ck_assert_int_eq(sem_init(&arrived, 0, 0), 0);
	looper = pthread_self();
}

/* A test may have freed them by itself. */
static void tear_down(void)
{
	workers = workers_free(workers);
	loop = loop_free(loop);
	sem_destroy(&gate);
	sem_destroy(&arrived);
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static void run_briefly(struct job *job)
{
	struct task *task = container_of(job, struct task, job);

	begun[n_begun++] = task;
	task->runs++;
}

static void run_at_gate(struct job *job)
{
	unsigned int running = ++n_running, most = most_running;

	while (running > most && !atomic_compare_exchange_weak(&most_running, &most, running))
		;
	sem_post(&arrived);
	wait_for(&gate);
	n_running--;
	container_of(job, struct task, job)->runs++;
}

static void on_done(struct job *job)
{
	struct task *task = container_of(job, struct task, job);

	ck_assert(pthread_equal(pthread_self(), looper));
	ck_assert(!workers->stopping || !workers->n_threads); /* none is started then */
	task->dones++;
	n_done++;
	if (task->next)
		workers_run(workers, &TAKE_PTR(task->next)->job);
}

static void submit(struct task *task, void (*run)(struct job *job))
{
	task->job = (struct job){.run = run, .done = on_done};
	workers_run(workers, &task->job);
}

static void open_gate(unsigned int n)
{
	while (n--)
		sem_post(&gate);
}

static void loop_until_done(unsigned int n)
{
	while (n_done < n)
		ck_assert_int_eq(loop_turn(loop, true), 0);
}

START_TEST(every_job_runs_once_and_is_done_once_on_the_loop)
{
	for (size_t i = 0; i < MANY; i++)
		submit(&tasks[i], run_briefly);
	loop_until_done(MANY);
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_uint_eq(tasks[i].runs, 1);
		ck_assert_uint_eq(tasks[i].dones, 1);
	}
	ck_assert_int_eq(loop_turn(loop, false), 0);
}
END_TEST

/* All threads but one are busy, so that what begins next is not left to the machine. */
START_TEST(jobs_begin_in_the_order_of_submission)
{
	for (size_t i = 0; i < WORKER_THREADS - 1; i++) {
		submit(&tasks[i], run_at_gate);
		wait_for(&arrived);
	}
	for (size_t i = WORKER_THREADS - 1; i < MANY; i++)
		submit(&tasks[i], run_briefly);
	loop_until_done(MANY - (WORKER_THREADS - 1));
	for (size_t i = WORKER_THREADS - 1; i < MANY; i++)
		ck_assert_ptr_eq(begun[i - (WORKER_THREADS - 1)], &tasks[i]);
	open_gate(WORKER_THREADS - 1);
	loop_until_done(MANY);
}
END_TEST

START_TEST(as_many_jobs_as_threads_block_at_once_and_no_more)
{
	for (size_t i = 0; i < MANY; i++)
		submit(&tasks[i], run_at_gate);
	for (size_t i = 0; i < WORKER_THREADS; i++)
		wait_for(&arrived);
	ck_assert_uint_eq(n_running, WORKER_THREADS);
	open_gate(MANY);
	loop_until_done(MANY);
	ck_assert_uint_eq(most_running, WORKER_THREADS);
}
END_TEST

START_TEST(threads_are_started_only_for_work_that_would_wait)
{
	ck_assert_uint_eq(workers->n_threads, 0);
	for (size_t i = 0; i < MANY; i++) {
		submit(&tasks[i], run_briefly);
		loop_until_done((unsigned int)i + 1);
	}
	ck_assert_uint_eq(workers->n_threads, 1);
	for (size_t i = 0; i < 3; i++)
		submit(&tasks[i], run_at_gate);
	ck_assert_uint_eq(workers->n_threads, 3);
	open_gate(3);
	loop_until_done(MANY + 3);
}
END_TEST

static void note_signals(struct job *job)
{
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	container_of(job, struct task, job)->all_signals_blocked =
		sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD) &&
		sigismember(&blocked, SIGALRM) && sigismember(&blocked, SIGRTMAX);
}

START_TEST(no_signal_of_the_process_goes_to_a_thread)
{
	sigset_t before, after;

	pthread_sigmask(SIG_BLOCK, NULL, &before);
	submit(&tasks[0], note_signals);
	loop_until_done(1);
	ck_assert(tasks[0].all_signals_blocked);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (int i = 1; i < SIGRTMAX; i++)
		ck_assert_int_eq(sigismember(&before, i), sigismember(&after, i));
}
END_TEST

static void free_and_submit(struct job *job)
{
	struct task *task = container_of(job, struct task, job), *next = task->next;

	free(task);
	n_done++;
	if (next)
		workers_run(workers, &next->job);
}

START_TEST(a_job_that_is_done_may_be_freed_and_may_submit_the_next)
{
	struct task *first = NULL;

	for (size_t i = 0; i < MANY; i++) {
		struct task *task = calloc(1, sizeof(*task));

		ck_assert_ptr_nonnull(task);
		task->job = (struct job){.run = run_briefly, .done = free_and_submit};
		task->next = first;
		first = task;
	}
	workers_run(workers, &first->job);
	loop_until_done(MANY);
	ck_assert_uint_eq(n_begun, MANY);
}
END_TEST

/* A stack larger than memory: the real pthread_create() fails. */
START_TEST(without_any_thread_jobs_run_at_once_and_are_done_on_the_loop_in_one_wake)
{
	pthread_attr_t huge, before;

	ck_assert_int_eq(pthread_getattr_default_np(&before), 0);
	ck_assert_int_eq(pthread_attr_init(&huge), 0);
	ck_assert_int_eq(pthread_attr_setstacksize(&huge, SIZE_MAX / 4), 0);
	ck_assert_int_eq(pthread_setattr_default_np(&huge), 0);
	for (size_t i = 0; i < MANY; i++) {
		submit(&tasks[i], run_briefly);
		ck_assert_uint_eq(tasks[i].runs, 1);
	}
	ck_assert_uint_eq(workers->n_threads, 0);
	ck_assert_uint_eq(n_done, 0);
	ck_assert_int_eq(loop_turn(loop, false), 0);
	ck_assert_uint_eq(n_done, MANY);

	/* It is tried again each time. */
	ck_assert_int_eq(pthread_setattr_default_np(&before), 0);
	submit(&tasks[0], run_at_gate);
	wait_for(&arrived);
	ck_assert_uint_eq(workers->n_threads, 1);
	open_gate(1);
	loop_until_done(MANY + 1);
	pthread_attr_destroy(&huge);
	pthread_attr_destroy(&before);
}
END_TEST

static void *open_gate_when_stopping(void *unused)
{
	bool stopping = false;

	(void)unused;
	while (!stopping) {
		pthread_mutex_lock(&workers->lock);
		stopping = workers->stopping;
		pthread_mutex_unlock(&workers->lock);
		sched_yield();
	}
	open_gate(WORKER_THREADS);
	return NULL;
}

START_TEST(a_job_that_has_not_begun_can_be_taken_back_and_no_other)
{
	for (size_t i = 0; i < WORKER_THREADS; i++)
		submit(&tasks[i], run_at_gate);
	for (size_t i = 0; i < WORKER_THREADS; i++)
		wait_for(&arrived);
	submit(&tasks[WORKER_THREADS], run_briefly);
	submit(&tasks[WORKER_THREADS + 1], run_briefly);
	ck_assert(!workers_cancel(workers, &tasks[0].job));
	ck_assert(workers_cancel(workers, &tasks[WORKER_THREADS].job));
	ck_assert(!workers_cancel(workers, &tasks[WORKER_THREADS].job));
	open_gate(WORKER_THREADS);
	loop_until_done(WORKER_THREADS + 1);
	ck_assert_uint_eq(tasks[WORKER_THREADS].runs, 0);
	ck_assert_uint_eq(tasks[WORKER_THREADS].dones, 0);
	ck_assert_uint_eq(tasks[WORKER_THREADS + 1].runs, 1);
	ck_assert(!workers_cancel(workers, &tasks[WORKER_THREADS + 1].job));
}
END_TEST

/* Blocks until a signal comes. */
static void run_until_interrupted(struct job *job)
{
	sem_post(&arrived);
	while (sem_wait(&gate) == 0 || errno != EINTR)
		;
	container_of(job, struct task, job)->runs++;
}

static void submit_interruptible(struct task *task)
{
	task->job =
		(struct job){.run = run_until_interrupted, .done = on_done, .interruptible = true};
	workers_run(workers, &task->job);
	wait_for(&arrived);
}

START_TEST(interrupting_ends_what_that_job_blocks_in_and_nothing_else)
{
	submit(&tasks[0], run_at_gate);
	wait_for(&arrived);
	submit_interruptible(&tasks[1]);
	submit_interruptible(&tasks[2]);
	while (n_done < 1) {
		workers_interrupt(workers, &tasks[0].job);
		workers_interrupt(workers, &tasks[1].job);
		ck_assert_int_eq(loop_turn(loop, false), 0);
	}
	ck_assert_uint_eq(tasks[1].dones, 1);
	ck_assert_uint_eq(n_running, 1);
	workers_interrupt(workers, &tasks[1].job);
	while (n_done < 2) {
		workers_interrupt(workers, &tasks[2].job);
		ck_assert_int_eq(loop_turn(loop, false), 0);
	}
	ck_assert_uint_eq(tasks[0].dones, 0);
	open_gate(1);
	loop_until_done(3);
}
END_TEST

START_TEST(freeing_interrupts_what_can_be)
{
	submit_interruptible(&tasks[0]);
	submit_interruptible(&tasks[1]);
	workers = workers_free(workers);
	ck_assert_uint_eq(tasks[0].dones, 1);
	ck_assert_uint_eq(tasks[1].dones, 1);
}
END_TEST

START_TEST(freeing_waits_for_what_runs_and_ends_what_never_ran)
{
	static struct task late;
	pthread_t opener;

	late.job = (struct job){.run = run_briefly, .done = on_done};
	tasks[0].next = &late;
	for (size_t i = 0; i < WORKER_THREADS; i++)
		submit(&tasks[i], run_at_gate);
	for (size_t i = 0; i < WORKER_THREADS; i++)
		wait_for(&arrived);
	for (size_t i = WORKER_THREADS; i < MANY; i++)
		submit(&tasks[i], run_briefly);
	ck_assert_int_eq(pthread_create(&opener, NULL, open_gate_when_stopping, NULL), 0);

	workers = workers_free(workers);
	ck_assert_int_eq(pthread_join(opener, NULL), 0);
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_uint_eq(tasks[i].runs, i < WORKER_THREADS);
		ck_assert_uint_eq(tasks[i].dones, 1);
	}
	ck_assert_uint_eq(late.runs, 0);
	ck_assert_uint_eq(late.dones, 1);
}
END_TEST

START_TEST(freeing_without_work_or_before_any_is_harmless)
{
	ck_assert_ptr_null(workers_free(NULL));
	workers = workers_free(workers);
	ck_assert_ptr_null(workers);
	/* No source is left on the loop. */
	ck_assert_int_eq(loop_turn(loop, false), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("worker");
	TCase *tcase = tcase_create("worker");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, every_job_runs_once_and_is_done_once_on_the_loop);
	tcase_add_test(tcase, jobs_begin_in_the_order_of_submission);
	tcase_add_test(tcase, as_many_jobs_as_threads_block_at_once_and_no_more);
	tcase_add_test(tcase, threads_are_started_only_for_work_that_would_wait);
	tcase_add_test(tcase, no_signal_of_the_process_goes_to_a_thread);
	tcase_add_test(tcase, a_job_that_is_done_may_be_freed_and_may_submit_the_next);
	tcase_add_test(tcase,
		without_any_thread_jobs_run_at_once_and_are_done_on_the_loop_in_one_wake);
	tcase_add_test(tcase, a_job_that_has_not_begun_can_be_taken_back_and_no_other);
	tcase_add_test(tcase, interrupting_ends_what_that_job_blocks_in_and_nothing_else);
	tcase_add_test(tcase, freeing_interrupts_what_can_be);
	tcase_add_test(tcase, freeing_waits_for_what_runs_and_ends_what_never_ran);
	tcase_add_test(tcase, freeing_without_work_or_before_any_is_harmless);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
