// SPDX-License-Identifier: MIT
/*
 * Policy: files -> one immutable, compiled, deny-by-default object -> a decision that carries the
 * rule that made it. README.md beside this file is for the administrators who write the files.
 *
 * Not thread-safe while loading (it asks the user database); a loaded policy may be read by any
 * number of threads.
 */
#ifndef DSP_POLICY_H
#define DSP_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "policy/identity.h"
#include "protocol/util.h"

#define POLICY_DIR_VENDOR "/usr/share/dspbroker/policy.d"
#define POLICY_DIR_ADMIN  "/etc/dspbroker/policy.d"

/* What a rule lets somebody do. */
enum policy_verb {
	POLICY_OPEN,   /* open the channel */
	POLICY_LIST,   /* see other users' sessions on the channel */
	POLICY_KICK,   /* end sessions on the channel, its own ones as well */
	POLICY_START,  /* start the device's remote processor */
	POLICY_STOP,   /* stop it */
	POLICY_RELOAD, /* have the policy files read again */
	POLICY_VERBS,
};

/* Whose sessions under a rule, and whose buffers, are counted together. */
enum policy_per {
	POLICY_PER_USER, /* those of one user */
	POLICY_PER_UNIT, /* those of one user in one unit of the system's systemd; of a peer whose
			  * unit could not be established: those of its user */
};

/* What a rule allows; 0 means that the rule does not say, and the daemon's default holds. */
struct policy_limits {
	enum policy_per per;
	uint32_t sessions;    /* sessions under this rule at once, per user or unit */
	uint32_t calls;       /* calls in flight per session */
	uint32_t calls_total; /* calls in flight under this rule, per user or unit */
	uint32_t calls_per_s; /* calls begun in a second under this rule, per user or unit */
	uint32_t burst;       /* of them at once, after a rest; 0: as many as calls_per_s */
	uint32_t timeout_ms;  /* longest call */
	uint32_t buffers;     /* buffers, per user or unit */
	uint64_t bytes;       /* buffer memory, per user or unit */
	uint32_t messages;    /* received messages that wait for their reader, per session */
};

/* Which messages a session may exchange. */
enum policy_direction {
	POLICY_BOTH,
	POLICY_SEND,
	POLICY_RECEIVE,
};

/* Numbers from first to last, both inclusive. */
struct policy_range {
	uint32_t first, last;
};

/* FastRPC tells a method above that in the first word of the first input, where the client can
 * change it while the call is on its way. */
#define POLICY_METHOD_PLAIN 30
/* Do these ranges (of a decision) let the method be called? Those above POLICY_METHOD_PLAIN only if
 * all of them may be. */
bool policy_allows_method(const struct policy_range *ranges, size_t n, uint32_t method);

/* Which sessions' calls go first. */
enum policy_priority {
	POLICY_PRIORITY_HIGH,
	POLICY_PRIORITY_NORMAL,
	POLICY_PRIORITY_LOW,
};

#define POLICY_WEIGHT_DEFAULT 100

/* What becomes of a message that finds the queue full. */
enum policy_overflow {
	POLICY_OVERFLOW_DROP,  /* it is dropped, and counted */
	POLICY_OVERFLOW_CLOSE, /* the session ends */
};

/* Who starts and stops a remote processor. */
enum policy_lifecycle {
	POLICY_EXTERNAL,  /* somebody else; we only watch */
	POLICY_ON_DEMAND, /* the first session starts it; without one it is stopped after a while */
	POLICY_ALWAYS,    /* the broker, and keeps it running */
};

#define POLICY_MTU_MAX 65536 /* bytes */

/* A service that need not be announced. */
struct policy_service {
	const char *name;
	uint32_t address; /* the remote processor's */
};

/* A directory that the broker or a DSP may look into. */
struct policy_dir {
	const char *path; /* absolute */
	bool writable;
};

/* Which process on a FastRPC DSP runs a session's module. */
enum policy_domain_kind {
	POLICY_DOMAIN_USER,    /* one of its own */
	POLICY_DOMAIN_ROOT,    /* the DSP's operating system itself */
	POLICY_DOMAIN_AUDIO,   /* that of the audio framework */
	POLICY_DOMAIN_SENSORS, /* that of the sensors framework */
};

