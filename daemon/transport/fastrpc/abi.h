// SPDX-License-Identifier: MIT
/*
 * What a DSP and its host say to each other by FastRPC, beyond <misc/fastrpc.h>: handles, methods
 * and the layout of their arguments. Facts of the kernel's drivers/misc/fastrpc.c and of the
 * interfaces of github.com/qualcomm/fastrpc (inc/ and src/ there); nothing of it is code of theirs.
 *
 * An interface's method has its plain arguments packed into the first input and the first output,
 * 32 bits each unless it says otherwise, with the lengths of its buffers among them; each buffer is
 * an argument of its own behind them.
 */
#ifndef DSP_FASTRPC_ABI_H
#define DSP_FASTRPC_ABI_H

#include <stdint.h>

/* Scalars: attributes << 29 | method << 24 | inputs << 16 | outputs << 8 | handles in << 4 | out.
 */
#define FASTRPC_SCALARS(method, n_in, n_out) \
	((uint32_t)(method) << 24 | (uint32_t)(n_in) << 16 | (uint32_t)(n_out) << 8)
#define FASTRPC_METHOD(scalars)      ((scalars) >> 24 & 0x1f)
#define FASTRPC_INPUTS(scalars)      ((scalars) >> 16 & 0xff)
#define FASTRPC_OUTPUTS(scalars)     ((scalars) >> 8 & 0xff)
#define FASTRPC_IN_HANDLES(scalars)  ((scalars) >> 4 & 0x0f)
#define FASTRPC_OUT_HANDLES(scalars) ((scalars)&0x0f)
/* In the scalars: the method is the first u32 of input 0. */
#define FASTRPC_METHOD_ESCAPE 31

/* Handles that are there without being opened. */
enum fastrpc_handle {
	FASTRPC_REMOTECTL = 0,
	FASTRPC_KERNEL = 1, /* the kernel's alone */
	FASTRPC_UTILITIES = 2,
	FASTRPC_LISTENER = 3,
	FASTRPC_PROCESS = 4,
	FASTRPC_HANDLES_STATIC = 16, /* what is opened lies above; all below are the broker's own */
};

/* remotectl. */
#define REMOTECTL_OPEN  FASTRPC_SCALARS(0, 2, 2)
#define REMOTECTL_CLOSE FASTRPC_SCALARS(1, 1, 2)

struct remotectl_open_in { /* input 1: the URI */
	uint32_t uri_size, error_size;
};
struct remotectl_open_out { /* output 1: a sentence on what went wrong, NUL-terminated */
	uint32_t handle;
	int32_t error;
};
struct remotectl_close_in {
	uint32_t handle, error_size;
};
struct remotectl_close_out {
	int32_t error;
};

/* listener: how the DSP calls its host. next2() brings the answer to the call before, if there was
 * one, and waits for the next. */
#define LISTENER_INIT FASTRPC_SCALARS(3, 0, 0)
#define LISTENER_NEXT FASTRPC_SCALARS(4, 2, 2)
#define LISTENER_MORE FASTRPC_SCALARS(5, 1, 2)

struct listener_next_in { /* input 1: the outputs of that call, packed */
	uint32_t context;
	int32_t result;
	uint32_t outputs_size, inputs_room;
};
struct listener_next_out { /* output 1: the inputs, packed, as much as there was room for */
	uint32_t context, handle, scalars, inputs_size;
};
struct listener_more_in { /* fetch the inputs from that offset on */
	uint32_t context, offset, inputs_room;
};
struct listener_more_out { /* output 1: as above */
	uint32_t inputs_size;
};

/* Packed lists have this alignment, relative to their start. */
#define LISTENER_ALIGN 8

/* adsp_current_process1: end this protection domain. */
#define PROCESS_EXIT FASTRPC_SCALARS(2, 0, 0)

/* Numbers of the DSPs, which shell files are named after, by the label of the device tree. */
#define FASTRPC_DOMAINS                                                                         \
	{                                                                                       \
		{"adsp", 0}, {"mdsp", 1}, {"sdsp", 2}, {"cdsp", 3}, {"cdsp1", 4}, {"gdsp0", 5}, \
			{"gdsp1", 6},                                                           \
	}

/* What GET_DSP_INFO can be asked for, by attribute id (enum remote_dsp_attributes of remote.h). */
enum fastrpc_attribute {
	FASTRPC_ATTRIBUTE_DOMAIN = 0,
	FASTRPC_ATTRIBUTE_UNSIGNED = 1,
	FASTRPC_ATTRIBUTE_HVX_64B = 2,
	FASTRPC_ATTRIBUTE_HVX_128B = 3,
	FASTRPC_ATTRIBUTE_VTCM_PAGE = 4, /* bytes */
	FASTRPC_ATTRIBUTE_VTCM_COUNT = 5,
	FASTRPC_ATTRIBUTE_ARCH = 6, /* 0x68: v68 */
	FASTRPC_ATTRIBUTE_HMX_DEPTH = 7,
	FASTRPC_ATTRIBUTE_HMX_SPATIAL = 8,
	FASTRPC_ATTRIBUTE_ASYNC = 9,
	FASTRPC_ATTRIBUTE_NOTIFICATIONS = 10,
	FASTRPC_ATTRIBUTE_MULTICAST = 11,
	FASTRPC_ATTRIBUTES,
};

/* Results that both sides use. A module's header may have named them already. */
#ifndef AEE_SUCCESS
#define AEE_SUCCESS 0
#endif
#ifndef AEE_EFAILED
#define AEE_EFAILED 1
#endif
#ifndef AEE_ENOMEMORY
#define AEE_ENOMEMORY 2
#endif
#ifndef AEE_EBADPARM
#define AEE_EBADPARM 14
#endif
#ifndef AEE_EUNSUPPORTED
#define AEE_EUNSUPPORTED 20
#endif
#ifndef AEE_ENOSUCH
#define AEE_ENOSUCH 39
#endif

#endif
