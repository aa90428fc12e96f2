// SPDX-License-Identifier: MIT
/*
 * What tests of messages share: services of the remote processor to talk to, messages that tell
 * whether they are what was sent, and what the broker says of its channels and sessions. As in the
 * harness, what fails ends the test.
 */
#ifndef DSP_MESSAGES_H
#define DSP_MESSAGES_H

#include "tests/kernel/testbed.h"

#define PATIENCE_MS (HARNESS_PATIENCE_S * 1000)

/* Policies: everybody may open everything, with further keys for that rule, such as
 * ", \"exclusive\": true"; and one with devices. */
#define ALLOW_WITH(more) POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"", more))
#define POLICY_WITH_DEVICES(devices, rules) \
	"{\"version\": 1, \"devices\": [" devices "], \"rules\": [" rules "]}"

/* Have the remote processor make an endpoint at that address do @service, and announce it as
 * @name, which is rpmsg0/NAME as a channel. A broker that runs notices in a while. */
void serve(uint32_t address, const char *service, const char *name);

/* What it has received and sent at an address. */
struct remote_count {
	unsigned long long messages, bytes, emitted;
	unsigned int left; /* to be emitted */
};
struct remote_count remote_count(uint32_t address);

/* A message that tells where it belongs: whose it is, its number there, a checksum of all of it,
 * and what else fits in. */
struct stamp {
	uint64_t checksum;
	uint32_t owner, number;
};
#define STAMPED_MIN sizeof(struct stamp)
void stamp(void *message, size_t size, uint32_t owner, uint32_t number);
/* It must be whole and @owner's. Returns its number. */
uint32_t stamp_number(const void *message, size_t size, uint32_t owner);

/* Send a stamped message; there is room. */
void send_stamped(struct dspbroker_session *session, size_t size, uint32_t owner, uint32_t number);
/* The next message must come; returns its length. */
size_t receive_one(struct dspbroker_session *session, void *message);
/* And must be that one, with none lost before. */
void receive_stamped(struct dspbroker_session *session, uint32_t owner, uint32_t number);
/* Send to an echo, and have it back. */
void echo_stamped(struct dspbroker_session *session, size_t size, uint32_t owner, uint32_t number);
/* What dspbroker_receive() returns when it must not have a message. */
int receive_nothing(struct dspbroker_session *session, int timeout_ms);

/* What a source has to be told, so that it knows who it is to send to: that many messages of that
 * size, each beginning with its number as an uint32_t. */
void ask_source(struct dspbroker_session *session, uint32_t count, uint32_t size);

/* The channel's record; false when it is not listed. */
bool find_channel(struct dspbroker *broker, const char *name, struct dspbroker_channel_info *info);
bool is_listed(struct dspbroker *broker, const char *name);
/* The same for the session on that channel, of which there must be one. */
struct dspbroker_session_record session_record(struct dspbroker *broker, const char *channel);
/* How many sessions there are that this client may see. */
size_t count_sessions(struct dspbroker *broker);
/* The device's record, which must be there. */
struct dspbroker_device_info device_record(struct dspbroker *broker, const char *name);

/* The broker's descriptors, when all that @broker asked for is done. Some more are open while it
 * looks at sysfs. */
size_t idle_fds(const struct harness *harness, struct dspbroker *broker);

/* Wait for an event of that type; those of others are dropped. */
struct dspbroker_event await_event(struct dspbroker *broker, enum dspbroker_event_type type);
/* The same for one that says of that channel, or device, that it came or went. */
void await_channel(struct dspbroker *broker, const char *channel, int up);
struct dspbroker_event await_device(struct dspbroker *broker, const char *device, int up);

#endif
