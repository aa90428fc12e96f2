// SPDX-License-Identifier: MIT
/*
 * Buffers of every kind of memory, as the DSP sees them: by a kernel driver, dma-bufs and an IOMMU,
 * with the DSP's module "bench" (remote/dsp_bench.c) at the other end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/kernel/cdsp.h"
#include "tests/kernel/exporters.h"
#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define CHANNEL "cdsp/bench"
#define PAGE    4096u
#define MIB     (1024u * 1024u)

enum bench_method {
	BENCH_SUM = 3,
	BENCH_COPY = 4,
};

static struct harness harness;
static uint64_t faults;

static void set_up_dsp(void)
{
	cdsp_files();
	cdsp_up();
}

static uint64_t mapped(void)
{
	return cdsp_driver.mappings(&harness);
}

static void set_up(void)
{
	faults = cdsp_count("faults");
	harness_start(&harness,
		CDSP_POLICY("", "{\"name\": \"any-memory\", \"device_memory\": true}",
			ALLOW("everybody", EVERYBODY, "\"*/*\"",
				", \"domain\": \"any-memory\", \"limits\": {\"timeout_ms\": "
				"60000}")));
}

static void tear_down(void)
{
	harness_stop(&harness);
	await_nothing_left();
	require_eq(cdsp_count("faults"), faults);
}

/* Kinds of memory. */

struct memory {
	struct dspbroker_buffer *buffer;
	uint8_t *data;
	uint32_t size;
};

static struct dspbroker_buffer *bring(struct dspbroker *broker, int fd)
{
	_cleanup_(fd_closep) int own = fd;
	struct dspbroker_buffer *buffer;

	require_eq(dspbroker_buffer_import(broker, &buffer, own, 0), 0);
	return buffer;
}

static struct dspbroker_buffer *new_memfd(struct dspbroker_session *session, uint32_t size)
{
	(void)session;
	return alloc_buffer(dspbroker_session_user(session), size);
}

static struct dspbroker_buffer *new_heap(struct dspbroker_session *session, uint32_t size)
{
	struct dspbroker_buffer *buffer;

	require_eq(dspbroker_buffer_alloc_from(dspbroker_session_user(session), &buffer, size,
			   DSPBROKER_MEMORY_HEAP, NULL),
		0);
	return buffer;
}

static struct dspbroker_buffer *new_device(struct dspbroker_session *session, uint32_t size)
{
	struct dspbroker_buffer *buffer;

	require_eq(dspbroker_buffer_alloc_from(dspbroker_session_user(session), &buffer, size,
			   DSPBROKER_MEMORY_DEVICE, session),
		0);
	return buffer;
}

static struct dspbroker_buffer *bring_memfd(struct dspbroker_session *session, uint32_t size)
{
	return bring(dspbroker_session_user(session), export_memfd(size));
}

static struct dspbroker_buffer *bring_heap(struct dspbroker_session *session, uint32_t size)
{
	return bring(dspbroker_session_user(session), export_heap(size));
}

static struct dspbroker_buffer *bring_udmabuf(struct dspbroker_session *session, uint32_t size)
{
	return bring(dspbroker_session_user(session), export_udmabuf(size));
}

static struct dspbroker_buffer *bring_vgem(struct dspbroker_session *session, uint32_t size)
{
	return bring(dspbroker_session_user(session), export_vgem(size));
}

static const struct kind {
	const char *name;
	struct dspbroker_buffer *(*make)(struct dspbroker_session *session, uint32_t size);
} kinds[] = {
	{"memfd", new_memfd},
	{"heap", new_heap},
	{"a client's memfd", bring_memfd},
	{"a client's heap", bring_heap},
	{"a client's udmabuf", bring_udmabuf},
	{"a client's vgem", bring_vgem},
	{"device", new_device},
};

/* Not every driver has the last of them. */
static uint32_t n_kinds(void)
{
	return ARRAY_SIZE(kinds) - !cdsp_driver.has_memory;
}

static struct memory make(struct dspbroker_session *session, const struct kind *kind, uint32_t size)
{
	struct memory memory = {.buffer = kind->make(session, size), .size = size};

	require_eq(dspbroker_buffer_size(memory.buffer), size);
	require_eq(dspbroker_buffer_map(memory.buffer, (void **)&memory.data), 0);
	return memory;
}

