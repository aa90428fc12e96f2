// SPDX-License-Identifier: MIT
/* The accel driver's nodes: which one is opened, its buffer objects, and its domain. */
#include "tests/qda_kernel.h"
#include "tests/suite.h"

static struct node node;

static void set_up(void)
{
	kernel_start_with(true);
	node = NODE_NONE;
}

static void tear_down(void)
{
	if (node.driver)
		qda_driver.close(&node);
	node_dispose(&node);
	kernel_stop();
}

static void open_it(void)
{
	ck_assert_int_eq(kernel_open(&node, true), 0);
}

/* Opening. */

START_TEST(an_open_node_is_ours_was_opened_by_another_and_has_a_context_bank)
{
	open_it();
	ck_assert_int_eq(fcntl(node.fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_ne(node.owner, getpid());
	ck_assert_ptr_eq(node.driver, &qda_driver);
	ck_assert_uint_eq(kernel_n_handles(), 1);
	qda_driver.close(&node);
	ck_assert_int_eq(node.fd, -1);
	/* What the DSP may write to, if it has not let go. */
	ck_assert_uint_gt(count_fds(getpid()), kernel_fds);
	node_dispose(&node);
	ck_assert_ptr_null(node.own);
	ck_assert_uint_eq(count_fds(getpid()), kernel_fds);
}
END_TEST

START_TEST(a_node_of_another_driver_or_of_another_dsp_is_none)
{
	static const char *const says[] = {"vgem cdsp", "qdaa cdsp", "qd cdsp", "qda adsp",
		"qda cdsp1", "qda cds", "qda cdspcdspcdspcdsp", "qda "};

	for (size_t i = 0; i < ARRAY_SIZE(says); i++) {
		tree_write("dev/accel/accel0", says[i]);
		ck_assert_msg(kernel_open(&node, true) == -ENODEV, "%s", says[i]);
		ck_assert_int_eq(node.fd, -1);
		ck_assert_uint_eq(count_fds(getpid()), kernel_fds);
	}
	ck_assert_uint_eq(kernel.n_imports, 0);
}
END_TEST

START_TEST(a_node_that_does_not_say_what_it_is_is_none)
{
	kernel.version_error = ENOTTY;
	ck_assert_int_eq(kernel_open(&node, true), -ENOTTY);
	kernel.version_error = 0;
	kernel.query_error = ENODEV;
	ck_assert_int_eq(kernel_open(&node, true), -ENODEV);
	tree_remove("dev/accel/accel0");
	ck_assert_int_eq(kernel_open(&node, true), -ENOENT);
	ck_assert_uint_eq(kernel.n_imports, 0);
}
END_TEST

START_TEST(without_a_context_bank_it_is_busy)
{
	kernel.import_error = ENOMEM;
	ck_assert_int_eq(kernel_open(&node, true), -EBUSY);
	ck_assert_int_eq(node.fd, -1);
	kernel.import_error = EINVAL;
	ck_assert_int_eq(kernel_open(&node, true), -EINVAL);
}
END_TEST

/* What is missing is not the DSP. */
START_TEST(without_memory_for_a_scratch_it_is_not_opened)
{
	kernel_memory = memory_free(kernel_memory);
	tree_remove("dev/udmabuf");
	tree_remove("dev/dma_heap/system");
	ck_assert_int_eq(memory_new(&kernel_memory, kernel_dev()), 0);
	kernel_fds = count_fds(getpid());
	ck_assert_int_eq(kernel_open(&node, true), -EOPNOTSUPP);
	ck_assert_int_eq(node.fd, -1);
}
END_TEST

/* Buffer objects. */

START_TEST(the_same_dmabuf_is_one_object_until_its_last_use_ends)
{
	_cleanup_(fd_closep) int dmabuf = kernel_dmabuf(2), other = -1;
	struct node_buffer first, second;
	unsigned int before;

	open_it();
	before = kernel_n_handles();
	other = fcntl(dmabuf, F_DUPFD_CLOEXEC, 3);
	ck_assert_int_eq(qda_driver.map(&node, dmabuf, KERNEL_PAGE, true, &first), 0);
	ck_assert_int_eq(qda_driver.map(&node, other, KERNEL_PAGE, true, &second), 0);
	ck_assert_uint_eq(first.handle, second.handle);
	ck_assert_ptr_ne(first.window, second.window);
	ck_assert_uint_eq(kernel_n_handles(), before + 1);
	ck_assert_int_eq(qda_driver.unmap(&node, &first), 0);
	ck_assert_uint_eq(kernel_n_handles(), before + 1);
	ck_assert_int_eq(qda_driver.unmap(&node, &second), 0);
	ck_assert_uint_eq(kernel_n_handles(), before);
}
END_TEST

START_TEST(an_object_that_cannot_be_closed_stays_what_it_was)
{
	_cleanup_(fd_closep) int dmabuf = kernel_dmabuf(1);
	struct node_buffer buffer;

	open_it();
	ck_assert_int_eq(qda_driver.map(&node, dmabuf, KERNEL_PAGE, true, &buffer), 0);
	kernel.close_error = ENODEV;
	ck_assert_int_eq(qda_driver.unmap(&node, &buffer), -ENODEV);
	ck_assert_ptr_nonnull(buffer.window);
	kernel.close_error = 0;
	ck_assert_int_eq(qda_driver.unmap(&node, &buffer), 0);
	ck_assert_uint_eq(kernel_handle_of(kernel_inode(dmabuf)), 0);
}
END_TEST

START_TEST(what_cannot_be_imported_leaves_nothing)
{
	_cleanup_(fd_closep) int dmabuf = kernel_dmabuf(1);
	struct node_buffer buffer;

	open_it();
	kernel.import_error = EINVAL;
	ck_assert_int_eq(qda_driver.map(&node, dmabuf, KERNEL_PAGE, true, &buffer), -EINVAL);
	ck_assert_ptr_null(buffer.window);
	kernel.import_error = 0;
	ck_assert_int_eq(qda_driver.map(&node, dmabuf, 0, true, &buffer), -EINVAL);
	/* To the posted driver a descriptor that is 0 means bytes to be copied. */
	ck_assert_int_eq(qda_driver.map(&node, 0, KERNEL_PAGE, true, &buffer), -EINVAL);
	ck_assert_int_eq(qda_driver.map(&node, -1, KERNEL_PAGE, true, &buffer), -EINVAL);
	ck_assert_uint_eq(kernel_n_handles(), 1);
}
END_TEST

START_TEST(what_is_mapped_can_be_forgotten_when_the_node_is_closed)
{
	_cleanup_(fd_closep) int dmabuf = kernel_dmabuf(1);
	struct node_buffer buffer;

	open_it();
	ck_assert_int_eq(qda_driver.map(&node, dmabuf, KERNEL_PAGE, true, &buffer), 0);
	qda_driver.close(&node);
	qda_driver.forget(&buffer);
	ck_assert_ptr_null(buffer.window);
}
END_TEST

/* Domains. */

START_TEST(a_domain_starts_from_a_dmabuf_which_is_let_go_then)
{
	_cleanup_(fd_closep) int shell = kernel_dmabuf(3);
	const unsigned int size = 2 * KERNEL_PAGE + 7;

	open_it();
	kernel.create_result = 0x27;
	ck_assert_int_eq(qda_driver.create(&node, shell, size, 8).result, 0x27);
	ck_assert_uint_eq(kernel.create.filelen, size);
	ck_assert_int_eq(kernel.create.filefd, shell);
	ck_assert_uint_eq(kernel.create.attrs, 8);
	ck_assert_uint_eq(kernel.create.siglen, 0);
	ck_assert_uint_eq(kernel.create.file, 0);
	ck_assert_uint_eq(kernel_handle_of(kernel_inode(shell)), 0);
}
END_TEST

START_TEST(a_shell_that_the_dsp_may_still_read_is_kept)
{
	_cleanup_(fd_closep) int shell = kernel_dmabuf(1);

	open_it();
	kernel.create_result = -ETIMEDOUT;
	ck_assert_int_eq(qda_driver.create(&node, shell, KERNEL_PAGE, 0).error, -ETIMEDOUT);
	ck_assert_uint_ne(kernel_handle_of(kernel_inode(shell)), 0);
}
END_TEST

/* The kernel would read it at an address of its own memory. */
START_TEST(a_shell_that_is_in_no_buffer_is_not_handed_to_the_kernel)
{
	_cleanup_(fd_closep) int shell = kernel_dmabuf(1);

	open_it();
	ck_assert_int_eq(qda_driver.create(&node, -1, KERNEL_PAGE, 0).error, -EINVAL);
	ck_assert_int_eq(qda_driver.create(&node, 0, KERNEL_PAGE, 0).error, -EINVAL);
	ck_assert_int_eq(qda_driver.create(&node, shell, 0, 0).error, -EINVAL);
	ck_assert_int_eq(qda_driver.create(&node, shell, UINT32_MAX, 0).error, -EINVAL);
	ck_assert_uint_eq(kernel.n_creates, 0);
	ck_assert_uint_eq(kernel_n_handles(), 1);
}
END_TEST

START_TEST(an_interrupted_start_is_the_last_that_is_asked)
{
	_cleanup_(fd_closep) int shell = kernel_dmabuf(1);

	open_it();
	kernel.signalled = true;
	kernel.create_result = -EINTR;
	ck_assert_int_eq(qda_driver.create(&node, shell, KERNEL_PAGE, 0).error, -EINTR);
	ck_assert_int_eq(qda_driver.create(&node, shell, KERNEL_PAGE, 0).error, -EINTR);
	ck_assert_uint_eq(kernel.n_creates, 1);
	ck_assert_uint_ne(kernel_handle_of(kernel_inode(shell)), 0);
}
END_TEST

START_TEST(a_heap_grows_and_shrinks_by_memory_of_the_kernels)
{
	uint64_t remote = 0;

	open_it();
	ck_assert_int_eq(qda_driver.grow(&node, 0x3000, &remote).error, 0);
	ck_assert_uint_eq(remote, 0x40000000);
	ck_assert_uint_eq(kernel.map.request, 1);
	ck_assert_uint_eq(kernel.map.flags, 0x1000);
	ck_assert_int_eq(kernel.map.fd, -1);
	ck_assert_uint_eq(kernel.map.size, 0x3000);
	ck_assert_uint_eq(kernel.map.vaddrin | kernel.map.attrs | kernel.map.offset, 0);
	ck_assert_int_eq(qda_driver.shrink(&node, remote, 0x3000).error, 0);
	ck_assert_uint_eq(kernel.unmap.request, 1);
	ck_assert_int_eq(kernel.unmap.fd, -1);
	ck_assert_uint_eq(kernel.unmap.vaddr, 0);
	ck_assert_uint_eq(kernel.unmap.vaddrout, remote);
	ck_assert_uint_eq(kernel.unmap.size, 0x3000);
}
END_TEST

START_TEST(there_are_users_domains_only)
{
	ck_assert_ptr_null(qda_driver.attach);
	ck_assert_ptr_null(qda_driver.create_static);
}
END_TEST

START_TEST(the_list_of_requests_has_each_once)
{
	const struct filter_rule *rules = qda_calls.rules;

	ck_assert_uint_gt(qda_calls.n, 0);
	for (size_t i = 0; i < qda_calls.n; i++) {
		ck_assert_ptr_nonnull(rules[i].why);
		ck_assert_int_eq(rules[i].number, SCMP_SYS(ioctl));
		ck_assert_uint_eq(rules[i].arg.arg, 1);
		ck_assert_uint_eq(rules[i].arg.datum_a, UINT32_MAX);
		for (size_t j = 0; j < i; j++)
			ck_assert(rules[i].arg.datum_b != rules[j].arg.datum_b);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("the accel driver's nodes");
	TCase *opening = tcase_create("opening"), *objects = tcase_create("buffer objects");
	TCase *domains = tcase_create("domains");

	tcase_add_checked_fixture(opening, set_up, tear_down);
	tcase_add_test(opening, an_open_node_is_ours_was_opened_by_another_and_has_a_context_bank);
	tcase_add_test(opening, a_node_of_another_driver_or_of_another_dsp_is_none);
	tcase_add_test(opening, a_node_that_does_not_say_what_it_is_is_none);
	tcase_add_test(opening, without_a_context_bank_it_is_busy);
	tcase_add_test(opening, without_memory_for_a_scratch_it_is_not_opened);
	suite_add_tcase(suite, opening);
	tcase_add_checked_fixture(objects, set_up, tear_down);
	tcase_add_test(objects, the_same_dmabuf_is_one_object_until_its_last_use_ends);
	tcase_add_test(objects, an_object_that_cannot_be_closed_stays_what_it_was);
	tcase_add_test(objects, what_cannot_be_imported_leaves_nothing);
	tcase_add_test(objects, what_is_mapped_can_be_forgotten_when_the_node_is_closed);
	suite_add_tcase(suite, objects);
	tcase_add_checked_fixture(domains, set_up, tear_down);
	tcase_add_test(domains, a_domain_starts_from_a_dmabuf_which_is_let_go_then);
	tcase_add_test(domains, a_shell_that_the_dsp_may_still_read_is_kept);
	tcase_add_test(domains, a_shell_that_is_in_no_buffer_is_not_handed_to_the_kernel);
	tcase_add_test(domains, an_interrupted_start_is_the_last_that_is_asked);
	tcase_add_test(domains, a_heap_grows_and_shrinks_by_memory_of_the_kernels);
	tcase_add_test(domains, there_are_users_domains_only);
	tcase_add_test(domains, the_list_of_requests_has_each_once);
	suite_add_tcase(suite, domains);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
