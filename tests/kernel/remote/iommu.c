// SPDX-License-Identifier: MIT
#include "tests/kernel/remote/iommu.h"

#include <linux/virtio_iommu.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define REQUESTS     0
#define EVENTS       1
#define WINDOW_SIZE  (1ULL << 32)
#define PAGE         4096ULL
#define PROBE_SIZE   64
#define MAPPINGS_MAX 65536 /* of a domain */

/* A mapping is inclusive at both ends, as the guest speaks of it. */
struct mapping {
	struct list node;
	uint64_t first, last;
	uint32_t flags;
};

/* Addresses of this process; of the domain, and of whoever holds it. */
struct iommu_window {
	unsigned int holders;
	uint8_t *base;
};

struct iommu_domain {
	struct list node;
	uint32_t id;
	struct iommu_window *window;
	struct list mappings; /* in the order of their addresses */
	size_t n_mappings;
};

static const struct virtio_iommu_config config = {
	.page_size_mask = ~(PAGE - 1),
	.input_range = {.start = 0, .end = WINDOW_SIZE - 1},
	.domain_range = {.start = 0, .end = UINT16_MAX},
	.probe_size = PROBE_SIZE,
};

/* Windows. */

static int window_new(struct iommu_window **out)
{
	_cleanup_(freep) struct iommu_window *window = malloc(sizeof(*window));
	void *base = mmap(NULL, WINDOW_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);

	if (!window || base == MAP_FAILED) {
		if (base != MAP_FAILED)
			munmap(base, WINDOW_SIZE);
		return -ENOMEM;
	}
	*window = (struct iommu_window){.holders = 1, .base = base};
	*out = TAKE_PTR(window);
	return 0;
}

