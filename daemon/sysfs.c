// SPDX-License-Identifier: MIT
#include "daemon/sysfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* No attribute of one line is longer. */
#define LINE_BYTES 4096

struct path path_join(const char *format, ...)
{
	struct path path;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(path.text, sizeof(path.text), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path.text))
		path.text[0] = '\0';
	return path;
}

/* Read up to @size bytes. Returns how many there were, or -errno. */
static ssize_t read_file(const char *path, char *out, size_t size)
{
	/* In sysfs nothing waits; elsewhere it might be a pipe. */
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t n = 0;

	if (fd < 0)
		return -errno;
	while (n < size) {
		ssize_t r = read(fd, out + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return (ssize_t)n;
}

int sysfs_read(const char *path, char *out, size_t size)
{
	char text[LINE_BYTES + 1];
	ssize_t n = read_file(path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	if (n == sizeof(text))
		return -E2BIG;
	if (n > 0 && text[n - 1] == '\n')
		n--;
	/* Two lines are too long, too. */
	if ((size_t)n >= size || memchr(text, '\0', (size_t)n) || memchr(text, '\n', (size_t)n))
		return -E2BIG;
	memcpy(out, text, (size_t)n);
	out[n] = '\0';
	return 0;
}

int sysfs_write(const char *path, const char *text)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	size_t size = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	/* An attribute takes a value in one piece. */
	n = write(fd, text, size);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

static int parse_u32(const char *text, uint32_t *out)
{
	const bool hex = strncmp(text, "0x", 2) == 0;
	const char *digits = hex ? text + 2 : text;
	const char *allowed = hex ? "0123456789abcdefABCDEF" : "0123456789";
	unsigned long long value;

	/* strtoull() takes blanks, signs and prefixes, too; what is too large is ULLONG_MAX. */
	if (!*digits || digits[strspn(digits, allowed)])
		return -EINVAL;
	value = strtoull(digits, NULL, hex ? 16 : 10);
	if (value > UINT32_MAX)
		return -ERANGE;
	*out = (uint32_t)value;
	return 0;
}

int sysfs_read_u32(const char *path, uint32_t *out)
{
	char text[64];
	int r = sysfs_read(path, text, sizeof(text));

	return r < 0 ? r : parse_u32(text, out);
}

dev_t sysfs_device_number(const char *path)
{
	const struct path attribute = path_join("%s/dev", path);
	uint32_t major, minor;
	char text[64], *colon;

	if (sysfs_read(attribute.text, text, sizeof(text)) < 0)
		return 0;
	colon = strchr(text, ':');
	if (!colon)
		return 0;
	*colon = '\0';
	if (parse_u32(text, &major) < 0 || parse_u32(colon + 1, &minor) < 0)
		return 0;
	return makedev(major, minor);
}

struct listing {
	struct sysfs_entry *entries;
	size_t n, allocated;
};

static void listing_deinit(struct listing *listing)
{
	free(listing->entries);
}

static int by_name(const void *a, const void *b)
{
	const struct sysfs_entry *left = a, *right = b;

	return strverscmp(left->name, right->name);
}

/* Sort it, and keep the first @max. */
static void trim(struct listing *listing, size_t max)
{
	if (listing->n)
		qsort(listing->entries, listing->n, sizeof(*listing->entries), by_name);
	listing->n = MIN(listing->n, max);
}

static int append(struct listing *listing, const char *name, ino_t id)
{
	struct sysfs_entry *entry;

	if (listing->n == listing->allocated) {
		size_t allocated = MAX(listing->allocated * 2, (size_t)16);
		struct sysfs_entry *entries =
			reallocarray(listing->entries, allocated, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		listing->entries = entries;
		listing->allocated = allocated;
	}
	entry = &listing->entries[listing->n++];
	entry->id = id;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	return 0;
}

/* Never holds more than twice @max, whatever there is. */
static int collect(struct listing *listing, DIR *dir, const char *prefix, size_t max)
{
	const struct dirent *entry;
	struct stat st;
	int r;

	while (errno = 0, (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (strncmp(name, prefix, strlen(prefix)) != 0 || strcmp(name, ".") == 0 ||
			strcmp(name, "..") == 0)
			continue;
		/* Of the link itself: a class has a new one for each device. */
		if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue; /* it went away */
			break;
		}
		r = append(listing, name, st.st_ino);
		if (r < 0)
			return r;
		if (listing->n / 2 >= max)
			trim(listing, max);
	}
	return -errno;
}

ssize_t sysfs_list(const char *folder, const char *prefix, struct sysfs_entry **out, size_t max)
{
	_cleanup_(listing_deinit) struct listing listing = {};
	_cleanup_(closedirp) DIR *dir = opendir(folder);
	int r;

	*out = NULL;
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	r = collect(&listing, dir, prefix, max);
	if (r < 0)
		return r;
	trim(&listing, max);
	if (listing.n)
		*out = TAKE_PTR(listing.entries);
	return (ssize_t)listing.n;
}

int sysfs_resolve(const char *path, struct path *out)
{
	return realpath(path, out->text) ? 0 : -errno;
}

bool sysfs_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

bool sysfs_is_below(const char *path, const char *ancestor)
{
	size_t length = strlen(ancestor);

	/* Neither is the path of nothing, and only the root's ends with a slash. */
	if (path[0] != '/' || ancestor[0] != '/')
		return false;
	if (length == 1)
		return true;
	return strncmp(path, ancestor, length) == 0 && (path[length] == '/' || !path[length]);
}

/* The N of ".../iommu_groups/N", or -errno. */
static int parse_group(const char *target)
{
	static const char folder[] = "/iommu_groups";
	const char *name = strrchr(target, '/');
	uint32_t number;
	int r;

	if (!name || (size_t)(name - target) < strlen(folder) ||
		strncmp(name - strlen(folder), folder, strlen(folder)) != 0)
		return -EINVAL;
	r = parse_u32(name + 1, &number);
	if (r < 0)
		return r;
	return number > INT_MAX ? -ERANGE : (int)number;
}

/* The group that this very device is in. Returns its number or -errno. */
static int own_group(const char *device)
{
	const struct path link = path_join("%s/iommu_group", device);
	char target[PATH_MAX];
	ssize_t n;

	if (!link.text[0])
		return -ENAMETOOLONG;
	n = readlink(link.text, target, sizeof(target));
	if (n < 0)
		return -errno;
	if (n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	return parse_group(target);
}

int sysfs_iommu_group(const char *path, const char *root)
{
	struct path at, top;
	int r = sysfs_resolve(root, &top);

	if (r < 0)
		return r;
	/* Resolved once more: what went away must not have its parent's group. */
	r = sysfs_resolve(path, &at);
	if (r < 0)
		return r;
	if (!sysfs_is_below(at.text, top.text))
		return -EINVAL;
	while (strlen(at.text) > strlen(top.text)) {
		r = own_group(at.text);
		if (r != -ENOENT)
			return r;
		*strrchr(at.text, '/') = '\0';
	}
	return -ENOENT;
}
