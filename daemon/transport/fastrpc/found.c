// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/found.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* What is below a device: more than there can be. */
#define CHILDREN_MAX 256

static const struct {
	const char *label;
	uint32_t number;
} domains[] = FASTRPC_DOMAINS;

bool found_number(const char *label, uint32_t *number)
{
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		if (strcmp(domains[i].label, label) == 0) {
			*number = domains[i].number;
			return true;
		}
	}
	return false;
}

const char *found_label_at(size_t i)
{
	return i < ARRAY_SIZE(domains) ? domains[i].label : NULL;
}

bool found_label(const char *device, char *out, size_t size)
{
	const struct path path = path_join("%s/of_node/label", device);
	_cleanup_(fd_closep) int fd = open(path.text, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size);

	return n > 0 && memchr(out, '\0', (size_t)n);
}

/* Does an IOMMU translate what that very device accesses? A group of a device above it says nothing
 * of this one. */
static bool is_translated(const char *device)
{
	const struct path path = path_join("%s/iommu_group/type", device);
	char type[32];

	return sysfs_read(path.text, type, sizeof(type)) == 0 && strcmp(type, "identity") != 0;
}

/* As the device tree says. */
static bool is_coherent(const char *device)
{
	const struct path path = path_join("%s/of_node/dma-coherent", device);

	return sysfs_exists(path.text);
}

/* A domain's memory is accessed by way of its context bank only. With more of them than there can
 * be some may have been left out. */
bool found_scan_banks(struct fastrpc_found *found, bool (*is_bank)(const char *device))
{
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	ssize_t n = sysfs_list(found->folder.text, "", &entries, CHILDREN_MAX);
	size_t banks = 0;

	found->isolated = found->coherent = n < CHILDREN_MAX;
	for (ssize_t i = 0; i < n; i++) {
		const struct path child = path_join("%s/%s", found->folder.text, entries[i].name);
		bool translated, coherent;

		/* Twice: one that comes has its group before its driver, and one that goes loses
		 * its driver before its group. */
		if (!is_bank(child.text))
			continue;
		translated = is_translated(child.text);
		coherent = is_coherent(child.text);
		if (!is_bank(child.text))
			continue;
		found->isolated &= translated;
		found->coherent &= coherent;
		banks++;
	}
	return banks > 0;
}

static int by_label(const void *a, const void *b)
{
	const struct fastrpc_found *left = a, *right = b;

	return strcmp(left->label, right->label);
}

void found_sort(struct fastrpc_found *found, size_t n)
{
	qsort(found, n, sizeof(*found), by_label);
}
