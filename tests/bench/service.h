// SPDX-License-Identifier: MIT
/* A broker with a software DSP, to be measured. */
#ifndef BENCH_SERVICE_H
#define BENCH_SERVICE_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* A folder in /tmp that is ours, for files of known names. It goes by folder_remove(), or when the
 * process that made it ends: by exit(), SIGINT or SIGTERM. */
#define FOLDER_BYTES 64
void folder_make(char folder[FOLDER_BYTES]);
void folder_remove(const char *folder);
/* Print the file "log" in it. */
void folder_print_log(const char *folder);

struct service {
	pid_t pid;
	char directory[FOLDER_BYTES];
	char socket[96];
	char policy[96]; /* the folder of its policy files */
};

#define SERVICE_PATH_MAX PATH_MAX

/* The path of a file in the build folder. */
void service_built(char path[SERVICE_PATH_MAX], const char *file);

#define SERVICE_UID 60701 /* belongs to nobody, see systemd's UIDS-GIDS */

/* Start it with that text as its policy, as that user where we may; waits until it serves. Ends the
 * benchmark on failure, with the reason. */
void service_start(struct service *service, const char *policy, uid_t uid);
/* The same in two steps: in between somebody else writes the policy files. */
void service_prepare(struct service *service, uid_t uid);
void service_run(struct service *service, uid_t uid);
/* Stop it; ends the benchmark if it did not end well. */
void service_stop(struct service *service);
/* Resident memory of the broker, bytes. */
uint64_t service_rss(const struct service *service);

#endif
