// SPDX-License-Identifier: MIT
#include "client/dspctl_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define READ_FIRST 65536 /* bytes read first from what does not tell its size */

/* What a signal must remove; NULL: nothing. */
static char *volatile unfinished;

static void remove_unfinished(int number)
{
	if (unfinished)
		unlink(unfinished);
	raise(number); /* the action is the default again: SA_RESETHAND */
}

static void catch_signals(void)
{
	static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
	const struct sigaction action = {
		.sa_handler = remove_unfinished, .sa_flags = (int)SA_RESETHAND};
	struct sigaction old;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(numbers[i], &action, NULL);
}

/* Read until the end or until @size bytes are there. */
static ssize_t read_full(int fd, unsigned char *out, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(fd, out + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int read_all(int fd, unsigned char **out, uint32_t *out_length)
{
	_cleanup_(freep) unsigned char *data = NULL;
	size_t size = 0, length = 0;
	unsigned char *larger;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* One byte more than expected shows the end without another round. */
	if (S_ISREG(st.st_mode) && st.st_size < UINT32_MAX)
		size = (size_t)st.st_size + 1;
	for (size = MAX(size, READ_FIRST);; size *= 2) {
		larger = realloc(data, size);
		if (!larger)
			return -ENOMEM;
		data = larger;
		n = read_full(fd, data + length, size - length);
		if (n < 0)
			return (int)n;
		length += (size_t)n;
		if (length > UINT32_MAX)
			return -EFBIG;
		if (length < size)
			break;
	}
	*out_length = (uint32_t)length;
	*out = TAKE_PTR(data);
	return 0;
}

int dspctl_file_read(const char *path, unsigned char **out, uint32_t *out_length)
{
	_cleanup_(fd_closep) int fd = -1;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, out, out_length);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return read_all(fd, out, out_length);
}

static int write_full(int fd, const unsigned char *bytes, size_t size)
{
	ssize_t n;

	while (size > 0) {
		n = write(fd, bytes, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

/* From one descriptor to another. Returns 0, -ENODATA, -EFBIG or another -errno. */
static int copy(int from, int to, size_t max)
{
	unsigned char bytes[16384];
	size_t size = 0;
	ssize_t n;
	int r;

	while ((n = read_full(from, bytes, sizeof(bytes))) > 0) {
		size += (size_t)n;
		if (size > max)
			return -EFBIG;
		r = write_full(to, bytes, (size_t)n);
		if (r < 0)
			return r;
	}
	return n == 0 && size == 0 ? -ENODATA : (int)n;
}

int dspctl_file_seal(const char *path, size_t max, int *out)
{
	_cleanup_(fd_closep) int file = -1, memory = -1;
	const bool standard = strcmp(path, "-") == 0;
	int r;

	if (!standard)
		file = open(path, O_RDONLY | O_CLOEXEC);
	if (!standard && file < 0)
		return -errno;
	memory = memfd_create("dspctl", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory < 0)
		return -errno;
	r = copy(standard ? STDIN_FILENO : file, memory, max);
	if (r < 0)
		return r;
	if (fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return -errno;
	*out = TAKE_FD(memory);
	return 0;
}

/* Make the new file beside the old one, with the mode that the old one has or that a new one
 * would get. */
static int make_temporary(struct dspctl_replacement *replacement, const struct stat *old)
{
	const mode_t mask = umask(0);
	const mode_t mode = old ? old->st_mode & 0777 : 0666 & ~mask;

	umask(mask);
	if (asprintf(&replacement->temporary, "%s.XXXXXX", replacement->path) < 0) {
		replacement->temporary = NULL;
		return -ENOMEM;
	}
	catch_signals();
	replacement->fd = mkostemp(replacement->temporary, O_CLOEXEC);
	if (replacement->fd < 0)
		return -errno;
	unfinished = replacement->temporary;
	return fchmod(replacement->fd, mode) < 0 ? -errno : 0;
}

int dspctl_replace_begin(struct dspctl_replacement *out, const char *path)
{
	struct stat old;
	bool exists;
	int r = 0;

	*out = DSPCTL_REPLACEMENT_NONE;
	exists = stat(path, &old) == 0;
	out->path = exists ? realpath(path, NULL) : strdup(path);
	if (!out->path)
		return -errno;
	if (!exists || S_ISREG(old.st_mode)) {
		r = make_temporary(out, exists ? &old : NULL);
	} else {
		out->fd = open(out->path, O_WRONLY | O_CLOEXEC);
		r = out->fd < 0 ? -errno : 0;
	}
	if (r < 0)
		dspctl_replace_end(out);
	return r;
}

int dspctl_replace_commit(struct dspctl_replacement *replacement)
{
	if (replacement->temporary) {
		if (fsync(replacement->fd) < 0)
			return -errno;
		if (rename(replacement->temporary, replacement->path) < 0)
			return -errno;
		unfinished = NULL;
		free(replacement->temporary);
		replacement->temporary = NULL;
	}
	dspctl_replace_end(replacement);
	return 0;
}

void dspctl_replace_end(struct dspctl_replacement *replacement)
{
	if (unfinished)
		unlink(unfinished);
	unfinished = NULL;
	fd_close(replacement->fd);
	free(replacement->temporary);
	free(replacement->path);
	*replacement = DSPCTL_REPLACEMENT_NONE;
}

int dspctl_file_write(const char *path, const void *bytes, size_t size)
{
	_cleanup_(dspctl_replace_end) struct dspctl_replacement file = DSPCTL_REPLACEMENT_NONE;
	int r;

	if (strcmp(path, "-") == 0)
		return fwrite(bytes, 1, size, stdout) == size ? 0 : -errno;
	r = dspctl_replace_begin(&file, path);
	if (r == 0)
		r = write_full(file.fd, bytes, size);
	if (r == 0)
		r = dspctl_replace_commit(&file);
	return r;
}
