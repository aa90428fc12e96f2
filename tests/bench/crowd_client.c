// SPDX-License-Identifier: MIT
#include "tests/bench/crowd_client.h"

#include <string.h>

#include "client/dspbroker.h"
#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/pace.h"
#include "tests/bench/sample.h"

#define METHOD_SUM 2

/* Of an array that is neither tiny nor larger than caches. */
#define TRIAL_BYTES (256 * 1024)
#define TRIALS      31

struct user {
	struct dspbroker *broker;
	struct dspbroker_session *session;
	struct dspbroker_buffer *numbers; /* NULL: null calls */
	struct dspbroker_arg args[2];
	struct dspbroker_call call;
	int64_t sum; /* of any call: all add up the same */
};

static void use_numbers(struct user *user, uint32_t bytes)
{
	void *memory;

	must(dspbroker_buffer_alloc(user->broker, &user->numbers, bytes), "buffer");
	must(dspbroker_buffer_map(user->numbers, &memory), "map");
	memset(memory, 1, bytes); /* every page is there */
	user->args[0] = (struct dspbroker_arg){.buffer = user->numbers, .length = bytes};
	user->args[1] = (struct dspbroker_arg){.data = &user->sum, .length = sizeof(user->sum)};
	user->call = (struct dspbroker_call){
		.method = METHOD_SUM, .n_in = 1, .n_out = 1, .args = user->args};
}

/* It is not to be moved. */
static void user_open(struct user *user, const struct crowd_client *client)
{
	*user = (struct user){.call = {.method = METHOD_NOP}};
	must(dspbroker_connect(&user->broker, client->service->socket), "connect");
	must(dspbroker_session_open(user->broker, &user->session, client->channel), "open");
	if (client->input_bytes)
		use_numbers(user, client->input_bytes);
}

/* What has not begun never will. */
static void user_close(struct user *user)
{
	dspbroker_session_close(user->session);
	dspbroker_buffer_free(user->numbers);
	dspbroker_free(user->broker);
}

/* Wait for calls. Returns how many are done, and for how long they had the DSP. */
static unsigned int reap(struct user *user, uint64_t *busy_ns)
{
	struct dspbroker_completion completions[PIPELINE_DEPTH];
	int n = dspbroker_reap(user->broker, completions, PIPELINE_DEPTH, -1);

	must(MIN(n, 0), "reap");
	*busy_ns = 0;
	for (int i = 0; i < n; i++) {
		must(completions[i].status, "call");
		*busy_ns += completions[i].busy_ns;
	}
	return (unsigned int)n;
}

static void flood(struct member *me, struct user *user)
{
	unsigned int in_flight = 0;

	while (!member_over(me)) {
		unsigned int done;
		uint64_t busy_ns;

		for (; in_flight < PIPELINE_DEPTH; in_flight++)
			must(dspbroker_submit(user->session, &user->call), "submit");
		done = reap(user, &busy_ns);
		in_flight -= done;
		member_count(me, done, busy_ns);
	}
}

static void call_at_times(struct member *me, const struct user *user, uint64_t interval_ns)
{
	struct pace pace;

	pace_begin(&pace, interval_ns);
	while (!member_over(me) && me->calls < MEMBER_SAMPLES) {
		/* If the call before took too long, what this one waited for it counts. */
		uint64_t start = pace_wait(&pace);

		must(dspbroker_invoke(user->session, &user->call, NULL), "paced call");
		me->samples[me->calls] = now_ns() - start;
		member_count(me, 1, 0);
	}
}

void crowd_client_play(struct member *me, const void *role)
{
	const struct crowd_client *client = role;
	struct user user;

	user_open(&user, client);
	member_ready(me);
	if (client->interval_ns)
		call_at_times(me, &user, client->interval_ns);
	else
		flood(me, &user);
	user_close(&user);
}

uint32_t crowd_client_bytes(const struct service *service, const char *channel, uint64_t busy_ns)
{
	const struct crowd_client client = {
		.service = service, .channel = channel, .input_bytes = TRIAL_BYTES};
	uint64_t trials[TRIALS], middle;
	struct user user;

	user_open(&user, &client);
	for (int i = 0; i < TRIALS; i++) {
		must(dspbroker_submit(user.session, &user.call), "submit");
		must(reap(&user, &trials[i]) == 1 ? 0 : -EIO, "reap");
	}
	user_close(&user);
	middle = percentile(trials, TRIALS, 50);
	return (uint32_t)((double)busy_ns / (double)middle * TRIAL_BYTES / sizeof(int32_t)) *
	       sizeof(int32_t);
}
