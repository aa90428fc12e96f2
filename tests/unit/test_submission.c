// SPDX-License-Identifier: MIT
/* A client that does not take what it asked for: there is no room for more, so its entries wait. */
#include <check.h>

#include "tests/suite.h"
#include "tests/unit/app_rig.h"

static void set_up(void)
{
	daemon_start("{\"version\": 1, \"rules\": []}");
	app_start(DSP_RING_SQ_MIN);
}

static void tear_down(void)
{
	app_stop();
	daemon_stop();
}

/* Of a session that is not there: it is answered at once. */
static const struct dsp_entry entry = {.op = DSP_OP_CANCEL, .session = 1};

/* Until there is room for one more completion. */
static void fill(void)
{
	while (app.user_data < app.ring.cq_entries - 1)
		app_push(entry);
	ck_assert(!ring_room_wanted(&app.ring));
}

START_TEST(entries_wait_until_there_is_room_for_their_completions)
{
	uint64_t last;

	fill();
	app_push(entry);
	last = app_push(entry);
	for (uint64_t i = 1; i < last; i++)
		app_completes(i, DSP_NOT_FOUND);
	app_nothing_completes();
	ring_reaped(&app.ring);
	ck_assert(ring_room_wanted(&app.ring));
	ring_kick(app.doorbell);
	daemon_settle();
	app_completes(last, DSP_NOT_FOUND);
	app_nothing_completes();
}
END_TEST

/* However quick it was so far. (On one processor nobody is looked at anyway.) */
START_TEST(who_has_no_room_is_not_looked_at_until_it_rings)
{
	fill();
	ck_assert_int_eq(ring_push(&app.ring, &entry, NULL), 0);
	ck_assert_int_eq(ring_push(&app.ring, &entry, NULL), 0);
	if (ring_submit(&app.ring))
		ring_kick(app.doorbell);
	ck_assert_int_eq(loop_turn(broker.loop, false), 0);
	daemon_client()->poller.spin = (struct spin){.credit = 1};
	daemon_settle();
	/* Whoever looked at its entries again would have to ask for room again. */
	ck_assert(ring_room_wanted(&app.ring));
	daemon_settle();
	ck_assert(!ring_room_wanted(&app.ring));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("submission");
	TCase *tcase = tcase_create("submission");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, entries_wait_until_there_is_room_for_their_completions);
	tcase_add_test(tcase, who_has_no_room_is_not_looked_at_until_it_rings);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
