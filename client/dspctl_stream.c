// SPDX-License-Identifier: MIT
#include "client/dspctl_stream.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Of what lies in the buffer: no two slots share a line of any cache. */
#define ALIGNMENT 128

static int configure(struct dspctl_stream *stream)
{
	struct pcm_limits limits = {0};
	const struct dspbroker_arg args[] = {
		{.data = &stream->setup, .length = sizeof(stream->setup)},
		{.data = &limits, .length = sizeof(limits)},
	};
	const struct dspbroker_call call = {
		.method = PCM_CONFIGURE, .n_in = 1, .n_out = 1, .args = args};
	int32_t result = 0;
	int r;

	r = dspbroker_invoke(stream->session, &call, &result);
	if (r == DSPBROKER_DSP_ERROR)
		return dspctl_fail_call(r, result,
			"rate, block or suppression do not suit the module");
	if (r)
		return dspctl_fail_broker(r, "configuring the channel");
	stream->max_out = limits.max_out;
	return DSPCTL_OK;
}

/* Round *@end up and add @size; *@offset is where that begins. */
static bool append(uint64_t *end, uint32_t *offset, uint64_t size)
{
	*end = (*end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	*offset = (uint32_t)*end;
	*end += size;
	return *end <= UINT32_MAX;
}

/* A slot is the input block, the count of samples made, and the output block. */
static int make_buffer(struct dspctl_stream *stream)
{
	uint64_t end = (uint64_t)stream->setup.block * sizeof(int16_t);

	if (!append(&end, &stream->made_offset, sizeof(uint32_t)) ||
		!append(&end, &stream->out_offset, (uint64_t)stream->max_out * sizeof(int16_t)) ||
		!append(&end, &stream->slot_size, 0) || end * stream->slots > UINT32_MAX)
		return dspctl_fail(DSPCTL_FAILED,
			"the module wants room for %" PRIu32 " samples a block", stream->max_out);
	return dspctl_buffer(&stream->buffer, &stream->memory, stream->broker, stream->session,
		end * stream->slots, stream->options);
}

static uint32_t slot_of(const struct dspctl_stream *stream, uint64_t block)
{
	return (uint32_t)(block % stream->slots);
}

static unsigned char *slot_memory(const struct dspctl_stream *stream, uint64_t block)
{
	return stream->memory + (size_t)slot_of(stream, block) * stream->slot_size;
}

/* Read @wanted samples; the last block is filled up with silence. */
static int read_samples(struct dspctl_stream *stream, short *samples, sf_count_t wanted)
{
	if (sf_readf_short(stream->in, samples, wanted) != wanted)
		return dspctl_fail(DSPCTL_FAILED, "the recording breaks off: %s",
			sf_strerror(stream->in));
	memset(samples + wanted, 0, (stream->setup.block - (size_t)wanted) * sizeof(*samples));
	return DSPCTL_OK;
}

/* Read the next block into its slot. */
static int read_block(struct dspctl_stream *stream)
{
	const uint64_t left = stream->frames - stream->read * stream->setup.block;
	const sf_count_t wanted = (sf_count_t)MIN(left, (uint64_t)stream->setup.block);
	int r;

	r = dspctl_buffer_begin(stream->buffer, true);
	if (r == 0)
		r = read_samples(stream, (short *)slot_memory(stream, stream->read), wanted);
	if (r == 0)
		r = dspctl_buffer_end(stream->buffer, true);
	if (r)
		return r;
	stream->slot[slot_of(stream, stream->read)] = (struct dspctl_slot){.block = stream->read};
	stream->read++;
	return DSPCTL_OK;
}

/* Returns as dspbroker_submit(). */
static int submit_block(struct dspctl_stream *stream)
{
	const uint32_t slot = slot_of(stream, stream->submitted);
	const uint32_t base = slot * stream->slot_size;
	struct dspbroker_buffer *buffer = stream->buffer;
	const struct dspbroker_arg args[] = {
		{buffer, base, stream->setup.block * (uint32_t)sizeof(int16_t), NULL},
		{buffer, base + stream->made_offset, sizeof(uint32_t), NULL},
		{buffer, base + stream->out_offset, stream->max_out * (uint32_t)sizeof(int16_t),
			NULL},
	};
	const struct dspbroker_call call = {
		.method = PCM_PROCESS,
		.n_in = 1,
		.n_out = 2,
		.args = args,
		.user = &stream->slot[slot],
	};

	return dspbroker_submit(stream->session, &call);
}

/* Fill the free slots. The queue may hold fewer calls than we have slots: what it does not take
 * now goes first the next time. */
static int submit_blocks(struct dspctl_stream *stream)
{
	int r;

	while (stream->submitted < stream->blocks &&
		stream->submitted - stream->written < stream->slots) {
		r = stream->read == stream->submitted ? read_block(stream) : DSPCTL_OK;
		if (r)
			return r;
		r = submit_block(stream);
		if (r == -EAGAIN && stream->submitted > stream->written)
			return DSPCTL_OK;
		if (r)
			return dspctl_fail_broker(r, "block %" PRIu64, stream->submitted);
		stream->submitted++;
	}
	return DSPCTL_OK;
}

/* Wait until some blocks are processed. */
static int reap_blocks(struct dspctl_stream *stream)
{
	struct dspbroker_completion completions[16];
	struct dspctl_slot *slot;
	int n;

	n = dspbroker_reap(stream->broker, completions, ARRAY_SIZE(completions), -1);
	if (n <= 0)
		return dspctl_fail_broker(n < 0 ? n : -EPROTO, "waiting for the DSP");
	for (int i = 0; i < n; i++) {
		slot = completions[i].user;
		if (completions[i].status)
			return dspctl_fail_call(completions[i].status, completions[i].result,
				"block %" PRIu64, slot->block);
		slot->done = true;
		stream->busy_ns += completions[i].busy_ns;
	}
	return DSPCTL_OK;
}

/* Write what became of the block whose turn it is. */
static int write_samples(struct dspctl_stream *stream)
{
	const unsigned char *memory = slot_memory(stream, stream->written);
	uint64_t frames;
	uint32_t made;

	memcpy(&made, memory + stream->made_offset, sizeof(made));
	if (made > stream->max_out)
		return dspctl_fail(DSPCTL_FAILED,
			"the module says it made %" PRIu32 " samples, but at most %" PRIu32
			" are possible",
			made, stream->max_out);
	frames = MIN(made, stream->frames_out - stream->frames_written);
	if (sf_writef_short(stream->out, (const short *)(memory + stream->out_offset),
		    (sf_count_t)frames) != (sf_count_t)frames)
		return dspctl_fail(DSPCTL_FAILED, "writing the result: %s",
			sf_strerror(stream->out));
	stream->frames_written += frames;
	return DSPCTL_OK;
}

static int write_block(struct dspctl_stream *stream)
{
	int r;

	r = dspctl_buffer_begin(stream->buffer, false);
	if (r == 0)
		r = write_samples(stream);
	if (r == 0)
		r = dspctl_buffer_end(stream->buffer, false);
	if (r)
		return r;
	stream->slot[slot_of(stream, stream->written)].done = false;
	stream->written++;
	return DSPCTL_OK;
}

/* Completions may come in any order, the file is written in that of the blocks. */
static int write_blocks(struct dspctl_stream *stream)
{
	int r;

	while (stream->slot[slot_of(stream, stream->written)].done) {
		r = write_block(stream);
		if (r)
			return r;
		stream->progress(stream);
	}
	return DSPCTL_OK;
}

int dspctl_stream_run(struct dspctl_stream *stream)
{
	int r;

	assert(stream->slots > 0 && stream->slots <= DSPCTL_SLOTS_MAX);
	r = configure(stream);
	if (r == 0)
		r = make_buffer(stream);
	while (r == 0 && stream->written < stream->blocks) {
		r = submit_blocks(stream);
		if (r == 0)
			r = reap_blocks(stream);
		if (r == 0)
			r = write_blocks(stream);
	}
	return r;
}
