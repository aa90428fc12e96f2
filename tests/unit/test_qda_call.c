// SPDX-License-Identifier: MIT
/* Calls on the accel driver: arguments by buffer objects, what comes back, and what never is asked.
 */
#include "tests/qda_kernel.h"
#include "tests/suite.h"

#define MODULE  17 /* a handle of a module's */
#define THREADS 4
#define ALIGN   128 /* longest line of a cache */

static struct node node;
static struct kernel_call seen; /* the last one; its data are gone */

static void set_up_with(bool heap, bool coherent)
{
	kernel_start_with(heap);
	ck_assert_int_eq(kernel_open(&node, coherent), 0);
}

static void set_up(void)
{
	set_up_with(true, true);
}

static void set_up_memfds(void)
{
	set_up_with(false, true);
}

static void set_up_incoherent(void)
{
	set_up_with(false, false);
}

static void tear_down(void)
{
	qda_driver.close(&node);
	node_dispose(&node);
	kernel_stop();
}

static struct node_result invoke(uint32_t scalars, const struct node_arg *args)
{
	return node_invoke(&node, MODULE, scalars, args);
}

static struct node_arg own(void *data, size_t length)
{
	return (struct node_arg){.data = data, .length = length};
}

static struct node_arg part(const struct node_buffer *buffer, uint64_t offset, uint64_t length)
{
	return (struct node_arg){.buffer = buffer, .offset = offset, .length = length};
}

/* Methods of the DSP. */

static int remember(const struct kernel_call *call)
{
	seen = *call;
	return 0;
}

static int return_5(const struct kernel_call *call)
{
	(void)call;
	return 5;
}

/* Each output is the input of that number, backwards. */
static int reverse(const struct kernel_call *call)
{
	for (unsigned int i = call->n_in; i < call->n; i++)
		for (uint64_t k = 0; k < call->args[i].length; k++)
			call->args[i].data[k] =
				call->args[i - call->n_in].data[call->args[i].length - 1 - k];
	return remember(call);
}

static int expect_zeros(const struct kernel_call *call)
{
	for (unsigned int i = call->n_in; i < call->n; i++)
		for (uint64_t k = 0; k < call->args[i].length; k++)
			ck_assert_uint_eq(call->args[i].data[k], 0);
	return remember(call);
}

/* Arguments. */

static void check_that_small_arguments_come_and_go(void)
{
	uint8_t in[2][300], out[2][300];
	const struct node_arg args[] = {own(in[0], 300), own(NULL, 0), own(in[1], 1),
		own(out[0], 300), own(NULL, 0), own(out[1], 1)};

	memset(out, 0xee, sizeof(out));
	for (size_t i = 0; i < 300; i++) {
		in[0][i] = (uint8_t)(i * 7);
		in[1][i] = (uint8_t)(i + 99);
	}
	kernel.invoke = reverse;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 3, 3), args).error, 0);
	for (size_t i = 0; i < 300; i++)
		ck_assert_uint_eq(out[0][i], in[0][299 - i]);
	ck_assert_uint_eq(out[1][0], in[1][0]);
	ck_assert_uint_eq(out[1][1], 0xee);
	ck_assert_uint_eq(seen.handle, MODULE);
	ck_assert_uint_eq(seen.scalars, 0x02030300);
}

START_TEST(small_arguments_are_copied_into_an_object_and_back)
{
	check_that_small_arguments_come_and_go();
	ck_assert_uint_eq(kernel_n_handles(), 1);
}
END_TEST

START_TEST(so_they_are_where_there_is_no_heap_but_memfds)
{
	check_that_small_arguments_come_and_go();
	ck_assert_uint_eq(kernel_n_handles(), 1);
}
END_TEST

