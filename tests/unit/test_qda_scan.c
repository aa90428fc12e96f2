// SPDX-License-Identifier: MIT
/*
 * Devices of the DRM accel driver in a sysfs of files. A node is a file that holds what it would
 * say of itself, "DRIVER DSP", for ioctl() is ours; what asks is the real thing, from the process
 * that opens nodes to libdrm. tests/kernel has a real driver.
 */
#include <drm.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "daemon/limits.h"
#include "daemon/transport/qda/scan.h"
#include "tests/suite.h"
#include "tests/unit/log_rig.h"
#include "tests/unit/machine.h"

#define IOCTL_QUERY _IOR('d', 0x40, char[16])
#define DSP         "dsp"
#define OTHER       "other"

static struct machine machine;
static struct fastrpc_found *found;
static unsigned int news;

/* The drivers. */

static atomic_uint asked;      /* ioctls */
static atomic_bool takes_long; /* they do not return until it is false */
static atomic_int fails;       /* with that errno, if the node is a DSP's */

/* What a node says of itself. False: it is none of ours. */
static bool read_node(int fd, char driver[16], char dsp[17])
{
	char text[64];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[MAX(n, 0)] = '\0';
	memset(dsp, 0, 17);
	return sscanf(text, "%15s %16s", driver, dsp) >= 1;
}

static int answer_version(struct drm_version *version, const char *driver)
{
	if (version->name && version->name_len)
		memcpy(version->name, driver, MIN(version->name_len, strlen(driver)));
	version->name_len = strlen(driver);
	version->date_len = version->desc_len = 0;
	return 0;
}

/* Another's than the C library's, for libdrm as well. */
int ioctl(int fd, unsigned long request, ...)
{
	char driver[16], dsp[17];
	va_list list;
	void *argument;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	asked++;
	while (takes_long)
		sched_yield();
	if (!read_node(fd, driver, dsp)) {
		errno = ENOTTY;
		return -1;
	}
	if (request == DRM_IOCTL_VERSION)
		return answer_version(argument, driver);
	ck_assert_uint_eq(request, IOCTL_QUERY);
	ck_assert_str_eq(driver, "qda");
	errno = fails;
	if (errno)
		return -1;
	memcpy(argument, dsp, 16); /* of 16 bytes none is left for a NUL */
	return 0;
}

/* Building. */

static void count_news(void)
{
	news++;
}

static void start_scanner(void)
{
	qda_scan_start(&machine.broker, count_news);
}

static void set_up(void)
{
	machine_start(&machine);
	machine_make_folder(&machine, "dev/accel");
	machine_make_folder(&machine, "dev/dri");
	machine_make_folder(&machine, "sys/class/accel");
	machine_make_folder(&machine, "sys/class/drm");
	machine_make_folder(&machine, "sys/bus/rpmsg");
	machine_make_folder(&machine, "sys/bus/pci");
	machine_make_folder(&machine, "gone");
	asked = news = 0;
	takes_long = false;
	fails = 0;
	log_rig_begin();
}

static void tear_down(void)
{
	log_rig_end();
	qda_scan_stop();
	ck_assert_uint_eq(deadline_next(&machine.broker.deadlines), UINT64_MAX);
	free(found);
	found = NULL;
	machine_stop(&machine);
}

static struct path device_folder(const char *name)
{
	return path_join("sys/devices/%s", name);
}

static void add_device(const char *name, const char *bus)
{
	struct path folder = device_folder(name);

	machine_make_folder(&machine, folder.text);
	machine_link(&machine, path_join("%s/subsystem", folder.text).text,
		path_join("sys/bus/%s", bus).text);
}

/* A context bank that the device tree knows by those names. */
static void add_bank(const char *device, int n, const char *names, size_t size)
{
	struct path bank = path_join("%s/cb@%d", device_folder(device).text, n);
	struct path file = path_join("%s/of_node/compatible", bank.text);
	FILE *compatible;

	machine_make_folder(&machine, path_join("%s/of_node", bank.text).text);
	machine_make_folder(&machine, path_join("%s/iommu_group", bank.text).text);
	machine_write(&machine, path_join("%s/iommu_group/type", bank.text).text, "DMA\n");
	compatible = fopen(machine_path(&machine, file.text).text, "we");
	ck_assert_ptr_nonnull(compatible);
	ck_assert_uint_eq(fwrite(names, 1, size, compatible), size);
	ck_assert_int_eq(fclose(compatible), 0);
}
#define BANK "qcom,fastrpc-compute-cb"

