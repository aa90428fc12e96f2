// SPDX-License-Identifier: MIT
/* A client that lies in its ring, or scribbles over it. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/integration/hostile.h"

/* File status flags belong to everybody who holds the descriptor, and so does the counter. */
static void make_full_and_blocking(int fd)
{
	uint64_t all = UINT64_MAX - 1;

	fcntl(fd, F_SETFL, 0);
	(void)!write(fd, &all, sizeof(all));
}

static void fill_wakeups(void *harness)
{
	struct dsp_slot slot = raw_invoke(0, EXAMPLE_NOP, 1);
	struct raw raw;

	raw_start(&raw, harness);
	for (int i = 0; i < 200; i++) /* more than the broker takes in one turn */
		raw_push(&raw, &slot, 1);
	make_full_and_blocking(raw.notify);
	atomic_store(&raw.shared->requester_sleeps, 1);
	atomic_store(&raw.shared->sq_tail, raw.sq_tail);
	make_full_and_blocking(raw.doorbell); /* this rings it */
	require_soon(atomic_load(&raw.shared->sq_head) == raw.sq_tail);
	raw_close(&raw);
}

START_TEST(descriptors_made_blocking_and_full_do_not_block_the_broker)
{
	hostile_run(ALLOW_ALL, fill_wakeups);
}
END_TEST
int main(void)
{
	Suite *suite = suite_create("hostile ring");
	TCase *tcase = tcase_create("x");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, descriptors_made_blocking_and_full_do_not_block_the_broker);
	suite_add_tcase(suite, tcase);
	return harness_main(suite);
}