/* Using it. */

static struct dspbroker_session *open_bench(struct dspbroker *broker)
{
	struct dspbroker_session *session = open_channel(broker, CHANNEL);

	dspbroker_session_set_user(session, broker);
	return session;
}

static void fill(const struct memory *memory, uint32_t seed)
{
	uint32_t *words = (uint32_t *)memory->data, x = seed * 2 + 1;

	require_eq(dspbroker_buffer_begin(memory->buffer, 1), 0);
	for (size_t i = 0; i < memory->size / sizeof(x); i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		words[i] = x;
	}
	require_eq(dspbroker_buffer_end(memory->buffer, 1), 0);
}

static int invoke(struct dspbroker_session *session, uint32_t method, struct dspbroker_arg in,
	struct dspbroker_arg out)
{
	const struct dspbroker_arg args[] = {in, out};
	const struct dspbroker_call call = {.method = method, .n_in = 1, .n_out = 1, .args = args};

	return dspbroker_invoke(session, &call, NULL);
}

static struct dspbroker_arg range(const struct memory *memory, uint32_t offset, uint32_t length)
{
	return (struct dspbroker_arg){.buffer = memory->buffer, .offset = offset, .length = length};
}

static uint64_t sum_here(const uint8_t *bytes, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += bytes[i];
	return sum;
}

/* The DSP must read what is there. */
static void sum(struct dspbroker_session *session, const struct memory *memory, uint32_t offset,
	uint32_t length)
{
	uint64_t there = 0;
	int r = invoke(session, BENCH_SUM, range(memory, offset, length),
		(struct dspbroker_arg){.data = &there, .length = sizeof(there)});

	if (r != 0)
		harness_fail(__FILE__, __LINE__, "%u bytes at %u of %u: %d (%s)", length, offset,
			memory->size, r, dspbroker_message());
	require_eq(dspbroker_buffer_begin(memory->buffer, 0), 0);
	require_eq(there, sum_here(memory->data + offset, length));
	require_eq(dspbroker_buffer_end(memory->buffer, 0), 0);
}

/* And write what it should where it should, and nothing beside. */
static void copy(struct dspbroker_session *session, const struct memory *from, uint32_t offset,
	const struct memory *to, uint32_t to_offset, uint32_t length)
{
	uint8_t before = to_offset ? to->data[to_offset - 1] : 0;
	uint8_t behind = to_offset + length < to->size ? to->data[to_offset + length] : 0;
	int r = invoke(session, BENCH_COPY, range(from, offset, length),
		range(to, to_offset, length));

	if (r != 0)
		harness_fail(__FILE__, __LINE__, "%u bytes from %u to %u of %u: %d (%s)", length,
			offset, to_offset, to->size, r, dspbroker_message());
	require_eq(dspbroker_buffer_begin(to->buffer, 0), 0);
	require_eq(memcmp(from->data + offset, to->data + to_offset, length), 0);
	require(to_offset == 0 || to->data[to_offset - 1] == before);
	require(to_offset + length == to->size || to->data[to_offset + length] == behind);
	require_eq(dspbroker_buffer_end(to->buffer, 0), 0);
}

/* All of it, and ranges that begin and end where they like. */
static void use(struct dspbroker_session *session, const struct memory *memory, uint32_t seed)
{
	uint32_t half = memory->size / 2;

	fill(memory, seed);
	sum(session, memory, 0, memory->size);
	sum(session, memory, 1, memory->size - 1);
	sum(session, memory, half - 1, 3);
	sum(session, memory, memory->size - 1, 1);
	if (memory->size > 2 * PAGE) {
		sum(session, memory, 1, PAGE + 1);
		sum(session, memory, PAGE - 1, PAGE + 2);
		sum(session, memory, memory->size - PAGE - 7, PAGE + 7);
	}
	copy(session, memory, 0, memory, half, half);
	fill(memory, seed + 1);
	copy(session, memory, half + 3, memory, 1, half - 4);
	copy(session, memory, 7, memory, half + 1, half / 2 + 1);
}

static void use_every_kind(uint32_t size)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker);

	for (uint32_t i = 0; i < n_kinds(); i++) {
		struct memory memory = make(session, &kinds[i], size);

		require(memory.data[0] == 0 && memcmp(memory.data, memory.data + 1, size - 1) == 0);
		use(session, &memory, size + i);
		dspbroker_buffer_free(memory.buffer);
	}
	dspbroker_free(broker);
}

