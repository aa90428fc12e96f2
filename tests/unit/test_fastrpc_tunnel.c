// SPDX-License-Identifier: MIT
/*
 * The reverse tunnel: real bytes of a DSP, packed here, and what it gets for them; then the loop
 * that brings them, with a kernel whose DSP is a script.
 */
#include <check.h>

#include "daemon/transport/fastrpc/tunnel.h"
#include "tests/fastrpc_kernel.h"
#include "tests/fastrpc_request.h"
#include "tests/suite.h"

#define HANDLES  64 /* that may be open at once */
#define FIRST    FASTRPC_HANDLES_STATIC
#define SENTENCE 64 /* room for one */

static const struct policy_domain domain = {.name = "d", .files = 4, .memory = 1 << 20};
static struct log_shared log_shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
static const struct host_options options = {
	.node = &kernel_node,
	.device = "cdsp",
	.domain = 3,
	.owner = "uid 7, cdsp/x",
	.policy = &domain,
	.log = &log_shared,
};

static struct tunnel *tunnel;
static struct fastrpc_request request;
static uint8_t out[HOST_BYTES_MAX];
static size_t out_size;

static void set_up(void)
{
	ck_assert_int_eq(tunnel_new(&tunnel, &options), 0);
}

static void tear_down(void)
{
	tunnel = tunnel_free(tunnel);
}

/* Requests. */

static uint32_t answer_scalars(uint32_t handle, uint32_t scalars)
{
	memset(out, 0xee, sizeof(out));
	out_size = 1;
	return tunnel_answer(tunnel, handle, scalars, request.bytes, request.size, out, &out_size);
}

static uint32_t answer(uint32_t handle, uint32_t method)
{
	return answer_scalars(handle, request_scalars(&request, method));
}

static uint32_t word(unsigned int number, unsigned int i)
{
	return answer_word(out, out_size, number, i);
}

/* Returns the error beside the handle; the request as such went well. */
static uint32_t open_bytes(const void *name, uint32_t size, uint32_t *handle)
{
	request_open(&request, name, size, SENTENCE);
	ck_assert_uint_eq(answer(0, 0), AEE_SUCCESS);
	*handle = word(0, 0);
	return word(0, 1);
}

static uint32_t open_name(const char *name)
{
	uint32_t handle;

	ck_assert_uint_eq(open_bytes(name, (uint32_t)strlen(name) + 1, &handle), AEE_SUCCESS);
	return handle;
}

static uint32_t close_handle(uint32_t handle)
{
	const uint32_t in[] = {handle, SENTENCE};

	request_begin(&request);
	request_in(&request, in, sizeof(in));
	request_out(&request, 4);
	request_out(&request, SENTENCE);
	ck_assert_uint_eq(answer(0, 1), AEE_SUCCESS);
	return word(0, 0);
}

/* Packed lists. */

START_TEST(lists_are_packed_as_a_dsp_packs_them)
{
	static const uint8_t asked[] = {
		8, 0, 0, 0, 0, 0, 0, 0,            /* the arguments' length, to the next 8 */
		9, 0, 0, 0, 5, 0, 0, 0,            /* of the name, room for a sentence */
		9, 0, 0, 0, 0, 0, 0, 0,            /* the name's length, to the next 8 */
		'a', 'p', 'p', 's', '_', 's', 't', /**/
		'd', 0,                            /* 33 bytes up to here */
		8, 0, 0, 0, 5, 0, 0, 0,            /* outputs */
	};
	static const uint8_t told[] = {
		8, 0, 0, 0, 0, 0, 0, 0,     /**/
		FIRST, 0, 0, 0, 0, 0, 0, 0, /* handle, error */
		5, 0, 0, 0, 0, 0, 0, 0,     /**/
		0, 0, 0, 0, 0,              /* no sentence */
	};

	ck_assert_uint_eq(tunnel_answer(tunnel, 0, REMOTECTL_OPEN, asked, sizeof(asked), out,
				  &out_size),
		AEE_SUCCESS);
	ck_assert_uint_eq(out_size, sizeof(told));
	ck_assert_mem_eq(out, told, sizeof(told));
}
END_TEST

