// SPDX-License-Identifier: MIT
/*
 * What the service manager is told (sd_notify(3)), and how often it wants to hear that all is well
 * (sd_watchdog_enabled(3)). The socket is opened once, so that telling is one sendmsg(): a broker
 * that is confined need not be able to find it again.
 */
#ifndef DSP_NOTIFY_H
#define DSP_NOTIFY_H

#include <stdint.h>

/* Open the socket that $NOTIFY_SOCKET names. Returns 0, also where there is none, or -errno. */
int notify_init(void);
void notify_deinit(void);

/* Tell it; the text is lines of NAME=VALUE. Waits until the manager has room. For any thread. */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, unless it has not read what it was told before. Waits for nothing; returns 0, -EAGAIN,
 * or another -errno. */
int notify_if_room(const char *text);
/* Microseconds within which it wants to hear of us; 0: it does not. */
uint64_t notify_watchdog_us(void);

#endif
