// SPDX-License-Identifier: MIT
/*
 * The decoder of control messages. Input: one byte with the number of descriptors, then a packet.
 * What is accepted must be exactly what protocol/README.md allows, written down here once more.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/util.h"
#include "protocol/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
	if (!fact)
		abort();
}

static const struct {
	size_t size, fds;
	size_t zero, zero_size; /* bytes that must be zero */
} rules[] = {
	[DSP_HELLO] = {32, 0, 28, 4},
	[DSP_OPEN] = {144, 0, 136, 8},
	[DSP_CLOSE] = {16, 0, 12, 4},
	[DSP_ALLOC] = {24, 0, 0, 0},
	[DSP_IMPORT] = {24, 1, 16, 8},
	[DSP_FREE] = {16, 0, 12, 4},
	[DSP_QUERY_DEVICE] = {16, 0, 0, 0},
	[DSP_QUERY_CHANNEL] = {16, 0, 0, 0},
	[DSP_QUERY_SESSION] = {16, 0, 0, 0},
	[DSP_OPEN_MODULE] = {144, 1, 136, 8},
	[DSP_RELOAD] = {8, 0, 0, 0},
	[DSP_KICK] = {16, 0, 0, 0},
	[DSP_POWER] = {48, 0, 44, 4},
	[DSP_QUERY_BROKER] = {8, 0, 0, 0},
};

static bool all_zero(const uint8_t *bytes, size_t n)
{
	while (n--)
		if (*bytes++)
			return false;
	return true;
}

/* The kind of memory, and a session where it is a device's. */
static bool allowed_memory(const uint8_t *words)
{
	return words[0] <= 2 && all_zero(words + 1, 3) && (words[0] == 2 || all_zero(words + 4, 4));
}

static bool allowed_string(const uint8_t *field, size_t size)
{
	size_t length = strnlen((const char *)field, size);

	return length < size && all_zero(field + length, size - length);
}

static bool allowed(const uint8_t *packet, size_t size, size_t n_fds)
{
	size_t opcode;

	if (size < 8)
		return false;
	opcode = packet[0] | (size_t)packet[1] << 8;
	if (opcode == 0 || opcode >= ARRAY_SIZE(rules))
		return false;
	if (size != rules[opcode].size || n_fds != rules[opcode].fds)
		return false;
	if (!all_zero(packet + 2, 2) ||
		!all_zero(packet + rules[opcode].zero, rules[opcode].zero_size))
		return false;
	if (opcode == DSP_ALLOC)
		return allowed_memory(packet + 16);
	if (opcode == DSP_POWER)
		return allowed_string(packet + 8, 32);
	if (opcode == DSP_OPEN || opcode == DSP_OPEN_MODULE)
		return allowed_string(packet + 8, 128);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dsp_wire_fault fault = {};
	union dsp_request request;
	const uint8_t *packet;
	size_t n_fds;
	int r;

	if (size-- == 0)
		return -1;
	n_fds = data[0];
	packet = data + 1;
	r = wire_decode_request(&request, packet, size, n_fds, &fault);
	require((r == 0) == allowed(packet, size, n_fds));
	if (size >= sizeof(request.header))
		require(memcmp(&request.header, packet, sizeof(request.header)) == 0);
	require(*wire_opcode_name(request.header.opcode));
	if (r == 0) {
		require(memcmp(&request, packet, size) == 0);
		return 0;
	}
	require(r == -EPROTO);
	require(fault.status == DSP_INVALID || fault.status == DSP_UNSUPPORTED);
	require(fault.text && *fault.text);
	require(fault.field <= size);
	return 0;
}
