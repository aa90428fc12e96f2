// SPDX-License-Identifier: MIT
/*
 * The benchmark: takes every figure several times, each run on a broker of its own, and reports
 * median and spread.
 */
#include "tests/bench/bench.h"

#include <math.h>

#include "protocol/util.h"
#include "tests/bench/report.h"

#define RUNS_DEFAULT 5

static const char policy[] =
	"{ \"version\": 1, \"rules\": [\n"
	"  { \"name\": \"shared\", \"action\": \"allow\", \"match\": { \"users\": [\"*\"] },\n"
	"    \"channels\": [\"" CHANNEL_SHARED "\"], \"share_domain\": \"bench\",\n"
	"    \"limits\": { \"sessions\": 1000, \"calls\": 64 } },\n"
	"  { \"name\": \"private\", \"action\": \"allow\", \"match\": { \"users\": [\"*\"] },\n"
	"    \"channels\": [\"" CHANNEL_PRIVATE "\"],\n"
	"    \"limits\": { \"sessions\": 1000, \"calls\": 64 } } ] }\n";

static const struct figure figures[FIGURES] = {
	[SOCKET_P50] = {"socket_round_trip_p50", "us", NO_TARGET, 0},
	[SOCKET_PINNED_P50] = {"socket_pinned_round_trip_p50", "us", NO_TARGET, 0},
	[SOCKET_RELAYED_P50] = {"socket_relayed_round_trip_p50", "us", NO_TARGET, 0},
	[SOCKET_RELAYED_PINNED_P50] = {"socket_relayed_pinned_round_trip_p50", "us", NO_TARGET, 0},
	[FUTEX_P50] = {"futex_round_trip_p50", "us", NO_TARGET, 0},
	[FUTEX_PINNED_P50] = {"futex_pinned_round_trip_p50", "us", NO_TARGET, 0},
	[MEMORY_P50] = {"memory_round_trip_p50", "us", NO_TARGET, 0},
	[MEMORY_PINNED_P50] = {"memory_pinned_round_trip_p50", "us", NO_TARGET, 0},
	[MEMORY_RELAYED_P50] = {"memory_relayed_round_trip_p50", "us", NO_TARGET, 0},
	[MEMORY_RELAYED_PINNED_P50] = {"memory_relayed_pinned_round_trip_p50", "us", NO_TARGET, 0},
	[NULL_CALL_P50] = {"null_call_p50", "us", NO_TARGET, 0},
	[NULL_CALL_P99] = {"null_call_p99", "us", NO_TARGET, 0},
	[NULL_CALL_OVER_SOCKET] = {"null_call_over_socket", "ratio", AT_MOST, 0.75},
	[NULL_CALL_OVER_MEMORY_RELAYED] = {"null_call_over_memory_relayed", "ratio", NO_TARGET, 0},
	[NULL_CALL_PINNED_P50] = {"null_call_pinned_p50", "us", NO_TARGET, 0},
	[NULL_CALL_PINNED_P99] = {"null_call_pinned_p99", "us", NO_TARGET, 0},
	[NULL_CALL_PINNED_OVER_SOCKET] = {"null_call_pinned_over_socket", "ratio", NO_TARGET, 0},
	[ZERO_COPY_4K_P50] = {"call_4k_p50", "us", NO_TARGET, 0},
	[ZERO_COPY_64M_P50] = {"call_64m_p50", "us", NO_TARGET, 0},
	[ZERO_COPY_64M_OVER_4K] = {"zero_copy_64m_over_4k", "ratio", AT_MOST, 1.05},
	[DBUS_P50] = {"dbus_p50", "us", NO_TARGET, 0},
	[DBUS_PINNED_P50] = {"dbus_pinned_p50", "us", NO_TARGET, 0},
	[DBUS_OVER_NULL_CALL] = {"dbus_over_null_call", "ratio", AT_LEAST, 20},
	[DBUS_PINNED_OVER_NULL_CALL] = {"dbus_pinned_over_null_call", "ratio", NO_TARGET, 0},
	[DBUS_BROKER_P50] = {"dbus_broker_p50", "us", NO_TARGET, 0},
	[DBUS_BROKER_PINNED_P50] = {"dbus_broker_pinned_p50", "us", NO_TARGET, 0},
	[DBUS_BROKER_OVER_NULL_CALL] = {"dbus_broker_over_null_call", "ratio", NO_TARGET, 0},
	[DBUS_BROKER_PINNED_OVER_NULL_CALL] = {"dbus_broker_pinned_over_null_call", "ratio",
		NO_TARGET, 0},
	[DIRECT_PER_SECOND] = {"direct_per_second", "calls/s", NO_TARGET, 0},
	[DIRECT_PINNED_PER_SECOND] = {"direct_pinned_per_second", "calls/s", NO_TARGET, 0},
	[PIPELINED_PER_SECOND] = {"pipelined_per_second", "calls/s", AT_LEAST, 1e6},
	[PIPELINED_PINNED_PER_SECOND] = {"pipelined_pinned_per_second", "calls/s", NO_TARGET, 0},
	[PIPELINED_OVER_DIRECT] = {"pipelined_over_direct", "ratio", AT_LEAST, 0.5},
	[PIPELINED_PINNED_OVER_DIRECT] = {"pipelined_pinned_over_direct", "ratio", NO_TARGET, 0},
	[PIPELINED_8_PER_SECOND] = {"pipelined_8_per_second", "calls/s", NO_TARGET, 0},
	[PIPELINED_8_OVER_1] = {"pipelined_8_over_1", "ratio", AT_LEAST, 0.8},
	[VICTIM_P99_ALONE] = {"victim_p99_alone", "us", NO_TARGET, 0},
	[VICTIM_P99_FLOODED] = {"victim_p99_flooded", "us", NO_TARGET, 0},
	[VICTIM_P99_OVER_ALONE] = {"victim_p99_over_alone", "ratio", AT_MOST, 2},
	[JAIN_8] = {"jain_8", "ratio", AT_LEAST, 0.99},
	[JAIN_8_MIXED] = {"jain_8_mixed", "ratio", AT_LEAST, 0.99},
	[WEIGHTS_1_2_4_ERROR] = {"weights_1_2_4_error", "ratio", AT_MOST, 0.05},
	[CPU_PER_CALL] = {"cpu_per_call", "us", NO_TARGET, 0},
	[CPU_PER_CALL_SOCKET] = {"cpu_per_call_socket", "us", NO_TARGET, 0},
	[CPU_OVER_SOCKET] = {"cpu_over_socket", "ratio", AT_MOST, 1},
	[OPEN_CLOSE_PER_SECOND] = {"open_close_per_second", "1/s", AT_LEAST, 20000},
	[OPEN_CLOSE_PRIVATE_PER_SECOND] = {"open_close_private_per_second", "1/s", AT_LEAST, 500},
	[CONNECT_PER_SECOND] = {"connect_per_second", "1/s", NO_TARGET, 0},
	[POLICY_LOAD_10K_MS] = {"policy_load_10k_ms", "ms", AT_MOST, 100},
	[POLICY_DECISION_10K_US] = {"policy_decision_10k_us", "us", AT_MOST, 2},
	[POLICY_DECISION_100_US] = {"policy_decision_100_us", "us", AT_MOST, 0.5},
	[POLICY_OPEN_10] = {"policy_open_10_p50", "us", NO_TARGET, 0},
	[POLICY_OPEN_10K] = {"policy_open_10k_p50", "us", NO_TARGET, 0},
	[POLICY_OPEN_10K_OVER_10] = {"policy_open_10k_over_10", "ratio", AT_MOST, 1.1},
	[POLICY_RELOAD_STALL_P99_MS] = {"policy_reload_stall_p99_ms", "ms", AT_MOST, 1},
	[POLICY_RELOAD_LONGEST_P50_MS] = {"policy_reload_longest_p50_ms", "ms", NO_TARGET, 0},
	[POLICY_CALL_P99_ALONE_MS] = {"policy_call_p99_alone_ms", "ms", NO_TARGET, 0},
	[POLICY_CALL_LONGEST_P50_MS] = {"policy_call_longest_p50_ms", "ms", NO_TARGET, 0},
	[POLICY_RELOAD_P50_MS] = {"policy_reload_p50_ms", "ms", NO_TARGET, 0},
	[IDLE_WAKEUPS_10S] = {"idle_wakeups_10s", "count", AT_MOST, 0},
	[RSS_PER_SESSION_KIB] = {"rss_per_session_kib", "KiB", AT_MOST, 16},
};

