// SPDX-License-Identifier: MIT
/* `dspctl run CHANNEL IN.wav OUT.wav`: files, options and the report; dspctl_stream.c does the
 * work. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/dspctl_file.h"
#include "client/dspctl_stream.h"

#define SLOTS_DEFAULT     8
#define BLOCKS_PER_SECOND 100 /* 10 ms a block, unless told otherwise */
#define PROGRESS_INTERVAL 0.1 /* seconds */

struct run {
	struct dspctl_stream stream;
	struct dspctl_replacement result;
	double started, shown; /* seconds, CLOCK_MONOTONIC */
	bool terminal;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double audio_seconds(const struct dspctl_stream *stream)
{
	return (double)stream->frames / stream->setup.rate;
}

static void run_deinit(struct run *run)
{
	if (run->stream.in)
		sf_close(run->stream.in);
	if (run->stream.out)
		sf_close(run->stream.out);
	dspctl_replace_end(&run->result);
	dspbroker_session_close(run->stream.session);
	dspbroker_free(run->stream.broker);
}

static void clear_progress(const struct run *run)
{
	if (run->terminal)
		fputs("\r\033[K", stderr);
}

static void show_progress(struct dspctl_stream *stream)
{
	struct run *run = container_of(stream, struct run, stream);
	const double time = now();

	if (!run->terminal || time - run->shown < PROGRESS_INTERVAL)
		return;
	run->shown = time;
	fprintf(stderr, "\r\033[K%3" PRIu64 " %% of %.1f s, %.0f times as fast as real time",
		100 * stream->written / stream->blocks, audio_seconds(stream),
		(double)stream->written * stream->setup.block / stream->setup.rate /
			(time - run->started));
}

static int check_format(const SF_INFO *info, const char *path)
{
	if (info->channels != 1 || (info->format & SF_FORMAT_SUBMASK) != SF_FORMAT_PCM_16)
		return dspctl_fail(DSPCTL_FAILED,
			"%s: must be mono with 16 bits a sample; "
			"`sox %s -c 1 -b 16 mono.wav` makes such a file",
			path, path);
	if (info->samplerate < PCM_RATE_MIN || info->samplerate > PCM_RATE_MAX)
		return dspctl_fail(DSPCTL_FAILED,
			"%s: has %d samples a second; %d to %d are possible", path,
			info->samplerate, PCM_RATE_MIN, PCM_RATE_MAX);
	return DSPCTL_OK;
}

static int open_input(struct dspctl_stream *stream, const char *path)
{
	SF_INFO info = {0};
	int r;

	stream->in = sf_open(path, SFM_READ, &info);
	if (!stream->in)
		return dspctl_fail(DSPCTL_FAILED, "cannot read %s: %s", path, sf_strerror(NULL));
	r = check_format(&info, path);
	if (r)
		return r;
	stream->setup.rate = (uint32_t)info.samplerate;
	stream->frames = (uint64_t)MAX(info.frames, 0);
	return DSPCTL_OK;
}

/* What follows from the input and the options. */
static int set_up(struct dspctl_stream *stream, const struct dspctl_options *options)
{
	struct pcm_setup *setup = &stream->setup;
	uint64_t scaled;

	stream->options = options;
	setup->block = options->block ? (uint32_t)options->block : setup->rate / BLOCKS_PER_SECOND;
	setup->out_rate = options->rate ? (uint32_t)options->rate : setup->rate;
	setup->suppress_db = (int32_t)options->suppress_db;
	stream->slots = options->in_flight ? (uint32_t)options->in_flight : SLOTS_DEFAULT;
	if (__builtin_mul_overflow(stream->frames, setup->out_rate, &scaled))
		return dspctl_fail(DSPCTL_FAILED, "the recording is too long");
	stream->frames_out = scaled / setup->rate + (scaled % setup->rate > 0);
	stream->blocks = stream->frames / setup->block + (stream->frames % setup->block > 0);
	return DSPCTL_OK;
}

static int open_output(struct run *run, const char *path)
{
	SF_INFO info = {
		.samplerate = (int)run->stream.setup.out_rate,
		.channels = 1,
		.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16,
	};
	const int r = dspctl_replace_begin(&run->result, path);

	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "cannot write %s: %s", path, strerror(-r));
	run->stream.out = sf_open_fd(run->result.fd, SFM_WRITE, &info, SF_FALSE);
	if (!run->stream.out)
		return dspctl_fail(DSPCTL_FAILED, "cannot write %s: %s", path, sf_strerror(NULL));
	return DSPCTL_OK;
}

