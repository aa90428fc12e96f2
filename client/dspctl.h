// SPDX-License-Identifier: MIT
/* dspctl: what its commands share. */
#ifndef DSPCTL_H
#define DSPCTL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/dspbroker.h"
#include "protocol/util.h"

/* Exit codes; scripts rely on them. */
enum dspctl_exit {
	DSPCTL_OK = 0,
	DSPCTL_FAILED = 1,     /* for a reason that is none of the following */
	DSPCTL_USAGE = 2,      /* the command line is wrong */
	DSPCTL_DENIED = 3,     /* by policy */
	DSPCTL_NO_BROKER = 4,  /* it cannot be reached, or went away */
	DSPCTL_NOT_FOUND = 5,  /* no such channel */
	DSPCTL_OVER_LIMIT = 6, /* a limit of the policy or the broker */
	DSPCTL_TIMED_OUT = 7,
	DSPCTL_DSP_ERROR = 8,   /* the module returned an error of its own */
	DSPCTL_DSP_DOWN = 9,    /* the module crashed, the device is down, or the service is gone */
	DSPCTL_BUSY = 10,       /* not just now: no room, or an exclusive channel is taken */
	DSPCTL_UNCONFINED = 11, /* the broker is less confined than it could be */
	DSPCTL_TROUBLED = 12,   /* it serves, but its policy files are wrong or it is overrun */
};

/* The command line. Numbers are 0 unless given. */
struct dspctl_options {
	char *const *words; /* what follows the command's name */
	size_t n_words;
	const char *socket; /* NULL: the library's default */
	const char *module; /* file of it; NULL: an installed one */
	bool json;
	bool follow;
	bool hex;
	bool raw;
	bool try_only; /* do not wait for room */
	bool strict;   /* a warning is a failure */
	bool has_method;
	const char *channel; /* NULL: none */
	const char *user;    /* name or number; NULL: none */
	int64_t timeout_ms;
	int64_t count; /* messages to receive */
	int64_t block; /* samples */
	int64_t in_flight;
	int64_t suppress_db;
	int64_t rate;   /* Hz */
	int64_t memory; /* enum dspbroker_memory */
	int64_t pid;
	int64_t method;
	int64_t verb; /* enum policy_verb */
};

/* The commands. Each reports its own errors and returns an exit code. */
int dspctl_status(const struct dspctl_options *options);
int dspctl_devices(const struct dspctl_options *options);
int dspctl_channels(const struct dspctl_options *options);
int dspctl_sessions(const struct dspctl_options *options);
int dspctl_call(const struct dspctl_options *options);
int dspctl_run(const struct dspctl_options *options);
int dspctl_send(const struct dspctl_options *options);
int dspctl_receive(const struct dspctl_options *options);
int dspctl_kick(const struct dspctl_options *options);
int dspctl_start(const struct dspctl_options *options);
int dspctl_stop(const struct dspctl_options *options);
int dspctl_policy_check(const struct dspctl_options *options);
int dspctl_policy_show(const struct dspctl_options *options);
int dspctl_policy_explain(const struct dspctl_options *options);
int dspctl_policy_reload(const struct dspctl_options *options);

/* Connect to the broker; reports failure. Returns an exit code. */
int dspctl_connect(struct dspbroker **out, const struct dspctl_options *options);
/* Open the channel that the first word names, with the module if there is one; likewise. One that
 * takes the other is refused. */
enum dspctl_takes {
	DSPCTL_CALLS,
	DSPCTL_MESSAGES,
};
int dspctl_open(struct dspbroker_session **out, struct dspbroker *broker,
	const struct dspctl_options *options, enum dspctl_takes takes);
/* Allocate a buffer for that session's calls, of the memory that is wanted, and map it; likewise.
 */
int dspctl_buffer(struct dspbroker_buffer **out, unsigned char **out_memory,
	struct dspbroker *broker, struct dspbroker_session *session, size_t size,
	const struct dspctl_options *options);

/* What dspbroker_buffer_begin() and _end() do, for a buffer or NULL; likewise. */
int dspctl_buffer_begin(struct dspbroker_buffer *buffer, bool write);
int dspctl_buffer_end(struct dspbroker_buffer *buffer, bool write);

DEFINE_CLEANUP(struct dspbroker *, dspbroker_free);

/* Say on stderr what is no error. */
_printf_(1, 2) void dspctl_note(const char *format, ...);

/* Errors go to stderr as "dspctl: WHAT: WHY". All of these return the exit code. */

/* WHAT and WHY are the caller's own. */
_printf_(2, 3) int dspctl_fail(enum dspctl_exit code, const char *format, ...);
/* A library function returned @status, just now: WHY is its message. */
_printf_(2, 3) int dspctl_fail_broker(int status, const char *format, ...);
/* The same for what administrators ask for; without advice for those who use a DSP. */
_printf_(2, 3) int dspctl_fail_request(int status, const char *format, ...);
/* A call ended with @status; if the module refused, with its @result. */
_printf_(3, 4) int dspctl_fail_call(int status, int32_t result, const char *format, ...);

/* The exit code for what a function of the library returned. */
enum dspctl_exit dspctl_exit_code(int status);

/* Print to stdout. */
void dspctl_print_json(struct json_object *object);
/* The same as one line, at once. */
void dspctl_print_json_line(struct json_object *object);

static inline void dspctl_jsonp(struct json_object **object)
{
	json_object_put(*object);
}

#endif
