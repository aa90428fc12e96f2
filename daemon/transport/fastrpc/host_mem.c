// SPDX-License-Identifier: MIT
/*
 * apps_mem: a domain's heap grows by memory of the kernel's, as far as policy lets it, and gives it
 * back. What it names is looked up among what it was given, so that nothing else can be taken away.
 * The layouts are those of the vendor's src/apps_mem_skel.c: plain arguments at their natural
 * alignment.
 */
#include "daemon/transport/fastrpc/driver.h"
#include "daemon/transport/fastrpc/host.h"
#include "daemon/transport/fastrpc/retry.h"
#include "protocol/util.h"

/* What memory is for; the others that the vendor's library knows need memory of the host's. */
#define ADD_PAGES     0x1000
#define ADD_PAGES_LLC 0x3000 /* the same, which the last cache should keep */

/* Pieces that a heap consists of: looked through one by one. */
#define GROWTHS_MAX 1024

struct growth {
	struct list link;
	uint64_t address; /* the DSP's */
	uint64_t size;    /* as the kernel was asked for, and knows it by */
};

static uint64_t wide_word(const struct host_call *call, unsigned int i)
{
	return (uint64_t)host_word(call, i + 1) << 32 | host_word(call, i);
}

static void put_wide_word(struct host_call *call, unsigned int i, uint64_t value)
{
	host_put_word(call, i, (uint32_t)value);
	host_put_word(call, i + 1, (uint32_t)(value >> 32));
}

/* Whole pages, since it gets no less. False: no such size can be. */
static bool round_up(int64_t size, uint64_t *out)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (size <= 0 || __builtin_add_overflow((uint64_t)size, page - 1, out))
		return false;
	*out &= ~(page - 1);
	return true;
}

static bool may_grow(const struct host *host, uint64_t size)
{
	const struct growth *growth;
	unsigned int n = 0;
	uint64_t sum;

	list_for_each (growth, &host->growths, link)
		n++;
	return n < GROWTHS_MAX && !__builtin_add_overflow(host->memory, size, &sum) &&
	       sum <= host->options->policy->memory;
}

static struct node_result grow_heap(struct node *node, uint64_t size, uint64_t *address)
{
	struct node_result result;
	struct retry retry = {};

	do
		result = node->driver->grow(node, size, address);
	while (retry_after(&retry, result.error));
	return result;
}

static struct node_result shrink_heap(struct node *node, const struct growth *growth)
{
	struct node_result result;
	struct retry retry = {};

	do
		result = node->driver->shrink(node, growth->address, growth->size);
	while (retry_after(&retry, result.error));
	return result;
}

static uint32_t fail(struct node_result result)
{
	return result.error == -ENOMEM ? AEE_ENOMEMORY : AEE_EFAILED;
}

/* What the kernel does not take back stays the domain's, and counts. */
static uint32_t take_back(struct host *host, struct growth *growth)
{
	struct node_result result = shrink_heap(host->options->node, growth);

	if (result.error || result.result)
		return fail(result);
	host->memory -= growth->size;
	list_remove(&growth->link);
	free(growth);
	return AEE_SUCCESS;
}

static uint32_t give(struct host *host, uint32_t purpose, int64_t wanted, struct growth **out)
{
	_cleanup_(freep) struct growth *growth = NULL;
	struct node_result result;
	uint64_t size;

	if (!round_up(wanted, &size))
		return AEE_EBADPARM;
	if (purpose != ADD_PAGES && purpose != ADD_PAGES_LLC)
		return AEE_EUNSUPPORTED;
	if (!may_grow(host, size) || !(growth = calloc(1, sizeof(*growth))))
		return AEE_ENOMEMORY;
	growth->size = size;
	result = grow_heap(host->options->node, size, &growth->address);
	if (result.error || result.result)
		return fail(result);
	host->memory += size;
	list_append(&host->growths, &growth->link);
	*out = TAKE_PTR(growth);
	return AEE_SUCCESS;
}

static uint32_t find_and_take_back(struct host *host, uint64_t address, int64_t wanted)
{
	struct growth *growth;
	uint64_t size;

	if (!round_up(wanted, &size))
		return AEE_EBADPARM;
	list_for_each (growth, &host->growths, link)
		if (growth->address == address && growth->size == size)
			return take_back(host, growth);
	return AEE_ENOSUCH;
}

/* Heap, flags of the host's memory, purpose, address, size; the host sees nothing of it (0), the
 * DSP has it at an address. Of the arguments only purpose and size mean something here. */
static uint32_t map(struct host *host, struct host_call *call)
{
	struct growth *growth = NULL;
	uint32_t error = give(host, host_word(call, 2), (int32_t)host_word(call, 4), &growth);

	if (error)
		return error;
	if (growth->address > UINT32_MAX) {
		take_back(host, growth);
		return AEE_EFAILED;
	}
	host_put_word(call, 0, 0);
	host_put_word(call, 1, (uint32_t)growth->address);
	return AEE_SUCCESS;
}

static uint32_t unmap(struct host *host, struct host_call *call)
{
	return find_and_take_back(host, host_word(call, 0), (int32_t)host_word(call, 1));
}

static uint32_t map64(struct host *host, struct host_call *call)
{
	struct growth *growth = NULL;
	uint32_t error = give(host, host_word(call, 2), (int64_t)wide_word(call, 6), &growth);

	if (error)
		return error;
	put_wide_word(call, 0, 0);
	put_wide_word(call, 2, growth->address);
	return AEE_SUCCESS;
}

static uint32_t unmap64(struct host *host, struct host_call *call)
{
	return find_and_take_back(host, wide_word(call, 0), (int64_t)wide_word(call, 2));
}

void host_mem_deinit(struct host *host)
{
	struct growth *growth;

	while ((growth = list_first(&host->growths, struct growth, link))) {
		list_remove(&growth->link);
		free(growth);
	}
	host->memory = 0;
}

/* Those that are missing (4 to 7: share_map, share_unmap, dma_handle_map, dma_handle_unmap) speak
 * of the host's descriptors, which are nothing that a DSP should name. */
static const struct host_method methods[] = {
	{.number = 0, .scalars = 0x00010100, .in_size = 20, .out_size = 8, .serve = map},
	{.number = 1, .scalars = 0x01010000, .in_size = 8, .serve = unmap},
	{.number = 2, .scalars = 0x02010100, .in_size = 32, .out_size = 16, .serve = map64},
	{.number = 3, .scalars = 0x03010000, .in_size = 16, .serve = unmap64},
};

const struct host_interface host_mem = {
	.name = "apps_mem",
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};
