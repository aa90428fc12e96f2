// SPDX-License-Identifier: MIT
/*
 * FastRPC's devices in a sysfs of files: several DSPs, what is there only in the midst of things,
 * and what does not isolate. tests/kernel has what one real kernel shows.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/broker.h"
#include "daemon/transport/fastrpc/misc/scan.h"
#include "daemon/transport/fastrpc/modules.h"
#include "tests/suite.h"
#include "tests/unit/machine.h"

#define DRIVER      "sys/bus/rpmsg/drivers/qcom,fastrpc"
#define BANK_DRIVER "sys/bus/platform/drivers/qcom,fastrpc-cb"
#define MODULES     "modules"
#define MODULES_MAX 8

static struct machine machine;
static struct fastrpc_found *found;

static void set_up(void)
{
	machine_start(&machine);
	machine_make_folder(&machine, "sys/class/misc");
	machine_make_folder(&machine, "sys/devices/virtual/misc");
	machine_make_folder(&machine, DRIVER);
	machine_make_folder(&machine, BANK_DRIVER);
	machine_make_folder(&machine, "gone");
	machine_make_folder(&machine, MODULES);
	/* As in the real one. */
	machine_write(&machine, DRIVER "/bind", "");
	machine_write(&machine, DRIVER "/uevent", "");
}

static void tear_down(void)
{
	free(found);
	found = NULL;
	machine_stop(&machine);
}

/* Building. */

/* A node, with what is in /dev last, as the kernel does it. */
static void add_node(const char *name)
{
	struct path device = path_join("sys/devices/virtual/misc/%s", name);

	machine_make_folder(&machine, device.text);
	machine_link(&machine, path_join("sys/class/misc/%s", name).text, device.text);
	machine_write(&machine, path_join("dev/%s", name).text, "");
}

/* Out of the way, but still there: nothing new gets its inode. */
static void remove_node(const char *name)
{
	static int n;
	struct path from = machine_path(&machine, path_join("sys/class/misc/%s", name).text);
	struct path to = machine_path(&machine, path_join("gone/%d", n++).text);

	machine_remove(&machine, path_join("dev/%s", name).text);
	ck_assert_int_eq(rename(from.text, to.text), 0);
}

static struct path device_folder(const char *name)
{
	return path_join("sys/devices/platform/%s/%s.channel", name, name);
}

/* The rpmsg device of a DSP; its label is as long as it is said to be. */
static void add_rpmsg_device(const char *name, const char *label, size_t size)
{
	struct path folder = device_folder(name);
	struct path node = machine_path(&machine, path_join("%s/of_node", folder.text).text);
	_cleanup_(fd_closep) int fd = -1;

	machine_make_folder(&machine, path_join("%s/of_node", folder.text).text);
	fd = open(path_join("%s/label", node.text).text, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, label, size), (ssize_t)size);
	machine_link(&machine, path_join(DRIVER "/%s.channel", name).text, folder.text);
}

/* A context bank; @type of its IOMMU's domain, NULL: it has none. */
static void add_bank(const char *name, int n, const char *type)
{
	struct path bank = path_join("%s/compute-cb@%d", device_folder(name).text, n);

	machine_make_folder(&machine, bank.text);
	machine_link(&machine, path_join("%s/driver", bank.text).text, BANK_DRIVER);
	if (!type)
		return;
	machine_make_folder(&machine, path_join("%s/iommu_group", bank.text).text);
	machine_write(&machine, path_join("%s/iommu_group/type", bank.text).text, type);
}

static void add_property(const char *name, int n, const char *property)
{
	struct path node = path_join("%s/compute-cb@%d/of_node", device_folder(name).text, n);

	machine_make_folder(&machine, node.text);
	machine_write(&machine, path_join("%s/%s", node.text, property).text, "");
}

static void add_cdsp_without_banks(void)
{
	add_node("fastrpc-cdsp-secure");
	add_node("fastrpc-cdsp");
	add_rpmsg_device("cdsp", "cdsp", sizeof("cdsp"));
}

