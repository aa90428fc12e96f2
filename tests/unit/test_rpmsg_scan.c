// SPDX-License-Identifier: MIT
/*
 * Links and services of rpmsg in a sysfs of files: several remote processors, transports other than
 * virtio, and what is there only in the midst of things. tests/kernel has what one real kernel
 * shows.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/limits.h"
#include "daemon/transport/rpmsg_node.h"
#include "daemon/transport/rpmsg_scan.h"
#include "tests/suite.h"
#include "tests/unit/machine.h"
#include "tests/unit/policy_text.h"

#define CDSP "platform/cdsp"
#define ADSP "platform/adsp"

static struct machine machine;
static bool probed;

static void set_up(void)
{
	machine_start(&machine);
	machine_make_folder(&machine, "sys/bus/rpmsg");
	machine_make_folder(&machine, "sys/bus/virtio");
	machine_make_folder(&machine, "sys/bus/platform");
	machine_make_folder(&machine, "gone");
	probed = false;
}

static void tear_down(void)
{
	if (probed)
		rpmsg_transport.deinit(&machine.broker);
	machine_stop(&machine);
}

/* Building. */

static void add_device(const char *path, const char *bus)
{
	machine_make_folder(&machine, path);
	machine_write(&machine, path_join("%s/uevent", path).text, "");
	machine_link(&machine, path_join("%s/subsystem", path).text,
		path_join("sys/bus/%s", bus).text);
}

static const char *base(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* A link at sys/devices/PLACE, such as "platform/cdsp/virtio0", and its control device. */
static void add_link(const char *place, const char *bus, int n)
{
	struct path link = path_join("sys/devices/%s", place);
	struct path device = path_join("%s/%s.rpmsg_ctrl.0.0", link.text, base(place));
	struct path ctrl = path_join("%s/rpmsg/rpmsg_ctrl%d", device.text, n);

	add_device(link.text, bus);
	add_device(device.text, "rpmsg");
	machine_write(&machine, path_join("%s/name", device.text).text, "rpmsg_ctrl\n");
	machine_write(&machine, path_join("%s/dst", device.text).text, "0x0\n");
	machine_make_folder(&machine, ctrl.text);
	machine_link(&machine, path_join("%s/device", ctrl.text).text, device.text);
	machine_make_folder(&machine, "sys/class/rpmsg");
	machine_link(&machine, path_join("sys/class/rpmsg/rpmsg_ctrl%d", n).text, ctrl.text);
}

/* Out of the way, but still there: nothing new gets its inode. */
static void take_away(const char *path)
{
	static int n;
	struct path from = machine_path(&machine, path);
	struct path to = machine_path(&machine, path_join("gone/%d", n++).text);

	ck_assert_int_eq(rename(from.text, to.text), 0);
}

static void remove_link(const char *place, int n)
{
	take_away(path_join("sys/class/rpmsg/rpmsg_ctrl%d", n).text);
	take_away(path_join("sys/devices/%s", place).text);
}

static struct path service_path(const char *place, const char *name, unsigned int address)
{
	return path_join("sys/devices/%s/%s.%s.-1.%u", place, base(place), name, address);
}

static void add_service(const char *place, const char *name, unsigned int address)
{
	struct path path = service_path(place, name, address);

	add_device(path.text, "rpmsg");
	machine_write(&machine, path_join("%s/name", path.text).text, path_join("%s\n", name).text);
	machine_write(&machine, path_join("%s/dst", path.text).text,
		path_join("0x%x\n", address).text);
}

static void isolate(const char *place, int group)
{
	struct path to = path_join("sys/kernel/iommu_groups/%d", group);

	machine_make_folder(&machine, to.text);
	machine_make_folder(&machine, path_join("sys/devices/%s", place).text);
	machine_link(&machine, path_join("sys/devices/%s/iommu_group", place).text, to.text);
}

/* Reading. */

/* The one link that there is. */
static struct rpmsg_link only_link(void)
{
	_cleanup_(freep) struct rpmsg_link *links = NULL;

	ck_assert_int_eq(rpmsg_scan_links(machine.sysfs.text, &links), 1);
	return links[0];
}

/* The names of its services, one after the other. */
static const char *services_of(const struct rpmsg_link *link)
{
	_cleanup_(freep) struct rpmsg_service *services = NULL;
	static char names[256];
	ssize_t n = rpmsg_scan_services(link, &services);

	ck_assert_int_ge(n, 0);
	names[0] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		ck_assert_uint_ne(services[i].instance, 0);
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? " " : "",
			services[i].name);
	}
	return names;
}

