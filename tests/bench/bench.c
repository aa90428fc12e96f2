// SPDX-License-Identifier: MIT
/*
 * The benchmark: takes every figure several times, each time on a broker of its own, and reports
 * median and spread.
 */
#include "tests/bench/bench.h"
#include "protocol/util.h"
#include "tests/bench/report.h"

#define RUNS_DEFAULT 7

static const char policy[] =
	"{ \"version\": 1, \"rules\": [\n"
	"  { \"name\": \"shared\", \"action\": \"allow\", \"match\": { \"users\": [\"*\"] },\n"
	"    \"channels\": [\"soft0/example\"], \"share_domain\": \"bench\",\n"
	"    \"limits\": { \"sessions\": 1000, \"calls\": 64 } },\n"
	"  { \"name\": \"private\", \"action\": \"allow\", \"match\": { \"users\": [\"*\"] },\n"
	"    \"channels\": [\"soft0/denoise\"],\n"
	"    \"limits\": { \"sessions\": 1000, \"calls\": 64 } } ] }\n";

static const struct figure figures[FIGURES] = {
	[SOCKET_P50] = {"socket_round_trip_p50", "us", NO_TARGET, 0},
	[NULL_CALL_P50] = {"null_call_p50", "us", NO_TARGET, 0},
	[NULL_CALL_P99] = {"null_call_p99", "us", NO_TARGET, 0},
	[NULL_CALL_OVER_SOCKET] = {"null_call_over_socket", "ratio", NO_TARGET, 0},
	[PIPELINED_PER_SECOND] = {"pipelined_per_second", "calls/s", NO_TARGET, 0},
	[ZERO_COPY_4K_P50] = {"call_4k_p50", "us", NO_TARGET, 0},
	[ZERO_COPY_64M_P50] = {"call_64m_p50", "us", NO_TARGET, 0},
	[ZERO_COPY_64M_OVER_4K] = {"zero_copy_64m_over_4k", "ratio", AT_MOST, 1.10},
	[OPEN_CLOSE_PRIVATE_PER_SECOND] = {"open_close_private_per_second", "1/s", NO_TARGET, 0},
	[OPEN_CLOSE_PER_SECOND] = {"open_close_per_second", "1/s", NO_TARGET, 0},
	[RSS_PER_SESSION_KIB] = {"rss_per_session_kib", "KiB", NO_TARGET, 0},
};

int main(int argc, char **argv)
{
	static double values[FIGURES][REPORT_RUNS_MAX];
	struct report report = {
		.program = "bench",
		.about = "Measure the broker in $DSP_BUILD [build]",
		.figures = figures,
		.n_figures = ARRAY_SIZE(figures),
		.values = values,
		.runs = RUNS_DEFAULT,
	};
	int code = report_options(&report, argc, argv);

	if (code >= 0)
		return code;
	for (int run = 0; run < report.runs; run++) {
		double taken[FIGURES];
		struct service service;

		report_progress(&report, run);
		service_start(&service, policy, SERVICE_UID);
		measure(&service, taken);
		service_stop(&service);
		report_add(&report, run, taken);
	}
	return report_finish(&report);
}
