// SPDX-License-Identifier: MIT
#include "protocol/wire.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/util.h"
#include "tests/suite.h"

#define PACKET_MAX 600

/* The protocol as README.md has it, written down a second time on purpose. */
static const struct request {
	uint16_t opcode, size, fds, reply_size, reply_fds;
	uint16_t zero[2];             /* offsets of 32-bit words that must be zero; 0: none */
	uint16_t string, string_size; /* a string; 0: none */
	uint16_t memory, session;     /* offsets of these words; 0: none */
} requests[] = {
	{DSP_HELLO, 32, 0, 32, 4, {28}, 0, 0, 0, 0},
	{DSP_OPEN, 144, 0, 96, 0, {136, 140}, 8, 128, 0, 0},
	{DSP_CLOSE, 16, 0, 8, 0, {12}, 0, 0, 0, 0},
	{DSP_ALLOC, 24, 0, 24, 1, {0}, 0, 0, 16, 20},
	{DSP_IMPORT, 24, 1, 24, 0, {16, 20}, 0, 0, 0, 0},
	{DSP_FREE, 16, 0, 8, 0, {12}, 0, 0, 0, 0},
	{DSP_QUERY_DEVICE, 16, 0, 464, 0, {0}, 0, 0, 0, 0},
	{DSP_QUERY_CHANNEL, 16, 0, 216, 0, {0}, 0, 0, 0, 0},
	{DSP_QUERY_SESSION, 16, 0, 280, 0, {0}, 0, 0, 0, 0},
	{DSP_OPEN_MODULE, 144, 1, 96, 0, {136, 140}, 8, 128, 0, 0},
	{DSP_RELOAD, 8, 0, 16, 0, {0}, 0, 0, 0, 0},
	{DSP_KICK, 16, 0, 8, 0, {0}, 0, 0, 0, 0},
	{DSP_POWER, 48, 0, 8, 0, {44}, 8, 32, 0, 0},
	{DSP_QUERY_BROKER, 8, 0, 104, 0, {0}, 0, 0, 0, 0},
};

/* A packet that nothing is wrong with: every byte that may have a value has one. */
static void fill(const struct request *request, unsigned char *packet)
{
	memset(packet, 0x5a, PACKET_MAX);
	memcpy(packet, &request->opcode, sizeof(request->opcode));
	memset(packet + 2, 0, 2);
	for (size_t i = 0; i < ARRAY_SIZE(request->zero); i++)
		if (request->zero[i])
			memset(packet + request->zero[i], 0, 4);
	if (request->string)
		memset(packet + request->string + 20, 0, request->string_size - 20);
	if (request->memory)
		memcpy(packet + request->memory, (uint32_t[]){DSP_MEMORY_DEVICE}, 4);
}

static int decode(const unsigned char *packet, size_t size, size_t n_fds,
	struct dsp_wire_fault *fault)
{
	/* A block of exactly this size, so that the sanitizer sees a read behind it. */
	_cleanup_(freep) unsigned char *exact = malloc(size ? size : 1);
	union dsp_request out;
	int r;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, packet, size);
	memset(fault, 0xff, sizeof(*fault));
	memset(&out, 0xff, sizeof(out));
	r = wire_decode_request(&out, exact, size, n_fds, fault);
	if (size >= sizeof(struct dsp_header))
		ck_assert_mem_eq(&out.header, packet, sizeof(out.header));
	if (r == 0) {
		ck_assert_mem_eq(&out, packet, size);
		return 0;
	}
	ck_assert_int_eq(r, -EPROTO);
	ck_assert(fault->status == DSP_INVALID || fault->status == DSP_UNSUPPORTED);
	ck_assert_ptr_nonnull(fault->text);
	ck_assert_uint_le(fault->field, size);
	return r;
}

START_TEST(a_right_request_is_copied_whole)
{
	unsigned char packet[PACKET_MAX];
	struct dsp_wire_fault fault;

	fill(&requests[_i], packet);
	ck_assert_int_eq(decode(packet, requests[_i].size, requests[_i].fds, &fault), 0);
}
END_TEST

START_TEST(every_other_size_is_refused)
{
	unsigned char packet[PACKET_MAX];
	struct dsp_wire_fault fault;

	fill(&requests[_i], packet);
	for (size_t size = 0; size < PACKET_MAX; size++) {
		if (size == requests[_i].size)
			continue;
		ck_assert_int_eq(decode(packet, size, requests[_i].fds, &fault), -EPROTO);
		ck_assert_int_eq(fault.status, DSP_INVALID);
		ck_assert_uint_eq(fault.field, MIN(size, requests[_i].size));
	}
}
END_TEST

