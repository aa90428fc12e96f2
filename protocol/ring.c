// SPDX-License-Identifier: MIT
#include "protocol/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "protocol/spin.h"
#include "protocol/util.h"

static bool is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

size_t ring_size(uint32_t sq_slots, uint32_t cq_entries)
{
	return DSP_RING_ENTRIES_OFFSET + (size_t)sq_slots * sizeof(struct dsp_slot) +
	       (size_t)cq_entries * sizeof(struct dsp_completion);
}

int ring_map(struct dsp_ring *ring, int fd, uint32_t sq_slots, uint32_t cq_entries)
{
	size_t size = ring_size(sq_slots, cq_entries);
	struct stat st;
	char *base;

	if (!is_power_of_two(sq_slots) || !is_power_of_two(cq_entries) ||
		sq_slots < DSP_RING_SQ_MIN || sq_slots > DSP_RING_SQ_MAX ||
		cq_entries < DSP_RING_SQ_MIN || cq_entries > 2 * DSP_RING_SQ_MAX)
		return -EPROTO;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (size_t)st.st_size < size)
		return -EBADMSG;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	*ring = (struct dsp_ring){
		.shared = (struct dsp_ring_shared *)base,
		.sq = (struct dsp_slot *)(base + DSP_RING_ENTRIES_OFFSET),
		.cq = (struct dsp_completion *)(base + DSP_RING_ENTRIES_OFFSET +
						sq_slots * sizeof(struct dsp_slot)),
		.size = size,
		.sq_slots = sq_slots,
		.cq_entries = cq_entries,
	};
	ring->may_look = atomic_load_explicit(&ring->shared->processors, memory_order_relaxed) > 1;
	return 0;
}

int ring_create(struct dsp_ring *ring, int *out_fd, uint32_t sq_slots, uint32_t cq_entries)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	fd = memfd_create("dspbroker-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)ring_size(sq_slots, cq_entries)) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	r = ring_map(ring, fd, sq_slots, cq_entries);
	if (r < 0)
		return r;
	ring->may_look = spin_processors() > 1;
	atomic_store_explicit(&ring->shared->processors, spin_processors(), memory_order_relaxed);
	*out_fd = TAKE_FD(fd);
	return 0;
}

void ring_unmap(struct dsp_ring *ring)
{
	if (ring->shared)
		munmap(ring->shared, ring->size);
	*ring = (struct dsp_ring){};
}

static uint32_t slots_for(unsigned int n_args)
{
	if (n_args <= DSP_ARGS_FIRST)
		return 1;
	return 1 + (n_args - DSP_ARGS_FIRST + DSP_ARGS_MORE - 1) / DSP_ARGS_MORE;
}

uint32_t ring_arg_offset(unsigned int i)
{
	unsigned int more;

	if (i < DSP_ARGS_FIRST)
		return (uint32_t)(offsetof(struct dsp_slot, args) + i * sizeof(struct dsp_arg));
	more = i - DSP_ARGS_FIRST;
	return (uint32_t)((1 + more / DSP_ARGS_MORE) * sizeof(struct dsp_slot) +
			  more % DSP_ARGS_MORE * sizeof(struct dsp_arg));
}

static struct dsp_slot *slot_at(const struct dsp_ring *ring, uint32_t position)
{
	return &ring->sq[position & (ring->sq_slots - 1)];
}

/* The compiler must not look at shared memory again where it needs a part of the copy. */
static void copy_once(void *to, const void *shared, size_t size)
{
	memcpy(to, shared, size);
	__asm__ volatile("" ::"r"(to) : "memory");
}

/* Requester. */

int ring_push(struct dsp_ring *ring, const struct dsp_entry *entry, uint32_t *position)
{
	unsigned int n_args = entry->n_in + entry->n_out, done, n;
	uint32_t slots = slots_for(n_args), used;
	struct dsp_slot *first;

	if (n_args > DSP_ARGS_MAX)
		return -EINVAL;
	used = ring->sq_tail - ring->sq_head;
	if (used > ring->sq_slots || ring->sq_slots - used < slots) {
		ring->sq_head = atomic_load_explicit(&ring->shared->sq_head, memory_order_acquire);
		used = ring->sq_tail - ring->sq_head;
		if (used > ring->sq_slots || ring->sq_slots - used < slots)
			return -EAGAIN;
	}

	first = slot_at(ring, ring->sq_tail);
	*first = (struct dsp_slot){
		.op = entry->op,
		.slots = (uint8_t)slots,
		.n_in = entry->n_in,
		.n_out = entry->n_out,
		.session = entry->session,
		.user_data = entry->user_data,
		.method = entry->method,
		.timeout_us = entry->timeout_us,
		.target = entry->target,
	};
	done = MIN(n_args, DSP_ARGS_FIRST);
	memcpy(first->args, entry->args, done * sizeof(entry->args[0]));
	for (uint32_t i = 1; i < slots; i++) {
		struct dsp_slot_more *more = (void *)slot_at(ring, ring->sq_tail + i);

		n = MIN(n_args - done, DSP_ARGS_MORE);
		memset(more, 0, sizeof(*more));
		memcpy(more->args, &entry->args[done], n * sizeof(entry->args[0]));
		done += n;
	}
	if (position)
		*position = ring->sq_tail;
	ring->sq_tail += slots;
	return 0;
}

