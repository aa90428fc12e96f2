// SPDX-License-Identifier: MIT
/* The threads that run the loop in turns: that one acts at a time, and that none is missed. */
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "tests/suite.h"

#include "daemon/crew.h"

enum {
	MANY = 5000,
	AT_ONCE = 8,
};

struct task {
	struct job job;
	unsigned int runs, dones;
};

static struct loop *loop;
static struct crew *crew;
static struct task tasks[MANY];
static struct loop_source source;
static struct loop_task later;
static sem_t gate, arrived;

/* Guarded by the baton, and by nothing else. */
static unsigned int acting, n_done, n_submitted, n_turns, end_after, n_events, n_later;

/* Whoever has the baton is alone. */
static void act(void)
{
	ck_assert_uint_eq(acting++, 0);
	sched_yield();
	acting--;
}

static int turn_over(void *userdata)
{
	ck_assert_ptr_eq(userdata, &crew);
	act();
	n_turns++;
	return n_done >= end_after;
}

static void set_up(void)
{
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(crew_new(&crew, loop, turn_over, &crew), 0);
	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	ck_assert_int_eq(sem_init(&arrived, 0, 0), 0);
	list_init(&later.link);
}

static void tear_down(void)
{
	loop_remove(&source);
	crew = crew_free(crew);
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
	container_of(job, struct task, job)->runs++;
}

static void count(struct job *job)
{
	act();
	container_of(job, struct task, job)->dones++;
	n_done++;
}

static void submit(struct task *task, void (*run)(struct job *job), void (*done)(struct job *job))
{
	task->job = (struct job){.run = run, .done = done, .interruptible = true};
	n_submitted++;
	crew_job(crew, &task->job);
}

static void submit_next(struct job *job)
{
	count(job);
	if (n_submitted < MANY)
		submit(&tasks[n_submitted], run_briefly, submit_next);
}

START_TEST(every_job_runs_once_and_one_thread_acts_at_a_time)
{
	ck_assert_int_eq(crew_grow(crew, AT_ONCE), 0);
	end_after = MANY;
	for (int i = 0; i < AT_ONCE; i++)
		submit(&tasks[i], run_briefly, submit_next);
	ck_assert_int_eq(crew_run(crew), 1);
	for (int i = 0; i < MANY; i++) {
		ck_assert_uint_eq(tasks[i].runs, 1);
		ck_assert_uint_eq(tasks[i].dones, 1);
	}
	ck_assert_uint_ge(n_turns, MANY);
}
END_TEST

static void run_at_gate(struct job *job)
{
	sem_post(&arrived);
	wait_for(&gate);
	container_of(job, struct task, job)->runs++;
}

static void open_the_gate(struct loop_source *ready, uint32_t events)
{
	eventfd_t n;

	(void)events;
	act();
	/* Another may have been told as well. */
	if (eventfd_read(ready->fd, &n) < 0)
		return;
	n_events++;
	for (int i = 0; i < AT_ONCE; i++)
		wait_for(&arrived);
	for (int i = 0; i < AT_ONCE; i++)
		sem_post(&gate);
}

/* All its jobs block, and only what the loop is told ends that. */
START_TEST(the_loop_goes_on_while_as_many_jobs_block_as_were_announced)
{
	_cleanup_(fd_closep) int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_eq(crew_grow(crew, AT_ONCE), 0);
	end_after = AT_ONCE;
	for (int i = 0; i < AT_ONCE; i++)
		submit(&tasks[i], run_at_gate, count);
	ck_assert_int_eq(loop_add(loop, &source, fd, EPOLLIN, open_the_gate), 0);
	ck_assert_int_eq(crew_run(crew), 1);
	ck_assert_uint_eq(n_events, 1);
	ck_assert_uint_eq(n_done, AT_ONCE);
	loop_remove(&source);
}
END_TEST

static void do_later(struct loop_task *task)
{
	(void)task;
	act();
	n_later++;
	n_done++;
}

static void leave_for_later(struct job *job)
{
	count(job);
	loop_later(loop, &later);
}

START_TEST(what_a_job_leaves_for_later_is_done_though_nothing_else_happens)
{
	ck_assert_int_eq(crew_grow(crew, 1), 0);
	later.run = do_later;
	end_after = 2;
	submit(&tasks[0], run_briefly, leave_for_later);
	ck_assert_int_eq(crew_run(crew), 1);
	ck_assert_uint_eq(n_later, 1);
}
END_TEST

/* Blocks until a signal comes. */
static void run_until_interrupted(struct job *job)
{
	while (sem_wait(&gate) == 0 || errno != EINTR)
		;
	container_of(job, struct task, job)->runs++;
}

