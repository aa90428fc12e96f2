// SPDX-License-Identifier: MIT
/* What the kernel itself asks of the DSP. All of it is done at once, in the loop. */
#include <stdio.h>
#include <string.h>

#include "tests/kernel/remote/dsp_state.h"

#define SHELL_MAGIC     "dspbroker testbed shell\n"
#define CREATE_UNSIGNED 8

enum method {
	METHOD_ATTACH = 0,
	METHOD_RELEASE = 1,
	METHOD_MMAP = 4,
	METHOD_MUNMAP = 5,
	METHOD_CREATE = 6,
	METHOD_CREATE_ATTRIBUTES = 7,
	METHOD_CREATE_STATIC = 8,
	METHOD_MEM_MAP = 10,
	METHOD_MEM_UNMAP = 11,
};

struct page {
	uint64_t address, size;
};

static struct dsp_domain_state *find(const struct dsp_job *job, int32_t id)
{
	struct dsp_domain_state *state = dsp_domain_find(job->endpoint, (uint32_t)id);

	return state && !state->ended ? state : NULL;
}

/* Processes. */

static int32_t attach(struct dsp_job *job)
{
	int32_t id;

	if (!dsp_input(&job->call, 0, &id, sizeof(id)))
		return DSP_EBADPARM;
	return dsp_domain_new(job, (uint32_t)id) ? AEE_SUCCESS : DSP_ERROR(AEE_EFAILED);
}

static bool is_shell(const remote_buf *file)
{
	return file->nLen > strlen(SHELL_MAGIC) &&
	       memcmp(file->pv, SHELL_MAGIC, strlen(SHELL_MAGIC)) == 0;
}

/* Its memory is the kernel's, and must be there. */
static bool is_memory(const struct dsp_job *job, struct page page)
{
	return page.size > 0 && page.address >> 32 == job->message.address >> 32 &&
	       iommu_at(dsp.iommu, (uint32_t)(page.address >> 32), page.address & UINT32_MAX,
		       page.size, true);
}

static int32_t create(struct dsp_job *job)
{
	struct {
		int32_t id;
		uint32_t name_size, file_size, pages, attributes, signature_size;
	} in;
	struct dsp_domain_state *state;
	struct page page;

	if (dsp_fault(DSP_FAULT_REFUSE_CREATE))
		return (int32_t)dsp_fault(DSP_FAULT_REFUSE_CREATE);
	if (!dsp_input(&job->call, 0, &in, sizeof(in)) ||
		!dsp_input(&job->call, 3, &page, sizeof(page)) || in.pages != 1 ||
		in.file_size != job->call.args[2].buf.nLen || !is_memory(job, page))
		return DSP_EBADPARM;
	if (!is_shell(&job->call.args[2].buf))
		return DSP_EUNABLETOLOAD;
	state = dsp_domain_new(job, (uint32_t)in.id);
	if (!state) {
		fprintf(stderr, "fastrpc: there is a domain %d already\n", in.id);
		return DSP_ERROR(AEE_EFAILED);
	}
	state->domain.user = true;
	state->domain.is_unsigned = in.attributes & CREATE_UNSIGNED;
	return AEE_SUCCESS;
}

static int32_t create_static(struct dsp_job *job)
{
	struct {
		int32_t id;
		uint32_t name_size, pages;
	} in;

	if (!dsp_input(&job->call, 0, &in, sizeof(in)))
		return DSP_EBADPARM;
	return dsp_domain_new(job, (uint32_t)in.id) ? AEE_SUCCESS : DSP_ERROR(AEE_EFAILED);
}

/* Memory. */

static struct dsp_map *map_find(struct dsp_domain_state *state, uint64_t address, uint64_t size,
	bool heap)
{
	struct dsp_map *map;

	list_for_each (map, &state->maps, node)
		if (map->address == address && map->size == size && map->heap == heap)
			return map;
	return NULL;
}

static uint64_t *map_count(const struct dsp_map *map)
{
	return map->heap ? &dsp.counts.heap : &dsp.counts.maps;
}

static void map_free(struct dsp_domain_state *state, struct dsp_map *map)
{
	list_remove(&map->node);
	state->n_maps--;
	--*map_count(map);
	free(map);
}

void dsp_maps_free(struct dsp_domain_state *state)
{
	struct dsp_map *map, *following;

	list_for_each_safe (map, following, &state->maps, node)
		map_free(state, map);
}

