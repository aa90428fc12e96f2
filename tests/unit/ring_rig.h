// SPDX-License-Identifier: MIT
/* Both sides of a small ring, for tests. */
#ifndef DSP_TESTS_RING_RIG_H
#define DSP_TESTS_RING_RIG_H

#include "protocol/ring.h"

#define SQ_SLOTS   16
#define CQ_ENTRIES 32

/* They look at the same memory through mappings of their own, as two processes would. */
extern struct dsp_ring requester, servicer;
extern int ring_rig_fd;

/* Fixtures. */
void ring_rig_set_up(void);
void ring_rig_tear_down(void);

/* Let every position begin at @position, as if the ring had been in use for long. */
void ring_rig_start_at(uint32_t position);
/* An entry whose every field is another one. */
struct dsp_entry ring_rig_entry(unsigned int n_in, unsigned int n_out, uint32_t seed);
void ring_rig_submit(const struct dsp_entry *entry);

#endif
