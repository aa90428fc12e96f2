// SPDX-License-Identifier: MIT
#include "protocol/sock.h"
#include "tests/fds.h"
#include "tests/suite.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int pair[2];
static size_t fds_before;

static void set_up(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fds_before = count_fds(getpid());
}

/* Whatever a test did, no descriptor is left that was not there before. */
static void tear_down(void)
{
	ck_assert_uint_eq(count_fds(getpid()), fds_before);
	fd_close(pair[0]);
	fd_close(pair[1]);
}

/* What sock_send() would not: any number of copies of one descriptor. */
static void send_raw(const void *packet, size_t size, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 200)];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)packet, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
	}
	for (size_t i = 0; i < n_fds; i++)
		memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &pair[0], sizeof(int));
	ck_assert_int_eq(sendmsg(pair[0], &msg, MSG_NOSIGNAL), (ssize_t)size);
}

START_TEST(a_packet_arrives_with_its_descriptors_in_order_and_close_on_exec)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	int sent[DSP_FDS_MAX], ends[2];
	char packet[16];

	for (size_t i = 0; i < ARRAY_SIZE(sent); i += 2) {
		ck_assert_int_eq(pipe(ends), 0);
		sent[i] = ends[0];
		sent[i + 1] = ends[1];
	}
	ck_assert_int_eq(sock_send(pair[0], "hello", 5, sent, DSP_FDS_MAX, 0), 0);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), 5);
	ck_assert_mem_eq(packet, "hello", 5);
	ck_assert_uint_eq(fds.n, DSP_FDS_MAX);
	for (size_t i = 0; i < fds.n; i += 2) {
		char byte = 0;

		ck_assert_int_eq(write(sent[i + 1], &(char){(char)i}, 1), 1);
		ck_assert_int_eq(read(fds.fd[i], &byte, 1), 1);
		ck_assert_int_eq(byte, (char)i);
	}
	for (size_t i = 0; i < fds.n; i++) {
		ck_assert_int_eq(fcntl(fds.fd[i], F_GETFD), FD_CLOEXEC);
		fd_close(sent[i]);
	}
}
END_TEST

START_TEST(a_taken_descriptor_has_left_the_set)
{
	_cleanup_(fd_closep) int taken = -1;
	struct sock_fds fds = {};
	char packet[16];

	send_raw("x", 1, 2);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), 1);
	taken = sock_fds_take(&fds, 1);
	ck_assert_int_ge(taken, 0);
	ck_assert_int_eq(sock_fds_take(&fds, 1), -1);
	ck_assert_int_eq(sock_fds_take(&fds, 2), -1);
	sock_fds_close(&fds);
	ck_assert_int_ne(fcntl(taken, F_GETFD), -1);
	sock_fds_close(&fds);
	ck_assert_uint_eq(fds.n, 0);
}
END_TEST

START_TEST(more_descriptors_than_allowed_are_refused_and_closed)
{
	static const size_t counts[] = {DSP_FDS_MAX + 1, 2 * DSP_FDS_MAX, 2 * DSP_FDS_MAX + 1, 200};
	struct sock_fds fds = {};
	char packet[16];

	send_raw("x", 1, counts[_i]);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), -EPROTO);
	ck_assert_uint_eq(fds.n, 0);
	send_raw("y", 1, 0);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), 1);
	ck_assert_int_eq(packet[0], 'y');
}
END_TEST

START_TEST(descriptors_without_room_in_this_process_are_an_error_and_the_packet_is_there)
{
	struct rlimit before, none;
	struct sock_fds fds = {};
	char packet[16] = "";

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	send_raw("x", 1, 2);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), -EMFILE);
	ck_assert_uint_eq(fds.n, 0);
	ck_assert_int_eq(packet[0], 'x');
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	send_raw("y", 1, 2);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), 1);
	ck_assert_uint_eq(fds.n, 2);
	sock_fds_close(&fds);
}
END_TEST

START_TEST(ancillary_data_of_another_kind_is_refused_with_its_descriptors)
{
	struct sock_fds fds = {};
	char packet[16];
	int on = 1;

	ck_assert_int_eq(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	send_raw("x", 1, 1);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), -EPROTO);
	ck_assert_uint_eq(fds.n, 0);
}
END_TEST

START_TEST(a_packet_that_is_too_large_is_refused_with_its_descriptors)
{
	char large[DSP_MESSAGE_MAX + 1] = {0}, packet[DSP_MESSAGE_MAX];
	struct sock_fds fds = {};

	send_raw(large, sizeof(large), 2);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), -EMSGSIZE);
	ck_assert_uint_eq(fds.n, 0);
	send_raw(large, sizeof(packet), 0);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), sizeof(packet));
}
END_TEST

START_TEST(an_empty_packet_counts_as_the_end_and_leaves_no_descriptor)
{
	struct sock_fds fds = {};
	char packet[16];

	send_raw("", 0, 2);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, 0), 0);
	ck_assert_uint_eq(fds.n, 0);
}
END_TEST

START_TEST(nothing_there_is_not_the_end)
{
	struct sock_fds fds = {};
	char packet[16];

	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, MSG_DONTWAIT),
		-EAGAIN);
	shutdown(pair[0], SHUT_RDWR);
	ck_assert_int_eq(sock_receive(pair[1], packet, sizeof(packet), &fds, MSG_DONTWAIT), 0);
}
END_TEST

START_TEST(sending_to_a_peer_who_has_left_is_an_error_and_not_a_signal)
{
	signal(SIGPIPE, SIG_DFL);
	shutdown(pair[1], SHUT_RDWR);
	ck_assert_int_eq(sock_send(pair[0], "x", 1, NULL, 0, 0), -EPIPE);
}
END_TEST

START_TEST(sending_to_a_peer_who_does_not_read_ends_with_eagain)
{
	char packet[DSP_MESSAGE_MAX] = {0};
	int r = 0;

	for (int i = 0; i < 100000 && r == 0; i++)
		r = sock_send(pair[0], packet, sizeof(packet), NULL, 0, MSG_DONTWAIT);
	ck_assert_int_eq(r, -EAGAIN);
}
END_TEST

START_TEST(more_descriptors_than_allowed_are_not_sent)
{
	int fds[DSP_FDS_MAX + 1] = {pair[0], pair[0], pair[0], pair[0], pair[0]};

	ck_assert_int_eq(sock_send(pair[0], "x", 1, fds, ARRAY_SIZE(fds), 0), -EINVAL);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("sock");
	TCase *tcase = tcase_create("sock");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_packet_arrives_with_its_descriptors_in_order_and_close_on_exec);
	tcase_add_test(tcase, a_taken_descriptor_has_left_the_set);
	tcase_add_loop_test(tcase, more_descriptors_than_allowed_are_refused_and_closed, 0, 4);
	tcase_add_test(tcase,
		descriptors_without_room_in_this_process_are_an_error_and_the_packet_is_there);
	tcase_add_test(tcase, ancillary_data_of_another_kind_is_refused_with_its_descriptors);
	tcase_add_test(tcase, a_packet_that_is_too_large_is_refused_with_its_descriptors);
	tcase_add_test(tcase, an_empty_packet_counts_as_the_end_and_leaves_no_descriptor);
	tcase_add_test(tcase, nothing_there_is_not_the_end);
	tcase_add_test(tcase, sending_to_a_peer_who_has_left_is_an_error_and_not_a_signal);
	tcase_add_test(tcase, sending_to_a_peer_who_does_not_read_ends_with_eagain);
	tcase_add_test(tcase, more_descriptors_than_allowed_are_not_sent);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
