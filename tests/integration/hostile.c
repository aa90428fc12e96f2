// SPDX-License-Identifier: MIT
#include "tests/integration/hostile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>

#include "daemon/limits.h"

/* Longest time that a round of the innocent client may take; nothing that an attacker does may
 * make it wait, so this is only what a loaded machine needs. */
#define ROUND_MS 5000

/* What the broker may keep of its memory after an attack: freed calls and the like. */
#if defined(__SANITIZE_ADDRESS__)
#define KEPT_KIB SIZE_MAX /* the sanitizer keeps what is freed */
#else
#define KEPT_KIB 8192
#endif

static atomic_bool attack_over;
static atomic_uint *rounds; /* shared by all processes */

unsigned int innocent_rounds(void)
{
	return *rounds;
}

bool innocent_waits(unsigned int *start, unsigned int n)
{
	if (!*start)
		*start = *rounds;
	return *rounds - *start < n;
}

DEFINE_CLEANUP(struct dspbroker *, dspbroker_free);

/* Everything that a client does: connect, open, memory, calls, close, leave. */
static void innocent_round(const struct harness *harness)
{
	_cleanup_(dspbroker_freep) struct dspbroker *broker = connect_to(harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, 4096);
	const int32_t numbers[] = {1, 2, 3, 4};
	void *memory;
	int64_t sum;
	struct dspbroker_arg args[] = {
		{.buffer = buffer, .length = sizeof(numbers)},
		{.data = &sum, .length = sizeof(sum)},
	};

	require_eq(dspbroker_buffer_map(buffer, &memory), 0);
	memcpy(memory, numbers, sizeof(numbers));
	for (int i = 0; i < 20; i++) {
		sum = 0;
		require_eq(dspbroker_invoke(session,
				   &(struct dspbroker_call){.method = EXAMPLE_SUM,
					   .n_in = 1,
					   .n_out = 1,
					   .args = args},
				   NULL),
			0);
		require_eq(sum, 10);
	}
}

static void *make_rounds(void *harness)
{
	bool last;

	do {
		uint64_t since = harness_now_ms();

		last = attack_over; /* so that there is a round after the attack, too */
		innocent_round(harness);
		require(harness_now_ms() - since < ROUND_MS);
		++*rounds;
	} while (!last);
	return NULL;
}

static void innocent(void *harness)
{
	pthread_t thread;

	innocent_round(harness);
	++*rounds;
	step_reached('r');
	require_eq(pthread_create(&thread, NULL, make_rounds, harness), 0);
	step_await('o');
	attack_over = true;
	require_eq(pthread_join(thread, NULL), 0);
}

static uint32_t count_sessions(struct raw *observer)
{
	struct dsp_query request = {};
	union raw_packet reply;
	uint32_t n = 0;

	do {
		request.header = raw_header(observer, DSP_QUERY_SESSION);
		raw_exchange(observer, &request, sizeof(request), NULL, 0, &reply);
		while (reply.header.opcode & DSP_EVENT) /* of what the attack did to a device */
			require(raw_receive(observer, &reply, NULL));
		require_eq(reply.header.opcode, DSP_QUERY_SESSION | DSP_REPLY);
		request.after = reply.session_record.id;
		n += request.after != 0;
	} while (request.after);
	return n;
}

static void attack_beside_innocent(const struct harness *harness, void (*attack)(void *harness))
{
	struct client good, evil;

	client_start(&good, INNOCENT, innocent, (void *)harness);
	client_await(&good, 'r');
	client_start(&evil, ATTACKER, attack, (void *)harness);
	client_end(&evil);
	client_go(&good, 'o');
	client_end(&good);
}

void hostile_run(const char *policy, void (*attack)(void *harness))
{
	struct harness harness;
	struct raw observer;
	size_t fds, rss;

	if (!harness_has_users())
		return;
	rounds = mmap(NULL, sizeof(*rounds), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0);
	require(rounds != MAP_FAILED);
	harness_start(&harness, policy);
	raw_start(&observer, &harness);
	require_eq(count_sessions(&observer), 0); /* answered: so it does nothing else any more */
	fds = harness_fds(&harness);
	rss = harness_rss_kib(&harness);

	attack_beside_innocent(&harness, attack);

	require_soon(count_sessions(&observer) == 0);
	require_soon(harness_domains(&harness) == 0);
	require_soon(harness_fds(&harness) == fds);
	require(harness_rss_kib(&harness) - rss < KEPT_KIB);
	raw_close(&observer);
	harness_stop(&harness);
	munmap(rounds, sizeof(*rounds));
}

/* Random numbers. */

static uint64_t state;

static void seed(void)
{
	const char *given = getenv("DSP_SEED");

	if (given)
		state = strtoull(given, NULL, 0);
	else
		require_eq(getrandom(&state, sizeof(state), 0), sizeof(state));
	state |= 1; /* 0 would stay 0 */
	fprintf(stderr, "DSP_SEED=%" PRIu64 "\n", state);
}

/* Marsaglia's xorshift. */
uint64_t random_next(void)
{
	if (!state)
		seed();
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next() >> 32) % n);
}

void random_fill(void *bytes, size_t size)
{
	uint64_t word;

	for (size_t done = 0; done < size; done += sizeof(word)) {
		word = random_next();
		memcpy((char *)bytes + done, &word, MIN(size - done, sizeof(word)));
	}
}

void storm_of_opens(const struct harness *harness, const char *channel, int connections)
{
	for (int i = 0; i < connections; i++) {
		struct raw raw;

		raw_start(&raw, harness);
		for (uint32_t j = 0; j < 2 * LIMIT_RULE_SESSIONS; j++) {
			struct dsp_open request = raw_open_request(&raw, channel);
			struct dsp_close close_ = {.header = raw_header(&raw, DSP_CLOSE),
				.session = 1u << 16 | (j & 15)};

			raw_send(&raw, &request, sizeof(request), NULL, 0);
			if (i % 3)
				raw_send(&raw, &close_, sizeof(close_), NULL, 0);
			if (i % 3 == 2)
				require(raw_receive(&raw, &(union raw_packet){}, NULL));
		}
		raw_close(&raw);
	}
}

void hostile_add_module(const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];
	ssize_t n;
	int in, out;

	snprintf(from, sizeof(from), "%s/tests/integration/modules/lib%s_skel.so",
		getenv("DSP_BUILD"), name);
	snprintf(to, sizeof(to), "%s/lib%s_skel.so", harness_program("modules"), name);
	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	do {
		n = sendfile(out, in, NULL, 1 << 20);
	} while (n > 0);
	if (n < 0) {
		perror(from);
		exit(EXIT_FAILURE);
	}
	fd_close(in);
	fd_close(out);
}
