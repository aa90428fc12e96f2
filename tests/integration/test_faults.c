// SPDX-License-Identifier: MIT
/* Faults that come over a broker that serves clients: no room, no memory, a full disk, parts of it
 * that die. It says so, refuses what it cannot do, and goes on. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/confine/filter.h"
#include "tests/emulated.h"
#include "tests/integration/faults.h"
#include "tests/integration/process.h"

#define FDS_TRIED  40 /* descriptors that are left, at most: enough for all that is tried */
#define STEP_KIB   8  /* of memory that is left, from one try to the next */
#define STEPS      256
#define RULES      5000
#define LIMIT_MIB  96
#define HALF       (LIMIT_MIB << 20) /* of what takes twice as much */
#define SMALL      4096
#define BUFFER     65536
#define BROKEN     "{\"version\": 1, \"rules\": [}"
#define NAMED_USER POLICY(ALLOW("root", "\"users\": [\"root\", \"*\"]", "\"*/*\"", ""))

static struct harness harness;

static void set_up(void)
{
	harness_start(&harness, ALLOW_ALL);
}

static void tear_down(void)
{
	harness_stop(&harness);
}

/* Clients. */

/* With its answer to that, the broker has closed what it handed over before. */
static void settle(struct dspbroker *broker)
{
	struct dspbroker_device_info info;

	require_eq(dspbroker_next_device(broker, 0, &info), 1);
}

/* It has been there before, and calls whenever it is told to. */
static void goes_on(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	for (;;) {
		require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
		settle(broker);
		step_reached('d');
		step_await('c');
	}
}

static void start_bystander(struct client *bystander)
{
	client_start(bystander, BOB, goes_on, NULL);
	client_await(bystander, 'd');
}

static void still_goes_on(struct client *bystander)
{
	client_go(bystander, 'c');
	client_await(bystander, 'd');
}

/* Is that done, or refused for want of something? Nothing else may come of it. */
static bool is_done(int r)
{
	if (r != 0 && r != DSPBROKER_NO_RESOURCES)
		harness_fail(__FILE__, __LINE__, "%s (%s)", dspbroker_strerror(r),
			dspbroker_message());
	return r == 0;
}

