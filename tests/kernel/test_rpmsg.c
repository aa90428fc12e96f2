// SPDX-License-Identifier: MIT
/*
 * The testbed's rpmsg is the kernel's: drivers/rpmsg/{virtio_rpmsg_bus,rpmsg_ctrl,rpmsg_char}.c do
 * here what they do on hardware, and the remote processor does what it is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rpmsg.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "tests/kernel/testbed.h"

#define TX_BUFFERS 256 /* that the kernel has for all endpoints of a remote processor */

START_TEST(the_remote_processor_has_a_control_device)
{
	struct stat st;

	require_eq(stat(RPMSG_CTRL, &st), 0);
	require(S_ISCHR(st.st_mode));
}
END_TEST

START_TEST(a_service_is_a_channel_from_its_announcement_to_its_withdrawal)
{
	remote("serve 2000 echo");
	for (int i = 0; i < 100; i++) {
		require(!has_channel("some-service", 2000));
		remote("announce 2000 some-service");
		require_soon(has_channel("some-service", 2000));
		remote("withdraw 2000");
		require_soon(!has_channel("some-service", 2000));
	}
}
END_TEST

START_TEST(every_size_up_to_the_mtu_is_echoed)
{
	_cleanup_(fd_closep) int fd = -1;

	remote("serve 2001 echo");
	fd = rpmsg_open("sizes", 2001, O_RDWR);
	for (size_t size = 1; size <= RPMSG_MTU; size++)
		rpmsg_echo(fd, size);
}
END_TEST

START_TEST(a_byte_more_than_the_mtu_is_refused)
{
	static const uint8_t data[RPMSG_MTU + 1];
	_cleanup_(fd_closep) int fd = -1;

	remote("serve 2002 sink");
	fd = rpmsg_open("too-long", 2002, O_RDWR);
	require(write(fd, data, sizeof(data)) < 0);
	require_eq(errno, EMSGSIZE);
	require_eq(write(fd, data, sizeof(data) - 1), sizeof(data) - 1);
}
END_TEST

START_TEST(an_endpoint_device_has_one_opener_at_a_time)
{
	struct rpmsg_node node;
	_cleanup_(fd_closep) int first = -1, second = -1;

	remote("serve 2003 echo");
	node = rpmsg_node("exclusive", 2003);
	first = open(node.path, O_RDWR | O_CLOEXEC);
	require(first >= 0);
	require(open(node.path, O_RDWR | O_CLOEXEC) < 0);
	require_eq(errno, EBUSY);
	first = fd_close(first);
	second = open(node.path, O_RDWR | O_CLOEXEC);
	require(second >= 0);
	rpmsg_echo(second, 10);
}
END_TEST

START_TEST(a_destroyed_endpoint_is_gone_at_once)
{
	struct rpmsg_node node;
	_cleanup_(fd_closep) int fd = -1;

	remote("serve 2004 echo");
	node = rpmsg_node("destroyed", 2004);
	fd = open(node.path, O_RDWR | O_CLOEXEC);
	require(fd >= 0);
	require_eq(ioctl(fd, RPMSG_DESTROY_EPT_IOCTL), 0);
	require(write(fd, "x", 1) < 0);
	require_eq(errno, EPIPE);
	require(access(node.path, F_OK) < 0);
}
END_TEST

START_TEST(a_flood_arrives_whole_and_in_order)
{
	_cleanup_(fd_closep) int fd = -1;
	uint32_t request[] = {20000, 100};

	remote("serve 2005 source");
	fd = rpmsg_open("flood", 2005, O_RDWR);
	require_eq(write(fd, request, sizeof(request)), sizeof(request));
	for (uint32_t i = 0; i < request[0]; i++) {
		uint8_t data[RPMSG_MTU];
		uint32_t number;

		require_eq(rpmsg_receive(fd, data), request[1]);
		memcpy(&number, data, sizeof(number));
		require_eq(number, i);
	}
}
END_TEST

START_TEST(a_remote_processor_that_hangs_makes_senders_try_again)
{
	_cleanup_(fd_closep) int fd = -1;
	char expected[32];
	int n = 0;

	remote("serve 2006 sink");
	fd = rpmsg_open("hang", 2006, O_RDWR | O_NONBLOCK);
	remote("hang");
	while (write(fd, "x", 1) == 1)
		require(++n <= TX_BUFFERS);
	require_eq(errno, EAGAIN);
	require_text(remote("count 2006"), "0 0 ");
	remote("resume");
	snprintf(expected, sizeof(expected), "%d %d ", n, n);
	require_soon(strncmp(remote("count 2006"), expected, strlen(expected)) == 0);
	require_soon(write(fd, "x", 1) == 1);
}
END_TEST

static const char *const garbage[] = {
	"short-announcement",
	"long-announcement",
	"unterminated-announcement",
	"no-recipient",
	"short-buffer",
	"long-length",
	"long-buffer",
};

START_TEST(garbage_leaves_the_bus_in_use)
{
	_cleanup_(fd_closep) int fd = -1;

	remote("serve 2007 echo");
	fd = rpmsg_open(garbage[_i], 2007, O_RDWR);
	remote("garbage %s", garbage[_i]);
	rpmsg_echo(fd, 100);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("rpmsg");
	TCase *tcase = tcase_create("rpmsg");

	tcase_add_test(tcase, the_remote_processor_has_a_control_device);
	tcase_add_test(tcase, a_service_is_a_channel_from_its_announcement_to_its_withdrawal);
	tcase_add_test(tcase, every_size_up_to_the_mtu_is_echoed);
	tcase_add_test(tcase, a_byte_more_than_the_mtu_is_refused);
	tcase_add_test(tcase, an_endpoint_device_has_one_opener_at_a_time);
	tcase_add_test(tcase, a_destroyed_endpoint_is_gone_at_once);
	tcase_add_test(tcase, a_flood_arrives_whole_and_in_order);
	tcase_add_test(tcase, a_remote_processor_that_hangs_makes_senders_try_again);
	tcase_add_loop_test(tcase, garbage_leaves_the_bus_in_use, 0, ARRAY_SIZE(garbage));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
