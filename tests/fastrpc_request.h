// SPDX-License-Identifier: MIT
/*
 * Requests of a DSP to its host, packed by hand, and the answers taken apart: the format written
 * down a second time, from the side that the broker never sees.
 */
#ifndef TESTS_FASTRPC_REQUEST_H
#define TESTS_FASTRPC_REQUEST_H

#include <stdbool.h>
#include <string.h>

#include "daemon/transport/fastrpc/host.h"

struct fastrpc_request {
	uint8_t bytes[HOST_BYTES_MAX + 4096];
	size_t size;
	unsigned int n_in, n_out;
};

/* Lengths stand anywhere, bytes at multiples of 8, and what has none takes no place. */
static inline void request_word(struct fastrpc_request *request, uint32_t word)
{
	memcpy(request->bytes + request->size, &word, sizeof(word));
	request->size += sizeof(word);
}

static inline void request_in(struct fastrpc_request *request, const void *data, uint32_t size)
{
	request_word(request, size);
	request->n_in++;
	if (!size)
		return;
	while (request->size % 8)
		request->bytes[request->size++] = 0;
	memcpy(request->bytes + request->size, data, size);
	request->size += size;
}

/* All inputs come before. */
static inline void request_out(struct fastrpc_request *request, uint32_t size)
{
	request_word(request, size);
	request->n_out++;
}

static inline uint32_t request_scalars(const struct fastrpc_request *request, uint32_t method)
{
	return FASTRPC_SCALARS(method, request->n_in, request->n_out);
}

static inline void request_begin(struct fastrpc_request *request)
{
	request->size = request->n_in = request->n_out = 0;
}

/* apps_remotectl, open: a name, and how much room there is for a sentence. */
static inline void request_open(struct fastrpc_request *request, const void *name, uint32_t size,
	uint32_t room)
{
	const uint32_t in[] = {size, room};

	request_begin(request);
	request_in(request, in, sizeof(in));
	request_in(request, name, size);
	request_out(request, 8);
	request_out(request, room);
}

/* Find an output; NULL: the list is none, or has not so many. */
static inline const uint8_t *answer_find(const uint8_t *list, size_t size, unsigned int number,
	uint32_t *found)
{
	size_t at = 0;

	for (unsigned int i = 0;; i++) {
		if (size - at < sizeof(*found))
			return NULL;
		memcpy(found, list + at, sizeof(*found));
		at += sizeof(*found);
		while (*found && at < size && at % 8)
			at++;
		if (size - at < *found)
			return NULL;
		if (i == number)
			return list + at;
		at += *found;
	}
}

static inline uint32_t answer_word(const uint8_t *list, size_t size, unsigned int number,
	unsigned int i)
{
	uint32_t length, word = 0xdeadbeef;
	const uint8_t *data = answer_find(list, size, number, &length);

	if (data && (i + 1) * sizeof(word) <= length)
		memcpy(&word, data + i * sizeof(word), sizeof(word));
	return word;
}

#endif
