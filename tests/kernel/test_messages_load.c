// SPDX-License-Identifier: MIT
/*
 * Many messages through the broker and the kernel's drivers (virtio_rpmsg_bus, rpmsg_ctrl,
 * rpmsg_char): who gets which, who reads too slowly, and who must not notice.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/integration/hostile.h"
#include "tests/kernel/messages.h"

static struct harness harness;

/* Twenty sessions. Clients of several users, each with some of the sessions, do one thing after
 * the other at random: send in each of the ways there are, receive, reap, wait. Each message comes
 * back from one of two echoes. */

#define CLIENTS          5
#define CLIENT_SESSIONS  4
#define SESSION_MESSAGES 5000 /* 100,000 altogether */
#define WINDOW           48   /* of a session, below its queue's length: so none may be dropped */

struct lane {
	struct dspbroker_session *session;
	uint32_t owner;
	uint32_t sent, received; /* numbers of the next */
	uint32_t submitted, reaped;
};

struct party {
	uint64_t seed;
	uint32_t number;
	struct dspbroker *broker;
	struct lane lanes[CLIENT_SESSIONS];
};

/* Marsaglia's xorshift, for each client one of its own: all must not do the same. */
static uint32_t below(struct party *party, uint32_t n)
{
	party->seed ^= party->seed << 13;
	party->seed ^= party->seed >> 7;
	party->seed ^= party->seed << 17;
	return (uint32_t)((party->seed >> 32) % n);
}

static bool may_send(const struct lane *lane)
{
	return lane->sent < SESSION_MESSAGES && lane->sent - lane->received < WINDOW;
}

static size_t next_message(struct party *party, const struct lane *lane, uint8_t *message)
{
	size_t size = STAMPED_MIN + below(party, RPMSG_MTU - STAMPED_MIN + 1);

	stamp(message, size, lane->owner, lane->sent);
	return size;
}

static void sends(struct party *party, struct lane *lane)
{
	uint8_t message[RPMSG_MTU];

	if (!may_send(lane))
		return;
	require_eq(dspbroker_send(lane->session, message, next_message(party, lane, message), -1),
		0);
	lane->sent++;
}

/* With as many at once as it happens. */
static void submits(struct party *party, struct lane *lane)
{
	uint8_t message[RPMSG_MTU];

	for (uint32_t n = below(party, 2 * WINDOW); n > 0 && may_send(lane); n--) {
		int r = dspbroker_submit_send(lane->session, message,
			next_message(party, lane, message), lane);

		if (r == -EAGAIN)
			return;
		require_eq(r, 0);
		lane->sent++;
		lane->submitted++;
	}
}

static void tries_to_send(struct party *party, struct lane *lane)
{
	uint8_t message[RPMSG_MTU];
	int r;

	while (may_send(lane)) {
		r = dspbroker_try_send(lane->session, message, next_message(party, lane, message));
		if (r == DSPBROKER_BUSY)
			return;
		require_eq(r, 0);
		lane->sent++;
	}
}

/* Returns false when there was none in time. */
static bool take_one(struct lane *lane, int timeout_ms)
{
	uint8_t message[RPMSG_MTU];
	uint32_t dropped;
	size_t length;
	int r = dspbroker_receive(lane->session, message, sizeof(message), &length, &dropped,
		timeout_ms);

	if (r == DSPBROKER_TIMED_OUT)
		return false;
	require_eq(r, 0);
	require_eq(dropped, 0);
	require_eq(stamp_number(message, length, lane->owner), lane->received);
	lane->received++;
	return true;
}

static void receives(struct party *party, struct lane *lane)
{
	for (uint32_t n = below(party, 2 * WINDOW); n > 0 && take_one(lane, 0); n--)
		continue;
}

static void waits(struct party *party, struct lane *lane)
{
	(void)party;
	if (lane->sent > lane->received && !take_one(lane, PATIENCE_MS))
		harness_fail(__FILE__, __LINE__, "session %u: message %u of %u never came",
			lane->owner, lane->received, lane->sent);
}