static void add_node(const char *class, const char *dev, const char *name, const char *device,
	const char *says)
{
	struct path place = path_join("%s/%s/%s", device_folder(device).text, class, name);

	machine_make_folder(&machine, place.text);
	machine_link(&machine, path_join("%s/device", place.text).text, device_folder(device).text);
	machine_write(&machine, path_join("dev/%s/%s", dev, name).text, says);
	machine_link(&machine, path_join("sys/class/%s/%s", class, name).text, place.text);
}

static void add_accel(const char *name, const char *device, const char *says)
{
	add_node("accel", "accel", name, device, says);
}

/* Out of the way, but still there: nothing new gets its inode. */
static void remove_accel(const char *name, const char *device)
{
	static int n;
	struct path from = machine_path(&machine, path_join("sys/class/accel/%s", name).text);
	struct path to = machine_path(&machine, path_join("gone/%d", n++).text);

	ck_assert_int_eq(rename(from.text, to.text), 0);
	machine_remove(&machine, path_join("dev/accel/%s", name).text);
	machine_remove(&machine, path_join("%s/accel", device_folder(device).text).text);
}

static void add_dsp(const char *device)
{
	add_device(device, "rpmsg");
	add_bank(device, 1, BANK, sizeof(BANK));
}

static void let_open(const char *name, bool may)
{
	struct path path = machine_path(&machine, path_join("dev/%s", name).text);

	ck_assert_int_eq(chmod(path.text, may ? 0644 : 0), 0);
}

static ssize_t scan(void)
{
	free(found);
	found = NULL;
	return qda_scan(&machine.broker, &found);
}

/* What it found when there are news, which there will be. */
static ssize_t scan_after_news(void)
{
	const unsigned int before = news;

	scan();
	machine_await(&machine, news > before);
	return scan();
}

/* What is asked. */

START_TEST(nothing_is_found_on_a_machine_without_it)
{
	machine_remove(&machine, "sys/class/accel");
	machine_remove(&machine, "sys/class/drm");
	start_scanner();
	ck_assert_int_eq(scan(), 0);
	ck_assert_ptr_null(found);
}
END_TEST

START_TEST(a_dsp_is_the_one_that_its_node_names)
{
	struct path folder;

	add_dsp(DSP);
	add_accel("accel3", DSP, "qda cdsp");
	start_scanner();
	ck_assert_int_eq(scan(), 1);
	ck_assert_str_eq(found[0].label, "cdsp");
	ck_assert_uint_eq(found[0].number, 3);
	ck_assert_str_eq(found[0].plain, "accel/accel3");
	ck_assert_str_eq(found[0].secure, "");
	ck_assert_int_eq(sysfs_resolve(machine_path(&machine, device_folder(DSP).text).text,
				 &folder),
		0);
	ck_assert_str_eq(found[0].folder.text, folder.text);
	ck_assert_uint_eq(log_rig_lines(), 0);
}
END_TEST

START_TEST(a_node_is_asked_once)
{
	unsigned int before;

	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	start_scanner();
	before = asked;
	ck_assert_uint_gt(before, 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(scan(), 1);
	ck_assert_uint_eq(asked, before);
}
END_TEST

START_TEST(several_dsps_are_sorted_by_label)
{
	static const char *const labels[] = {"adsp", "cdsp", "gdsp1"};
	static const char *const nodes[] = {"accel/accel1", "accel/accel0", "accel/accel10"};

	add_dsp("a");
	add_dsp("b");
	add_dsp("c");
	add_accel("accel0", "a", "qda cdsp");
	add_accel("accel10", "b", "qda gdsp1");
	add_accel("accel1", "c", "qda adsp");
	start_scanner();
	ck_assert_int_eq(scan(), ARRAY_SIZE(labels));
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		ck_assert_str_eq(found[i].label, labels[i]);
		ck_assert_str_eq(found[i].plain, nodes[i]);
	}
}
END_TEST

