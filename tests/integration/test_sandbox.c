// SPDX-License-Identifier: MIT
/* Clients that have nothing but the socket: no files, no rights, hardly a system call. */
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define BLOCK (1 << 20)

static struct harness harness;

/* All that an app does, with a connection it has. */
static void uses_everything(struct dspbroker *broker)
{
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, BLOCK);
	char text[] = "inline", back[sizeof(text)] = "", *memory;
	const struct dspbroker_arg there[] = {
		{.data = text, .length = sizeof(text)},
		{.buffer = buffer, .offset = BLOCK - sizeof(text), .length = sizeof(text)},
	};
	const struct dspbroker_arg again[] = {there[1], {.data = back, .length = sizeof(back)}};
	struct dspbroker_call call = {.method = EXAMPLE_COPY, .n_in = 1, .n_out = 1, .args = there};
	struct dspbroker_channel_info info;

	require_eq(dspbroker_next_channel(broker, 0, &info), 1);
	require_eq(dspbroker_buffer_map(buffer, (void **)&memory), 0);
	require_eq(dspbroker_invoke(session, &call, NULL), 0);
	require_text(memory + BLOCK - sizeof(text), text);
	call.args = again;
	require_eq(dspbroker_invoke(session, &call, NULL), 0);
	require_text(back, text);
	for (uintptr_t i = 1; i <= 30; i++)
		require_eq(submit_sleep(session, 100, i), 0);
	require(dspbroker_cancel(session, (void *)30) >= 0);
	for (uintptr_t i = 1; i <= 30; i++)
		reap_one(broker);
	require_eq(invoke_plain(session, EXAMPLE_CRASH), DSPBROKER_DOMAIN_CRASHED);
	require_eq(next_event(broker).type, DSPBROKER_EVENT_SESSION);
	dspbroker_session_close(session);
	dspbroker_buffer_free(buffer);
	session = open_channel(broker, EXAMPLE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_session_close(session);
	dspbroker_free(broker);
}

/* Root at first, in a jail with nothing in it but the socket. */
static void lives_in_a_jail(void *data)
{
	struct dspbroker *broker;

	require_eq(chroot(data), 0);
	require_eq(chdir("/"), 0);
	require_eq(setresgid(ALICE, ALICE, ALICE), 0);
	require_eq(setresuid(ALICE, ALICE, ALICE), 0);
	require_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	require_eq(access("/proc", F_OK), -1);
	require_eq(access("/dev", F_OK), -1);
	require_eq(dspbroker_connect(&broker, "/broker.sock"), 0);
	uses_everything(broker);
	/* A sanitizer would now want files to look for leaks in. */
	_exit(EXIT_SUCCESS);
}

START_TEST(a_client_whose_root_holds_nothing_but_the_socket_can_do_everything)
{
	struct client client;
	char jail[128], path[160];

	if (!harness_has_users())
		return;
	harness_prepare(&harness);
	snprintf(jail, sizeof(jail), "%s/jail", harness.dir);
	snprintf(path, sizeof(path), "%s/broker.sock", jail);
	require_eq(mkdir(jail, 0755), 0);
	require_eq(chown(jail, BROKER_UID, BROKER_UID), 0);
	harness_spawn(&harness, &(struct harness_options){.policy = ALLOW_ALL, .socket = path});
	harness_await_ready(&harness);
	client_start(&client, 0, lives_in_a_jail, jail);
	client_end(&client);
	harness_stop(&harness);
}
END_TEST

/* What dspbroker.h says that the library needs, under the names that C libraries call it by on one
 * architecture or another; anything else ends the process. */
static const int always[] = {
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(getcpu),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fcntl),
	SCMP_SYS(clock_gettime),
	/* malloc() */
	SCMP_SYS(brk),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	/* the end of the test */
	SCMP_SYS(exit_group),
};

static const int while_connecting[] = {
	SCMP_SYS(getsockopt),
	SCMP_SYS(eventfd2),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
};

static void allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		require_eq(seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0), 0);
}

static void confine(bool connecting)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

	require(filter);
	allow(filter, always, ARRAY_SIZE(always));
	if (connecting)
		allow(filter, while_connecting, ARRAY_SIZE(while_connecting));
	require_eq(seccomp_load(filter), 0);
	seccomp_release(filter);
}

static int connect_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", harness.socket);
	require(fd >= 0);
	require_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void is_confined_before_it_connects(void *data)
{
	struct dspbroker *broker;
	int fd = connect_socket();

	(void)data;
	confine(true);
	require_eq(dspbroker_connect_fd(&broker, fd), 0);
	uses_everything(broker);
}

static void is_confined_once_connected(void *data)
{
	struct dspbroker *broker;

	(void)data;
	require_eq(dspbroker_connect_fd(&broker, connect_socket()), 0);
	confine(false);
	uses_everything(broker);
}

static void breaks_the_rules(void *data)
{
	(void)data;
	confine(true);
	require_eq(access("/", F_OK), 0);
}

/* The run-time of a sanitizer needs more system calls than the library. */
static bool can_be_confined(void)
{
	if (SANITIZED)
		fprintf(stderr, "SKIPPED: the sanitizer needs system calls of its own\n");
	return !SANITIZED;
}

START_TEST(the_system_calls_that_the_header_names_are_enough)
{
	struct client client;

	if (!can_be_confined())
		return;
	harness_start(&harness, ALLOW_ALL);
	client_run(ALICE, is_confined_before_it_connects, NULL);
	client_run(ALICE, is_confined_once_connected, NULL);
	/* And the filter is one. */
	client_start(&client, ALICE, breaks_the_rules, NULL);
	require_eq(client_signal(&client), SIGSYS);
	harness_stop(&harness);
}
END_TEST

static void gives_wrong_descriptors(void *data)
{
	struct dspbroker *broker;
	int pair[2], fd;

	(void)data;
	require_eq(dspbroker_connect_fd(&broker, -1), -EBADF);
	require_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	require_eq(dspbroker_connect_fd(&broker, pair[0]), -EPROTOTYPE);
	close(pair[0]);
	close(pair[1]);
	require_eq(pipe(pair), 0);
	require_eq(dspbroker_connect_fd(&broker, pair[0]), -ENOTSOCK);
	close(pair[0]);
	close(pair[1]);
	fd = connect_socket();
	require_eq(dspbroker_connect_fd(&broker, fd), 0);
	uses_everything(broker);
	require_eq(close(fd), -1); /* it was the library's */
}

START_TEST(a_connected_socket_is_taken_over_and_anything_else_is_not)
{
	harness_start(&harness, ALLOW_ALL);
	client_run(ALICE, gives_wrong_descriptors, NULL);
	harness_stop(&harness);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tcase = tcase_create("sandbox");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, a_client_whose_root_holds_nothing_but_the_socket_can_do_everything);
	tcase_add_test(tcase, the_system_calls_that_the_header_names_are_enough);
	tcase_add_test(tcase, a_connected_socket_is_taken_over_and_anything_else_is_not);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
