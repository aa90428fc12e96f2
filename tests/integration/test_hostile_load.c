// SPDX-License-Identifier: MIT
/* A client that wants too much: requests without end, replies never read, connections that say
 * nothing, processes that are killed in the middle of everything. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "daemon/transport/softdsp.h"
#include "tests/integration/hostile.h"

/* Requests without end. */

#define FLOODERS 16

static atomic_bool flood_over;

static void *flood_with_queries(void *harness)
{
	struct dsp_query query = {};
	union raw_packet reply;
	struct raw raw;

	raw_start(&raw, harness);
	while (!flood_over) {
		raw_ring(&raw);
		query.header = raw_header(&raw, DSP_QUERY_CHANNEL);
		raw_try_send(&raw, &query, sizeof(query), NULL, 0, MSG_DONTWAIT);
		while (recv(raw.sock, &reply, sizeof(reply), MSG_DONTWAIT) > 0)
			continue;
	}
	raw_close(&raw);
	return NULL;
}

static void flood(void *harness)
{
	pthread_t threads[FLOODERS];
	unsigned int start = 0;

	for (int i = 0; i < FLOODERS; i++)
		require_eq(pthread_create(&threads[i], NULL, flood_with_queries, harness), 0);
	require_soon(!innocent_waits(&start, 3));
	flood_over = true;
	for (int i = 0; i < FLOODERS; i++)
		require_eq(pthread_join(threads[i], NULL), 0);
}

START_TEST(a_flood_of_requests_keeps_nobody_from_connecting_and_calling)
{
	hostile_run(ALLOW_ALL, flood);
}
END_TEST

/* Replies that nobody reads. */

#define CRASHES       8
#define THROTTLED_MAX 4096 /* requests that get into two sockets and a queue, and some more */

/* Every other one wants a descriptor. */
static bool send_one(struct raw *raw)
{
	struct dsp_query query = {.header = raw_header(raw, DSP_QUERY_SESSION)};
	struct dsp_alloc alloc = {.header = query.header, .size = 4096};
	bool odd = raw->serial % 2;
	int r;

	alloc.header.opcode = DSP_ALLOC;
	r = raw_try_send(raw, odd ? (void *)&query : (void *)&alloc,
		odd ? sizeof(query) : sizeof(alloc), NULL, 0, MSG_DONTWAIT);
	if (r < 0)
		raw->serial--;
	return r == 0;
}

/* Until no more go while the innocent is served, which says that the broker does not read them. */
static uint32_t send_until_throttled(struct raw *raw)
{
	unsigned int start = 0;
	uint32_t n = 0;

	while (innocent_waits(&start, 2)) {
		if (send_one(raw)) {
			start = 0;
			require(++n < THROTTLED_MAX);
		} else {
			poll(NULL, 0, 1);
		}
	}
	return n;
}

static void crash_sessions(struct raw *raw, const uint32_t *sessions)
{
	for (uint64_t i = 0; i < CRASHES; i++) {
		struct dsp_slot slot = raw_invoke(sessions[i], EXAMPLE_CRASH, i);

		require_eq(raw_call(raw, &slot, 1).status, DSP_DOMAIN_CRASHED);
	}
}

static void read_nothing(void *harness)
{
	uint32_t sessions[CRASHES], sent, serial, events = 0, replies = 0;
	union raw_packet packet;
	struct raw raw;

	raw_start(&raw, harness);
	for (int i = 0; i < CRASHES; i++)
		sessions[i] = raw_open(&raw, EXAMPLE);
	serial = raw.serial;
	sent = send_until_throttled(&raw);
	crash_sessions(&raw, sessions);

	while (replies < sent || events < CRASHES) { /* each of them, once, and in order */
		require(raw_receive(&raw, &packet, NULL));
		if (packet.header.opcode == DSP_EVENT_SESSION) {
			events++;
			continue;
		}
		require_eq(packet.header.serial, ++serial);
		replies++;
	}
	raw_open(&raw, EXAMPLE);
	raw_close(&raw);
}

START_TEST(who_reads_no_replies_is_throttled_and_loses_none)
{
	hostile_run(ALLOW_ALL, read_nothing);
}
END_TEST

/* Lines in the log. */

static void be_expelled(void *harness)
{
	for (int i = 0; i < 10 * LOG_BURST; i++) {
		struct raw raw;

		raw_connect(&raw, harness);
		raw_send(&raw, "x", 1, NULL, 0);
		raw_expect_end(&raw);
		raw_close(&raw);
	}
}

static unsigned int count_lines(const char *path)
{
	unsigned int n = 0;
	char line[1024];
	FILE *file = fopen(path, "re");

	require(file);
	while (fgets(line, sizeof(line), file))
		n++;
	fclose(file);
	return n;
}

START_TEST(who_is_expelled_again_and_again_cannot_fill_the_log)
{
	struct harness harness;
	unsigned int before;

	harness_start(&harness, ALLOW_ALL);
	before = count_lines(harness.log);
	client_run(ATTACKER, be_expelled, &harness);
	require_soon(count_lines(harness.log) >= before + LOG_BURST);
	require(count_lines(harness.log) < before + 2 * LOG_BURST);
	harness_stop(&harness);
}
END_TEST

/* Connections. */

static void connect_and_say_nothing(void *harness)
{
	static struct raw raw[LIMIT_USER_CLIENTS + 50];
	union raw_packet packet;
	unsigned int start = 0;

	for (size_t i = 0; i < ARRAY_SIZE(raw); i++)
		raw_connect(&raw[i], harness);
	for (size_t i = LIMIT_USER_CLIENTS; i < ARRAY_SIZE(raw); i++) {
		require(raw_receive(&raw[i], &packet, NULL));
		require_eq(packet.header.opcode, DSP_ERROR);
		require_eq(packet.error.status, DSP_OVER_LIMIT);
		require_eq(packet.error.limit, LIMIT_USER_CLIENTS);
		raw_expect_end(&raw[i]);
	}
	require_soon(!innocent_waits(&start, 3));
	for (size_t i = 0; i < ARRAY_SIZE(raw); i++)
		raw_close(&raw[i]);
}

