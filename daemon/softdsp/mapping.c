// SPDX-License-Identifier: MIT
#include "daemon/softdsp/mapping.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "protocol/sock.h"
#include "protocol/util.h"

static int map(struct mapping *out, int fd, uint64_t size)
{
	bool writable = true;
	void *base;

	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED && (errno == EACCES || errno == EPERM)) {
		writable = false;
		base = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	}
	if (base == MAP_FAILED)
		return -errno;
	*out = (struct mapping){.base = base, .size = size, .writable = writable};
	return 0;
}

/* It has an id all the same, so that calls with it fail for what it is. */
static void map_none(struct mapping_table *table, const struct soft_message *message, int error)
{
	static char nowhere;

	table->slots[message->id] = (struct mapping){.base = &nowhere};
	if (!table->complained)
		fprintf(stderr, "softdsp: cannot map %llu bytes: %s\n",
			(unsigned long long)message->size, strerror(-error));
	table->complained = true;
}

static int receive_one(struct mapping_table *table)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct soft_message message;
	ssize_t n;
	int r;

	n = sock_receive(table->socket, &message, sizeof(message), &fds, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 ? (int)n : -ECONNRESET;
	if (n != sizeof(message) || message.type != SOFT_MAP || fds.n != 1 ||
		message.id >= SOFT_MAPPINGS_MAX || table->slots[message.id].base)
		return -EPROTO;
	r = map(&table->slots[message.id], fds.fd[0], message.size);
	if (r < 0)
		map_none(table, &message, r);
	return 0;
}

int mapping_receive(struct mapping_table *table)
{
	int r;

	do {
		r = receive_one(table);
	} while (r >= 0);
	return r == -EAGAIN ? 0 : r;
}

int mapping_find(struct mapping_table *table, uint64_t id, struct mapping **out)
{
	int r;

	*out = NULL;
	if (id >= SOFT_MAPPINGS_MAX)
		return 0;
	if (!table->slots[id].base) {
		r = mapping_receive(table);
		if (r < 0)
			return r;
	}
	if (table->slots[id].base)
		*out = &table->slots[id];
	return 0;
}

void mapping_remove(struct mapping *mapping)
{
	if (mapping->size)
		munmap(mapping->base, mapping->size);
	*mapping = (struct mapping){};
}
