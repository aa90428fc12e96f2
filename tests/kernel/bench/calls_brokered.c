// SPDX-License-Identifier: MIT
#include "tests/bench/sample.h"
#include "tests/kernel/bench/calls.h"

enum {
	METHOD_NULL = 2,
	METHOD_SUM = 3,
	METHOD_COPY = 4,
};

void brokered_caller_open(struct brokered_caller *brokered, const char *socket)
{
	must(dspbroker_connect(&brokered->broker, socket), "connect");
	must(dspbroker_session_open(brokered->broker, &brokered->session, "cdsp/bench"),
		"cdsp/bench");
}

void brokered_caller_close(struct brokered_caller *brokered)
{
	dspbroker_free(brokered->broker);
}

void brokered_call(const struct brokered_caller *brokered)
{
	const struct dspbroker_call call = {.method = METHOD_NULL};

	must(dspbroker_invoke(brokered->session, &call, NULL), "a call");
}

void brokered_copy(const struct brokered_caller *brokered, void *in, void *out)
{
	const struct dspbroker_arg args[] = {
		{.length = CALL_INLINE, .data = in},
		{.length = CALL_INLINE, .data = out},
	};
	const struct dspbroker_call call = {
		.method = METHOD_COPY,
		.n_in = 1,
		.n_out = 1,
		.args = args,
	};

	must(dspbroker_invoke(brokered->session, &call, NULL), "a copy");
}

uint64_t brokered_sum(const struct brokered_caller *brokered, struct dspbroker_buffer *buffer)
{
	uint64_t sum = 0;
	const struct dspbroker_arg args[] = {
		{.buffer = buffer, .length = CALL_BUFFER},
		{.length = sizeof(sum), .data = &sum},
	};
	const struct dspbroker_call call = {
		.method = METHOD_SUM,
		.n_in = 1,
		.n_out = 1,
		.args = args,
	};

	must(dspbroker_invoke(brokered->session, &call, NULL), "a sum");
	return sum;
}
