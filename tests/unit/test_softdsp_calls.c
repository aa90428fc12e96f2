// SPDX-License-Identifier: MIT
/* A protection domain at work: what it does with entries, with memory and with trouble. */
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/transport/softdsp.h"
#include "protocol/ring.h"
#include "protocol/util.h"
#include "protocol/wire.h"
#include "tests/suite.h"
#include "tests/unit/softdsp_rig.h"

/* Calls. */

START_TEST(a_session_is_opened_called_and_closed)
{
	struct dsp_completion completion;
	struct rig_domain domain;
	int64_t total;

	rig_spawn_open(&domain, 1);
	memcpy(domain.memory, (int32_t[]){1, 2, -40}, 12);
	completion = rig_run(&domain, rig_call(SUM, 12, 8));
	ck_assert_uint_eq(completion.status, DSP_OK);
	ck_assert_int_eq(completion.result, 0);
	ck_assert_uint_gt(completion.busy_ns, 0);
	memcpy(&total, rig_output(&domain), sizeof(total));
	ck_assert_int_eq(total, -37);

	domain.memory[0] = -7;
	completion = rig_run(&domain, rig_call(FAIL, 4, 0));
	ck_assert_uint_eq(completion.status, DSP_DSP_ERROR);
	ck_assert_int_eq(completion.result, -7);

	ck_assert_uint_eq(rig_run_op(&domain, DSP_OP_MODULE_CLOSE, 0).status, DSP_OK);
	ck_assert_uint_eq(rig_run(&domain, rig_call(NOP, 0, 0)).status, DSP_NOT_FOUND);
	rig_end(&domain);
}
END_TEST

START_TEST(busy_time_is_the_time_the_module_ran)
{
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	domain.memory[0] = 20000;
	ck_assert_uint_ge(rig_run(&domain, rig_call(SLEEP, 4, 0)).busy_ns, 20000000);
	ck_assert_uint_lt(rig_run(&domain, rig_call(NOP, 0, 0)).busy_ns, 20000000);
	rig_end(&domain);
}
END_TEST

START_TEST(two_sessions_of_a_domain_have_their_own_state)
{
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	ck_assert_uint_eq(rig_run_op(&domain, DSP_OP_MODULE_OPEN, 5).status, DSP_OK);
	ck_assert_uint_eq(rig_calls_so_far(&domain, 0), 1);
	ck_assert_uint_eq(rig_calls_so_far(&domain, 0), 2);
	ck_assert_uint_eq(rig_calls_so_far(&domain, 5), 1);
	ck_assert_uint_eq(rig_run_op(&domain, DSP_OP_MODULE_CLOSE, 0).status, DSP_OK);
	ck_assert_uint_eq(rig_calls_so_far(&domain, 5), 2);
	rig_end(&domain);
}
END_TEST

START_TEST(a_revoked_entry_never_runs)
{
	struct dsp_entry sleep = rig_call(SLEEP, 4, 0), copy = rig_call(COPY, 4, 4);
	struct rig_domain domain;
	uint32_t first, position;

	rig_spawn_open(&domain, 1);
	domain.memory[0] = 500000;
	ck_assert_int_eq(ring_push(&domain.ring, &sleep, &first), 0);
	rig_submit(&domain, &copy, &position);
	while (atomic_load(&domain.ring.sq[first % SOFT_RING_SQ_SLOTS].claim) == DSP_CLAIM_NONE)
		sched_yield();
	ck_assert(ring_revoke(&domain.ring, position));
	ck_assert_uint_eq(rig_reap(&domain).status, DSP_OK);
	ck_assert_uint_eq(rig_reap(&domain).status, DSP_CANCELLED);
	ck_assert_int_eq(*rig_output(&domain), 0);
	ck_assert_uint_eq(rig_calls_so_far(&domain, 0), 2);
	rig_end(&domain);
}
END_TEST

