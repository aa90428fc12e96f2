// SPDX-License-Identifier: MIT
/* What dspctl says when something went wrong, and with which exit code. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "client/dspctl.h"
#include "protocol/text.h"

/* Statuses with an exit code or a piece of advice of their own. */
static const struct outcome {
	int status;
	enum dspctl_exit code;
	const char *advice;
} outcomes[] = {
	{DSPBROKER_OK, DSPCTL_OK, NULL},
	{DSPBROKER_DENIED, DSPCTL_DENIED, "`dspctl channels` shows what policy allows you"},
	{DSPBROKER_OVER_LIMIT, DSPCTL_OVER_LIMIT, NULL},
	{DSPBROKER_NOT_FOUND, DSPCTL_NOT_FOUND, "`dspctl channels` lists what there is"},
	{DSPBROKER_TIMED_OUT, DSPCTL_TIMED_OUT, NULL},
	{DSPBROKER_DEVICE_DOWN, DSPCTL_DSP_DOWN, "`dspctl devices` shows when it is up again"},
	{DSPBROKER_DOMAIN_CRASHED, DSPCTL_DSP_DOWN, NULL},
	{DSPBROKER_DSP_ERROR, DSPCTL_DSP_ERROR, NULL},
	{DSPBROKER_BUSY, DSPCTL_BUSY, NULL},
	{DSPBROKER_SHUTTING_DOWN, DSPCTL_NO_BROKER, NULL},
	{DSPBROKER_WITHDRAWN, DSPCTL_DSP_DOWN, "`dspctl devices --follow` shows when it is back"},
	{-ENOENT, DSPCTL_NO_BROKER, "is dspbrokerd running? Does it listen elsewhere (--socket)?"},
	{-ECONNREFUSED, DSPCTL_NO_BROKER, "nobody listens there: is dspbrokerd running?"},
	{-EACCES, DSPCTL_NO_BROKER, "you may not use the socket: `ls -l` says which group may"},
	{-EPERM, DSPCTL_NO_BROKER, NULL},
	{-ENAMETOOLONG, DSPCTL_NO_BROKER, NULL},
	{-ENOTDIR, DSPCTL_NO_BROKER, NULL},
	{-EPROTOTYPE, DSPCTL_NO_BROKER, "that is some other program's socket"},
	{-ECONNRESET, DSPCTL_NO_BROKER, "the journal may say why: journalctl -u dspbrokerd"},
	{-EPROTO, DSPCTL_NO_BROKER, NULL},
};

static const struct outcome *outcome_find(int status)
{
	static const struct outcome other = {0, DSPCTL_FAILED, NULL};

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		if (outcomes[i].status == status)
			return &outcomes[i];
	return &other;
}

enum dspctl_exit dspctl_exit_code(int status)
{
	return outcome_find(status)->code;
}

_printf_(1, 0) static void say(const char *format, va_list ap)
{
	/* A progress display may stand on this line. */
	fputs(isatty(STDERR_FILENO) ? "\r\033[Kdspctl: " : "dspctl: ", stderr);
	vfprintf(stderr, format, ap);
}

void dspctl_note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int dspctl_fail(enum dspctl_exit code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return (int)code;
}

static int finish(int status, const char *why)
{
	const struct outcome *outcome = outcome_find(status);

	fputs(": ", stderr);
	text_print(stderr, why);
	if (outcome->advice)
		fprintf(stderr, " (%s)", outcome->advice);
	fputc('\n', stderr);
	return (int)outcome->code;
}

int dspctl_fail_broker(int status, const char *format, ...)
{
	const char *why = dspbroker_message();
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	return finish(status, *why ? why : dspbroker_strerror(status));
}

int dspctl_fail_request(int status, const char *format, ...)
{
	const char *why = dspbroker_message();
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	fputs(": ", stderr);
	text_print(stderr, *why ? why : dspbroker_strerror(status));
	fputc('\n', stderr);
	return (int)dspctl_exit_code(status);
}

int dspctl_fail_call(int status, int32_t result, const char *format, ...)
{
	char why[64];
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	if (status != DSPBROKER_DSP_ERROR)
		return finish(status, dspbroker_strerror(status));
	snprintf(why, sizeof(why), "the module returned %" PRId32 " (0x%" PRIx32 ")", result,
		(uint32_t)result);
	return finish(status, why);
}

/* json-c leaves all from DEL on as it is, even what is no UTF-8. */
static void print_json(struct json_object *object, int flags)
{
	text_print_json(stdout,
		json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE));
	putchar('\n');
}

void dspctl_print_json(struct json_object *object)
{
	print_json(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

void dspctl_print_json_line(struct json_object *object)
{
	print_json(object, JSON_C_TO_STRING_PLAIN);
	fflush(stdout);
}