static const uint32_t sizes[] = {PAGE, MIB, 3 * MIB, 16 * MIB, 64 * MIB};

START_TEST(a_buffer_of_any_size_and_kind_is_the_same_for_both_sides)
{
	use_every_kind(sizes[_i]);
}
END_TEST

START_TEST(buffers_of_every_kind_meet_in_one_call)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker);
	struct memory memories[ARRAY_SIZE(kinds)];

	for (uint32_t i = 0; i < n_kinds(); i++) {
		memories[i] = make(session, &kinds[i], 64 * 1024 + PAGE * i);
		fill(&memories[i], i);
	}
	for (uint32_t i = 0; i < n_kinds(); i++)
		for (uint32_t j = 0; j < n_kinds(); j++)
			if (i != j)
				copy(session, &memories[i], i, &memories[j], 2 * j + 1, 60001 + i);
	dspbroker_free(broker);
}
END_TEST

/* 32 arguments of one call: ranges of one buffer and of others, and inline ones. */
START_TEST(a_call_may_have_many_ranges_of_many_buffers)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker);
	struct memory memories[ARRAY_SIZE(kinds)];
	struct dspbroker_arg args[DSPBROKER_ARGS_MAX];
	struct dspbroker_call call = {
		.method = BENCH_SUM, .n_in = DSPBROKER_ARGS_MAX - 1, .n_out = 1, .args = args};
	uint64_t there = 0, here = 0;
	uint8_t bytes[] = {1, 2, 3, 250};

	for (uint32_t i = 0; i < n_kinds(); i++) {
		memories[i] = make(session, &kinds[i], 4 * PAGE);
		fill(&memories[i], i);
	}
	for (uint32_t i = 0; i < call.n_in; i++) {
		const struct memory *memory = &memories[i % n_kinds()];

		args[i] = range(memory, i * 301, i * 97);
		if (i % 5 == 4)
			args[i] = (struct dspbroker_arg){.data = bytes, .length = sizeof(bytes)};
		here += i % 5 == 4 ? 256 : sum_here(memory->data + i * 301, i * 97);
	}
	args[call.n_in] = (struct dspbroker_arg){.data = &there, .length = sizeof(there)};
	require_eq(dspbroker_invoke(session, &call, NULL), 0);
	require_eq(there, here);
	dspbroker_free(broker);
}
END_TEST

START_TEST(a_range_that_is_not_in_its_buffer_is_refused)
{
	static const struct {
		uint32_t offset, length;
	} wrong[] = {{0, PAGE + 1}, {PAGE, 1}, {PAGE + 1, 0}, {1, PAGE}, {UINT32_MAX, 1},
		{UINT32_MAX - 7, 16}, {1, UINT32_MAX}};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker);
	uint64_t there = 0;

	for (uint32_t i = 0; i < n_kinds(); i++) {
		struct memory memory = make(session, &kinds[i], PAGE);

		for (size_t j = 0; j < ARRAY_SIZE(wrong); j++)
			require_eq(invoke(session, BENCH_SUM,
					   range(&memory, wrong[j].offset, wrong[j].length),
					   (struct dspbroker_arg){
						   .data = &there, .length = sizeof(there)}),
				DSPBROKER_INVALID);
		sum(session, &memory, 0, PAGE);
	}
	dspbroker_free(broker);
}
END_TEST

/* Memory of a client need not be lent whole. */
START_TEST(the_first_bytes_of_a_clients_memory_can_be_lent)
{
	static const struct {
		int (*make)(size_t size);
		uint32_t size, lent;
	} cases[] = {{export_memfd, 3 * PAGE, 5000}, {export_memfd, 3 * PAGE, 1},
		{export_heap, 3 * PAGE, 5000}, {export_udmabuf, 3 * PAGE, 5000},
		{export_vgem, 3 * PAGE, 5000}};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker);

	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct memory memory = {.size = cases[i].lent};
		int fd = cases[i].make(cases[i].size);

		require_eq(dspbroker_buffer_import(broker, &memory.buffer, fd, memory.size), 0);
		require_eq(dspbroker_buffer_map(memory.buffer, (void **)&memory.data), 0);
		fill(&memory, i);
		sum(session, &memory, 0, memory.size);
		sum(session, &memory, memory.size - 1, 1);
		copy(session, &memory, 0, &memory, memory.size / 2, memory.size / 2);
		require_eq(invoke(session, BENCH_SUM, range(&memory, memory.size, 1),
				   range(&memory, 0, 1)),
			DSPBROKER_INVALID);
		dspbroker_buffer_free(memory.buffer);
		fd_close(fd);
	}
	dspbroker_free(broker);
}
END_TEST

