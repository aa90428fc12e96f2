// SPDX-License-Identifier: MIT
/* The buffers of the fake broker. All are memfds, whatever they should be made of. */
#include <sys/mman.h>

#include "tests/unit/fake_private.h"

static size_t real_size(uint64_t size)
{
	return size >= FAKE_SIZE_BARE && size < FAKE_SIZE_END ? 4096 : size;
}

static int allocate(struct fake_broker *fake, const struct dsp_alloc *alloc, char **mapping)
{
	fake->memory = alloc->memory;
	fake->session = alloc->session;
	return fake_memory_new(real_size(alloc->size), true, mapping);
}

struct fake_origin fake_broker_origin(const struct fake_broker *fake)
{
	return (struct fake_origin){.memory = fake->memory, .session = fake->session};
}

static void keep(struct fake_broker *fake, char *mapping, size_t size)
{
	MUST(mapping != MAP_FAILED);
	MUST(fake->n_buffers < ARRAY_SIZE(fake->buffers));
	fake->buffer_size[fake->n_buffers] = size;
	fake->buffers[fake->n_buffers++] = mapping;
}

void fake_buffer(struct fake_broker *fake, const union dsp_request *request, struct sock_fds *fds)
{
	const uint16_t opcode = request->header.opcode;
	const uint64_t size = opcode == DSP_ALLOC ? request->alloc.size : request->import.size;
	_cleanup_(fd_closep) int fd = sock_fds_take(fds, 0);
	int sent[DSP_FDS_MAX], n_sent = opcode == DSP_ALLOC;
	struct {
		struct dsp_buffer_reply reply;
		char more[8];
	} packet = {};
	size_t length = sizeof(packet.reply);
	char *mapping;

	if (opcode == DSP_ALLOC)
		fd = allocate(fake, &request->alloc, &mapping);
	else
		mapping = mmap(NULL, real_size(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	keep(fake, mapping, real_size(size));
	packet.reply = (struct dsp_buffer_reply){
		.header = {.opcode = opcode | DSP_REPLY, .serial = request->header.serial},
		.size = size == FAKE_SIZE_NONE ? 0 : size,
		.buffer = size == FAKE_SIZE_AREA ? DSP_ARGUMENT_AREA : fake->n_buffers,
	};
	length += size == FAKE_SIZE_LONG ? 8 : 0;
	length -= size == FAKE_SIZE_SHORT ? 8 : 0;
	n_sent += size == FAKE_SIZE_MORE;
	n_sent = size == FAKE_SIZE_BARE ? 0 : n_sent;
	for (int i = 0; i < n_sent; i++)
		sent[i] = fd;
	sock_send(fake->sock, &packet, length, sent, (size_t)n_sent, 0);
}