START_TEST(what_is_empty_takes_no_place)
{
	static const uint8_t asked[] = {
		4, 0, 0, 0, 0, 0, 0, 0, /**/
		0, 0, 0, 0,             /* no lines to log */
		0, 0, 0, 0,             /* of that length */
	};
	uint32_t handle = open_name("adspmsgd_apps");

	ck_assert_uint_eq(tunnel_answer(tunnel, handle, FASTRPC_SCALARS(0, 2, 0), asked,
				  sizeof(asked), out, &out_size),
		AEE_SUCCESS);
	ck_assert_uint_eq(out_size, 0);
	/* An output: eight bytes to the next 8 behind their length, and another length. */
	request_open(&request, "apps_std", 9, 0);
	ck_assert_uint_eq(answer(0, 0), AEE_SUCCESS);
	ck_assert_uint_eq(out_size, 20);
}
END_TEST

START_TEST(a_list_that_is_cut_off_anywhere_is_refused)
{
	request_open(&request, "apps_std", 9, SENTENCE);
	for (size_t size = 0; size < request.size; size++) {
		ck_assert_uint_eq(tunnel_answer(tunnel, 0, REMOTECTL_OPEN, request.bytes, size, out,
					  &out_size),
			AEE_EBADPARM);
		ck_assert_uint_eq(out_size, 0);
	}
	/* Nothing was opened meanwhile. */
	ck_assert_uint_eq(open_name("apps_std"), FIRST);
}
END_TEST

START_TEST(what_follows_a_list_is_passed_over)
{
	request_open(&request, "apps_std", 9, SENTENCE);
	request_word(&request, 0xffffffff);
	ck_assert_uint_eq(answer(0, 0), AEE_SUCCESS);
}
END_TEST

static const uint32_t absurd[] = {0xffffffff, 0xfffffffc, 0xfffffff8, 0x80000000, 0x7fffffff,
	HOST_BYTES_MAX + 1, HOST_BYTES_MAX};

START_TEST(an_absurd_length_of_an_input_is_refused)
{
	for (size_t at = 0; at <= 16; at += 16) {
		request_open(&request, "apps_std", 9, SENTENCE);
		memcpy(request.bytes + at, &absurd[_i], sizeof(absurd[_i]));
		ck_assert_uint_eq(answer(0, 0), AEE_EBADPARM);
		ck_assert_uint_eq(out_size, 0);
	}
}
END_TEST

START_TEST(an_absurd_length_of_an_output_is_refused)
{
	for (size_t from_end = 4; from_end <= 8; from_end += 4) {
		request_open(&request, "apps_std", 9, SENTENCE);
		memcpy(request.bytes + request.size - from_end, &absurd[_i], sizeof(absurd[_i]));
		ck_assert_uint_eq(answer(0, 0), AEE_EBADPARM);
		ck_assert_uint_eq(out_size, 0);
	}
}
END_TEST

START_TEST(outputs_may_fill_their_room_to_the_last_byte_and_no_more)
{
	/* Before the sentence: two lengths, eight bytes, all to the next 8. */
	const uint32_t most = HOST_BYTES_MAX - 24;

	request_open(&request, "apps_mem", 9, most);
	ck_assert_uint_eq(answer(0, 0), AEE_SUCCESS);
	ck_assert_uint_eq(out_size, HOST_BYTES_MAX);
	for (size_t i = 24; i < HOST_BYTES_MAX; i++)
		ck_assert_uint_eq(out[i], 0);
	request_open(&request, "apps_mem", 9, most + 1);
	ck_assert_uint_eq(answer(0, 0), AEE_EBADPARM);
	ck_assert_uint_eq(out_size, 0);
}
END_TEST

START_TEST(inputs_may_fill_their_room_to_the_last_byte_and_no_more)
{
	uint32_t handle = open_name("adspmsgd_apps");
	static const uint8_t lines[HOST_BYTES_MAX];
	const uint32_t most = HOST_BYTES_MAX - 16, none = 0;

	for (uint32_t more = 0; more < 2; more++) {
		request_begin(&request);
		request_in(&request, &none, sizeof(none));
		request_in(&request, lines, most + more);
		ck_assert_uint_eq(request.size, HOST_BYTES_MAX + more);
		ck_assert_uint_eq(answer(handle, 0), more ? AEE_EBADPARM : AEE_SUCCESS);
	}
}
END_TEST

