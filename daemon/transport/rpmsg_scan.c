// SPDX-License-Identifier: MIT
#include "daemon/transport/rpmsg_scan.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/sysfs.h"

/* Control devices: one for each remote processor. */
#define LINKS_MAX 64

static const char ctrl_prefix[] = "rpmsg_ctrl";

/* Devices beside the services that are the kernel's own. They have a driver, but not from the first
 * moment. rpmsg_chrdev is the control device before Linux 5.18. */
static const char *const own_devices[] = {"rpmsg_ctrl", "rpmsg_chrdev", "rpmsg_ns"};

/* The name behind a path's last slash. */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Does a device of sysfs belong to that bus or class? */
static bool has_subsystem(const char *device, const char *name)
{
	const struct path link = path_join("%s/subsystem", device);
	char target[PATH_MAX];
	ssize_t n = readlink(link.text, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return strcmp(last_part(target), name) == 0;
}

/* Fill in a control device's link. Returns 0 or -errno. */
static int scan_link(struct rpmsg_link *link, const char *sysfs, const struct sysfs_entry *entry)
{
	const struct path device = path_join("%s/class/rpmsg/%s/device", sysfs, entry->name);
	char *slash;
	int r;

	if (strlen(entry->name) >= sizeof(link->ctrl))
		return -ENAMETOOLONG;
	strcpy(link->ctrl, entry->name);
	link->instance = entry->id;
	r = sysfs_resolve(device.text, &link->folder);
	if (r < 0)
		return r;
	slash = strrchr(link->folder.text, '/');
	if (slash == link->folder.text)
		return -EINVAL;
	*slash = '\0';
	link->virtio = has_subsystem(link->folder.text, "virtio");
	return 0;
}

ssize_t rpmsg_scan_links(const char *sysfs, struct rpmsg_link **out)
{
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	const struct path class = path_join("%s/class/rpmsg", sysfs);
	ssize_t n = sysfs_list(class.text, ctrl_prefix, &entries, LINKS_MAX), found = 0;
	struct rpmsg_link *links;

	*out = NULL;
	if (n <= 0)
		return n;
	links = calloc((size_t)n, sizeof(*links));
	if (!links)
		return -ENOMEM;
	/* What goes away meanwhile is not there. */
	for (ssize_t i = 0; i < n; i++)
		found += scan_link(&links[found], sysfs, &entries[i]) == 0;
	*out = links;
	return found;
}

bool rpmsg_scan_is_alive(const char *sysfs, const char *ctrl, uint64_t instance)
{
	const struct path path = path_join("%s/class/rpmsg/%s", sysfs, ctrl);
	/* Of the devices that a link is made of the kernel takes this attribute first, and only
	 * then what is below them. */
	const struct path device = path_join("%s/device/uevent", path.text);
	const struct path folder = path_join("%s/device/../uevent", path.text);
	struct stat st;

	return lstat(path.text, &st) == 0 && st.st_ino == instance && sysfs_exists(device.text) &&
	       sysfs_exists(folder.text);
}

int rpmsg_read_address(const char *path, uint32_t *out)
{
	char text[32], *end;
	long long value;
	int r;

	r = sysfs_read(path, text, sizeof(text));
	if (r < 0)
		return r;
	if (text[0] != '-')
		return sysfs_read_u32(path, out);
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*end || errno || value < INT_MIN || value >= 0)
		return -EINVAL;
	*out = (uint32_t)value;
	return 0;
}

static bool is_channel_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	for (size_t i = 0; i < ARRAY_SIZE(own_devices); i++)
		if (!strcmp(name, own_devices[i]))
			return false;
	return *name && strspn(name, allowed) == strlen(name);
}

/* Fill in a service; false: it is none for us. */
static bool scan_service(struct rpmsg_service *service, const struct rpmsg_link *link,
	const struct sysfs_entry *entry)
{
	const struct path device = path_join("%s/%s", link->folder.text, entry->name);
	const struct path driver = path_join("%s/driver", device.text);
	const struct path name = path_join("%s/name", device.text);
	const struct path address = path_join("%s/dst", device.text);

	service->instance = entry->id;
	return has_subsystem(device.text, "rpmsg") && !sysfs_exists(driver.text) &&
	       sysfs_read(name.text, service->name, sizeof(service->name)) == 0 &&
	       is_channel_name(service->name) &&
	       rpmsg_read_address(address.text, &service->address) == 0 &&
	       /* GLINK goes by names; elsewhere nobody can be sent anything there. */
	       !(link->virtio && service->address == RPMSG_ADDR_ANY);
}

ssize_t rpmsg_scan_services(const struct rpmsg_link *link, struct rpmsg_service **out)
{
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	const char *folder = link->folder.text;
	/* The kernel names them after their parent. */
	const struct path prefix = path_join("%s.", last_part(folder));
	ssize_t n = sysfs_list(folder, prefix.text, &entries, RPMSG_SCAN_MAX), found = 0;
	struct rpmsg_service *services;

	*out = NULL;
	if (n <= 0)
		return n;
	services = calloc((size_t)n, sizeof(*services));
	if (!services)
		return -ENOMEM;
	for (ssize_t i = 0; i < n; i++)
		found += scan_service(&services[found], link, &entries[i]);
	*out = services;
	return found;
}
