// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rpmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/kernel/bench/bench.h"
#include "tests/kernel/bench/messages.h"

#define DEVICE "/dev/rpmsg_ctrl0"
#define FOLDER "/sys/class/rpmsg"

static bool has_name(const char *device, const char *name)
{
	char path[sizeof(FOLDER) + 256 + 8], line[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), FOLDER "/%.255s/name", device);
	file = fopen(path, "re");
	if (!file)
		return false;
	(void)!fgets(line, sizeof(line), file);
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, name) == 0;
}

/* An endpoint of that name, which nobody else has, to that address. */
int raw_endpoint(const char *name, uint32_t address)
{
	struct rpmsg_endpoint_info info = {.src = RPMSG_ADDR_ANY, .dst = address};
	_cleanup_(fd_closep) int ctrl = open(DEVICE, O_RDWR | O_CLOEXEC);
	char path[sizeof("/dev/") + 256];
	struct dirent *entry;
	DIR *folder;
	int fd = -1;

	snprintf(info.name, sizeof(info.name), "%s", name);
	if (ctrl < 0 || ioctl(ctrl, RPMSG_CREATE_EPT_IOCTL, &info) < 0)
		must(-errno, DEVICE);
	folder = opendir(FOLDER);
	while (folder && fd < 0 && (entry = readdir(folder))) {
		if (!has_name(entry->d_name, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%.255s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	must(fd < 0 ? -errno : 0, name);
	if (folder)
		closedir(folder);
	return fd;
}

void raw_open(struct raw *raw)
{
	raw->echo = raw_endpoint("raw-echo", BENCH_ECHO_ADDRESS);
	raw->sink = raw_endpoint("raw-sink", BENCH_SINK_ADDRESS);
}

void raw_put(int fd)
{
	static const uint8_t message[MESSAGE_BYTES];

	if (write(fd, message, sizeof(message)) != sizeof(message))
		must(-errno, "write");
}

void raw_take(int fd)
{
	uint8_t message[MESSAGE_BYTES];

	if (read(fd, message, sizeof(message)) != sizeof(message))
		must(-errno, "read");
}

void raw_round_trip(struct raw *raw)
{
	raw_put(raw->echo);
	raw_take(raw->echo);
}

void raw_echo(struct raw *raw, unsigned int count)
{
	unsigned int sent = 0;

	for (unsigned int received = 0; received < count; received++) {
		for (; sent < count && sent - received < MESSAGE_WINDOW; sent++)
			raw_put(raw->echo);
		raw_take(raw->echo);
	}
}

void raw_send(struct raw *raw, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		raw_put(raw->sink);
}