static void reaps(struct party *party, struct lane *lane)
{
	struct dspbroker_completion completions[WINDOW];
	int n = dspbroker_reap(party->broker, completions, 1 + below(party, WINDOW), 0);

	(void)lane;
	require(n >= 0);
	for (int i = 0; i < n; i++) {
		struct lane *done = completions[i].user;

		require_eq(completions[i].status, 0);
		require(completions[i].session == done->session);
		done->reaped++;
	}
}

static void (*const acts[])(struct party *party, struct lane *lane) = {
	sends, submits, submits, tries_to_send, receives, receives, waits, reaps};

static bool has_all(const struct party *party)
{
	for (size_t i = 0; i < CLIENT_SESSIONS; i++)
		if (party->lanes[i].received < SESSION_MESSAGES ||
			party->lanes[i].reaped < party->lanes[i].submitted)
			return false;
	return true;
}

static void takes_part(void *data)
{
	struct party *party = data;

	party->broker = connect_to(&harness);
	for (uint32_t i = 0; i < CLIENT_SESSIONS; i++)
		party->lanes[i] = (struct lane){
			.session =
				open_channel(party->broker, i % 2 ? "rpmsg0/odd" : "rpmsg0/even"),
			.owner = party->number * CLIENT_SESSIONS + i,
		};
	step_reached('o');
	step_await('g');
	while (!has_all(party))
		acts[below(party, ARRAY_SIZE(acts))](party,
			&party->lanes[below(party, CLIENT_SESSIONS)]);
	for (size_t i = 0; i < CLIENT_SESSIONS; i++) {
		require_eq(receive_nothing(party->lanes[i].session, 0), DSPBROKER_TIMED_OUT);
		require_eq(party->lanes[i].received, SESSION_MESSAGES);
		require_eq(party->lanes[i].reaped, party->lanes[i].submitted);
	}
	dspbroker_free(party->broker);
}

/* All of them are open before the first message is sent. */
START_TEST(twenty_sessions_get_their_own_messages_each_once_and_in_order)
{
	static const uid_t users[] = {ALICE, BOB, CAROL};
	static struct party parties[CLIENTS];
	struct client clients[CLIENTS];
	size_t nodes = count_nodes();

	serve(2000, "echo", "even");
	serve(2001, "echo", "odd");
	harness_start(&harness, ALLOW_WITH(", \"limits\": {\"timeout_ms\": 60000}"));
	for (uint32_t i = 0; i < CLIENTS; i++) {
		parties[i] = (struct party){.seed = random_next() | 1, .number = i};
		client_start(&clients[i], users[i % ARRAY_SIZE(users)], takes_part, &parties[i]);
		client_await(&clients[i], 'o');
	}
	require_eq(count_nodes(), nodes + CLIENTS * CLIENT_SESSIONS);
	for (size_t i = 0; i < CLIENTS; i++)
		client_go(&clients[i], 'g');
	for (size_t i = 0; i < CLIENTS; i++)
		client_end(&clients[i]);
	require_eq(remote_count(2000).messages + remote_count(2001).messages,
		CLIENTS * CLIENT_SESSIONS * SESSION_MESSAGES);
	require_soon(count_nodes() <= nodes);
	harness_stop(&harness);
}
END_TEST

/* A reader that is slow. */

#define QUEUE      "100"
#define QUEUE_SIZE 100
#define FLOOD      5000
#define HELD_MAX   64 /* messages that the broker may have handed out already, calls_max */

/* The numbers of messages from a source. */
struct numbers {
	uint32_t base; /* of the source's numbers, which begin with 0 each time it is asked */
	uint32_t received, lost, next;
};

/* Take the next, whose number says how many were lost before it. False: there is none in time. */
static bool try_number(struct dspbroker_session *session, struct numbers *numbers, int timeout_ms)
{
	uint8_t message[RPMSG_MTU];
	uint32_t number, dropped = 0;
	size_t length;
	int r = dspbroker_receive(session, message, sizeof(message), &length, &dropped, timeout_ms);

	if (r == DSPBROKER_TIMED_OUT)
		return false;
	require_eq(r, 0);
	memcpy(&number, message, sizeof(number));
	require_eq(numbers->base + number, numbers->next + dropped);
	numbers->next = numbers->base + number + 1;
	numbers->received++;
	numbers->lost += dropped;
	return true;
}