static bool is_alive(const struct rpmsg_link *link)
{
	return rpmsg_scan_is_alive(machine.sysfs.text, link->ctrl, link->instance);
}

START_TEST(a_machine_without_rpmsg_has_no_links)
{
	struct rpmsg_link *links;

	ck_assert_int_eq(rpmsg_scan_links(machine.sysfs.text, &links), 0);
	ck_assert_ptr_null(links);
	machine_make_folder(&machine, "sys/class/rpmsg");
	ck_assert_int_eq(rpmsg_scan_links(machine.sysfs.text, &links), 0);
	ck_assert_ptr_null(links);
}
END_TEST

START_TEST(links_are_known_by_their_control_devices_and_sorted_by_number)
{
	_cleanup_(freep) struct rpmsg_link *links = NULL;

	add_link(CDSP "/virtio0", "virtio", 10);
	add_link(ADSP "/glink-edge", "platform", 2);
	/* An endpoint device is none. */
	machine_make_folder(&machine, "sys/class/rpmsg/rpmsg0");
	ck_assert_int_eq(rpmsg_scan_links(machine.sysfs.text, &links), 2);
	ck_assert_str_eq(links[0].ctrl, "rpmsg_ctrl2");
	ck_assert_str_eq(links[0].folder.text,
		machine_path(&machine, "sys/devices/" ADSP "/glink-edge").text);
	ck_assert(!links[0].virtio);
	ck_assert_str_eq(links[1].ctrl, "rpmsg_ctrl10");
	ck_assert(links[1].virtio);
	ck_assert_uint_ne(links[0].instance, links[1].instance);
}
END_TEST

START_TEST(a_link_whose_device_is_gone_already_is_none)
{
	_cleanup_(freep) struct rpmsg_link *links = NULL;

	add_link(CDSP "/virtio0", "virtio", 0);
	take_away("sys/devices/" CDSP);
	ck_assert_int_eq(rpmsg_scan_links(machine.sysfs.text, &links), 0);
}
END_TEST

START_TEST(services_are_those_beside_the_control_device_that_nobody_has_taken)
{
	struct rpmsg_link link;

	add_link(CDSP "/virtio0", "virtio", 0);
	add_service(CDSP "/virtio0", "one", 1024);
	add_service(CDSP "/virtio0", "two", 1025);
	link = only_link();
	add_link(ADSP "/virtio1", "virtio", 1);
	add_service(ADSP "/virtio1", "another-processors", 1024);
	ck_assert_str_eq(services_of(&link), "one two");

	/* Bound to a driver; the kernel's own, before theirs is; and what is no service at all. */
	machine_link(&machine,
		path_join("%s/driver", service_path(CDSP "/virtio0", "one", 1024).text).text,
		"sys/bus/rpmsg");
	add_service(CDSP "/virtio0", "rpmsg_ns", 53);
	add_device("sys/devices/" CDSP "/virtio0/virtio0.odd", "platform");
	ck_assert_str_eq(services_of(&link), "two");
}
END_TEST