/* What becomes of a domain in which a call has not ended in time. */
enum policy_hang {
	POLICY_HANG_TEARDOWN,   /* it is ended, with all that runs there */
	POLICY_HANG_QUARANTINE, /* it goes on for the sessions that it has, and gets no more */
};

/* What a protection domain on a FastRPC DSP is, and may have; where a rule names none,
 * POLICY_DOMAIN_DEFAULT holds: a user's, unsigned, without any directory. */
struct policy_domain {
	const char *name;
	enum policy_domain_kind kind;
	bool is_signed;     /* USER: its modules must be signed, and may then do more */
	bool own_modules;   /* USER, unsigned: a client may bring its module itself */
	bool device_memory; /* its sessions may have memory of the DSP driver's own allocator */
	enum policy_hang hang;
	const struct policy_dir *dirs; /* what it may read, or write, of the host's files */
	size_t n_dirs;
	uint32_t files;      /* that it may have open at once */
	uint64_t file_bytes; /* that a file it writes may have */
	uint64_t memory;     /* bytes that its heap may grow by */
};
extern const struct policy_domain POLICY_DOMAIN_DEFAULT;

/* Do they say the same, in whatever policies they stand? */
bool policy_domain_equal(const struct policy_domain *a, const struct policy_domain *b);

/* What is to be known of a device beforehand; where policy says nothing, POLICY_DEVICE_DEFAULT
 * holds. Pointers are into the policy and live as long as it does. */
struct policy_device {
	const char *name;       /* of the device, such as "rpmsg0" */
	const char *transport;  /* that reaches it, "rpmsg"; NULL: whichever finds it */
	const char *remoteproc; /* its remote processor's name or number, "cdsp" or "remoteproc0";
				 * NULL: not said */
	enum policy_lifecycle lifecycle; /* not external: remoteproc and transport are said */
	uint32_t idle_ms;        /* ON_DEMAND: without sessions for so long, it is stopped */
	bool stop_with_broker;   /* not external: it stops when the broker ends, however it ends */
	bool accept_no_iommu;    /* it may be used although no IOMMU isolates it */
	uint32_t mtu;            /* bytes; 0: as the transport knows */
	uint32_t calls;          /* most that are in flight at once; 0: as many as it takes */
	uint32_t coredumps;      /* files to keep; the oldest goes; 0: save none */
	uint64_t coredump_bytes; /* of each file; the rest is cut off */
	const struct policy_service *services;
	size_t n_services;
	/* Transports fastrpc and qda: */
	const struct policy_dir *shells; /* where its domains' shell files are; none: the usual */
	size_t n_shells;
	const struct policy_dir *modules; /* where modules are; none: the usual */
	size_t n_modules;
	uint32_t queue_ms;       /* how long an open waits for a protection domain to be free */
	uint32_t domain_idle_ms; /* how long a domain without sessions is kept for the next one */
	bool exclusive;          /* it is not used while another process has its nodes open */
};
extern const struct policy_device POLICY_DEVICE_DEFAULT;

struct policy;
struct json_object;

/* All pointers are into the policy and live as long as it does. */
struct policy_decision {
	bool allowed;
	const char *rule; /* its name; "(default)" when no rule matched */
	const char *file; /* path of its file; NULL for the default */
	unsigned int line;
	/* What follows only when allowed. */
	const struct policy_limits *limits;
	const struct policy_range *methods; /* that may be called, ascending, apart from each other;
					     * none: all */
	size_t n_methods;
	enum policy_direction direction;
	const char *share_domain; /* sessions with equal names share a protection domain; NULL: one
				   * of its own */
	const struct policy_domain *domain; /* never NULL */
	bool exclusive;                     /* no other session on the channel */
	enum policy_overflow overflow;
	enum policy_priority priority;
	uint32_t weight; /* a share, among equal priorities */
};

/* Where and why a policy cannot be used, or what in it is suspicious. */
struct policy_note {
	char file[256];
	unsigned int line, column; /* from 1; 0 when it concerns the file or directory as such */
	char text[256];
};

