// SPDX-License-Identifier: MIT
/*
 * What serves a DSP's requests: methods by their tables, words, strings, where libraries are; and
 * the lines that it has logged, as they reach stderr or the journal.
 */
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/limits.h"
#include "daemon/sysfs.h"
#include "daemon/transport/fastrpc/files.h"
#include "daemon/transport/fastrpc/host.h"
#include "tests/suite.h"

static const struct policy_domain domain = {.name = "d", .files = 8};
static struct log_shared log_shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
static const struct host_options plain = {
	.device = "cdsp",
	.domain = 3,
	.owner = "uid 7, cdsp/x",
	.policy = &domain,
	.log = &log_shared,
};

static struct host host;

static void set_up(void)
{
	ck_assert_int_eq(host_init(&host, &plain), 0);
}

static void tear_down(void)
{
	host_deinit(&host);
}

/* Methods. */

static struct host_call served;

static uint32_t serve(struct host *by, struct host_call *call)
{
	ck_assert_ptr_eq(by, &host);
	served = *call;
	return 4711;
}

static const struct host_method methods[] = {
	{.number = 2, .scalars = 0x02010100, .in_size = 8, .out_size = 4, .serve = serve},
	{.number = 31, .scalars = 0x1f010000, .in_size = 4, .serve = serve},
	{.number = 40, .scalars = 0x1f010100, .in_size = 8, .out_size = 4, .serve = serve},
};
static const struct host_interface interface = {"i", methods, ARRAY_SIZE(methods)};

static uint8_t in[64], out[64];

static struct host_call make_call(uint32_t first, uint32_t in_size, uint32_t out_size)
{
	struct host_call call = {.n_in = 1, .n_out = 1};

	memcpy(in, &first, sizeof(first));
	call.in[0].data = in;
	call.in[0].size = in_size;
	call.out[0].data = out;
	call.out[0].size = out_size;
	return call;
}

START_TEST(a_method_is_found_by_the_scalars_or_by_the_first_word)
{
	struct host_call call = make_call(9, 8, 4);

	ck_assert_uint_eq(host_serve(&host, &interface, FASTRPC_SCALARS(2, 1, 1), &call), 4711);
	ck_assert_uint_eq(served.method, 2);
	ck_assert_uint_eq(host_word(&served, 0), 9);
	call = make_call(40, 8, 4);
	ck_assert_uint_eq(host_serve(&host, &interface, FASTRPC_SCALARS(31, 1, 1), &call), 4711);
	ck_assert_uint_eq(served.method, 40);
	/* The number is a word, too. */
	ck_assert_uint_eq(host_word(&served, 0), 40);
	call = make_call(31, 4, 0);
	ck_assert_uint_eq(host_serve(&host, &interface, 0xe0000000 | FASTRPC_SCALARS(31, 1, 0),
				  &call),
		4711);
	ck_assert_uint_eq(served.method, 31);
}
END_TEST

START_TEST(an_escape_to_what_needs_none_is_unsupported)
{
	struct host_call call = make_call(2, 12, 4);

	ck_assert_uint_eq(host_serve(&host, &interface, FASTRPC_SCALARS(31, 1, 1), &call),
		AEE_EUNSUPPORTED);
}
END_TEST

START_TEST(an_escape_without_a_number_is_refused)
{
	struct host_call call = make_call(40, 3, 4);

	ck_assert_uint_eq(host_serve(&host, &interface, FASTRPC_SCALARS(31, 1, 1), &call),
		AEE_EBADPARM);
	call.n_in = 0;
	ck_assert_uint_eq(host_serve(&host, &interface, FASTRPC_SCALARS(31, 0, 1), &call),
		AEE_EBADPARM);
}
END_TEST

