// SPDX-License-Identifier: MIT
/*
 * A client without the library: it speaks protocol/wire.h and protocol/ring.h byte by byte, so it
 * can also speak them wrongly. Like the harness, nothing here returns an error that a test would
 * have to look at: what must work and does not, ends the test.
 */
#ifndef DSP_RAW_H
#define DSP_RAW_H

#include "protocol/ring.h"
#include "protocol/wire.h"
#include "tests/integration/harness.h"

#define RAW_FDS_MAX 253 /* as many as the kernel lets one message carry */

/* Anything that the broker sends. */
union raw_packet {
	struct dsp_header header;
	struct dsp_error error;
	struct dsp_hello_reply hello;
	struct dsp_open_reply open;
	struct dsp_buffer_reply buffer;
	struct dsp_event_session session;
	struct dsp_device_record device;
	struct dsp_session_record session_record;
	char bytes[DSP_MESSAGE_MAX];
};

struct raw {
	int sock;
	uint32_t serial; /* of the last request */
	/* From HELLO on: */
	struct dsp_hello_reply hello;
	int ring, area, doorbell, notify;
	struct dsp_ring_shared *shared;
	struct dsp_slot *sq;
	struct dsp_completion *cq;
	size_t ring_bytes;
	char *arguments;
	uint32_t sq_tail, cq_head; /* ours, whatever is written in the ring */
};

/* Connect, and say HELLO. */
void raw_connect(struct raw *raw, const struct harness *harness);
void raw_hello(struct raw *raw);
void raw_start(struct raw *raw, const struct harness *harness); /* both */
/* Safe on one that is closed. */
void raw_close(struct raw *raw);

/* Requests whose header is right: opcode and the next serial. */
struct dsp_header raw_header(struct raw *raw, uint16_t opcode);
struct dsp_hello raw_hello_request(struct raw *raw);
struct dsp_open raw_open_request(struct raw *raw, const char *channel);

/* Send any bytes with any descriptors (borrowed). Returns 0, or -errno when the peer is gone or,
 * with MSG_DONTWAIT in @flags, has no room. */
int raw_try_send(struct raw *raw, const void *bytes, size_t size, const int *fds, size_t n_fds,
	int flags);
void raw_send(struct raw *raw, const void *bytes, size_t size, const int *fds, size_t n_fds);
/* Receive the next packet; false: the connection has ended. Descriptors go to @fds, up to
 * DSP_FDS_MAX, -1 where none came; when it is NULL they are closed. */
bool raw_receive(struct raw *raw, union raw_packet *packet, int *fds);
/* The same for what is not there: the broker has ended the connection without another word. */
void raw_expect_end(struct raw *raw);
/* Send a request, and receive what comes next. */
void raw_exchange(struct raw *raw, const void *request, size_t size, const int *fds, size_t n_fds,
	union raw_packet *reply);
/* The next packet is ERROR, to our last request. */
void raw_expect_error(struct raw *raw, enum dsp_status status, uint32_t field);

/* What every client does; each must work. */
uint32_t raw_open(struct raw *raw, const char *channel); /* returns the session */
uint32_t raw_alloc(struct raw *raw, uint64_t size, int *fd);
/* The same of any memory; like IMPORT. */
enum dsp_status raw_alloc_from(struct raw *raw, uint64_t size, enum dsp_memory memory,
	uint32_t session, uint32_t *buffer, int *fd);
/* IMPORT returns the status; a buffer's id is stored with DSP_OK. */
enum dsp_status raw_import(struct raw *raw, int fd, uint64_t size, uint32_t *buffer);
enum dsp_status raw_free(struct raw *raw, uint32_t buffer);

/* The ring. */
struct dsp_slot *raw_slot(struct raw *raw, uint32_t position);
/* An INVOKE of the example module, without arguments. */
struct dsp_slot raw_invoke(uint32_t session, uint32_t method, uint64_t user_data);
/* Lay slots into the ring as they are, when there is room; raw_submit() makes them visible. */
void raw_push(struct raw *raw, const struct dsp_slot *slots, uint32_t n);
void raw_submit(struct raw *raw);
/* Ring the doorbell, asked for or not. */
void raw_ring(struct raw *raw);
/* Take a completion; false: there is none now. */
bool raw_try_reap(struct raw *raw, struct dsp_completion *completion);
/* Wait for one. */
struct dsp_completion raw_reap(struct raw *raw);
/* Submit one entry and wait for its completion. */
struct dsp_completion raw_call(struct raw *raw, const struct dsp_slot *slots, uint32_t n);

#endif