START_TEST(addresses_are_read_as_the_kernel_writes_them)
{
	static const struct {
		const char *text;
		int r;
		uint32_t address;
	} cases[] = {
		{"0x400\n", 0, 1024},
		{"0xffffffff\n", 0, UINT32_MAX},
		{"1024\n", 0, 1024},
		{"4294967295\n", 0, UINT32_MAX},
		{"-1\n", 0, UINT32_MAX},
		{"-2147483648\n", 0, 0x80000000},
		{"-2147483649\n", -EINVAL, 0},
		{"4294967296\n", -ERANGE, 0},
		{"0x100000000\n", -ERANGE, 0},
		{"-0\n", -EINVAL, 0},
		{"-\n", -EINVAL, 0},
		{"--1\n", -EINVAL, 0},
		{"-1x\n", -EINVAL, 0},
		{"\n", -EINVAL, 0},
		{"x\n", -EINVAL, 0},
		{"1\n2\n", -E2BIG, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t address = 0;

		machine_write(&machine, "address", cases[i].text);
		ck_assert_int_eq(rpmsg_read_address(machine_path(&machine, "address").text,
					 &address),
			cases[i].r);
		ck_assert_uint_eq(address, cases[i].address);
	}
}
END_TEST

START_TEST(an_address_that_means_any_is_a_service_only_where_names_are_what_counts)
{
	struct rpmsg_link link;

	add_link(CDSP "/virtio0", "virtio", 0);
	add_service(CDSP "/virtio0", "any", UINT32_MAX);
	link = only_link();
	ck_assert_str_eq(services_of(&link), "");
	link.virtio = false;
	ck_assert_str_eq(services_of(&link), "any");
}
END_TEST

START_TEST(a_remote_processor_that_announces_without_end_costs_a_bounded_list)
{
	_cleanup_(freep) struct rpmsg_service *services = NULL;
	struct rpmsg_link link;

	add_link(CDSP "/virtio0", "virtio", 0);
	link = only_link();
	for (unsigned int i = 0; i < RPMSG_SCAN_MAX + 10; i++)
		add_service(CDSP "/virtio0", "many", 1024 + i);
	ck_assert_int_le(rpmsg_scan_services(&link, &services), RPMSG_SCAN_MAX);
}
END_TEST

START_TEST(a_link_is_not_alive_from_the_moment_that_it_begins_to_go)
{
	struct rpmsg_link link;
	struct path uevents[2];

	add_link(CDSP "/virtio0", "virtio", 0);
	link = only_link();
	ck_assert(is_alive(&link));
	link.instance++;
	ck_assert(!is_alive(&link));
	link.instance--;
	uevents[0] = path_join("%s/uevent", "sys/devices/" CDSP "/virtio0");
	uevents[1] = path_join("%s/virtio0.rpmsg_ctrl.0.0/uevent", "sys/devices/" CDSP "/virtio0");
	for (size_t i = 0; i < ARRAY_SIZE(uevents); i++) {
		take_away(uevents[i].text);
		ck_assert(!is_alive(&link));
		machine_write(&machine, uevents[i].text, "");
		ck_assert(is_alive(&link));
	}
	take_away("sys/class/rpmsg/rpmsg_ctrl0");
	ck_assert(!is_alive(&link));
}
END_TEST

/* Nodes. */

static void *give(void *path)
{
	ck_assert_int_eq(chmod(path, 0600), 0);
	return NULL;
}

START_TEST(a_node_is_opened_as_soon_as_it_is_given_to_us)
{
	struct path path = machine_path(&machine, "dev/rpmsg0");
	_cleanup_(fd_closep) int fd = -1;
	pthread_t thread;

	machine_write(&machine, "dev/rpmsg0", "");
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(chmod(path.text, 0), 0);
		ck_assert_int_eq(rpmsg_node_open(&machine.broker, "rpmsg0", 0), -EACCES);
		ck_assert_int_eq(pthread_create(&thread, NULL, give, path.text), 0);
		fd = rpmsg_node_open(&machine.broker, "rpmsg0", 60000);
		ck_assert_int_ge(fd, 0);
		fd = fd_close(fd);
		pthread_join(thread, NULL);
	}
}
END_TEST

static void *destroy(void *path)
{
	ck_assert_int_eq(unlink(path), 0);
	return NULL;
}