START_TEST(a_call_must_be_as_the_table_says)
{
	static const struct {
		uint32_t scalars, in_size, out_size, result;
	} cases[] = {
		{FASTRPC_SCALARS(2, 1, 1), 8, 4, 4711},
		{FASTRPC_SCALARS(2, 1, 1), 64, 64, 4711},
		{FASTRPC_SCALARS(2, 1, 1), 7, 4, AEE_EBADPARM},
		{FASTRPC_SCALARS(2, 1, 1), 8, 3, AEE_EBADPARM},
		{FASTRPC_SCALARS(2, 1, 1), 0, 4, AEE_EBADPARM},
		{FASTRPC_SCALARS(2, 2, 1), 8, 4, AEE_EBADPARM},
		{FASTRPC_SCALARS(2, 1, 2), 8, 4, AEE_EBADPARM},
		{FASTRPC_SCALARS(2, 1, 1) | 1, 8, 4, AEE_EBADPARM},
		{FASTRPC_SCALARS(2, 1, 1) | 0x10, 8, 4, AEE_EBADPARM},
		{FASTRPC_SCALARS(3, 1, 1), 8, 4, AEE_EUNSUPPORTED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct host_call call = make_call(0, cases[i].in_size, cases[i].out_size);

		ck_assert_uint_eq(host_serve(&host, &interface, cases[i].scalars, &call),
			cases[i].result);
	}
}
END_TEST

START_TEST(words_that_are_not_there_are_zero_and_not_written)
{
	struct host_call call = make_call(0x01020304, 11, 11);

	memset(in + 4, 0xff, sizeof(in) - 4);
	memset(out, 0xaa, sizeof(out));
	ck_assert_uint_eq(host_word(&call, 0), 0x01020304);
	ck_assert_uint_eq(host_word(&call, 1), 0xffffffff);
	ck_assert_uint_eq(host_word(&call, 2), 0);
	ck_assert_uint_eq(host_word(&call, UINT32_MAX), 0);
	host_put_word(&call, 1, 1);
	host_put_word(&call, 2, 2);
	host_put_word(&call, UINT32_MAX, 3);
	ck_assert_mem_eq(out, "\xaa\xaa\xaa\xaa\1\0\0\0\xaa\xaa\xaa\xaa", 12);
	call.n_in = call.n_out = 0;
	ck_assert_uint_eq(host_word(&call, 0), 0);
	host_put_word(&call, 0, 7);
	ck_assert_uint_eq(out[0], 0xaa);
}
END_TEST

START_TEST(a_string_may_end_with_a_nul_and_has_none_within)
{
	static const struct {
		const char *data;
		uint32_t size, length;
		bool good;
	} cases[] = {
		{"abc", 4, 3, true},
		{"abc", 3, 3, true},
		{"", 1, 0, true},
		{"", 0, 0, true},
		{"ab\0", 4, 0, false},
		{"a\0c", 4, 0, false},
		{"\0abc", 4, 0, false},
	};
	size_t size;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct host_call call = {.n_in = 2};
		const char *text;

		call.in[1].data = (const uint8_t *)cases[i].data;
		call.in[1].size = cases[i].size;
		text = host_string(&call, 1, &size);
		ck_assert_ptr_eq(text, cases[i].good ? cases[i].data : NULL);
		ck_assert(!cases[i].good || size == cases[i].length);
		ck_assert_ptr_null(host_string(&call, 2, &size));
	}
}
END_TEST

/* Libraries. */

static char folder[64];

