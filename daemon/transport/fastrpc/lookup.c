// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/lookup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/transport/fastrpc/beneath.h"

/* Names. */

/* Append a part of a path to @out. Returns the new length. */
static size_t append_part(char *out, size_t length, const char *part, size_t size)
{
	if (length > 0 && out[length - 1] != '/')
		out[length++] = '/';
	memcpy(out + length, part, size);
	return length + size;
}

/* Write @name to @out, which has room for @size bytes and a NUL, without its empty and its "."
 * parts. */
static int clean(char *out, const char *name, size_t size)
{
	size_t length = 0, end;

	if (size == 0 || memmem(name, size, "///", 3))
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return -EINVAL;
	if (name[0] == '/')
		out[length++] = '/';
	for (size_t i = 0; i < size; i = end + 1) {
		const char *part = name + i, *slash = memchr(part, '/', size - i);

		end = slash ? (size_t)(slash - name) : size;
		if (end - i == 2 && memcmp(part, "..", 2) == 0)
			return -EACCES;
		if (end > i && !(end - i == 1 && *part == '.'))
			length = append_part(out, length, part, end - i);
	}
	out[length] = '\0';
	return 0;
}

int lookup_parse(struct lookup_name *out, const char *name, size_t size)
{
	return size > FILES_NAME_MAX ? -EINVAL : clean(out->text, name, size);
}

const char *lookup_last_part(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* What @name is called beneath @dir: "" is the directory itself. NULL: it lies elsewhere. */
static const char *below(const struct lookup_directory *dir, const char *name)
{
	size_t length = strlen(dir->path);

	if (name[0] != '/')
		return name;
	if (strncmp(name, dir->path, length) != 0)
		return NULL;
	if (name[length] == '/')
		return name + length + 1;
	return name[length] == '\0' ? name + length : NULL;
}

/* Directories. */

/* @path is clean. */
static int open_directory(const char *path, bool through_links)
{
	int fd;

	if (!through_links)
		return beneath_open_directory(path);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int lookup_insert(struct lookup *lookup, size_t at, const char *path, bool writable,
	bool through_links)
{
	size_t size = strlen(path);
	_cleanup_(freep) char *text = malloc(size + 1);
	_cleanup_(fd_closep) int fd = -1;
	struct lookup_directory *dirs;
	int r;

	if (!text)
		return -ENOMEM;
	r = clean(text, path, size);
	if (r < 0 || text[0] != '/')
		return r < 0 ? r : -EINVAL;
	fd = open_directory(text, through_links);
	if (fd < 0)
		return fd;
	if (text[1] == '\0')
		text[0] = '\0';
	dirs = reallocarray(lookup->dirs, lookup->n_dirs + 1, sizeof(*dirs));
	if (!dirs)
		return -ENOMEM;
	lookup->dirs = dirs;
	memmove(dirs + at + 1, dirs + at, (lookup->n_dirs++ - at) * sizeof(*dirs));
	dirs[at] = (struct lookup_directory){TAKE_PTR(text), TAKE_FD(fd), writable};
	return 0;
}

void lookup_deinit(struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->n_dirs; i++) {
		fd_close(lookup->dirs[i].fd);
		free(lookup->dirs[i].path);
	}
	free(lookup->dirs);
	*lookup = (struct lookup){};
}

/* A directory that @name may lie in, from index *@i on; NULL: no more. */
static const struct lookup_directory *next_directory(const struct lookup *lookup, size_t *i,
	const char *name, bool writing)
{
	while (*i < lookup->n_dirs) {
		const struct lookup_directory *dir = &lookup->dirs[(*i)++];

		if (below(dir, name) && (dir->writable || !writing))
			return dir;
	}
	return NULL;
}

/* The answer when there is no directory to look into. */
static int without_directory(const char *name, bool writing)
{
	return writing || name[0] == '/' ? -EACCES : -ENOENT;
}

/* It is not there; it may be in the next directory. Anything else is an answer. */
static bool is_absent(int r)
{
	return r == -ENOENT || r == -ENOTDIR;
}

/* Looking up. */

int lookup_open(const struct lookup *lookup, const char *name, int flags, bool writing)
{
	const struct lookup_directory *dir;
	int r = without_directory(name, writing);
	size_t i = 0;

	while ((dir = next_directory(lookup, &i, name, writing))) {
		r = beneath_open(dir->fd, below(dir, name), flags);
		if (!is_absent(r))
			return r;
	}
	return r;
}

int lookup_place_in(const struct lookup_directory *dir, const char *name, struct lookup_place *out)
{
	const char *path = below(dir, name), *last;
	char folder[FILES_NAME_MAX + 1] = "";
	int fd;

	if (!path)
		return -EXDEV;
	last = lookup_last_part(path);
	if (*last == '\0')
		return -EACCES; /* the directory itself is nobody's to change */
	memcpy(folder, path, (size_t)(last - path));
	fd = beneath_open(dir->fd, folder, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd;
	*out = (struct lookup_place){dir, fd, last};
	return 0;
}

int lookup_check(const struct lookup_place *place)
{
	struct stat info;

	if (fstatat(place->folder, place->last, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) ? 0 : -EACCES;
}

int lookup_place(const struct lookup *lookup, const char *name, bool is_new,
	struct lookup_place *out)
{
	const struct lookup_directory *dir;
	int r = without_directory(name, true);
	size_t i = 0;

	*out = (struct lookup_place){.folder = -1};
	while ((dir = next_directory(lookup, &i, name, true))) {
		r = lookup_place_in(dir, name, out);
		if (r == 0 && !is_new)
			r = lookup_check(out);
		if (r == 0)
			return 0;
		lookup_place_closep(out);
		if (!is_absent(r))
			return r;
	}
	return r;
}
