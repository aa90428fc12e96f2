// SPDX-License-Identifier: MIT
/* What the files of the fake broker share. */
#ifndef DSP_TESTS_FAKE_PRIVATE_H
#define DSP_TESTS_FAKE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "protocol/ring.h"
#include "protocol/sock.h"
#include "protocol/util.h"
#include "protocol/wire.h"
#include "tests/unit/fake_broker.h"

/* Check's own asserts are for the thread that runs the test. */
#define MUST(condition) ((condition) ? (void)0 : abort())

struct fake_broker {
	enum fake_hello hello;
	int sock, doorbell, notify, quit;
	_Atomic unsigned int kicks, modules;
	_Atomic uint32_t memory, session; /* of the last ALLOC */
	_Atomic uint32_t power;           /* of the last POWER */
	unsigned int reloads;
	struct dsp_ring ring;
	char *area;
	size_t area_size;
	char *buffers[8]; /* index: id - 1 */
	uint64_t buffer_size[8];
	unsigned int n_buffers;
	struct dsp_entry held[FAKE_CQ_ENTRIES];
	unsigned int n_held, in_flight;
	char module[DSP_RULE_SIZE]; /* of the OPEN_MODULE under way; "": none */
	struct dsp_open later;      /* its serial is 0 when there is none */
	uint32_t n_sessions;
	struct list message_sessions;
	uint32_t limit; /* of the next completion */
	bool deaf, hung_up;
	pthread_t thread;
};

/* fake_broker.c */

/* A memfd of that size; *@mapping is the caller's, too. */
int fake_memory_new(size_t size, bool seal, char **mapping);
void fake_send(struct fake_broker *fake, const void *packet, size_t size);
void fake_hang_up(struct fake_broker *fake);
void fake_refuse(struct fake_broker *fake, uint32_t serial, enum dsp_status status,
	const char *rule, uint64_t limit, const char *text);
char *fake_memory(struct fake_broker *fake, const struct dsp_arg *arg);
void fake_complete(struct fake_broker *fake, const struct dsp_entry *entry, uint32_t status,
	int32_t result, uint32_t detail);
void fake_publish(struct fake_broker *fake);
/* Keep an entry; end those of one session, or of all (0), the newest first. */
void fake_hold(struct fake_broker *fake, const struct dsp_entry *entry);
void fake_let_go(struct fake_broker *fake, uint32_t session, enum dsp_status status);
bool fake_holds(const struct fake_broker *fake, uint32_t session);

/* fake_administration.c */

/* A RELOAD, a KICK or a POWER. */
void fake_administration(struct fake_broker *fake, const union dsp_request *request);
/* Behind FAKE_GAP_BEGIN there are sessions that are not for this client to see. */
void fake_describe_gap(const struct dsp_query *query, struct dsp_session_record *record);

/* fake_buffer.c */

/* An ALLOC, or an IMPORT, whose descriptor is taken out of @fds. */
void fake_buffer(struct fake_broker *fake, const union dsp_request *request, struct sock_fds *fds);

/* fake_message.c */

/* Is that a channel for messages? Then its OPEN is answered. */
bool fake_message_open(struct fake_broker *fake, const struct dsp_open *open);
/* Before its CLOSE is answered. */
void fake_message_close(struct fake_broker *fake, uint32_t id);
/* A SEND or a RECEIVE. */
void fake_message(struct fake_broker *fake, const struct dsp_entry *entry);
void fake_message_end(struct fake_broker *fake);

#endif