static void add_cdsp(void)
{
	add_cdsp_without_banks();
	add_bank("cdsp", 0, "DMA\n");
}

static ssize_t scan(void)
{
	const struct broker_options options = {
		.sysfs = machine.sysfs.text, .dev = machine.dev.text};
	struct broker broker = {.options = &options};

	free(found);
	found = NULL;
	return misc_scan(&broker, &found);
}

static bool is_isolated(void)
{
	ck_assert_int_eq(scan(), 1);
	return found[0].isolated;
}

/* Devices. */

START_TEST(nothing_is_found_on_a_machine_without_it)
{
	ck_assert_int_eq(scan(), 0);
	machine_remove(&machine, "sys/class/misc");
	ck_assert_int_eq(scan(), 0);
}
END_TEST

START_TEST(a_dsp_has_its_nodes_its_number_and_its_place)
{
	struct path folder;

	add_cdsp();
	ck_assert_int_eq(scan(), 1);
	ck_assert_str_eq(found[0].label, "cdsp");
	ck_assert_uint_eq(found[0].number, 3);
	ck_assert_str_eq(found[0].plain, "fastrpc-cdsp");
	ck_assert_str_eq(found[0].secure, "fastrpc-cdsp-secure");
	ck_assert_int_eq(sysfs_resolve(machine_path(&machine, device_folder("cdsp").text).text,
				 &folder),
		0);
	ck_assert_str_eq(found[0].folder.text, folder.text);
}
END_TEST

START_TEST(dsps_are_told_apart_and_sorted_by_label)
{
	static const char *const expected[] = {"adsp", "cdsp", "cdsp1", "gdsp0", "sdsp"};
	static const uint32_t numbers[] = {0, 3, 4, 5, 2};

	add_node("fastrpc-sdsp");
	add_node("fastrpc-gdsp0-secure");
	add_node("fastrpc-cdsp1");
	add_cdsp();
	add_node("fastrpc-adsp-secure");
	ck_assert_int_eq(scan(), ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		ck_assert_str_eq(found[i].label, expected[i]);
		ck_assert_uint_eq(found[i].number, numbers[i]);
		ck_assert_int_eq(*found[i].folder.text != '\0', i == 1);
	}
	ck_assert(!*found[0].plain && *found[0].secure);
	ck_assert(*found[2].plain && !*found[2].secure);
}
END_TEST

START_TEST(what_no_dsp_is_called_is_left_out)
{
	add_node("fastrpc-");
	add_node("fastrpc--secure");
	add_node("fastrpc-cds");
	add_node("fastrpc-cdsp-secure-secure");
	add_node("fastrpc-cdsp2");
	add_node("cdsp");
	ck_assert_int_eq(scan(), 0);
}
END_TEST

START_TEST(a_node_counts_when_it_is_in_the_device_folder)
{
	add_cdsp();
	machine_remove(&machine, "dev/fastrpc-cdsp");
	ck_assert_int_eq(scan(), 1);
	ck_assert(!*found[0].plain && *found[0].secure);
	machine_remove(&machine, "dev/fastrpc-cdsp-secure");
	ck_assert_int_eq(scan(), 0);
}
END_TEST

START_TEST(its_instance_is_another_only_after_it_went_and_came_back)
{
	uint64_t instance;

	/* In the order of the kernel. */
	add_node("fastrpc-cdsp-secure");
	ck_assert_int_eq(scan(), 1);
	instance = found[0].instance;
	add_node("fastrpc-cdsp");
	ck_assert_int_eq(scan(), 1);
	ck_assert_uint_eq(found[0].instance, instance);
	remove_node("fastrpc-cdsp");
	ck_assert_int_eq(scan(), 1);
	ck_assert_uint_eq(found[0].instance, instance);
	remove_node("fastrpc-cdsp-secure");
	ck_assert_int_eq(scan(), 0);
	add_node("fastrpc-cdsp-secure");
	add_node("fastrpc-cdsp");
	ck_assert_int_eq(scan(), 1);
	ck_assert_uint_ne(found[0].instance, instance);
}
END_TEST