START_TEST(a_method_above_30_is_the_one_that_was_granted)
{
	struct dsp_entry no_input = rig_call(ADD_ONE, 0, 4);
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	memcpy(domain.memory, (int32_t[]){ADD_ONE, 41}, 8);
	ck_assert_uint_eq(rig_run(&domain, rig_call(ADD_ONE, 8, 4)).status, DSP_OK);
	ck_assert_int_eq(*rig_output(&domain), 42);

	rig_assert_invalid(&domain, rig_call(ADD_ONE + 1, 8, 4), offsetof(struct dsp_slot, method));
	rig_assert_invalid(&domain, no_input, offsetof(struct dsp_slot, n_in));
	rig_assert_invalid(&domain, rig_call(ADD_ONE, 3, 4),
		ring_arg_offset(0) + offsetof(struct dsp_arg, length));
	rig_assert_invalid(&domain, rig_call(ADD_ONE, SOFT_ESCAPE_MAX + 1, 4),
		ring_arg_offset(0) + offsetof(struct dsp_arg, length));
	ck_assert_uint_eq(rig_calls_so_far(&domain, 0), 2);
	rig_end(&domain);
}
END_TEST

START_TEST(open_and_close_are_no_methods_to_invoke)
{
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	rig_assert_invalid(&domain, rig_call(0, 0, 0), offsetof(struct dsp_slot, method));
	rig_assert_invalid(&domain, rig_call(1, 0, 0), offsetof(struct dsp_slot, method));
	ck_assert_uint_eq(rig_run_op(&domain, DSP_OP_CANCEL, 0).status, DSP_UNSUPPORTED);
	rig_end(&domain);
}
END_TEST

START_TEST(unknown_sessions_are_refused)
{
	static const uint32_t unknown[] = {1, SOFT_SESSIONS_MAX, UINT32_MAX};
	struct dsp_entry open = {.op = DSP_OP_MODULE_OPEN};
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		ck_assert_uint_eq(rig_run_op(&domain, DSP_OP_INVOKE, unknown[i]).status,
			DSP_NOT_FOUND);
		ck_assert_uint_eq(rig_run_op(&domain, DSP_OP_MODULE_CLOSE, unknown[i]).status,
			DSP_NOT_FOUND);
	}
	rig_assert_invalid(&domain, open, offsetof(struct dsp_slot, session)); /* it is open */
	open.session = SOFT_SESSIONS_MAX;
	rig_assert_invalid(&domain, open, offsetof(struct dsp_slot, session));
	rig_end(&domain);
}
END_TEST

/* Memory. */

START_TEST(an_argument_outside_its_mapping_is_named)
{
	static const struct {
		struct dsp_arg arg;
		size_t field;
	} cases[] = {
		{{MEMORY, MEMORY_SIZE + 1, 1}, offsetof(struct dsp_arg, offset)},
		{{MEMORY, UINT32_MAX, UINT32_MAX}, offsetof(struct dsp_arg, offset)},
		{{MEMORY, MEMORY_SIZE, 1}, offsetof(struct dsp_arg, length)},
		{{MEMORY, 1, MEMORY_SIZE}, offsetof(struct dsp_arg, length)},
		{{MEMORY, 8, UINT32_MAX}, offsetof(struct dsp_arg, length)},
	};
	static const unsigned int positions[] = {0, 1, 2, 6, 7, 31};
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(positions); j++) {
			struct dsp_entry entry = {.op = DSP_OP_INVOKE,
				.method = TOUCH,
				.n_in = 16,
				.n_out = DSP_ARGS_MAX - 16};

			entry.args[positions[j]] = cases[i].arg;
			rig_assert_invalid(&domain, entry,
				ring_arg_offset(positions[j]) + cases[i].field);
		}
	}
	ck_assert_uint_eq(rig_calls_so_far(&domain, 0), 1);
	rig_end(&domain);
}
END_TEST

START_TEST(arguments_may_be_empty_and_may_be_whole)
{
	struct dsp_entry whole = rig_call(TOUCH, MEMORY_SIZE, MEMORY_SIZE),
			 empty = rig_call(TOUCH, 1, 1);
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	whole.args[1].offset = 0;
	ck_assert_uint_eq(rig_run(&domain, whole).status, DSP_OK);
	empty.args[0].length = empty.args[1].length = 0;
	ck_assert_uint_eq(rig_run(&domain, empty).status, DSP_OK);
	rig_end(&domain);
}
END_TEST

