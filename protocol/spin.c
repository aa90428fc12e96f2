// SPDX-License-Identifier: MIT
#include "protocol/spin.h"

#include <sched.h>
#include <unistd.h>

#include "protocol/clock.h"
#include "protocol/util.h"

#define PROVEN       8 /* credit of who has just waited shortly */
#define TRIAL        7 /* of who shall find out */
#define FAILURES_MAX 8 /* so nobody waits for longer than 256 ms until a trial */
#define WINS         256
#define MS           UINT64_C(1000000)
#define PAUSES       1 /* instructions between two looks */
#define LOOKS_ALONE  6
#define ALONE_NS     700 /* to offer the processor takes less if nobody wants it */

unsigned int spin_processors(void)
{
	static long processors; /* whoever else asks meanwhile gets the same answer */
	long n = __atomic_load_n(&processors, __ATOMIC_RELAXED);

	if (!n) {
		n = MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
		__atomic_store_n(&processors, n, __ATOMIC_RELAXED);
	}
	return (unsigned int)n;
}

uint64_t spin_limit(const struct spin *spin)
{
	if (!spin->credit)
		return 0;
	return spin->credit == PROVEN ? 2 * SPIN_SHORT_NS : SPIN_LONG_NS;
}

static void give_up(struct spin *spin, uint64_t now_ns)
{
	uint64_t period;

	spin->failures = MIN(spin->failures + 1, FAILURES_MAX);
	period = MS << spin->failures;
	spin->again_ns = (now_ns / period + 1) * period;
	spin->credit = 0;
}

void spin_lost(struct spin *spin, uint64_t now_ns)
{
	if (spin->credit)
		give_up(spin, now_ns);
}

static void win(struct spin *spin)
{
	spin->credit = PROVEN;
	if (++spin->wins % WINS == 0 && spin->failures)
		spin->failures--;
}

void spin_waited(struct spin *spin, uint64_t now_ns, uint64_t waited_ns, bool woke)
{
	bool looked = spin->credit, proven = spin->credit == PROVEN;

	if (!looked && now_ns < spin->again_ns)
		return;
	if (waited_ns <= SPIN_SHORT_NS && !woke)
		win(spin);
	else if (!looked)
		spin->credit = waited_ns <= SPIN_LONG_NS ? TRIAL : 0;
	else if (proven && waited_ns > SPIN_LONG_NS)
		spin->credit = 0; /* what was going on is over */
	else if (waited_ns > SPIN_LONG_NS || --spin->credit == 0)
		give_up(spin, now_ns);
}

void spin_pause(bool give_way)
{
	if (give_way) {
		sched_yield();
		return;
	}
	for (int i = 0; i < PAUSES; i++) {
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("isb" ::: "memory"); /* YIELD is a no-op on most cores */
#else
		__asm__ volatile("" ::: "memory");
#endif
	}
}

uint64_t spin_step(struct spin *spin, uint64_t now_ns)
{
	bool give_way = !spin->alone || ++spin->looks % LOOKS_ALONE == 0;
	uint64_t after;

	spin_pause(give_way);
	after = clock_ns();
	if (give_way)
		spin->alone = after - now_ns < ALONE_NS;
	return after;
}