START_TEST(a_node_that_goes_is_not_waited_for)
{
	struct path path = machine_path(&machine, "dev/rpmsg0");
	pthread_t thread;

	ck_assert_int_eq(rpmsg_node_open(&machine.broker, "rpmsg0", 60000), -ENOENT);
	for (int i = 0; i < 20; i++) {
		machine_write(&machine, "dev/rpmsg0", "");
		ck_assert_int_eq(chmod(path.text, 0), 0);
		ck_assert_int_eq(pthread_create(&thread, NULL, destroy, path.text), 0);
		ck_assert_int_eq(rpmsg_node_open(&machine.broker, "rpmsg0", 60000), -ENOENT);
		pthread_join(thread, NULL);
	}
}
END_TEST

/* Devices and channels. */

static void begin(const char *policy)
{
	policy_unref(machine.broker.policy);
	machine.broker.policy = machine.broker.device_policy = parse(policy);
	ck_assert_int_eq(remoteprocs_init(&machine.broker), 0);
	ck_assert_int_eq(rpmsg_transport.probe(&machine.broker), 0);
	probed = true;
}

static struct device *device_named(const char *name)
{
	return device_find(&machine.broker, path_join("%s/", name).text, NULL);
}

static size_t count_devices(void)
{
	struct device *device;
	size_t n = 0;

	list_for_each (device, &machine.broker.devices, link)
		n++;
	return n;
}

static struct channel *channel(const char *device, const char *service)
{
	return device_channel(device_named(device), service);
}

/* Something has happened to a remote processor: that is a reason to look. */
static void change(int n, const char *state)
{
	struct path number = path_join("remoteproc%d", n);

	machine_write(&machine, machine_attribute(n, "state").text, state);
	remoteproc_refresh(remoteproc_by_name(&machine.broker, number.text));
}

START_TEST(a_device_is_called_as_policy_calls_its_remote_processor_or_by_its_number)
{
	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	machine_add_remoteproc(&machine, 1, "adsp\n", ADSP, "running\n");
	machine_add_remoteproc(&machine, 2, "m4\n", "platform/m4", "running\n");
	add_link(CDSP "/virtio0", "virtio", 0);
	add_link(ADSP "/virtio1", "virtio", 1);
	add_link("platform/m4/virtio2", "virtio", 2);
	add_link("platform/alone/virtio3", "virtio", 3);
	begin(DEVICES("{\"name\": \"sensors\", \"remoteproc\": \"adsp\"},"
		      "{\"name\": \"motor\", \"remoteproc\": \"remoteproc2\"}"));
	ck_assert_uint_eq(count_devices(), 4);
	ck_assert_str_eq(remoteproc_name(device_named("rpmsg0")->remoteproc), "remoteproc0");
	ck_assert_str_eq(remoteproc_name(device_named("sensors")->remoteproc), "remoteproc1");
	ck_assert_str_eq(remoteproc_name(device_named("motor")->remoteproc), "remoteproc2");
	ck_assert_ptr_null(device_named("rpmsg3")->remoteproc);
}
END_TEST

START_TEST(a_name_that_policy_has_for_another_remote_processor_is_not_taken)
{
	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	machine_add_remoteproc(&machine, 1, "adsp\n", ADSP, "running\n");
	add_link(CDSP "/virtio0", "virtio", 0);
	begin(DEVICES("{\"name\": \"rpmsg0\", \"remoteproc\": \"adsp\", \"without_iommu\": "
		      "\"accept\"},"
		      "{\"name\": \"rpmsg1\", \"transport\": \"soft\"}"));
	ck_assert_uint_eq(count_devices(), 1);
	ck_assert_ptr_nonnull(device_named("rpmsg2"));
	ck_assert_uint_eq(device_named("rpmsg2")->isolation, DSP_ISOLATION_REFUSED);
}
END_TEST

