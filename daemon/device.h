// SPDX-License-Identifier: MIT
/* The DSPs that the broker owns, and the channels on them. */
#ifndef DSP_DEVICE_H
#define DSP_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/fair.h"
#include "daemon/loop.h"
#include "protocol/util.h"
#include "protocol/wire.h"

struct broker;
struct policy_device;
struct remoteproc;
struct transport_ops;

struct channel {
	uint64_t id; /* broker-wide */
	char service[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE];
	enum dsp_channel_kind kind;
	/* The transport's: */
	uint32_t address;
	uint64_t instance; /* tells two of that name apart that were there one after the other */
};

/* Embedded in what its transport keeps about it. */
struct device {
	struct list link; /* broker->devices */
	struct broker *broker;
	const struct transport_ops *ops;
	uint64_t id;
	char name[DSP_DEVICE_SIZE];
	const struct policy_device *policy; /* never NULL */
	bool up;                            /* sessions can be opened */
	enum dsp_channel_kind any_service;  /* also on channels that are not listed, of this kind:
					     * what there is shows only to who asks; 0: not */
	uint32_t generation;                /* changes when state on the DSP was lost */
	enum dsp_isolation isolation;
	enum dsp_device_state state;
	/* Why it is not used though it is there, for people; "": all is well. What it says of other
	 * users' processes is for administrators. */
	char trouble[DSP_TEXT_SIZE], trouble_in_private[DSP_TEXT_SIZE];
	struct remoteproc *remoteproc; /* NULL: none that we know of */
	struct list of_remoteproc;     /* its devices */
	uint32_t coredumps;            /* saved so far */
	struct channel *channels;
	size_t n_channels;
	uint32_t exclusive_sessions; /* that bear no other on their channel */
	struct fair lanes;           /* those that wait for its cap to let another call go */
	struct loop_task more;       /* it does now */
	uint32_t in_flight;          /* calls that its transport has */
	/* For display, as in struct dsp_device_record: */
	uint32_t sessions, domains, domains_max, domains_hung, waiting;
	uint32_t n_attributes, attributes[DSP_ATTRIBUTES_MAX];
};

/* Make it known; it is down until device_set_up(). */
void device_add(struct broker *broker, struct device *device, const struct transport_ops *ops,
	const char *name);
/* A channel came; everybody is told. Returns it, NULL: out of memory. Pointers to channels of the
 * device are good until the next of these two calls. */
struct channel *device_add_channel(struct device *device, const char *service,
	enum dsp_channel_kind kind);
void device_remove_channel(struct device *device, struct channel *channel);
struct channel *device_channel(const struct device *device, const char *service);
/* It came; everybody is told. */
void device_set_up(struct device *device);
/* It is there and cannot be used, or "" twice: that is over. Logs the one in private, and tells
 * everybody, if that is news. */
void device_set_trouble(struct device *device, const char *trouble, const char *in_private);
/* State on the DSP was lost, so its generation changes, and from now on it is up or not. Everybody
 * is told; its sessions are its transport's concern. */
void device_lost_state(struct device *device, bool up);
/* Its remote processor is in another state: everybody is told, then its transport. */
void device_set_state(struct device *device, enum dsp_device_state state);
/* Count sessions; the remote processor may have to run for them. */
void device_session_begins(struct device *device);
void device_session_ends(struct device *device);
/* All devices; their transports free them. */
void device_remove_all(struct broker *broker);

/* The device and, if asked for, the service of "DEVICE/SERVICE"; NULL when there is none. */
struct device *device_find(struct broker *broker, const char *channel, const char **service);

/* The device, or channel with its device, with the lowest id above @after; NULL: none. */
struct device *device_after(struct broker *broker, uint64_t after);
const struct channel *channel_after(struct broker *broker, uint64_t after, struct device **device);

#endif
