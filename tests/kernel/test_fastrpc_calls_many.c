// SPDX-License-Identifier: MIT
/* 100,000 calls: what so many would leave behind shows. */
#include <stdint.h>
#include <string.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE "cdsp/example"

/* After a tenth of all it is measured what the broker and the kernel have. */
#define PARTS   10
#define CALLS   10240 /* of each part */
#define AT_ONCE 4     /* sessions */
#define WINDOW  32    /* calls in flight */
#define REPLACE 320   /* with so many calls a buffer goes and another comes */
#define BUFFER  65536
#define BYTES   64
/* What the broker may keep of its memory: not 12 bytes of each call. */
#define GROWTH_KIB 1024

#define POLICY_TEXT \
	CDSP_POLICY("", "", ALLOW("all", EVERYBODY, "\"*/*\"", ", \"share_domain\": \"all\""))

static struct harness harness;

struct caller {
	struct dspbroker *broker;
	struct dspbroker_session *sessions[AT_ONCE]; /* in one domain */
	struct dspbroker_buffer *buffer;
	uint8_t *data; /* of the buffer: half of it to read from, half to write to */
	uint8_t in[WINDOW][BYTES], out[WINDOW][BYTES];
};

static void replace_buffer(struct caller *caller)
{
	void *map;

	dspbroker_buffer_free(caller->buffer);
	require_eq(dspbroker_buffer_alloc_from(caller->broker, &caller->buffer, BUFFER,
			   DSPBROKER_MEMORY_HEAP, NULL),
		0);
	require_eq(dspbroker_buffer_map(caller->buffer, &map), 0);
	caller->data = map;
}

/* Bytes are copied, by turns in the call and in the buffer. */
static void submit_copy(struct caller *caller, uint32_t i, uint8_t byte)
{
	struct dspbroker_arg args[2] = {
		{.data = caller->in[i], .length = BYTES},
		{.data = caller->out[i], .length = BYTES},
	};

	if (i % 2) {
		args[0] = (struct dspbroker_arg){
			.buffer = caller->buffer, .offset = i * BYTES, .length = BYTES};
		args[1] = args[0];
		args[1].offset += BUFFER / 2;
	}
	memset(i % 2 ? caller->data + i * BYTES : caller->in[i], byte, BYTES);
	require_eq(dspbroker_submit(caller->sessions[i / 2 % AT_ONCE],
			   &(struct dspbroker_call){.method = EXAMPLE_COPY,
				   .n_in = 1,
				   .n_out = 1,
				   .args = args,
				   .user = (void *)(uintptr_t)i}),
		0);
}

static void reap_copy(struct caller *caller, uint8_t byte)
{
	const struct dspbroker_completion completion = reap_one(caller->broker);
	const size_t i = (uintptr_t)completion.user;
	const uint8_t *out = i % 2 ? caller->data + BUFFER / 2 + i * BYTES : caller->out[i];

	require_eq(completion.status, 0);
	require(out[0] == byte && memcmp(out, out + 1, BYTES - 1) == 0);
}

static void copy_often(struct caller *caller)
{
	for (uint32_t calls = 0; calls < CALLS; calls += WINDOW) {
		const uint8_t byte = (uint8_t)(calls / WINDOW % UINT8_MAX + 1);

		if (calls % REPLACE == 0)
			replace_buffer(caller);
		for (uint32_t i = 0; i < WINDOW; i++)
			submit_copy(caller, i, byte);
		for (uint32_t i = 0; i < WINDOW; i++)
			reap_copy(caller, byte);
	}
}

static void call_often(void *data)
{
	struct caller caller = {.broker = connect_to(&harness)};

	(void)data;
	for (size_t i = 0; i < AT_ONCE; i++)
		caller.sessions[i] = open_channel(caller.broker, MODULE);
	for (int part = 0; part < PARTS; part++) {
		copy_often(&caller);
		step_reached('s');
		step_await('s');
	}
	dspbroker_free(caller.broker);
}

START_TEST(a_hundred_thousand_calls_leave_nothing_behind)
{
	struct holdings first = {.held = 0};
	uint64_t calls = cdsp_count("calls");
	struct client client;

	start_broker(&harness, POLICY_TEXT);
	client_start(&client, ALICE, call_often, NULL);
	for (int part = 0; part < PARTS; part++) {
		client_await(&client, 's');
		if (part == 0)
			first = holdings_of(&harness);
		else
			must_not_have_grown(&harness, first, GROWTH_KIB);
		client_go(&client, 's');
	}
	require(cdsp_count("calls") >= calls + PARTS * CALLS);
	client_end(&client);
	await_nothing_left();
	harness_stop(&harness);
}
END_TEST

/* Had any been lost, there would be fewer for others. */
START_TEST(the_kernel_has_lost_no_call_by_them)
{
	require_eq(cdsp_driver.lost_calls(), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("many calls of a DSP");

	add_fastrpc_case(suite, "calls", a_hundred_thousand_calls_leave_nothing_behind);
	add_fastrpc_case(suite, "lost", the_kernel_has_lost_no_call_by_them);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
