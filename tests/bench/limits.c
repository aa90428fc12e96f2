// SPDX-License-Identifier: MIT
/*
 * What there is without a broker: round trips between two processes, and by way of a third one,
 * which do nothing else. Over sockets and with futexes they sleep; over memory they look. The last
 * of them, three processes over memory, is the least that any broker costs on this machine.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/spin.h"
#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/peer.h"
#include "tests/bench/pin.h"
#include "tests/bench/sample.h"

#define TRIPS        20000
#define SOCKET_BYTES 64
#define LOOKS        500 /* of who stands between two others, until it yields once anyway */

/* From hand to hand: @a to @b and back. Where there is a relay, @c and @d are beyond it. */
struct trip {
	struct way {
		_Alignas(64) _Atomic uint32_t there;
		_Atomic uint32_t there_cpu; /* where who wrote it ran then */
		_Alignas(64) _Atomic uint32_t back;
		_Atomic uint32_t back_cpu;
	} * near, *far;
	int a, b, c, d; /* sockets; who ends closes his, which the others notice */
};

/* By sockets. */

/* Both return false when the other side has gone. */
static bool pass(int to)
{
	char packet[SOCKET_BYTES] = "";

	return send(to, packet, sizeof(packet), MSG_NOSIGNAL) == SOCKET_BYTES;
}

static bool take(int from)
{
	char packet[SOCKET_BYTES];

	return recv(from, packet, sizeof(packet), 0) == SOCKET_BYTES;
}

/* Each process closes what is not its own. */
static void keep(struct trip *trip, int own, int other)
{
	int *const ends[] = {&trip->a, &trip->b, &trip->c, &trip->d};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (*ends[i] != own && *ends[i] != other)
			*ends[i] = fd_close(*ends[i]);
}

static void socket_go(void *data)
{
	struct trip *trip = data;

	must(pass(trip->a) && take(trip->a) ? 0 : -EPIPE, "round trip over sockets");
}

static void socket_answer(struct trip *trip, int end)
{
	keep(trip, end, end);
	while (take(end) && pass(end))
		;
}

static void socket_serve(void *data)
{
	socket_answer(data, ((struct trip *)data)->b);
}

static void socket_serve_far(void *data)
{
	socket_answer(data, ((struct trip *)data)->d);
}

static void socket_relay(void *data)
{
	struct trip *trip = data;

	keep(trip, trip->b, trip->c);
	while (take(trip->b) && pass(trip->c) && take(trip->c) && pass(trip->b))
		;
}

/* By futexes. */

static void futex_pass(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	must_errno((int)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0), "futex");
}

static void futex_take(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load(word) != value)
		syscall(SYS_futex, word, FUTEX_WAIT, value - 1, NULL, NULL, 0);
}

static void futex_go(void *data)
{
	struct trip *trip = data;
	uint32_t next = atomic_load(&trip->near->there) + 1;

	futex_pass(&trip->near->there, next);
	futex_take(&trip->near->back, next);
}

static void futex_serve(void *data)
{
	struct trip *trip = data;

	for (uint32_t next = 1;; next++) {
		futex_take(&trip->near->there, next);
		futex_pass(&trip->near->back, next);
	}
}

/* By looking at memory. */

static void memory_pass(_Atomic uint32_t *word, _Atomic uint32_t *cpu, uint32_t value)
{
	atomic_store_explicit(cpu, (uint32_t)sched_getcpu(), memory_order_relaxed);
	atomic_store_explicit(word, value, memory_order_release);
}

/* The rules by which the broker waits: who stands between two others, or has nobody but the one he
 * waits for, lets him run only where he would keep him from running; where three are on two
 * processors the ends let others run always. */
static void memory_take_apart(_Atomic uint32_t *word, _Atomic uint32_t *cpu, uint32_t value)
{
	for (unsigned int looks = 1; atomic_load_explicit(word, memory_order_acquire) != value;
		looks++)
		spin_pause(looks % LOOKS == 0 || atomic_load_explicit(cpu, memory_order_relaxed) ==
							 (uint32_t)sched_getcpu());
}

static void memory_take(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load_explicit(word, memory_order_acquire) != value)
		spin_pause(true);
}

static void memory_go(void *data)
{
	struct way *way = ((struct trip *)data)->near;
	uint32_t next = atomic_load(&way->there) + 1;

	memory_pass(&way->there, &way->there_cpu, next);
	memory_take_apart(&way->back, &way->back_cpu, next);
}

