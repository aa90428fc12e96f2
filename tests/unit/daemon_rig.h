// SPDX-License-Identifier: MIT
/*
 * The broker's own code in a test's own process, where the test takes the turns of its loop, and
 * sanitizers and asserts see all of it. It listens to nobody and reads no file; devices are the
 * test's own, and so are clients (app_rig.h is one).
 */
#ifndef DSP_TESTS_DAEMON_RIG_H
#define DSP_TESTS_DAEMON_RIG_H

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"
#include "daemon/transport/transport.h"

extern struct broker broker;

/* A broker with that policy, and nothing else. */
void daemon_start(const char *policy);
/* The same with the policy in a file, which can be changed, and read again. */
void daemon_start_with_file(const char *policy);
void daemon_write_policy(const char *policy);
/* Nothing may be left of clients, sessions and what they used; its devices go. */
void daemon_stop(void);
/* Threads for what takes long, and memory that can be asked for. */
void daemon_start_workers(void);
/* From now on deadlines end by themselves in a turn of the loop; else that is the test's to do. */
void daemon_start_clock(void);

/* The device is the test's, and up. */
void daemon_add_device(struct device *device, const struct transport_ops *ops, const char *name);
void daemon_add_channel(struct device *device, const char *service, enum dsp_channel_kind kind);
/* For transport_ops.remove: there is nothing to be freed. */
void daemon_remove_device(struct device *device);

/* Somebody connects. Returns his end of the socket, which is the caller's. */
int daemon_connect(void);
/* Who connected first of those that are still there; NULL: nobody. */
struct client *daemon_client(void);

/* A turn of the loop, and what it made is published. */
void daemon_turn(bool wait);
/* Some turns that wait for nothing, since what one leaves to the next comes in the next. */
void daemon_settle(void);

#endif
