// SPDX-License-Identifier: MIT
/* A client by hand at the broker of daemon_rig.h: packet by packet, and entry by entry. */
#ifndef DSP_TESTS_APP_RIG_H
#define DSP_TESTS_APP_RIG_H

#include "protocol/ring.h"
#include "protocol/sock.h"
#include "tests/unit/daemon_rig.h"

struct app {
	struct client *client; /* to the broker; gone when that has forgotten it */
	int sock, doorbell, notify;
	struct dsp_ring ring;
	char *area;
	uint32_t serial;    /* of the last request */
	uint64_t user_data; /* of the last entry */
};

extern struct app app;

union app_packet {
	struct dsp_header header;
	struct dsp_error error;
	struct dsp_hello_reply hello;
	struct dsp_open_reply open;
	struct dsp_buffer_reply buffer;
	struct dsp_event_session session;
	struct dsp_reload_reply reload;
	char bytes[DSP_MESSAGE_MAX];
};

/* Connect and say HELLO; @sq_slots: as there. */
void app_start(uint32_t sq_slots);
/* The same in two steps. */
void app_connect(void);
void app_hello(uint32_t sq_slots);
/* Hang up, and let the broker see to it. */
void app_hang_up(void);
/* The same, and forget all that there is on this side. */
void app_stop(void);

/* Send a request. Returns its serial. */
uint32_t app_ask(uint16_t opcode, void *request, size_t size);
/* The next packet that is no news of devices and channels, with its descriptors if there may be
 * some; the broker runs until there is one. */
union app_packet app_next(struct sock_fds *fds);
/* A request, and its reply, which may be an error. */
union app_packet app_exchange(uint16_t opcode, void *request, size_t size, struct sock_fds *fds);
union app_packet app_try_open(const char *channel);
/* What must succeed. */
struct dsp_open_reply app_open(const char *channel);
void app_close(uint32_t session);

/* Of a broker that has its policy in a file: change that, and have it read again by somebody else
 * who connects for that. Returns how many sessions lost their right, by the answer. */
unsigned int app_reload(const char *policy);

/* Submit an entry, ring if need be, and let the broker see to it. Returns its user_data. */
uint64_t app_push(struct dsp_entry entry);
/* The next completion, which must be there, and be that. */
struct dsp_completion app_completes(uint64_t user_data, enum dsp_status status);
void app_nothing_completes(void);

bool app_readable(int fd);

#endif
