// SPDX-License-Identifier: MIT
/*
 * reference IN.wav OUT.wav BLOCK DECIBELS: noise suppression of a 16-bit mono recording by SpeexDSP
 * in this one process. It shares no code with the broker or its modules, so that the demo compares
 * what came through the DSP with something independent.
 */
#include <sndfile.h>
#include <speex/speex_preprocess.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MAX 4096 /* samples */

static SpeexPreprocessState *suppressor_new(int block, int rate, int decibels)
{
	SpeexPreprocessState *state = speex_preprocess_state_init(block, rate);
	int on = 1;

	if (!state)
		return NULL;
	speex_preprocess_ctl(state, SPEEX_PREPROCESS_SET_DENOISE, &on);
	speex_preprocess_ctl(state, SPEEX_PREPROCESS_SET_NOISE_SUPPRESS, &decibels);
	return state;
}

/* Block by block; the last one is filled up with silence, which is not written. */
static int suppress(SNDFILE *in, SNDFILE *out, SpeexPreprocessState *state, int block)
{
	short samples[BLOCK_MAX];
	sf_count_t n;

	while ((n = sf_read_short(in, samples, block)) > 0) {
		memset(samples + n, 0, (size_t)(block - n) * sizeof(samples[0]));
		speex_preprocess_run(state, samples);
		if (sf_write_short(out, samples, n) != n)
			return -1;
	}
	return sf_error(in) ? -1 : 0;
}

int main(int argc, char **argv)
{
	int block = argc == 5 ? atoi(argv[3]) : 0;
	SpeexPreprocessState *state = NULL;
	SNDFILE *in = NULL, *out = NULL;
	SF_INFO info = {0};
	int r = -1;

	if (block < 1 || block > BLOCK_MAX) {
		fputs("usage: reference IN.wav OUT.wav BLOCK DECIBELS\n", stderr);
		return 2;
	}
	in = sf_open(argv[1], SFM_READ, &info);
	if (in && info.channels == 1)
		out = sf_open(argv[2], SFM_WRITE, &info);
	if (out)
		state = suppressor_new(block, info.samplerate, atoi(argv[4]));
	if (state)
		r = suppress(in, out, state, block);
	if (r < 0)
		fprintf(stderr, "reference: %s\n", sf_strerror(out ? out : in));

	if (state)
		speex_preprocess_state_destroy(state);
	if (out && sf_close(out))
		r = -1;
	if (in)
		sf_close(in);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