START_TEST(silent_connections_are_limited_for_each_user_alone)
{
	if (harness_has_files())
		hostile_run(ALLOW_ALL, connect_and_say_nothing);
}
END_TEST

static void open_and_leave(void *harness)
{
	storm_of_opens(harness, EXAMPLE, 30);
}

START_TEST(a_storm_of_opens_and_closes_leaves_nothing_behind)
{
	hostile_run(ALLOW_ALL, open_and_leave);
}
END_TEST

/* A domain that is full refuses to be shared: to tell that to a client who has left already must
 * not touch what is undone. */

#define CROWD                                       \
	POLICY(ALLOW("crowd", EVERYBODY, "\"*/*\"", \
		", \"share_domain\": \"all\", \"limits\": {\"sessions\": 1024}"))

static void fill_domain(void *harness)
{
	struct raw raw;

	raw_start(&raw, harness);
	for (int i = 0; i < SOFT_SESSIONS_MAX; i++)
		raw_open(&raw, EXAMPLE);
	step_reached('f');
	step_await('e');
	raw_close(&raw);
}

static void open_full_domain(void *harness)
{
	struct dsp_open request;
	struct raw raw;

	for (int i = 0; i < 50; i++) {
		raw_start(&raw, harness);
		request = raw_open_request(&raw, EXAMPLE);
		raw_send(&raw, &request, sizeof(request), NULL, 0);
		if (i == 0)
			raw_expect_error(&raw, DSP_NO_RESOURCES, 0);
		raw_close(&raw);
	}
}

START_TEST(an_open_that_fails_after_its_client_has_left_is_undone_once)
{
	struct harness harness;
	struct client filler;

	if (!harness_has_users() || !harness_has_files())
		return;
	harness_start(&harness, CROWD);
	client_start(&filler, INNOCENT, fill_domain, &harness);
	client_await(&filler, 'f');
	client_run(ATTACKER, open_full_domain, &harness);
	client_go(&filler, 'e');
	client_end(&filler);
	harness_stop(&harness);
}
END_TEST

/* Processes that are killed. */

#define KILLED_AT_ONCE 4
#define KILL_ROUNDS    40

/* All that one can be in the middle of. */
static void do_everything(const struct harness *harness)
{
	uint32_t session, buffer, imported, user_data = 0;
	struct dsp_slot slots[2];
	struct raw raw;
	int fd;

	raw_start(&raw, harness);
	session = raw_open(&raw, EXAMPLE);
	buffer = raw_alloc(&raw, 1 << 16, &fd);
	require_eq(raw_import(&raw, fd, 0, &imported), DSP_OK);
	for (int i = 0; i < 50; i++) {
		slots[0] = raw_invoke(session, EXAMPLE_COPY, user_data++);
		slots[0].n_in = slots[0].n_out = 1;
		slots[0].args[0] = (struct dsp_arg){buffer, 0, 1 << 16};
		slots[0].args[1] = (struct dsp_arg){imported, 0, 1 << 16};
		slots[1] = raw_invoke(session, EXAMPLE_NOP, user_data++);
		raw_push(&raw, slots, 2);
		raw_submit(&raw);
		for (int j = 0; j < 2; j++)
			require_eq(raw_reap(&raw).status, DSP_OK);
	}
	require_eq(raw_free(&raw, buffer), DSP_OK);
	fd_close(fd);
	raw_close(&raw);
}

static noreturn void be_victim(const struct harness *harness)
{
	require_eq(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	for (;;)
		do_everything(harness);
}

static pid_t start_victim(const struct harness *harness)
{
	pid_t pid = fork();

	require(pid >= 0);
	if (pid == 0)
		be_victim(harness);
	return pid;
}

static void kill_at_random(void *harness)
{
	pid_t victims[KILLED_AT_ONCE];
	int status;

	for (int i = 0; i < KILL_ROUNDS; i++) {
		for (int j = 0; j < KILLED_AT_ONCE; j++)
			victims[j] = start_victim(harness);
		for (int j = 0; j < KILLED_AT_ONCE; j++) {
			usleep(random_below(10000)); /* the moment is what is random */
			require_eq(kill(victims[j], SIGKILL), 0);
			require_eq(waitpid(victims[j], &status, 0), victims[j]);
			require(WIFSIGNALED(status)); /* none has failed by itself */
		}
	}
}

START_TEST(clients_killed_at_any_moment_leave_nothing_behind)
{
	hostile_run(ALLOW_ALL, kill_at_random);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hostile load");
	TCase *tcase = tcase_create("load");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, a_flood_of_requests_keeps_nobody_from_connecting_and_calling);
	tcase_add_test(tcase, who_reads_no_replies_is_throttled_and_loses_none);
	tcase_add_test(tcase, who_is_expelled_again_and_again_cannot_fill_the_log);
	tcase_add_test(tcase, silent_connections_are_limited_for_each_user_alone);
	tcase_add_test(tcase, a_storm_of_opens_and_closes_leaves_nothing_behind);
	tcase_add_test(tcase, an_open_that_fails_after_its_client_has_left_is_undone_once);
	tcase_add_test(tcase, clients_killed_at_any_moment_leave_nothing_behind);
	suite_add_tcase(suite, tcase);
	return harness_main(suite);
}
