// SPDX-License-Identifier: MIT
/*
 * The heap of a protection domain: it asks by the reverse tunnel, in real bytes, and gets what
 * policy lets it have of a kernel's memory.
 */
#include <check.h>

#include "daemon/transport/fastrpc/tunnel.h"
#include "tests/fastrpc_kernel.h"
#include "tests/fastrpc_request.h"
#include "tests/suite.h"

#define PAGE       4096
#define PAGES      8    /* that the heap may have */
#define PIECES     1024 /* that it may consist of */
#define ADD        0x1000
#define ADD_CACHED 0x3000

enum method {
	MAP,
	UNMAP,
	MAP64,
	UNMAP64,
	SHARE_MAP,
	SHARE_UNMAP,
	DMA_HANDLE_MAP,
	DMA_HANDLE_UNMAP,
};

static struct policy_domain domain;
static struct log_shared log_shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
static const struct host_options options = {
	.node = &kernel_node,
	.device = "cdsp",
	.owner = "uid 7, cdsp/x",
	.policy = &domain,
	.log = &log_shared,
};

static struct tunnel *tunnel;
static struct fastrpc_request request;
static uint8_t out[HOST_BYTES_MAX];
static size_t out_size;
static uint32_t handle;

static uint32_t answer(uint32_t to, uint32_t method)
{
	return tunnel_answer(tunnel, to, request_scalars(&request, method), request.bytes,
		request.size, out, &out_size);
}

static void set_up(void)
{
	domain = (struct policy_domain){.name = "d", .memory = PAGES * PAGE};
	ck_assert_int_eq(tunnel_new(&tunnel, &options), 0);
	request_open(&request, "apps_mem", 9, 0);
	ck_assert_uint_eq(answer(0, 0), AEE_SUCCESS);
	handle = answer_word(out, out_size, 0, 0);
}

static void tear_down(void)
{
	tunnel = tunnel_free(tunnel);
}

/* Requests. */

static uint32_t ask(enum method method, const void *in, uint32_t in_size, uint32_t room)
{
	request_begin(&request);
	request_in(&request, in, in_size);
	if (room)
		request_out(&request, room);
	return answer(handle, method);
}

/* The host's heap and flags, and an address, mean nothing. */
static uint32_t map(int64_t size, uint32_t purpose, uint64_t *address)
{
	const struct {
		uint32_t heap, flags, purpose, padding;
		uint64_t address;
		int64_t size;
	} in = {.heap = 25, .flags = 1, .purpose = purpose, .address = 0x1234, .size = size};
	uint32_t error = ask(MAP64, &in, sizeof(in), 16);

	*address = 0;
	if (error) {
		ck_assert_uint_eq(out_size, 0);
		return error;
	}
	ck_assert_uint_eq(answer_word(out, out_size, 0, 0), 0);
	ck_assert_uint_eq(answer_word(out, out_size, 0, 1), 0);
	*address =
		(uint64_t)answer_word(out, out_size, 0, 3) << 32 | answer_word(out, out_size, 0, 2);
	return error;
}

static uint64_t grow(int64_t size)
{
	uint64_t address;

	ck_assert_uint_eq(map(size, ADD, &address), AEE_SUCCESS);
	return address;
}

static uint32_t grow_error(int64_t size)
{
	uint64_t address;

	return map(size, ADD, &address);
}

static uint32_t shrink(uint64_t address, int64_t size)
{
	const uint64_t in[] = {address, (uint64_t)size};

	return ask(UNMAP64, in, sizeof(in), 0);
}

static uint32_t map32(int32_t size, uint32_t *address)
{
	const uint32_t in[] = {25, 1, ADD, 0x1234, (uint32_t)size};
	uint32_t error = ask(MAP, in, sizeof(in), 8);

	*address = error ? 0 : answer_word(out, out_size, 0, 1);
	ck_assert(error || answer_word(out, out_size, 0, 0) == 0);
	return error;
}

static uint32_t unmap32(uint32_t address, int32_t size)
{
	const uint32_t in[] = {address, (uint32_t)size};

	return ask(UNMAP, in, sizeof(in), 0);
}

/* What is given. */

START_TEST(a_heap_grows_by_what_it_asks_for)
{
	uint64_t address = grow(3 * PAGE);

	ck_assert_uint_eq(kernel.n_pieces, 1);
	ck_assert_uint_eq(kernel.pieces[0].address, address);
	ck_assert_uint_eq(kernel.pieces[0].size, 3 * PAGE);
	ck_assert_uint_eq(shrink(address, 3 * PAGE), AEE_SUCCESS);
	ck_assert_uint_eq(kernel.n_pieces, 0);
}
END_TEST

START_TEST(addresses_have_all_their_bits)
{
	kernel.next_address = 0x123456789abcd000;
	ck_assert_uint_eq(grow(PAGE), 0x123456789abcd000);
	ck_assert_uint_eq(shrink(0x9abcd000, PAGE), AEE_ENOSUCH);
	ck_assert_uint_eq(shrink(0x123456789abcd000, PAGE), AEE_SUCCESS);
}
END_TEST