/* Nothing is to be seen there any more. */
static int window_clear(const struct iommu_window *window, uint64_t first, uint64_t size)
{
	void *map = mmap(window->base + first, size, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	return map == MAP_FAILED ? -errno : 0;
}

static int window_show(const struct iommu_window *window, const struct memory *memory,
	const struct virtio_iommu_req_map *map)
{
	uint64_t size = map->virt_end - map->virt_start + 1;
	const struct memory_region *region = memory_find(memory, map->phys_start, size);
	int protection = (map->flags & VIRTIO_IOMMU_MAP_F_READ ? PROT_READ : 0) |
			 (map->flags & VIRTIO_IOMMU_MAP_F_WRITE ? PROT_READ | PROT_WRITE : 0);

	if (!region)
		return -EFAULT;
	if (mmap(window->base + map->virt_start, size, protection, MAP_SHARED | MAP_FIXED,
		    region->fd,
		    (off_t)(region->offset + (map->phys_start - region->guest))) == MAP_FAILED)
		return -errno;
	return 0;
}

/* Domains. */

static struct iommu_domain *domain_find(const struct iommu *iommu, uint32_t id)
{
	struct iommu_domain *domain;

	list_for_each (domain, &iommu->domains, node)
		if (domain->id == id)
			return domain;
	return NULL;
}

static int domain_new(struct iommu_domain **out, struct iommu *iommu, uint32_t id)
{
	_cleanup_(freep) struct iommu_domain *domain = malloc(sizeof(*domain));
	int r;

	if (!domain)
		return -ENOMEM;
	*domain = (struct iommu_domain){.id = id};
	r = window_new(&domain->window);
	if (r < 0)
		return r;
	list_init(&domain->mappings);
	list_append(&iommu->domains, &domain->node);
	*out = TAKE_PTR(domain);
	return 0;
}

static void mapping_remove(struct iommu_domain *domain, struct mapping *mapping)
{
	list_remove(&mapping->node);
	domain->n_mappings--;
	free(mapping);
}

static void domain_free(struct iommu_domain *domain)
{
	struct mapping *mapping, *following;

	list_for_each_safe (mapping, following, &domain->mappings, node)
		mapping_remove(domain, mapping);
	window_clear(domain->window, 0, WINDOW_SIZE);
	iommu_release(domain->window);
	list_remove(&domain->node);
	free(domain);
}

/* A domain lives as long as a stream is attached to it. */
static void detach(struct iommu *iommu, uint32_t stream)
{
	struct iommu_domain *domain = iommu->streams[stream];

	iommu->streams[stream] = NULL;
	for (size_t i = 0; domain && i < IOMMU_STREAMS_MAX; i++)
		if (iommu->streams[i] == domain)
			domain = NULL;
	if (domain)
		domain_free(domain);
}

/* Requests. Each gets its request as a copy, and returns what the guest is told. */

static uint8_t status_of(int r)
{
	return r >= 0         ? VIRTIO_IOMMU_S_OK
	       : r == -ENOMEM ? VIRTIO_IOMMU_S_NOMEM
	       : r == -EFAULT ? VIRTIO_IOMMU_S_RANGE
			      : VIRTIO_IOMMU_S_DEVERR;
}

static uint8_t serve_attach(struct iommu *iommu, const void *request)
{
	const struct virtio_iommu_req_attach *attach = request;
	struct iommu_domain *domain = domain_find(iommu, attach->domain);
	int r = 0;

	if (attach->endpoint >= IOMMU_STREAMS_MAX)
		return VIRTIO_IOMMU_S_NOENT;
	if (attach->flags)
		return VIRTIO_IOMMU_S_INVAL;
	if (!domain)
		r = domain_new(&domain, iommu, attach->domain);
	if (r < 0)
		return status_of(r);
	if (iommu->streams[attach->endpoint] == domain)
		return VIRTIO_IOMMU_S_OK;
	detach(iommu, attach->endpoint);
	iommu->streams[attach->endpoint] = domain;
	return VIRTIO_IOMMU_S_OK;
}

static uint8_t serve_detach(struct iommu *iommu, const void *request)
{
	const struct virtio_iommu_req_detach *req = request;

	if (req->endpoint >= IOMMU_STREAMS_MAX)
		return VIRTIO_IOMMU_S_NOENT;
	if (!iommu->streams[req->endpoint] || iommu->streams[req->endpoint]->id != req->domain)
		return VIRTIO_IOMMU_S_INVAL;
	detach(iommu, req->endpoint);
	return VIRTIO_IOMMU_S_OK;
}

static bool is_range(uint64_t first, uint64_t last)
{
	return first <= last && last < WINDOW_SIZE && first % PAGE == 0 && (last + 1) % PAGE == 0;
}

static uint8_t serve_map(struct iommu *iommu, const void *request)
{
	const struct virtio_iommu_req_map *map = request;
	struct iommu_domain *domain = domain_find(iommu, map->domain);
	struct mapping *mapping, *after;
	int r;

	if (!domain)
		return VIRTIO_IOMMU_S_NOENT;
	if (!is_range(map->virt_start, map->virt_end) || map->phys_start % PAGE)
		return VIRTIO_IOMMU_S_RANGE;
	list_for_each (after, &domain->mappings, node)
		if (after->last >= map->virt_start)
			break;
	if (&after->node != &domain->mappings && after->first <= map->virt_end)
		return VIRTIO_IOMMU_S_INVAL;
	if (domain->n_mappings == MAPPINGS_MAX)
		return VIRTIO_IOMMU_S_NOMEM;
	mapping = malloc(sizeof(*mapping));
	if (!mapping)
		return VIRTIO_IOMMU_S_NOMEM;
	r = window_show(domain->window, &iommu->device.memory, map);
	if (r < 0) {
		free(mapping);
		return status_of(r);
	}
	*mapping = (struct mapping){
		.first = map->virt_start, .last = map->virt_end, .flags = map->flags};
	list_append(&after->node, &mapping->node);
	domain->n_mappings++;
	return VIRTIO_IOMMU_S_OK;
}

/* All mappings in the range go; one that reaches out of it is an error, and none goes. */
static uint8_t serve_unmap(struct iommu *iommu, const void *request)
{
	const struct virtio_iommu_req_unmap *unmap = request;
	struct iommu_domain *domain = domain_find(iommu, unmap->domain);
	uint64_t first = unmap->virt_start, last = unmap->virt_end;
	struct mapping *mapping, *following;

	if (!domain)
		return VIRTIO_IOMMU_S_NOENT;
	if (!is_range(first, last))
		return VIRTIO_IOMMU_S_RANGE;
	list_for_each (mapping, &domain->mappings, node)
		if (mapping->first <= last && mapping->last >= first &&
			(mapping->first < first || mapping->last > last))
			return VIRTIO_IOMMU_S_RANGE;
	list_for_each_safe (mapping, following, &domain->mappings, node)
		if (mapping->first >= first && mapping->last <= last)
			mapping_remove(domain, mapping);
	return status_of(window_clear(domain->window, first, last - first + 1));
}

/* No property: the buffer was zeroed, which is an end. */
static uint8_t serve_probe(struct iommu *iommu, const void *request)
{
	const struct virtio_iommu_req_probe *probe = request;

	(void)iommu;
	return probe->endpoint < IOMMU_STREAMS_MAX ? VIRTIO_IOMMU_S_OK : VIRTIO_IOMMU_S_NOENT;
}

static const struct {
	size_t request_size; /* what the guest writes */
	size_t answer_size;  /* what it wants to have, with the status at its end */
	uint8_t (*serve)(struct iommu *iommu, const void *request);
} requests[] = {
	[VIRTIO_IOMMU_T_ATTACH] = {offsetof(struct virtio_iommu_req_attach, tail),
		sizeof(struct virtio_iommu_req_tail), serve_attach},
	[VIRTIO_IOMMU_T_DETACH] = {offsetof(struct virtio_iommu_req_detach, tail),
		sizeof(struct virtio_iommu_req_tail), serve_detach},
	[VIRTIO_IOMMU_T_MAP] = {offsetof(struct virtio_iommu_req_map, tail),
		sizeof(struct virtio_iommu_req_tail), serve_map},
	[VIRTIO_IOMMU_T_UNMAP] = {offsetof(struct virtio_iommu_req_unmap, tail),
		sizeof(struct virtio_iommu_req_tail), serve_unmap},
	[VIRTIO_IOMMU_T_PROBE] = {sizeof(struct virtio_iommu_req_probe),
		PROBE_SIZE + sizeof(struct virtio_iommu_req_tail), serve_probe},
};

/* Bytes written for the guest; 0: the request made no sense, which its driver takes as an error. */
static uint32_t serve(struct iommu *iommu, const struct virtq_chain *chain)
{
	union {
		struct virtio_iommu_req_head head;
		struct virtio_iommu_req_attach attach;
		struct virtio_iommu_req_map map;
		uint8_t bytes[128];
	} request = {.bytes = {0}};
	struct virtio_iommu_req_tail tail = {0};
	size_t type, answer_size;

	if (chain->n_out != 1 || chain->n_in != 1 || chain->out[0].iov_len > sizeof(request))
		return 0;
	memcpy(&request, chain->out[0].iov_base, chain->out[0].iov_len);
	type = request.head.type;
	if (type >= ARRAY_SIZE(requests) || !requests[type].serve)
		return 0;
	answer_size = requests[type].answer_size;
	if (chain->out[0].iov_len != requests[type].request_size ||
		chain->in[0].iov_len != answer_size)
		return 0;
	tail.status = requests[type].serve(iommu, &request);
	if (tail.status != VIRTIO_IOMMU_S_OK)
		fprintf(stderr, "iommu: request %zu: status %u\n", type, tail.status);
	memset(chain->in[0].iov_base, 0, answer_size - sizeof(tail));
	memcpy((uint8_t *)chain->in[0].iov_base + answer_size - sizeof(tail), &tail, sizeof(tail));
	return (uint32_t)answer_size;
}

static void kicked(struct vu_device *device, unsigned int index)
{
	struct iommu *iommu = container_of(device, struct iommu, device);
	struct virtq *queue = &device->queues[index].virtq;
	struct virtq_chain chain;

	/* The other queue holds buffers for events. */
	if (index != REQUESTS)
		return;
	while (virtq_pop(queue, &chain) > 0)
		virtq_push(queue, chain.head, serve(iommu, &chain));
	virtq_notify(queue);
}

static void gone(struct vu_device *device)
{
	struct iommu *iommu = container_of(device, struct iommu, device);

	for (uint32_t stream = 0; stream < IOMMU_STREAMS_MAX; stream++)
		detach(iommu, stream);
}

static const struct vu_ops device_ops = {
	.name = "iommu",
	.features = 1ULL << VIRTIO_IOMMU_F_INPUT_RANGE | 1ULL << VIRTIO_IOMMU_F_DOMAIN_RANGE |
		    1ULL << VIRTIO_IOMMU_F_MAP_UNMAP | 1ULL << VIRTIO_IOMMU_F_PROBE,
	.config = &config,
	.config_size = sizeof(config),
	.kicked = kicked,
	.gone = gone,
};

int iommu_init(struct iommu *iommu, struct loop *loop, const char *path)
{
	*iommu = (struct iommu){.streams = {NULL}};
	list_init(&iommu->domains);
	return vu_init(&iommu->device, loop, path, &device_ops);
}

/* Access. */

void iommu_fault(struct iommu *iommu, uint32_t stream, uint64_t address, bool write)
{
	struct virtio_iommu_fault fault = {
		.reason = VIRTIO_IOMMU_FAULT_R_MAPPING,
		.flags = VIRTIO_IOMMU_FAULT_F_ADDRESS |
			 (write ? VIRTIO_IOMMU_FAULT_F_WRITE : VIRTIO_IOMMU_FAULT_F_READ),
		.endpoint = stream,
		.address = address,
	};
	struct virtq *queue = &iommu->device.queues[EVENTS].virtq;
	struct virtq_chain chain;

	iommu->faults++;
	fprintf(stderr, "iommu: fault of stream %u at 0x%llx\n", stream,
		(unsigned long long)address);
	if (virtq_pop(queue, &chain) <= 0 || chain.n_in != 1 || chain.in[0].iov_len < sizeof(fault))
		return;
	memcpy(chain.in[0].iov_base, &fault, sizeof(fault));
	virtq_push(queue, chain.head, sizeof(fault));
	virtq_notify(queue);
}

/* Is all of it mapped for that? Neighbouring mappings count as one. */
static bool is_mapped(const struct iommu_domain *domain, uint64_t first, uint64_t last, bool write)
{
	uint32_t need = write ? VIRTIO_IOMMU_MAP_F_WRITE : VIRTIO_IOMMU_MAP_F_READ;
	struct mapping *mapping;

	list_for_each (mapping, &domain->mappings, node) {
		if (mapping->last < first)
			continue;
		if (mapping->first > first || !(mapping->flags & need))
			return false;
		if (mapping->last >= last)
			return true;
		first = mapping->last + 1;
	}
	return false;
}

void *iommu_at(struct iommu *iommu, uint32_t stream, uint64_t address, uint64_t size, bool write)
{
	struct iommu_domain *domain = stream < IOMMU_STREAMS_MAX ? iommu->streams[stream] : NULL;

	if (!domain || size == 0 || address >= WINDOW_SIZE || size > WINDOW_SIZE - address ||
		!is_mapped(domain, address, address + size - 1, write)) {
		iommu_fault(iommu, stream, address, write);
		return NULL;
	}
	return domain->window->base + address;
}

struct iommu_window *iommu_hold(struct iommu *iommu, uint32_t stream)
{
	struct iommu_domain *domain = stream < IOMMU_STREAMS_MAX ? iommu->streams[stream] : NULL;

	if (!domain)
		return NULL;
	domain->window->holders++;
	return domain->window;
}

struct iommu_window *iommu_release(struct iommu_window *window)
{
	if (!window || --window->holders > 0)
		return NULL;
	munmap(window->base, WINDOW_SIZE);
	free(window);
	return NULL;
}

bool iommu_window_at(const struct iommu_window *window, const void *pointer, uint64_t *address)
{
	uintptr_t at = (uintptr_t)pointer, base = (uintptr_t)window->base;

	if (at < base || at - base >= WINDOW_SIZE)
		return false;
	*address = at - base;
	return true;
}