START_TEST(no_two_small_arguments_share_a_line_of_a_cache)
{
	uint8_t bytes[DSP_ARGS_MAX][200];
	struct node_arg args[DSP_ARGS_MAX];

	for (size_t i = 0; i < DSP_ARGS_MAX; i++)
		args[i] = own(bytes[i], 1 + i * 6);
	kernel.invoke = remember;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 20, 12), args).error, 0);
	for (size_t i = 0; i < DSP_ARGS_MAX; i++) {
		ck_assert_uint_eq(seen.args[i].length, 1 + i * 6);
		ck_assert_uint_eq(seen.args[i].offset % ALIGN, 0);
		ck_assert_uint_eq(seen.args[i].dmabuf, seen.args[0].dmabuf);
		if (i)
			ck_assert_uint_ge(seen.args[i].offset / ALIGN,
				(seen.args[i - 1].offset + seen.args[i - 1].length + ALIGN - 1) /
					ALIGN);
	}
}
END_TEST

START_TEST(an_output_shows_nothing_of_another_call)
{
	uint8_t secret[5000], out[5000];
	const struct node_arg in_args[] = {own(secret, sizeof(secret))};
	const struct node_arg out_args[] = {own(out, sizeof(out))};

	memset(secret, 0xaa, sizeof(secret));
	memset(out, 0xee, sizeof(out));
	kernel.invoke = remember;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 1, 0), in_args).error, 0);
	const ino_t scratch = seen.args[0].dmabuf;

	kernel.invoke = expect_zeros;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 1), out_args).error, 0);
	ck_assert_uint_eq(seen.args[0].dmabuf, scratch); /* else this would show nothing */
	for (size_t i = 0; i < sizeof(out); i++)
		ck_assert_uint_eq(out[i], 0);
}
END_TEST

START_TEST(a_buffer_is_used_in_place)
{
	_cleanup_(fd_closep) int dmabuf = kernel_dmabuf(4);
	struct node_buffer buffer;
	uint8_t *map = mmap(NULL, 4 * KERNEL_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(qda_driver.map(&node, dmabuf, 4 * KERNEL_PAGE - 5, true, &buffer), 0);
	const struct node_arg args[] = {part(&buffer, 10, 5), part(&buffer, 3 * KERNEL_PAGE, 5)};

	memcpy(map + 10, "abcde", 5);
	kernel.invoke = reverse;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 1, 1), args).error, 0);
	ck_assert_mem_eq(map + 3 * KERNEL_PAGE, "edcba", 5);
	ck_assert_uint_eq(seen.args[0].offset, 10);
	ck_assert_uint_eq(seen.args[1].offset, 3 * KERNEL_PAGE);
	ck_assert_uint_eq(seen.args[0].dmabuf, kernel_inode(dmabuf));
	ck_assert_int_eq(qda_driver.unmap(&node, &buffer), 0);
	munmap(map, 4 * KERNEL_PAGE);
}
END_TEST

START_TEST(large_arguments_get_a_larger_object_which_is_kept_unless_it_is_huge)
{
	const size_t sizes[] = {100, 64 * 1024, 200, 2 * 1024 * 1024};
	const size_t fds = count_fds(getpid());
	uint8_t *bytes = calloc(2, sizes[3]);

	kernel.invoke = reverse;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct node_arg args[] = {
			own(bytes, sizes[i]), own(bytes + sizes[3], sizes[i])};

		memset(bytes, (int)i + 1, sizes[i]);
		ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 1, 1), args).error, 0);
		ck_assert_mem_eq(bytes, bytes + sizes[3], sizes[i]);
		ck_assert_uint_eq(kernel_n_handles(), i < 3);
		ck_assert_uint_eq(count_fds(getpid()), fds - (i == 3));
	}
	ck_assert_uint_eq(kernel.n_imports, 3);
	free(bytes);
}
END_TEST

START_TEST(who_is_about_to_be_interrupted_calls_nothing_more)
{
	const unsigned int calls = kernel.n_invokes;

	qda_driver.stop(&node);
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 0), NULL).error, -EINTR);
	ck_assert_uint_eq(kernel.n_invokes, calls);
}
END_TEST

static pthread_barrier_t all_there;
static ino_t scratches[THREADS];

/* The input says which one it is. */
static int meet(const struct kernel_call *call)
{
	const uint8_t i = *call->args[0].data;

	scratches[i] = call->args[0].dmabuf;
	*call->args[1].data = i;
	pthread_barrier_wait(&all_there);
	return *call->args[0].data == i ? 0 : 99;
}

