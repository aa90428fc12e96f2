// SPDX-License-Identifier: MIT
/*
 * What a module sees of its caller: FastRPC's calling convention, under the names that skeleton
 * code made for a DSP uses, so that it compiles for the software DSP unchanged.
 *
 * A module NAME is a library libNAME_skel.so with one entry:
 *
 *   int NAME_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args);
 *
 * `scalars` says which method is called and how many arguments of each kind there are; they stand
 * in `args` in the order input buffers, output buffers, input handles, output handles. It returns
 * 0, or an error number that the caller is given as it is.
 */
#ifndef DSPBROKER_REMOTE_H
#define DSPBROKER_REMOTE_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t remote_handle;
typedef uint64_t remote_handle64;

/* Memory shared with the caller, who may change it at any moment: read a value once. */
typedef struct {
	void *pv;    /* of any alignment; may be NULL when nLen is 0 */
	size_t nLen; /* bytes */
} remote_buf;

/* Not used by the software DSP; here for the layout. */
typedef struct {
	int32_t fd;
	uint32_t offset;
	uint32_t len;
} remote_dma_handle;

typedef union {
	remote_buf buf;
	remote_handle h;
	remote_handle64 h64;
	remote_dma_handle dma;
} remote_arg;

/*
 * Scalars, from the highest bit: 3 bits attributes, 5 bits method, 8 bits input buffers, 8 bits
 * output buffers, 4 bits input handles, 4 bits output handles.
 *
 * Method 0 opens: two inputs (a u32 with the length of the second, and the URI) and one output
 * handle, which the module chooses. Method 1 closes: one input handle. Method 31 says that the
 * number did not fit and is the first u32 of the first input.
 */
#define REMOTE_SCALARS_METHOD_ATTR(sc) (((sc) >> 29) & 0x07)
#define REMOTE_SCALARS_METHOD(sc)      (((sc) >> 24) & 0x1f)
#define REMOTE_SCALARS_INBUFS(sc)      (((sc) >> 16) & 0xff)
#define REMOTE_SCALARS_OUTBUFS(sc)     (((sc) >> 8) & 0xff)
#define REMOTE_SCALARS_INHANDLES(sc)   (((sc) >> 4) & 0x0f)
#define REMOTE_SCALARS_OUTHANDLES(sc)  ((sc)&0x0f)

#define REMOTE_SCALARS_MAKEX(attributes, method, in, out, in_handles, out_handles)   \
	((((uint32_t)(attributes)&0x07) << 29) | (((uint32_t)(method)&0x1f) << 24) | \
		(((uint32_t)(in)&0xff) << 16) | (((uint32_t)(out)&0xff) << 8) |      \
		(((uint32_t)(in_handles)&0x0f) << 4) | ((uint32_t)(out_handles)&0x0f))
#define REMOTE_SCALARS_MAKE(method, in, out) REMOTE_SCALARS_MAKEX(0, method, in, out, 0, 0)

/* How many remote_arg there are. */
#define REMOTE_SCALARS_LENGTH(sc)                                                                \
	(REMOTE_SCALARS_INBUFS(sc) + REMOTE_SCALARS_OUTBUFS(sc) + REMOTE_SCALARS_INHANDLES(sc) + \
		REMOTE_SCALARS_OUTHANDLES(sc))

/* The usual error numbers. */
#ifndef AEE_SUCCESS
#define AEE_SUCCESS 0
#endif
#ifndef AEE_EFAILED
#define AEE_EFAILED 1
#endif
#ifndef AEE_ENOMEMORY
#define AEE_ENOMEMORY 2
#endif
#ifndef AEE_EBADSTATE
#define AEE_EBADSTATE 13
#endif
#ifndef AEE_EBADPARM
#define AEE_EBADPARM 14
#endif
#ifndef AEE_EUNSUPPORTED
#define AEE_EUNSUPPORTED 20
#endif

#endif
