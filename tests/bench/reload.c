// SPDX-License-Identifier: MIT
/*
 * What a reload of many rules costs those who make calls meanwhile. A client makes one call after
 * the other as fast as it can, so a broker that pauses shows as one long call. What counts is the
 * longest call in the time of each reload; beside it the longest in times of the same length in
 * which nothing is reloaded.
 */
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/peer.h"
#include "tests/bench/policy_rules.h"
#include "tests/bench/sample.h"

#define RULES   10000
#define RELOADS 100

/* Who has the policy reloaded, a process of its own. */
struct reloader {
	const char *socket;
	int wish;               /* an eventfd: one more, please */
	_Atomic uint32_t *done; /* so many are; shared memory */
	pid_t pid;
};

static void serve_reloader(void *data)
{
	const struct reloader *reloader = data;
	struct dspbroker *broker;
	uint32_t rules, revoked;
	eventfd_t wishes;

	must(dspbroker_connect(&broker, reloader->socket), "connect");
	for (;;) {
		must_errno(eventfd_read(reloader->wish, &wishes), "eventfd_read");
		must(dspbroker_reload(broker, &rules, &revoked), "reload");
		must(rules == RULES && !revoked ? 0 : -EPROTO, "reload");
		atomic_fetch_add(reloader->done, 1);
	}
}

static void reloader_start(struct reloader *reloader, const struct service *service)
{
	reloader->socket = service->socket;
	reloader->done = mmap(NULL, sizeof(*reloader->done), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(reloader->done == MAP_FAILED ? -errno : 0, "mmap");
	reloader->wish = must_errno(eventfd(0, EFD_CLOEXEC), "eventfd");
	reloader->pid = peer_start(serve_reloader, reloader);
}

static void reloader_stop(struct reloader *reloader)
{
	peer_stop(reloader->pid);
	fd_close(reloader->wish);
	munmap(reloader->done, sizeof(*reloader->done));
}

static void call_nothing(void *session)
{
	static const struct dspbroker_call call = {.method = METHOD_NOP};

	must(dspbroker_invoke(session, &call, NULL), "null call");
}

/* The longest call until @over, in nanoseconds; the last one ends after that. */
static uint64_t longest_call(struct dspbroker_session *session, bool (*over)(const void *data),
	const void *data)
{
	uint64_t longest = 0, before = now_ns();
	bool last;

	do {
		uint64_t after;

		last = over(data);
		call_nothing(session);
		after = now_ns();
		longest = MAX(longest, after - before);
		before = after;
	} while (!last);
	return longest;
}

struct awaited {
	const struct reloader *reloader;
	uint32_t done;
};

static bool is_reloaded(const void *data)
{
	const struct awaited *awaited = data;

	return atomic_load(awaited->reloader->done) >= awaited->done;
}

static bool is_past(const void *data)
{
	return now_ns() >= *(const uint64_t *)data;
}

static void measure_stalls(struct dspbroker_session *session, const struct reloader *reloader,
	double *figures)
{
	static uint64_t stalls[RELOADS], alone[RELOADS], took[RELOADS];

	warm_up(call_nothing, session);
	for (uint32_t i = 0; i < RELOADS; i++) {
		const struct awaited awaited = {reloader, i + 1};
		uint64_t start = now_ns(), end;

		must_errno(eventfd_write(reloader->wish, 1), "eventfd_write");
		stalls[i] = longest_call(session, is_reloaded, &awaited);
		took[i] = now_ns() - start;
		end = now_ns() + took[i];
		alone[i] = longest_call(session, is_past, &end);
	}
	figures[POLICY_RELOAD_STALL_P99_MS] = percentile_us(stalls, RELOADS, 99) / 1000;
	figures[POLICY_CALL_P99_ALONE_MS] = percentile_us(alone, RELOADS, 99) / 1000;
	figures[POLICY_RELOAD_P50_MS] = percentile_us(took, RELOADS, 50) / 1000;
}

void measure_reload(const struct service *service, double *figures)
{
	struct dspbroker_session *session;
	struct reloader reloader;
	struct dspbroker *broker;
	struct service many;

	(void)service; /* has another policy */
	service_prepare(&many, SERVICE_UID);
	policy_rules_write(many.policy, RULES);
	service_run(&many, SERVICE_UID);
	must(dspbroker_connect(&broker, many.socket), "connect");
	must(dspbroker_session_open(broker, &session, CHANNEL_SHARED), "open");
	reloader_start(&reloader, &many);
	measure_stalls(session, &reloader, figures);
	reloader_stop(&reloader);
	dspbroker_free(broker);
	service_stop(&many);
}
