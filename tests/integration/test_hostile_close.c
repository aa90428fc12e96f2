// SPDX-License-Identifier: MIT
/* A client whose descriptors take their time to be closed. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/hostile.h"

#define LINGER_S 3600

/* A TCP socket that has sent what its peer does not read: whoever closes it last, waits for that.
 */
static int connect_lingering(const struct sockaddr_in *address)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char bytes[65536] = {};

	require_eq(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	require_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

/* In a process of its own: one that ends does not wait, so that it is the broker who closes last.
 * Of more requests than it may leave unanswered, the broker leaves some unread. */
static void send_and_leave(const struct harness *harness, const struct sockaddr_in *address,
	size_t n_fds, int n_requests)
{
	int fd = connect_lingering(address), fds[] = {fd, fd, fd, fd, fd, fd};
	struct dsp_query query = {};
	struct raw raw;

	raw_start(&raw, harness);
	while (n_requests--) {
		query.header = raw_header(&raw, DSP_QUERY_SESSION);
		raw_send(&raw, &query, sizeof(query), fds, n_requests ? 0 : n_fds);
	}
	_exit(EXIT_SUCCESS);
}

/* False where there is no network at all. */
static bool listen_somewhere(int *out, struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);

	*address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	*out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*out >= 0 && bind(*out, (struct sockaddr *)address, size) == 0 &&
		listen(*out, 8) == 0 && getsockname(*out, (struct sockaddr *)address, &size) == 0)
		return true;
	fprintf(stderr, "SKIPPED: there is no loopback network: %m\n");
	return false;
}

static void send_lingering(void *harness)
{
	static const struct {
		size_t n_fds;
		int n_requests;
	} ways[] = {{1, 1}, {6, 1}, {1, 200}, {6, 200}};
	struct sockaddr_in address;
	unsigned int start = 0;
	int listener, status;

	if (!listen_somewhere(&listener, &address))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		pid_t pid = fork();

		require(pid >= 0);
		if (pid == 0)
			send_and_leave(harness, &address, ways[i].n_fds, ways[i].n_requests);
		require(accept(listener, NULL, NULL) >= 0); /* stays open, and unread */
		require_eq(waitpid(pid, &status, 0), pid);
		require_eq(status, 0);
	}
	require_soon(!innocent_waits(&start, 3));
}

START_TEST(descriptors_that_linger_when_they_are_closed_keep_nobody_waiting)
{
	hostile_run(ALLOW_ALL, send_lingering);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hostile close");
	TCase *tcase = tcase_create("close");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, descriptors_that_linger_when_they_are_closed_keep_nobody_waiting);
	suite_add_tcase(suite, tcase);
	return harness_main(suite);
}