/* A domain sees it at its I/O address. */
static int32_t map_add(struct dsp_job *job, int32_t id, bool heap)
{
	struct dsp_domain_state *state = find(job, id);
	struct dsp_map *map;
	struct page page;

	if (!state)
		return DSP_NO_DOMAIN;
	if (!dsp_input(&job->call, 1, &page, sizeof(page)) || !is_memory(job, page))
		return DSP_EBADPARM;
	map = state->n_maps < DSP_MAPS_MAX ? malloc(sizeof(*map)) : NULL;
	if (!map)
		return DSP_ENOMEMORY;
	*map = (struct dsp_map){
		.address = page.address & UINT32_MAX, .size = page.size, .heap = heap};
	list_append(&state->maps, &map->node);
	state->n_maps++;
	++*map_count(map);
	return dsp_output(&job->call, 0, &map->address, sizeof(map->address)) ? AEE_SUCCESS
									      : DSP_EBADPARM;
}

static int32_t map_remove(struct dsp_job *job, int32_t id, uint64_t address, uint64_t size,
	bool heap)
{
	struct dsp_domain_state *state = find(job, id);
	struct dsp_map *map = state ? map_find(state, address, size, heap) : NULL;

	if (!map)
		return state ? DSP_EBADPARM : DSP_NO_DOMAIN;
	map_free(state, map);
	return AEE_SUCCESS;
}

static int32_t heap_grow(struct dsp_job *job)
{
	struct {
		int32_t id;
		uint32_t flags;
		uint64_t address;
		int32_t size;
	} in;

	return dsp_input(&job->call, 0, &in, sizeof(in)) ? map_add(job, in.id, true) : DSP_EBADPARM;
}

static int32_t heap_shrink(struct dsp_job *job)
{
	struct {
		int32_t id;
		uint64_t address, size;
	} in;

	return dsp_input(&job->call, 0, &in, sizeof(in))
		       ? map_remove(job, in.id, in.address, in.size, true)
		       : DSP_EBADPARM;
}

static int32_t mem_map(struct dsp_job *job)
{
	struct {
		int32_t id, fd, offset;
		uint32_t flags;
		uint64_t address;
		int32_t size, data_size;
	} in;

	if (dsp_fault(DSP_FAULT_REFUSE_MEM_MAP))
		return DSP_EUNSUPPORTED;
	return dsp_input(&job->call, 0, &in, sizeof(in)) ? map_add(job, in.id, false)
							 : DSP_EBADPARM;
}

static int32_t mem_unmap(struct dsp_job *job)
{
	struct {
		int32_t id, fd;
		uint64_t address, size;
	} in;

	return dsp_input(&job->call, 0, &in, sizeof(in))
		       ? map_remove(job, in.id, in.address, in.size, false)
		       : DSP_EBADPARM;
}

/* All of them. */

/* It is answered when all of the domain is gone. */
static void release(struct dsp_job *job)
{
	struct dsp_domain_state *state;
	int32_t id;

	if (!dsp_input(&job->call, 0, &id, sizeof(id)))
		id = 0;
	state = dsp_domain_find(job->endpoint, (uint32_t)id);
	if (state) {
		dsp_domain_release(state, job);
		return;
	}
	if (!dsp_fault_take(DSP_FAULT_NO_RELEASE))
		dsp_answer(job, DSP_NO_DOMAIN);
	dsp_job_free(job);
}

static const struct {
	uint32_t scalars;
	int32_t (*serve)(struct dsp_job *job);
} methods[] = {
	{FASTRPC_SCALARS(METHOD_ATTACH, 1, 0), attach},
	{FASTRPC_SCALARS(METHOD_CREATE, 4, 0), create},
	{FASTRPC_SCALARS(METHOD_CREATE_ATTRIBUTES, 4, 0), create},
	{FASTRPC_SCALARS(METHOD_CREATE_STATIC, 3, 0), create_static},
	{FASTRPC_SCALARS(METHOD_MMAP, 2, 1), heap_grow},
	{FASTRPC_SCALARS(METHOD_MUNMAP, 1, 0), heap_shrink},
	{FASTRPC_SCALARS(METHOD_MEM_MAP, 3, 1), mem_map},
	{FASTRPC_SCALARS(METHOD_MEM_UNMAP, 1, 0), mem_unmap},
};

/* Handle 2 is asked by the kernel in nobody's name. */
static int32_t serve(struct dsp_job *job)
{
	static struct dsp_domain nobody;

	job->call.domain = &nobody;
	if (job->call.handle == FASTRPC_UTILITIES)
		return dsp_utilities(&job->call);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (job->call.handle == FASTRPC_KERNEL && methods[i].scalars == job->call.scalars)
			return methods[i].serve(job);
	return DSP_EUNSUPPORTED;
}

void dsp_kernel(struct dsp_job *job)
{
	int32_t result = dsp_payload_open(job);

	if (result == AEE_SUCCESS && job->call.handle == FASTRPC_KERNEL &&
		job->call.scalars == FASTRPC_SCALARS(METHOD_RELEASE, 1, 0)) {
		release(job);
		return;
	}
	if (result == AEE_SUCCESS)
		result = serve(job);
	dsp_answer(job, result);
	dsp_job_free(job);
}