/*
 * Sleeping and waking, either direction: the sleeper sets its word and then looks at the queue;
 * the waker moves the queue and then looks at the word. With a full fence between the two steps
 * on both sides, at least one of them sees the other, on arm64 as on x86.
 */
static uint32_t who_sleeps(_Atomic uint32_t *sleeps, bool routine)
{
	uint32_t how;

	atomic_thread_fence(memory_order_seq_cst);
	how = atomic_load_explicit(sleeps, memory_order_relaxed);
	if (how == DSP_AWAKE || (routine && how & DSP_SOUND_ASLEEP))
		return DSP_AWAKE;
	return atomic_exchange_explicit(sleeps, DSP_AWAKE, memory_order_relaxed);
}

static void announce_sleep(_Atomic uint32_t *sleeps, uint32_t how)
{
	atomic_store_explicit(sleeps, how, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

/* The memory is another process's, too: no private futex. The time is as this system call has it on
 * every machine, which is not always time_t. */
static int nap(_Atomic uint32_t *sleeps, uint32_t how, int64_t timeout_ns)
{
	const struct __kernel_old_timespec timeout = {
		.tv_sec = timeout_ns / 1000000000,
		.tv_nsec = timeout_ns % 1000000000,
	};
	long r = syscall(SYS_futex, sleeps, FUTEX_WAIT, how, timeout_ns < 0 ? NULL : &timeout, NULL,
		0);

	return r < 0 && errno != EAGAIN ? -errno : 0;
}

/* One is enough: of each side one thread sleeps there, and what others a peer makes is not worth
 * our time. */
static void wake(_Atomic uint32_t *sleeps, uint32_t how, int fd)
{
	if (how & DSP_AT_FUTEX)
		syscall(SYS_futex, sleeps, FUTEX_WAKE, 1, NULL, NULL, 0);
	else if (how != DSP_AWAKE && fd >= 0)
		ring_kick(fd);
}

uint32_t ring_submit(struct dsp_ring *ring)
{
	atomic_store_explicit(&ring->shared->sq_tail, ring->sq_tail, memory_order_release);
	return who_sleeps(&ring->shared->servicer_sleeps, false);
}

bool ring_revoke(struct dsp_ring *ring, uint32_t position)
{
	uint32_t expected = DSP_CLAIM_NONE, behind = ring->sq_tail - position;

	ring->sq_head = atomic_load_explicit(&ring->shared->sq_head, memory_order_acquire);
	if (!behind || behind > ring->sq_tail - ring->sq_head)
		return false; /* its slot has been fetched and may hold another entry */
	return atomic_compare_exchange_strong_explicit(&slot_at(ring, position)->claim, &expected,
		DSP_CLAIM_REVOKED, memory_order_acq_rel, memory_order_acquire);
}

bool ring_can_reap(const struct dsp_ring *ring)
{
	return ring->cq_tail != ring->cq_head ||
	       atomic_load_explicit(&ring->shared->cq_tail, memory_order_acquire) != ring->cq_head;
}

void ring_reaped(struct dsp_ring *ring)
{
	atomic_store_explicit(&ring->shared->cq_head, ring->cq_head, memory_order_release);
}

int ring_reap(struct dsp_ring *ring, struct dsp_completion *out)
{
	if (ring->cq_tail == ring->cq_head) {
		uint32_t tail = atomic_load_explicit(&ring->shared->cq_tail, memory_order_acquire);

		if (tail - ring->cq_head > ring->cq_entries)
			return -EPROTO;
		ring->cq_tail = tail;
		if (tail == ring->cq_head)
			return 0;
	}
	copy_once(out, &ring->cq[ring->cq_head & (ring->cq_entries - 1)], sizeof(*out));
	ring->cq_head++;
	if (ring->cq_head == ring->cq_tail)
		ring_reaped(ring);
	return 1;
}

bool ring_requester_sleep(struct dsp_ring *ring, uint32_t how)
{
	announce_sleep(&ring->shared->requester_sleeps, how);
	if (!ring_can_reap(ring))
		return true;
	ring_requester_wake(ring);
	return false;
}

void ring_requester_wake(struct dsp_ring *ring)
{
	atomic_store_explicit(&ring->shared->requester_sleeps, DSP_AWAKE, memory_order_relaxed);
}

int ring_requester_nap(struct dsp_ring *ring, uint32_t how, int64_t timeout_ns)
{
	return nap(&ring->shared->requester_sleeps, how, timeout_ns);
}

bool ring_room_wanted(struct dsp_ring *ring)
{
	return who_sleeps(&ring->shared->servicer_stalls, false) != DSP_AWAKE;
}

void ring_wake_servicer(struct dsp_ring *ring, uint32_t how, int doorbell)
{
	wake(&ring->shared->servicer_sleeps, how, doorbell);
}

/* Servicer. */

/* Check what the layout forbids. The offsets are those of the entry as if its slots were one. An
 * unknown op has no layout: the servicer, who knows its ops, refuses it. */
static uint32_t entry_bad_field(const struct dsp_slot *slot, const struct dsp_entry *entry)
{
	static const struct {
		bool known, any_args, target, timeout;
		uint8_t n_in, n_out;
		uint32_t methods; /* bits that may be set */
	} ops[] = {
		[DSP_OP_INVOKE] = {.known = true,
			.any_args = true,
			.timeout = true,
			.methods = UINT32_MAX},
		[DSP_OP_CANCEL] = {.known = true, .target = true},
		[DSP_OP_SEND] = {.known = true,
			.n_in = 1,
			.timeout = true,
			.methods = DSP_SEND_TRY},
		[DSP_OP_RECEIVE] = {.known = true, .n_out = 1, .timeout = true},
	};

	if (slot->reserved)
		return offsetof(struct dsp_slot, reserved);
	if (entry->op >= ARRAY_SIZE(ops) || !ops[entry->op].known)
		return 0;
	if (entry->target && !ops[entry->op].target)
		return offsetof(struct dsp_slot, target);
	if (!ops[entry->op].any_args && entry->n_in != ops[entry->op].n_in)
		return offsetof(struct dsp_slot, n_in);
	if (!ops[entry->op].any_args && entry->n_out != ops[entry->op].n_out)
		return offsetof(struct dsp_slot, n_out);
	if (entry->method & ~ops[entry->op].methods)
		return offsetof(struct dsp_slot, method);
	if (entry->timeout_us && !ops[entry->op].timeout)
		return offsetof(struct dsp_slot, timeout_us);
	return 0;
}

bool ring_can_fetch(const struct dsp_ring *ring)
{
	return ring->sq_tail != ring->sq_head ||
	       atomic_load_explicit(&ring->shared->sq_tail, memory_order_acquire) != ring->sq_head;
}

void ring_fetched(struct dsp_ring *ring)
{
	atomic_store_explicit(&ring->shared->sq_head, ring->sq_head, memory_order_release);
}

/* Entries that are there, as far as known; -EPROTO. */
static int64_t available(struct dsp_ring *ring)
{
	if (ring->sq_tail == ring->sq_head) {
		uint32_t tail = atomic_load_explicit(&ring->shared->sq_tail, memory_order_acquire);

		if (tail - ring->sq_head > ring->sq_slots)
			return -EPROTO;
		ring->sq_tail = tail;
	}
	return ring->sq_tail - ring->sq_head;
}

int ring_fetch(struct dsp_ring *ring, struct dsp_entry *out, struct dsp_entry_fault *fault)
{
	int64_t n_available = available(ring);
	unsigned int n_args, done, n;
	struct dsp_slot *shared, slot;
	uint32_t slots, claim;

	if (n_available <= 0)
		return (int)n_available;

	shared = slot_at(ring, ring->sq_head);
	claim = atomic_exchange_explicit(&shared->claim, DSP_CLAIM_TAKEN, memory_order_acq_rel);
	copy_once(&slot, shared, sizeof(slot));
	n_args = slot.n_in + slot.n_out;
	slots = slot.slots;
	if (n_args > DSP_ARGS_MAX || slots != slots_for(n_args) || slots > n_available)
		return -EPROTO;

	out->op = slot.op;
	out->n_in = slot.n_in;
	out->n_out = slot.n_out;
	out->revoked = claim == DSP_CLAIM_REVOKED;
	out->session = slot.session;
	out->user_data = slot.user_data;
	out->target = slot.target;
	out->method = slot.method;
	out->timeout_us = slot.timeout_us;
	done = MIN(n_args, DSP_ARGS_FIRST);
	memcpy(out->args, slot.args, done * sizeof(out->args[0]));
	fault->field = entry_bad_field(&slot, out);
	for (uint32_t i = 1; i < slots; i++) {
		struct dsp_slot_more more;

		copy_once(&more, slot_at(ring, ring->sq_head + i), sizeof(more));
		n = MIN(n_args - done, DSP_ARGS_MORE);
		memcpy(&out->args[done], more.args, n * sizeof(out->args[0]));
		done += n;
		if (more.reserved && !fault->field)
			fault->field = i * (uint32_t)sizeof(slot) +
				       (uint32_t)offsetof(struct dsp_slot_more, reserved);
	}
	ring->sq_head += slots;
	ring->stalled = false;
	if (ring->sq_head == ring->sq_tail)
		ring_fetched(ring);
	return 1;
}

int ring_unreaped(struct dsp_ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->shared->cq_head, memory_order_acquire);

	if (ring->cq_tail - head > ring->cq_entries)
		return -EPROTO;
	ring->cq_head = head;
	return (int)(ring->cq_tail - head);
}

int ring_has_room(struct dsp_ring *ring, uint32_t in_flight)
{
	int unreaped;

	if (in_flight + (ring->cq_tail - ring->cq_head) < ring->cq_entries)
		return 1;
	unreaped = ring_unreaped(ring);
	return unreaped < 0 ? unreaped : in_flight + (uint32_t)unreaped < ring->cq_entries;
}

void ring_complete_routine(struct dsp_ring *ring, const struct dsp_completion *completion)
{
	ring->news |= ring->stalled;
	ring->cq[ring->cq_tail & (ring->cq_entries - 1)] = *completion;
	ring->cq_tail++;
}

void ring_complete(struct dsp_ring *ring, const struct dsp_completion *completion)
{
	ring->news = true;
	ring_complete_routine(ring, completion);
}

uint32_t ring_publish(struct dsp_ring *ring)
{
	bool routine = !ring->news;

	ring->news = false;
	atomic_store_explicit(&ring->shared->cq_tail, ring->cq_tail, memory_order_release);
	return who_sleeps(&ring->shared->requester_sleeps, routine);
}

bool ring_servicer_sleep(struct dsp_ring *ring, uint32_t how)
{
	announce_sleep(&ring->shared->servicer_sleeps, how);
	if (!ring_can_fetch(ring))
		return true;
	ring_servicer_wake(ring);
	return false;
}

void ring_servicer_wake(struct dsp_ring *ring)
{
	atomic_store_explicit(&ring->shared->servicer_sleeps, DSP_AWAKE, memory_order_relaxed);
}

int ring_servicer_nap(struct dsp_ring *ring, uint32_t how)
{
	return nap(&ring->shared->servicer_sleeps, how, -1);
}

int ring_servicer_stall(struct dsp_ring *ring, uint32_t in_flight)
{
	int unreaped;

	announce_sleep(&ring->shared->servicer_stalls, DSP_ASLEEP);
	unreaped = ring_unreaped(ring);
	if (unreaped < 0)
		return unreaped;
	if (in_flight + (uint32_t)unreaped >= ring->cq_entries) {
		ring->news = ring->stalled = true;
		return true;
	}
	atomic_store_explicit(&ring->shared->servicer_stalls, DSP_AWAKE, memory_order_relaxed);
	return false;
}

void ring_wake_requester(struct dsp_ring *ring, uint32_t how, int notify)
{
	wake(&ring->shared->requester_sleeps, how, notify);
}

/* Either side. */

/* The line is written only when it tells something new. */
static void say_cpu(struct dsp_ring *ring, _Atomic uint32_t *word)
{
	uint32_t cpu = (uint32_t)sched_getcpu() + 1;

	if (cpu == ring->cpu)
		return;
	ring->cpu = cpu;
	atomic_store_explicit(word, cpu, memory_order_relaxed);
}

void ring_requester_here(struct dsp_ring *ring)
{
	say_cpu(ring, &ring->shared->requester_cpu);
}

void ring_servicer_here(struct dsp_ring *ring)
{
	say_cpu(ring, &ring->shared->servicer_cpu);
}

bool ring_requester_is_here(const struct dsp_ring *ring)
{
	return ring->cpu && atomic_load_explicit(&ring->shared->requester_cpu,
				    memory_order_relaxed) == ring->cpu;
}

bool ring_servicer_is_here(const struct dsp_ring *ring)
{
	return ring->cpu &&
	       atomic_load_explicit(&ring->shared->servicer_cpu, memory_order_relaxed) == ring->cpu;
}

void ring_kick(int fd)
{
	uint64_t one = 1;

	/* EAGAIN: it is full, so whoever sleeps on it is awake already. */
	(void)!write(fd, &one, sizeof(one));
}