static int open_channel(struct dspctl_stream *stream, const struct dspctl_options *options)
{
	int r;

	r = dspctl_connect(&stream->broker, options);
	if (r == 0)
		r = dspctl_open(&stream->session, stream->broker, options, DSPCTL_CALLS);
	if (r)
		return r;
	stream->slots = MIN(stream->slots, dspbroker_session_info(stream->session)->calls_max);
	stream->slots = MAX(stream->slots, 1);
	return DSPCTL_OK;
}

/* sf_close() keeps its errors to itself, so everything is asked for before. */
static int close_output(struct run *run, const char *path)
{
	SNDFILE *out = run->stream.out;
	int r;

	sf_command(out, SFC_UPDATE_HEADER_NOW, NULL, 0);
	if (sf_error(out))
		return dspctl_fail(DSPCTL_FAILED, "cannot write %s: %s", path, sf_strerror(out));
	run->stream.out = NULL;
	sf_close(out);
	r = dspctl_replace_commit(&run->result);
	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "cannot write %s: %s", path, strerror(-r));
	return DSPCTL_OK;
}

static double real_time_factor(const struct dspctl_stream *stream)
{
	return stream->frames ? (double)stream->busy_ns / 1e9 / audio_seconds(stream) : 0;
}

static void print_summary(const struct run *run)
{
	const struct dspctl_stream *stream = &run->stream;

	printf("%.2f s of audio in %" PRIu64 " blocks; %.1f ms on the DSP, real-time factor %.4f; "
	       "%.1f ms in all\n",
		audio_seconds(stream), stream->blocks, (double)stream->busy_ns / 1e6,
		real_time_factor(stream), (now() - run->started) * 1e3);
}

static void add_number(struct json_object *root, const char *key, uint64_t value)
{
	json_object_object_add(root, key, json_object_new_uint64(value));
}

static void print_summary_json(const struct run *run, const struct dspctl_options *options)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = json_object_new_object();
	const struct dspctl_stream *stream = &run->stream;

	json_object_object_add(root, "channel", json_object_new_string(options->words[0]));
	json_object_object_add(root, "input", json_object_new_string(options->words[1]));
	json_object_object_add(root, "output", json_object_new_string(options->words[2]));
	add_number(root, "rate", stream->setup.rate);
	add_number(root, "out_rate", stream->setup.out_rate);
	add_number(root, "samples", stream->frames);
	add_number(root, "out_samples", stream->frames_written);
	add_number(root, "block", stream->setup.block);
	add_number(root, "blocks", stream->blocks);
	add_number(root, "in_flight", stream->slots);
	add_number(root, "busy_ns", stream->busy_ns);
	json_object_object_add(root, "audio_s", json_object_new_double(audio_seconds(stream)));
	json_object_object_add(root, "elapsed_s", json_object_new_double(now() - run->started));
	json_object_object_add(root, "real_time_factor",
		json_object_new_double(real_time_factor(stream)));
	dspctl_print_json(root);
}

int dspctl_run(const struct dspctl_options *options)
{
	_cleanup_(run_deinit) struct run run = {
		.result = DSPCTL_REPLACEMENT_NONE,
		.stream.progress = show_progress,
		.terminal = isatty(STDERR_FILENO),
	};
	int r;

	r = open_input(&run.stream, options->words[1]);
	if (r == 0)
		r = set_up(&run.stream, options);
	if (r == 0)
		r = open_channel(&run.stream, options);
	if (r == 0)
		r = open_output(&run, options->words[2]);
	if (r)
		return r;
	run.started = now();
	r = dspctl_stream_run(&run.stream);
	clear_progress(&run);
	if (r == 0)
		r = close_output(&run, options->words[2]);
	if (r)
		return r;
	options->json ? print_summary_json(&run, options) : print_summary(&run);
	return DSPCTL_OK;
}