START_TEST(devices_keep_their_remote_processors_when_the_kernels_numbers_change)
{
	struct device *first, *second;
	uint32_t generation;

	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	machine_add_remoteproc(&machine, 1, "adsp\n", ADSP, "running\n");
	add_link(CDSP "/virtio0", "virtio", 0);
	add_link(ADSP "/virtio1", "virtio", 1);
	add_service(CDSP "/virtio0", "of-cdsp", 1024);
	add_service(ADSP "/virtio1", "of-adsp", 1024);
	begin(DEVICES(""));
	first = device_named("rpmsg0");
	second = device_named("rpmsg1");
	ck_assert(first->up && second->up);
	generation = first->generation;

	remove_link(CDSP "/virtio0", 0);
	remove_link(ADSP "/virtio1", 1);
	change(0, "offline\n");
	machine_await(&machine, !first->up && !second->up);
	ck_assert_ptr_null(device_channel(first, "of-cdsp"));

	add_link(ADSP "/virtio2", "virtio", 0);
	add_link(CDSP "/virtio3", "virtio", 1);
	add_service(CDSP "/virtio3", "of-cdsp", 1024);
	add_service(ADSP "/virtio2", "of-adsp", 1024);
	change(0, "running\n");
	machine_await(&machine, first->up && second->up);
	ck_assert_ptr_nonnull(device_channel(first, "of-cdsp"));
	ck_assert_ptr_nonnull(device_channel(second, "of-adsp"));
	ck_assert_uint_eq(first->n_channels, 1);
	ck_assert_uint_gt(first->generation, generation);
	ck_assert_uint_eq(count_devices(), 2);
}
END_TEST

START_TEST(a_link_that_was_replaced_before_we_looked_is_another_one)
{
	struct device *device;
	uint32_t generation;
	uint64_t id;

	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	add_link(CDSP "/virtio0", "virtio", 0);
	add_service(CDSP "/virtio0", "service", 1024);
	begin(DEVICES(""));
	device = device_named("rpmsg0");
	generation = device->generation;
	id = channel("rpmsg0", "service")->id;

	remove_link(CDSP "/virtio0", 0);
	add_link(CDSP "/virtio0", "virtio", 0);
	add_service(CDSP "/virtio0", "service", 1024);
	change(0, "attached\n");
	machine_await(&machine, device->generation != generation);
	ck_assert(device->up);
	ck_assert_uint_gt(channel("rpmsg0", "service")->id, id);
}
END_TEST

START_TEST(a_service_that_was_replaced_before_we_looked_is_another_one)
{
	uint64_t id;

	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	add_link(CDSP "/virtio0", "virtio", 0);
	add_service(CDSP "/virtio0", "service", 1024);
	begin(DEVICES(""));
	id = channel("rpmsg0", "service")->id;
	take_away(service_path(CDSP "/virtio0", "service", 1024).text);
	add_service(CDSP "/virtio0", "service", 1025);
	change(0, "attached\n");
	machine_await(&machine, channel("rpmsg0", "service")->id != id);
	ck_assert_uint_eq(channel("rpmsg0", "service")->address, 1025);
	ck_assert_uint_eq(device_named("rpmsg0")->n_channels, 1);
}
END_TEST

/* The kernel takes the control device first, and then what was announced. */
START_TEST(a_link_that_goes_takes_its_services_with_it_and_they_are_not_withdrawn)
{
	struct device *device;

	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	add_link(CDSP "/virtio0", "virtio", 0);
	add_service(CDSP "/virtio0", "service", 1024);
	begin(DEVICES(""));
	device = device_named("rpmsg0");
	take_away("sys/devices/" CDSP "/virtio0/uevent");
	take_away(service_path(CDSP "/virtio0", "service", 1024).text);
	change(0, "attached\n");
	machine_await(&machine, !device->up);
	/* It is the same link until it is gone, so it does not come up again. */
	change(0, "running\n");
	for (int i = 0; i < 3; i++)
		machine_turn(&machine);
	ck_assert(!device->up);
}
END_TEST