START_TEST(every_other_descriptor_count_is_refused)
{
	unsigned char packet[PACKET_MAX];
	struct dsp_wire_fault fault;

	fill(&requests[_i], packet);
	for (size_t n_fds = 0; n_fds <= 2 * DSP_FDS_MAX; n_fds++) {
		if (n_fds == requests[_i].fds)
			continue;
		ck_assert_int_eq(decode(packet, requests[_i].size, n_fds, &fault), -EPROTO);
		ck_assert_int_eq(fault.status, DSP_INVALID);
		ck_assert_uint_eq(fault.field, requests[_i].size);
	}
}
END_TEST

START_TEST(every_reserved_byte_must_be_zero)
{
	const struct request *request = &requests[_i];
	unsigned char packet[PACKET_MAX];
	struct dsp_wire_fault fault;

	fill(request, packet);
	for (size_t byte = 0; byte < request->size; byte++) {
		unsigned char good = packet[byte];
		size_t field = 0;

		if (byte == 2 || byte == 3)
			field = 2;
		for (size_t i = 0; i < ARRAY_SIZE(request->zero); i++)
			if (request->zero[i] && byte - request->zero[i] < 4)
				field = request->zero[i];
		if (!field)
			continue;
		for (unsigned int bit = 0; bit < 8; bit++) {
			packet[byte] = (unsigned char)(1u << bit);
			ck_assert_int_eq(decode(packet, request->size, request->fds, &fault),
				-EPROTO);
			ck_assert_int_eq(fault.status, DSP_INVALID);
			ck_assert_uint_eq(fault.field, field);
		}
		packet[byte] = good;
	}
	ck_assert_int_eq(decode(packet, request->size, request->fds, &fault), 0);
}
END_TEST

START_TEST(a_string_must_end_and_be_padded_with_zeros)
{
	unsigned char packet[PACKET_MAX];
	static const uint16_t opcodes[] = {DSP_OPEN, DSP_OPEN_MODULE, DSP_POWER};
	const struct request *open = &requests[opcodes[_i] - DSP_HELLO];
	struct dsp_wire_fault fault;

	fill(open, packet);
	for (size_t i = 21; i < open->string_size; i++) {
		packet[open->string + i] = 'x';
		ck_assert_int_eq(decode(packet, open->size, open->fds, &fault), -EPROTO);
		ck_assert_int_eq(fault.status, DSP_INVALID);
		ck_assert_uint_eq(fault.field, open->string);
		packet[open->string + i] = 0;
	}
	memset(packet + open->string, 'x', open->string_size);
	ck_assert_int_eq(decode(packet, open->size, open->fds, &fault), -EPROTO);
	packet[open->string + open->string_size - 1] = 0;
	ck_assert_int_eq(decode(packet, open->size, open->fds, &fault), 0);
	memset(packet + open->string, 0, open->string_size);
	ck_assert_int_eq(decode(packet, open->size, open->fds, &fault), 0);
}
END_TEST

static int decode_alloc(uint32_t memory, uint32_t session, struct dsp_wire_fault *fault)
{
	unsigned char packet[PACKET_MAX];
	const struct request *alloc = &requests[3];

	fill(alloc, packet);
	memcpy(packet + alloc->memory, &memory, sizeof(memory));
	memcpy(packet + alloc->session, &session, sizeof(session));
	return decode(packet, alloc->size, 0, fault);
}

START_TEST(there_are_three_kinds_of_memory_and_any_other_is_refused)
{
	struct dsp_wire_fault fault;

	for (uint32_t memory = 0; memory <= 2; memory++)
		ck_assert_int_eq(decode_alloc(memory, 0, &fault), 0);
	for (unsigned int bit = 0; bit < 32; bit++) {
		ck_assert_int_eq(decode_alloc(3 | 1u << bit, 0, &fault), -EPROTO);
		ck_assert_int_eq(fault.status, DSP_INVALID);
		ck_assert_uint_eq(fault.field, 16);
	}
}
END_TEST

