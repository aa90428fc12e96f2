// SPDX-License-Identifier: MIT
/*
 * The policy in force, and how another one takes its place: read by a thread, swapped in one step,
 * after which every session and every connection is decided anew, some in each turn of the loop. A
 * policy that cannot be used changes nothing.
 *
 * What policy says of devices is settled when the broker starts.
 */
#ifndef DSP_RELOAD_H
#define DSP_RELOAD_H

#include <stdint.h>

#include "protocol/util.h"
#include "protocol/wire.h"

struct broker;
struct client;
struct reload;

/* Embedded in a client: it waits for the outcome. Its link is to be initialized. */
struct reload_wish {
	struct list link;
	uint32_t serial;
};

/* Load the first policy; logs what fails. Returns 0 or -errno. */
int reload_new(struct reload **out, struct broker *broker);
/* NULL-safe; returns NULL. There are no clients any more. */
struct reload *reload_free(struct reload *reload);

/* Have the files read again. @client, if it is one, gets the reply under @serial when the new
 * policy is in force, or the error; it must not wait for one already. What is asked for while the
 * files are being read is done once more after that, for all who asked. */
void reload_begin(struct broker *broker, struct client *client, uint32_t serial);
/* What became of it when the files were read last, and since when what is in force is. */
struct reload_outcome {
	enum dsp_status status; /* DSP_OK, DSP_BAD_POLICY or DSP_NO_RESOURCES */
	uint64_t in_force_us;   /* CLOCK_REALTIME of when it was read */
};
struct reload_outcome reload_outcome(const struct reload *reload);
/* Does it wait for one? */
bool reload_is_wanted(const struct client *client);
/* It is gone. */
void reload_forget(struct client *client);

#endif
