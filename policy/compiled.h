// SPDX-License-Identifier: MIT
/*
 * Inside of policy/ only: the compiled rules and how they get there. Everybody else knows policy.h.
 */
#ifndef DSP_COMPILED_H
#define DSP_COMPILED_H

#include <assert.h>
#include <stdatomic.h>

#include "policy/glob.h"
#include "policy/policy.h"
#include "protocol/wire.h"

/* Bounds of what is read. What goes beyond is an error, never cut. */
#define POLICY_FILES_MAX      512                 /* in all directories together */
#define POLICY_FILE_BYTES_MAX (1024 * 1024)       /* of one file */
#define POLICY_CONTAINERS_MAX 65536               /* objects and lists of one file */
#define POLICY_DEPTH_MAX      8                   /* objects and lists inside each other */
#define POLICY_RULES_MAX      65536               /* in all files together */
#define POLICY_LIST_MAX       1024                /* entries of "users", "groups" or "channels" */
#define POLICY_LABEL_MAX      (DSP_RULE_SIZE - 1) /* bytes of a rule's or a domain's name */
#define POLICY_GLOB_MAX       (DSP_CHANNEL_SIZE - 1) /* bytes of a channel glob */
#define POLICY_ACCOUNT_MAX    255                    /* bytes of a user's or a group's name */
#define POLICY_COUNT_MAX      1000000                /* value of "sessions", "calls" or "buffers" */
#define POLICY_TIMEOUT_MAX    3600000                /* value of "timeout_ms": one hour */
#define POLICY_BYTES_MAX      (1ull << 40)           /* value of "bytes" */
#define POLICY_BYTES_TEXT_MAX 32                     /* bytes of that value as a string */
#define POLICY_MESSAGES_MAX   65536                  /* value of "messages" */
#define POLICY_WEIGHT_MAX     1000                   /* value of "weight" */
#define POLICY_RATE_MAX       10000000               /* value of "calls_per_s" or "burst" */
#define POLICY_METHODS_MAX    64                     /* entries of "methods" */
#define POLICY_RANGE_TEXT_MAX 21                     /* bytes of one of them as a string */
#define POLICY_FACT_MAX       255                    /* bytes of a glob for a fact of the peer */

/* The same for devices. */
#define POLICY_DEVICES_MAX        64 /* in all files together */
#define POLICY_DEVICE_NAME_MAX    (DSP_DEVICE_SIZE - 1)
#define POLICY_REMOTEPROC_MAX     63               /* bytes of a remote processor's name */
#define POLICY_IDLE_MAX           3600000          /* value of "idle_ms": one hour */
#define POLICY_COREDUMPS_MAX      100              /* value of "count" */
#define POLICY_COREDUMP_BYTES_MAX (1ull << 30)     /* value of its "bytes" */
#define POLICY_SERVICES_MAX       64               /* of one device */
#define POLICY_SERVICE_NAME_MAX   31               /* bytes, as in the kernel */
#define POLICY_ADDRESS_MAX        (UINT32_MAX - 1) /* of a service; the one beyond means "any" */
#define POLICY_CALLS_MAX          65535            /* value of "calls" */
#define POLICY_QUEUE_MAX          60000            /* value of "queue_ms": one minute */
#define POLICY_DOMAIN_IDLE_MAX    3600000          /* value of "domain_idle_ms": one hour */

/* The same for protection domains. */
#define POLICY_DOMAINS_MAX       64           /* in all files together */
#define POLICY_DOMAIN_FILES_MAX  1024         /* value of "files" */
#define POLICY_DOMAIN_MEMORY_MAX (4ull << 30) /* value of "memory": what a DSP can address */

/* The same for directories, of domains and of devices. */
#define POLICY_DIRS_MAX 16  /* of one list */
#define POLICY_DIR_MAX  255 /* bytes of one */

/* So that an offset into the texts, or an index, fits into 32 bits. */
static_assert((uint64_t)POLICY_FILES_MAX * POLICY_FILE_BYTES_MAX <= UINT32_MAX / 2, "offsets");

struct policy_span {
	uint32_t first, n;
};

/* A name that a rule has in common with something else, and where it stands in the rule's file. */
struct policy_reference {
	uint32_t name; /* offset into the texts; 0: the rule has none */
	uint32_t line, column;
};

