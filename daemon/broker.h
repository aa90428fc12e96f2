// SPDX-License-Identifier: MIT
/*
 * The broker: one event loop and everything it owns. There are no locks, since nothing else runs.
 *
 * A turn of the loop handles what is ready and then flushes: completions become visible to clients,
 * entries to protection domains, and the timer is set, once each however much the turn caused.
 */
#ifndef DSP_BROKER_H
#define DSP_BROKER_H

#include <systemd/sd-event.h>

#include "daemon/call.h"
#include "daemon/deadline.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/quota.h"
#include "policy/policy.h"
#include "protocol/util.h"

struct broker_options {
	const char *socket;      /* path to listen on; NULL: sockets come from systemd */
	const char *policy_dir;  /* NULL: the vendor's and the administrator's */
	const char *modules;     /* directory of the software DSP's modules */
	const char *softdsp;     /* its program */
	const char *coredumps;   /* directory for what crashed remote processors leave */
	const char *sysfs, *dev; /* where these are mounted; tests have some of their own */
	const char *user;        /* whom to become after start; NULL: stay */
	const char *who;         /* the program that tells who a peer is */
	const char *who_socket;  /* where it listens already; NULL: start it */
	bool allow_unconfined;   /* go on where the kernel cannot confine the broker */
	bool watch_policy;       /* read the policy again when its files change */
	bool drm_render_nodes;   /* look at those, too: of kernels without accel nodes */
};

struct broker {
	const struct broker_options *options;
	struct loop *loop;
	sd_event *event; /* the loop's, for what is rare */
	struct list listeners;
	bool accept_paused;  /* out of descriptors */
	bool accept_failing; /* and none has been accepted since */
	struct deadline accept_again;
	struct log_bucket accept_log; /* what connections cause of whom nobody is known yet */

	struct policy *policy;        /* in force */
	struct policy *device_policy; /* what is said of devices: the first one, for good */
	struct reload *reload;
	struct watch *watch; /* NULL: nobody looks whether files change */
	struct who *who;
	uid_t uid; /* our own, once it is settled */
	struct names *names;
	struct opener *opener;
	uint64_t confinement;  /* enum dsp_confinement: what is in force */
	uint32_t landlock_abi; /* 0: the kernel has no Landlock */
	uint32_t system_calls; /* how many it may make */
	uint64_t since_us;     /* CLOCK_REALTIME of the start */
	struct quota quota;
	struct list users;
	struct list devices;
	struct list clients;
	struct list dirty;    /* clients with completions to be published */
	struct list sessions; /* all, by number */
	uint64_t last_session;

	struct deadline_heap deadlines;
	struct call_pool calls;
	struct memory *memory;
	struct crew *crew;
	struct workers *workers;
	struct hotplug *hotplug; /* NULL: there are no news */
	struct remoteprocs *remoteprocs;

	struct loop_source signals;
	struct deadline watchdog;
	uint64_t watchdog_us; /* 0: nobody watches */

	bool stopping, finished;
	int exit_code;
	struct deadline grace;
};

/* Load the policy, start the devices, then become options->user, then listen. Logs what fails;
 * returns 0 or -errno. */
int broker_init(struct broker *broker, const struct broker_options *options);
/* Serve until stopped. Returns the exit code. */
int broker_run(struct broker *broker);
void broker_deinit(struct broker *broker);

/* Begin an orderly end: no new connection, no new call; then leave broker_run(). */
void broker_stop(struct broker *broker, int exit_code);

/* Microseconds of CLOCK_MONOTONIC at the start of this turn. */
uint64_t broker_now(const struct broker *broker);
/* Set a deadline, whose place is reserved, so many microseconds from now. */
void broker_deadline(struct broker *broker, struct deadline *deadline, uint64_t in_us,
	deadline_fn expired);

#endif
