// SPDX-License-Identifier: MIT
#include "tests/unit/machine.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "daemon/limits.h"
#include "daemon/opener_process.h"
#include "daemon/worker.h"

#define NOBODY 65534

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* Nothing happens unless we are root, or were. */
static void become(uid_t user)
{
	if (getuid() != 0)
		return;
	ck_assert_int_eq(seteuid(user), 0);
	/* What is in /proc/self is to be ours. */
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

static void on_timer(void *broker)
{
	deadline_run(&((struct broker *)broker)->deadlines, broker_now(broker));
}

static void start_broker(struct machine *machine)
{
	struct broker *broker = &machine->broker;

	machine->options = (struct broker_options){
		.coredumps = machine->coredumps.text,
		.sysfs = machine->sysfs.text,
		.dev = machine->dev.text,
	};
	*broker = (struct broker){.options = &machine->options};
	list_init(&broker->devices);
	list_init(&broker->clients);
	ck_assert_int_eq(loop_new(&broker->loop), 0);
	loop_on_timer(broker->loop, on_timer, broker);
	broker->event = loop_event(broker->loop);
	ck_assert_int_eq(workers_new(&broker->workers, broker->loop, WORKER_THREADS), 0);
	ck_assert_int_eq(policy_load(&broker->policy, NULL, 0, &(struct policy_note){}, NULL, NULL),
		0);
	broker->device_policy = broker->policy;
}

static int open_any(int dev, const char *name, int flags)
{
	long fd = syscall(SYS_openat, dev, name, flags | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : (int)fd;
}

static void start_opener(struct machine *machine)
{
	const struct opener_place place = {.dev = machine->dev.text, .open = open_any};

	ck_assert_int_eq(opener_start(&machine->broker.opener, &place, false), 0);
}

void machine_start(struct machine *machine)
{
	become(NOBODY);
	strcpy(machine->root, "/tmp/test-machine-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(machine->root));
	machine->sysfs = machine_path(machine, "sys");
	machine->dev = machine_path(machine, "dev");
	machine->coredumps = machine_path(machine, "coredumps");
	machine_make_folder(machine, "dev");
	machine_make_folder(machine, "sys/class/remoteproc");
	start_broker(machine);
	start_opener(machine);
}

void machine_end_broker(struct machine *machine, bool threads_first)
{
	struct broker *broker = &machine->broker;

	device_remove_all(broker);
	if (threads_first)
		broker->workers = workers_free(broker->workers);
	remoteprocs_deinit(broker);
	broker->workers = workers_free(broker->workers);
}

void machine_stop(struct machine *machine)
{
	struct broker *broker = &machine->broker;

	machine_end_broker(machine, false);
	broker->opener = opener_free(broker->opener);
	loop_free(broker->loop);
	policy_unref(broker->policy);
	nftw(machine->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	become(0);
}

void machine_turn(struct machine *machine)
{
	struct broker *broker = &machine->broker;

	ck_assert_int_eq(loop_set_timer(broker->loop, deadline_next(&broker->deadlines)), 0);
	ck_assert_int_eq(loop_turn(broker->loop, true), 0);
}

/* Files. */

struct path machine_path(const struct machine *machine, const char *path)
{
	return path_join("%s/%s", machine->root, path);
}

void machine_write(const struct machine *machine, const char *path, const char *text)
{
	_cleanup_(fd_closep) int fd = open(machine_path(machine, path).text,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

const char *machine_read(const struct machine *machine, const char *path)
{
	static char text[4096];
	_cleanup_(fd_closep) int fd = open(machine_path(machine, path).text, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

bool machine_has(const struct machine *machine, const char *path)
{
	return access(machine_path(machine, path).text, F_OK) == 0;
}

void machine_make_folder(const struct machine *machine, const char *path)
{
	struct path part = machine_path(machine, path);

	for (char *slash = part.text + strlen(machine->root) + 1; slash;) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		ck_assert(mkdir(part.text, 0755) == 0 || errno == EEXIST);
		if (slash)
			*slash++ = '/';
	}
}

void machine_link(const struct machine *machine, const char *path, const char *target)
{
	ck_assert_int_eq(symlink(machine_path(machine, target).text,
				 machine_path(machine, path).text),
		0);
}

void machine_remove(const struct machine *machine, const char *path)
{
	ck_assert_int_eq(nftw(machine_path(machine, path).text, remove_entry, 8,
				 FTW_DEPTH | FTW_PHYS),
		0);
}

/* Remote processors. */

struct path machine_attribute(int n, const char *attribute)
{
	return path_join("sys/class/remoteproc/remoteproc%d/%s", n, attribute);
}

void machine_add_remoteproc(const struct machine *machine, int n, const char *name,
	const char *place, const char *state)
{
	struct path folder = path_join("sys/devices/%s/remoteproc/remoteproc%d", place, n);
	struct path class = path_join("sys/class/remoteproc/remoteproc%d", n);

	machine_make_folder(machine, folder.text);
	machine_link(machine, class.text, folder.text);
	machine_link(machine, machine_attribute(n, "device").text,
		path_join("sys/devices/%s", place).text);
	machine_write(machine, machine_attribute(n, "name").text, name);
	machine_write(machine, machine_attribute(n, "state").text, state);
	machine_write(machine, machine_attribute(n, "firmware").text, "some.fw\n");
	machine_write(machine, machine_attribute(n, "coredump").text, "disabled\n");
	machine_link(machine, path_join("dev/remoteproc%d", n).text,
		machine_attribute(n, "state").text);
}

void machine_remove_remoteproc(const struct machine *machine, int n, const char *place)
{
	machine_remove(machine, path_join("dev/remoteproc%d", n).text);
	machine_remove(machine, path_join("sys/class/remoteproc/remoteproc%d", n).text);
	machine_remove(machine, path_join("sys/devices/%s/remoteproc", place).text);
}

/* Devices. */

static void on_state_changed(struct device *device)
{
	container_of(device, struct machine_device, device)->told++;
}

static void on_remove(struct device *device)
{
	(void)device;
}

static const struct transport_ops transport = {
	.name = "test",
	.remove = on_remove,
	.state_changed = on_state_changed,
};

void machine_bind(struct machine *machine, struct machine_device *device, const char *name,
	const struct policy_device *policy, const char *remoteproc)
{
	struct remoteproc *found = remoteproc_by_name(&machine->broker, remoteproc);
	enum dsp_isolation isolation = device->device.isolation;

	ck_assert_ptr_nonnull(found);
	device_add(&machine->broker, &device->device, &transport, name);
	device->device.policy = policy;
	device->device.isolation = isolation;
	remoteproc_bind(found, &device->device);
}
