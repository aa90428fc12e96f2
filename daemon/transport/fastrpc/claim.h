// SPDX-License-Identifier: MIT
/*
 * A device that policy calls exclusive is not used while another process has its nodes open. Who
 * has, dspbroker-who finds out; as long as somebody has, or nobody can tell, it is asked again.
 *
 * It is asked when the nodes come, so also after each restart of the DSP. Who opens one later, or
 * a node of the same device that comes when others are granted, is kept away by the nodes' owner
 * and mode. Only the nodes that the broker uses are looked for: not those of another driver, nor
 * DRM's others of the same device (card, render node).
 */
#ifndef DSP_FASTRPC_CLAIM_H
#define DSP_FASTRPC_CLAIM_H

#include "daemon/deadline.h"
#include "daemon/transport/fastrpc/found.h"
#include "daemon/who.h"

struct device;

/* Embedded in what it is for. Zeroed: nothing is claimed. */
struct claim {
	struct device *device;
	struct holder_node nodes[HOLDER_NODES];
	size_t n;
	void (*told)(struct claim *claim);
	struct who_question question;
	struct deadline again;
	bool granted;
};

/* Nodes are there. told() is called on the loop, once with claim_is_granted(): at once where policy
 * does not call the device exclusive, else when nobody else has the nodes open; and whenever it
 * turns out that they are not granted, which claim_trouble() explains by then. With other nodes
 * than before, as long as those are not granted, it is begun anew. */
void claim_begin(struct claim *claim, struct device *device, const struct fastrpc_found *found,
	void (*told)(struct claim *claim));
/* They are gone, or nobody wants to know any more: told() is not called. */
void claim_end(struct claim *claim);

static inline bool claim_is_granted(const struct claim *claim)
{
	return claim->granted;
}

/* Why the device is not used, for people, without what only administrators may know; "": it is, or
 * it is not known yet. */
const char *claim_trouble(const struct claim *claim);

#endif
