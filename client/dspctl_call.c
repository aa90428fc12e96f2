// SPDX-License-Identifier: MIT
/* `dspctl call CHANNEL METHOD [ARG...]` */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client/dspctl.h"
#include "client/dspctl_args.h"
#include "client/dspctl_file.h"
#include "client/dspctl_message.h"

#define ALIGNMENT    128 /* of arguments in the buffer: the longest line of a cache */
#define METHOD_PLAIN 30  /* methods above travel in the first word of the first input */
#define DUMP_LINE    16  /* bytes in a line of the dump */

struct call {
	const char *channel;
	uint32_t method;
	struct dspctl_args args;
	struct dspbroker_arg wire[DSPBROKER_ARGS_MAX];
	struct dspbroker_buffer *buffer; /* holds what is too large to go inline; the broker's */
	unsigned char *memory;           /* its mapping */
};

static void call_deinit(struct call *call)
{
	dspctl_args_deinit(&call->args);
}

static unsigned int count(const struct call *call)
{
	return call->args.n_in + call->args.n_out;
}

/* Where argument @i is, before and after the call. */
static unsigned char *bytes_of(const struct call *call, unsigned int i)
{
	return call->wire[i].buffer ? call->memory + call->wire[i].offset : call->wire[i].data;
}

static int parse_words(struct call *call, const struct dspctl_options *options)
{
	char error[DSPCTL_ERROR_SIZE] = "";
	int64_t method;
	int r;

	if (options->n_words < 2)
		return dspctl_fail(DSPCTL_USAGE, "call needs a channel and a method's number");
	call->channel = options->words[0];
	if (dspctl_integer_parse(&method, options->words[1], 0, UINT32_MAX) < 0)
		return dspctl_fail(DSPCTL_USAGE, "\"%s\" is no method's number", options->words[1]);
	call->method = (uint32_t)method;
	r = dspctl_args_parse(&call->args, options->words + 2, options->n_words - 2, error);
	if (r == -EINVAL)
		return dspctl_fail(DSPCTL_USAGE, "%s", error);
	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "%s", strerror(-r));
	return DSPCTL_OK;
}

static int read_files(struct call *call)
{
	struct dspctl_arg *arg;
	int r;

	for (unsigned int i = 0; i < call->args.n_in; i++) {
		arg = &call->args.arg[i];
		if (!arg->file)
			continue;
		r = dspctl_file_read(arg->file, &arg->data, &arg->length);
		if (r < 0)
			return dspctl_fail(DSPCTL_FAILED, "cannot read %s: %s", arg->file,
				strerror(-r));
	}
	return DSPCTL_OK;
}

/* The word is the caller's, because what follows it in the same input is, too. */
static int check_method_word(const struct call *call)
{
	static const struct dspctl_type word = {"u32", sizeof(uint32_t), DSPCTL_UNSIGNED};
	const struct dspctl_arg *first = &call->args.arg[0];

	if (call->method <= METHOD_PLAIN)
		return DSPCTL_OK;
	if (call->args.n_in > 0 && first->length >= word.size &&
		dspctl_number_load(&word, first->data).u == call->method)
		return DSPCTL_OK;
	return dspctl_fail(DSPCTL_USAGE,
		"a method above %d stands in the first 4 bytes of the first input as well: "
		"begin it with u32:%" PRIu32,
		METHOD_PLAIN, call->method);
}

/* All that goes inline fits into DSPBROKER_INLINE_MAX together. */
static bool is_large(const struct call *call, unsigned int i)
{
	return call->args.arg[i].length > DSPBROKER_INLINE_MAX / count(call);
}

/* Lay the large arguments out behind each other; *@out_size is 0 when there are none. */
static int lay_out(struct call *call, uint32_t *out_size)
{
	uint32_t end = 0;

	for (unsigned int i = 0; i < count(call); i++) {
		if (!is_large(call, i))
			continue;
		call->wire[i].offset = end;
		if (__builtin_add_overflow(end, call->args.arg[i].length, &end) ||
			__builtin_add_overflow(end, -end % ALIGNMENT, &end))
			return dspctl_fail(DSPCTL_USAGE, "arguments of more than 4 GiB");
	}
	*out_size = end;
	return DSPCTL_OK;
}

