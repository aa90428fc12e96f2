// SPDX-License-Identifier: MIT
/* From the command line to a session, and to buffers for its calls. */
#include <string.h>

#include "client/dspctl.h"
#include "client/dspctl_file.h"
#include "protocol/wire.h"

int dspctl_connect(struct dspbroker **out, const struct dspctl_options *options)
{
	const char *path = options->socket ? options->socket : secure_getenv("DSPBROKER_SOCKET");
	const int r = dspbroker_connect(out, options->socket);

	if (r)
		return dspctl_fail_broker(r, "no broker at %s", path ? path : DSP_SOCKET_DEFAULT);
	return DSPCTL_OK;
}

static int open_module(struct dspbroker_session **out, struct dspbroker *broker,
	const struct dspctl_options *options)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	r = dspctl_file_seal(options->module, DSPBROKER_MODULE_BYTES_MAX, &fd);
	if (r == -EFBIG)
		return dspctl_fail(DSPCTL_FAILED, "%s: a module has at most %d MiB",
			options->module, DSPBROKER_MODULE_BYTES_MAX >> 20);
	if (r == -ENODATA)
		return dspctl_fail(DSPCTL_FAILED, "%s is empty", options->module);
	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "cannot read %s: %s", options->module,
			strerror(-r));
	r = dspbroker_session_open_module(broker, out, options->words[0], fd);
	return r ? dspctl_fail_broker(r, "cannot open the channel with %s", options->module)
		 : DSPCTL_OK;
}

static int open_installed(struct dspbroker_session **out, struct dspbroker *broker,
	const char *channel)
{
	const int r = dspbroker_session_open(broker, out, channel);

	return r ? dspctl_fail_broker(r, "cannot open the channel") : DSPCTL_OK;
}

int dspctl_open(struct dspbroker_session **out, struct dspbroker *broker,
	const struct dspctl_options *options, enum dspctl_takes takes)
{
	const char *channel = options->words[0];
	bool messages;
	int r;

	r = options->module ? open_module(out, broker, options)
			    : open_installed(out, broker, channel);
	if (r)
		return r;
	messages = dspbroker_session_info(*out)->mtu > 0;
	if (messages && takes == DSPCTL_CALLS)
		return dspctl_fail(DSPCTL_USAGE,
			"%s takes messages, not calls; see `dspctl send --help`", channel);
	if (!messages && takes == DSPCTL_MESSAGES)
		return dspctl_fail(DSPCTL_USAGE,
			"%s takes calls, not messages; see `dspctl call --help`", channel);
	return DSPCTL_OK;
}

int dspctl_buffer(struct dspbroker_buffer **out, unsigned char **out_memory,
	struct dspbroker *broker, struct dspbroker_session *session, size_t size,
	const struct dspctl_options *options)
{
	const enum dspbroker_memory kind = (enum dspbroker_memory)options->memory;
	void *memory;
	int r;

	r = dspbroker_buffer_alloc_from(broker, out, size, kind,
		kind == DSPBROKER_MEMORY_DEVICE ? session : NULL);
	if (r == 0)
		r = dspbroker_buffer_map(*out, &memory);
	if (r)
		return dspctl_fail_broker(r, "a buffer of %zu bytes", size);
	*out_memory = memory;
	return DSPCTL_OK;
}

int dspctl_buffer_begin(struct dspbroker_buffer *buffer, bool write)
{
	const int r = buffer ? dspbroker_buffer_begin(buffer, write) : 0;

	return r ? dspctl_fail_broker(r, "preparing the buffer for this processor") : DSPCTL_OK;
}

int dspctl_buffer_end(struct dspbroker_buffer *buffer, bool write)
{
	const int r = buffer ? dspbroker_buffer_end(buffer, write) : 0;

	return r ? dspctl_fail_broker(r, "preparing the buffer for the DSP") : DSPCTL_OK;
}
