// SPDX-License-Identifier: MIT
/* The functions of protocol/ring.c, compiled again, on the memory of interleaving.h. */
#ifndef DSP_TESTS_MODEL_RING_H
#define DSP_TESTS_MODEL_RING_H

#define ring_size              model_ring_size
#define ring_create            model_ring_create
#define ring_map               model_ring_map
#define ring_unmap             model_ring_unmap
#define ring_arg_offset        model_ring_arg_offset
#define ring_push              model_ring_push
#define ring_submit            model_ring_submit
#define ring_revoke            model_ring_revoke
#define ring_can_reap          model_ring_can_reap
#define ring_reap              model_ring_reap
#define ring_reaped            model_ring_reaped
#define ring_requester_sleep   model_ring_requester_sleep
#define ring_requester_wake    model_ring_requester_wake
#define ring_requester_nap     model_ring_requester_nap
#define ring_room_wanted       model_ring_room_wanted
#define ring_wake_servicer     model_ring_wake_servicer
#define ring_can_fetch         model_ring_can_fetch
#define ring_fetch             model_ring_fetch
#define ring_fetched           model_ring_fetched
#define ring_has_room          model_ring_has_room
#define ring_unreaped          model_ring_unreaped
#define ring_complete          model_ring_complete
#define ring_complete_routine  model_ring_complete_routine
#define ring_publish           model_ring_publish
#define ring_servicer_sleep    model_ring_servicer_sleep
#define ring_servicer_wake     model_ring_servicer_wake
#define ring_servicer_nap      model_ring_servicer_nap
#define ring_servicer_stall    model_ring_servicer_stall
#define ring_wake_requester    model_ring_wake_requester
#define ring_requester_here    model_ring_requester_here
#define ring_servicer_here     model_ring_servicer_here
#define ring_requester_is_here model_ring_requester_is_here
#define ring_servicer_is_here  model_ring_servicer_is_here
#define ring_kick              model_ring_kick

#include "protocol/ring.h"
#include "tests/unit/interleaving.h"

#define MODEL_ENTRIES_MAX 4

/* Every thread's view of the ring, whose queues are of that size, and empty, but for @unreaped
 * completions. */
void model_ring_start(struct dsp_ring *rings, size_t n, uint32_t entries, uint32_t unreaped);

/* ring_complete(), or ring_complete_routine(). The completion is numbered. */
void model_ring_put(struct dsp_ring *ring, bool routine);

/* model_at(), for a thread that is determined by its view of the ring and two numbers. */
void model_ring_at(const struct dsp_ring *ring, uint64_t a, uint64_t b);

#endif
