// SPDX-License-Identifier: MIT
/* What the parts of the benchmark on rpmsg share; tests/bench/README.md explains the figures. */
#ifndef KERNEL_BENCH_H
#define KERNEL_BENCH_H

#include <stddef.h>

#define BENCH_ECHO         "bench-echo"
#define BENCH_ECHO_ADDRESS 1024
#define BENCH_SINK         "bench-sink"
#define BENCH_SINK_ADDRESS 1025

#define BENCH_BYTES  64 /* of each message */
#define BENCH_WINDOW 32 /* messages in flight where there may be several */

enum figure_id {
	RAW_RTT_P50,
	RELAY_RTT_P50,
	SEND_RTT_P50,
	RTT_P50,
	RELAY_RTT_OVER_RAW,
	SEND_RTT_OVER_RAW,
	RTT_OVER_RAW,
	RTT_OVER_RELAY,
	RAW_ECHO_PER_SECOND,
	ECHO_PER_SECOND,
	THROUGHPUT_OVER_RAW,
	RAW_SEND_PER_SECOND,
	SEND_PER_SECOND,
	SEND_OVER_RAW,
	FIGURES,
};

/* In the guest: take every figure so often, and print a line of them for each run. */
void guest_measure(int runs);
/* Outside: have a guest do that; called with what each run gave. Returns 0, or -1 when it failed,
 * which has been said. */
int guest_boot(int runs, void (*taken)(int run, const double *figures, void *data), void *data);

#endif
