// SPDX-License-Identifier: MIT
/*
 * A DSP that does not see the processor's caches (test_fastrpc_incoherent.dts). What a client
 * cannot write back itself, which is a memfd, must be mapped for each call, because then the kernel
 * does it.
 */
#include <string.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define CHANNEL "cdsp/bench"
#define SUM     3
#define BYTES   (256 * 1024)

static struct harness harness;

/* Have the DSP add up a buffer of ones; how many mappings stay there while it is open. */
static uint64_t mappings_of(enum dspbroker_memory kind)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CHANNEL);
	struct dspbroker_buffer *buffer;
	uint64_t sum = 0, maps;
	void *bytes;

	require_eq(dspbroker_buffer_alloc_from(broker, &buffer, BYTES, kind, NULL), 0);
	require_eq(dspbroker_buffer_map(buffer, &bytes), 0);
	for (uint8_t value = 1; value <= 3; value++) {
		const struct dspbroker_arg args[] = {
			{.buffer = buffer, .length = BYTES},
			{.data = &sum, .length = sizeof(sum)},
		};
		const struct dspbroker_call call = {
			.method = SUM, .n_in = 1, .n_out = 1, .args = args};

		require_eq(dspbroker_buffer_begin(buffer, 1), 0);
		memset(bytes, value, BYTES);
		require_eq(dspbroker_buffer_end(buffer, 1), 0);
		require_eq(dspbroker_invoke(session, &call, NULL), 0);
		require_eq(sum, (uint64_t)value * BYTES);
	}
	maps = cdsp_driver.mappings(&harness);
	dspbroker_free(broker);
	await_nothing_left();
	return maps;
}

START_TEST(a_memfd_is_mapped_for_each_call_and_a_dmabuf_to_stay)
{
	start_broker(&harness, CDSP_ALLOW_ALL);
	/* By a driver that keeps mappings the kernel sees to a memfd with each call that maps it.
	 */
	require_eq(mappings_of(DSPBROKER_MEMORY_MEMFD), cdsp_driver.keeps_mappings ? 0 : 1);
	require_eq(mappings_of(DSPBROKER_MEMORY_HEAP), 1);
	harness_stop(&harness);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("a DSP that does not see caches");

	add_fastrpc_case(suite, "incoherent", a_memfd_is_mapped_for_each_call_and_a_dmabuf_to_stay);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