/*
 * Load all *.json of the directories, in file-name order; a file in a later directory replaces the
 * file of the same name in an earlier one. A directory that does not exist is empty; nothing at
 * all is a policy that denies everything. Returns 0 and a policy for policy_unref(), or -EINVAL
 * (with *@error filled), -ENOMEM, or another -errno from reading (also with *@error filled).
 * @warn, if given, is called for each thing that is legal but hardly meant.
 */
int policy_load(struct policy **out, const char *const *dirs, size_t n_dirs,
	struct policy_note *error, void (*warn)(const struct policy_note *note, void *userdata),
	void *userdata);

/* The same for one text in memory, named @file in notes: for fuzzing and tests. */
int policy_parse(struct policy **out, const char *file, const char *text, size_t size,
	struct policy_note *error, void (*warn)(const struct policy_note *note, void *userdata),
	void *userdata);

/* A loaded policy has one reference, its loader's. Both NULL-safe and thread-safe. */
struct policy *policy_ref(struct policy *policy);
/* Returns NULL. */
struct policy *policy_unref(struct policy *policy);
DEFINE_CLEANUP(struct policy *, policy_unref);

/* All directories that it names, of devices and of domains, maybe some of them twice. */
const struct policy_dir *policy_dirs(const struct policy *policy, size_t *n);
/* The first one that a broker which was confined to those of @settled cannot reach, or that it may
 * only read although it is writable here; NULL: there is none. */
const struct policy_dir *policy_dir_beyond(const struct policy *policy,
	const struct policy *settled);

/* Number of rules. */
size_t policy_size(const struct policy *policy);

/* May this peer do that? Any matching deny wins, otherwise the first matching allow. @object is the
 * channel, for POLICY_START and POLICY_STOP the device's name, for POLICY_RELOAD NULL. */
void policy_decide(const struct policy *policy, const struct identity *who, enum policy_verb verb,
	const char *object, struct policy_decision *out);

/* Why a rule matches, or what it asks for that is not so. */
enum policy_reason {
	POLICY_MATCHES,
	POLICY_OTHER_VERB,
	POLICY_OTHER_OBJECT,
	POLICY_OTHER_USER,
	POLICY_OTHER_GROUP,
	POLICY_OTHER_FACT,   /* the peer's is another */
	POLICY_UNKNOWN_FACT, /* the peer's could not be established */
};

struct policy_candidate {
	const char *rule, *file;
	unsigned int line;
	bool allow;
	enum policy_reason reason;
	enum identity_fact fact; /* OTHER_FACT, UNKNOWN_FACT: which */
};

/* The same decision, told step by step: every rule that was looked at, the deciding one last, in
 * the order in which the semantics look at them: denies, then allows. */
void policy_explain(const struct policy *policy, const struct identity *who, enum policy_verb verb,
	const char *object, void (*tell)(const struct policy_candidate *candidate, void *userdata),
	void *userdata);

/* Find rules that never decide anything, since others before them match all that they match, and
 * say so. Takes time in the square of the number of rules, though no more than some seconds: what
 * is not compared by then is not, which it says. For tools. */
void policy_lint(const struct policy *policy,
	void (*warn)(const struct policy_note *note, void *userdata), void *userdata);

/* The whole policy as its files would say it: merged, in the order of decision, with file and line
 * of each rule. NULL: out of memory. The caller puts it. */
struct json_object *policy_show(const struct policy *policy);

/* "open", "list", ...; back: -1, there is no such verb. */
const char *policy_verb_name(enum policy_verb verb);
int policy_verb_from_name(const char *name);

/* What policy says of the device of that name; never NULL. */
const struct policy_device *policy_device(const struct policy *policy, const char *name);
/* Do two policies say the same of devices? */
bool policy_devices_equal(const struct policy *a, const struct policy *b);
/* The devices that it speaks of, by index; NULL beyond the last. */
const struct policy_device *policy_device_at(const struct policy *policy, size_t i);

/* How much buffer memory may this peer hold at most? Only @out->buffers, bytes and per are set: the
 * largest values among the allow rules for POLICY_OPEN that match the peer, whatever their
 * channels; 0 where no such rule says. They are counted per unit if each rule that gives one of
 * these values counts so; rules that give neither take no part. Returns false when no such rule
 * matches the peer at all: it can open nothing, so it needs no memory. */
bool policy_budget(const struct policy *policy, const struct identity *who,
	struct policy_limits *out);

#endif
