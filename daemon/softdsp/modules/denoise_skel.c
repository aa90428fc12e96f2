// SPDX-License-Identifier: MIT
/*
 * Noise suppression and resampling of speech, by SpeexDSP, behind the PCM block interface of
 * pcm.h. Each handle is a stream of its own. example_skel.c explains what a module is made of.
 */
#include <speex/speex_preprocess.h>
#include <speex/speex_resampler.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/softdsp/modules/pcm.h"
#include "daemon/softdsp/remote.h"
#include "protocol/util.h"

#define METHOD_OPEN  0
#define METHOD_CLOSE 1

#define RESAMPLER_QUALITY 5 /* 0 .. 10; what SpeexDSP advises for sound that is heard live */

/* A configured stream. SpeexDSP works in place, and a client may write to its buffers while we
 * work: hence blocks of our own. */
struct stream {
	struct pcm_setup setup;
	uint32_t max_out; /* samples */
	SpeexPreprocessState *denoiser;
	SpeexResamplerState *resampler; /* NULL: the rates are the same */
	int16_t *block;
	int16_t *resampled;
};

/* What a handle stands for. */
struct denoise {
	struct stream *stream; /* NULL until configured */
};

static struct stream *stream_free(struct stream *stream)
{
	if (!stream)
		return NULL;
	if (stream->denoiser)
		speex_preprocess_state_destroy(stream->denoiser);
	if (stream->resampler)
		speex_resampler_destroy(stream->resampler);
	free(stream->block);
	free(stream->resampled);
	free(stream);
	return NULL;
}
DEFINE_CLEANUP(struct stream *, stream_free);

static bool setup_valid(const struct pcm_setup *setup)
{
	return setup->rate >= PCM_RATE_MIN && setup->rate <= PCM_RATE_MAX &&
	       setup->block >= PCM_BLOCK_MIN && setup->block <= PCM_BLOCK_MAX &&
	       setup->suppress_db >= PCM_SUPPRESS_MIN && setup->suppress_db <= 0 &&
	       setup->out_rate >= PCM_RATE_MIN && setup->out_rate <= PCM_RATE_MAX;
}

/* Gain control and voice detection are off unless asked for. */
static int start_denoiser(struct stream *stream)
{
	int on = 1, suppress_db = stream->setup.suppress_db;

	stream->denoiser =
		speex_preprocess_state_init((int)stream->setup.block, (int)stream->setup.rate);
	if (!stream->denoiser)
		return AEE_ENOMEMORY;
	speex_preprocess_ctl(stream->denoiser, SPEEX_PREPROCESS_SET_DENOISE, &on);
	if (suppress_db)
		speex_preprocess_ctl(stream->denoiser, SPEEX_PREPROCESS_SET_NOISE_SUPPRESS,
			&suppress_db);
	return AEE_SUCCESS;
}

static int start_resampler(struct stream *stream)
{
	const struct pcm_setup *setup = &stream->setup;
	int error;

	stream->max_out = setup->block;
	if (setup->out_rate == setup->rate)
		return AEE_SUCCESS;
	/* Rounded up, and one more for what the filter still held back from the last block. */
	stream->max_out = (uint32_t)((uint64_t)setup->block * setup->out_rate / setup->rate) + 2;
	stream->resampler =
		speex_resampler_init(1, setup->rate, setup->out_rate, RESAMPLER_QUALITY, &error);
	stream->resampled = calloc(stream->max_out, sizeof(*stream->resampled));
	return stream->resampler && stream->resampled ? AEE_SUCCESS : AEE_ENOMEMORY;
}

static int stream_new(struct stream **out, const struct pcm_setup *setup)
{
	_cleanup_(stream_freep) struct stream *stream = NULL;
	int r;

	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return AEE_ENOMEMORY;
	stream->setup = *setup;
	stream->block = calloc(setup->block, sizeof(*stream->block));
	if (!stream->block)
		return AEE_ENOMEMORY;
	r = start_denoiser(stream);
	if (r == AEE_SUCCESS)
		r = start_resampler(stream);
	if (r != AEE_SUCCESS)
		return r;
	*out = TAKE_PTR(stream);
	return AEE_SUCCESS;
}

