// SPDX-License-Identifier: MIT
/*
 * The benchmark on real kernel drivers: what the broker costs a program that exchanges messages
 * with a remote processor, or calls it. This program reports; with --guest it is the one that
 * measures, in a guest that it boots for that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/util.h"
#include "tests/bench/report.h"
#include "tests/kernel/bench/bench.h"

#define RUNS_DEFAULT 7

#define FIGURE(id, ...) [id] = {__VA_ARGS__}

/* Those of a driver, from figure @first on. */
#define CALLS(first, driver)                                                                       \
	FIGURE((first) + RAW_NULL_P50, driver "_raw_null_p50", "us", NO_TARGET, 0),                \
		FIGURE((first) + RELAY_NULL_P50, driver "_relay_null_p50", "us", NO_TARGET, 0),    \
		FIGURE((first) + NULL_P50, driver "_null_p50", "us", NO_TARGET, 0),                \
		FIGURE((first) + RELAY_NULL_OVER_RAW, driver "_relay_over_raw", "ratio",           \
			NO_TARGET, 0),                                                             \
		FIGURE((first) + NULL_OVER_RAW, driver "_null_over_raw", "ratio", AT_MOST, 1.1),   \
		FIGURE((first) + NULL_OVER_RELAY, driver "_null_over_relay", "ratio", NO_TARGET,   \
			0),                                                                        \
		FIGURE((first) + RAW_4K_P50, driver "_raw_4k_p50", "us", NO_TARGET, 0),            \
		FIGURE((first) + CALL_4K_P50, driver "_4k_p50", "us", NO_TARGET, 0),               \
		FIGURE((first) + CALL_4K_OVER_RAW, driver "_4k_over_raw", "ratio", AT_MOST, 1.1),  \
		FIGURE((first) + RAW_1M_P50, driver "_raw_1m_p50", "us", NO_TARGET, 0),            \
		FIGURE((first) + CALL_1M_P50, driver "_1m_p50", "us", NO_TARGET, 0),               \
		FIGURE((first) + CALL_1M_OVER_RAW, driver "_1m_over_raw", "ratio", AT_MOST, 1.1),  \
		FIGURE((first) + RAWS_PER_SECOND, driver "_8raw_per_second", "1/s", NO_TARGET, 0), \
		FIGURE((first) + RELAYS_PER_SECOND, driver "_8relays_per_second", "1/s",           \
			NO_TARGET, 0),                                                             \
		FIGURE((first) + CLIENTS_PER_SECOND, driver "_8clients_per_second", "1/s",         \
			NO_TARGET, 0),                                                             \
		FIGURE((first) + RELAYS_OVER_RAWS, driver "_8relays_over_raw", "ratio", NO_TARGET, \
			0),                                                                        \
		FIGURE((first) + CLIENTS_OVER_RAWS, driver "_8clients_over_raw", "ratio",          \
			AT_LEAST, 0.95),                                                           \
		FIGURE((first) + CLIENTS_OVER_RELAYS, driver "_8clients_over_relay", "ratio",      \
			NO_TARGET, 0)

static const struct figure figures[FIGURES] = {
	[RAW_RTT_P50] = {"rpmsg_raw_rtt_p50", "us", NO_TARGET, 0},
	[RELAY_RTT_P50] = {"rpmsg_relay_rtt_p50", "us", NO_TARGET, 0},
	[SEND_RTT_P50] = {"rpmsg_send_rtt_p50", "us", NO_TARGET, 0},
	[RTT_P50] = {"rpmsg_rtt_p50", "us", NO_TARGET, 0},
	[RELAY_RTT_OVER_RAW] = {"rpmsg_relay_rtt_over_raw", "ratio", NO_TARGET, 0},
	[SEND_RTT_OVER_RAW] = {"rpmsg_send_rtt_over_raw", "ratio", NO_TARGET, 0},
	[RTT_OVER_RAW] = {"rpmsg_rtt_over_raw", "ratio", AT_MOST, 1.25},
	[RTT_OVER_RELAY] = {"rpmsg_rtt_over_relay", "ratio", NO_TARGET, 0},
	[RAW_ECHO_PER_SECOND] = {"rpmsg_raw_echo_per_second", "1/s", NO_TARGET, 0},
	[ECHO_PER_SECOND] = {"rpmsg_echo_per_second", "1/s", NO_TARGET, 0},
	[THROUGHPUT_OVER_RAW] = {"rpmsg_throughput_over_raw", "ratio", AT_LEAST, 0.9},
	[RAW_SEND_PER_SECOND] = {"rpmsg_raw_send_per_second", "1/s", NO_TARGET, 0},
	[SEND_PER_SECOND] = {"rpmsg_send_per_second", "1/s", NO_TARGET, 0},
	[SEND_OVER_RAW] = {"rpmsg_send_over_raw", "ratio", NO_TARGET, 0},
	CALLS(FASTRPC_FIGURES, "fastrpc"),
	FIGURE(FASTRPC_FIGURES + RAW_MAPPED_1M_P50, "fastrpc_raw_mapped_1m_p50", "us", NO_TARGET,
		0),
	FIGURE(FASTRPC_FIGURES + CALL_1M_OVER_RAW_MAPPED, "fastrpc_1m_over_raw_mapped", "ratio",
		NO_TARGET, 0),
	CALLS(QDA_FIGURES, "qda"),
};

static void run_taken(int run, const double *taken, void *data)
{
	struct report *report = data;

	report_add(report, run, taken);
	if (run + 1 < report->runs)
		report_progress(report, run + 1);
}

int main(int argc, char **argv)
{
	static double values[FIGURES][REPORT_RUNS_MAX];
	struct report report = {
		.program = "bench-kernel",
		.about = "Measure the broker in $DSP_BUILD [build] on the test kernel's drivers",
		.figures = figures,
		.n_figures = ARRAY_SIZE(figures),
		.values = values,
		.runs = RUNS_DEFAULT,
	};
	int code;

	if (argc == 3 && strcmp(argv[1], "--guest") == 0) {
		guest_measure(atoi(argv[2]));
		return EXIT_SUCCESS;
	}
	code = report_options(&report, argc, argv);
	if (code >= 0)
		return code;
	report_progress(&report, 0);
	if (guest_boot(report.runs, run_taken, &report) < 0)
		return EXIT_FAILURE;
	return report_finish(&report);
}
