// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/shell.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/sysfs.h"

/* Where to say what went wrong. */
struct note {
	char *text;
	size_t size;
};

/* Say so, and what to do. Returns @error. */
static int fail(struct note note, int error, const char *format, ...) _printf_(3, 4);

static int fail(struct note note, int error, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(note.text, note.size, format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < note.size)
		snprintf(note.text + n, note.size - (size_t)n,
			"; install the DSP's files, or name their directory in the policy, among "
			"the device's \"shells\"");
	return error;
}

static int not_found(struct note note, const char *name, const struct policy_dir *dirs, size_t n)
{
	struct path where = path_join("%s", n ? dirs[0].path : "any directory");

	for (size_t i = 1; i < n; i++)
		where = path_join("%s, %s", where.text, dirs[i].path);
	return fail(note, -ENOENT, "there is no %s in %s", name, where.text);
}

/* Memory of ours: the file may shrink at any moment. Returns 0 or -errno. */
static int read_all(int fd, void *out, size_t size)
{
	uint8_t *at = out;

	while (size > 0) {
		ssize_t n = read(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int load(struct shell *out, int fd, size_t size)
{
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (data == MAP_FAILED)
		return -errno;
	r = read_all(fd, data, size);
	if (r < 0) {
		munmap(data, size);
		return r;
	}
	*out = (struct shell){.data = data, .size = size};
	return 0;
}

/* -ENOENT is not an error yet, and has no text. */
static int try_open(struct shell *out, const char *path, struct note note)
{
	/* Whatever lies there, it must not keep us waiting. */
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -ENOENT;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(note, -errno, "%s: %m", path);
	if (!S_ISREG(st.st_mode))
		return fail(note, -EINVAL, "%s is not a file", path);
	if (st.st_size == 0)
		return fail(note, -ENODATA, "%s is empty", path);
	if (st.st_size > SHELL_BYTES_MAX)
		return fail(note, -EFBIG, "%s has more than 2 MiB, which the kernel refuses", path);
	r = load(out, fd, (size_t)st.st_size);
	return r < 0 ? fail(note, r, "%s: %s", path, strerror(-r)) : 0;
}

int shell_open(struct shell *out, const struct policy_dir *dirs, size_t n_dirs, uint32_t number,
	bool is_signed, char *text, size_t text_size)
{
	struct note note = {.text = text, .size = text_size};
	char name[64];
	int r;

	*out = (struct shell){};
	snprintf(name, sizeof(name), "fastrpc_shell_%s%u", is_signed ? "" : "unsigned_", number);
	for (size_t i = 0; i < n_dirs; i++) {
		const struct path path = path_join("%s/%s", dirs[i].path, name);

		r = try_open(out, path.text, note);
		if (r != -ENOENT)
			return r;
	}
	return not_found(note, name, dirs, n_dirs);
}

void shell_close(struct shell *shell)
{
	if (shell->size > 0)
		munmap((void *)shell->data, shell->size);
	*shell = (struct shell){};
}
