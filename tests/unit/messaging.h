// SPDX-License-Identifier: MIT
/* A session that takes messages, at a broker that does as it is told; for the tests of the client
 * library that include this. */
#ifndef DSP_TESTS_MESSAGING_H
#define DSP_TESTS_MESSAGING_H

#include <check.h>
#include <poll.h>
#include <string.h>

#include "client/internal.h"
#include "tests/unit/fake_broker.h"

#define TIMEOUT_MS 20000       /* of what must happen; never waited for in full */
#define WINDOW     8u          /* RECEIVEs that a session holds when it is alone */
#define ORDINARY   0x80000000u /* a message that begins with this and a number comes back */

static struct fake_broker *fake;
static struct dspbroker *broker;
static struct dspbroker_session *session;

static inline struct dspbroker_session *open_channel(const char *channel)
{
	struct dspbroker_session *opened;

	ck_assert_int_eq(dspbroker_session_open(broker, &opened, channel), 0);
	return opened;
}

static inline void set_up(void)
{
	int fd;

	fake = fake_broker_start(FAKE_HELLO_HONEST, &fd);
	ck_assert_int_eq(dspbroker_connect_fd(&broker, fd), 0);
	session = open_channel(FAKE_MESSAGES);
}

static inline void tear_down(void)
{
	dspbroker_free(broker);
	fake_broker_stop(fake);
}

static inline bool readable(int timeout_ms)
{
	struct pollfd fd = {.fd = dspbroker_fd(broker), .events = POLLIN};

	return poll(&fd, 1, timeout_ms) == 1;
}

/* A wake-up may still be on its way after what it announced was taken. */
static inline void assert_unreadable(void)
{
	struct dspbroker_completion done;
	struct dspbroker_event event;

	do {
		ck_assert_int_eq(dspbroker_reap(broker, &done, 1, 0), 0);
		ck_assert_int_eq(dspbroker_next_event(broker, &event), 0);
		ck_assert_ptr_null(dspbroker_next_message(broker));
	} while (readable(0));
}

static inline int tell(struct dspbroker_session *to, enum fake_word word, uint32_t a, uint32_t b)
{
	const struct fake_saying saying = {word, a, b};

	return dspbroker_send(to, &saying, sizeof(saying), -1);
}

static inline int submit_saying(enum fake_word word, void *user)
{
	const struct fake_saying saying = {.word = word};

	return dspbroker_submit_send(session, &saying, sizeof(saying), user);
}

static inline int submit_number(uint32_t number)
{
	number |= ORDINARY;
	return dspbroker_submit_send(session, &number, sizeof(number), NULL);
}

/* Receive what is a number; plain enough for any thread. */
static inline int receive_number(struct dspbroker_session *from, uint32_t *number, int timeout_ms)
{
	char data[FAKE_MTU];
	size_t length = 0;
	int r;

	*number = 0;
	r = dspbroker_receive(from, data, sizeof(data), &length, NULL, timeout_ms);
	if (r)
		return r;
	if (length != sizeof(*number))
		return -EBADMSG;
	memcpy(number, data, sizeof(*number));
	return 0;
}

static inline void assert_numbers(struct dspbroker_session *from, uint32_t first, uint32_t n)
{
	uint32_t number;

	for (uint32_t i = first; i < first + n; i++) {
		ck_assert_int_eq(receive_number(from, &number, TIMEOUT_MS), 0);
		ck_assert_uint_eq(number, i);
	}
}

static inline int reap_one(struct dspbroker_completion *out)
{
	return dspbroker_reap(broker, out, 1, TIMEOUT_MS);
}

#endif