START_TEST(the_first_of_several_services_of_one_name_keeps_it)
{
	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	add_link(CDSP "/virtio0", "virtio", 0);
	add_service(CDSP "/virtio0", "same", 2000);
	begin(DEVICES(""));
	add_service(CDSP "/virtio0", "same", 1000);
	change(0, "attached\n");
	machine_await(&machine, channel("rpmsg0", "same.1000"));
	ck_assert_uint_eq(channel("rpmsg0", "same")->address, 2000);
	ck_assert_uint_eq(channel("rpmsg0", "same.1000")->address, 1000);

	take_away(service_path(CDSP "/virtio0", "same", 2000).text);
	change(0, "running\n");
	machine_await(&machine, !channel("rpmsg0", "same"));
	ck_assert_uint_eq(channel("rpmsg0", "same.1000")->address, 1000);
}
END_TEST

START_TEST(what_policy_says_of_a_service_holds_whatever_is_announced)
{
	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	add_link(CDSP "/virtio0", "virtio", 0);
	add_service(CDSP "/virtio0", "fixed", 2000);
	begin(DEVICES("{\"name\": \"rpmsg0\", \"services\": {\"fixed\": 1000, \"silent\": 1001}}"));
	ck_assert_uint_eq(channel("rpmsg0", "fixed")->address, 1000);
	ck_assert_uint_eq(channel("rpmsg0", "silent")->address, 1001);
	ck_assert_uint_eq(device_named("rpmsg0")->n_channels, 2);

	remove_link(CDSP "/virtio0", 0);
	change(0, "offline\n");
	machine_await(&machine, !device_named("rpmsg0")->up);
	ck_assert_uint_eq(device_named("rpmsg0")->n_channels, 2);
}
END_TEST

START_TEST(a_device_has_a_bounded_number_of_channels_and_room_for_others_when_some_go)
{
	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	add_link(CDSP "/virtio0", "virtio", 0);
	for (unsigned int i = 0; i <= LIMIT_DEVICE_CHANNELS; i++)
		add_service(CDSP "/virtio0", "many", 1000 + i);
	begin(DEVICES(""));
	ck_assert_uint_eq(device_named("rpmsg0")->n_channels, LIMIT_DEVICE_CHANNELS);
	ck_assert_ptr_null(channel("rpmsg0", "many.1256"));
	take_away(service_path(CDSP "/virtio0", "many", 1100).text);
	change(0, "attached\n");
	machine_await(&machine, channel("rpmsg0", "many.1256"));
	ck_assert_uint_eq(device_named("rpmsg0")->n_channels, LIMIT_DEVICE_CHANNELS);
}
END_TEST

START_TEST(an_iommu_of_the_remote_processor_or_of_the_link_isolates_it)
{
	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "running\n");
	machine_add_remoteproc(&machine, 1, "adsp\n", ADSP, "running\n");
	machine_add_remoteproc(&machine, 2, "m4\n", "platform/m4", "running\n");
	isolate(CDSP, 3);
	isolate("platform/alone", 4);
	add_link(CDSP "/virtio0", "virtio", 0);
	add_link(ADSP "/virtio1", "virtio", 1);
	add_link("platform/m4/virtio2", "virtio", 2);
	add_link("platform/alone/virtio3", "virtio", 3);
	add_link("platform/open/virtio4", "virtio", 4);
	begin(DEVICES("{\"name\": \"rpmsg2\", \"without_iommu\": \"accept\"}"));
	ck_assert_uint_eq(device_named("rpmsg0")->isolation, DSP_ISOLATION_IOMMU);
	ck_assert_uint_eq(device_named("rpmsg1")->isolation, DSP_ISOLATION_REFUSED);
	ck_assert_uint_eq(device_named("rpmsg2")->isolation, DSP_ISOLATION_ACCEPTED);
	ck_assert_uint_eq(device_named("rpmsg3")->isolation, DSP_ISOLATION_IOMMU);
	ck_assert_uint_eq(device_named("rpmsg4")->isolation, DSP_ISOLATION_REFUSED);
}
END_TEST