START_TEST(its_place_is_not_guessed)
{
	char unterminated[64];

	memset(unterminated, 'c', sizeof(unterminated));
	add_node("fastrpc-cdsp");
	add_rpmsg_device("longer", "cdsp1", sizeof("cdsp1"));
	add_rpmsg_device("shorter", "cds", sizeof("cds"));
	add_rpmsg_device("empty", "", 0);
	add_rpmsg_device("no-string", "cdsp", strlen("cdsp"));
	add_rpmsg_device("too-long", unterminated, sizeof(unterminated));
	ck_assert_int_eq(scan(), 1);
	ck_assert_str_eq(found[0].folder.text, "");
	ck_assert(!found[0].isolated);
}
END_TEST

/* Isolation. */

START_TEST(a_dsp_is_isolated_when_every_context_bank_is)
{
	add_cdsp();
	add_bank("cdsp", 1, "DMA\n");
	ck_assert(is_isolated());
	add_bank("cdsp", 2, "DMA-FQ\n");
	ck_assert(is_isolated());
	add_bank("cdsp", 3, NULL);
	ck_assert(!is_isolated());
}
END_TEST

/* The driver makes them after the nodes. */
START_TEST(a_dsp_is_found_when_it_has_a_context_bank)
{
	add_cdsp_without_banks();
	ck_assert_int_eq(scan(), 0);
	/* One that the driver has not taken gives no session. */
	machine_make_folder(&machine,
		path_join("%s/compute-cb@1/iommu_group", device_folder("cdsp").text).text);
	ck_assert_int_eq(scan(), 0);
	add_bank("cdsp", 2, "DMA\n");
	ck_assert(is_isolated());
}
END_TEST

START_TEST(a_dsp_is_coherent_when_every_context_bank_is)
{
	add_cdsp();
	ck_assert_int_eq(scan(), 1);
	ck_assert(!found[0].coherent);
	add_property("cdsp", 0, "dma-coherent");
	ck_assert_int_eq(scan(), 1);
	ck_assert(found[0].coherent);
	add_bank("cdsp", 1, "DMA\n");
	ck_assert_int_eq(scan(), 1);
	ck_assert(!found[0].coherent);
}
END_TEST

START_TEST(an_iommu_that_lets_everything_through_does_not_isolate)
{
	add_cdsp();
	add_bank("cdsp", 1, "DMA\n");
	add_bank("cdsp", 2, "identity\n");
	ck_assert(!is_isolated());
}
END_TEST

START_TEST(a_group_of_the_device_above_does_not_isolate)
{
	struct path group = path_join("%s/iommu_group", device_folder("cdsp").text);

	add_cdsp();
	add_bank("cdsp", 1, NULL);
	machine_make_folder(&machine, group.text);
	machine_write(&machine, path_join("%s/type", group.text).text, "DMA\n");
	ck_assert(!is_isolated());
}
END_TEST

/* Modules. */

static char (*modules)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE];
static size_t n_modules;

static void add_library(const char *file)
{
	machine_write(&machine, path_join(MODULES "/%s", file).text, "");
}

static int scan_modules(const char *directory)
{
	return fastrpc_scan_modules(machine_path(&machine, directory).text, &modules, &n_modules,
		MODULES_MAX);
}

static void forget_modules(void)
{
	free(modules);
	modules = NULL;
	n_modules = 0;
}