START_TEST(more_buffers_than_a_call_has_are_refused)
{
	for (unsigned int n_in = 0; n_in <= 255; n_in += 15) {
		for (unsigned int n_out = 0; n_out <= 255; n_out += 15) {
			request_begin(&request);
			for (unsigned int i = 0; i < n_in + n_out; i++)
				request_word(&request, 0);
			ck_assert_uint_eq(answer_scalars(0, FASTRPC_SCALARS(0, n_in, n_out)),
				AEE_EBADPARM);
			ck_assert_uint_eq(out_size, 0);
		}
	}
}
END_TEST

START_TEST(handles_as_arguments_are_refused)
{
	for (uint32_t handles = 1; handles < 0x100; handles++) {
		request_open(&request, "apps_std", 9, SENTENCE);
		ck_assert_uint_eq(answer_scalars(0, REMOTECTL_OPEN | handles), AEE_EBADPARM);
	}
	ck_assert_uint_eq(open_name("apps_std"), FIRST);
}
END_TEST

/* Handles. */

START_TEST(a_handle_that_was_not_opened_is_none)
{
	static const uint32_t handles[] = {1, 2, FIRST - 1, FIRST + 1, FIRST + HANDLES - 1,
		FIRST + HANDLES, 0x80000000, 0xffffffff};

	ck_assert_uint_eq(open_name("apps_std"), FIRST);
	for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
		request_open(&request, "apps_std", 9, SENTENCE);
		ck_assert_uint_eq(answer(handles[i], 0), AEE_ENOSUCH);
		ck_assert_uint_eq(out_size, 0);
		ck_assert_uint_eq(close_handle(handles[i]), AEE_ENOSUCH);
	}
	ck_assert_uint_eq(close_handle(0), AEE_ENOSUCH);
}
END_TEST

START_TEST(a_handle_that_was_closed_is_none)
{
	uint32_t handle = open_name("adspmsgd_apps"), other = open_name("adspmsgd_apps");
	const uint32_t none = 0;

	ck_assert_uint_ne(handle, other);
	ck_assert_uint_eq(close_handle(handle), AEE_SUCCESS);
	ck_assert_uint_eq(close_handle(handle), AEE_ENOSUCH);
	request_begin(&request);
	request_in(&request, &none, sizeof(none));
	request_in(&request, NULL, 0);
	ck_assert_uint_eq(answer(handle, 0), AEE_ENOSUCH);
	ck_assert_uint_eq(answer(other, 0), AEE_SUCCESS);
}
END_TEST

START_TEST(so_many_may_be_open_at_once_and_no_more)
{
	static const char says[] = "too many interfaces are open";
	uint32_t handle;

	for (uint32_t i = 0; i < HANDLES; i++)
		ck_assert_uint_eq(open_name("apps_std"), FIRST + i);
	ck_assert_uint_eq(open_bytes("apps_std", 9, &handle), AEE_ENOMEMORY);
	ck_assert_uint_eq(handle, 0);
	ck_assert_str_eq((const char *)answer_find(out, out_size, 1, &(uint32_t){0}), says);
	ck_assert_uint_eq(close_handle(FIRST + 9), AEE_SUCCESS);
	ck_assert_uint_eq(open_name("apps_mem"), FIRST + 9);
}
END_TEST

START_TEST(each_tunnel_has_handles_of_its_own)
{
	struct tunnel *first = tunnel, *second;

	ck_assert_int_eq(tunnel_new(&second, &options), 0);
	open_name("apps_std");
	tunnel = second;
	ck_assert_uint_eq(close_handle(FIRST), AEE_ENOSUCH);
	tunnel = first;
	ck_assert_uint_eq(close_handle(FIRST), AEE_SUCCESS);
	tunnel_free(second);
}
END_TEST

START_TEST(only_the_hosts_interfaces_can_be_opened)
{
	static const struct {
		const char *name;
		uint32_t size, error;
	} cases[] = {
		{"apps_std", 9, AEE_SUCCESS},
		{"apps_std", 8, AEE_SUCCESS}, /* without its NUL */
		{"apps_mem", 9, AEE_SUCCESS},
		{"adspmsgd_apps", 14, AEE_SUCCESS},
		{"apps_st", 8, AEE_ENOSUCH},
		{"apps_std2", 10, AEE_ENOSUCH},
		{"apps_remotectl", 15, AEE_ENOSUCH},
		{"file:///libx_skel.so?x_skel_handle_invoke", 42, AEE_ENOSUCH},
		{"", 1, AEE_ENOSUCH},
		{"", 0, AEE_ENOSUCH},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t handle;

		ck_assert_uint_eq(open_bytes(cases[i].name, cases[i].size, &handle),
			cases[i].error);
		ck_assert_int_eq(handle != 0, cases[i].error == AEE_SUCCESS);
	}
}
END_TEST