/* What is taken together, from @first up to the next group's; in this order. */
struct group {
	const char *name;
	enum figure_id first;
	void (*measure)(const struct service *service, double *figures);
	int runs;       /* at most so many; 0: as many as there are */
	unsigned needs; /* groups that its ratios are to: bits */
};

enum group_id {
	LIMITS,
	NULL_CALL,
	ZERO_COPY,
	DBUS,
	DIRECT,
	PIPELINED,
	CROWD,
	COST,
	SESSIONS,
	POLICY,
	RELOAD,
	IDLE,
	GROUPS,
};

static const struct group groups[GROUPS] = {
	[LIMITS] = {"limits", SOCKET_P50, measure_limits, 0, 0},
	[NULL_CALL] = {"null calls", NULL_CALL_P50, measure_null_call, 0, 1u << LIMITS},
	[ZERO_COPY] = {"zero copy", ZERO_COPY_4K_P50, measure_zero_copy, 0, 0},
	[DBUS] = {"D-Bus", DBUS_P50, measure_dbus, 0, 1u << NULL_CALL},
	[DIRECT] = {"without a broker", DIRECT_PER_SECOND, measure_direct, 0, 0},
	[PIPELINED] = {"pipelined", PIPELINED_PER_SECOND, measure_pipelined, 0, 1u << DIRECT},
	[CROWD] = {"several clients", PIPELINED_8_PER_SECOND, measure_crowd, 0, 0},
	[COST] = {"cost", CPU_PER_CALL, measure_cost, 0, 0},
	[SESSIONS] = {"open and close", OPEN_CLOSE_PER_SECOND, measure_open_close, 0, 0},
	[POLICY] = {"policy", POLICY_LOAD_10K_MS, measure_policy, 0, 0},
	[RELOAD] = {"reload", POLICY_RELOAD_STALL_P99_MS, measure_reload, 0, 0},
	[IDLE] = {"idle sessions", IDLE_WAKEUPS_10S, measure_idle, 1, 0},
};

