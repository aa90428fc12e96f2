// SPDX-License-Identifier: MIT
/* dspctl shows what a broker tells, and asks it for what its options say. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "client/dspctl.h"
#include "client/dspctl_file.h"
#include "protocol/wire.h"
#include "tests/suite.h"
#include "tests/unit/fake_broker.h"

#define SIZE 100000 /* bytes of an argument that needs a buffer */

#define TEMPLATE "/tmp/dspctl-test.XXXXXX"
static char folder[sizeof(TEMPLATE)];
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char input[64], output[96], module[64], shown[64];
static struct fake_broker *fake;
static pthread_t accepting;
static int listener;

static void *serve(void *data)
{
	(void)data;
	fake = fake_broker_serve(FAKE_HELLO_HONEST, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	return NULL;
}

static void set_up(void)
{
	strcpy(folder, TEMPLATE);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	snprintf(input, sizeof(input), "%s/input", folder);
	snprintf(output, sizeof(output), "out:%d>%s/output", SIZE, folder);
	snprintf(module, sizeof(module), "%s/module", folder);
	snprintf(shown, sizeof(shown), "%s/shown", folder);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(pthread_create(&accepting, NULL, serve, NULL), 0);
}

static void tear_down(void)
{
	const char *const files[] = {
		address.sun_path, input, strchr(output, '>') + 1, module, shown, folder};

	fake_broker_stop(fake);
	close(listener);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		remove(files[i]);
}

/* Run a command; its output is the caller's. */
static char *run(int (*command)(const struct dspctl_options *options),
	struct dspctl_options options, int *code)
{
	unsigned char *text;
	uint32_t length;

	options.socket = address.sun_path;
	ck_assert_ptr_nonnull(freopen(shown, "w", stdout));
	*code = command(&options);
	fflush(stdout);
	pthread_join(accepting, NULL);
	ck_assert_int_eq(dspctl_file_read(shown, &text, &length), 0);
	text[length] = '\0'; /* there is always room for one more */
	return (char *)text;
}

START_TEST(devices_show_their_domains_and_what_they_say_of_themselves)
{
	int code;
	_cleanup_(freep) char *text = run(dspctl_devices, (struct dspctl_options){0}, &code);

	ck_assert_int_eq(code, DSPCTL_OK);
	ck_assert_str_eq(text,
		"DEVICE  TRANSPORT  UP  STATE    GEN  CHANNELS  SESSIONS  PDS  HUNG  WAITING  "
		"REMOTEPROC   DUMPS  ISOLATION      DSP                                "
		"TROUBLE\n"
		"soft0              no  crashed    0         0         0  3/5     1        2  "
		"remoteproc5      7  iommu          v68, hvx128, vtcm 4 MiB, unsigned  "
		"held\\x1b open\n"
		"soft0              no  crashed    0         0         0    0     -        -  "
		"remoteproc5      7  iommu          -                                  -\n"
		"soft0              no  unknown    0         0         0  3/5     1        2  "
		"remoteproc5      7  none, refused  v68, hvx128, vtcm 4 MiB, unsigned  -\n");
}
END_TEST

static uint64_t number(struct json_object *object, const char *key)
{
	ck_assert(json_object_object_get_ex(object, key, NULL));
	return json_object_get_uint64(json_object_object_get(object, key));
}

START_TEST(in_json_devices_tell_all_of_it)
{
	static const uint32_t attributes[DSPBROKER_ATTRIBUTES_MAX] = FAKE_ATTRIBUTES;
	int code;
	_cleanup_(freep) char *text =
		run(dspctl_devices, (struct dspctl_options){.json = true}, &code);
	_cleanup_(dspctl_jsonp) struct json_object *rows = json_tokener_parse(text);
	struct json_object *row = json_object_array_get_idx(rows, 0), *told;

	ck_assert_int_eq(code, DSPCTL_OK);
	ck_assert_uint_eq(json_object_array_length(rows), 3);
	ck_assert_uint_eq(number(row, "domains"), 3);
	ck_assert_uint_eq(number(row, "domains_max"), 5);
	ck_assert_uint_eq(number(row, "domains_hung"), 1);
	ck_assert_uint_eq(number(row, "waiting"), 2);
	told = json_object_object_get(row, "attributes");
	ck_assert_int_eq(json_object_object_length(told), DSPBROKER_ATTRIBUTES_MAX);
	for (uint32_t i = 0; i < DSPBROKER_ATTRIBUTES_MAX; i++)
		ck_assert_uint_eq(number(told, dspbroker_attribute_name(i)), attributes[i]);

	ck_assert_str_eq(json_object_get_string(json_object_object_get(row, "trouble")),
		"held\033 open");

	row = json_object_array_get_idx(rows, 1);
	ck_assert(json_object_object_get_ex(row, "trouble", &told));
	ck_assert_ptr_null(told);
	ck_assert(json_object_object_get_ex(row, "attributes", &told));
	ck_assert_ptr_null(told);
	ck_assert(json_object_object_get_ex(row, "domains_max", &told));
	ck_assert_ptr_null(told);
	ck_assert_uint_eq(number(row, "domains_hung"), 0);
}
END_TEST

START_TEST(a_broker_that_is_well_is_shown_without_a_capital_word)
{
	int code;
	_cleanup_(freep) char *text = NULL;

	setenv("TZ", "UTC", 1);
	text = run(dspctl_status, (struct dspctl_options){0}, &code);
	ck_assert_int_eq(code, DSPCTL_OK);
	ck_assert_str_eq(text, "broker        9.8.7, since 2023-11-14 22:13:20 +0000\n"
			       "user          not root\n"
			       "capabilities  none\n"
			       "memory        hidden from others\n"
			       "system calls  43 allowed, any other ends it\n"
			       "files         its own only, by Landlock 7\n"
			       "policy        12 rules, read 2023-11-14 22:13:21 +0000\n"
			       "devices       3\n"
			       "in use        4 connections, 5 sessions, 6 calls in flight\n");
}
END_TEST

/* What is not well, the exit code for it, and words that say so. */
static const struct {
	uint64_t missing; /* enum dsp_confinement */
	uint32_t landlock, reload_status, accept_paused;
	int code;
	const char *text;
} faults[] = {
	{DSP_CONFINED_USER, 7, 0, 0, DSPCTL_UNCONFINED, "NOT CONFINED: it runs as root"},
	{DSP_CONFINED_CAPABILITIES, 7, 0, 0, DSPCTL_UNCONFINED, "NOT CONFINED: it may have some"},
	{DSP_CONFINED_UNDUMPABLE, 7, 0, 0, DSPCTL_UNCONFINED, "NOT CONFINED: processes of its"},
	{DSP_CONFINED_CALLS, 7, 0, 0, DSPCTL_UNCONFINED, "NOT CONFINED: it may make any"},
	{DSP_CONFINED_FILES, 7, 0, 0, DSPCTL_UNCONFINED, "NOT CONFINED: it may open any"},
	{DSP_CONFINED_FILES, 0, 0, 0, DSPCTL_OK, "NOT CONFINED: this kernel has no Landlock"},
	{0, 7, DSP_BAD_POLICY, 0, DSPCTL_TROUBLED, "NOT RELOADED: policy files are wrong"},
	{0, 7, 0, 1, DSPCTL_TROUBLED, "NOT ACCEPTED: the broker is out of descriptors"},
	{DSP_CONFINED_USER, 7, DSP_BAD_POLICY, 1, DSPCTL_UNCONFINED, "NOT RELOADED"},
};

static void break_broker(int i)
{
	fake_broker_itself.confinement &= ~faults[i].missing;
	fake_broker_itself.landlock = faults[i].landlock;
	fake_broker_itself.reload_status = faults[i].reload_status;
	fake_broker_itself.accept_paused = faults[i].accept_paused;
}

START_TEST(what_is_not_well_with_a_broker_is_loud_and_has_an_exit_code)
{
	_cleanup_(freep) char *text = NULL;
	int code;

	break_broker(_i);
	text = run(dspctl_status, (struct dspctl_options){0}, &code);
	ck_assert_int_eq(code, faults[_i].code);
	ck_assert_msg(strstr(text, faults[_i].text) != NULL, "%s", text);
}
END_TEST

START_TEST(in_json_a_broker_is_confined_where_the_exit_code_says_so)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = NULL;
	_cleanup_(freep) char *text = NULL;
	int code;

	break_broker(_i);
	text = run(dspctl_status, (struct dspctl_options){.json = true}, &code);
	root = json_tokener_parse(text);
	ck_assert_int_eq(code, faults[_i].code);
	ck_assert_int_eq(json_object_get_boolean(json_object_object_get(root, "confined")),
		code != DSPCTL_UNCONFINED);
	ck_assert_int_eq(json_object_get_boolean(json_object_object_get(root, "accepts")),
		!faults[_i].accept_paused);
	ck_assert_uint_eq(number(root, "landlock"), faults[_i].landlock);
	ck_assert_uint_eq(number(root, "system_calls"), 43);
	ck_assert_uint_eq(number(root, "calls"), 6);
	ck_assert_int_eq(json_object_object_length(json_object_object_get(root, "confinement")), 5);
}
END_TEST

