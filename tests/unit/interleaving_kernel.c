// SPDX-License-Identifier: MIT
/* The system calls of interleaving.h, and what is made of them. */
#include <errno.h>

#include "tests/unit/interleaving_private.h"

int model_futex_wait(void *word, uint32_t value, bool timed)
{
	model_step(FUTEX, model_word_at(word), 0);
	model_full_fence();
	if (model_observe(model_get(world.running->word, model_chosen(), false)) != value)
		return -EAGAIN;
	world.running->woken = false;
	world.running->timed = timed;
	model_step(NAP, world.running->word, 0);
	world.running->timed = false;
	return model_observe(world.running->woken) ? 0 : -ETIMEDOUT;
}

void model_futex_wake(void *word)
{
	model_step(GO, 0, 0);
	model_full_fence();
	for (size_t i = 0; i < world.n_threads; i++) {
		struct thread *thread = &world.threads[i];

		if (thread->op != NAP || thread->woken || thread->word != model_word_at(word))
			continue;
		thread->woken = true;
		model_join(&thread->now, &world.running->now);
		return;
	}
}

void model_kick(unsigned int mask)
{
	model_step(GO, 0, 0);
	for (unsigned int i = 0; i < MODEL_FDS; i++) {
		if (!(mask & 1u << i))
			continue;
		world.fds[i].readable = true;
		model_join(&world.fds[i].view, &world.running->now);
	}
}

unsigned int model_poll(unsigned int mask, unsigned int edges, bool wait)
{
	unsigned int ready = 0;

	world.running->timed = !wait;
	model_step(POLL, 0, mask);
	world.running->timed = false;
	for (unsigned int i = 0; i < MODEL_FDS; i++) {
		if (!(mask & 1u << i) || !world.fds[i].readable)
			continue;
		ready |= 1u << i;
		model_join(&world.running->now, &world.fds[i].view);
		if (edges & 1u << i)
			world.fds[i] = (struct fd){.readable = false};
	}
	return model_observe(ready);
}

void model_drain(unsigned int mask)
{
	model_step(GO, 0, 0);
	for (unsigned int i = 0; i < MODEL_FDS; i++) {
		if (!(mask & 1u << i))
			continue;
		model_join(&world.running->now, &world.fds[i].view);
		world.fds[i] = (struct fd){.readable = false};
	}
}

void model_lock(void)
{
	uint64_t state;

	model_step(LOCK, 0, 0);
	world.locked = true;
	model_join(&world.running->now, &world.mutex);
	state = world.program->state ? world.program->state() : 0;
	world.running->observed = model_mix(world.running->observed, state);
}

void model_unlock(void)
{
	model_assert(world.locked);
	world.locked = false;
	model_join(&world.mutex, &world.running->now);
}

void model_wait(void)
{
	world.running->woken = false;
	model_unlock();
	model_step(NOTIFIED, 0, 0);
	model_lock();
}

void model_broadcast(void)
{
	for (size_t i = 0; i < world.n_threads; i++)
		if (world.threads[i].op == NOTIFIED)
			world.threads[i].woken = true;
}