/* For them it may mean something to be opened. */
START_TEST(nodes_of_other_kinds_of_devices_are_not_asked)
{
	add_device(DSP, "pci");
	add_bank(DSP, 1, BANK, sizeof(BANK));
	add_accel("accel0", DSP, "qda cdsp");
	add_dsp(OTHER);
	add_accel("accel", OTHER, "qda cdsp");
	add_accel("accel1x", OTHER, "qda cdsp");
	add_accel("accel_ctl", OTHER, "qda cdsp");
	machine_make_folder(&machine, "sys/class/accel/accel7");
	start_scanner();
	ck_assert_int_eq(scan(), 0);
	ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(another_drivers_node_is_none)
{
	static const char *const says[] = {"qd cdsp", "qdas cdsp", "QDA cdsp", "fastrpc cdsp", ""};
	unsigned int before;

	add_dsp(DSP);
	for (size_t i = 0; i < ARRAY_SIZE(says); i++)
		add_accel(path_join("accel%zu", i).text, DSP, says[i]);
	log_rig_end();
	log_rig_begin();
	start_scanner();
	before = asked;
	ck_assert_int_eq(scan(), 0);
	ck_assert_uint_eq(asked, before);
	/* Which is no node of DRM's at all. */
	ck_assert_uint_eq(log_rig_lines(), 1);
	ck_assert_ptr_nonnull(strstr(log_rig_line(0), "accel/accel4 does not say"));
}
END_TEST

START_TEST(a_name_of_no_dsp_is_left_out)
{
	static const char *const says[] = {
		"qda", "qda cds", "qda cdsp2", "qda cdsp\x1b[2J", "qda cdspcdspcdspcdsp"};

	add_dsp(DSP);
	for (size_t i = 0; i < ARRAY_SIZE(says); i++)
		add_accel(path_join("accel%zu", i).text, DSP, says[i]);
	start_scanner();
	ck_assert_int_eq(scan(), 0);
	ck_assert_uint_eq(log_rig_lines(), ARRAY_SIZE(says) - 1);
	ck_assert_ptr_nonnull(strstr(log_rig_line(2), "unknown name: cdsp\\x1b[2J"));
	ck_assert_ptr_nonnull(strstr(log_rig_line(3), "unknown name: cdspcdspcdspcdsp"));
}
END_TEST

START_TEST(a_driver_that_names_no_dsp_has_changed_and_a_line_says_so)
{
	unsigned int before;

	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	fails = EINVAL;
	start_scanner();
	before = asked;
	ck_assert_int_eq(scan(), 0);
	ck_assert_uint_eq(asked, before);
	ck_assert_uint_eq(log_rig_lines(), 1);
	ck_assert_ptr_nonnull(strstr(log_rig_line(0), "accel/accel0 does not say which DSP"));
}
END_TEST

/* Several nodes. */

START_TEST(of_two_nodes_of_one_dsp_the_first_is_used_and_one_line_says_so)
{
	add_dsp(DSP);
	add_dsp(OTHER);
	add_accel("accel0", DSP, "qda cdsp");
	add_accel("accel1", OTHER, "qda cdsp");
	start_scanner();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(scan(), 1);
		ck_assert_str_eq(found[0].plain, "accel/accel0");
	}
	ck_assert_uint_eq(log_rig_lines(), 1);
	ck_assert_ptr_nonnull(strstr(log_rig_line(0), "accel/accel1 is left alone"));
	remove_accel("accel0", DSP);
	ck_assert_int_eq(scan(), 1);
	ck_assert_str_eq(found[0].plain, "accel/accel1");
}
END_TEST

START_TEST(a_node_that_comes_later_does_not_take_the_place_of_one)
{
	add_dsp(DSP);
	add_dsp(OTHER);
	add_accel("accel1", DSP, "qda cdsp");
	start_scanner();
	add_accel("accel0", OTHER, "qda cdsp");
	ck_assert_int_eq(scan_after_news(), 1);
	ck_assert_str_eq(found[0].plain, "accel/accel1");
	/* Not even one that was there and could not be opened. */
	remove_accel("accel0", OTHER);
	add_accel("accel0", OTHER, "qda adsp");
	let_open("accel/accel0", false);
	ck_assert_int_eq(scan(), 1);
	add_dsp("third");
	add_accel("accel2", "third", "qda adsp");
	ck_assert_int_eq(scan_after_news(), 2);
	let_open("accel/accel0", true);
	ck_assert_int_eq(scan_after_news(), 2);
	ck_assert_str_eq(found[0].plain, "accel/accel2");
}
END_TEST

START_TEST(render_nodes_are_looked_at_by_option_only)
{
	add_dsp(DSP);
	add_node("drm", "dri", "renderD128", DSP, "qda cdsp");
	add_node("drm", "dri", "card0", DSP, "qda adsp");
	start_scanner();
	ck_assert_int_eq(scan(), 0);
	ck_assert_uint_eq(asked, 0);
	machine.options.drm_render_nodes = true;
	ck_assert_int_eq(scan_after_news(), 1);
	ck_assert_str_eq(found[0].plain, "dri/renderD128");
	ck_assert_str_eq(found[0].label, "cdsp");
}
END_TEST

