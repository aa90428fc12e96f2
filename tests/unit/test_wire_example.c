// SPDX-License-Identifier: MIT
/*
 * The worked example of protocol/README.md against the code: its blocks are read from the page, so
 * that it cannot go stale. A block is
 *
 *   ```hex NAME
 *   OFFSET: BYTE BYTE ...
 *   ```
 */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/ring.h"
#include "protocol/util.h"
#include "protocol/wire.h"
#include "tests/suite.h"

#define PAGE "protocol/README.md"

#define SESSION   0x10000u
#define USER_DATA 0x1122334455667788ull

struct block {
	unsigned char bytes[DSP_MESSAGE_MAX];
	size_t size;
};

/* The page beside the sources that this was built from. */
static FILE *open_page(void)
{
	char path[4096] = __FILE__;
	char *name = strstr(path, "tests/unit/");
	FILE *page;

	ck_assert_ptr_nonnull(name);
	ck_assert_uint_lt((size_t)(name - path) + sizeof(PAGE), sizeof(path));
	memcpy(name, PAGE, sizeof(PAGE));
	page = fopen(path, "re");
	ck_assert_msg(page != NULL, "cannot open %s", path);
	return page;
}

static void read_line(struct block *block, const char *line)
{
	char *rest;
	size_t offset = strtoul(line, &rest, 16);

	ck_assert_msg(*rest == ':', "no offset: %s", line);
	ck_assert_msg(offset >= block->size, "going back: %s", line);
	for (rest++; *rest == ' '; offset++) {
		ck_assert_uint_lt(offset, sizeof(block->bytes));
		ck_assert_msg(isxdigit((unsigned char)rest[1]) && isxdigit((unsigned char)rest[2]),
			"no byte: %s", line);
		block->bytes[offset] = (unsigned char)strtoul(rest, &rest, 16);
	}
	ck_assert_msg(*rest == '\n', "something else: %s", line);
	block->size = offset;
}

static struct block block(const char *name)
{
	struct block block = {.size = 0};
	char line[256], start[64];
	FILE *page = open_page();

	snprintf(start, sizeof(start), "```hex %s\n", name);
	while (fgets(line, sizeof(line), page) && strcmp(line, start) != 0)
		continue;
	ck_assert_msg(!feof(page), "no block %s", name);
	while (fgets(line, sizeof(line), page) && strcmp(line, "```\n") != 0)
		read_line(&block, line);
	fclose(page);
	return block;
}

static void assert_block_is(const char *name, const void *bytes, size_t size)
{
	struct block shown = block(name);

	ck_assert_uint_eq(shown.size, size);
	ck_assert_mem_eq(shown.bytes, bytes, size);
}

static void assert_request(const char *name, const void *built, size_t size)
{
	struct block shown = block(name);
	struct dsp_wire_fault fault;
	union dsp_request request;

	assert_block_is(name, built, size);
	ck_assert_int_eq(wire_decode_request(&request, shown.bytes, shown.size, 0, &fault), 0);
	ck_assert_mem_eq(&request, built, size);
}

static void assert_reply(const char *name, const void *built, size_t size)
{
	const struct dsp_header *header = built;

	ck_assert_uint_eq(wire_reply_size(header->opcode), size);
	assert_block_is(name, built, size);
}

START_TEST(hello_is_as_shown)
{
	const struct dsp_hello hello = {
		.header = {.opcode = DSP_HELLO, .serial = 1},
		.magic = DSP_WIRE_MAGIC,
		.version_min = 1,
		.version_max = DSP_WIRE_VERSION,
		.sq_slots = 16,
	};
	const struct dsp_hello_reply reply = {
		.header = {.opcode = DSP_HELLO | DSP_REPLY, .serial = 1},
		.version = DSP_WIRE_VERSION,
		.sq_slots = 16,
		.cq_entries = 32,
		.argument_bytes = 256 * 1024,
	};

	assert_request("hello", &hello, sizeof(hello));
	assert_reply("hello-reply", &reply, sizeof(reply));
	ck_assert_uint_eq(ring_size(reply.sq_slots, reply.cq_entries), 6144);
}
END_TEST

START_TEST(open_is_as_shown)
{
	const struct dsp_open open = {
		.header = {.opcode = DSP_OPEN, .serial = 2},
		.channel = "soft0/example",
	};
	const struct dsp_open_reply reply = {
		.header = {.opcode = DSP_OPEN | DSP_REPLY, .serial = 2},
		.session = SESSION,
		.kind = DSP_KIND_CALL,
		.calls_max = 16,
		.timeout_max_us = 2000000,
		.generation = 1,
		.rule = "audio-group",
	};

	assert_request("open", &open, sizeof(open));
	assert_reply("open-reply", &reply, sizeof(reply));
}
END_TEST