static int place(struct call *call)
{
	for (unsigned int i = 0; i < count(call); i++) {
		struct dspctl_arg *arg = &call->args.arg[i];
		struct dspbroker_arg *wire = &call->wire[i];

		wire->length = arg->length;
		if (is_large(call, i)) {
			wire->buffer = call->buffer;
			if (!arg->output)
				memcpy(call->memory + wire->offset, arg->data, arg->length);
			continue;
		}
		if (arg->output)
			arg->data = calloc(1, (size_t)arg->length + 1);
		if (!arg->data)
			return dspctl_fail(DSPCTL_FAILED, "out of memory");
		wire->data = arg->data;
	}
	return DSPCTL_OK;
}

static int fill(struct call *call)
{
	int r;

	r = dspctl_buffer_begin(call->buffer, true);
	if (r == 0)
		r = place(call);
	if (r == 0)
		r = dspctl_buffer_end(call->buffer, true);
	return r;
}

static int invoke(const struct call *call, struct dspbroker_session *session, int64_t timeout_ms)
{
	const struct dspbroker_call request = {
		.method = call->method,
		.timeout_us = (uint32_t)(timeout_ms * 1000),
		.n_in = call->args.n_in,
		.n_out = call->args.n_out,
		.args = call->wire,
	};
	int32_t result = 0;
	const int r = dspbroker_invoke(session, &request, &result);

	if (r == DSPBROKER_DSP_ERROR)
		return dspctl_fail_call(r, result, "%s, method %" PRIu32, call->channel,
			call->method);
	if (r)
		return dspctl_fail_broker(r, "%s, method %" PRIu32, call->channel, call->method);
	return DSPCTL_OK;
}

static void print_numbers(const struct dspctl_arg *arg, const unsigned char *bytes)
{
	char text[DSPCTL_NUMBER_SIZE];

	for (size_t at = 0; at < arg->length; at += arg->type->size) {
		dspctl_number_format(arg->type, dspctl_number_load(arg->type, bytes + at), text);
		printf("%s%s", at ? " " : "", text);
	}
	putchar('\n');
}

static void print_dump(const unsigned char *bytes, size_t size)
{
	for (size_t at = 0; at < size; at += DUMP_LINE) {
		const size_t n = MIN(size - at, (size_t)DUMP_LINE);

		printf("%08zx ", at);
		for (size_t i = 0; i < DUMP_LINE; i++)
			i < n ? printf(" %02x", bytes[at + i]) : printf("   ");
		fputs("  ", stdout);
		for (size_t i = 0; i < n; i++)
			putchar(isprint(bytes[at + i]) ? bytes[at + i] : '.');
		putchar('\n');
	}
}

static struct json_object *number_json(const struct dspctl_type *type, const void *bytes)
{
	const struct dspctl_number number = dspctl_number_load(type, bytes);
	char text[DSPCTL_NUMBER_SIZE];

	if (number.kind == DSPCTL_SIGNED)
		return json_object_new_int64(number.i);
	if (number.kind == DSPCTL_UNSIGNED)
		return json_object_new_uint64(number.u);
	if (!isfinite(number.f))
		return NULL; /* JSON has no word for it but null */
	dspctl_number_format(type, number, text);
	return json_object_new_double_s(number.f, text);
}

static struct json_object *hex_json(const unsigned char *bytes, size_t size)
{
	_cleanup_(freep) char *text = dspctl_hex(bytes, size);

	return text ? json_object_new_string(text) : NULL;
}

static struct json_object *output_json(const struct dspctl_arg *arg, const unsigned char *bytes)
{
	struct json_object *output = json_object_new_object(), *values;

