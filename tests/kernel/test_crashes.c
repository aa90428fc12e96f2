// SPDX-License-Identifier: MIT
/*
 * A remote processor that crashes again and again while clients send and receive, on the kernel's
 * remoteproc framework (drivers/remoteproc, devcoredump) and rpmsg_char.
 */
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/kernel/messages.h"

#define CRASHES    100
#define CLIENTS    3
#define WINDOW     8  /* messages that are sent and not back yet, of each client */
#define SIZE       64 /* of messages */
#define ADDRESS    7000
#define CHANNEL    "rpmsg0/often-gone"
#define DUMPS      3 /* that are kept */
#define DUMP_BYTES 4096
#define GROWTH_KIB 1024 /* what the broker may keep of its memory; no crash costs 10 KiB */
#define RELEASED   "/sys/class/devcoredump"
#define FOLDER     "/run/coredumps" /* where they are saved */

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)
#define POLICY_DUMPS                                                                   \
	POLICY_WITH_DEVICES("{\"name\": \"rpmsg0\", \"coredumps\": {\"count\": " TEXT( \
				    DUMPS) ", \"bytes\": " TEXT(DUMP_BYTES) "}}",      \
		ALLOW("everybody", EVERYBODY, "\"*/*\"", ""))

static struct harness harness;

/* What clients and the test know of each other. */
static struct shared {
	_Atomic bool stop;
	_Atomic uint64_t echoed[CLIENTS]; /* messages that came back */
	_Atomic uint64_t reopened[CLIENTS];
} * shared;

/* A client, which outlives its sessions. */
struct talker {
	uint32_t id;
	struct dspbroker *broker;
	struct dspbroker_session *session; /* NULL: it has none now */
	uint32_t next;                     /* number of the next message, never used again */
	uint32_t last;                     /* number of the last one that came back */
	uint32_t sent, back, ended;        /* on this session; all completions */
	uint64_t submitted, completed;     /* ever */
};

/* What a crash may be for who was at work; and a message that was on its way. */
static bool is_outage(int status)
{
	return status == DSPBROKER_DEVICE_DOWN || status == DSPBROKER_WITHDRAWN;
}

static bool is_absence(int status)
{
	return is_outage(status) || status == DSPBROKER_NOT_FOUND;
}

/* Each has one, in the order of submission, and a status that says what became of it. */
static void reap(struct talker *talker, int timeout_ms)
{
	struct dspbroker_completion completion;

	while (dspbroker_reap(talker->broker, &completion, 1, timeout_ms) == 1) {
		require_eq((uintptr_t)completion.user, talker->completed);
		require(completion.status == 0 || is_outage(completion.status));
		talker->completed++;
	}
}

static void leave(struct talker *talker)
{
	while (talker->completed < talker->submitted)
		reap(talker, PATIENCE_MS);
	talker->session = dspbroker_session_close(talker->session);
}

/* On the same connection, as soon as the service is there. */
static void come(struct talker *talker)
{
	int r = dspbroker_session_open(talker->broker, &talker->session, CHANNEL);

	require(r == 0 || is_absence(r));
	if (r > 0) {
		talker->session = NULL;
		return;
	}
	atomic_fetch_add(&shared->reopened[talker->id], 1);
	talker->sent = talker->back = 0;
	talker->last = talker->next - 1;
}

static int send_some(struct talker *talker)
{
	uint8_t message[SIZE];
	int r = 0;

	while (r == 0 && talker->sent - talker->back < WINDOW) {
		stamp(message, sizeof(message), talker->id, talker->next);
		r = dspbroker_submit_send(talker->session, message, sizeof(message),
			(void *)(uintptr_t)talker->submitted);
		if (r)
			break;
		talker->next++;
		talker->sent++;
		talker->submitted++;
	}
	require(r == 0 || r == -EAGAIN || is_outage(r));
	return r > 0 ? r : 0;
}

static int receive_next(struct talker *talker)
{
	uint8_t message[RPMSG_MTU];
	uint32_t dropped, number;
	size_t length;
	int r = dspbroker_receive(talker->session, message, sizeof(message), &length, &dropped,
		PATIENCE_MS);

	require(r == 0 || is_outage(r));
	if (r > 0)
		return r;
	require_eq(dropped, 0);
	number = stamp_number(message, length, talker->id);
	/* Of this session, and each once: nothing is lost as long as the session lives. */
	require_eq(number, talker->last + 1);
	talker->last = number;
	talker->back++;
	atomic_fetch_add(&shared->echoed[talker->id], 1);
	return 0;
}