START_TEST(close_is_as_shown)
{
	const struct dsp_close close = {
		.header = {.opcode = DSP_CLOSE, .serial = 3},
		.session = SESSION,
	};
	const struct dsp_close_reply reply = {
		.header = {.opcode = DSP_CLOSE | DSP_REPLY, .serial = 3},
	};

	assert_request("close", &close, sizeof(close));
	assert_reply("close-reply", &reply, sizeof(reply));
}
END_TEST

START_TEST(an_error_is_as_shown)
{
	const struct dsp_error error = {
		.header = {.opcode = DSP_ERROR, .serial = 4},
		.status = DSP_NOT_FOUND,
		.text = "there is no channel soft0/nothing",
	};

	assert_reply("error", &error, sizeof(error));
}
END_TEST

static void invoke(struct dsp_ring *requester, int doorbell)
{
	const struct dsp_entry entry = {
		.op = DSP_OP_INVOKE,
		.n_in = 1,
		.n_out = 1,
		.session = SESSION,
		.user_data = USER_DATA,
		.method = 2,
		.timeout_us = 500000,
		.args = {{DSP_ARGUMENT_AREA, 0, 16}, {DSP_ARGUMENT_AREA, 64, 8}},
	};

	ck_assert_int_eq(ring_push(requester, &entry, NULL), 0);
	ck_assert(ring_submit(requester));
	ring_kick(doorbell);
}

static void serve(struct dsp_ring *servicer)
{
	const struct dsp_completion completion = {
		.user_data = USER_DATA,
		.status = DSP_OK,
		.busy_ns = 2193,
	};
	struct dsp_entry_fault fault;
	struct dsp_entry entry;

	ck_assert_int_eq(ring_fetch(servicer, &entry, &fault), 1);
	ck_assert_uint_eq(fault.field, 0);
	ck_assert_uint_eq(entry.user_data, USER_DATA);
	ck_assert(ring_servicer_sleep(servicer, DSP_ASLEEP));
	ring_complete(servicer, &completion);
	ck_assert(ring_publish(servicer));
}

START_TEST(a_call_leaves_the_bytes_in_the_ring_that_are_shown)
{
	const size_t words = offsetof(struct dsp_ring_shared, servicer_stalls) + 4;
	struct dsp_ring servicer = {}, requester = {};
	struct dsp_completion completion;
	struct block slot = block("slot");
	unsigned char rung[8];
	int ring_fd, ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(ring_create(&servicer, &ring_fd, 16, 32), 0);
	atomic_store(&servicer.shared->processors, 2); /* where it was recorded */
	ck_assert_int_eq(ring_map(&requester, ring_fd, 16, 32), 0);
	ck_assert(ring_servicer_sleep(&servicer, DSP_ASLEEP));
	assert_block_is("words-before", requester.shared, words);
	invoke(&requester, ends[1]);
	ck_assert_int_eq(read(ends[0], rung, sizeof(rung)), sizeof(rung));
	assert_block_is("doorbell", rung, sizeof(rung));
	ck_assert_uint_eq(slot.size, sizeof(struct dsp_slot));
	ck_assert_mem_eq((char *)requester.shared + 4096, slot.bytes, slot.size);
	ck_assert(ring_requester_sleep(&requester, DSP_ASLEEP));
	serve(&servicer);
	assert_block_is("completion", (char *)requester.shared + 5120, sizeof(completion));
	ck_assert_int_eq(ring_reap(&requester, &completion), 1);
	assert_block_is("words-after", requester.shared, words);
	ring_unmap(&requester);
	ring_unmap(&servicer);
	fd_close(ring_fd);
	fd_close(ends[0]);
	fd_close(ends[1]);
}
END_TEST

START_TEST(the_output_is_the_sum_of_the_input)
{
	struct block input = block("input"), output = block("output");
	int32_t values[4];
	int64_t sum = 0;

	ck_assert_uint_eq(input.size, sizeof(values));
	memcpy(values, input.bytes, sizeof(values));
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		sum += values[i];
	ck_assert_uint_eq(output.size, sizeof(sum));
	ck_assert_mem_eq(output.bytes, &sum, sizeof(sum));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("wire_example");
	TCase *tcase = tcase_create("wire_example");

	tcase_add_test(tcase, hello_is_as_shown);
	tcase_add_test(tcase, open_is_as_shown);
	tcase_add_test(tcase, close_is_as_shown);
	tcase_add_test(tcase, an_error_is_as_shown);
	tcase_add_test(tcase, a_call_leaves_the_bytes_in_the_ring_that_are_shown);
	tcase_add_test(tcase, the_output_is_the_sum_of_the_input);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
