// SPDX-License-Identifier: MIT
/*
 * The testbed's remoteproc is the kernel's (drivers/remoteproc), with a driver for tests
 * (modules/remoteproc_sim.c) in the place of a chip's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/remoteproc_cdev.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tests/kernel/testbed.h"

#define CDEV  "/dev/remoteproc0"
#define DUMPS "/sys/class/devcoredump"

static bool is(const char *state)
{
	return strcmp(read_file(REMOTEPROC "/state"), state) == 0;
}

static bool have_ctrl(void)
{
	return access(RPMSG_CTRL, F_OK) == 0;
}

/* Write the data of a core dump into @text; false when there is none. Writing to it releases it. */
static bool take_dump(char *text, size_t size)
{
	DIR *folder = opendir(DUMPS);
	struct dirent *entry;
	bool found = false;

	while (folder && !found && (entry = readdir(folder))) {
		char path[sizeof(DUMPS) + sizeof(entry->d_name) + 8];
		_cleanup_(fd_closep) int fd = -1;
		ssize_t n;

		snprintf(path, sizeof(path), DUMPS "/%s/data", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = pread(fd, text, size, 0);
		require(n == (ssize_t)size);
		require_eq(write(fd, "1", 1), 1);
		found = true;
	}
	if (folder)
		closedir(folder);
	return found;
}

START_TEST(it_is_attached_from_the_start_and_can_be_stopped_and_started)
{
	require(is("attached"));
	require(have_ctrl());
	for (int i = 0; i < 10; i++) {
		require(write_file(REMOTEPROC "/state", "stop"));
		require(is("offline"));
		require(!have_ctrl());
		require(write_file(REMOTEPROC "/state", "start"));
		require(is("running"));
		require(have_ctrl());
	}
}
END_TEST

START_TEST(it_can_be_detached_and_attached_again)
{
	require(is("attached"));
	require(write_file(REMOTEPROC "/state", "detach"));
	require(is("detached"));
	require(!have_ctrl());
	require(write_file(REMOTEPROC "/state", "start"));
	require(is("attached"));
	require(have_ctrl());
}
END_TEST

START_TEST(the_character_device_stops_it_when_its_holder_dies)
{
	_cleanup_(fd_closep) int fd = -1;
	int32_t on = 1;

	require(write_file(REMOTEPROC "/state", "stop"));
	fd = open(CDEV, O_RDWR | O_CLOEXEC);
	require(fd >= 0);
	require_eq(write(fd, "start", 5), 5);
	require(is("running"));
	require_eq(ioctl(fd, RPROC_SET_SHUTDOWN_ON_RELEASE, &on), 0);
	fd = fd_close(fd);
	require(is("offline"));
	require(write_file(REMOTEPROC "/state", "start"));
}
END_TEST

START_TEST(firmware_that_is_missing_does_not_start)
{
	char firmware[64];

	snprintf(firmware, sizeof(firmware), "%.63s", read_file(REMOTEPROC "/firmware"));
	require(write_file(REMOTEPROC "/state", "stop"));
	require(write_file(REMOTEPROC "/firmware", "missing.fw"));
	require(!write_file(REMOTEPROC "/state", "start"));
	require_eq(errno, ENOENT);
	require(is("offline"));
	require(write_file(REMOTEPROC "/firmware", firmware));
	require(write_file(REMOTEPROC "/state", "start"));
}
END_TEST

/* Whatever crashes it: the sessions end, it leaves a dump, and comes back. */
static void recovers_from(void (*crash)(void), uint32_t address)
{
	_cleanup_(fd_closep) int fd = -1, again = -1;
	uint8_t dump[4];

	remote("serve %u echo", address);
	remote("announce %u phoenix", address);
	require_soon(has_channel("phoenix", address));
	fd = rpmsg_open("before", address, O_RDWR | O_NONBLOCK);
	require(write_file(REMOTEPROC "/coredump", "enabled"));
	require(!take_dump((char *)dump, sizeof(dump)));

	crash();
	require_soon(take_dump((char *)dump, sizeof(dump)));
	require(memcmp(dump, "\177ELF", sizeof(dump)) == 0);
	require(read(fd, dump, sizeof(dump)) < 0);
	require_eq(errno, EPIPE);

	require_soon(is("running") && has_channel("phoenix", address));
	again = rpmsg_open("after", address, O_RDWR);
	rpmsg_echo(again, RPMSG_MTU);
	remote("withdraw %u", address);
}

static void crash_by_itself(void)
{
	remote("crash");
}

static void crash_by_request(void)
{
	require(write_file("/sys/kernel/debug/remoteproc/remoteproc0/crash", "2"));
}

START_TEST(a_program_that_leaves_is_a_crash_and_it_recovers)
{
	recovers_from(crash_by_itself, 4000);
	require(kernel_said("the other side is gone"));
}
END_TEST

START_TEST(a_crash_on_request_is_one_too)
{
	recovers_from(crash_by_request, 4001);
}
END_TEST

START_TEST(without_recovery_it_stays_crashed_until_it_is_stopped)
{
	static const char recovery[] = "/sys/kernel/debug/remoteproc/remoteproc0/recovery";

	require(write_file(recovery, "disabled"));
	remote("crash");
	require_soon(is("crashed"));
	require(write_file(REMOTEPROC "/state", "stop"));
	require(is("offline"));
	require(write_file(recovery, "enabled"));
	require(write_file(REMOTEPROC "/state", "start"));
	require(is("running"));
}
END_TEST

START_TEST(it_is_an_ancestor_of_its_rpmsg_devices_and_has_an_iommu_group)
{
	char device[PATH_MAX], ctrl[PATH_MAX];

	require(realpath(REMOTEPROC "/device", device));
	require(realpath("/sys/class/rpmsg/rpmsg_ctrl0", ctrl));
	require_eq(strncmp(ctrl, device, strlen(device)), 0);
	require_eq(ctrl[strlen(device)], '/');
	require(access(REMOTEPROC "/device/iommu_group", F_OK) == 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("remoteproc");
	TCase *tcase = tcase_create("remoteproc");

	/* The first two begin with how the kernel found it. */
	tcase_add_test(tcase, it_can_be_detached_and_attached_again);
	tcase_add_test(tcase, it_is_attached_from_the_start_and_can_be_stopped_and_started);
	tcase_add_test(tcase, the_character_device_stops_it_when_its_holder_dies);
	tcase_add_test(tcase, firmware_that_is_missing_does_not_start);
	tcase_add_test(tcase, a_program_that_leaves_is_a_crash_and_it_recovers);
	tcase_add_test(tcase, a_crash_on_request_is_one_too);
	tcase_add_test(tcase, without_recovery_it_stays_crashed_until_it_is_stopped);
	tcase_add_test(tcase, it_is_an_ancestor_of_its_rpmsg_devices_and_has_an_iommu_group);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