/* Coming and going. */

START_TEST(a_freed_buffer_leaves_nothing_in_the_broker_nor_on_the_dsp)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker);
	size_t fds = 0;

	require_eq(mapped(), 0);
	for (int round = 0; round < 20; round++) {
		struct memory memories[ARRAY_SIZE(kinds)];

		for (uint32_t i = 0; i < n_kinds(); i++) {
			memories[i] = make(session, &kinds[i], 64 * 1024);
			fill(&memories[i], i);
			sum(session, &memories[i], 1, 4097);
		}
		require_eq(mapped(), n_kinds());
		for (uint32_t i = 0; i < n_kinds(); i++)
			dspbroker_buffer_free(memories[i].buffer);
		require_soon(mapped() == 0);
		if (round == 0)
			fds = idle_fds(&harness, broker);
	}
	require_soon(harness_fds(&harness) <= fds);
	dspbroker_free(broker);
}
END_TEST

START_TEST(a_buffer_serves_several_domains_at_once)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *sessions[3];

	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		sessions[i] = open_bench(broker);
	require_eq(cdsp_count("domains"), ARRAY_SIZE(sessions));
	for (uint32_t i = 0; i < n_kinds(); i++) {
		struct memory memory = make(sessions[0], &kinds[i], MIB);

		for (size_t j = 0; j < ARRAY_SIZE(sessions); j++)
			use(sessions[j], &memory, i);
		require_eq(mapped(), ARRAY_SIZE(sessions));
		dspbroker_buffer_free(memory.buffer);
		require_soon(mapped() == 0);
	}
	dspbroker_free(broker);
}
END_TEST

START_TEST(a_buffer_outlives_the_domains_that_used_it)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker), *next;
	struct memory memories[ARRAY_SIZE(kinds)];

	for (uint32_t i = 0; i < n_kinds(); i++)
		memories[i] = make(session, &kinds[i], MIB);
	for (int round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < n_kinds(); i++)
			use(session, &memories[i], i);
		next = open_bench(broker);
		dspbroker_session_close(session);
		require_soon(mapped() == 0);
		session = next;
	}
	dspbroker_free(broker);
}
END_TEST

START_TEST(a_connection_that_ends_takes_its_buffers_along)
{
	size_t fds = harness_fds(&harness);

	for (int round = 0; round < 5; round++) {
		struct dspbroker *broker = connect_to(&harness);
		struct dspbroker_session *session = open_bench(broker);

		for (uint32_t i = 0; i < n_kinds(); i++) {
			struct memory memory = make(session, &kinds[i], 64 * 1024);

			sum(session, &memory, 0, memory.size);
		}
		dspbroker_free(broker);
		require_soon(cdsp_count("domains") == 0);
		if (round == 0)
			require_soon((fds = harness_fds(&harness)) > 0);
	}
	require_soon(harness_fds(&harness) <= fds);
}
END_TEST

/* 512 of a client's buffers are known to a domain at a time. */
START_TEST(more_buffers_than_a_domain_may_have_are_refused_until_some_are_freed)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker);
	struct memory memories[600];
	uint32_t n = 0;
	uint64_t there;
	struct dspbroker_arg out = {.data = &there, .length = sizeof(there)};
	int r = 0;

	for (; n < ARRAY_SIZE(memories) && r == 0; n++) {
		memories[n] = (struct memory){.buffer = new_heap(session, PAGE), .size = PAGE};
		r = invoke(session, BENCH_SUM, range(&memories[n], 0, PAGE), out);
	}
	require_eq(r, DSPBROKER_NO_RESOURCES);
	require_eq(n, 513);
	require_eq(mapped(), 512);
	dspbroker_buffer_free(memories[0].buffer);
	require_soon(mapped() == 511);
	require_eq(invoke(session, BENCH_SUM, range(&memories[512], 0, PAGE), out), 0);
	require_eq(invoke(session, BENCH_SUM, range(&memories[1], 0, PAGE), out), 0);
	for (uint32_t i = 1; i < n; i++)
		dspbroker_buffer_free(memories[i].buffer);
	require_soon(mapped() == 0);
	dspbroker_free(broker);
}
END_TEST

