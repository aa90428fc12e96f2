// SPDX-License-Identifier: MIT
/* Many sessions that nobody uses: what they cost. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "tests/bench/bench.h"
#include "tests/bench/proc.h"
#include "tests/bench/sample.h"

#define SESSIONS     1000
#define IDLE_SECONDS 10

static const char policy[] =
	"{ \"version\": 1, \"rules\": [\n"
	"  { \"name\": \"idle\", \"action\": \"allow\", \"match\": { \"users\": [\"*\"] },\n"
	"    \"channels\": [\"" CHANNEL_PRIVATE "\"], \"limits\": { \"sessions\": 1000 } } ] }\n";

/* It is at rest when nothing has happened for so many looks. */
#define LOOK_MS     100
#define QUIET_LOOKS 10
#define LOOKS_MAX   100

static void wait_for(const struct timespec *time)
{
	struct timespec left = *time;

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

/* What it does until then is the work of opening. Who never rests is measured all the same. */
static void wait_until_quiet(pid_t pid)
{
	const struct timespec look = {.tv_nsec = LOOK_MS * 1000000};
	uint64_t last = proc_switches(pid);

	for (int looks = 0, quiet = 0; looks < LOOKS_MAX && quiet < QUIET_LOOKS; looks++) {
		uint64_t now;

		wait_for(&look);
		now = proc_switches(pid);
		quiet = now == last ? quiet + 1 : 0;
		last = now;
	}
}

/* Each session has a protection domain of its own, for which a machine may have no room. Returns
 * what the library did; *@broker is NULL where it did not even connect. */
static int open_sessions(const struct service *service, struct dspbroker **broker)
{
	struct dspbroker_session *session;
	int r;

	*broker = NULL;
	r = dspbroker_connect(broker, service->socket);
	for (int i = 0; i < SESSIONS && r == 0; i++)
		r = dspbroker_session_open(*broker, &session, CHANNEL_PRIVATE);
	return r;
}

static void miss_idle(int r)
{
	static char why[256];

	snprintf(why, sizeof(why), "cannot open %d sessions: %s", SESSIONS,
		*dspbroker_message() ? dspbroker_message() : dspbroker_strerror(r));
	figure_absent(IDLE_WAKEUPS_10S, why);
	figure_absent(RSS_PER_SESSION_KIB, why);
}

static void measure_sessions(const struct service *service, int64_t rss, double *figures)
{
	const struct timespec idle = {.tv_sec = IDLE_SECONDS};
	uint64_t switches;

	wait_until_quiet(service->pid);
	figures[RSS_PER_SESSION_KIB] =
		(double)((int64_t)service_rss(service) - rss) / 1024 / SESSIONS;
	switches = proc_switches(service->pid);
	wait_for(&idle);
	figures[IDLE_WAKEUPS_10S] = (double)(proc_switches(service->pid) - switches);
}

/* On a broker of its own: one that has worked has memory from then, which sessions would take. */
void measure_idle(const struct service *busy, double *figures)
{
	struct dspbroker *broker;
	struct service service;
	int64_t rss;
	int r;

	(void)busy;
	service_start(&service, policy, SERVICE_UID);
	rss = (int64_t)service_rss(&service);
	r = open_sessions(&service, &broker);
	if (r == 0)
		measure_sessions(&service, rss, figures);
	else
		miss_idle(r);
	dspbroker_free(broker); /* and with it the sessions */
	service_stop(&service);
}
