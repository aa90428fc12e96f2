// SPDX-License-Identifier: MIT
/* `dspctl send CHANNEL MESSAGE...` and `dspctl receive CHANNEL` */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/dspctl.h"
#include "client/dspctl_file.h"
#include "client/dspctl_message.h"
#include "client/dspctl_wait.h"

#define UNLIMITED UINT64_MAX
#define TAKE_MAX  64 /* messages taken between two that are sent */

struct exchange {
	const struct dspctl_options *options;
	const char *channel;
	struct dspctl_messages messages; /* to be sent */
	uint64_t wanted;                 /* messages still to be printed */
	struct dspbroker *broker;
	struct dspbroker_session *session; /* the broker's */
	uint32_t mtu;
	unsigned char *room; /* of MTU bytes, for one that comes */
};

static void exchange_deinit(struct exchange *exchange)
{
	dspctl_messages_deinit(&exchange->messages);
	free(exchange->room);
	dspbroker_session_close(exchange->session);
	dspbroker_free(exchange->broker);
}

static int out_of_memory(void)
{
	return dspctl_fail(DSPCTL_FAILED, "out of memory");
}

static int add_stdin(struct exchange *exchange, char error[DSPCTL_ERROR_SIZE])
{
	_cleanup_(freep) unsigned char *bytes = NULL;
	uint32_t length = 0;
	int r;

	r = dspctl_file_read("-", &bytes, &length);
	if (r < 0)
		return r;
	return (exchange->options->raw ? dspctl_messages_add
				       : dspctl_messages_add_lines)(&exchange->messages,
		exchange->options->hex, bytes, length, error);
}

static int add_word(struct exchange *exchange, const char *word, char error[DSPCTL_ERROR_SIZE])
{
	return dspctl_messages_add(&exchange->messages, exchange->options->hex, word, strlen(word),
		error);
}

/* All that is to be sent, before anything is. */
static int gather(struct exchange *exchange)
{
	const struct dspctl_options *options = exchange->options;
	char error[DSPCTL_ERROR_SIZE] = "";
	bool read = false;
	int r = 0;

	for (size_t i = 1; i < options->n_words && r == 0; i++) {
		if (strcmp(options->words[i], "-") != 0) {
			r = add_word(exchange, options->words[i], error);
			continue;
		}
		if (read)
			return dspctl_fail(DSPCTL_USAGE, "standard input can be read only once");
		read = true;
		r = add_stdin(exchange, error);
	}
	if (r < 0 && *error)
		return dspctl_fail(DSPCTL_USAGE, "%s", error);
	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "cannot read the messages: %s", strerror(-r));
	return DSPCTL_OK;
}

static int check_lengths(const struct exchange *exchange)
{
	for (size_t i = 0; i < exchange->messages.n; i++)
		if (exchange->messages.item[i].length > exchange->mtu)
			return dspctl_fail(DSPCTL_OVER_LIMIT,
				"message %zu has %zu bytes; %s takes at most %" PRIu32
				" (its MTU); nothing was sent",
				i + 1, exchange->messages.item[i].length, exchange->channel,
				exchange->mtu);
	return DSPCTL_OK;
}

static int open_channel(struct exchange *exchange)
{
	int r;

	r = dspctl_connect(&exchange->broker, exchange->options);
	if (r == 0)
		r = dspctl_open(&exchange->session, exchange->broker, exchange->options,
			DSPCTL_MESSAGES);
	if (r)
		return r;
	exchange->mtu = dspbroker_session_info(exchange->session)->mtu;
	exchange->room = malloc(exchange->mtu);
	if (!exchange->room)
		return out_of_memory();
	r = exchange->options->follow ? dspctl_wait_catch() : 0;
	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "cannot catch signals: %s", strerror(-r));
	return DSPCTL_OK;
}

static int print_json(const unsigned char *bytes, size_t length, uint32_t dropped)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = json_object_new_object();
	_cleanup_(freep) char *hex = dspctl_hex(bytes, length);
	_cleanup_(freep) char *text = dspctl_escape(bytes, length);

	if (!root || !hex || !text)
		return out_of_memory();
	json_object_object_add(root, "bytes", json_object_new_uint64(length));
	json_object_object_add(root, "dropped", json_object_new_uint64(dropped));
	json_object_object_add(root, "hex", json_object_new_string(hex));
	json_object_object_add(root, "text", json_object_new_string(text));
	dspctl_print_json_line(root);
	return DSPCTL_OK;
}

static int print_text(const struct exchange *exchange, size_t length)
{
	_cleanup_(freep) char *text =
		(exchange->options->hex ? dspctl_hex : dspctl_escape)(exchange->room, length);

	if (!text)
		return out_of_memory();
	puts(text);
	return DSPCTL_OK;
}