static void take_number(struct dspbroker_session *session, struct numbers *numbers)
{
	require(try_number(session, numbers, PATIENCE_MS));
}

/* Read nothing until all of it has arrived; what was lost is then told with the next message. */
static void reads_late(void *data)
{
	struct dspbroker *broker = connect_to(&harness), *observer = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/slow");
	struct dspbroker_session_record record;
	struct numbers numbers = {0};

	(void)data;
	ask_source(session, FLOOD, 60);
	require_soon(session_record(observer, "rpmsg0/slow").received == FLOOD);
	record = session_record(observer, "rpmsg0/slow");
	require_eq(record.queued, QUEUE_SIZE);
	while (numbers.received < FLOOD - record.dropped)
		take_number(session, &numbers);
	require_eq(numbers.lost, 0); /* it is the newest that are dropped */
	require(numbers.received >= QUEUE_SIZE && numbers.received <= QUEUE_SIZE + HELD_MAX);
	require_eq(receive_nothing(session, 0), DSPBROKER_TIMED_OUT);

	remote("emit 2010 0 2 60");
	numbers.base = FLOOD;
	take_number(session, &numbers);
	require_eq(numbers.lost, record.dropped);
	take_number(session, &numbers);
	require_eq(numbers.next, FLOOD + 2);
	record = session_record(observer, "rpmsg0/slow");
	require_eq(record.received, FLOOD + 2);
	require_eq(record.dropped, numbers.lost);
	require_eq(record.queued, 0);
	dspbroker_free(observer);
	dspbroker_free(broker);
}

START_TEST(who_reads_too_slowly_loses_the_newest_and_is_told_how_many)
{
	serve(2010, "source", "slow");
	harness_start(&harness, ALLOW_WITH(", \"limits\": {\"messages\": " QUEUE "}"));
	client_run(ALICE, reads_late, NULL);
	harness_stop(&harness);
}
END_TEST

/* The same, but policy wants it to end. */
static void is_closed(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/overflows");
	struct dspbroker_session *other = open_channel(broker, "rpmsg0/beside");
	struct dspbroker_event event;
	uint8_t message[RPMSG_MTU];
	uint32_t number, n = 0, dropped;
	size_t length;
	int r;

	(void)data;
	ask_source(session, FLOOD, 60);
	event = await_event(broker, DSPBROKER_EVENT_SESSION);
	require(event.session == session);
	require_eq(event.status, DSPBROKER_OVER_LIMIT);
	require(*event.text);
	while ((r = dspbroker_receive(session, message, sizeof(message), &length, &dropped,
			PATIENCE_MS)) == 0) {
		memcpy(&number, message, sizeof(number));
		require_eq(dropped, 0);
		require_eq(number, n);
		n++;
	}
	require_eq(r, DSPBROKER_OVER_LIMIT);
	/* What had arrived is not lost. */
	if (n < QUEUE_SIZE || n > QUEUE_SIZE + HELD_MAX)
		harness_fail(__FILE__, __LINE__, "there were %u messages", n);
	require_eq(dspbroker_send(session, message, 1, -1), DSPBROKER_OVER_LIMIT);
	require_soon(remote_count(2011).left == 0);
	echo_stamped(other, 100, 1, 1);
	dspbroker_session_close(session);
	echo_stamped(open_channel(broker, "rpmsg0/beside"), 100, 1, 2);
	step_reached('d');
	step_await('e');
	dspbroker_free(broker);
}

