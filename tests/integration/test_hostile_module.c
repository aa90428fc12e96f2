// SPDX-License-Identifier: MIT
/* A module that owns its protection domain and turns it against the broker. */
#include "tests/integration/hostile.h"
#include "tests/integration/modules/hostile.h"

#define PATIENT_400_MS \
	POLICY(ALLOW("patient", EVERYBODY, "\"*/*\"", ", \"limits\": {\"timeout_ms\": 400}"))
#define SHARED                                                                                  \
	POLICY(ALLOW("innocent", EVERYBODY, "\"*/example\"", "") "," ALLOW("shared", EVERYBODY, \
		"\"*/hostile\"", ", \"share_domain\": \"all\""))

static void add_modules(void)
{
	hostile_add_module("hostile");
	hostile_add_module("early");
	hostile_add_module("blocker");
}

static void expect_death(struct raw *raw, uint32_t session)
{
	union raw_packet packet;

	require(raw_receive(raw, &packet, NULL));
	require_eq(packet.header.opcode, DSP_EVENT_SESSION);
	require_eq(packet.session.session, session);
	require_eq(packet.session.status, DSP_DOMAIN_CRASHED);
}

static enum dsp_status end_of(enum crime crime)
{
	if (crime == CRIME_TWICE)
		return DSP_OK; /* the first time */
	return crime < CRIME_UNSEEN ? DSP_DOMAIN_CRASHED : DSP_TIMED_OUT;
}

static void commit(struct raw *raw, enum crime crime)
{
	uint32_t session = raw_open(raw, "soft0/hostile");
	struct dsp_slot slot = raw_invoke(session, crime, crime);
	struct dsp_completion completion = raw_call(raw, &slot, 1);

	require_eq(completion.user_data, crime);
	/* Seen or not depends on when the broker looks. */
	if (completion.status != end_of(crime) && crime != CRIME_FLICKER)
		harness_fail(__FILE__, __LINE__, "crime %d ended with %s", crime,
			wire_status_name(completion.status));
	expect_death(raw, session);
}

static void commit_crimes(void *harness)
{
	struct raw raw;

	raw_start(&raw, harness);
	for (enum crime crime = CRIME_SCRIBBLE; crime < CRIME_END; crime++)
		commit(&raw, crime);
	raw_close(&raw);
}

START_TEST(a_domain_that_breaks_the_protocol_is_ended_and_nobody_else)
{
	hostile_run(PATIENT_400_MS, commit_crimes);
}
END_TEST

/* Others who live in the domain die with it, and are told; calls of both end once. */
static void commit_crimes_in_company(void *harness)
{
	for (enum crime crime = CRIME_SCRIBBLE; crime < CRIME_UNSEEN; crime++) {
		struct dsp_slot slot;
		struct raw raw, other;
		uint32_t session;

		if (crime == CRIME_TWICE)
			continue;
		raw_start(&raw, harness);
		raw_start(&other, harness);
		session = raw_open(&other, "soft0/hostile");
		commit(&raw, crime);
		expect_death(&other, session);
		slot = raw_invoke(session, crime, 1);
		require_eq(raw_call(&other, &slot, 1).status, DSP_DOMAIN_CRASHED);
		raw_close(&raw);
		raw_close(&other);
	}
}

START_TEST(all_who_share_a_hostile_domain_are_told_of_its_end)
{
	hostile_run(SHARED, commit_crimes_in_company);
}
END_TEST

static void open_early(void *harness)
{
	struct dsp_open request;
	union raw_packet reply;
	struct raw raw;

	raw_start(&raw, harness);
	for (int i = 0; i < 10; i++) { /* a dead session stays until it is closed */
		request = raw_open_request(&raw, "soft0/early");
		raw_exchange(&raw, &request, sizeof(request), NULL, 0, &reply);
		if (reply.header.opcode == DSP_ERROR)
			require_eq(reply.error.status, DSP_DOMAIN_CRASHED);
		else /* the lie is found out right after */
			expect_death(&raw, reply.open.session);
	}
	raw_close(&raw);
}

START_TEST(a_domain_that_says_too_early_that_it_has_started_is_ended)
{
	hostile_run(PATIENT_400_MS, open_early);
}
END_TEST

static void open_blocker(void *harness)
{
	struct dsp_open request;
	union raw_packet reply;
	struct raw raw;

	raw_start(&raw, harness);
	request = raw_open_request(&raw, "soft0/blocker");
	raw_exchange(&raw, &request, sizeof(request), NULL, 0, &reply);
	raw_close(&raw);
}

START_TEST(a_domain_that_makes_wakeups_full_and_blocking_blocks_itself_alone)
{
	hostile_run(PATIENT_400_MS, open_blocker);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hostile module");
	TCase *tcase = tcase_create("module");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, add_modules, NULL);
	tcase_add_test(tcase, a_domain_that_breaks_the_protocol_is_ended_and_nobody_else);
	tcase_add_test(tcase, all_who_share_a_hostile_domain_are_told_of_its_end);
	tcase_add_test(tcase, a_domain_that_says_too_early_that_it_has_started_is_ended);
	tcase_add_test(tcase, a_domain_that_makes_wakeups_full_and_blocking_blocks_itself_alone);
	suite_add_tcase(suite, tcase);
	return harness_main(suite);
}