START_TEST(a_session_is_named_for_a_devices_memory_and_for_no_other)
{
	struct dsp_wire_fault fault;

	for (unsigned int bit = 0; bit < 32; bit++) {
		ck_assert_int_eq(decode_alloc(2, 1u << bit, &fault), 0);
		for (uint32_t memory = 0; memory < 2; memory++) {
			ck_assert_int_eq(decode_alloc(memory, 1u << bit, &fault), -EPROTO);
			ck_assert_int_eq(fault.status, DSP_INVALID);
			ck_assert_uint_eq(fault.field, 20);
		}
	}
}
END_TEST

START_TEST(every_unknown_opcode_is_unsupported)
{
	unsigned char packet[PACKET_MAX] = {0};
	struct dsp_wire_fault fault;

	for (uint32_t opcode = 0; opcode <= UINT16_MAX; opcode++) {
		uint16_t value = (uint16_t)opcode;

		if (opcode >= DSP_HELLO && opcode <= DSP_QUERY_BROKER)
			continue;
		memcpy(packet, &value, sizeof(value));
		ck_assert_int_eq(decode(packet, 16, 0, &fault), -EPROTO);
		ck_assert_int_eq(fault.status, DSP_UNSUPPORTED);
		ck_assert_uint_eq(fault.field, 0);
	}
}
END_TEST

START_TEST(replies_and_events_have_the_sizes_of_the_specification)
{
	size_t known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		uint16_t reply = requests[i].opcode | DSP_REPLY;

		ck_assert_uint_eq(wire_reply_size(reply), requests[i].reply_size);
		ck_assert_uint_eq(wire_reply_fds(reply), requests[i].reply_fds);
	}
	ck_assert_uint_eq(wire_reply_size(DSP_ERROR), 344);
	ck_assert_uint_eq(wire_reply_size(DSP_EVENT_SESSION), 272);
	ck_assert_uint_eq(wire_reply_size(DSP_EVENT_DEVICE), 56);
	ck_assert_uint_eq(wire_reply_size(DSP_EVENT_SHUTDOWN), 16);
	ck_assert_uint_eq(wire_reply_size(DSP_EVENT_CHANNEL), 144);
	ck_assert_uint_eq(wire_reply_size(DSP_EVENT_LOST), 8);
	for (uint32_t opcode = 0; opcode <= UINT16_MAX; opcode++) {
		ck_assert_uint_le(wire_reply_size((uint16_t)opcode), DSP_MESSAGE_MAX);
		ck_assert_uint_le(wire_reply_fds((uint16_t)opcode), DSP_FDS_MAX);
		known += wire_reply_size((uint16_t)opcode) > 0;
	}
	ck_assert_uint_eq(known, ARRAY_SIZE(requests) + 6);
}
END_TEST

START_TEST(every_status_and_opcode_has_a_name_of_its_own)
{
	static const uint16_t others[] = {DSP_ERROR, DSP_EVENT_SESSION, DSP_EVENT_DEVICE,
		DSP_EVENT_SHUTDOWN, DSP_EVENT_CHANNEL, DSP_EVENT_LOST};
	const char *unknown = wire_opcode_name(0);

	for (uint32_t a = 0; a < DSP_STATUS_COUNT; a++)
		for (uint32_t b = 0; b <= DSP_STATUS_COUNT; b++)
			ck_assert_int_eq(a == b,
				strcmp(wire_status_name(a), wire_status_name(b)) == 0);
	ck_assert_str_eq(wire_status_name(DSP_STATUS_COUNT), wire_status_name(UINT32_MAX));

	for (unsigned int a = DSP_HELLO; a < DSP_OPCODE_COUNT; a++) {
		ck_assert_str_ne(wire_opcode_name(a), unknown);
		ck_assert_str_eq(wire_opcode_name(a), wire_opcode_name(a | DSP_REPLY));
		for (unsigned int b = DSP_HELLO; b < a; b++)
			ck_assert_str_ne(wire_opcode_name(a), wire_opcode_name(b));
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		ck_assert_str_ne(wire_opcode_name(others[i]), unknown);
	ck_assert_str_eq(wire_opcode_name(DSP_EVENT), unknown);
	ck_assert_str_eq(wire_opcode_name(DSP_EVENT | 6), unknown);
	ck_assert_str_eq(wire_opcode_name(DSP_EVENT | DSP_REPLY | 1), unknown);
	ck_assert_str_eq(wire_opcode_name(UINT16_MAX), unknown);
}
END_TEST

START_TEST(every_limit_has_a_name_of_its_own)
{
	for (uint32_t a = 0; a < DSP_LIMIT_COUNT; a++)
		for (uint32_t b = 0; b < DSP_LIMIT_COUNT; b++)
			ck_assert_int_eq(a == b,
				strcmp(wire_limit_name(a), wire_limit_name(b)) == 0);
	ck_assert_str_eq(wire_limit_name(DSP_LIMIT_COUNT), wire_limit_name(DSP_LIMIT_NONE));
	ck_assert_str_eq(wire_limit_name(UINT32_MAX), wire_limit_name(DSP_LIMIT_NONE));
}
END_TEST

START_TEST(a_state_of_the_kernel_has_its_name_and_any_other_is_unknown)
{
	static const char *const names[] = {
		"offline", "suspended", "running", "crashed", "attached", "detached"};

	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		ck_assert_str_eq(wire_state_name(DSP_STATE_OFFLINE + i), names[i]);
		ck_assert_uint_eq(wire_state_from_name(names[i]), DSP_STATE_OFFLINE + i);
	}
	ck_assert_uint_eq(wire_state_from_name("invalid"), DSP_STATE_UNKNOWN);
	ck_assert_uint_eq(wire_state_from_name(""), DSP_STATE_UNKNOWN);
	ck_assert_uint_eq(wire_state_from_name(wire_state_name(DSP_STATE_NONE)), DSP_STATE_UNKNOWN);
	ck_assert_str_eq(wire_state_name(DSP_STATE_COUNT), wire_state_name(DSP_STATE_UNKNOWN));
	ck_assert_str_eq(wire_state_name(UINT32_MAX), wire_state_name(DSP_STATE_UNKNOWN));
}
END_TEST

