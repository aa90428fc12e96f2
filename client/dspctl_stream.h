// SPDX-License-Identifier: MIT
/*
 * A sound file on its way through a channel that speaks the PCM block interface
 * (daemon/softdsp/modules/pcm.h). One buffer holds all blocks in flight: the file is read straight
 * into it, and the result is written straight from it.
 */
#ifndef DSPCTL_STREAM_H
#define DSPCTL_STREAM_H

#include <sndfile.h>

#include "client/dspctl.h"
#include "daemon/softdsp/modules/pcm.h"

#define DSPCTL_SLOTS_MAX 256

struct dspctl_slot {
	uint64_t block; /* that is in it */
	bool done;      /* processed, not yet written */
};

/* Blocks and frames (samples) are counted from the start of the file. */
struct dspctl_stream {
	/* Set by the caller, who owns the objects. */
	const struct dspctl_options *options;
	struct dspbroker *broker;
	struct dspbroker_session *session;
	SNDFILE *in, *out;
	struct pcm_setup setup;
	uint64_t frames, blocks; /* of the input */
	uint64_t frames_out;     /* that the output may have */
	uint32_t slots;          /* blocks in flight, at most DSPCTL_SLOTS_MAX */
	void (*progress)(struct dspctl_stream *stream); /* called after each block */

	/* How far it is. */
	uint64_t read, submitted, written; /* blocks */
	uint64_t frames_written;
	uint64_t busy_ns; /* time on the DSP */

	/* The stream's own. */
	struct dspbroker_buffer *buffer;
	unsigned char *memory;
	uint32_t max_out; /* most samples that a block can turn into */
	uint32_t made_offset, out_offset, slot_size;
	struct dspctl_slot slot[DSPCTL_SLOTS_MAX];
};

/* Stream the whole file. Reports its own errors and returns an exit code. When it returns, calls
 * may be in flight still if it failed: they end with the session. */
int dspctl_stream_run(struct dspctl_stream *stream);

#endif