START_TEST(the_narrow_methods_are_the_same)
{
	uint32_t address;

	kernel.next_address = 0xfffff000;
	ck_assert_uint_eq(map32(PAGE, &address), AEE_SUCCESS);
	ck_assert_uint_eq(address, 0xfffff000);
	ck_assert_uint_eq(kernel.bytes, PAGE);
	ck_assert_uint_eq(unmap32(address, PAGE), AEE_SUCCESS);
	ck_assert_uint_eq(kernel.bytes, 0);
}
END_TEST

START_TEST(an_address_that_a_narrow_method_cannot_tell_is_given_back)
{
	uint32_t address;

	kernel.next_address = 0x100000000;
	ck_assert_uint_eq(map32(PAGE, &address), AEE_EFAILED);
	ck_assert_uint_eq(kernel.n_pieces, 0);
	kernel.next_address = 0;
	grow(PAGES * PAGE);
}
END_TEST

START_TEST(memory_for_the_last_cache_is_memory)
{
	uint64_t address;

	ck_assert_uint_eq(map(PAGE, ADD_CACHED, &address), AEE_SUCCESS);
	ck_assert_uint_eq(kernel.n_pieces, 1);
}
END_TEST

START_TEST(memory_for_anything_but_the_heap_is_unsupported)
{
	static const uint32_t purposes[] = {0, 4, 8, 0x1001, 0x2000, 0x4000, 0x10000, 0xffffffff};
	uint64_t address;

	for (size_t i = 0; i < ARRAY_SIZE(purposes); i++)
		ck_assert_uint_eq(map(PAGE, purposes[i], &address), AEE_EUNSUPPORTED);
	ck_assert_uint_eq(kernel.n_pieces, 0);
}
END_TEST

START_TEST(memory_that_a_dsp_names_by_a_descriptor_is_unsupported)
{
	static const uint8_t in[16] = {1};

	ck_assert_uint_eq(ask(SHARE_MAP, in, 8, 16), AEE_EUNSUPPORTED);
	ck_assert_uint_eq(ask(SHARE_UNMAP, in, 12, 0), AEE_EUNSUPPORTED);
	ck_assert_uint_eq(ask(DMA_HANDLE_MAP, in, 12, 0), AEE_EUNSUPPORTED);
	ck_assert_uint_eq(ask(DMA_HANDLE_UNMAP, in, 8, 0), AEE_EUNSUPPORTED);
}
END_TEST

/* How much. */

START_TEST(a_heap_grows_as_far_as_policy_lets_it)
{
	uint64_t first = grow(PAGE);

	grow((PAGES - 2) * PAGE);
	ck_assert_uint_eq(grow_error(2 * PAGE), AEE_ENOMEMORY);
	grow(PAGE);
	ck_assert_uint_eq(grow_error(1), AEE_ENOMEMORY);
	ck_assert_uint_eq(kernel.bytes, PAGES * PAGE);
	ck_assert_uint_eq(shrink(first, PAGE), AEE_SUCCESS);
	grow(1);
	ck_assert_uint_eq(grow_error(1), AEE_ENOMEMORY);
}
END_TEST

START_TEST(without_a_word_of_policy_it_grows_by_nothing)
{
	domain.memory = 0;
	ck_assert_uint_eq(grow_error(1), AEE_ENOMEMORY);
	ck_assert_uint_eq(kernel.n_pieces, 0);
}
END_TEST

START_TEST(what_is_given_is_whole_pages_and_counts_as_such)
{
	for (int i = 0; i < PAGES; i++)
		ck_assert_uint_ne(grow(1 + i), 0);
	ck_assert_uint_eq(kernel.bytes, PAGES * PAGE);
	ck_assert_uint_eq(grow_error(1), AEE_ENOMEMORY);
}
END_TEST

START_TEST(an_absurd_size_is_refused)
{
	static const int64_t sizes[] = {0, -1, -PAGE, INT64_MIN, INT64_MIN + 1};
	static const int64_t large[] = {
		INT64_MAX, INT64_MAX - PAGE, (int64_t)1 << 32, PAGES * PAGE + 1};
	uint32_t address;

	domain.memory = PAGES * PAGE;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		ck_assert_uint_eq(grow_error(sizes[i]), AEE_EBADPARM);
		ck_assert_uint_eq(shrink(0x1000, sizes[i]), AEE_EBADPARM);
	}
	for (size_t i = 0; i < ARRAY_SIZE(large); i++)
		ck_assert_uint_eq(grow_error(large[i]), AEE_ENOMEMORY);
	ck_assert_uint_eq(map32(-1, &address), AEE_EBADPARM);
	ck_assert_uint_eq(map32(INT32_MIN, &address), AEE_EBADPARM);
	ck_assert_uint_eq(map32(INT32_MAX, &address), AEE_ENOMEMORY);
	ck_assert_uint_eq(unmap32(0, -1), AEE_EBADPARM);
	ck_assert_uint_eq(kernel.n_pieces, 0);
}
END_TEST

