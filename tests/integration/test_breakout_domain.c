// SPDX-License-Identifier: MIT
/* A module that has taken over its protection domain, in the real software DSP, tries to get out.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/confine/filter.h"
#include "tests/integration/attempts.h"
#include "tests/integration/hostile.h"
#include "tests/integration/modules/breakout.h"

#define BREAKOUT "soft0/breakout"
#define MIB      ((size_t)1 << 20)

static struct harness harness;

/* A call with those bytes: 0, the errno that the module returned, or ATTEMPT_KILLED. */
static int call_module(struct dspbroker *broker, uint32_t method, const void *in, uint32_t size)
{
	struct dspbroker_session *session = open_channel(broker, BREAKOUT);
	const struct dspbroker_arg arg = {.data = (void *)in, .length = size};
	const struct dspbroker_call call = {.method = method, .n_in = 1, .args = &arg};
	int32_t result = 0;
	int r = dspbroker_invoke(session, &call, &result);

	if (r == DSPBROKER_DOMAIN_CRASHED) {
		const struct dspbroker_event event = next_event(broker);

		result = strstr(event.text, "forbidden system call") ? ATTEMPT_KILLED
								     : ATTEMPT_BROKEN;
	} else if (r != DSPBROKER_DSP_ERROR) {
		require_eq(r, 0);
	}
	dspbroker_session_close(session);
	return result;
}

/* The C library asks stdio's descriptors what they are, and copes with a no. */
static const struct attempt_outcome outcomes[] = {
	{"stat /etc/passwd", EPERM, "a rule of its own"},
};

static void try_everything(void *data)
{
	struct dspbroker *broker = connect_to(data);
	int wrong = 0;

	for (size_t i = 0; i < attempts_n; i++) {
		const struct breakout_attempt what = {(uint32_t)i, harness.pid};

		wrong += attempt_judge(&attempts[i],
			call_module(broker, BREAKOUT_ATTEMPT, &what, sizeof(what)), outcomes,
			ARRAY_SIZE(outcomes));
	}
	require_eq(wrong, 0);
	dspbroker_free(broker);
}

START_TEST(no_module_gets_out_of_its_protection_domain)
{
	if (FILTER_SANITIZED) {
		fprintf(stderr, "SKIPPED: a sanitizer's report needs calls of its own\n");
		return;
	}
	harness_start(&harness, ALLOW_ALL);
	client_run(ALICE, try_everything, &harness);
	harness_stop(&harness);
}
END_TEST

static int take(struct dspbroker *broker, uint32_t mib, int flags)
{
	const struct breakout_take what = {mib, (uint32_t)flags};

	return call_module(broker, BREAKOUT_TAKE, &what, sizeof(what));
}

static void take_memory(void *data)
{
	struct dspbroker *broker = connect_to(data);
	const int own = MAP_PRIVATE | MAP_ANONYMOUS;

	require_eq(take(broker, 64, 0), 0);
	require_eq(take(broker, 64, own), 0);
	require_eq(take(broker, 256, 0), ENOMEM);
	require_eq(take(broker, 256, own), ENOMEM);
	require_eq(take(broker, 256, own | MAP_NORESERVE), ENOMEM);
	/* What the limit would not count cannot be had at all. */
	require_eq(take(broker, 1, MAP_SHARED | MAP_ANONYMOUS), ATTEMPT_KILLED);
	require_eq(take(broker, 1, own | MAP_GROWSDOWN), ATTEMPT_KILLED);
	dspbroker_free(broker);
}

START_TEST(a_module_has_no_more_memory_of_its_own_than_256_mib)
{
	if (FILTER_SANITIZED) {
		fprintf(stderr, "SKIPPED: a sanitizer's shadow of the memory is larger\n");
		return;
	}
	harness_start(&harness, ALLOW_ALL);
	client_run(ALICE, take_memory, &harness);
	harness_stop(&harness);
}
END_TEST

#define MUCH_MEMORY POLICY(ALLOW("much", EVERYBODY, "\"*/*\"", ", \"limits\": {\"bytes\": \"1G\"}"))

/* All of it is touched on the other side only at its first byte. */
static void lend_memory(void *data)
{
	struct dspbroker *broker = connect_to(data);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	for (int i = 0; i < 2; i++) {
		struct dspbroker_buffer *buffer = alloc_buffer(broker, 300 * MIB);
		const struct dspbroker_arg args[] = {{.buffer = buffer, .length = 300 * MIB},
			{.buffer = buffer, .offset = 150 * MIB, .length = 150 * MIB}};
		const struct dspbroker_call call = {
			.method = EXAMPLE_TOUCH, .n_in = 1, .n_out = 1, .args = args};

		require_eq(dspbroker_invoke(session, &call, NULL), 0);
	}
	dspbroker_session_close(session);
	dspbroker_free(broker);
}

START_TEST(memory_that_is_lent_to_a_module_does_not_count)
{
	harness_start(&harness, MUCH_MEMORY);
	client_run(ALICE, lend_memory, &harness);
	harness_stop(&harness);
}
END_TEST

static void add_modules(void)
{
	hostile_add_module("breakout");
}

int main(void)
{
	Suite *suite = suite_create("breakout domain");
	TCase *tcase = tcase_create("domain");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, add_modules, NULL);
	tcase_add_test(tcase, no_module_gets_out_of_its_protection_domain);
	tcase_add_test(tcase, a_module_has_no_more_memory_of_its_own_than_256_mib);
	tcase_add_test(tcase, memory_that_is_lent_to_a_module_does_not_count);
	suite_add_tcase(suite, tcase);
	return harness_main(suite);
}
