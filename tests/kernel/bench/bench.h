// SPDX-License-Identifier: MIT
/* What the parts of the benchmark on real drivers share; tests/bench/README.md explains the
 * figures. */
#ifndef KERNEL_BENCH_H
#define KERNEL_BENCH_H

#include <stddef.h>

#define BENCH_ECHO            "bench-echo"
#define BENCH_ECHO_ADDRESS    1024
#define BENCH_SINK            "bench-sink"
#define BENCH_SINK_ADDRESS    1025
#define BENCH_FASTRPC_ADDRESS 1026
#define BENCH_QDA_ADDRESS     1027
#define BENCH_SHELLS          "/run/bench-shells"

/* Of calls, by any of the kernel's drivers that carry them. */
enum call_figure {
	/* calls.c */
	RAW_NULL_P50,
	RELAY_NULL_P50,
	NULL_P50,
	RELAY_NULL_OVER_RAW,
	NULL_OVER_RAW,
	NULL_OVER_RELAY,
	RAW_4K_P50,
	CALL_4K_P50,
	CALL_4K_OVER_RAW,
	RAW_1M_P50,
	CALL_1M_P50,
	CALL_1M_OVER_RAW,
	/* clients.c */
	RAWS_PER_SECOND,
	RELAYS_PER_SECOND,
	CLIENTS_PER_SECOND,
	RELAYS_OVER_RAWS,
	CLIENTS_OVER_RAWS,
	CLIENTS_OVER_RELAYS,
	CALL_FIGURES,
	/* calls.c, where what is mapped to stay can be told from what a call maps */
	RAW_MAPPED_1M_P50 = CALL_FIGURES,
	CALL_1M_OVER_RAW_MAPPED,
	FASTRPC_CALL_FIGURES,
};

enum figure_id {
	/* messages.c */
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
	/* calls.c and clients.c: those of call_figure, for each driver */
	FASTRPC_FIGURES,
	QDA_FIGURES = FASTRPC_FIGURES + FASTRPC_CALL_FIGURES,
	FIGURES = QDA_FIGURES + CALL_FIGURES,
};

/* In the guest: take every figure so often, and print a line of them for each run. */
void guest_measure(int runs);
/* Outside: have a guest do that; called with what each run gave. Returns 0, or -1 when it failed,
 * which has been said. */
int guest_boot(int runs, void (*taken)(int run, const double *figures, void *data), void *data);

#endif