static void *call_and_meet(void *argument)
{
	uint8_t i = (uint8_t)(uintptr_t)argument, out = 0xee;
	const struct node_arg args[] = {own(&i, 1), own(&out, 1)};
	const struct node_result result = invoke(FASTRPC_SCALARS(2, 1, 1), args);

	return (void *)(uintptr_t)(!result.error && !result.result && out == i);
}

static void call_in_threads(void)
{
	pthread_t threads[THREADS];
	void *well;

	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, call_and_meet, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &well), 0);
		ck_assert_ptr_nonnull(well);
	}
}

START_TEST(calls_at_the_same_time_have_objects_of_their_own_which_are_used_again)
{
	pthread_barrier_init(&all_there, NULL, THREADS);
	kernel.invoke = meet;
	for (int n = 0; n < 3; n++) {
		call_in_threads();
		for (size_t i = 0; i < THREADS; i++)
			for (size_t j = 0; j < i; j++)
				ck_assert_uint_ne(scratches[i], scratches[j]);
		ck_assert_uint_eq(kernel_n_handles(), THREADS);
	}
	ck_assert_uint_eq(kernel.n_imports, THREADS);
	pthread_barrier_destroy(&all_there);
}
END_TEST

/* Results. */

START_TEST(outputs_come_back_beside_an_error_of_the_dsps)
{
	uint8_t out = 0xee;
	const struct node_arg args[] = {own(&out, 1)};

	kernel.invoke = return_5;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 1), args).result, 5);
	ck_assert_uint_eq(out, 0);
	out = 0xee;
	kernel.invoke_error = EIO;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 1), args).error, -EIO);
	ck_assert_uint_eq(out, 0xee);
}
END_TEST

/* The kernel says the same whoever said it, -11 as well; and it is asked once. */
START_TEST(a_dsp_may_return_any_number)
{
	const size_t fds = count_fds(getpid());
	uint8_t byte = 0;
	const struct node_arg args[] = {own(&byte, 1)};
	unsigned int before;

	for (int i = 1; i < 4096; i++) {
		/* Of these it is known that the kernel does not mean them. */
		const bool dsps = !node_is_of_kernel(-i) || i == EINTR || i == ETIMEDOUT ||
				  i == EPIPE || i == ENODEV;

		before = kernel.n_invokes;
		kernel.invoke_error = i;
		const struct node_result result = invoke(FASTRPC_SCALARS(2, 1, 0), args);

		ck_assert_int_eq(result.error, dsps ? 0 : -i);
		ck_assert_int_eq(result.result, dsps ? -i : 0);
		ck_assert_uint_eq(kernel.n_invokes, before + 1);
	}
	kernel.invoke_error = 4096;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 0), NULL).result, -4096);
	kernel.invoke_error = -5;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 0), NULL).result, 5);
	/* No number makes the memory of calls grow. */
	ck_assert_uint_eq(kernel_n_handles(), 1);
	ck_assert_uint_eq(count_fds(getpid()), fds);
}
END_TEST

START_TEST(that_the_dsp_is_gone_the_driver_says_twice)
{
	static const int errors[] = {ENODEV, EPIPE};

	kernel.query_error = ENODEV;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		kernel.invoke_error = errors[i];
		ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 0), NULL).error, -errors[i]);
	}
}
END_TEST

/* Interruption. */

START_TEST(an_interrupted_call_is_the_last_one)
{
	const unsigned int queries = kernel.n_queries;
	_cleanup_(fd_closep) int shell = kernel_dmabuf(1);
	uint8_t byte = 1;
	const struct node_arg args[] = {own(&byte, 1)};
	uint64_t remote;

	kernel.signalled = true;
	kernel.invoke_error = EINTR;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 1, 0), args).error, -EINTR);
	kernel.signalled = false;
	kernel.invoke_error = 0;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 1, 0), args).error, -EINTR);
	ck_assert_int_eq(node_invoke(&node, FASTRPC_PROCESS, PROCESS_EXIT, NULL).error, -EINTR);
	ck_assert_int_eq(qda_driver.create(&node, shell, KERNEL_PAGE, 0).error, -EINTR);
	ck_assert_int_eq(qda_driver.grow(&node, KERNEL_PAGE, &remote).error, -EINTR);
	ck_assert_int_eq(qda_driver.shrink(&node, 0, KERNEL_PAGE).error, -EINTR);
	ck_assert_uint_eq(kernel.n_invokes, 1);
	ck_assert_uint_eq(kernel.n_creates + kernel.n_maps, 0);
	ck_assert_uint_eq(kernel.n_queries, queries);
	ck_assert(qda_driver.interrupted_ends);
}
END_TEST