START_TEST(an_unknown_mapping_is_refused)
{
	static const uint32_t unknown[] = {0, 2, SOFT_MAPPINGS_MAX, UINT32_MAX};
	struct dsp_entry entry = rig_call(TOUCH, 1, 0);
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		entry.args[0].buffer = unknown[i];
		ck_assert_uint_eq(rig_run(&domain, entry).status, DSP_NOT_FOUND);
	}
	rig_end(&domain);
}
END_TEST

START_TEST(an_unmapped_buffer_is_gone_and_its_id_free)
{
	struct dsp_entry unmap = {.op = DSP_OP_UNMAP, .target = MEMORY};
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	ck_assert_uint_eq(rig_run(&domain, unmap).status, DSP_OK);
	ck_assert_uint_eq(rig_run(&domain, rig_call(TOUCH, 1, 0)).status, DSP_NOT_FOUND);
	ck_assert_uint_eq(rig_run(&domain, unmap).status, DSP_NOT_FOUND);
	unmap.target = UINT64_MAX;
	ck_assert_uint_eq(rig_run(&domain, unmap).status, DSP_NOT_FOUND);
	rig_map(&domain, MEMORY, domain.memory_fd, MEMORY_SIZE);
	ck_assert_uint_eq(rig_run(&domain, rig_call(TOUCH, 1, 0)).status, DSP_OK);
	rig_end(&domain);
}
END_TEST