START_TEST(modules_are_named_as_their_libraries_say)
{
	add_library("libdenoise_skel.so");
	add_library("libA_9_skel.so");
	add_library("lib_skel.so");
	add_library("libdenoise.so");
	add_library("denoise_skel.so");
	add_library("libdot.dot_skel.so");
	add_library("libslash-_skel.so");
	add_library("libold_skel.so.1");
	ck_assert_int_eq(scan_modules(MODULES), 0);
	ck_assert_uint_eq(n_modules, 2);
	ck_assert_str_eq(modules[0], "A_9");
	ck_assert_str_eq(modules[1], "denoise");
	forget_modules();
}
END_TEST

START_TEST(modules_of_several_directories_are_each_found_once)
{
	add_library("libb_skel.so");
	ck_assert_int_eq(scan_modules(MODULES), 0);
	add_library("liba_skel.so");
	ck_assert_int_eq(scan_modules(MODULES), 0);
	ck_assert_uint_eq(n_modules, 2);
	ck_assert_str_eq(modules[0], "b");
	ck_assert_str_eq(modules[1], "a");
	ck_assert_int_eq(scan_modules("nowhere"), -ENOENT);
	ck_assert_uint_eq(n_modules, 2);
	forget_modules();
}
END_TEST

START_TEST(no_more_modules_are_found_than_there_may_be)
{
	for (int i = 0; i < 2 * MODULES_MAX; i++)
		add_library(path_join("libm%d_skel.so", i).text);
	ck_assert_int_eq(scan_modules(MODULES), 0);
	ck_assert_uint_eq(n_modules, MODULES_MAX);
	ck_assert_int_eq(scan_modules(MODULES), 0);
	ck_assert_uint_eq(n_modules, MODULES_MAX);
	forget_modules();
}
END_TEST

START_TEST(the_name_of_a_module_fits_into_a_channels)
{
	char name[DSP_CHANNEL_SIZE];
	size_t length_max = DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE - 1;

	memset(name, 'a', sizeof(name));
	name[length_max] = '\0';
	ck_assert(fastrpc_is_module(name));
	add_library(path_join("lib%s_skel.so", name).text);
	name[length_max] = 'a';
	name[length_max + 1] = '\0';
	ck_assert(!fastrpc_is_module(name));
	add_library(path_join("lib%s_skel.so", name).text);
	ck_assert(!fastrpc_is_module(""));
	ck_assert(!fastrpc_is_module("../a"));
	ck_assert(!fastrpc_is_module("a&_dom=adsp"));
	ck_assert_int_eq(scan_modules(MODULES), 0);
	ck_assert_uint_eq(n_modules, 1);
	ck_assert_uint_eq(strlen(modules[0]), length_max);
	forget_modules();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("finding FastRPC's devices");
	TCase *tcase = tcase_create("scan");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, nothing_is_found_on_a_machine_without_it);
	tcase_add_test(tcase, a_dsp_has_its_nodes_its_number_and_its_place);
	tcase_add_test(tcase, dsps_are_told_apart_and_sorted_by_label);
	tcase_add_test(tcase, what_no_dsp_is_called_is_left_out);
	tcase_add_test(tcase, a_node_counts_when_it_is_in_the_device_folder);
	tcase_add_test(tcase, its_instance_is_another_only_after_it_went_and_came_back);
	tcase_add_test(tcase, its_place_is_not_guessed);
	tcase_add_test(tcase, a_dsp_is_isolated_when_every_context_bank_is);
	tcase_add_test(tcase, a_dsp_is_found_when_it_has_a_context_bank);
	tcase_add_test(tcase, a_dsp_is_coherent_when_every_context_bank_is);
	tcase_add_test(tcase, an_iommu_that_lets_everything_through_does_not_isolate);
	tcase_add_test(tcase, a_group_of_the_device_above_does_not_isolate);
	tcase_add_test(tcase, modules_are_named_as_their_libraries_say);
	tcase_add_test(tcase, modules_of_several_directories_are_each_found_once);
	tcase_add_test(tcase, no_more_modules_are_found_than_there_may_be);
	tcase_add_test(tcase, the_name_of_a_module_fits_into_a_channels);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
