// SPDX-License-Identifier: MIT
/*
 * A call's payload: for each argument its address and length, as the host sees them; which pages it
 * has; the pages; and then the bytes of those that the kernel copied. So an argument lies as far
 * into its page as its address says, wherever that page is.
 */
#include <string.h>

#include "tests/kernel/remote/dsp_state.h"

#define PAGE_MASK   4095ULL
#define DESCRIPTORS 16 /* of mappings that the DSP gives back; we give none */
#define CHECKSUMS   64

union payload_argument {
	struct {
		uint64_t address, size;
	} buffer;
	struct {
		int32_t fd;
		uint32_t offset, size;
	} handle;
};

struct payload_pages {
	uint32_t n, first;
};

struct payload_page {
	uint64_t address, size;
};

/* A copy would be as good: only the kernel writes there. */
struct payload {
	uint32_t stream;
	unsigned int n;
	union payload_argument *arguments;
	const struct payload_pages *lists;
	const struct payload_page *pages;
};

static int find_payload(const struct dsp_job *job, struct payload *payload)
{
	uint32_t scalars = job->call.scalars;
	unsigned int n = REMOTE_SCALARS_LENGTH(scalars);
	size_t size = n * (sizeof(*payload->arguments) + sizeof(*payload->lists) +
				  sizeof(*payload->pages)) +
		      DESCRIPTORS * sizeof(uint64_t) + CHECKSUMS * sizeof(uint32_t);
	uint64_t address = job->message.address & UINT32_MAX;

	payload->stream = (uint32_t)(job->message.address >> 32);
	payload->n = n;
	if (n > DSP_ARGUMENTS_MAX || size > job->message.size || address & PAGE_MASK)
		return -EPROTO;
	payload->arguments = iommu_at(dsp.iommu, payload->stream, address, job->message.size, true);
	if (!payload->arguments)
		return -EFAULT;
	payload->lists = (const struct payload_pages *)(payload->arguments + n);
	payload->pages = (const struct payload_page *)(payload->lists + n);
	return 0;
}

static int find_buffer(const struct payload *payload, unsigned int i, bool output, remote_buf *out)
{
	uint64_t size = payload->arguments[i].buffer.size;
	uint64_t offset = payload->arguments[i].buffer.address & PAGE_MASK;
	struct payload_pages list = payload->lists[i];
	struct payload_page page;

	*out = (remote_buf){.pv = NULL};
	if (size == 0)
		return 0;
	if (list.n != 1 || list.first >= payload->n)
		return -EPROTO;
	page = payload->pages[list.first];
	if (page.address >> 32 != payload->stream || page.size < offset ||
		page.size - offset < size)
		return -EPROTO;
	*out = (remote_buf){
		.pv = iommu_at(dsp.iommu, payload->stream, (page.address & UINT32_MAX) + offset,
			size, output),
		.nLen = size,
	};
	return out->pv ? 0 : -EFAULT;
}

int32_t dsp_payload_open(struct dsp_job *job)
{
	struct dsp_call *call = &job->call;
	unsigned int n_in = REMOTE_SCALARS_INBUFS(call->scalars);
	unsigned int n_buffers = n_in + REMOTE_SCALARS_OUTBUFS(call->scalars);
	struct payload payload;

	if (find_payload(job, &payload) < 0)
		return DSP_EBADPARM;
	for (unsigned int i = 0; i < n_buffers; i++)
		if (find_buffer(&payload, i, i >= n_in, &call->args[i].buf) < 0)
			return DSP_EBADPARM;
	for (unsigned int i = n_buffers; i < payload.n; i++)
		call->args[i].dma = (remote_dma_handle){
			.fd = payload.arguments[i].handle.fd,
			.offset = payload.arguments[i].handle.offset,
			.len = payload.arguments[i].handle.size,
		};
	job->window = iommu_hold(dsp.iommu, payload.stream);
	return AEE_SUCCESS;
}

void dsp_payload_claim(struct dsp_job *job, uint64_t size)
{
	unsigned int n_in = REMOTE_SCALARS_INBUFS(job->call.scalars);
	unsigned int n_out = REMOTE_SCALARS_OUTBUFS(job->call.scalars);
	struct payload payload;

	if (find_payload(job, &payload) < 0)
		return;
	for (unsigned int i = n_in; i < n_in + n_out; i++)
		if (payload.pages[i].address - job->message.address < job->message.size)
			payload.arguments[i].buffer.size = size;
}

bool dsp_input(const struct dsp_call *call, unsigned int i, void *data, size_t size)
{
	return i < REMOTE_SCALARS_INBUFS(call->scalars) && call->args[i].buf.nLen >= size &&
	       dsp_copy(data, call->args[i].buf.pv, size);
}

bool dsp_output(const struct dsp_call *call, unsigned int i, const void *data, size_t size)
{
	const remote_buf *output = &call->args[REMOTE_SCALARS_INBUFS(call->scalars) + i].buf;

	return i < REMOTE_SCALARS_OUTBUFS(call->scalars) && output->nLen >= size &&
	       dsp_copy(output->pv, data, size);
}