static void make_library(const char *where, const char *name, const char *text)
{
	const struct path directory = path_join("%s/%s", folder, where);
	const struct path path = path_join("%s/%s", directory.text, name);
	FILE *file;

	ck_assert(mkdir(directory.text, 0700) == 0 || errno == EEXIST);
	file = fopen(path.text, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void check_library(const char *name, const char *expected)
{
	char text[64] = "";
	int file = files_open(host.files, name, strlen(name), FILES_READ);

	ck_assert_int_gt(file, 0);
	ck_assert_int_ge(files_read(host.files, file, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, expected);
	ck_assert_int_eq(files_close(host.files, file), 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

START_TEST(libraries_are_found_in_their_order_and_ones_own_first)
{
	struct path paths[3];
	const struct policy_dir dirs[] = {
		{.path = paths[0].text}, {.path = paths[1].text}, {.path = paths[2].text}};
	struct host_options options = plain;
	_cleanup_(fd_closep) int own = memfd_create("own", MFD_CLOEXEC);

	strcpy(folder, "/tmp/dspbroker-host-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	make_library("first", "liba_skel.so", "a of first");
	make_library("second", "liba_skel.so", "a of second");
	make_library("second", "libb_skel.so", "b of second");
	make_library("second", "libc_skel.so", "c of second");
	ck_assert_int_eq(write(own, "own c", 5), 5);
	paths[0] = path_join("%s/missing", folder);
	paths[1] = path_join("%s/first", folder);
	paths[2] = path_join("%s/second", folder);
	options.modules = dirs;
	options.n_modules = ARRAY_SIZE(dirs);
	options.own_name = "libc_skel.so";
	options.own_module = own;

	host_deinit(&host);
	ck_assert_int_eq(host_init(&host, &options), 0);
	check_library("liba_skel.so", "a of first");
	check_library("libb_skel.so", "b of second");
	check_library("libc_skel.so", "own c");
	ck_assert_int_eq(files_open(host.files, "liba_skel.so", 12, FILES_WRITE), -EACCES);
	ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

START_TEST(an_own_library_that_is_none_is_an_error)
{
	struct host_options options = plain;

	host_deinit(&host);
	options.own_name = "libc_skel.so";
	options.own_module = -1;
	ck_assert_int_eq(host_init(&host, &options), -EBADF);
	ck_assert_ptr_null(host.files);
}
END_TEST

/* Lines. */

#define RECORD 256

static uint8_t records[64][RECORD];

static void make_record(unsigned int i, uint32_t level, uint16_t line, const char *text,
	const char *file)
{
	memset(records[i], 0, RECORD);
	memcpy(records[i], &level, sizeof(level));
	memcpy(records[i] + 4, &line, sizeof(line));
	memcpy(records[i] + 8, text, strnlen(text, 218));
	memcpy(records[i] + 226, file, strnlen(file, 30));
}

static uint32_t send_records(uint32_t size, uint32_t said)
{
	struct host_call call = {.n_in = 2};

	call.in[0].data = (const uint8_t *)&said;
	call.in[0].size = sizeof(said);
	call.in[1].data = records[0];
	call.in[1].size = size;
	return host_serve(&host, &host_log, FASTRPC_SCALARS(0, 2, 0), &call);
}

static int log_file = -1;

static void watch_stderr(void)
{
	log_file = memfd_create("log", MFD_CLOEXEC);
	ck_assert_int_eq(dup2(log_file, STDERR_FILENO), STDERR_FILENO);
}

static const char *written(void)
{
	static char text[64 * 1024];
	ssize_t n = pread(log_file, text, sizeof(text) - 1, 0);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}

static size_t count_lines(void)
{
	size_t n = 0;

	for (const char *at = written(); (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

START_TEST(lines_are_logged_with_where_they_come_from_and_whose_they_are)
{
	watch_stderr();
	make_record(0, 1, 42, "medium\n", "pcm.c");
	make_record(1, 2, 65535, "high\r\n\n", "pcm.c");
	make_record(2, 3, 7, "error", "a.c");
	make_record(3, 4, 8, "fatal", "a.c");
	make_record(4, 99, 9, "what", "a.c");
	make_record(5, 1, 9, "from nowhere", "");
	ck_assert_uint_eq(send_records(6 * RECORD, 6 * RECORD), AEE_SUCCESS);
	ck_assert_str_eq(written(), "dspbrokerd: cdsp, uid 7, cdsp/x: pcm.c:42: medium\n"
				    "dspbrokerd: cdsp, uid 7, cdsp/x: pcm.c:65535: high\n"
				    "dspbrokerd: error: cdsp, uid 7, cdsp/x: a.c:7: error\n"
				    "dspbrokerd: error: cdsp, uid 7, cdsp/x: a.c:8: fatal\n"
				    "dspbrokerd: cdsp, uid 7, cdsp/x: a.c:9: what\n"
				    "dspbrokerd: cdsp, uid 7, cdsp/x: from nowhere\n");
}
END_TEST

START_TEST(what_would_command_a_terminal_or_forge_a_line_is_replaced)
{
	watch_stderr();
	make_record(0, 1, 1, "a\033[2J\nMESSAGE=b\x7f\xff\x01z", "x\ny");
	ck_assert_uint_eq(send_records(RECORD, RECORD), AEE_SUCCESS);
	host_log_line(&host, "c\nd\0e", 5);
	ck_assert_str_eq(written(), "dspbrokerd: cdsp, uid 7, cdsp/x: x?y:1: a?[2J?MESSAGE=b???z\n"
				    "dspbrokerd: cdsp, uid 7, cdsp/x: c?d\n");
}
END_TEST

START_TEST(strings_without_an_end_end_with_their_room)
{
	char expected[320];

	watch_stderr();
	memset(records[0], 'x', 2 * sizeof(records[0]));
	memset(records[0], 0, 8);
	records[0][0] = 1;
	snprintf(expected, sizeof(expected), "dspbrokerd: cdsp, uid 7, cdsp/x: %.*s:0: %.*s\n", 30,
		(char *)records[1], 218, (char *)records[1]);
	ck_assert_uint_eq(send_records(RECORD, RECORD), AEE_SUCCESS);
	ck_assert_str_eq(written(), expected);
}
END_TEST

START_TEST(a_line_has_so_many_bytes_and_no_more)
{
	static char text[HOST_BYTES_MAX];

	watch_stderr();
	memset(text, 'y', sizeof(text));
	host_log_line(&host, text, sizeof(text));
	ck_assert_uint_eq(strlen(written()), strlen("dspbrokerd: \n") + 511);
	ck_assert_uint_eq(count_lines(), 1);
}
END_TEST

START_TEST(the_last_record_may_be_cut_off)
{
	watch_stderr();
	make_record(0, 1, 5, "whole", "a.c");
	make_record(1, 1, 6, "cut off here, and no file", "a.c");
	ck_assert_uint_eq(send_records(RECORD + 15, RECORD + 15), AEE_SUCCESS);
	ck_assert_str_eq(written(), "dspbrokerd: cdsp, uid 7, cdsp/x: a.c:5: whole\n"
				    "dspbrokerd: cdsp, uid 7, cdsp/x: cut off\n");
}
END_TEST

START_TEST(more_records_than_there_are_bytes_are_refused)
{
	watch_stderr();
	make_record(0, 1, 5, "whole", "a.c");
	ck_assert_uint_eq(send_records(RECORD, RECORD + 1), AEE_EBADPARM);
	ck_assert_uint_eq(send_records(RECORD, UINT32_MAX), AEE_EBADPARM);
	ck_assert_uint_eq(count_lines(), 0);
	/* Fewer are as many as are said. */
	ck_assert_uint_eq(send_records(2 * RECORD, RECORD), AEE_SUCCESS);
	ck_assert_uint_eq(count_lines(), 1);
}
END_TEST

START_TEST(lines_without_end_are_suppressed_and_their_number_is_said)
{
	watch_stderr();
	for (unsigned int i = 0; i < ARRAY_SIZE(records); i++)
		make_record(i, 1, 1, "again", "a.c");
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(send_records(sizeof(records), sizeof(records)), AEE_SUCCESS);
	/* However long that took, this many at once are not many more. */
	ck_assert_uint_ge(count_lines(), LOG_BURST);
	ck_assert_uint_lt(count_lines(), 2 * LOG_BURST);
	ck_assert_uint_gt(log_shared.bucket.suppressed, 0);

	/* As if it had been long ago. */
	ck_assert_int_eq(ftruncate(log_file, 0), 0);
	ck_assert_int_eq(lseek(log_file, 0, SEEK_SET), 0);
	log_shared.bucket.refilled_us = 0;
	log_shared.bucket.suppressed = 6380;
	host_log_line(&host, "later", 5);
	ck_assert_str_eq(written(), "dspbrokerd: warning: cdsp, uid 7, cdsp/x: 6380 lines were "
				    "suppressed\n"
				    "dspbrokerd: cdsp, uid 7, cdsp/x: later\n");
}
END_TEST

/* In place of libsystemd's: what would be sent to the journal. */
static char journal[1024];

int sd_journal_sendv(const struct iovec *iov, int n)
{
	journal[0] = '\0';
	for (int i = 0; i < n; i++) {
		ck_assert_uint_lt(strlen(journal) + iov[i].iov_len + 2, sizeof(journal));
		strncat(journal, iov[i].iov_base, iov[i].iov_len);
		strcat(journal, "\n");
	}
	return 0;
}

START_TEST(the_journal_gets_fields_that_a_machine_can_read)
{
	struct stat st;
	char stream[64];

	watch_stderr();
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init();
	make_record(0, 0, 5, "low", "a.c");
	ck_assert_uint_eq(send_records(RECORD, RECORD), AEE_SUCCESS);
	ck_assert_str_eq(journal, "MESSAGE=cdsp, uid 7, cdsp/x: a.c:5: low\n"
				  "PRIORITY=7\n"
				  "DSPBROKER_DEVICE=cdsp\n"
				  "DSPBROKER_DOMAIN=3\n"
				  "DSPBROKER_OWNER=uid 7, cdsp/x\n");
	ck_assert_uint_eq(count_lines(), 0);
}
END_TEST

static void add_lines(TCase *tests)
{
	tcase_add_test(tests, lines_are_logged_with_where_they_come_from_and_whose_they_are);
	tcase_add_test(tests, what_would_command_a_terminal_or_forge_a_line_is_replaced);
	tcase_add_test(tests, strings_without_an_end_end_with_their_room);
	tcase_add_test(tests, a_line_has_so_many_bytes_and_no_more);
	tcase_add_test(tests, the_last_record_may_be_cut_off);
	tcase_add_test(tests, more_records_than_there_are_bytes_are_refused);
	tcase_add_test(tests, lines_without_end_are_suppressed_and_their_number_is_said);
	tcase_add_test(tests, the_journal_gets_fields_that_a_machine_can_read);
}

int main(void)
{
	Suite *suite = suite_create("fastrpc_host");
	TCase *tests = tcase_create("host");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_method_is_found_by_the_scalars_or_by_the_first_word);
	tcase_add_test(tests, an_escape_to_what_needs_none_is_unsupported);
	tcase_add_test(tests, an_escape_without_a_number_is_refused);
	tcase_add_test(tests, a_call_must_be_as_the_table_says);
	tcase_add_test(tests, words_that_are_not_there_are_zero_and_not_written);
	tcase_add_test(tests, a_string_may_end_with_a_nul_and_has_none_within);
	tcase_add_test(tests, libraries_are_found_in_their_order_and_ones_own_first);
	tcase_add_test(tests, an_own_library_that_is_none_is_an_error);
	add_lines(tests);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
