// SPDX-License-Identifier: MIT
/* A module that tries to leave its protection domain, and to take more memory than it may. */
#ifndef DSP_BREAKOUT_MODULE_H
#define DSP_BREAKOUT_MODULE_H

#include <stdint.h>

enum breakout_method {
	BREAKOUT_ATTEMPT = 2, /* struct breakout_attempt; returns the errno it was refused with */
	BREAKOUT_TAKE = 3,    /* struct breakout_take; returns 0 or ENOMEM */
};

struct breakout_attempt {
	uint32_t number; /* in attempts[] */
	int32_t victim;
};

struct breakout_take {
	uint32_t mib;
	uint32_t flags; /* of mmap(); 0: by malloc() */
};

#endif