	json_object_object_add(output, "bytes", json_object_new_uint64(arg->length));
	if (arg->file) {
		json_object_object_add(output, "file", json_object_new_string(arg->file));
	} else if (arg->type) {
		values = json_object_new_array();
		for (size_t at = 0; at < arg->length; at += arg->type->size)
			json_object_array_add(values, number_json(arg->type, bytes + at));
		json_object_object_add(output, "type", json_object_new_string(arg->type->name));
		json_object_object_add(output, "values", values);
	} else {
		json_object_object_add(output, "hex", hex_json(bytes, arg->length));
	}
	return output;
}

static void print_outputs(const struct call *call)
{
	for (unsigned int i = call->args.n_in; i < count(call); i++) {
		const struct dspctl_arg *arg = &call->args.arg[i];

		if (arg->type)
			print_numbers(arg, bytes_of(call, i));
		else if (!arg->file)
			print_dump(bytes_of(call, i), arg->length);
	}
}

static void print_outputs_json(const struct call *call)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = json_object_new_object();
	struct json_object *outputs = json_object_new_array();

	for (unsigned int i = call->args.n_in; i < count(call); i++)
		json_object_array_add(outputs, output_json(&call->args.arg[i], bytes_of(call, i)));
	json_object_object_add(root, "channel", json_object_new_string(call->channel));
	json_object_object_add(root, "method", json_object_new_uint64(call->method));
	json_object_object_add(root, "outputs", outputs);
	dspctl_print_json(root);
}

static int write_files(const struct call *call)
{
	int r;

	for (unsigned int i = call->args.n_in; i < count(call); i++) {
		const struct dspctl_arg *arg = &call->args.arg[i];

		if (!arg->file)
			continue;
		r = dspctl_file_write(arg->file, bytes_of(call, i), arg->length);
		if (r < 0)
			return dspctl_fail(DSPCTL_FAILED, "cannot write %s: %s", arg->file,
				strerror(-r));
	}
	return DSPCTL_OK;
}

static int check_raw_output(const struct call *call, bool json)
{
	for (unsigned int i = call->args.n_in; json && i < count(call); i++)
		if (call->args.arg[i].file && strcmp(call->args.arg[i].file, "-") == 0)
			return dspctl_fail(DSPCTL_USAGE,
				"raw bytes and --json cannot share standard output");
	return DSPCTL_OK;
}

/* All that can be found wrong without a broker. */
static int prepare(struct call *call, const struct dspctl_options *options, uint32_t *out_size)
{
	int r;

	r = parse_words(call, options);
	if (r == 0)
		r = check_raw_output(call, options->json);
	if (r == 0)
		r = read_files(call);
	if (r == 0)
		r = check_method_word(call);
	if (r == 0)
		r = lay_out(call, out_size);
	return r;
}

static int show(const struct call *call, bool json)
{
	int r;

	r = dspctl_buffer_begin(call->buffer, false);
	if (r == 0)
		r = write_files(call);
	if (r == 0)
		json ? print_outputs_json(call) : print_outputs(call);
	if (r == 0)
		r = dspctl_buffer_end(call->buffer, false);
	return r;
}

/* Not left to the end of the connection: who comes next is to find what it occupied free. */
static void closep(struct dspbroker_session **session)
{
	dspbroker_session_close(*session);
}

int dspctl_call(const struct dspctl_options *options)
{
	_cleanup_(call_deinit) struct call call = {0};
	_cleanup_(dspbroker_freep) struct dspbroker *broker = NULL;
	_cleanup_(closep) struct dspbroker_session *session = NULL;
	uint32_t size = 0;
	int r;

	r = prepare(&call, options, &size);
	if (r == 0)
		r = dspctl_connect(&broker, options);
	if (r == 0)
		r = dspctl_open(&session, broker, options, DSPCTL_CALLS);
	if (r == 0 && size > 0)
		r = dspctl_buffer(&call.buffer, &call.memory, broker, session, size, options);
	if (r == 0)
		r = fill(&call);
	if (r == 0)
		r = invoke(&call, session, options->timeout_ms);
	if (r == 0)
		r = show(&call, options->json);
	return r;
}