static int configure(struct denoise *denoise, const remote_buf *in, const remote_buf *out)
{
	struct pcm_limits limits = {};
	struct pcm_setup setup;
	struct stream *stream;
	int r;

	if (in->nLen != sizeof(setup) || out->nLen != sizeof(limits))
		return AEE_EBADPARM;
	memcpy(&setup, in->pv, sizeof(setup));
	if (!setup.out_rate)
		setup.out_rate = setup.rate;
	if (!setup_valid(&setup))
		return AEE_EBADPARM;
	r = stream_new(&stream, &setup);
	if (r != AEE_SUCCESS)
		return r;
	stream_free(denoise->stream);
	denoise->stream = stream;
	limits.max_out = stream->max_out;
	memcpy(out->pv, &limits, sizeof(limits));
	return AEE_SUCCESS;
}

static int process(struct denoise *denoise, const remote_buf *in, const remote_buf *made,
	const remote_buf *pcm)
{
	struct stream *stream = denoise->stream;
	uint32_t samples, taken;
	int16_t *result;

	if (!stream)
		return AEE_EBADSTATE;
	samples = taken = stream->setup.block;
	if (in->nLen != samples * sizeof(int16_t) || made->nLen != sizeof(samples) ||
		pcm->nLen < stream->max_out * sizeof(int16_t))
		return AEE_EBADPARM;

	result = stream->block;
	memcpy(stream->block, in->pv, in->nLen);
	speex_preprocess_run(stream->denoiser, stream->block);
	if (stream->resampler) {
		result = stream->resampled;
		samples = stream->max_out;
		speex_resampler_process_int(stream->resampler, 0, stream->block, &taken, result,
			&samples);
		if (taken != stream->setup.block)
			return AEE_EFAILED;
	}
	memcpy(pcm->pv, result, samples * sizeof(int16_t));
	memcpy(made->pv, &samples, sizeof(samples));
	return AEE_SUCCESS;
}

static int open_handle(remote_arg *args)
{
	struct denoise *denoise = calloc(1, sizeof(*denoise));

	if (!denoise)
		return AEE_ENOMEMORY;
	args[2].h64 = (uintptr_t)denoise;
	return AEE_SUCCESS;
}

static int close_handle(const remote_arg *args)
{
	struct denoise *denoise = (struct denoise *)(uintptr_t)args[0].h64;

	stream_free(denoise->stream);
	free(denoise);
	return AEE_SUCCESS;
}

__attribute__((visibility("default"))) int denoise_skel_handle_invoke(remote_handle64 handle,
	uint32_t scalars, remote_arg *args);

/* The attribute bits are zero here, so each of these words names one method with exactly its
 * arguments. */
int denoise_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args)
{
	struct denoise *denoise = (struct denoise *)(uintptr_t)handle;

	switch (scalars) {
	case REMOTE_SCALARS_MAKEX(0, METHOD_OPEN, 2, 0, 0, 1):
		return open_handle(args);
	case REMOTE_SCALARS_MAKEX(0, METHOD_CLOSE, 0, 0, 1, 0):
		return close_handle(args);
	case REMOTE_SCALARS_MAKE(PCM_CONFIGURE, 1, 1):
		return configure(denoise, &args[0].buf, &args[1].buf);
	case REMOTE_SCALARS_MAKE(PCM_PROCESS, 1, 2):
		return process(denoise, &args[0].buf, &args[1].buf, &args[2].buf);
	}
	switch (REMOTE_SCALARS_METHOD(scalars)) {
	case METHOD_OPEN:
	case METHOD_CLOSE:
	case PCM_CONFIGURE:
	case PCM_PROCESS:
		return AEE_EBADPARM;
	default:
		return AEE_EUNSUPPORTED;
	}
}
