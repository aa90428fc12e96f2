// SPDX-License-Identifier: MIT
/*
 * "bench", a module of the DSP's image, to measure by.
 *
 *   method    inputs  outputs
 *   2 null    any     any      does nothing
 *   3 sum     any     u64      adds up the bytes of all inputs
 *   4 copy    bytes   bytes    copies as many as both have
 */
#include <string.h>

#include "tests/kernel/remote/dsp_errors.h"
#include "tests/kernel/remote/dsp_module.h"

static int sum(uint32_t scalars, const remote_arg *args)
{
	const remote_buf *out = &args[REMOTE_SCALARS_INBUFS(scalars)].buf;
	uint64_t total = 0;

	if (!REMOTE_SCALARS_OUTBUFS(scalars) || out->nLen < sizeof(total))
		return DSP_EBADPARM;
	for (unsigned int i = 0; i < REMOTE_SCALARS_INBUFS(scalars); i++) {
		const uint8_t *bytes = args[i].buf.pv;

		for (size_t j = 0; j < args[i].buf.nLen; j++)
			total += bytes[j];
	}
	memcpy(out->pv, &total, sizeof(total));
	return AEE_SUCCESS;
}

static int copy(uint32_t scalars, const remote_arg *args)
{
	if (!REMOTE_SCALARS_INBUFS(scalars) || !REMOTE_SCALARS_OUTBUFS(scalars))
		return DSP_EBADPARM;
	const remote_buf *in = &args[0].buf, *out = &args[REMOTE_SCALARS_INBUFS(scalars)].buf;
	size_t n = MIN(in->nLen, out->nLen);

	if (n)
		memmove(out->pv, in->pv, n); /* the two may overlap */
	return AEE_SUCCESS;
}

static int bench_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args)
{
	(void)handle;
	switch (REMOTE_SCALARS_METHOD(scalars)) {
	case 0: /* open: every handle is the same */
		args[2].h64 = 1;
		return AEE_SUCCESS;
	case 1: /* close */
	case 2:
		return AEE_SUCCESS;
	case 3:
		return sum(scalars, args);
	case 4:
		return copy(scalars, args);
	default:
		return DSP_EUNSUPPORTED;
	}
}

const struct dsp_builtin dsp_bench = {"libbench_skel.so", "bench_skel_handle_invoke", bench_invoke};
