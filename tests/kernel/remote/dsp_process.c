// SPDX-License-Identifier: MIT
#include <string.h>

#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/remote/dsp.h"
#include "tests/kernel/remote/dsp_errors.h"

#define UTILITIES_GET_INFO  FASTRPC_SCALARS(0, 1, 1)
#define PROCESS_THREAD_EXIT FASTRPC_SCALARS(3, 0, 0)

/* The kernel asks for all but the first, which its host is to know: drivers/misc/fastrpc.c,
 * fastrpc_get_info_from_dsp(). */
#define ATTRIBUTE_FIRST FASTRPC_ATTRIBUTE_UNSIGNED

static const uint32_t attributes[FASTRPC_ATTRIBUTES] = {
	[FASTRPC_ATTRIBUTE_DOMAIN] = 1,
	[FASTRPC_ATTRIBUTE_UNSIGNED] = 1,
	[FASTRPC_ATTRIBUTE_HVX_128B] = 1,
	[FASTRPC_ATTRIBUTE_VTCM_PAGE] = 0x100000,
	[FASTRPC_ATTRIBUTE_VTCM_COUNT] = 4,
	[FASTRPC_ATTRIBUTE_ARCH] = 0x68,
};

/* Input 0: how many words there is room for; output 0: the words. What we do not know of is 0. */
static int32_t get_info(struct dsp_call *call)
{
	const remote_buf *in = &call->args[0].buf, *out = &call->args[1].buf;
	const size_t known = (ARRAY_SIZE(attributes) - ATTRIBUTE_FIRST) * sizeof(*attributes);
	uint32_t count;
	size_t size;

	if (in->nLen < sizeof(count))
		return DSP_EBADPARM;
	memcpy(&count, in->pv, sizeof(count));
	if (count > out->nLen / sizeof(*attributes))
		return DSP_EBADPARM;
	size = count * sizeof(*attributes);
	memset(out->pv, 0, size);
	memcpy(out->pv, attributes + ATTRIBUTE_FIRST, MIN(size, known));
	return AEE_SUCCESS;
}

int32_t dsp_utilities(struct dsp_call *call)
{
	return call->scalars == UTILITIES_GET_INFO ? get_info(call) : DSP_EUNSUPPORTED;
}

/* A thread of the host's that goes away costs nothing here. */
int32_t dsp_process(struct dsp_call *call)
{
	switch (call->scalars) {
	case PROCESS_EXIT:
		dsp_domain_end(call->domain);
		return AEE_SUCCESS;
	case PROCESS_THREAD_EXIT:
		return AEE_SUCCESS;
	default:
		return DSP_EUNSUPPORTED;
	}
}