static void forget_events(struct talker *talker)
{
	struct dspbroker_event event;

	while (dspbroker_next_event(talker->broker, &event) == 1)
		require(event.type != DSPBROKER_EVENT_SESSION || is_outage(event.status));
}

static void talk(void *data)
{
	struct talker talker = {.id = (uint32_t)(uintptr_t)data, .next = 1};

	talker.broker = connect_to(&harness);
	while (!atomic_load(&shared->stop)) {
		if (!talker.session)
			come(&talker);
		else if (send_some(&talker) || receive_next(&talker))
			leave(&talker);
		reap(&talker, 0);
		forget_events(&talker);
	}
	leave(&talker);
	require_eq(talker.completed, talker.submitted);
	dspbroker_free(talker.broker);
}

/* All of them are at it. */
static void await_traffic(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		uint64_t before = atomic_load(&shared->echoed[i]);

		require_soon(atomic_load(&shared->echoed[i]) >= before + WINDOW);
	}
}

static size_t count_files(const char *path, const char *prefix)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	require(folder);
	while ((entry = readdir(folder)))
		n += entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(folder);
	return n;
}

/* Each is the beginning of what the kernel had. */
static void check_dumps(void)
{
	DIR *folder = opendir(FOLDER);
	const struct dirent *entry;

	require(folder);
	while ((entry = readdir(folder))) {
		char path[sizeof(FOLDER) + sizeof(entry->d_name)], magic[4];
		FILE *file;
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", FOLDER, entry->d_name);
		require_eq(stat(path, &st), 0);
		require_eq(st.st_size, DUMP_BYTES);
		require_eq(st.st_mode & 0077, 0);
		file = fopen(path, "re");
		require(file && fread(magic, sizeof(magic), 1, file) == 1);
		require(memcmp(magic, "\177ELF", sizeof(magic)) == 0);
		fclose(file);
	}
	closedir(folder);
}

/* Crash it under load, and wait until that is over: it is back, the dump is saved and released. */
static void crash_once(struct dspbroker *broker, uint32_t so_far)
{
	await_traffic();
	crash_and_recover();
	require_soon(device_record(broker, "rpmsg0").coredumps == so_far + 1);
	require_soon(count_files(RELEASED, "devcd") == 0);
	require(count_files(FOLDER, "") <= DUMPS);
}

START_TEST(a_hundred_crashes_under_load)
{
	struct client clients[CLIENTS];
	struct dspbroker *broker;
	size_t fds, rss;

	serve(ADDRESS, "echo", "often-gone");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0);
	require(shared != MAP_FAILED);
	harness_prepare(&harness);
	/* Dumps are root's in this guest; test_udev.c has them given to the broker. Without
	 * capabilities root writes to folders of its own alone. */
	harness_spawn(&harness,
		&(struct harness_options){
			.policy = POLICY_DUMPS, .user = "root", .coredumps = FOLDER});
	harness_await_ready(&harness);
	broker = connect_to(&harness);
	require_soon(is_listed(broker, CHANNEL));
	fds = harness_fds(&harness);
	for (uint32_t i = 0; i < CLIENTS; i++)
		client_start(&clients[i], ALICE, talk, (void *)(uintptr_t)i);
	crash_once(broker, 0);
	rss = harness_rss_kib(&harness);
	for (uint32_t i = 1; i < CRASHES; i++)
		crash_once(broker, i);
	require(harness_rss_kib(&harness) <= rss + GROWTH_KIB);
	await_traffic();
	atomic_store(&shared->stop, true);
	for (int i = 0; i < CLIENTS; i++) {
		client_end(&clients[i]);
		require(atomic_load(&shared->reopened[i]) > CRASHES);
	}
	require_eq(count_files(FOLDER, ""), DUMPS);
	check_dumps();
	require_soon(harness_fds(&harness) == fds);
	dspbroker_free(broker);
	harness_stop(&harness);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("crashes on drivers/remoteproc and devcoredump");
	TCase *tcase = tcase_create("crashes");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, a_hundred_crashes_under_load);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
