// SPDX-License-Identifier: MIT
/* A broker with a software DSP, to be measured. */
#ifndef BENCH_SERVICE_H
#define BENCH_SERVICE_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct service {
	pid_t pid;
	char directory[64];
	char socket[96];
};

#define SERVICE_PATH_MAX PATH_MAX

/* The path of a file in the build folder. */
void service_built(char path[SERVICE_PATH_MAX], const char *file);

#define SERVICE_UID 60701 /* belongs to nobody, see systemd's UIDS-GIDS */

/* Start it with that text as its policy, as that user where we may; waits until it serves. Ends the
 * benchmark on failure, with the reason. */
void service_start(struct service *service, const char *policy, uid_t uid);
/* Stop it; ends the benchmark if it did not end well. */
void service_stop(struct service *service);
/* Resident memory of the broker, bytes. */
uint64_t service_rss(const struct service *service);

#endif