START_TEST(a_signal_alone_interrupts_nothing)
{
	kernel.signalled = true;
	kernel.invoke = return_5;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 0), NULL).result, 5);
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 0), NULL).result, 5);
	ck_assert_uint_eq(kernel.n_invokes, 2);
}
END_TEST

START_TEST(memory_of_an_interrupted_call_is_the_dsps_until_the_node_is_closed)
{
	uint8_t bytes[100];
	const struct node_arg args[] = {own(bytes, sizeof(bytes))};

	kernel.invoke = remember;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 1), args).error, 0);
	kernel.signalled = true;
	kernel.invoke_error = EINTR;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 1), args).error, -EINTR);
	kernel.invoke_error = 0;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(2, 0, 1), args).error, -EINTR);
	ck_assert_uint_eq(seen.args[0].dmabuf, kernel.handles[1]);
	ck_assert_uint_eq(kernel_n_handles(), 1);
}
END_TEST

/* Refusals. */

static void must_refuse(uint32_t handle, uint32_t scalars, const struct node_arg *args)
{
	const struct node_result result = node_invoke(&node, handle, scalars, args);

	ck_assert_int_eq(result.error, -EINVAL);
	ck_assert_uint_eq(kernel.n_invokes, 0);
}

START_TEST(of_the_static_handles_only_those_are_called_that_the_broker_needs)
{
	static const uint32_t may[] = {0, 2, 3, 4, 16, 17, UINT32_MAX};

	must_refuse(1, FASTRPC_SCALARS(1, 0, 0), NULL);
	for (uint32_t handle = 5; handle < 16; handle++)
		must_refuse(handle, FASTRPC_SCALARS(1, 0, 0), NULL);
	for (size_t i = 0; i < ARRAY_SIZE(may); i++)
		ck_assert_int_eq(node_invoke(&node, may[i], FASTRPC_SCALARS(1, 0, 0), NULL).error,
			0);
	ck_assert_uint_eq(kernel.n_invokes, ARRAY_SIZE(may));
}
END_TEST

START_TEST(scalars_are_a_method_and_bounded_counts)
{
	static const struct node_arg none[256 + 255] = {};

	for (unsigned int bit = 29; bit < 32; bit++)
		must_refuse(MODULE, FASTRPC_SCALARS(1, 0, 0) | 1u << bit, none);
	for (unsigned int bit = 0; bit < 8; bit++)
		must_refuse(MODULE, FASTRPC_SCALARS(1, 0, 0) | 1u << bit, none);
	must_refuse(MODULE, FASTRPC_SCALARS(1, 33, 0), none);
	must_refuse(MODULE, FASTRPC_SCALARS(1, 0, 33), none);
	must_refuse(MODULE, FASTRPC_SCALARS(1, 17, 16), none);
	must_refuse(MODULE, FASTRPC_SCALARS(1, 255, 255), none);
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(31, 16, 16), none).error, 0);
}
END_TEST

