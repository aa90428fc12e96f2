// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/files.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/transport/fastrpc/lookup.h"
#include "protocol/util.h"

/* Of folders that are made here: the broker's own. */
#define MODE_FOLDER 0700

/* A file that lies nowhere. */
struct added {
	char *name;
	int fd;
};

enum kind {
	KIND_FREE,
	KIND_FILE,
	KIND_FOLDER,
};

/* What is open. The position is here and not in @fd, which may be shared with others. */
struct entry {
	enum kind kind;
	int fd;
	DIR *dir;
	bool writable, append;
	int64_t position;
};

struct files {
	const struct policy_domain *policy;
	struct lookup lookup;
	size_t n_dirs_added; /* of its directories: the first ones */
	struct added *added;
	size_t n_added;
	struct entry *entries; /* number 1 is at 0 */
	size_t n_entries;
};

/* Directories and files that there are. */

int files_new(struct files **out, const struct policy_domain *policy)
{
	struct files *files = calloc(1, sizeof(*files));
	int left_out = 0;

	if (!files)
		return -ENOMEM;
	files->policy = policy;
	for (size_t i = 0; i < policy->n_dirs; i++) {
		const struct policy_dir *dir = &policy->dirs[i];
		int r = lookup_insert(&files->lookup, files->lookup.n_dirs, dir->path,
			dir->writable, false);

		if (r == -ENOMEM) {
			files_free(files);
			return r;
		}
		left_out += r < 0;
	}
	*out = files;
	return left_out;
}

static void entry_close(struct entry *entry)
{
	if (entry->dir)
		closedir(entry->dir); /* and its descriptor */
	else if (entry->kind != KIND_FREE)
		close(entry->fd);
	*entry = (struct entry){.fd = -1};
}

struct files *files_free(struct files *files)
{
	if (!files)
		return NULL;
	for (size_t i = 0; i < files->n_entries; i++)
		entry_close(&files->entries[i]);
	for (size_t i = 0; i < files->n_added; i++) {
		close(files->added[i].fd);
		free(files->added[i].name);
	}
	free(files->entries);
	free(files->added);
	lookup_deinit(&files->lookup);
	free(files);
	return NULL;
}

int files_add_directory(struct files *files, const char *path)
{
	int r = lookup_insert(&files->lookup, files->n_dirs_added, path, false, true);

	files->n_dirs_added += r == 0;
	return r;
}

/* Returns 0, or -errno for what is no ordinary file. */
static int check_regular(int fd)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	if (S_ISDIR(info.st_mode))
		return -EISDIR;
	return S_ISREG(info.st_mode) ? 0 : -EACCES;
}

int files_add_file(struct files *files, const char *name, int fd)
{
	_cleanup_(fd_closep) int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	_cleanup_(freep) char *text = NULL;
	struct lookup_name parsed;
	struct added *added;
	int r;

	if (own < 0)
		return -errno;
	r = check_regular(own);
	if (r == 0)
		r = lookup_parse(&parsed, name, strlen(name));
	if (r < 0)
		return r;
	if (parsed.text[0] == '\0' || strchr(parsed.text, '/'))
		return -EINVAL;
	text = strdup(parsed.text);
	added = reallocarray(files->added, files->n_added + 1, sizeof(*added));
	if (added)
		files->added = added;
	if (!added || !text)
		return -ENOMEM;
	added[files->n_added++] = (struct added){.name = TAKE_PTR(text), .fd = TAKE_FD(own)};
	return 0;
}

static const struct added *find_added(const struct files *files, const char *name)
{
	for (size_t i = 0; i < files->n_added; i++)
		if (strcmp(files->added[i].name, lookup_last_part(name)) == 0)
			return &files->added[i];
	return NULL;
}

/* What is open. */