START_TEST(a_name_with_a_nul_within_is_refused)
{
	request_open(&request, "apps_std\0x", 11, SENTENCE);
	ck_assert_uint_eq(answer(0, 0), AEE_EBADPARM);
}
END_TEST

START_TEST(a_name_is_as_long_as_its_length_and_not_as_its_buffer)
{
	const uint32_t shorter[] = {8, SENTENCE}, longer[] = {15, SENTENCE};

	request_open(&request, "apps_std_and_so", 14, SENTENCE);
	memcpy(request.bytes + 8, shorter, sizeof(shorter));
	ck_assert_uint_eq(answer(0, 0), AEE_SUCCESS);
	ck_assert_uint_eq(word(0, 1), AEE_SUCCESS);
	memcpy(request.bytes + 8, longer, sizeof(longer));
	ck_assert_uint_eq(answer(0, 0), AEE_EBADPARM);
}
END_TEST

START_TEST(a_sentence_is_cut_off_where_there_is_no_room)
{
	static const char says[] = "no such interface";

	for (uint32_t room = 0; room <= sizeof(says) + 1; room++) {
		char expected[sizeof(says) + 2] = "";
		const uint8_t *sentence;
		uint32_t size;

		request_open(&request, "x", 2, room);
		ck_assert_uint_eq(answer(0, 0), AEE_SUCCESS);
		ck_assert_uint_eq(word(0, 1), AEE_ENOSUCH);
		sentence = answer_find(out, out_size, 1, &size);
		ck_assert_uint_eq(size, room);
		if (room)
			memcpy(expected, says, MIN((size_t)room - 1, sizeof(says) - 1));
		ck_assert_mem_eq(sentence, expected, room);
	}
}
END_TEST

START_TEST(room_for_a_sentence_that_is_not_there_is_refused)
{
	const uint32_t in[] = {9, SENTENCE + 1}, closing[] = {FIRST, SENTENCE + 1};

	request_open(&request, "apps_std", 9, SENTENCE);
	memcpy(request.bytes + 8, in, sizeof(in));
	ck_assert_uint_eq(answer(0, 0), AEE_EBADPARM);
	ck_assert_uint_eq(open_name("apps_std"), FIRST);
	request_begin(&request);
	request_in(&request, closing, sizeof(closing));
	request_out(&request, 4);
	request_out(&request, SENTENCE);
	ck_assert_uint_eq(answer(0, 1), AEE_EBADPARM);
	ck_assert_uint_eq(close_handle(FIRST), AEE_SUCCESS);
}
END_TEST

/* Methods. */

static const char *const names[] = {"apps_std", "apps_mem", "adspmsgd_apps"};

static bool has_method(const struct host_interface *interface, uint32_t number)
{
	for (size_t i = 0; i < interface->n_methods; i++)
		if (interface->methods[i].number == number)
			return true;
	return false;
}

START_TEST(a_method_that_an_interface_has_not_is_unsupported)
{
	const struct host_interface *interface = host_find(names[_i], strlen(names[_i]));
	uint32_t handle = open_name(names[_i]);

	for (uint32_t number = 0; number < 64; number++) {
		request_begin(&request);
		if (number >= FASTRPC_METHOD_ESCAPE)
			request_in(&request, &number, sizeof(number));
		if (!has_method(interface, number))
			ck_assert_uint_eq(answer(handle, MIN(number, FASTRPC_METHOD_ESCAPE)),
				AEE_EUNSUPPORTED);
	}
	request_begin(&request);
	ck_assert_uint_eq(answer(0, 2), AEE_EUNSUPPORTED);
}
END_TEST