START_TEST(a_limit_without_end_is_no_way_around_sums)
{
	domain.memory = UINT64_MAX;
	kernel.next_address = 0x1000;
	grow(INT64_MAX);
	grow(INT64_MAX - PAGE);
	ck_assert_uint_eq(grow_error(INT64_MAX), AEE_ENOMEMORY);
	ck_assert_uint_eq(kernel.n_pieces, 2);
}
END_TEST

START_TEST(a_heap_consists_of_so_many_pieces_and_no_more)
{
	uint64_t last = 0;

	domain.memory = UINT64_MAX;
	for (int i = 0; i < PIECES; i++)
		last = grow(PAGE);
	ck_assert_uint_eq(grow_error(PAGE), AEE_ENOMEMORY);
	ck_assert_uint_eq(kernel.n_pieces, PIECES);
	ck_assert_uint_eq(shrink(last, PAGE), AEE_SUCCESS);
	grow(PAGE);
}
END_TEST

/* What is taken back. */

START_TEST(only_what_was_given_is_taken_back)
{
	uint64_t address = grow(2 * PAGE);

	ck_assert_uint_eq(shrink(address + PAGE, PAGE), AEE_ENOSUCH);
	ck_assert_uint_eq(shrink(address, PAGE), AEE_ENOSUCH);
	ck_assert_uint_eq(shrink(address, 3 * PAGE), AEE_ENOSUCH);
	ck_assert_uint_eq(shrink(0, 2 * PAGE), AEE_ENOSUCH);
	ck_assert_uint_eq(kernel.n_pieces, 1);
	ck_assert_uint_eq(shrink(address, 2 * PAGE), AEE_SUCCESS);
	ck_assert_uint_eq(shrink(address, 2 * PAGE), AEE_ENOSUCH);
	ck_assert_uint_eq(kernel.n_pieces, 0);
}
END_TEST

START_TEST(pieces_at_the_same_address_are_taken_back_one_by_one)
{
	kernel.next_address = 0x5000;
	grow(PAGE);
	grow(2 * PAGE);
	grow(PAGE);
	ck_assert_uint_eq(shrink(0x5000, PAGE), AEE_SUCCESS);
	ck_assert_uint_eq(shrink(0x5000, 2 * PAGE), AEE_SUCCESS);
	ck_assert_uint_eq(shrink(0x5000, PAGE), AEE_SUCCESS);
	ck_assert_uint_eq(shrink(0x5000, PAGE), AEE_ENOSUCH);
	ck_assert_uint_eq(kernel.n_pieces, 0);
}
END_TEST

START_TEST(what_the_kernel_does_not_give_does_not_count)
{
	static const struct {
		int kernel;
		uint32_t told;
	} errors[] = {{-ENOMEM, AEE_ENOMEMORY}, {-EPIPE, AEE_EFAILED}, {7, AEE_EFAILED}};

	kernel.grow_error = errors[_i].kernel;
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(grow_error(PAGES * PAGE), errors[_i].told);
	kernel.grow_error = 0;
	grow(PAGES * PAGE);
}
END_TEST

START_TEST(what_the_kernel_does_not_take_back_counts)
{
	uint64_t address = grow(PAGES * PAGE);

	kernel.shrink_error = -EPIPE;
	ck_assert_uint_eq(shrink(address, PAGES * PAGE), AEE_EFAILED);
	ck_assert_uint_eq(grow_error(PAGE), AEE_ENOMEMORY);
	kernel.shrink_error = 0;
	ck_assert_uint_eq(shrink(address, PAGES * PAGE), AEE_SUCCESS);
	grow(PAGE);
}
END_TEST

static void add_limits(TCase *tests)
{
	tcase_add_test(tests, a_heap_grows_as_far_as_policy_lets_it);
	tcase_add_test(tests, without_a_word_of_policy_it_grows_by_nothing);
	tcase_add_test(tests, what_is_given_is_whole_pages_and_counts_as_such);
	tcase_add_test(tests, an_absurd_size_is_refused);
	tcase_add_test(tests, a_limit_without_end_is_no_way_around_sums);
	tcase_add_test(tests, a_heap_consists_of_so_many_pieces_and_no_more);
	tcase_add_test(tests, only_what_was_given_is_taken_back);
	tcase_add_test(tests, pieces_at_the_same_address_are_taken_back_one_by_one);
	tcase_add_loop_test(tests, what_the_kernel_does_not_give_does_not_count, 0, 3);
	tcase_add_test(tests, what_the_kernel_does_not_take_back_counts);
}

int main(void)
{
	Suite *suite = suite_create("fastrpc_heap");
	TCase *tests = tcase_create("heap");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_heap_grows_by_what_it_asks_for);
	tcase_add_test(tests, addresses_have_all_their_bits);
	tcase_add_test(tests, the_narrow_methods_are_the_same);
	tcase_add_test(tests, an_address_that_a_narrow_method_cannot_tell_is_given_back);
	tcase_add_test(tests, memory_for_the_last_cache_is_memory);
	tcase_add_test(tests, memory_for_anything_but_the_heap_is_unsupported);
	tcase_add_test(tests, memory_that_a_dsp_names_by_a_descriptor_is_unsupported);
	add_limits(tests);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