START_TEST(the_accel_node_of_a_device_is_the_better_one)
{
	machine.options.drm_render_nodes = true;
	add_dsp(DSP);
	add_dsp(OTHER);
	add_node("drm", "dri", "renderD128", DSP, "qda cdsp");
	add_accel("accel0", DSP, "qda cdsp");
	add_node("drm", "dri", "renderD129", OTHER, "qda adsp");
	start_scanner();
	ck_assert_int_eq(scan(), 2);
	ck_assert_str_eq(found[0].plain, "dri/renderD129");
	ck_assert_str_eq(found[1].plain, "accel/accel0");
	ck_assert_uint_eq(log_rig_lines(), 0);
	/* Also when it comes later. */
	add_accel("accel1", OTHER, "qda adsp");
	ck_assert_int_eq(scan_after_news(), 2);
	ck_assert_str_eq(found[0].plain, "accel/accel1");
}
END_TEST

/* Coming and going. */

START_TEST(a_new_node_is_found_when_it_has_answered)
{
	start_scanner();
	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	takes_long = true;
	ck_assert_int_eq(scan(), 0);
	while (!asked)
		sched_yield();
	ck_assert_int_eq(scan(), 0);
	takes_long = false;
	ck_assert_int_eq(scan_after_news(), 1);
	ck_assert_uint_eq(news, 1);
}
END_TEST

START_TEST(its_instance_is_another_only_after_it_went_and_came_back)
{
	uint64_t instance;

	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	start_scanner();
	ck_assert_int_eq(scan(), 1);
	instance = found[0].instance;
	ck_assert_int_eq(scan(), 1);
	ck_assert_uint_eq(found[0].instance, instance);
	remove_accel("accel0", DSP);
	add_accel("accel0", DSP, "qda adsp");
	/* What is said of the old one does not hold for the new one. */
	ck_assert_int_eq(scan_after_news(), 1);
	ck_assert_str_eq(found[0].label, "adsp");
	ck_assert_uint_ne(found[0].instance, instance);
}
END_TEST

START_TEST(a_node_that_is_not_ours_yet_is_tried_again)
{
	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	let_open("accel/accel0", false);
	start_scanner();
	ck_assert_int_eq(scan(), 0);
	for (uint64_t first = deadline_next(&machine.broker.deadlines);
		deadline_next(&machine.broker.deadlines) == first;)
		machine_turn(&machine);
	ck_assert_uint_eq(news + asked, 0);
	let_open("accel/accel0", true);
	ck_assert_int_eq(scan_after_news(), 1);
	ck_assert_uint_eq(deadline_next(&machine.broker.deadlines), UINT64_MAX);
	ck_assert_uint_eq(log_rig_lines(), 0);
}
END_TEST

START_TEST(a_node_that_is_not_in_the_device_folder_yet_is_tried_again)
{
	struct path there, away;

	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	there = machine_path(&machine, "dev/accel/accel0");
	away = machine_path(&machine, "gone/accel0");
	ck_assert_int_eq(rename(there.text, away.text), 0);
	start_scanner();
	ck_assert_int_eq(scan(), 0);
	ck_assert_int_eq(rename(away.text, there.text), 0);
	ck_assert_int_eq(scan_after_news(), 1);
}
END_TEST

START_TEST(a_driver_that_goes_at_that_moment_has_not_answered)
{
	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	fails = ENODEV;
	start_scanner();
	ck_assert_int_eq(scan(), 0);
	fails = 0;
	ck_assert_int_eq(scan_after_news(), 1);
	ck_assert_uint_eq(log_rig_lines(), 0);
}
END_TEST

START_TEST(a_node_that_went_is_not_tried_again)
{
	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	let_open("accel/accel0", false);
	start_scanner();
	ck_assert_uint_ne(deadline_next(&machine.broker.deadlines), UINT64_MAX);
	remove_accel("accel0", DSP);
	ck_assert_int_eq(scan(), 0);
	ck_assert_uint_eq(deadline_next(&machine.broker.deadlines), UINT64_MAX);
}
END_TEST

/* Its answer comes when nobody wants to know. */
START_TEST(a_node_may_go_while_it_is_asked)
{
	start_scanner();
	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	takes_long = true;
	scan();
	while (!asked)
		sched_yield();
	remove_accel("accel0", DSP);
	ck_assert_int_eq(scan(), 0);
	takes_long = false;
	add_accel("accel1", DSP, "qda adsp");
	ck_assert_int_eq(scan_after_news(), 1);
	ck_assert_str_eq(found[0].label, "adsp");
	ck_assert_uint_eq(news, 1);
}
END_TEST