#define DEMANDED(more)                                                                 \
	"{\"name\": \"sensors\", \"transport\": \"rpmsg\", \"remoteproc\": \"cdsp\", " \
	"\"lifecycle\": \"on-demand\"" more "}"

START_TEST(what_is_started_on_demand_is_there_before_its_link)
{
	struct device *device;

	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "offline\n");
	begin(DEVICES(DEMANDED("")));
	device = device_named("sensors");
	ck_assert(device->up);
	ck_assert(device->any_service);
	ck_assert_uint_eq(device->n_channels, 0);

	add_link(CDSP "/virtio0", "virtio", 5);
	add_service(CDSP "/virtio0", "service", 1024);
	change(0, "running\n");
	machine_await(&machine, channel("sensors", "service"));
	/* For what else it may announce, for a moment; then what is listed is all. */
	machine_await(&machine, !device->any_service);
	ck_assert_uint_eq(count_devices(), 1);

	remove_link(CDSP "/virtio0", 5);
	change(0, "offline\n");
	machine_await(&machine, device->any_service);
	ck_assert(device->up);
	ck_assert_uint_eq(device->n_channels, 0);
}
END_TEST

START_TEST(what_is_to_be_started_need_not_be_there_yet)
{
	machine_add_remoteproc(&machine, 1, "adsp\n", ADSP, "running\n");
	add_link(ADSP "/virtio0", "virtio", 0);
	begin(DEVICES(DEMANDED("")));
	ck_assert_ptr_null(device_named("sensors"));
	machine_add_remoteproc(&machine, 0, "cdsp\n", CDSP, "offline\n");
	change(1, "attached\n");
	machine_await(&machine, device_named("sensors"));
	ck_assert(device_named("sensors")->up);
	ck_assert_uint_eq(count_devices(), 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("rpmsg scan");
	TCase *tcase = tcase_create("scan");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_machine_without_rpmsg_has_no_links);
	tcase_add_test(tcase, links_are_known_by_their_control_devices_and_sorted_by_number);
	tcase_add_test(tcase, a_link_whose_device_is_gone_already_is_none);
	tcase_add_test(tcase, services_are_those_beside_the_control_device_that_nobody_has_taken);
	tcase_add_test(tcase, addresses_are_read_as_the_kernel_writes_them);
	tcase_add_test(tcase,
		an_address_that_means_any_is_a_service_only_where_names_are_what_counts);
	tcase_add_test(tcase, a_remote_processor_that_announces_without_end_costs_a_bounded_list);
	tcase_add_test(tcase, a_link_is_not_alive_from_the_moment_that_it_begins_to_go);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("nodes");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_node_is_opened_as_soon_as_it_is_given_to_us);
	tcase_add_test(tcase, a_node_that_goes_is_not_waited_for);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("devices");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase,
		a_device_is_called_as_policy_calls_its_remote_processor_or_by_its_number);
	tcase_add_test(tcase, a_name_that_policy_has_for_another_remote_processor_is_not_taken);
	tcase_add_test(tcase, devices_keep_their_remote_processors_when_the_kernels_numbers_change);
	tcase_add_test(tcase, a_link_that_was_replaced_before_we_looked_is_another_one);
	tcase_add_test(tcase, a_service_that_was_replaced_before_we_looked_is_another_one);
	tcase_add_test(tcase,
		a_link_that_goes_takes_its_services_with_it_and_they_are_not_withdrawn);
	tcase_add_test(tcase, the_first_of_several_services_of_one_name_keeps_it);
	tcase_add_test(tcase, what_policy_says_of_a_service_holds_whatever_is_announced);
	tcase_add_test(tcase,
		a_device_has_a_bounded_number_of_channels_and_room_for_others_when_some_go);
	tcase_add_test(tcase, an_iommu_of_the_remote_processor_or_of_the_link_isolates_it);
	tcase_add_test(tcase, what_is_started_on_demand_is_there_before_its_link);
	tcase_add_test(tcase, what_is_to_be_started_need_not_be_there_yet);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