START_TEST(a_range_lies_within_its_buffer)
{
	_cleanup_(fd_closep) int dmabuf = kernel_dmabuf(1);
	const uint64_t size = KERNEL_PAGE;
	struct node_buffer buffer;

	ck_assert_int_eq(qda_driver.map(&node, dmabuf, size, true, &buffer), 0);
	const struct node_arg wrong[] = {part(&buffer, size, 1), part(&buffer, 0, size + 1),
		part(&buffer, 1, size), part(&buffer, UINT64_MAX, 1), part(&buffer, UINT64_MAX, 2),
		part(&buffer, 8, UINT64_MAX), part(&buffer, 1, UINT64_MAX)};
	const struct node_arg right[] = {part(&buffer, 0, size), part(&buffer, size - 1, 1)};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		must_refuse(MODULE, FASTRPC_SCALARS(1, 1, 0), &wrong[i]);
		must_refuse(MODULE, FASTRPC_SCALARS(1, 0, 1), &wrong[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(right); i++)
		ck_assert_int_eq(invoke(FASTRPC_SCALARS(1, 1, 0), &right[i]).error, 0);
	ck_assert_int_eq(qda_driver.unmap(&node, &buffer), 0);
}
END_TEST

START_TEST(small_arguments_are_not_endless)
{
	static uint8_t byte;
	struct node_arg args[] = {own(&byte, UINT64_MAX), own(&byte, 1)};

	must_refuse(MODULE, FASTRPC_SCALARS(1, 1, 1), args);
	args[0].length = UINT64_MAX - ALIGN + 2; /* it would round to 0 */
	must_refuse(MODULE, FASTRPC_SCALARS(1, 1, 1), args);
	args[0].length = 16 * 1024 * 1024;
	must_refuse(MODULE, FASTRPC_SCALARS(1, 1, 1), args);
}
END_TEST

/* Caches that the DSP does not see. */

static void expect_sync(unsigned int i, int fd, uint64_t flags, unsigned int n_invokes)
{
	ck_assert_uint_lt(i, kernel.n_syncs);
	ck_assert_uint_eq(kernel.syncs[i].dmabuf, kernel_inode(fd));
	ck_assert_uint_eq(kernel.syncs[i].flags, flags);
	ck_assert_uint_eq(kernel.syncs[i].n_invokes, n_invokes);
}

START_TEST(what_its_client_cannot_write_back_is_written_back_for_each_call)
{
	_cleanup_(fd_closep) int dmabuf = kernel_dmabuf(1);
	struct node_buffer buffer;

	ck_assert_int_eq(qda_driver.map(&node, dmabuf, KERNEL_PAGE, false, &buffer), 0);
	const struct node_arg args[] = {part(&buffer, 0, 8)};

	kernel.n_syncs = 0;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(1, 0, 1), args).error, 0);
	/* Never as a reader before: that would drop what its client wrote. */
	expect_sync(0, dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, 0);
	expect_sync(1, dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 0);
	expect_sync(kernel.n_syncs - 2, dmabuf, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, 1);
	expect_sync(kernel.n_syncs - 1, dmabuf, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, 1);
	ck_assert_int_eq(qda_driver.unmap(&node, &buffer), 0);
}
END_TEST

START_TEST(what_its_client_writes_back_itself_is_left_to_it)
{
	_cleanup_(fd_closep) int dmabuf = kernel_dmabuf(1);
	struct node_buffer buffer;

	ck_assert_int_eq(qda_driver.map(&node, dmabuf, KERNEL_PAGE, true, &buffer), 0);
	const struct node_arg args[] = {part(&buffer, 0, 8)};

	kernel.n_syncs = 0;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(1, 1, 0), args).error, 0);
	ck_assert_uint_eq(kernel.n_syncs, 0);
	ck_assert_int_eq(qda_driver.unmap(&node, &buffer), 0);
}
END_TEST

START_TEST(so_is_the_scratch_before_a_call_and_after)
{
	uint8_t in[] = "abc", out[3];
	const struct node_arg args[] = {own(in, 3), own(out, 3)};

	kernel.n_syncs = 0;
	kernel.invoke = reverse;
	ck_assert_int_eq(invoke(FASTRPC_SCALARS(1, 1, 1), args).error, 0);
	ck_assert_mem_eq(out, "cba", 3);
	ck_assert_uint_eq(kernel.n_syncs, 4);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert_uint_eq(kernel.syncs[i].dmabuf, seen.args[0].dmabuf);
		ck_assert_uint_eq(kernel.syncs[i].flags,
			DMA_BUF_SYNC_RW | (i % 2 ? DMA_BUF_SYNC_END : DMA_BUF_SYNC_START));
		ck_assert_uint_eq(kernel.syncs[i].n_invokes, i / 2);
	}
}
END_TEST

START_TEST(a_dsp_that_sees_our_caches_needs_none_of_it)
{
	check_that_small_arguments_come_and_go();
	ck_assert_uint_eq(kernel.n_syncs, 0);
}
END_TEST

/* Attributes. */