START_TEST(the_broker_may_end_while_nodes_are_asked)
{
	start_scanner();
	add_dsp(DSP);
	takes_long = true;
	/* More than there are threads, so that some have not begun. */
	for (int i = 0; i < 2 * WORKER_THREADS; i++)
		add_accel(path_join("accel%d", i).text, DSP, "qda cdsp");
	scan();
	while (!asked)
		sched_yield();
	qda_scan_stop();
	takes_long = false;
	machine_end_broker(&machine, true);
	ck_assert_uint_eq(news, 0);
}
END_TEST

/* Context banks. */

START_TEST(a_dsp_is_found_when_it_has_a_context_bank)
{
	static const char other[] = "qcom,fastrpc-compute-cb-not\0qcom,fastrpc";
	static const char second[] = "vendor,soc-compute\0" BANK;

	add_device(DSP, "rpmsg");
	add_accel("accel0", DSP, "qda cdsp");
	start_scanner();
	ck_assert_int_eq(scan(), 0);
	add_bank(DSP, 1, other, sizeof(other));
	add_bank(DSP, 2, "-cb", sizeof("-cb"));
	add_bank(DSP, 3, BANK, strlen(BANK));
	add_bank(DSP, 4, "", 0);
	ck_assert_int_eq(scan(), 0);
	add_bank(DSP, 5, second, sizeof(second));
	ck_assert_int_eq(scan(), 1);
}
END_TEST

START_TEST(a_dsp_is_isolated_and_coherent_when_every_context_bank_is)
{
	struct path first = path_join("%s/cb@1", device_folder(DSP).text);
	struct path second = path_join("%s/cb@2", device_folder(DSP).text);

	add_dsp(DSP);
	add_accel("accel0", DSP, "qda cdsp");
	start_scanner();
	ck_assert_int_eq(scan(), 1);
	ck_assert(found[0].isolated && !found[0].coherent);
	machine_write(&machine, path_join("%s/of_node/dma-coherent", first.text).text, "");
	ck_assert_int_eq(scan(), 1);
	ck_assert(found[0].isolated && found[0].coherent);
	add_bank(DSP, 2, BANK, sizeof(BANK));
	machine_write(&machine, path_join("%s/iommu_group/type", second.text).text, "identity\n");
	ck_assert_int_eq(scan(), 1);
	ck_assert(!found[0].isolated && !found[0].coherent);
	machine_remove(&machine, path_join("%s/iommu_group", second.text).text);
	ck_assert_int_eq(scan(), 1);
	ck_assert(!found[0].isolated);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static Suite *suite(void)
{
	Suite *suite = suite_create("finding devices of the DRM accel driver");
	TCase *tcase = add_case(suite, "asking");

	tcase_add_test(tcase, nothing_is_found_on_a_machine_without_it);
	tcase_add_test(tcase, a_dsp_is_the_one_that_its_node_names);
	tcase_add_test(tcase, a_node_is_asked_once);
	tcase_add_test(tcase, several_dsps_are_sorted_by_label);
	tcase_add_test(tcase, nodes_of_other_kinds_of_devices_are_not_asked);
	tcase_add_test(tcase, another_drivers_node_is_none);
	tcase_add_test(tcase, a_name_of_no_dsp_is_left_out);
	tcase_add_test(tcase, a_driver_that_names_no_dsp_has_changed_and_a_line_says_so);
	tcase = add_case(suite, "several nodes");
	tcase_add_test(tcase, of_two_nodes_of_one_dsp_the_first_is_used_and_one_line_says_so);
	tcase_add_test(tcase, a_node_that_comes_later_does_not_take_the_place_of_one);
	tcase_add_test(tcase, render_nodes_are_looked_at_by_option_only);
	tcase_add_test(tcase, the_accel_node_of_a_device_is_the_better_one);
	tcase = add_case(suite, "coming and going");
	tcase_add_test(tcase, a_new_node_is_found_when_it_has_answered);
	tcase_add_test(tcase, its_instance_is_another_only_after_it_went_and_came_back);
	tcase_add_test(tcase, a_node_that_is_not_ours_yet_is_tried_again);
	tcase_add_test(tcase, a_node_that_is_not_in_the_device_folder_yet_is_tried_again);
	tcase_add_test(tcase, a_driver_that_goes_at_that_moment_has_not_answered);
	tcase_add_test(tcase, a_node_that_went_is_not_tried_again);
	tcase_add_test(tcase, a_node_may_go_while_it_is_asked);
	tcase_add_test(tcase, the_broker_may_end_while_nodes_are_asked);
	tcase = add_case(suite, "context banks");
	tcase_add_test(tcase, a_dsp_is_found_when_it_has_a_context_bank);
	tcase_add_test(tcase, a_dsp_is_isolated_and_coherent_when_every_context_bank_is);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