static void memory_serve(void *data)
{
	struct way *way = ((struct trip *)data)->near;

	for (uint32_t next = 1;; next++) {
		memory_take_apart(&way->there, &way->there_cpu, next);
		memory_pass(&way->back, &way->back_cpu, next);
	}
}

static void memory_go_far(void *data)
{
	struct way *way = ((struct trip *)data)->near;
	uint32_t next = atomic_load(&way->there) + 1;

	memory_pass(&way->there, &way->there_cpu, next);
	memory_take(&way->back, next);
}

static void memory_serve_far(void *data)
{
	struct way *way = ((struct trip *)data)->far;

	for (uint32_t next = 1;; next++) {
		memory_take(&way->there, next);
		memory_pass(&way->back, &way->back_cpu, next);
	}
}

static void memory_relay(void *data)
{
	struct trip *trip = data;

	for (uint32_t next = 1;; next++) {
		memory_take_apart(&trip->near->there, &trip->near->there_cpu, next);
		memory_pass(&trip->far->there, &trip->far->there_cpu, next);
		memory_take_apart(&trip->far->back, &trip->far->back_cpu, next);
		memory_pass(&trip->near->back, &trip->near->back_cpu, next);
	}
}

/* Figures. */

struct kind {
	enum figure_id p50, pinned_p50;
	void (*go)(void *data);
	void (*serve)(void *data), (*relay)(void *data);
	/* Who sleeps is woken soonest on one processor; who looks needs one of his own. */
	enum place serve_at, relay_at;
	bool looks;
};

static const struct kind kinds[] = {
	{SOCKET_P50, SOCKET_PINNED_P50, socket_go, socket_serve, NULL, PLACE_ENDS, PLACE_ENDS,
		false},
	{SOCKET_RELAYED_P50, SOCKET_RELAYED_PINNED_P50, socket_go, socket_serve_far, socket_relay,
		PLACE_ENDS, PLACE_ENDS, false},
	{FUTEX_P50, FUTEX_PINNED_P50, futex_go, futex_serve, NULL, PLACE_ENDS, PLACE_ENDS, false},
	{MEMORY_P50, MEMORY_PINNED_P50, memory_go, memory_serve, NULL, PLACE_BROKER, PLACE_ENDS,
		true},
	{MEMORY_RELAYED_P50, MEMORY_RELAYED_PINNED_P50, memory_go_far, memory_serve_far,
		memory_relay, PLACE_ENDS, PLACE_BROKER, true},
};

static void open_trip(struct trip *trip)
{
	int near[2], far[2];

	must_errno(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, near), "socketpair");
	must_errno(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, far), "socketpair");
	*trip = (struct trip){.a = near[0], .b = near[1], .c = far[0], .d = far[1]};
	trip->near = mmap(NULL, 2 * sizeof(*trip->near), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(trip->near == MAP_FAILED ? -errno : 0, "mmap");
	trip->far = trip->near + 1;
}

static void close_trip(struct trip *trip)
{
	munmap(trip->near, 2 * sizeof(*trip->near));
	keep(trip, -1, -1);
}

static double measure(const struct kind *kind, bool pinned)
{
	static uint64_t samples[TRIPS];
	pid_t server, relay = -1;
	struct trip trip;

	open_trip(&trip);
	pin(pinned ? PLACE_ENDS : PLACE_ANY);
	server = peer_start(kind->serve, &trip);
	if (kind->relay)
		relay = peer_start(kind->relay, &trip);
	keep(&trip, trip.a, trip.a);
	if (pinned) {
		pin_process(server, kind->serve_at);
		if (kind->relay)
			pin_process(relay, kind->relay_at);
	}
	sample_each(kind->go, &trip, samples, TRIPS);
	peer_stop(server);
	if (kind->relay)
		peer_stop(relay);
	pin(PLACE_ANY);
	close_trip(&trip);
	return percentile_us(samples, TRIPS, 50);
}

void measure_limits(const struct service *service, double *figures)
{
	(void)service;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *kind = &kinds[i];

		if (pin_possible() || !kind->looks)
			figures[kind->p50] = measure(kind, false);
		else
			figure_absent(kind->p50, PIN_IMPOSSIBLE);
		if (pin_possible())
			figures[kind->pinned_p50] = measure(kind, true);
		else
			figure_absent(kind->pinned_p50, PIN_IMPOSSIBLE);
	}
}
