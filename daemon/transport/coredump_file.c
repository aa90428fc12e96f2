// SPDX-License-Identifier: MIT
#include "daemon/transport/coredump_file.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>

#include "protocol/clock.h"
#include "protocol/util.h"

/* It is root's until udev has given it to us: how long that is waited for. */
#define ACCESS_TIMEOUT_MS 5000

#define COPY_BYTES (32 * 1024)

static int fail(struct coredump_file *out, const char *what, int r)
{
	out->failed = what;
	out->error = r;
	return r;
}

/* Returns a descriptor or -errno. */
static int try_data(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

/* The same, but wait until it is allowed. Who may not read a file may not watch it either; its
 * folder tells as well. */
static int open_data(const char *dump)
{
	const struct path path = path_join("%s/data", dump);
	const int64_t end_ms = clock_ms() + ACCESS_TIMEOUT_MS;
	_cleanup_(fd_closep) int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd wait = {.fd = notify, .events = POLLIN};
	char events[sizeof(struct inotify_event) + NAME_MAX + 1];
	int64_t left_ms = ACCESS_TIMEOUT_MS;
	int r;

	/* Without that it is tried twice. */
	inotify_add_watch(notify, dump, IN_ATTRIB | IN_ONLYDIR);
	while ((r = try_data(path.text)) == -EACCES && left_ms > 0) {
		poll(&wait, 1, (int)left_ms);
		while (read(notify, events, sizeof(events)) > 0)
			;
		left_ms = end_ms - clock_ms();
	}
	return r;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Until the end, or until it is too long. */
static int copy(int data, int file, uint64_t limit, struct coredump_file *out)
{
	char buffer[COPY_BYTES];
	int r;

	for (;;) {
		uint64_t left = limit - out->size;
		/* One byte too many tells that there are more. */
		ssize_t n = read(data, buffer,
			left < sizeof(buffer) ? (size_t)left + 1 : sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(out, "read it", -errno);
		out->truncated = (uint64_t)n > left;
		n = (ssize_t)MIN((uint64_t)n, left);
		r = write_all(file, buffer, (size_t)n);
		if (r < 0)
			return fail(out, "write it", r);
		out->size += (uint64_t)n;
		if (n == 0 || out->truncated)
			return 0;
	}
}

/* What is there after this stays there, whatever happens. */
static int finish(int folder, int file, const struct coredump_order *order,
	struct coredump_file *out)
{
	int r;

	if (fsync(file) < 0)
		return fail(out, "write it", -errno);
	r = coredump_folder_publish(folder, out->name, order->device, out->truncated);
	if (r < 0)
		return fail(out, "name its file", r);
	fsync(folder);
	return 0;
}

static int save(int data, const struct coredump_order *order, struct coredump_file *out)
{
	_cleanup_(fd_closep) int folder = coredump_folder_open(order->folder.text);
	_cleanup_(fd_closep) int file = -1;
	int r;

	if (folder < 0)
		return fail(out, "open the folder", folder);
	file = coredump_folder_create(folder, out->name);
	if (file < 0)
		return fail(out, "make a file", file);
	r = copy(data, file, order->bytes, out);
	if (r == 0)
		r = finish(folder, file, order, out);
	if (r < 0)
		unlinkat(folder, out->name, 0);
	return r;
}

/* What is left to do once it is saved. */
static void tidy(const struct coredump_order *order, struct coredump_file *out)
{
	_cleanup_(fd_closep) int folder = coredump_folder_open(order->folder.text);
	int r = folder < 0 ? folder : coredump_folder_prune(folder, order->device, order->keep);

	if (r < 0)
		fail(out, "remove older ones", r);
}

bool coredump_save(const struct coredump_order *order, struct coredump_file *out)
{
	_cleanup_(fd_closep) int data = open_data(order->dump.text);
	bool saved;

	*out = (struct coredump_file){};
	if (data < 0) {
		fail(out, "open its data", data);
		return false;
	}
	saved = save(data, order, out) == 0;
	/* Any write does. The kernel makes no other dump of the same device before. */
	if (write(data, "1", 1) < 0 && saved)
		fail(out, "release it", -errno);
	if (saved)
		tidy(order, out);
	return saved;
}
