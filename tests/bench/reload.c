// SPDX-License-Identifier: MIT
/*
 * What a reload of many rules costs those who make calls meanwhile: a client that makes so many
 * calls a second, each counted from when it was due, so that one that is held up does not hide
 * those that were to come after it. Beside it the same in times of the same length in which nothing
 * is reloaded.
 */
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/pace.h"
#include "tests/bench/peer.h"
#include "tests/bench/policy_rules.h"
#include "tests/bench/sample.h"

#define RULES       10000
#define RELOADS     50
#define INTERVAL_NS 1000000 /* 1,000 calls a second */
#define CALLS_MAX   65536

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

/* What calls took, and the longest of each turn. */
struct calls {
	uint64_t ns[CALLS_MAX], longest[RELOADS];
	size_t n;
};

/* Paced calls until @over. */
static void call_until(struct calls *calls, uint32_t turn, struct dspbroker_session *session,
	bool (*over)(const void *data), const void *data)
{
	struct pace pace;

	pace_begin(&pace, INTERVAL_NS);
	calls->longest[turn] = 0;
	while (!over(data) && calls->n < CALLS_MAX) {
		uint64_t due = pace_wait(&pace), took;

		call_nothing(session);
		took = now_ns() - due;
		calls->ns[calls->n++] = took;
		calls->longest[turn] = MAX(calls->longest[turn], took);
	}
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
	static struct calls stalled, alone;
	static uint64_t took[RELOADS];

	stalled.n = alone.n = 0;
	warm_up(call_nothing, session);
	for (uint32_t i = 0; i < RELOADS; i++) {
		const struct awaited awaited = {reloader, i + 1};
		uint64_t start = now_ns(), end;

		must_errno(eventfd_write(reloader->wish, 1), "eventfd_write");
		call_until(&stalled, i, session, is_reloaded, &awaited);
		took[i] = now_ns() - start;
		end = now_ns() + took[i];
		call_until(&alone, i, session, is_past, &end);
	}
	figures[POLICY_RELOAD_STALL_P99_MS] = percentile_us(stalled.ns, stalled.n, 99) / 1000;
	figures[POLICY_RELOAD_LONGEST_P50_MS] = percentile_us(stalled.longest, RELOADS, 50) / 1000;
	figures[POLICY_CALL_P99_ALONE_MS] = percentile_us(alone.ns, alone.n, 99) / 1000;
	figures[POLICY_CALL_LONGEST_P50_MS] = percentile_us(alone.longest, RELOADS, 50) / 1000;
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