static void interrupt_again(struct loop_task *task)
{
	crew_interrupt(crew, &tasks[0].job);
	if (!tasks[0].dones)
		loop_later(loop, task);
}

START_TEST(a_job_that_blocks_can_be_interrupted_and_one_that_waits_taken_back)
{
	ck_assert_int_eq(crew_grow(crew, 1), 0);
	later.run = interrupt_again;
	loop_later(loop, &later);
	end_after = 1;
	submit(&tasks[0], run_until_interrupted, count);
	submit(&tasks[1], run_briefly, count);
	ck_assert(crew_cancel(crew, &tasks[1].job));
	ck_assert(!crew_cancel(crew, &tasks[1].job));
	ck_assert_int_eq(crew_run(crew), 1);
	ck_assert_uint_eq(tasks[0].dones, 1);
	ck_assert_uint_eq(tasks[1].runs + tasks[1].dones, 0);
	ck_assert(!crew_cancel(crew, &tasks[0].job));
}
END_TEST

static void run_and_end(struct job *job)
{
	/* The other runs, too. */
	wait_for(&arrived);
	container_of(job, struct task, job)->runs++;
}

static void end_all(struct job *job)
{
	count(job);
	end_after = 0;
	sem_post(&gate);
}

START_TEST(it_ends_when_it_is_told_to_and_waits_for_jobs_that_run)
{
	ck_assert_int_eq(crew_grow(crew, 2), 0);
	end_after = UINT32_MAX;
	submit(&tasks[0], run_at_gate, count);
	submit(&tasks[1], run_and_end, end_all);
	ck_assert_int_eq(crew_run(crew), 1);
	ck_assert_uint_eq(tasks[0].dones, 1);
	ck_assert_uint_eq(tasks[1].dones, 1);
}
END_TEST

START_TEST(it_does_not_grow_beyond_its_bounds)
{
	ck_assert_int_eq(crew_grow(crew, CREW_JOBS_MAX + 1), -EUSERS);
	ck_assert_int_eq(crew_grow(crew, CREW_JOBS_MAX), 0);
	ck_assert_int_eq(crew_grow(crew, 1), -EUSERS);
	crew_shrink(crew, 1);
	ck_assert_int_eq(crew_grow(crew, 1), 0);
	/* For the threads to end. */
	submit(&tasks[0], run_briefly, count);
	end_after = 1;
	ck_assert_int_eq(crew_run(crew), 1);
}
END_TEST

/* The loop, which several may use now. */

static struct loop_source first, second;
static unsigned int n_first, n_second;

static void on_second(struct loop_source *ready, uint32_t events)
{
	(void)ready;
	(void)events;
	n_second++;
}

static void take_the_others_place(struct loop_source *ready, uint32_t events)
{
	int fd = second.fd;

	(void)ready;
	(void)events;
	n_first++;
	loop_remove(&second);
	ck_assert_int_eq(loop_add(loop, &second, fd, EPOLLIN | EPOLLET, on_second), 0);
}

START_TEST(an_event_of_a_source_that_is_gone_is_not_taken_for_another_in_its_place)
{
	_cleanup_(fd_closep) int one = eventfd(1, EFD_CLOEXEC), two = eventfd(1, EFD_CLOEXEC);

	ck_assert_int_eq(loop_add(loop, &first, one, EPOLLIN | EPOLLET, take_the_others_place), 0);
	ck_assert_int_eq(loop_add(loop, &second, two, EPOLLIN | EPOLLET, take_the_others_place), 0);
	ck_assert_int_eq(loop_turn(loop, true), 0);
	ck_assert_uint_eq(n_first, 1);
	ck_assert_uint_eq(n_second, 0);
	/* What the new one is told of comes. */
	ck_assert_int_eq(loop_turn(loop, false), 0);
	ck_assert_uint_eq(n_second, 1);
	loop_remove(&first);
	loop_remove(&second);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crew");
	TCase *tcase = tcase_create("crew");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, every_job_runs_once_and_one_thread_acts_at_a_time);
	tcase_add_test(tcase, the_loop_goes_on_while_as_many_jobs_block_as_were_announced);
	tcase_add_test(tcase, what_a_job_leaves_for_later_is_done_though_nothing_else_happens);
	tcase_add_test(tcase, a_job_that_blocks_can_be_interrupted_and_one_that_waits_taken_back);
	tcase_add_test(tcase, it_ends_when_it_is_told_to_and_waits_for_jobs_that_run);
	tcase_add_test(tcase, it_does_not_grow_beyond_its_bounds);
	tcase_add_test(tcase,
		an_event_of_a_source_that_is_gone_is_not_taken_for_another_in_its_place);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