/* The lowest free entry. Returns its index, or -errno. */
static int entry_new(struct files *files)
{
	struct entry *entries;
	size_t i = 0;

	while (i < files->n_entries && files->entries[i].kind != KIND_FREE)
		i++;
	if (i >= files->policy->files || i >= INT_MAX)
		return -EMFILE;
	if (i < files->n_entries)
		return (int)i;
	entries = reallocarray(files->entries, i + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	files->entries = entries;
	files->n_entries++;
	entries[i] = (struct entry){.fd = -1};
	return (int)i;
}

static struct entry *entry_get(struct files *files, int number, enum kind kind)
{
	if (number < 1 || (size_t)number > files->n_entries)
		return NULL;
	return files->entries[number - 1].kind == kind ? &files->entries[number - 1] : NULL;
}

static int entry_end(struct files *files, int number, enum kind kind)
{
	struct entry *entry = entry_get(files, number, kind);

	if (!entry)
		return -EBADF;
	entry_close(entry);
	return 0;
}

/* It is made only where there is none, and emptied only when it is known to be an ordinary file.
 * Returns a descriptor, or -errno. */
static int open_regular(const struct files *files, const char *name, enum files_mode mode)
{
	const bool writing = mode != FILES_READ;
	const int flags = (writing ? O_RDWR : O_RDONLY) | (mode == FILES_APPEND ? O_APPEND : 0) |
			  O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
	_cleanup_(fd_closep) int fd = lookup_open(&files->lookup, name, flags, writing);
	int r;

	if ((fd == -ENOENT || fd == -ENOTDIR) && (mode == FILES_WRITE || mode == FILES_APPEND))
		fd = lookup_open(&files->lookup, name, flags | O_CREAT, writing);
	if (fd < 0)
		return fd;
	r = check_regular(fd);
	if (r == 0 && mode == FILES_WRITE && ftruncate(fd, 0) < 0)
		r = -errno;
	return r < 0 ? r : TAKE_FD(fd);
}

/* Read only. Returns a descriptor, or -errno. */
static int open_added(const struct added *added, enum files_mode mode)
{
	int fd;

	if (mode != FILES_READ)
		return -EACCES;
	fd = fcntl(added->fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int files_open(struct files *files, const char *name, size_t size, enum files_mode mode)
{
	const struct added *added;
	struct lookup_name parsed;
	int fd, i, r = lookup_parse(&parsed, name, size);

	if (r < 0)
		return r;
	i = entry_new(files);
	if (i < 0)
		return i;
	added = find_added(files, parsed.text);
	fd = added ? open_added(added, mode) : open_regular(files, parsed.text, mode);
	if (fd < 0)
		return fd;
	files->entries[i] = (struct entry){
		.kind = KIND_FILE,
		.fd = fd,
		.writable = mode != FILES_READ,
		.append = mode == FILES_APPEND,
	};
	return i + 1;
}

int files_close(struct files *files, int file)
{
	return entry_end(files, file, KIND_FILE);
}

ssize_t files_read(struct files *files, int file, void *out, size_t size)
{
	struct entry *entry = entry_get(files, file, KIND_FILE);
	size_t done = 0;

	if (!entry)
		return -EBADF;
	while (done < size) {
		ssize_t n = pread(entry->fd, (char *)out + done, size - done, entry->position);

		if (n < 0 && done == 0)
			return -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
		entry->position += n;
	}
	return (ssize_t)done;
}

/* A disk that is full shows in what is written of it, and then as an error. */
ssize_t files_write(struct files *files, int file, const void *data, size_t size)
{
	struct entry *entry = entry_get(files, file, KIND_FILE);
	int64_t end, length = files_length(files, file);
	size_t done = 0;

	if (length < 0)
		return length;
	if (!entry->writable)
		return -EACCES;
	if (entry->append)
		entry->position = length;
	if (__builtin_add_overflow(entry->position, size, &end) ||
		(uint64_t)end > files->policy->file_bytes)
		return -EFBIG;
	while (done < size) {
		ssize_t n =
			pwrite(entry->fd, (const char *)data + done, size - done, entry->position);

		if (n < 0 && done == 0)
			return -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
		entry->position += n;
	}
	return (ssize_t)done;
}

int files_sync(struct files *files, int file)
{
	struct entry *entry = entry_get(files, file, KIND_FILE);

	if (!entry)
		return -EBADF;
	return fsync(entry->fd) < 0 ? -errno : 0;
}

int64_t files_seek(struct files *files, int file, int64_t offset, int whence)
{
	struct entry *entry = entry_get(files, file, KIND_FILE);
	int64_t from, to;

	if (!entry)
		return -EBADF;
	if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
		return -EINVAL;
	from = whence == SEEK_SET ? 0 : entry->position;
	if (whence == SEEK_END)
		from = files_length(files, file);
	if (from < 0)
		return from;
	if (__builtin_add_overflow(from, offset, &to) || to < 0)
		return -EINVAL;
	return entry->position = to;
}

int64_t files_length(struct files *files, int file)
{
	struct entry *entry = entry_get(files, file, KIND_FILE);
	struct stat info;

	if (!entry)
		return -EBADF;
	return fstat(entry->fd, &info) < 0 ? -errno : info.st_size;
}

int files_truncate(struct files *files, int file, uint64_t size)
{
	struct entry *entry = entry_get(files, file, KIND_FILE);

	if (!entry)
		return -EBADF;
	if (!entry->writable)
		return -EACCES;
	if (size > files->policy->file_bytes || size > INT64_MAX)
		return -EFBIG;
	return ftruncate(entry->fd, (off_t)size) < 0 ? -errno : 0;
}

/* By name. */

int files_stat(struct files *files, const char *name, size_t size, struct stat *out)
{
	_cleanup_(fd_closep) int fd = -1;
	const struct added *added;
	struct lookup_name parsed;
	int r = lookup_parse(&parsed, name, size);

	if (r < 0)
		return r;
	added = find_added(files, parsed.text);
	if (!added) {
		fd = lookup_open(&files->lookup, parsed.text, O_PATH, false);
		if (fd < 0)
			return fd;
	}
	if (fstat(added ? added->fd : fd, out) < 0)
		return -errno;
	return S_ISREG(out->st_mode) || S_ISDIR(out->st_mode) ? 0 : -EACCES;
}

/* A regular file or, with AT_REMOVEDIR, an empty folder. */
static int remove_kind(struct files *files, const char *name, size_t size, int flags)
{
	_cleanup_(lookup_place_closep) struct lookup_place place = {.folder = -1};
	struct lookup_name parsed;
	int r = lookup_parse(&parsed, name, size);

	if (r < 0)
		return r;
	r = lookup_place(&files->lookup, parsed.text, false, &place);
	if (r < 0)
		return r;
	return unlinkat(place.folder, place.last, flags) < 0 ? -errno : 0;
}

int files_remove(struct files *files, const char *name, size_t size)
{
	return remove_kind(files, name, size, 0);
}

int files_rename(struct files *files, const char *from, size_t from_size, const char *to,
	size_t to_size)
{
	_cleanup_(lookup_place_closep) struct lookup_place old = {.folder = -1};
	_cleanup_(lookup_place_closep) struct lookup_place new = {.folder = -1};
	struct lookup_name old_name, new_name;
	int r = lookup_parse(&old_name, from, from_size);

	if (r == 0)
		r = lookup_parse(&new_name, to, to_size);
	if (r == 0)
		r = lookup_place(&files->lookup, old_name.text, false, &old);
	if (r == 0)
		r = lookup_place_in(old.dir, new_name.text, &new);
	if (r < 0)
		return r;
	r = lookup_check(&new);
	if (r < 0 && r != -ENOENT)
		return r;
	return renameat2(old.folder, old.last, new.folder, new.last, 0) < 0 ? -errno : 0;
}

int files_make_folder(struct files *files, const char *name, size_t size)
{
	_cleanup_(lookup_place_closep) struct lookup_place place = {.folder = -1};
	struct lookup_name parsed;
	int r = lookup_parse(&parsed, name, size);

	if (r < 0)
		return r;
	r = lookup_place(&files->lookup, parsed.text, true, &place);
	if (r < 0)
		return r;
	return mkdirat(place.folder, place.last, MODE_FOLDER) < 0 ? -errno : 0;
}

int files_remove_folder(struct files *files, const char *name, size_t size)
{
	return remove_kind(files, name, size, AT_REMOVEDIR);
}

/* Folders. */

int files_open_folder(struct files *files, const char *name, size_t size)
{
	_cleanup_(fd_closep) int fd = -1;
	struct lookup_name parsed;
	int i, r = lookup_parse(&parsed, name, size);
	const int flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK;
	DIR *dir;

	if (r < 0)
		return r;
	i = entry_new(files);
	if (i < 0)
		return i;
	fd = lookup_open(&files->lookup, parsed.text, flags, false);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	files->entries[i] = (struct entry){.kind = KIND_FOLDER, .fd = TAKE_FD(fd), .dir = dir};
	return i + 1;
}

int files_read_folder(struct files *files, int folder, const struct dirent **entry)
{
	struct entry *open_folder = entry_get(files, folder, KIND_FOLDER);

	if (!open_folder)
		return -EBADF;
	errno = 0;
	*entry = readdir(open_folder->dir);
	return *entry ? 0 : -errno;
}

int files_close_folder(struct files *files, int folder)
{
	return entry_end(files, folder, KIND_FOLDER);
}
