// SPDX-License-Identifier: MIT
/* What went wrong, in words. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/internal.h"

#define SAME(name)                                                                            \
	static_assert((int)DSPBROKER_##name == (int)DSP_##name, "public header and protocol " \
								"agree")
SAME(OK);
SAME(INVALID);
SAME(UNSUPPORTED);
SAME(DENIED);
SAME(OVER_LIMIT);
SAME(NOT_FOUND);
SAME(TIMED_OUT);
SAME(CANCELLED);
SAME(DEVICE_DOWN);
SAME(DOMAIN_CRASHED);
SAME(DSP_ERROR);
SAME(BUSY);
SAME(NO_RESOURCES);
SAME(SHUTTING_DOWN);
SAME(LOAD_FAILED);
SAME(WITHDRAWN);
SAME(BAD_POLICY);
SAME(ARGS_MAX);
SAME(CONFINED_USER);
SAME(CONFINED_CAPABILITIES);
SAME(CONFINED_UNDUMPABLE);
SAME(CONFINED_CALLS);
SAME(CONFINED_FILES);
SAME(STATE_NONE);
SAME(STATE_OFFLINE);
SAME(STATE_SUSPENDED);
SAME(STATE_RUNNING);
SAME(STATE_CRASHED);
SAME(STATE_ATTACHED);
SAME(STATE_DETACHED);
SAME(STATE_UNKNOWN);
SAME(ISOLATION_SOFTWARE);
SAME(ISOLATION_IOMMU);
SAME(ISOLATION_ACCEPTED);
SAME(ISOLATION_REFUSED);
SAME(MEMORY_MEMFD);
SAME(MEMORY_HEAP);
SAME(MEMORY_DEVICE);
SAME(POWER_START);
SAME(POWER_STOP);
SAME(LIMIT_NONE);
SAME(LIMIT_SESSION_CALLS);
SAME(LIMIT_RULE_CALLS);
SAME(LIMIT_RULE_RATE);
SAME(LIMIT_CONNECTION_CALLS);
SAME(LIMIT_USER_CALLS);
SAME(MODULE_BYTES_MAX);
SAME(ATTRIBUTES_MAX);
#undef SAME
static_assert(DSP_STATUS_COUNT == DSPBROKER_BAD_POLICY + 1, "a status is missing above");
static_assert(DSP_STATE_COUNT == DSPBROKER_STATE_UNKNOWN + 1, "a state is missing above");
static_assert(DSP_ISOLATION_COUNT == DSPBROKER_ISOLATION_REFUSED + 1, "one is missing above");
static_assert(DSP_MEMORY_COUNT == DSPBROKER_MEMORY_DEVICE + 1, "a kind is missing above");
static_assert(DSP_LIMIT_COUNT == DSPBROKER_LIMIT_USER_CALLS + 1, "a limit is missing above");

#define ERRNO_MAX 4095

static _Thread_local char sentence[DSP_TEXT_SIZE + DSP_RULE_SIZE + 64];

void message_clear(void)
{
	sentence[0] = '\0';
}

void message_set(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
}

static _printf_(1, 2) void message_append(const char *format, ...)
{
	size_t length = strlen(sentence);
	va_list args;

	va_start(args, format);
	vsnprintf(sentence + length, sizeof(sentence) - length, format, args);
	va_end(args);
}

/* The broker's sentence, and the rule and the limit if it does not name them itself. */
void message_set_error(const struct dsp_error *error)
{
	char text[DSP_TEXT_SIZE], rule[DSP_RULE_SIZE], limit[32];

	wire_string_set(text, sizeof(text), error->text);
	wire_string_set(rule, sizeof(rule), error->rule);
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)error->limit);
	message_set("%s", *text ? text : wire_status_name(error->status));
	if (*rule && !strstr(text, rule))
		message_append(" (rule %s)", rule);
	if (error->status == DSP_OVER_LIMIT && !strstr(text, limit))
		message_append(" (limit %s)", limit);
}

/* The field at byte @offset of a ring entry. */
static void message_set_field(uint32_t offset, unsigned int n_in)
{
	static const struct {
		size_t offset;
		const char *name;
	} fields[] = {
		{offsetof(struct dsp_slot, op), "the operation"},
		{offsetof(struct dsp_slot, n_in), "the number of inputs"},
		{offsetof(struct dsp_slot, n_out), "the number of outputs"},
		{offsetof(struct dsp_slot, session), "the session"},
		{offsetof(struct dsp_slot, method), "the method"},
		{offsetof(struct dsp_slot, timeout_us), "the time-out"},
		{offsetof(struct dsp_slot, target), "the call to cancel"},
	};
	static const char *const members[] = {"buffer", "offset", "length"};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].offset == offset)
			message_set("%s is not valid", fields[i].name);
	for (unsigned int i = 0; i < DSP_ARGS_MAX; i++) {
		uint32_t in_arg = offset - ring_arg_offset(i);

		if (in_arg < sizeof(struct dsp_arg))
			message_set("argument %u (%s %u): the %s is not valid", i,
				i < n_in ? "input" : "output", i < n_in ? i : i - n_in,
				members[in_arg / sizeof(uint32_t)]);
	}
}

/* What a SEND can say beside what any entry can. */
static bool message_set_sent(const struct pending *pending)
{
	if (pending->status == DSP_TIMED_OUT)
		message_set("there was no room for the message in time");
	else if (pending->status == DSP_BUSY)
		message_set("there is no room for the message now");
	else if (pending->status == DSP_OVER_LIMIT && pending->detail &&
		 pending->limit <= DSP_LIMIT_SESSION_CALLS)
		message_set("%u messages wait for room already", pending->detail);
	else
		return false;
	return true;
}

/* Something else than what its rule allows. */
static void message_set_denied(const struct pending *pending)
{
	const char *rule = pending->session ? pending->session->info.rule : "of its session";

	message_set("rule %s does not allow %s", rule,
		pending->op == DSP_OP_INVOKE ? "that method" : "messages to be sent");
}

void message_set_outcome(const struct pending *pending)
{
	const struct dspbroker_session *session = pending->session;

	if (pending->op == DSP_OP_SEND && message_set_sent(pending))
		return;
	if (pending->status == DSP_INVALID)
		message_set_field(pending->detail, pending->n_in);
	else if (pending->status == DSP_DSP_ERROR)
		message_set("the module returned %d (0x%x)", pending->result,
			(unsigned int)pending->result);
	else if (pending->status && session && pending->status == session->death)
		message_set("%s", session->death_text);
	else if (pending->status == DSP_DENIED && (pending->detail || pending->op == DSP_OP_SEND))
		message_set_denied(pending);
	else if (pending->status == DSP_OVER_LIMIT && pending->limit &&
		 pending->limit < DSP_LIMIT_COUNT)
		message_set("over limit: %u %s", pending->detail, wire_limit_name(pending->limit));
	else if (pending->status == DSP_OVER_LIMIT)
		message_set("over a limit of %u", pending->detail);
}

const char *dspbroker_message(void)
{
	return sentence;
}

const char *dspbroker_strerror(int error)
{
	const char *text;

	if (error >= 0)
		return wire_status_name((uint32_t)error);
	if (error == -ECONNRESET)
		return "the connection to the broker is gone";
	text = error >= -ERRNO_MAX ? strerrordesc_np(-error) : NULL;
	return text ? text : "unknown error";
}

const char *dspbroker_limit_name(uint32_t limit)
{
	return wire_limit_name(limit);
}

const char *dspbroker_version(void)
{
	return DSP_VERSION;
}
