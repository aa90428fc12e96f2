// SPDX-License-Identifier: MIT
/*
 * The PCM block interface: what a module offers that turns blocks of sound into blocks of sound,
 * so that any client (`dspctl run` is one) can stream through any such module. Samples are mono,
 * signed, 16 bits, in the machine's byte order, which is little-endian like everything here.
 *
 *   method          in 0                 out 0                    out 1
 *   PCM_CONFIGURE   struct pcm_setup     struct pcm_limits        -
 *   PCM_PROCESS     block * 2 bytes      uint32_t samples made    room for max_out * 2 bytes
 *
 * Configure once after opening, and again whenever the stream starts afresh. Then process whole
 * blocks in their order; pad the last one with silence. A resampler makes now one sample more,
 * now one less; out 0 says how many there are. Inputs are not modified.
 *
 * Results: 0; AEE_EBADPARM for a wrong size or a setup outside its bounds (the stream stays as it
 * was); AEE_EBADSTATE for process before configure; AEE_ENOMEMORY.
 */
#ifndef DSPBROKER_PCM_H
#define DSPBROKER_PCM_H

#include <stdint.h>

#define PCM_CONFIGURE 2
#define PCM_PROCESS   3

#define PCM_RATE_MIN     8000
#define PCM_RATE_MAX     192000
#define PCM_BLOCK_MIN    16
#define PCM_BLOCK_MAX    8192
#define PCM_SUPPRESS_MIN (-100)

struct pcm_setup {
	uint32_t rate;       /* samples per second, PCM_RATE_MIN .. PCM_RATE_MAX */
	uint32_t block;      /* samples per input block, PCM_BLOCK_MIN .. PCM_BLOCK_MAX */
	int32_t suppress_db; /* how far noise is lowered, PCM_SUPPRESS_MIN .. -1; 0: the default */
	uint32_t out_rate;   /* samples per second of the output; 0: as the input */
};

struct pcm_limits {
	uint32_t max_out; /* most samples that one block can turn into */
	uint32_t reserved;
};

#endif
