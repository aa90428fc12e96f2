// SPDX-License-Identifier: MIT
/* Which files make the policy, and what is in them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/compiled.h"
#include "policy/policy.h"
#include "policy/policy_parse.h"
#include "policy/reader.h"

struct file {
	char *name;       /* owned */
	size_t directory; /* number of its directory: the highest wins */
};

struct files {
	struct file items[POLICY_FILES_MAX];
	size_t n;
};

static void files_deinit(struct files *files)
{
	while (files->n)
		free(files->items[--files->n].name);
}

/* "*.json", as a shell understands it. */
static bool is_policy_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot && strcmp(dot, ".json") == 0;
}

static int system_error(struct policy_note *error, const char *path, const char *what, int r)
{
	policy_note(error, path, 0, 0, "cannot %s: %s", what, strerror(-r));
	return r;
}

/* Where the caller's own rights would do, its confinement may not: Landlock says nothing else. */
static int open_error(struct policy_note *error, const char *path, const char *what, int r,
	const char *confined)
{
	policy_note(error, path, 0, 0, "cannot open%s: %s%s", what, strerror(-r),
		r == -EACCES ? confined : "");
	return r;
}

static int open_directory_error(struct policy_note *error, const char *path, int r)
{
	return open_error(error, path, " the directory", r,
		"; a broker that runs reads the directory that was there when it started, and if "
		"another has taken its place, must be started again");
}

static int open_file_error(struct policy_note *error, const char *path, int r)
{
	struct stat st;

	return open_error(error, path, "", r,
		lstat(path, &st) == 0 && S_ISLNK(st.st_mode)
			? "; it is a symbolic link, and a broker that runs reads nothing that lies "
			  "outside of the policy directories"
			: "");
}

static int add_file(struct files *files, const char *name, size_t directory)
{
	char *copy;

	if (files->n == ARRAY_SIZE(files->items))
		return -E2BIG;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	files->items[files->n++] = (struct file){.name = copy, .directory = directory};
	return 0;
}

static int list_directory(struct files *files, const char *path, size_t directory,
	struct policy_note *error)
{
	_cleanup_(closedirp) DIR *stream = opendir(path);
	const struct dirent *entry;
	int r;

	if (!stream && errno == ENOENT)
		return 0;
	if (!stream)
		return open_directory_error(error, path, -errno);
	while (errno = 0, (entry = readdir(stream))) {
		if (!is_policy_name(entry->d_name))
			continue;
		r = add_file(files, entry->d_name, directory);
		if (r == -E2BIG)
			policy_note(error, path, 0, 0, "more than %d policy files",
				POLICY_FILES_MAX);
		if (r < 0)
			return r;
	}
	return errno ? system_error(error, path, "read the directory", -errno) : 0;
}

/* By name; of equal names the one that replaces the others comes first. */
static int compare_files(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->directory < y->directory) - (x->directory > y->directory);
}

static int refuse_irregular(const char *path, struct policy_note *error)
{
	policy_note(error, path, 0, 0, "not a regular file");
	return -EINVAL;
}

/* Open a regular file; waits for nothing, whatever it is. Returns an fd or -errno. */
static int open_regular(const char *path, struct stat *st, struct policy_note *error)
{
	_cleanup_(fd_closep) int fd = -1;

	/* To open a device can do something, so nothing else is opened... */
	if (stat(path, st) < 0)
		return open_file_error(error, path, -errno);
	if (!S_ISREG(st->st_mode))
		return refuse_irregular(path, error);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return open_file_error(error, path, -errno);
	/* ...unless it is put there just now. */
	if (fstat(fd, st) < 0)
		return system_error(error, path, "look at it", -errno);
	if (!S_ISREG(st->st_mode))
		return refuse_irregular(path, error);
	return TAKE_FD(fd);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Half of what was and half of what comes could be a policy that nobody wrote. Who writes can set
 * the time of modification back, but not that of the change; which also changes when another file
 * takes its name, but then it has a name less, or none, and is what it was. */
static int check_unchanged(const char *path, int fd, const struct stat *before, size_t size,
	struct policy_note *error)
{
	struct stat after;

	if (fstat(fd, &after) < 0)
		return system_error(error, path, "look at it", -errno);
	if (size > POLICY_FILE_BYTES_MAX ||
		(after.st_size == (off_t)size && before->st_size == after.st_size &&
			same_time(before->st_mtim, after.st_mtim) &&
			(same_time(before->st_ctim, after.st_ctim) ||
				after.st_nlink < before->st_nlink || !after.st_nlink)))
		return 0;
	policy_note(error, path, 0, 0, "it changed while it was read");
	return -EINVAL;
}

/* Read a whole file into @text, which has room for one byte more than a file may have. */
static int read_file(const char *path, char *text, size_t *size, struct policy_note *error)
{
	struct stat st;
	_cleanup_(fd_closep) int fd = open_regular(path, &st, error);
	ssize_t got = 1;

	if (fd < 0)
		return TAKE_FD(fd);
	for (*size = 0; got > 0 && *size <= POLICY_FILE_BYTES_MAX; *size += (size_t)got) {
		do
			got = read(fd, text + *size, POLICY_FILE_BYTES_MAX + 1 - *size);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			return system_error(error, path, "read", -errno);
	}
	return check_unchanged(path, fd, &st, *size, error);
}

static int add_files(struct policy_builder *builder, const char *const *dirs,
	const struct files *files)
{
	_cleanup_(freep) char *text = malloc(POLICY_FILE_BYTES_MAX + 1);
	const char *previous = "";
	int r = 0;

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < files->n; i++) {
		const struct file *file = &files->items[i];
		_cleanup_(freep) char *path = NULL;
		size_t size;

		if (strcmp(file->name, previous) == 0)
			continue;
		previous = file->name;
		if (asprintf(&path, "%s/%s", dirs[file->directory], file->name) < 0)
			return -ENOMEM;
		r = read_file(path, text, &size, builder->error);
		if (r == 0)
			r = policy_builder_add(builder, path, text, size);
	}
	return r;
}

int policy_load(struct policy **out, const char *const *dirs, size_t n_dirs,
	struct policy_note *error, void (*warn)(const struct policy_note *note, void *userdata),
	void *userdata)
{
	_cleanup_(files_deinit) struct files files = {.n = 0};
	struct policy_builder builder;
	int r = policy_builder_begin(&builder, error, warn, userdata);

	for (size_t i = 0; r == 0 && i < n_dirs; i++)
		r = list_directory(&files, dirs[i], i, error);
	if (r == 0) {
		qsort(files.items, files.n, sizeof(files.items[0]), compare_files);
		r = add_files(&builder, dirs, &files);
	}
	return policy_builder_end(&builder, r, out);
}
