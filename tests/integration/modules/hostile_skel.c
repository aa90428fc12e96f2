// SPDX-License-Identifier: MIT
#include <link.h>
#include <time.h>

#include "tests/integration/modules/domain_side.h"
#include "tests/integration/modules/hostile.h"

static struct dsp_ring_shared *shared;
static struct dsp_slot *sq;
static struct dsp_completion *cq;

/* The program's struct dsp_ring tells itself by its three pointers. */
__attribute__((no_sanitize("address"))) static bool find_in(const uintptr_t *words, size_t n)
{
	for (size_t i = 0; i + 2 < n; i++) {
		if (!words[i] || words[i + 1] != words[i] + DSP_RING_ENTRIES_OFFSET ||
			words[i + 2] != words[i + 1] + SOFT_RING_SQ_SLOTS * sizeof(*sq))
			continue;
		shared = (struct dsp_ring_shared *)words[i];
		sq = (struct dsp_slot *)words[i + 1];
		cq = (struct dsp_completion *)words[i + 2];
		return true;
	}
	return false;
}

/* A module may read no file that says where its ring lies. But it lives in the same memory as the
 * program, whose variables it goes through. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && segment->p_flags & PF_W &&
			find_in((const uintptr_t *)(info->dlpi_addr + segment->p_vaddr),
				segment->p_memsz / sizeof(uintptr_t)))
			break;
	}
	return 1; /* the program is the first, and enough */
}

__attribute__((constructor)) static void find_ring(void)
{
	dl_iterate_phdr(look_at_program, NULL);
}

static void kick(void)
{
	uint64_t one = 1;

	(void)!write(NOTIFY_FD, &one, sizeof(one));
}

/* Never more than is needed to be seen: it takes processor time from the innocent. */
static void wait_for_the_end(void)
{
	for (;;)
		nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
}

static uint32_t random_word(void)
{
	static uint32_t state = 1;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void scribble(void)
{
	size_t size = DSP_RING_ENTRIES_OFFSET + SOFT_RING_SQ_SLOTS * sizeof(*sq) +
		      SOFT_RING_CQ_ENTRIES * sizeof(*cq);

	for (int i = 0; i < 1000; i++) {
		for (size_t j = 0; j < size / sizeof(uint32_t); j++)
			((volatile uint32_t *)shared)[j] = random_word();
		kick();
	}
}

static void lie_about_tail(void)
{
	atomic_fetch_add(&shared->cq_tail, SOFT_RING_CQ_ENTRIES + 1);
	kick();
}

static void complete(uint64_t user_data, uint32_t status)
{
	uint32_t tail = atomic_load(&shared->cq_tail);

	cq[tail % SOFT_RING_CQ_ENTRIES] =
		(struct dsp_completion){.user_data = user_data, .status = status};
	atomic_store(&shared->cq_tail, tail + 1);
	kick();
}

/* Its call is the last that was taken: it has one slot, as it has no arguments. */
static uint64_t own_call(void)
{
	return sq[(atomic_load(&shared->sq_head) - 1) % SOFT_RING_SQ_SLOTS].user_data;
}

static void forge_call(void)
{
	complete(own_call() + 1, DSP_OK);
}

static void forge_unmap(void)
{
	complete(1ull << 32, DSP_OK);
}

static void forge_status(void)
{
	complete(own_call(), DSP_DENIED);
}

static void complete_twice(void)
{
	complete(own_call(), DSP_OK);
	complete(own_call(), DSP_OK);
}

static void send_junk(void)
{
	send_packet("junk", 4, 0);
}

static void send_empty(void)
{
	send_packet("", 0, 0);
}

static void send_long(void)
{
	static char packet[2 * sizeof(struct soft_message)];

	send_packet(packet, sizeof(packet), 0);
}

static void send_many_fds(void)
{
	send_started(8);
}

static void start_again(void)
{
	send_started(0);
}

static void close_fds(void)
{
	close(NOTIFY_FD);
	close(SOCKET_FD);
}

static void kick_for_ever(void)
{
	for (;;)
		kick();
}

static void lie_about_head(void)
{
	atomic_store(&shared->sq_head, atomic_load(&shared->sq_tail) + 1000);
	kick();
}

static void flicker(void)
{
	uint32_t tail = atomic_load(&shared->cq_tail);

	cq[tail % SOFT_RING_CQ_ENTRIES] = (struct dsp_completion){.user_data = DSP_ARGS_MAX};
	for (;;) {
		atomic_store(&shared->cq_tail, tail + 1);
		kick();
		atomic_store(&shared->cq_tail, tail);
	}
}

static void (*const crimes[CRIME_END])(void) = {
	[CRIME_SCRIBBLE] = scribble,
	[CRIME_TAIL] = lie_about_tail,
	[CRIME_FORGED_CALL] = forge_call,
	[CRIME_FORGED_UNMAP] = forge_unmap,
	[CRIME_FORGED_STATUS] = forge_status,
	[CRIME_TWICE] = complete_twice,
	[CRIME_JUNK_PACKET] = send_junk,
	[CRIME_EMPTY_PACKET] = send_empty,
	[CRIME_LONG_PACKET] = send_long,
	[CRIME_MANY_FDS] = send_many_fds,
	[CRIME_STARTED_AGAIN] = start_again,
	[CRIME_CLOSED_FDS] = close_fds,
	[CRIME_ENDLESS_KICKS] = kick_for_ever,
	[CRIME_HEAD] = lie_about_head,
	[CRIME_FLICKER] = flicker,
};

EXPORT int hostile_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args);

int hostile_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args)
{
	uint32_t method = REMOTE_SCALARS_METHOD(scalars);

	(void)handle;
	(void)args;
	if (is_open_or_close(scalars))
		return shared ? AEE_SUCCESS : AEE_EFAILED;
	if (method >= CRIME_END)
		return AEE_EUNSUPPORTED;
	crimes[method]();
	wait_for_the_end();
	return AEE_EFAILED;
}