START_TEST(every_isolation_has_a_name_of_its_own)
{
	for (uint32_t a = 0; a <= DSP_ISOLATION_COUNT; a++)
		for (uint32_t b = 0; b < a; b++)
			ck_assert_str_ne(wire_isolation_name(a), wire_isolation_name(b));
	ck_assert_str_eq(wire_isolation_name(UINT32_MAX), wire_isolation_name(DSP_ISOLATION_COUNT));
}
END_TEST

START_TEST(a_string_that_was_set_is_valid_and_cut_to_its_field)
{
	char field[8];

	memset(field, 'x', sizeof(field));
	wire_string_set(field, sizeof(field), "abc");
	ck_assert_mem_eq(field, "abc\0\0\0\0", 8);
	ck_assert(wire_string_valid(field, sizeof(field)));
	wire_string_set(field, sizeof(field), "abcdefgh");
	ck_assert_mem_eq(field, "abcdefg", 8);
	ck_assert(wire_string_valid(field, sizeof(field)));
	wire_string_set(field, sizeof(field), "");
	ck_assert_mem_eq(field, "\0\0\0\0\0\0\0", 8);
	ck_assert(wire_string_valid(field, sizeof(field)));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("wire");
	TCase *tcase = tcase_create("wire");

	tcase_add_loop_test(tcase, a_right_request_is_copied_whole, 0, ARRAY_SIZE(requests));
	tcase_add_loop_test(tcase, every_other_size_is_refused, 0, ARRAY_SIZE(requests));
	tcase_add_loop_test(tcase, every_other_descriptor_count_is_refused, 0,
		ARRAY_SIZE(requests));
	tcase_add_loop_test(tcase, every_reserved_byte_must_be_zero, 0, ARRAY_SIZE(requests));
	tcase_add_loop_test(tcase, a_string_must_end_and_be_padded_with_zeros, 0, 3);
	tcase_add_test(tcase, there_are_three_kinds_of_memory_and_any_other_is_refused);
	tcase_add_test(tcase, a_session_is_named_for_a_devices_memory_and_for_no_other);
	tcase_add_test(tcase, every_unknown_opcode_is_unsupported);
	tcase_add_test(tcase, replies_and_events_have_the_sizes_of_the_specification);
	tcase_add_test(tcase, every_status_and_opcode_has_a_name_of_its_own);
	tcase_add_test(tcase, a_state_of_the_kernel_has_its_name_and_any_other_is_unknown);
	tcase_add_test(tcase, every_isolation_has_a_name_of_its_own);
	tcase_add_test(tcase, every_limit_has_a_name_of_its_own);
	tcase_add_test(tcase, a_string_that_was_set_is_valid_and_cut_to_its_field);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