static int memory(void)
{
	int fd = must(memfd_create("import", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	must(ftruncate(fd, SMALL));
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	return fd;
}

/* True: it got all that it tried to get. */
static bool tries(struct dspbroker *broker)
{
	_cleanup_(fd_closep) int fd = memory();
	struct dspbroker_session *session;
	struct dspbroker_buffer *buffer;
	bool all;

	all = is_done(dspbroker_buffer_alloc(broker, &buffer, BUFFER));
	all &= is_done(dspbroker_buffer_import(broker, &buffer, fd, SMALL));
	if (!is_done(dspbroker_session_open(broker, &session, EXAMPLE)))
		return false;
	return all & is_done(invoke_plain(session, EXAMPLE_NOP));
}

/* A newcomer, who tries all there is. Data: where to say that it got all of it. */
static void tries_all(void *data)
{
	struct dspbroker *broker = NULL;

	step_reached('t');
	if (is_done(dspbroker_connect(&broker, harness.socket)))
		*(bool *)data = tries(broker);
	dspbroker_free(broker);
}

static bool *shared_flag(void)
{
	bool *flag = mmap(NULL, sizeof(*flag), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);

	require(flag != MAP_FAILED);
	return flag;
}

/* Can a newcomer have everything? It must come to an end either way. */
static bool newcomer_gets_all(void)
{
	static bool *all;

	if (!all)
		all = shared_flag();
	*all = false;
	client_run(ALICE, tries_all, all);
	return *all;
}

/* Descriptors. */

START_TEST(without_a_descriptor_connections_wait_and_are_served_when_there_is_one_again)
{
	struct client bystander, newcomer;

	if (!harness_has_users())
		return;
	start_bystander(&bystander);
	faults_leave_fds(&harness, 0);
	client_start(&newcomer, ALICE, tries_all, shared_flag());
	client_await(&newcomer, 't');
	require_soon(harness_logged(&harness, "no connections are accepted until there is room"));
	still_goes_on(&bystander);
	/* No connection ends; what is missing is there again all the same. */
	faults_lift(&harness);
	client_end(&newcomer);
	require(harness_logged(&harness, "connections are accepted again"));
	still_goes_on(&bystander);
	client_kill(&bystander);
}
END_TEST

START_TEST(whatever_it_has_no_descriptor_for_is_refused_and_costs_nobody_else_anything)
{
	struct client bystander;
	unsigned int n = 1;
	size_t idle;

	if (!harness_has_users())
		return;
	start_bystander(&bystander);
	idle = harness_fds(&harness);
	require(newcomer_gets_all());
	do {
		require_soon(harness_fds(&harness) == idle);
		faults_leave_fds(&harness, n);
		require(n < FDS_TRIED);
	} while (still_goes_on(&bystander), n++, !newcomer_gets_all());
	/* Some were refused at every door: there is more than one. */
	require(n > 6);
	require(harness_logged(&harness, "a connection was turned away: Too many open files"));
	faults_lift(&harness);
	require(newcomer_gets_all());
	require_soon(harness_fds(&harness) == idle);
	still_goes_on(&bystander);
	client_kill(&bystander);
}
END_TEST

/* It came before there was nothing left. */
static void brings_a_buffer(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	_cleanup_(fd_closep) int fd = memory();
	struct dspbroker_buffer *buffer;

	(void)data;
	settle(broker);
	step_reached('c');
	step_await('i');
	require_eq(dspbroker_buffer_import(broker, &buffer, fd, SMALL), DSPBROKER_NO_RESOURCES);
	require_text(dspbroker_message(), "no room for more descriptors");
	step_reached('r');
	step_await('i');
	require_eq(dspbroker_buffer_import(broker, &buffer, fd, SMALL), 0);
	dspbroker_free(broker);
}

START_TEST(a_descriptor_that_does_not_arrive_is_refused_and_its_client_goes_on)
{
	struct client client;

	if (!harness_has_users())
		return;
	client_start(&client, ALICE, brings_a_buffer, NULL);
	client_await(&client, 'c');
	faults_leave_fds(&harness, 0);
	client_go(&client, 'i');
	client_await(&client, 'r');
	faults_lift(&harness);
	client_go(&client, 'i');
	client_end(&client);
}
END_TEST

/* Policy. */

struct reload {
	int expected;
	const char *text; /* in its message */
};

/* One that the broker's own user asks for, over a connection that there is already. */
static void reloads(void *data)
{
	const struct reload *reload = data;
	struct dspbroker *broker = connect_to(&harness);

	settle(broker);
	step_reached('c');
	step_await('r');
	require_eq(dspbroker_reload(broker, NULL, NULL), reload->expected);
	if (reload->text)
		require_text(dspbroker_message(), reload->text);
	dspbroker_free(broker);
}

/* A service manager that listens. */
static void hear(void)
{
	char heard[512];

	while (recv(harness.notify, heard, sizeof(heard), MSG_DONTWAIT) > 0)
		;
}

static void reload(int expected, const char *text)
{
	struct reload reload = {expected, text};
	struct client client;

	hear();
	client_start(&client, BROKER_UID, reloads, &reload);
	client_await(&client, 'c');
	client_go(&client, 'r');
	client_end(&client);
}

START_TEST(without_descriptors_the_policy_in_force_stays)
{
	struct reload wish = {DSPBROKER_NO_RESOURCES, "Too many open files"};
	struct client client;

	if (!harness_has_users())
		return;
	client_start(&client, BROKER_UID, reloads, &wish);
	client_await(&client, 'c');
	harness_set_policy(&harness, POLICY(""));
	faults_leave_fds(&harness, 0);
	client_go(&client, 'r');
	client_end(&client);
	faults_lift(&harness);
	require(newcomer_gets_all());
}
END_TEST

/* Memory. */

START_TEST(whatever_it_has_no_memory_for_is_refused_and_costs_nobody_else_anything)
{
	struct client bystander;
	unsigned int steps = 0;
	bool all = false;

	if (!harness_has_users() || FILTER_SANITIZED || emulated())
		return; /* what a sanitizer, or an emulator, has no memory for, ends it */
	start_bystander(&bystander);
	while (!all) {
		require(steps < STEPS);
		faults_leave_memory(&harness, steps++ * STEP_KIB);
		still_goes_on(&bystander);
		all = newcomer_gets_all();
	}
	require(steps > 1);
	faults_lift(&harness);
	require(newcomer_gets_all());
	still_goes_on(&bystander);
	client_kill(&bystander);
}
END_TEST

/* More than fits into what its heap has left over. */
static void set_long_policy(void)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	require(file);
	fputs("{\"version\": 1, \"rules\": [", file);
	for (int i = 0; i < RULES; i++)
		fprintf(file,
			"%s{\"name\": \"%d\", \"action\": \"allow\", \"match\": {" EVERYBODY
			"}, \"channels\": [\"*/*\"]}",
			i ? ", " : "", i);
	fputs("]}", file);
	require_eq(fclose(file), 0);
	harness_set_policy(&harness, text);
	free(text);
}

/* Without memory there is no thread to wait for the service manager, which does not listen. */
START_TEST(without_memory_the_policy_in_force_stays_and_nobody_waits)
{
	struct reload wish = {DSPBROKER_NO_RESOURCES, "Cannot allocate memory"};
	struct client client;

	if (!harness_has_users() || FILTER_SANITIZED || emulated())
		return;
	set_long_policy();
	for (unsigned int kib = 0; kib <= 1024; kib += 128) {
		client_start(&client, BROKER_UID, reloads, &wish);
		client_await(&client, 'c');
		faults_leave_memory(&harness, kib);
		client_go(&client, 'r');
		client_end(&client);
		faults_lift(&harness);
		require(newcomer_gets_all());
	}
	reload(0, NULL);
	require(newcomer_gets_all());
}
END_TEST

/* It has the DSP touch more memory than there is; that is charged to whom touches it. */
static void takes_too_much(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, 2 * HALF);
	const struct dspbroker_arg args[] = {
		{.buffer = buffer, .length = HALF},
		{.buffer = buffer, .offset = HALF, .length = HALF},
	};
	struct dspbroker_call copy = {.method = EXAMPLE_COPY, .n_in = 1, .n_out = 1, .args = args};

	(void)data;
	require_eq(dspbroker_submit(session, &copy), 0);
	require_eq(reap_one(broker).status, DSPBROKER_DOMAIN_CRASHED);
	/* What it touched is its buffer's, and was not freed when it was killed. */
	dspbroker_buffer_free(buffer);
	settle(broker);
	step_reached('k');
	step_await('f');
	dspbroker_session_close(session);
	session = open_channel(broker, EXAMPLE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(a_domain_that_reaches_the_limit_of_memory_ends_alone)
{
	struct client bystander, greedy;

	if (FILTER_SANITIZED || !harness_has_users() || !faults_enter_memory_limit(LIMIT_MIB))
		return; /* with a sanitizer no domain is larger than the broker */
	set_up();
	faults_leave_memory_limit();
	start_bystander(&bystander);
	client_start(&greedy, ALICE, takes_too_much, NULL);
	client_await(&greedy, 'k');
	still_goes_on(&bystander);
	client_go(&greedy, 'f');
	client_end(&greedy);
	require(newcomer_gets_all());
	client_kill(&bystander);
	tear_down();
	faults_remove_memory_limit();
}
END_TEST

/* A full disk. */

START_TEST(it_goes_on_when_the_disk_of_its_log_is_full_and_logs_when_there_is_room_again)
{
	char disk[sizeof(harness.dir) + 8];

	if (!faults_own_mounts())
		return;
	harness_prepare(&harness);
	snprintf(disk, sizeof(disk), "%s/disk", harness.dir);
	faults_make_disk(disk, 64, 16);
	snprintf(harness.log, sizeof(harness.log), "%s/log", disk);
	harness_spawn(&harness, &(struct harness_options){.policy = ALLOW_ALL});
	harness_await_ready(&harness);
	faults_fill_disk(harness.log);
	harness_set_policy(&harness, BROKEN);
	reload(DSPBROKER_BAD_POLICY, "test.json:1:");
	require(newcomer_gets_all());
	require(!harness_logged(&harness, "test.json:1:"));
	must(truncate(harness.log, 0));
	reload(DSPBROKER_BAD_POLICY, "test.json:1:");
	require(harness_logged(&harness, "test.json:1:"));
	harness_stop(&harness);
}
END_TEST

START_TEST(a_policy_file_that_a_full_disk_cut_off_changes_nothing)
{
	char path[sizeof(harness.policy) + 16], other[sizeof(path)];
	int fd;

	if (!faults_own_mounts())
		return;
	harness_prepare(&harness);
	faults_make_disk(harness.policy, 64, 16);
	harness_set_policy(&harness, ALLOW_ALL);
	harness_spawn(&harness, &(struct harness_options){});
	harness_await_ready(&harness);
	snprintf(path, sizeof(path), "%s/test.json", harness.policy);
	fd = must(open(path, O_WRONLY | O_TRUNC | O_CLOEXEC));
	snprintf(other, sizeof(other), "%s/other", harness.policy);
	faults_fill_disk(other);
	require_eq(write(fd, ALLOW_ALL, sizeof(ALLOW_ALL) - 1), -1);
	close(fd);
	reload(DSPBROKER_BAD_POLICY, "test.json");
	require(newcomer_gets_all());
	must(unlink(other));
	harness_set_policy(&harness, ALLOW_ALL);
	reload(0, NULL);
	harness_stop(&harness);
}
END_TEST

/* Its output goes to a device that is always full. */
static void lists_to_a_full_device(void *data)
{
	int full = must(open("/dev/full", O_WRONLY | O_CLOEXEC));
	int errors = must(open(data, O_WRONLY | O_CLOEXEC)), status;
	pid_t pid;

	pid = must(fork());
	if (pid == 0) {
		must(dup2(full, STDOUT_FILENO));
		must(dup2(errors, STDERR_FILENO));
		execl(harness_program("dspctl"), "dspctl", "--socket", harness.socket, "devices",
			NULL);
		_exit(127);
	}
	must(waitpid(pid, &status, 0));
	require(WIFEXITED(status));
	require_eq(WEXITSTATUS(status), 1);
}

START_TEST(dspctl_fails_when_its_output_finds_no_room)
{
	char path[sizeof(harness.dir) + 16];

	snprintf(path, sizeof(path), "%s/errors", harness.dir);
	fd_close(must(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666)));
	must(chmod(path, 0666));
	client_run(ALICE, lists_to_a_full_device, path);
	require_text(process_read_text(path), "cannot write to standard output");
}
END_TEST

/* Parts of it. */

START_TEST(without_dspbroker_who_nobody_is_known_by_what_it_tells_and_all_else_goes_on)
{
	struct client bystander;

	start_bystander(&bystander);
	faults_kill_part(&harness, "dspbroker-who");
	require_soon(harness_logged(&harness, "dspbroker-who is gone: units, executables"));
	still_goes_on(&bystander);
	require(newcomer_gets_all());
	client_kill(&bystander);
}
END_TEST

START_TEST(without_the_process_for_names_policies_without_names_can_be_read)
{
	faults_kill_part(&harness, "dspbroker-names");
	harness_set_policy(&harness, NAMED_USER);
	reload(DSPBROKER_BAD_POLICY, "the user database cannot be asked");
	require(harness_logged(&harness, "the process that looks up names of users is gone"));
	require(newcomer_gets_all());
	harness_set_policy(&harness, ALLOW_ALL);
	reload(0, NULL);
	require(newcomer_gets_all());
}
END_TEST

START_TEST(without_the_process_that_opens_nodes_the_software_dsp_goes_on)
{
	struct client bystander;

	start_bystander(&bystander);
	faults_kill_part(&harness, "dspbroker-open");
	still_goes_on(&bystander);
	require(newcomer_gets_all());
	client_kill(&bystander);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("faults");
	TCase *tcase = tcase_create("faults"), *own = tcase_create("of its own");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase,
		without_a_descriptor_connections_wait_and_are_served_when_there_is_one_again);
	tcase_add_test(tcase,
		whatever_it_has_no_descriptor_for_is_refused_and_costs_nobody_else_anything);
	tcase_add_test(tcase, a_descriptor_that_does_not_arrive_is_refused_and_its_client_goes_on);
	tcase_add_test(tcase, without_descriptors_the_policy_in_force_stays);
	tcase_add_test(tcase,
		whatever_it_has_no_memory_for_is_refused_and_costs_nobody_else_anything);
	tcase_add_test(tcase, without_memory_the_policy_in_force_stays_and_nobody_waits);
	tcase_add_test(tcase, dspctl_fails_when_its_output_finds_no_room);
	tcase_add_test(tcase,
		without_dspbroker_who_nobody_is_known_by_what_it_tells_and_all_else_goes_on);
	tcase_add_test(tcase, without_the_process_for_names_policies_without_names_can_be_read);
	tcase_add_test(tcase, without_the_process_that_opens_nodes_the_software_dsp_goes_on);
	suite_add_tcase(suite, tcase);

	tcase_set_timeout(own, HARNESS_TIMEOUT_S);
	tcase_add_test(own,
		it_goes_on_when_the_disk_of_its_log_is_full_and_logs_when_there_is_room_again);
	tcase_add_test(own, a_domain_that_reaches_the_limit_of_memory_ends_alone);
	tcase_add_test(own, a_policy_file_that_a_full_disk_cut_off_changes_nothing);
	suite_add_tcase(suite, own);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