/* What the DSP still uses is kept until it has answered: it meets no fault there. */
START_TEST(memory_that_a_call_uses_stays_until_the_dsp_has_answered)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker);

	for (uint32_t i = 0; i < n_kinds(); i++) {
		struct memory from = make(session, &kinds[i], MIB),
			      to = make(session, &kinds[i], MIB);
		const struct dspbroker_arg args[] = {range(&from, 1, MIB - 1), range(&to, 0, MIB)};
		const struct dspbroker_call call = {
			.method = BENCH_COPY, .n_in = 1, .n_out = 1, .args = args};
		int kept = fcntl(dspbroker_buffer_fd(to.buffer), F_DUPFD_CLOEXEC, 3);
		uint8_t *data = mmap(NULL, MIB, PROT_READ, MAP_SHARED, kept, 0);
		struct dspbroker_completion completion;

		require(data != MAP_FAILED);
		fill(&from, i);
		cdsp_fault("slow", 20000);
		require_eq(dspbroker_submit(session, &call), 0);
		dspbroker_buffer_free(from.buffer);
		dspbroker_buffer_free(to.buffer);
		completion = reap_one(broker);
		require_eq(completion.status, 0);
		cdsp_fault("slow", 0);
		require(data[0] != 0 || memcmp(data, data + 1, MIB - 2) != 0);
		require_soon(mapped() == 0);
		munmap(data, MIB);
		close(kept);
	}
	dspbroker_free(broker);
}
END_TEST

/* The kernel maps them for each call, then. */
START_TEST(a_dsp_that_keeps_no_mapping_gets_its_calls_right)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	cdsp_fault("refuse-mem-map", 1);
	session = open_bench(broker);
	for (uint32_t i = 0; i < n_kinds(); i++) {
		struct memory memory = make(session, &kinds[i], 3 * MIB);

		use(session, &memory, i);
		require_eq(mapped(), 0);
		dspbroker_buffer_free(memory.buffer);
	}
	cdsp_fault("refuse-mem-map", 0);
	dspbroker_free(broker);
}
END_TEST

START_TEST(memory_of_a_driver_that_has_none_is_refused)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_bench(broker);
	struct dspbroker_buffer *buffer;

	require_eq(dspbroker_buffer_alloc_from(broker, &buffer, PAGE, DSPBROKER_MEMORY_DEVICE,
			   session),
		DSPBROKER_UNSUPPORTED);
	dspbroker_free(broker);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fastrpc_buffers");
	TCase *tcase = tcase_create("buffers");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, set_up_dsp, NULL);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, a_buffer_of_any_size_and_kind_is_the_same_for_both_sides, 0,
		ARRAY_SIZE(sizes));
	tcase_add_test(tcase, buffers_of_every_kind_meet_in_one_call);
	tcase_add_test(tcase, a_call_may_have_many_ranges_of_many_buffers);
	tcase_add_test(tcase, a_range_that_is_not_in_its_buffer_is_refused);
	tcase_add_test(tcase, the_first_bytes_of_a_clients_memory_can_be_lent);
	tcase_add_test(tcase, a_freed_buffer_leaves_nothing_in_the_broker_nor_on_the_dsp);
	tcase_add_test(tcase, a_buffer_serves_several_domains_at_once);
	tcase_add_test(tcase, a_buffer_outlives_the_domains_that_used_it);
	tcase_add_test(tcase, a_connection_that_ends_takes_its_buffers_along);
	tcase_add_test(tcase, more_buffers_than_a_domain_may_have_are_refused_until_some_are_freed);
	tcase_add_test(tcase, memory_that_a_call_uses_stays_until_the_dsp_has_answered);
	if (cdsp_driver.keeps_mappings)
		tcase_add_test(tcase, a_dsp_that_keeps_no_mapping_gets_its_calls_right);
	if (!cdsp_driver.has_memory)
		tcase_add_test(tcase, memory_of_a_driver_that_has_none_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