static void lives_beside(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/beside");
	struct dspbroker_session *calls = open_channel(broker, EXAMPLE);

	(void)data;
	echo_stamped(session, 100, 2, 1);
	step_reached('o');
	step_await('c');
	echo_stamped(session, 100, 2, 2);
	require_eq(invoke_plain(calls, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(where_policy_says_so_an_overflow_ends_the_session_and_no_other)
{
	struct client victim, other;
	size_t nodes = count_nodes();

	serve(2011, "source", "overflows");
	serve(2012, "echo", "beside");
	harness_start(&harness,
		ALLOW_WITH(", \"overflow\": \"close\", \"limits\": {\"messages\": " QUEUE "}"));
	client_start(&other, BOB, lives_beside, NULL);
	client_await(&other, 'o');
	client_start(&victim, ALICE, is_closed, NULL);
	client_await(&victim, 'd');
	require_soon(count_nodes() == nodes + 3);
	client_go(&other, 'c');
	client_end(&other);
	client_go(&victim, 'e');
	client_end(&victim);
	harness_stop(&harness);
}
END_TEST

/* A remote processor that floods. */

#define TORRENT 20000 /* messages at a time */

static void reads_a_torrent(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/torrent");
	struct dspbroker_session_record record;
	struct numbers numbers = {0};

	(void)data;
	ask_source(session, TORRENT, 100);
	while (numbers.received < TORRENT)
		take_number(session, &numbers);
	require_eq(numbers.lost, 0);
	record = session_record(broker, "rpmsg0/torrent");
	require_eq(record.received, TORRENT);
	require_eq(record.dropped, 0);
	dspbroker_free(broker);
}

START_TEST(a_flood_arrives_whole_where_the_queue_can_hold_it)
{
	serve(2020, "source", "torrent");
	harness_start(&harness, ALLOW_WITH(", \"limits\": {\"messages\": 20000}"));
	client_run(ALICE, reads_a_torrent, NULL);
	harness_stop(&harness);
}
END_TEST

/* Shared by the processes of a test. */
static atomic_bool *served;

/* Until each of @asked messages was either taken or, as the broker counts, dropped. */
static void take_all(struct dspbroker *broker, struct dspbroker_session *session,
	struct numbers *numbers, uint32_t asked)
{
	struct dspbroker_session_record record;

	do {
		while (try_number(session, numbers, 0))
			continue;
		record = session_record(broker, "rpmsg0/endless");
	} while (record.received < asked || numbers->received + record.dropped < record.received);
	require_eq(record.received, asked);
	require_eq(numbers->received + record.dropped, asked);
	require(numbers->lost <= record.dropped); /* some may be told with the next message */
}

static void is_flooded(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/endless");
	struct numbers numbers = {0};

	(void)data;
	do {
		ask_source(session, TORRENT, 100);
		if (numbers.base == 0)
			step_reached('f');
		take_all(broker, session, &numbers, numbers.base + TORRENT);
		numbers.base += TORRENT;
	} while (!*served);
	require_eq(remote_count(2021).emitted, numbers.base);
	dspbroker_free(broker);
}

static void is_served(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *calls = open_channel(broker, EXAMPLE);
	struct dspbroker_session *echo = open_channel(broker, "rpmsg0/trickle");

	(void)data;
	for (uint32_t i = 0; i < 50; i++) {
		require_eq(invoke_plain(calls, EXAMPLE_NOP), 0);
		echo_stamped(echo, 100, 1, i);
	}
	*served = true;
	dspbroker_free(broker);
}

/* The flood goes on until the other has been served. */
START_TEST(a_flood_without_end_is_counted_and_keeps_nobody_else_from_being_served)
{
	struct client flooded;

	served = mmap(NULL, sizeof(*served), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0);
	require(served != MAP_FAILED);
	serve(2021, "source", "endless");
	serve(2022, "echo", "trickle");
	harness_start(&harness, ALLOW_WITH(""));
	client_start(&flooded, ALICE, is_flooded, NULL);
	client_await(&flooded, 'f');
	client_run(BOB, is_served, NULL);
	client_end(&flooded);
	harness_stop(&harness);
	munmap(served, sizeof(*served));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("load of messages over rpmsg_char");
	TCase *tcase = tcase_create("load");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, twenty_sessions_get_their_own_messages_each_once_and_in_order);
	tcase_add_test(tcase, who_reads_too_slowly_loses_the_newest_and_is_told_how_many);
	tcase_add_test(tcase, where_policy_says_so_an_overflow_ends_the_session_and_no_other);
	tcase_add_test(tcase, a_flood_arrives_whole_where_the_queue_can_hold_it);
	tcase_add_test(tcase,
		a_flood_without_end_is_counted_and_keeps_nobody_else_from_being_served);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