static int tell(const struct kernel_call *call)
{
	uint32_t count;

	ck_assert_uint_eq(call->handle, FASTRPC_UTILITIES);
	ck_assert_uint_eq(call->scalars, FASTRPC_SCALARS(0, 1, 1));
	ck_assert_uint_eq(call->args[0].length, sizeof(count));
	memcpy(&count, call->args[0].data, sizeof(count));
	ck_assert_uint_eq(count, 255);
	ck_assert_uint_eq(call->args[1].length, count * sizeof(uint32_t));
	for (uint32_t i = 0; i < count; i++)
		memcpy(call->args[1].data + i * sizeof(i), &(uint32_t){1000 + i}, sizeof(i));
	return 0;
}

static int tell_nothing(const struct kernel_call *call)
{
	(void)call;
	return (int)0x80000414;
}

START_TEST(attributes_are_those_that_the_other_driver_would_tell)
{
	uint32_t values[FASTRPC_ATTRIBUTES];

	kernel.invoke = tell;
	ck_assert_int_eq(qda_driver.attributes(&node, 3, values), 0);
	ck_assert_uint_eq(values[FASTRPC_ATTRIBUTE_DOMAIN], 0);
	for (uint32_t i = 1; i < FASTRPC_ATTRIBUTES; i++)
		ck_assert_uint_eq(values[i], 1000 + i - 1);
	kernel.invoke = tell_nothing;
	ck_assert_int_eq(qda_driver.attributes(&node, 3, values), -EOPNOTSUPP);
	kernel.invoke = return_5;
	ck_assert_int_eq(qda_driver.attributes(&node, 3, values), -EREMOTEIO);
	kernel.invoke_error = EIO;
	ck_assert_int_eq(qda_driver.attributes(&node, 3, values), -EIO);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*before)(void))
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, before, tear_down);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static Suite *suite(void)
{
	Suite *suite = suite_create("calls on the accel driver");
	TCase *calls = add_case(suite, "calls", set_up);
	TCase *memfds = add_case(suite, "memfds", set_up_memfds);
	TCase *incoherent = add_case(suite, "incoherent", set_up_incoherent);

	tcase_add_test(calls, small_arguments_are_copied_into_an_object_and_back);
	tcase_add_test(calls, no_two_small_arguments_share_a_line_of_a_cache);
	tcase_add_test(calls, an_output_shows_nothing_of_another_call);
	tcase_add_test(calls, a_buffer_is_used_in_place);
	tcase_add_test(calls, large_arguments_get_a_larger_object_which_is_kept_unless_it_is_huge);
	tcase_add_test(calls, who_is_about_to_be_interrupted_calls_nothing_more);
	tcase_add_test(calls,
		calls_at_the_same_time_have_objects_of_their_own_which_are_used_again);
	tcase_add_test(calls, outputs_come_back_beside_an_error_of_the_dsps);
	tcase_add_test(calls, a_dsp_may_return_any_number);
	tcase_add_test(calls, that_the_dsp_is_gone_the_driver_says_twice);
	tcase_add_test(calls, an_interrupted_call_is_the_last_one);
	tcase_add_test(calls, a_signal_alone_interrupts_nothing);
	tcase_add_test(calls, memory_of_an_interrupted_call_is_the_dsps_until_the_node_is_closed);
	tcase_add_test(calls, of_the_static_handles_only_those_are_called_that_the_broker_needs);
	tcase_add_test(calls, scalars_are_a_method_and_bounded_counts);
	tcase_add_test(calls, a_range_lies_within_its_buffer);
	tcase_add_test(calls, small_arguments_are_not_endless);
	tcase_add_test(calls, a_dsp_that_sees_our_caches_needs_none_of_it);
	tcase_add_test(calls, attributes_are_those_that_the_other_driver_would_tell);
	tcase_add_test(memfds, so_they_are_where_there_is_no_heap_but_memfds);
	tcase_add_test(incoherent, what_its_client_cannot_write_back_is_written_back_for_each_call);
	tcase_add_test(incoherent, what_its_client_writes_back_itself_is_left_to_it);
	tcase_add_test(incoherent, so_is_the_scratch_before_a_call_and_after);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
