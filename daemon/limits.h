// SPDX-License-Identifier: MIT
/*
 * Every limit of the broker, in one place. What a policy rule may set differently says so; the
 * rest is fixed when the broker is built.
 */
#ifndef DSP_LIMITS_H
#define DSP_LIMITS_H

#include <stdint.h>

/* The whole broker. Its descriptors are bounded by RLIMIT_NOFILE, less this reserve. */
#define LIMIT_CLIENTS     4096
#define LIMIT_CLIENTS_OWN 16  /* beyond that: of root and of the broker's own user */
#define LIMIT_FDS_RESERVE 512 /* as many as one packet can bring are among them */

/* One user, that is one uid, over all of its connections. */
#define LIMIT_USER_CLIENTS  512
#define LIMIT_USER_SESSIONS 1024
#define LIMIT_USER_FDS      8192 /* at most half of the broker's */
#define LIMIT_USER_CALLS    4096
#define LIMIT_USER_BUFFERS  1024                   /* policy: buffers */
#define LIMIT_USER_BYTES    (256ull * 1024 * 1024) /* policy: bytes */

/* One connection. Buffers and bytes: as much as its user. */
#define LIMIT_CLIENT_SESSIONS 1024
#define LIMIT_CLIENT_BUFFERS  65536
#define LIMIT_CLIENT_FDS      4096
#define LIMIT_CLIENT_CALLS    2048

#define LIMIT_CLIENT_ALLOCATIONS 16 /* memory that takes time to make: under way at once */

/* One session. */
#define LIMIT_RULE_SESSIONS      16    /* policy: sessions; per user and rule */
#define LIMIT_SESSION_CALLS      64    /* policy: calls; in flight */
#define LIMIT_SESSION_TIMEOUT_MS 10000 /* policy: timeout_ms; longest call */

#define LIMIT_SESSION_MESSAGES 64 /* policy: messages; received ones that wait */

/* One rpmsg device: services announced by its remote processor. */
#define LIMIT_DEVICE_CHANNELS 256

/* One buffer: offsets are 32 bits wide. */
#define LIMIT_BUFFER_BYTES (4ull * 1024 * 1024 * 1024 - 4096)

/* What every connection gets, whoever it is: its rings and its argument area. */
#define CLIENT_SQ_SLOTS       256
#define CLIENT_CQ_PER_SQ      2 /* completion entries for each submission slot */
#define CLIENT_ARGUMENT_BYTES (256 * 1024)

/* Requests and replies of one connection. */
#define CLIENT_HELLO_TIMEOUT_US (10ull * 1000 * 1000)
#define CLIENT_OUTPUT_MAX       1088  /* packets that wait for a peer who does not read */
#define CLIENT_NEWS_MAX         64    /* of them, until news of devices are no longer sent */
#define CLIENT_SNDBUF_BYTES     16384 /* keeps descriptors in flight few, too */
#define CLIENT_ENTRIES_A_TURN   64    /* ring entries handled before others get their turn */

/* Sessions of others that one request looks at for one that its client may see. */
#define LIMIT_SEARCH_SESSIONS 64

/* Calls that one protection domain holds at a time; the others wait their turn here. */
#define DOMAIN_CALLS 64

/* Whose turn it is (fair.h): how long a class waits for more urgent ones at most. */
#define SCHED_PATIENCE_NS (100ull * 1000 * 1000)
/* The same: how far one may get ahead of the next by calls that are shorter than that. */
#define FAIR_QUANTUM_NS (10ull * 1000)

/* What a call costs: at least so much, and so much while nothing is known of its session's calls.
 */
#define COST_MIN_NS   200
#define COST_GUESS_NS 10000

/* A protection domain that runs one call at a time: beyond two it holds only as many as are
 * expected to take so long together, since who comes then has to wait for them. And how much more
 * than it says it may have been at work, until it is held to what the clock says. */
#define LANE_AHEAD_NS 200000
#define LANE_TRUST_NS 1000000
/* When others wait, what lies behind a call that runs for longer than that is taken back. */
#define LANE_STUCK_NS 1000000

/* Closing what came from peers: threads, what waits for each before there are more of them, and how
 * long one waits before it insists. */
#define CLOSER_THREADS     64
#define CLOSER_BACKLOG     32
#define CLOSER_PATIENCE_US 1000

/* What the kernel forces to block: threads. */
#define WORKER_THREADS 8
/* Device nodes that are opened at a time: as many as workers, who may all wait for one that hangs,
 * and some for protection domains. */
#define OPENER_THREADS (WORKER_THREADS + 2)

/* Sessions, and connections, that are decided anew under another policy before others get their
 * turn. */
#define RELOAD_A_TURN 64

/* What reads a policy beside the loop gives way so often. */
#define POLITE_US 200

/* After the last change of a policy file, until all are read again. */
#define WATCH_SETTLE_US 200000

/* Messages read from one endpoint, and endpoints tried again, before others get their turn. */
#define ENDPOINT_MESSAGES_A_TURN 64

/* A transport that is full and does not say when it no longer is: how soon it is tried again, at
 * first and at most. */
#define RETRY_MIN_US 100
#define RETRY_MAX_US 20000

/* States of remote processors: read at least so often while clients are connected. */
#define REMOTEPROC_POLL_MS 1000

/* Questions to dspbroker-who about programs that connect: of one user at once, though others of his
 * may wait; how long for an answer, after which the rules that depend on it do not match. How long
 * it may take to start, and to end; and how soon another one is looked for when it is gone. */
#define WHO_USER_QUESTIONS 2
#define WHO_PATIENCE_US    (2ull * 1000 * 1000)
#define WHO_START_MS       10000
#define WHO_END_MS         1000
#define WHO_AGAIN_US       (1000ull * 1000)

/* The question who has a device's nodes open, for which each descriptor of each process is looked
 * at: how long for an answer, without which the device is not used; and how soon it is asked again
 * when somebody has, or when there was none. */
#define WHO_HOLDER_PATIENCE_US (10ull * 1000 * 1000)
#define CLAIM_AGAIN_US         (2ull * 1000 * 1000)

/* Without descriptors or memory for one more connection: how soon it is tried again, if none ends.
 */
#define ACCEPT_AGAIN_US (1000ull * 1000)

/* Stopping: how long calls that run are waited for. */
#define SHUTDOWN_GRACE_MS 5000

/* Log lines that one user can cause: so many at once, and one more each interval. */
#define LOG_BURST       20
#define LOG_INTERVAL_US (3ull * 1000 * 1000)

/* A sign of life that the service manager had no room for is tried again, in microseconds. */
#define WATCHDOG_AGAIN_US 200000

#endif
