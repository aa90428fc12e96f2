// SPDX-License-Identifier: MIT
/*
 * Log lines: to the journal with their fields when systemd started us, else to stderr: as readable
 * lines; or, when that is no terminal, those that have fields as JSON, one object a line. Something
 * is logged once, where it is handled; never a payload. What a peer can cause goes through a struct
 * log_bucket of its user.
 *
 * Thread-safe after log_init().
 */
#ifndef DSP_LOG_H
#define DSP_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "protocol/util.h"

/* A token bucket. Zeroed: full. */
struct log_bucket {
	unsigned int spent;
	unsigned int suppressed;
	uint64_t refilled_us;
};

/* One that several threads draw from. */
struct log_shared {
	pthread_mutex_t lock;
	struct log_bucket bucket;
};
#define LOG_SHARED_INIT ((struct log_shared){.lock = PTHREAD_MUTEX_INITIALIZER})

/* Decide where lines go. */
void log_init(void);

/* @level is one of LOG_ERR ... LOG_DEBUG of syslog.h. errno is kept. */
void log_line(int level, const char *format, ...) _printf_(2, 3);
#define log_error(...)   log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

/* A line with fields for machines: @fields are "NAME=value" strings, @n of them, whose values may
 * be anything. */
#define LOG_FIELDS_MAX 24
void log_fields(int level, const char *message, const char *const *fields, size_t n);

/* May one more line be written? When lines were suppressed before it, *@suppressed says how many.
 */
bool log_allowed(struct log_bucket *bucket, uint64_t now_us, unsigned int *suppressed);
/* The same for what is shared, at this moment. */
bool log_shared_allowed(struct log_shared *shared, unsigned int *suppressed);
/* Is there nothing to remember about it? */
bool log_quiet(const struct log_bucket *bucket, uint64_t now_us);

#endif