/* The method, with other counts than it has, and then with arguments that are too short. */
static void check_refusals(uint32_t handle, const struct host_method *method)
{
	const unsigned int n_in = FASTRPC_INPUTS(method->scalars);
	const unsigned int n_out = FASTRPC_OUTPUTS(method->scalars);
	const uint32_t escape = MIN(method->number, FASTRPC_METHOD_ESCAPE);
	uint8_t in[256] = {};

	memcpy(in, &method->number, sizeof(method->number));
	for (unsigned int wrong = 0; wrong < 4; wrong++) {
		bool more_in = wrong == 0, more_out = wrong == 1, short_in = wrong == 2;

		if (more_out && method->more_outputs)
			continue;
		if ((short_in && !method->in_size) || (wrong == 3 && !method->out_size))
			continue;
		/* Without its number an escaped method is another one. */
		if (short_in && escape == FASTRPC_METHOD_ESCAPE && method->in_size <= 4)
			continue;
		request_begin(&request);
		for (unsigned int i = 0; i < n_in + more_in; i++)
			request_in(&request, in, i ? 0 : method->in_size - short_in);
		for (unsigned int i = 0; i < n_out + more_out; i++)
			request_out(&request, i ? 0 : method->out_size - (wrong == 3));
		ck_assert_uint_eq(answer(handle, escape), AEE_EBADPARM);
		ck_assert_uint_eq(out_size, 0);
	}
}

START_TEST(a_method_with_other_arguments_than_its_own_is_refused)
{
	const struct host_interface *interface = host_find(names[_i], strlen(names[_i]));
	uint32_t handle = open_name(names[_i]);

	ck_assert_uint_gt(interface->n_methods, 0);
	for (size_t i = 0; i < interface->n_methods; i++)
		check_refusals(handle, &interface->methods[i]);
}
END_TEST

START_TEST(closing_with_other_arguments_is_refused)
{
	const struct host_method close = {
		.number = 1, .scalars = REMOTECTL_CLOSE, .in_size = 8, .out_size = 4};
	const struct host_method open = {
		.number = 0, .scalars = REMOTECTL_OPEN, .in_size = 8, .out_size = 8};

	check_refusals(0, &close);
	check_refusals(0, &open);
}
END_TEST

static void add_lists(TCase *tests)
{
	tcase_add_test(tests, lists_are_packed_as_a_dsp_packs_them);
	tcase_add_test(tests, what_is_empty_takes_no_place);
	tcase_add_test(tests, a_list_that_is_cut_off_anywhere_is_refused);
	tcase_add_test(tests, what_follows_a_list_is_passed_over);
	tcase_add_loop_test(tests, an_absurd_length_of_an_input_is_refused, 0, ARRAY_SIZE(absurd));
	tcase_add_loop_test(tests, an_absurd_length_of_an_output_is_refused, 0, ARRAY_SIZE(absurd));
	tcase_add_test(tests, outputs_may_fill_their_room_to_the_last_byte_and_no_more);
	tcase_add_test(tests, inputs_may_fill_their_room_to_the_last_byte_and_no_more);
	tcase_add_test(tests, more_buffers_than_a_call_has_are_refused);
	tcase_add_test(tests, handles_as_arguments_are_refused);
}

static void add_handles(TCase *tests)
{
	tcase_add_test(tests, a_handle_that_was_not_opened_is_none);
	tcase_add_test(tests, a_handle_that_was_closed_is_none);
	tcase_add_test(tests, so_many_may_be_open_at_once_and_no_more);
	tcase_add_test(tests, each_tunnel_has_handles_of_its_own);
	tcase_add_test(tests, only_the_hosts_interfaces_can_be_opened);
	tcase_add_test(tests, a_name_with_a_nul_within_is_refused);
	tcase_add_test(tests, a_name_is_as_long_as_its_length_and_not_as_its_buffer);
	tcase_add_test(tests, a_sentence_is_cut_off_where_there_is_no_room);
	tcase_add_test(tests, room_for_a_sentence_that_is_not_there_is_refused);
	tcase_add_loop_test(tests, a_method_that_an_interface_has_not_is_unsupported, 0,
		ARRAY_SIZE(names));
	tcase_add_loop_test(tests, a_method_with_other_arguments_than_its_own_is_refused, 0,
		ARRAY_SIZE(names));
	tcase_add_test(tests, closing_with_other_arguments_is_refused);
}

int main(void)
{
	Suite *suite = suite_create("fastrpc_tunnel");
	TCase *tests = tcase_create("tunnel");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	add_lists(tests);
	add_handles(tests);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
