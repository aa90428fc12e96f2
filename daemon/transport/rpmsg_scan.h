// SPDX-License-Identifier: MIT
/*
 * What sysfs says of rpmsg. A remote processor's link is a folder there; its control device and the
 * services that were announced over it lie side by side in it:
 *
 *   .../virtio0/                                            the link
 *   .../virtio0/virtio0.rpmsg_ctrl.0.0/rpmsg/rpmsg_ctrl0    the control device
 *   .../virtio0/virtio0.echo.-1.1024                        a service
 */
#ifndef DSP_RPMSG_SCAN_H
#define DSP_RPMSG_SCAN_H

#include <linux/rpmsg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/sysfs.h"

#define RPMSG_NAME_BYTES sizeof(((struct rpmsg_endpoint_info *)NULL)->name)

struct rpmsg_link {
	char ctrl[RPMSG_NAME_BYTES]; /* "rpmsg_ctrl0", in sysfs and in /dev */
	uint64_t instance;           /* of the control device; never twice the same */
	struct path folder;          /* resolved */
	bool virtio;
};

struct rpmsg_service {
	char name[RPMSG_NAME_BYTES];
	uint32_t address;
	uint64_t instance;
};

/* All links, by number. Returns how many there are, which *@out holds, to be freed; or -errno. */
ssize_t rpmsg_scan_links(const char *sysfs, struct rpmsg_link **out);

/* Is a link still there, and not about to go? Known by its control device and that one's instance.
 */
bool rpmsg_scan_is_alive(const char *sysfs, const char *ctrl, uint64_t instance);

/* The services of a link that no driver of the kernel has taken and whose name a channel may have.
 * Returns how many *@out holds, to be freed; or -errno. A remote processor that announces without
 * end hurts only itself: of more than RPMSG_SCAN_MAX some are left out. */
#define RPMSG_SCAN_MAX 1024
ssize_t rpmsg_scan_services(const struct rpmsg_link *link, struct rpmsg_service **out);

/* An address as attributes have it: in hexadecimal, or decimal and perhaps negative, as the kernel
 * takes it for an int at times. Returns 0 or -errno. */
int rpmsg_read_address(const char *path, uint32_t *out);

#endif