/* Print the message in @exchange->room. Who reads it sees it at once. */
static int print(struct exchange *exchange, size_t length, uint32_t dropped)
{
	int r = DSPCTL_OK;

	if (dropped)
		dspctl_note("%s: %" PRIu32 " %s dropped before the next", exchange->channel,
			dropped, dropped == 1 ? "message was" : "messages were");
	if (exchange->options->json)
		r = print_json(exchange->room, length, dropped);
	else if (exchange->options->raw)
		fwrite(exchange->room, 1, length, stdout);
	else
		r = print_text(exchange, length);
	fflush(stdout);
	if (ferror(stdout))
		exchange->wanted = 0; /* main() reports it */
	return r;
}

/* Print one message if there is one; *@any tells. Returns an exit code. */
static int take(struct exchange *exchange, bool *any)
{
	uint32_t dropped = 0;
	size_t length = 0;
	int r;

	r = dspbroker_receive(exchange->session, exchange->room, exchange->mtu, &length, &dropped,
		0);
	*any = r == 0;
	if (r == DSPBROKER_TIMED_OUT)
		return DSPCTL_OK;
	if (r)
		return dspctl_fail_broker(r, "receiving from %s", exchange->channel);
	if (exchange->wanted != UNLIMITED)
		exchange->wanted--;
	return print(exchange, length, dropped);
}

/* Print what has come, so that it need not wait until everything is sent: the queue is bounded. */
static int take_some(struct exchange *exchange)
{
	bool any = true;
	int r = DSPCTL_OK;

	for (size_t i = 0; i < TAKE_MAX && exchange->wanted > 0 && any && r == 0; i++)
		r = take(exchange, &any);
	return r;
}

static int send_message(const struct exchange *exchange, const struct dspctl_message *message)
{
	const int64_t timeout_ms = exchange->options->timeout_ms;

	if (exchange->options->try_only)
		return dspbroker_try_send(exchange->session, message->data, message->length);
	return dspbroker_send(exchange->session, message->data, message->length,
		timeout_ms ? (int)timeout_ms : -1);
}

static int send_all(struct exchange *exchange)
{
	const struct dspctl_messages *messages = &exchange->messages;
	int r;

	for (size_t i = 0; i < messages->n; i++) {
		if (dspctl_wait_ended())
			return dspctl_fail(DSPCTL_FAILED, "interrupted: %zu of %zu messages sent",
				i, messages->n);
		r = send_message(exchange, &messages->item[i]);
		if (r)
			return dspctl_fail_broker(r, "sending message %zu of %zu to %s", i + 1,
				messages->n, exchange->channel);
		r = take_some(exchange);
		if (r)
			return r;
	}
	return DSPCTL_OK;
}

/* Wait for what may be a message. *@done: somebody has had enough. Returns an exit code. */
static int wait_for_message(const struct exchange *exchange, int64_t deadline_ms, bool *done)
{
	const struct dspctl_options *options = exchange->options;
	struct dspbroker_event event;
	int r;

	/* What events say of our session, dspbroker_receive() says too; but they keep the
	 * descriptor readable. */
	while (dspbroker_next_event(exchange->broker, &event) == 1)
		;
	r = dspctl_wait(dspbroker_fd(exchange->broker), deadline_ms);
	*done = options->follow && (r == -EINTR || r == -EPIPE);
	if (r > 0 || *done)
		return DSPCTL_OK;
	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "waiting for a message: %s", strerror(-r));
	return dspctl_fail(DSPCTL_TIMED_OUT, "%s: no message within %" PRId64 " ms",
		exchange->channel, options->timeout_ms);
}

static int receive_all(struct exchange *exchange)
{
	const int64_t timeout_ms = exchange->options->timeout_ms;
	int64_t deadline_ms = dspctl_wait_deadline(timeout_ms);
	bool any, done = false;
	int r = DSPCTL_OK;

	while (r == 0 && exchange->wanted > 0 && !done && !dspctl_wait_ended()) {
		r = take(exchange, &any);
		if (any)
			deadline_ms = dspctl_wait_deadline(timeout_ms);
		else if (r == 0)
			r = wait_for_message(exchange, deadline_ms, &done);
	}
	return r;
}

static int run(struct exchange *exchange)
{
	int r;

	r = gather(exchange);
	if (r == 0)
		r = open_channel(exchange);
	if (r == 0)
		r = check_lengths(exchange);
	if (r == 0)
		r = send_all(exchange);
	if (r == 0)
		r = receive_all(exchange);
	return r;
}

int dspctl_send(const struct dspctl_options *options)
{
	_cleanup_(exchange_deinit) struct exchange exchange = {
		.options = options,
		.channel = options->words[0],
		.wanted = options->follow ? UNLIMITED : (uint64_t)options->count,
	};

	return run(&exchange);
}

int dspctl_receive(const struct dspctl_options *options)
{
	_cleanup_(exchange_deinit) struct exchange exchange = {
		.options = options,
		.channel = options->words[0],
		.wanted = options->follow ? UNLIMITED : (uint64_t)MAX(options->count, 1),
	};

	return run(&exchange);
}