/* Call the method that copies its input, with large arguments. */
static int copy(struct dspctl_options options)
{
	static unsigned char bytes[SIZE];
	_cleanup_(freep) unsigned char *copied = NULL;
	char from[80], *words[] = {"soft0/copy", "2", from, output};
	uint32_t length = 0;
	int code;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * i >> 3);
	snprintf(from, sizeof(from), "@%s", input);
	ck_assert_int_eq(dspctl_file_write(input, bytes, sizeof(bytes)), 0);
	options.words = words;
	options.n_words = ARRAY_SIZE(words);
	free(run(dspctl_call, options, &code));
	if (code)
		return code;
	ck_assert_int_eq(dspctl_file_read(strchr(output, '>') + 1, &copied, &length), 0);
	ck_assert_uint_eq(length, sizeof(bytes));
	ck_assert_mem_eq(copied, bytes, sizeof(bytes));
	return DSPCTL_OK;
}

START_TEST(buffers_are_of_the_memory_that_is_wanted)
{
	struct fake_origin origin;

	ck_assert_int_eq(copy((struct dspctl_options){.memory = _i}), DSPCTL_OK);
	origin = fake_broker_origin(fake);
	ck_assert_uint_eq(origin.memory, (uint32_t)_i);
	ck_assert_uint_eq(origin.session, _i == DSPBROKER_MEMORY_DEVICE);
	ck_assert_uint_eq(fake_broker_modules(fake), 0);
}
END_TEST