static unsigned end_of(enum group_id id)
{
	return id + 1 < GROUPS ? groups[id + 1].first : FIGURES;
}

static const char *absent[FIGURES];
static bool left_out[FIGURES];
static double values[FIGURES][REPORT_RUNS_MAX];

void figure_absent(enum figure_id id, const char *why)
{
	absent[id] = why;
}

/* Groups that hold what is wanted, or what that needs: bits. */
static unsigned wanted_groups(const struct report *report)
{
	unsigned wanted = 0;

	for (int id = GROUPS - 1; id >= 0; id--) {
		for (unsigned figure = groups[id].first; figure < end_of(id); figure++)
			if (report_wants(report, figure))
				wanted |= 1u << id;
		if (wanted & 1u << id)
			wanted |= groups[id].needs;
	}
	return wanted;
}

static void take_run(const struct report *report, int run, unsigned wanted, double taken[FIGURES])
{
	struct service service;

	for (int i = 0; i < FIGURES; i++)
		taken[i] = NAN;
	report_progress(report, run);
	service_start(&service, policy, SERVICE_UID);
	for (int id = 0; id < GROUPS; id++) {
		if (!(wanted & 1u << id) || (groups[id].runs && run >= groups[id].runs))
			continue;
		report_progress_at(report, run, groups[id].name);
		groups[id].measure(&service, taken);
	}
	service_stop(&service);
}

int main(int argc, char **argv)
{
	struct report report = {
		.program = "bench",
		.about = "Measure the broker in $DSP_BUILD [build]",
		.figures = figures,
		.n_figures = FIGURES,
		.values = values,
		.absent = absent,
		.left_out = left_out,
		.runs = RUNS_DEFAULT,
	};
	int code = report_options(&report, argc, argv);
	unsigned wanted;

	if (code >= 0)
		return code;
	wanted = wanted_groups(&report);
	for (int id = 0; id < GROUPS; id++)
		for (unsigned figure = groups[id].first; figure < end_of(id); figure++)
			left_out[figure] = !(wanted & 1u << id);
	for (int run = 0; run < report.runs; run++) {
		double taken[FIGURES];

		take_run(&report, run, wanted, taken);
		report_add(&report, run, taken);
	}
	return report_finish(&report);
}
