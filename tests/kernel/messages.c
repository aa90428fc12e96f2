// SPDX-License-Identifier: MIT
#include "tests/kernel/messages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The remote processor. */

void serve(uint32_t address, const char *service, const char *name)
{
	remote("serve %u %s", address, service);
	remote("announce %u %s", address, name);
}

struct remote_count remote_count(uint32_t address)
{
	struct remote_count count;

	require_eq(sscanf(remote("count %u", address), "%llu %llu %u %llu", &count.messages,
			   &count.bytes, &count.left, &count.emitted),
		4);
	return count;
}

/* Messages. */

/* Of Fowler, Noll and Vo: the one called FNV-1a. */
static uint64_t checksum(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3;
	return sum;
}

void stamp(void *message, size_t size, uint32_t owner, uint32_t number)
{
	struct stamp header = {.owner = owner, .number = number};
	uint8_t *bytes = message;

	require(size >= sizeof(header) && size <= RPMSG_MTU);
	memcpy(bytes, &header, sizeof(header));
	for (size_t i = sizeof(header); i < size; i++)
		bytes[i] = (uint8_t)(owner * 31 + number * 7 + i);
	header.checksum = checksum(bytes, size);
	memcpy(bytes, &header, sizeof(header));
}

uint32_t stamp_number(const void *message, size_t size, uint32_t owner)
{
	uint8_t bytes[RPMSG_MTU];
	struct stamp header;
	uint64_t sum;

	require(size >= sizeof(header) && size <= sizeof(bytes));
	memcpy(bytes, message, size);
	memcpy(&header, bytes, sizeof(header));
	sum = header.checksum;
	memset(bytes, 0, sizeof(header.checksum));
	require(sum == checksum(bytes, size));
	require_eq(header.owner, owner);
	return header.number;
}

void send_stamped(struct dspbroker_session *session, size_t size, uint32_t owner, uint32_t number)
{
	uint8_t message[RPMSG_MTU];

	stamp(message, size, owner, number);
	require_eq(dspbroker_send(session, message, size, -1), 0);
}

size_t receive_one(struct dspbroker_session *session, void *message)
{
	uint32_t dropped = UINT32_MAX;
	size_t length = 0;

	require_eq(dspbroker_receive(session, message, RPMSG_MTU, &length, &dropped, PATIENCE_MS),
		0);
	require_eq(dropped, 0);
	require(length > 0 && length <= RPMSG_MTU);
	return length;
}

void receive_stamped(struct dspbroker_session *session, uint32_t owner, uint32_t number)
{
	uint8_t message[RPMSG_MTU];
	size_t length = receive_one(session, message);

	require_eq(stamp_number(message, length, owner), number);
}

void echo_stamped(struct dspbroker_session *session, size_t size, uint32_t owner, uint32_t number)
{
	uint8_t message[RPMSG_MTU];

	send_stamped(session, size, owner, number);
	require_eq(receive_one(session, message), size);
	require_eq(stamp_number(message, size, owner), number);
}

int receive_nothing(struct dspbroker_session *session, int timeout_ms)
{
	uint8_t message[RPMSG_MTU];
	size_t length;
	int r = dspbroker_receive(session, message, sizeof(message), &length, NULL, timeout_ms);

	require(r != 0);
	return r;
}

void ask_source(struct dspbroker_session *session, uint32_t count, uint32_t size)
{
	uint32_t request[] = {count, size};

	require_eq(dspbroker_send(session, request, sizeof(request), -1), 0);
}

/* Lists. */

bool find_channel(struct dspbroker *broker, const char *name, struct dspbroker_channel_info *info)
{
	uint64_t id = 0;
	int r;

	while ((r = dspbroker_next_channel(broker, id, info)) == 1) {
		if (strcmp(info->name, name) == 0)
			return true;
		id = info->id;
	}
	require_eq(r, 0);
	return false;
}

bool is_listed(struct dspbroker *broker, const char *name)
{
	struct dspbroker_channel_info info;

	return find_channel(broker, name, &info);
}

struct dspbroker_session_record session_record(struct dspbroker *broker, const char *channel)
{
	struct dspbroker_session_record record, found = {.id = 0};
	uint64_t id = 0;
	int r;

	while ((r = dspbroker_next_session(broker, id, &record)) == 1) {
		id = record.id;
		if (strcmp(record.channel, channel) != 0)
			continue;
		require_eq(found.id, 0);
		found = record;
	}
	require_eq(r, 0);
	require(found.id != 0);
	return found;
}

size_t count_sessions(struct dspbroker *broker)
{
	struct dspbroker_session_record record = {.id = 0};
	size_t n = 0;
	int r;

	while ((r = dspbroker_next_session(broker, record.id, &record)) == 1)
		n++;
	require_eq(r, 0);
	return n;
}

struct dspbroker_device_info device_record(struct dspbroker *broker, const char *name)
{
	struct dspbroker_device_info info = {.id = 0};

	do {
		require_eq(dspbroker_next_device(broker, info.id, &info), 1);
	} while (strcmp(info.name, name) != 0);
	return info;
}

size_t idle_fds(const struct harness *harness, struct dspbroker *broker)
{
	size_t least = SIZE_MAX, n;

	for (int i = 0; i < 10; i++) {
		count_sessions(broker);
		n = harness_fds(harness);
		least = MIN(least, n);
	}
	return least;
}

/* Events. */

struct dspbroker_event await_event(struct dspbroker *broker, enum dspbroker_event_type type)
{
	struct dspbroker_event event;

	do {
		event = next_event(broker);
	} while (event.type != type);
	return event;
}

void await_channel(struct dspbroker *broker, const char *channel, int up)
{
	struct dspbroker_event event;

	do {
		event = await_event(broker, DSPBROKER_EVENT_CHANNEL);
	} while (strcmp(event.channel, channel) != 0 || event.up != up);
	require_eq(event.message, 1);
}

struct dspbroker_event await_device(struct dspbroker *broker, const char *device, int up)
{
	struct dspbroker_event event;

	do {
		event = await_event(broker, DSPBROKER_EVENT_DEVICE);
	} while (strcmp(event.device, device) != 0 || event.up != up);
	return event;
}