/* A zeroed rule matches nobody. */
struct policy_rule {
	uint32_t name, file;                  /* offsets into the texts */
	uint32_t line, column;                /* in its file */
	struct policy_reference share_domain; /* with other rules; none: a domain of its own */
	struct policy_reference domain;       /* an entry of "domains"; none: the default */
	uint32_t domain_number; /* that entry's, from 1, set by policy_resolve(); 0: the default */
	struct policy_span users;    /* into ids */
	struct policy_span groups;   /* into ids */
	struct policy_span channels; /* offset of the first glob, the others follow it */
	struct policy_span facts[IDENTITY_FACTS]; /* the same; none: the rule does not ask */
	struct policy_span methods;               /* into ranges; none: all */
	bool any_user, any_group;                 /* the rule does not ask for that */
	uint32_t verbs;                           /* bits, 1 << enum policy_verb */
	enum policy_direction direction;
	struct policy_limits limits;
	bool exclusive;
	enum policy_overflow overflow;
	enum policy_priority priority;
	uint32_t weight;
};

struct policy_rules {
	struct policy_rule *items;
	size_t n, room;
};

/* The texts may move as long as they grow, so pointers into them come last. */
struct policy_device_entry {
	struct policy_device device; /* its pointers are set by policy_seal() */
	uint32_t name, file;         /* offsets into the texts */
	uint32_t remoteproc;         /* the same; 0: not said */
	uint32_t line;               /* in its file */
	uint32_t services;           /* index of the first, the others follow it */
	uint32_t service_names;      /* offset of the first, the others follow it */
	struct policy_span shells;   /* into dirs */
	struct policy_span modules;  /* the same */
};

struct policy_domain_entry {
	struct policy_domain domain; /* its pointers are set by policy_seal() */
	uint32_t name, file;         /* offsets into the texts */
	uint32_t line;               /* in its file */
	struct policy_span dirs;     /* into dirs */
};

struct policy {
	struct policy_rules denies, allows; /* each in the order of the files */
	struct policy_device_entry *devices;
	size_t n_devices, devices_room;
	struct policy_service *services; /* of all devices */
	size_t n_services, services_room;
	struct policy_domain_entry *domains;
	size_t n_domains, domains_room;
	struct policy_dir *dirs; /* of all devices and domains */
	size_t n_dirs, dirs_room;
	uint32_t *dir_paths; /* of each of them, an offset into the texts */
	size_t dir_paths_room;
	uint32_t *ids;
	size_t n_ids, ids_room;
	struct policy_range *ranges; /* of methods */
	size_t n_ranges, ranges_room;
	struct policy_index *index; /* of all rules, made by policy_seal() */
	_Atomic unsigned int refs;
	char *texts; /* NUL-terminated strings; the one at 0 is empty */
	size_t n_texts, texts_room;
};

/* An empty policy, for policy_unref(). Returns 0 or -ENOMEM. */
int policy_new(struct policy **out);

/* Append. Return 0 or -ENOMEM. What is added one after the other lies one after the other. */
int policy_add_text(struct policy *policy, const char *text, uint32_t *offset);
int policy_add_id(struct policy *policy, uint32_t id);
int policy_add_rule(struct policy *policy, bool allow, const struct policy_rule *rule);
int policy_add_device(struct policy *policy, const struct policy_device_entry *device);
/* Its name is a text that is added as well. */
int policy_add_service(struct policy *policy, const char *name, uint32_t address);
int policy_add_domain(struct policy *policy, const struct policy_domain_entry *domain);
/* For reading only, until somebody says otherwise. */
int policy_add_dir(struct policy *policy, const char *path);

/* Make room for @n items in a growing array. Returns it, maybe elsewhere, or NULL with the old one
 * intact. */
void *policy_reserve(void *array, size_t *room, size_t n, size_t item_size);

/* Is there a domain of that name? Returns its number, from 1, or 0. */
uint32_t policy_find_domain(const struct policy *policy, const char *name);

/* All files are read: let rules know their domains. Returns 0, -EINVAL with the error filled, or
 * -ENOMEM. */
int policy_resolve(struct policy *policy, struct policy_note *error);

/* Nothing more is added: let devices and domains point at what is theirs, and make the index.
 * Returns 0 or -ENOMEM. */
int policy_seal(struct policy *policy);
/* Parts of it; paths of directories come first. */
void policy_seal_devices(struct policy *policy);
void policy_seal_domains(struct policy *policy);

#endif
