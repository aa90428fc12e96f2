// SPDX-License-Identifier: MIT
/*
 * Errors as a DSP's own software numbers them: what AEE numbers are to its host, from 0x80000400 on
 * (github.com/qualcomm/fastrpc, inc/AEEStdErr.h). A module returns what it likes.
 */
#ifndef DSP_REMOTE_DSP_ERRORS_H
#define DSP_REMOTE_DSP_ERRORS_H

#include <stdint.h>

#define DSP_ERROR(aee) ((int32_t)(0x80000400U + (aee)))

enum {
	DSP_ENOMEMORY = DSP_ERROR(2),
	DSP_EUNABLETOLOAD = DSP_ERROR(6),
	DSP_EBADPARM = DSP_ERROR(14),
	DSP_EUNSUPPORTED = DSP_ERROR(20),
	DSP_EINVHANDLE = DSP_ERROR(0x2c),
	DSP_ENOSUCHSYMBOL = DSP_ERROR(0x42),
	DSP_EBADSIZE = DSP_ERROR(0x4d),
};

#endif