START_TEST(memory_that_cannot_be_written_is_no_place_for_an_output)
{
	struct dsp_entry in = rig_call(TOUCH, 1, 0), out = rig_call(TOUCH, 0, 1);
	char path[64];
	struct rig_domain domain;
	int fd;

	rig_spawn_open(&domain, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", domain.memory_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	rig_map(&domain, 2, fd, MEMORY_SIZE);
	close(fd);
	in.args[0].buffer = out.args[0].buffer = 2;
	ck_assert_uint_eq(rig_run(&domain, in).status, DSP_OK);
	rig_assert_invalid(&domain, out, ring_arg_offset(0));
	rig_end(&domain);
}
END_TEST

START_TEST(memory_that_cannot_be_mapped_is_the_fault_of_the_calls_that_use_it)
{
	struct dsp_entry in = rig_call(TOUCH, 1, 0), out = rig_call(TOUCH, 0, 1);
	struct dsp_entry unmap = {.op = DSP_OP_UNMAP, .target = 2};
	struct rig_domain domain;
	int pipes[2];

	rig_spawn_open(&domain, 1);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	in.args[0].buffer = out.args[0].buffer = 2;
	for (int i = 0; i < 2; i++) {
		rig_map(&domain, 2, pipes[1], MEMORY_SIZE);
		rig_assert_invalid(&domain, in, ring_arg_offset(0));
		rig_assert_invalid(&domain, out, ring_arg_offset(0));
		ck_assert_uint_eq(rig_run(&domain, unmap).status, DSP_OK);
		ck_assert_uint_eq(rig_run(&domain, in).status, DSP_NOT_FOUND);
	}
	close(pipes[0]);
	close(pipes[1]);
	rig_end(&domain);
}
END_TEST

/* Trouble. */

START_TEST(a_crash_ends_one_domain_and_is_reported)
{
	struct rig_domain crashing, other;

	rig_spawn_open(&crashing, 1);
	rig_spawn_open(&other, 2);
	rig_submit(&crashing, &(struct dsp_entry){.op = DSP_OP_INVOKE, .method = CRASH}, NULL);
	ck_assert_int_eq(rig_wait_exited(1), SIGSEGV);
	ck_assert_uint_eq(rig_run(&other, rig_call(NOP, 0, 0)).status, DSP_OK);
	rig_forget(&crashing);
	rig_end(&other);
}
END_TEST

START_TEST(a_call_that_never_ends_is_ended_by_kill)
{
	struct rig_domain spinning, other;

	rig_spawn_open(&spinning, 1);
	rig_spawn_open(&other, 2);
	rig_submit(&spinning, &(struct dsp_entry){.op = DSP_OP_INVOKE, .method = SPIN}, NULL);
	ck_assert_uint_eq(rig_run(&other, rig_call(NOP, 0, 0)).status, DSP_OK);
	rig_send_kill(1);
	ck_assert_int_eq(rig_wait_exited(1), SIGKILL);
	rig_forget(&spinning);
	rig_end(&other);
}
END_TEST

START_TEST(a_module_that_breaks_out_is_killed)
{
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	domain.memory[0] = _i; /* an index in attempts[] of the module */
	rig_submit(&domain, (struct dsp_entry[]){rig_call(BREAKOUT, 4, 0)}, NULL);
	ck_assert_int_eq(rig_wait_exited(1), SIGSYS);
	rig_forget(&domain);
}
END_TEST

/* More calls than there is room for completions. */
static void submit_too_many(struct rig_domain *domain)
{
	struct dsp_entry nop = rig_call(NOP, 0, 0);

	for (int i = 0; i <= SOFT_RING_CQ_ENTRIES; i++)
		ck_assert_int_eq(ring_push(&domain->ring, &nop, NULL), 0);
	ring_wake_servicer(&domain->ring, ring_submit(&domain->ring), -1);
}

START_TEST(a_broker_that_does_not_reap_is_not_waited_for)
{
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	submit_too_many(&domain);
	ck_assert_int_eq(rig_wait_exited(1), EXIT_FAILURE << 8);
	rig_forget(&domain);
}
END_TEST

START_TEST(a_lie_on_the_ring_ends_the_domain)
{
	static const size_t indices[] = {offsetof(struct dsp_ring_shared, sq_tail),
		offsetof(struct dsp_ring_shared, cq_head)};
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	if (_i == 1) /* what the broker has reaped matters once the queue may be full */
		submit_too_many(&domain);
	*(_Atomic uint32_t *)((char *)domain.ring.shared + indices[_i]) += 100000;
	rig_wake(&domain);
	ck_assert_int_eq(rig_wait_exited(1), EXIT_FAILURE << 8);
	rig_forget(&domain);
}
END_TEST

START_TEST(a_packet_out_of_contract_ends_the_domain)
{
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	rig_map(&domain, MEMORY, domain.memory_fd, MEMORY_SIZE); /* the id is in use */
	ck_assert_int_eq(rig_wait_exited(1), EXIT_FAILURE << 8);
	rig_forget(&domain);

	rig_spawn_open(&domain, 2);
	rig_map(&domain, SOFT_MAPPINGS_MAX, domain.memory_fd, MEMORY_SIZE);
	ck_assert_int_eq(rig_wait_exited(2), EXIT_FAILURE << 8);
	rig_forget(&domain);
}
END_TEST

static TCase *domain_cases(void)
{
	TCase *tcase = tcase_create("domain");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, rig_setup, rig_teardown);
	tcase_add_test(tcase, a_session_is_opened_called_and_closed);
	tcase_add_test(tcase, busy_time_is_the_time_the_module_ran);
	tcase_add_test(tcase, two_sessions_of_a_domain_have_their_own_state);
	tcase_add_test(tcase, a_revoked_entry_never_runs);
	tcase_add_test(tcase, a_method_above_30_is_the_one_that_was_granted);
	tcase_add_test(tcase, open_and_close_are_no_methods_to_invoke);
	tcase_add_test(tcase, unknown_sessions_are_refused);
	tcase_add_test(tcase, an_argument_outside_its_mapping_is_named);
	tcase_add_test(tcase, arguments_may_be_empty_and_may_be_whole);
	tcase_add_test(tcase, an_unknown_mapping_is_refused);
	tcase_add_test(tcase, an_unmapped_buffer_is_gone_and_its_id_free);
	tcase_add_test(tcase, memory_that_cannot_be_written_is_no_place_for_an_output);
	tcase_add_test(tcase, memory_that_cannot_be_mapped_is_the_fault_of_the_calls_that_use_it);
	tcase_add_test(tcase, a_crash_ends_one_domain_and_is_reported);
	tcase_add_test(tcase, a_call_that_never_ends_is_ended_by_kill);
	tcase_add_loop_test(tcase, a_module_that_breaks_out_is_killed, 0, 6);
	tcase_add_test(tcase, a_broker_that_does_not_reap_is_not_waited_for);
	tcase_add_loop_test(tcase, a_lie_on_the_ring_ends_the_domain, 0, 2);
	tcase_add_test(tcase, a_packet_out_of_contract_ends_the_domain);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("softdsp calls");

	suite_add_tcase(suite, domain_cases());
	return suite_run(suite);
}
