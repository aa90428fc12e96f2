// SPDX-License-Identifier: MIT
/* The testbed's FastRPC is the kernel's: drivers/misc/fastrpc.c and drivers/iommu/virtio-iommu.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "tests/kernel/testbed.h"

static const char *const nodes[] = {"/dev/fastrpc-cdsp", "/dev/fastrpc-cdsp-secure"};

static bool have_nodes(int mode)
{
	return access(nodes[0], mode) == 0 && access(nodes[1], mode) == 0;
}

static bool have_no_nodes(void)
{
	return access(nodes[0], F_OK) < 0 && access(nodes[1], F_OK) < 0;
}

START_TEST(its_nodes_come_and_go_with_its_channel)
{
	remote("serve 3000 fastrpc");
	for (int i = 0; i < 20; i++) {
		require(have_no_nodes());
		remote("announce 3000 " FASTRPC_CHANNEL);
		require_soon(have_nodes(R_OK | W_OK));
		remote("withdraw 3000");
		require_soon(have_no_nodes());
	}
}
END_TEST

/* dsp.dts gives it two context banks of one session, and one of two. */
START_TEST(a_session_is_an_open_node_and_there_are_as_many_as_the_device_tree_says)
{
	int fds[4];

	remote("serve 3001 fastrpc");
	remote("announce 3001 " FASTRPC_CHANNEL);
	require_soon(have_nodes(R_OK | W_OK));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = open(nodes[i % 2], O_RDWR | O_CLOEXEC);
		require(fds[i] >= 0);
	}
	require(open(nodes[0], O_RDWR | O_CLOEXEC) < 0);
	require_eq(errno, EBUSY);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
	remote("withdraw 3001");
	require_soon(have_no_nodes());
}
END_TEST

START_TEST(the_iommu_lets_the_remote_processor_at_no_memory_that_was_not_mapped)
{
	remote("serve 3002 fastrpc");
	remote("announce 3002 " FASTRPC_CHANNEL);
	require_soon(have_nodes(R_OK | W_OK));
	remote_refuses("peek 1 0x1000 16", "Bad address");
	require_soon(kernel_said("page fault from EP 1 at 0x1000 [R]"));
	remote("withdraw 3002");
	require_soon(have_no_nodes());
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fastrpc");
	TCase *tcase = tcase_create("fastrpc");

	tcase_add_test(tcase, its_nodes_come_and_go_with_its_channel);
	tcase_add_test(tcase,
		a_session_is_an_open_node_and_there_are_as_many_as_the_device_tree_says);
	tcase_add_test(tcase, the_iommu_lets_the_remote_processor_at_no_memory_that_was_not_mapped);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