START_TEST(a_module_is_brought_along)
{
	ck_assert_int_eq(dspctl_file_write(module, "module", 6), 0);
	ck_assert_int_eq(copy((struct dspctl_options){.module = module}), DSPCTL_OK);
	ck_assert_uint_eq(fake_broker_modules(fake), 1);
}
END_TEST

START_TEST(a_module_that_cannot_be_read_is_no_call)
{
	ck_assert_int_eq(copy((struct dspctl_options){.module = module}), DSPCTL_FAILED);
	ck_assert_uint_eq(fake_broker_modules(fake), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("dspctl and a broker");
	TCase *tests = tcase_create("broker");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, devices_show_their_domains_and_what_they_say_of_themselves);
	tcase_add_test(tests, in_json_devices_tell_all_of_it);
	tcase_add_test(tests, a_broker_that_is_well_is_shown_without_a_capital_word);
	tcase_add_loop_test(tests, what_is_not_well_with_a_broker_is_loud_and_has_an_exit_code, 0,
		ARRAY_SIZE(faults));
	tcase_add_loop_test(tests, in_json_a_broker_is_confined_where_the_exit_code_says_so, 0,
		ARRAY_SIZE(faults));
	tcase_add_loop_test(tests, buffers_are_of_the_memory_that_is_wanted, DSPBROKER_MEMORY_MEMFD,
		DSPBROKER_MEMORY_DEVICE + 1);
	tcase_add_test(tests, a_module_is_brought_along);
	tcase_add_test(tests, a_module_that_cannot_be_read_is_no_call);
	suite_add_tcase(all, tests);
	return all;
}

int main(void)
{
	return suite_run(suite());
}
