// SPDX-License-Identifier: MIT
/*
 * A remote processor that attacks: names that are none, announcements without end, messages that
 * cannot be, services that go at any moment; through the kernel's drivers (virtio_rpmsg_bus and its
 * name service, rpmsg_ctrl, rpmsg_char). The attacker here commands it. Beside that, an
 * innocent client is served by another device all the time, and the broker must give back all that
 * the attack has cost it: hostile_run() sees to that.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "tests/integration/hostile.h"
#include "tests/kernel/messages.h"

#define POLICY_ALL ALLOW_WITH(", \"limits\": {\"timeout_ms\": 60000}")

/* Names. */

/* Announce, or withdraw, an endpoint by a name of any bytes. */
static void tell_name(uint32_t address, uint32_t flags, const void *name, size_t size)
{
	const uint8_t *bytes = name;
	char hex[2 * 32 + 1] = "-";

	require(size <= 32);
	for (size_t i = 0; i < size; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	remote("name-service %u %u %s", address, flags, hex);
}

static void announce(uint32_t address, const char *name)
{
	tell_name(address, 0, name, strlen(name));
}

static void withdraw(uint32_t address, const char *name)
{
	tell_name(address, 1, name, strlen(name));
}

/* The messages of the name service are handled in their order: once this one, which must be new, is
 * there, the broker has seen what was before it. */
static void sync_names(struct dspbroker *broker, uint32_t address)
{
	char name[32], channel[48];

	snprintf(name, sizeof(name), "marker-%u", address);
	snprintf(channel, sizeof(channel), "rpmsg0/%s", name);
	announce(address, name);
	require_soon(is_listed(broker, channel));
	withdraw(address, name);
	require_soon(!is_listed(broker, channel));
}

/* What a name may be made of is what policies, shells and terminals can do with. */
static void require_harmless(const char *channel)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	const char *slash = strchr(channel, '/');

	require(slash && slash[1]);
	require_eq(strspn(slash + 1, allowed), strlen(slash + 1));
}

/* All of the list is harmless, and no name is there twice. Returns how many rpmsg0 has. */
static size_t check_list(struct dspbroker *broker)
{
	static char names[2 * LIMIT_DEVICE_CHANNELS]
			 [sizeof(((struct dspbroker_channel_info *)0)->name)];
	struct dspbroker_channel_info info = {.id = 0};
	size_t n = 0, n_rpmsg = 0;

	while (dspbroker_next_channel(broker, info.id, &info) == 1) {
		require_harmless(info.name);
		for (size_t i = 0; i < n; i++)
			require(strcmp(names[i], info.name) != 0);
		require(n < ARRAY_SIZE(names));
		strcpy(names[n++], info.name);
		n_rpmsg += strncmp(info.name, "rpmsg0/", 7) == 0;
	}
	return n_rpmsg;
}

static const char *const garbage[] = {
	"short-announcement",
	"long-announcement",
	"no-recipient",
	"short-buffer",
	"long-length",
	"long-buffer",
};

/* What is no announcement announces nothing, and what is one is heard after it. */
static void sends_garbage(void *harness)
{
	struct dspbroker *broker = connect_to(harness);
	struct dspbroker_session *session;
	size_t before;

	serve(6000, "echo", "good");
	require_soon(is_listed(broker, "rpmsg0/good"));
	session = open_channel(broker, "rpmsg0/good");
	before = check_list(broker);
	for (uint32_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		for (int j = 0; j < 5; j++)
			remote("garbage %s", garbage[i]);
		sync_names(broker, 6001);
		require_eq(check_list(broker), before);
		echo_stamped(session, RPMSG_MTU, 1, i);
	}
	dspbroker_free(broker);
}

START_TEST(malformed_announcements_change_nothing)
{
	hostile_run(POLICY_ALL, sends_garbage);
}
END_TEST

#define NAME(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	const char *bytes;
	size_t size;
} bad_names[] = {
	NAME(""), NAME("/"), NAME("a/b"), NAME("../../etc/passwd"), NAME("soft0/example"),
	NAME("!"), NAME("line\n"), NAME("\nline"), NAME("good\nand more"), NAME("cr\r"),
	NAME("tab\t"), NAME("bell\a"), NAME("\x1b[2J\x1b]0;title\a"), NAME("del\x7f"),
	NAME("\xc3\xa4\xc3\xb6\xc3\xbc"), NAME("\xff\xfe\x80"),
	NAME("\xe2\x80\xae"
	     "evil"),
	NAME("space in it"), NAME(" "), NAME("*"), NAME("g?od"), NAME("percent%s%n"),
	NAME("quote\"\\"), NAME("'; reboot; '"), NAME("$(reboot)"),
	NAME("nul\0hidden\n"), /* which the kernel cuts to a good one */
};
#define N_CUT_TO_GOOD 1

static void announces_bad_names(void *harness)
{
	struct dspbroker *broker = connect_to(harness);
	size_t before;

	serve(6010, "echo", "better");
	require_soon(is_listed(broker, "rpmsg0/better"));
	before = check_list(broker);
	for (uint32_t i = 0; i < ARRAY_SIZE(bad_names); i++)
		tell_name(6011 + i, 0, bad_names[i].bytes, bad_names[i].size);
	sync_names(broker, 6099);
	require_eq(check_list(broker), before + N_CUT_TO_GOOD);
	require(is_listed(broker, "rpmsg0/nul"));
	echo_stamped(open_channel(broker, "rpmsg0/better"), 100, 1, 1);

	for (uint32_t i = 0; i < ARRAY_SIZE(bad_names); i++)
		tell_name(6011 + i, 1, bad_names[i].bytes, bad_names[i].size);
	require_soon(!is_listed(broker, "rpmsg0/nul"));
	require_eq(check_list(broker), before);
	dspbroker_free(broker);
}

START_TEST(names_that_could_do_harm_are_no_channels)
{
	hostile_run(POLICY_ALL, announces_bad_names);
}
END_TEST

/* 32 bytes without a NUL: the kernel makes them 31. */
static void announces_long_names(void *harness)
{
	static const char longest[] = "0123456789abcdefghijklmnopqrstu"; /* 31 */
	struct dspbroker *broker = connect_to(harness);
	size_t before = check_list(broker);
	char channel[48];

	snprintf(channel, sizeof(channel), "rpmsg0/%s", longest);
	tell_name(6100, 0, "0123456789abcdefghijklmnopqrstuv", 32);
	require_soon(is_listed(broker, channel));
	require_eq(check_list(broker), before + 1);

	/* The second of that name has to be called otherwise, and that can be opened, too. */
	remote("serve 6101 sink");
	announce(6101, longest);
	snprintf(channel, sizeof(channel), "rpmsg0/%s.6101", longest);
	require_soon(is_listed(broker, channel));
	send_stamped(open_channel(broker, channel), 20, 1, 1);
	require_soon(remote_count(6101).messages == 1);
	withdraw(6101, longest);
	withdraw(6100, longest);
	require_soon(check_list(broker) == before);
	dspbroker_free(broker);
}

START_TEST(a_name_that_does_not_end_is_cut_and_one_of_full_length_works)
{
	hostile_run(POLICY_ALL, announces_long_names);
}
END_TEST

/* Names that look as the broker would make them for others, and the same ones again and again. */
static void announces_confusing_names(void *harness)
{
	struct dspbroker *broker = connect_to(harness);
	size_t before = check_list(broker);

	announce(6201, "same.6202");
	announce(6200, "same");
	announce(6202, "same");
	announce(6203, "same.6202");
	announce(6204, "same.6202.6203");
	for (int i = 0; i < 5; i++)
		announce(6200, "same"); /* which the kernel refuses */
	sync_names(broker, 6299);
	check_list(broker);
	require(is_listed(broker, "rpmsg0/same"));
	require(is_listed(broker, "rpmsg0/same.6202"));
	withdraw(6200, "same");
	withdraw(6201, "same.6202");
	withdraw(6202, "same");
	withdraw(6203, "same.6202");
	withdraw(6204, "same.6202.6203");
	require_soon(check_list(broker) == before);
	dspbroker_free(broker);
}

START_TEST(no_two_channels_ever_have_the_same_name)
{
	hostile_run(POLICY_ALL, announces_confusing_names);
}
END_TEST

/* Such as what goes to FastRPC: else its driver's messages could be forged. */
static void announces_what_drivers_take(void *harness)
{
	static const char *const names[] = {
		"rpmsg-raw", FASTRPC_CHANNEL, "rpmsg_ctrl", "rpmsg_ns", "rpmsg_chrdev"};
	struct dspbroker *broker = connect_to(harness);
	struct dspbroker_session *session;
	char channel[64];

	remote("serve 6300 fastrpc");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		announce(6300, names[i]);
	sync_names(broker, 6399);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(channel, sizeof(channel), "rpmsg0/%s", names[i]);
		require(!is_listed(broker, channel));
		require_eq(dspbroker_session_open(broker, &session, channel), DSPBROKER_NOT_FOUND);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		withdraw(6300, names[i]);
	dspbroker_free(broker);
}

START_TEST(what_a_driver_of_the_kernel_has_taken_is_no_channel)
{
	hostile_run(POLICY_ALL, announces_what_drivers_take);
}
END_TEST

#define MANY 600

static void announces_without_end(void *harness)
{
	struct dspbroker *broker = connect_to(harness);
	size_t before = check_list(broker);
	char name[32];

	serve(6400, "echo", "early");
	require_soon(is_listed(broker, "rpmsg0/early"));
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "one-of-many-%u", i);
		announce(10000 + i, name);
	}
	require_soon(device_record(broker, "rpmsg0").channels == LIMIT_DEVICE_CHANNELS);
	require_eq(check_list(broker), LIMIT_DEVICE_CHANNELS);
	echo_stamped(open_channel(broker, "rpmsg0/early"), 100, 1, 1);

	/* When there is room again, it is for those who had none. */
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "one-of-many-%u", i);
		withdraw(10000 + i, name);
	}
	require_soon(check_list(broker) == before + 1);
	echo_stamped(open_channel(broker, "rpmsg0/early"), 100, 1, 2);
	remote("withdraw 6400");
	require_soon(check_list(broker) == before);
	dspbroker_free(broker);
}

START_TEST(announcements_without_end_are_limited_and_leave_nothing)
{
	hostile_run(POLICY_ALL, announces_without_end);
}
END_TEST

/* Messages. */

/* Beside what is allowed: none at all, and more than policy thinks there can be. */
static void sends_odd_messages(void *harness)
{
	struct dspbroker *broker = connect_to(harness);
	struct dspbroker_session *session;
	uint8_t message[64];
	uint32_t dropped;
	size_t length;

	remote("serve 6500 source");
	session = open_channel(broker, "rpmsg0/narrow");
	require_eq(dspbroker_session_info(session)->mtu, sizeof(message));
	require_eq(dspbroker_send(session, (uint8_t[65]){0}, 65, -1), -EMSGSIZE);
	ask_source(session, 0, 0);
	require_soon(remote_count(6500).messages == 1);
	for (uint32_t i = 0; i < 50; i++) {
		remote("message 6500 0 -");
		remote("message 6500 0 -");
		remote("emit 6500 0 3 65");
		remote("emit 6500 0 2 496");
		remote("message 6500 0 %02x", i + 1);
		require_eq(dspbroker_receive(session, message, sizeof(message), &length, &dropped,
				   PATIENCE_MS),
			0);
		require_eq(length, 1);
		require_eq(message[0], i + 1);
		require_eq(dropped, 7);
	}
	require(session_record(broker, "rpmsg0/narrow").dropped >= 50 * 7);
	dspbroker_free(broker);
}

START_TEST(messages_that_are_empty_or_too_long_are_dropped_and_others_arrive)
{
	hostile_run(POLICY_WITH_DEVICES("{\"name\": \"rpmsg0\", \"mtu\": 64, \"services\": "
					"{\"narrow\": 6500}}",
			    ALLOW("everybody", EVERYBODY, "\"*/*\"", "")),
		sends_odd_messages);
}
END_TEST

/* Any moment. */

static bool is_one_of(int status, const int *statuses, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (status == statuses[i])
			return true;
	return false;
}

/* One of these, and of no other, may anything end with that a client does meanwhile. */
static void require_fair(int status)
{
	static const int fair[] = {DSPBROKER_OK, DSPBROKER_NOT_FOUND, DSPBROKER_WITHDRAWN,
		DSPBROKER_TIMED_OUT, DSPBROKER_BUSY};

	if (!is_one_of(status, fair, ARRAY_SIZE(fair)))
		harness_fail(__FILE__, __LINE__, "%s: %s", dspbroker_strerror(status),
			dspbroker_message());
}

/* Each message that is submitted ends, whether the session is closed meanwhile or not. */
static void talk(struct dspbroker *broker, struct dspbroker_session *session)
{
	struct dspbroker_completion completion;
	uint8_t message[RPMSG_MTU];
	size_t length;
	int submitted = 0;

	while (submitted < 5 && dspbroker_submit_send(session, "x", 1, NULL) == 0)
		submitted++;
	require_fair(dspbroker_try_send(session, "y", 1));
	require_fair(dspbroker_receive(session, message, sizeof(message), &length, NULL,
		(int)random_below(5)));
	if (random_below(2))
		dspbroker_session_close(TAKE_PTR(session));
	while (submitted-- > 0) {
		completion = reap_one(broker);
		if (completion.status != DSPBROKER_CANCELLED)
			require_fair(completion.status);
	}
	dspbroker_session_close(session);
	require_eq(dspbroker_reap(broker, &completion, 1, 0), 0);
}

/* If it is there. */
static void use(struct dspbroker *broker)
{
	struct dspbroker_session *session;
	struct dspbroker_event event;
	int r = dspbroker_session_open(broker, &session, "rpmsg0/unstable");

	require_fair(r);
	if (r == 0)
		talk(broker, session);
	while (dspbroker_next_event(broker, &event) == 1)
		continue;
}

#define UNSTABLE_ADDRESS 6600
#define USERS            3
#define UPSETS           300

static void withdraws_and_announces(void)
{
	remote("withdraw %d", UNSTABLE_ADDRESS);
	poll(NULL, 0, (int)random_below(3)); /* the moment is what is random */
	remote("announce %d unstable", UNSTABLE_ADDRESS);
	poll(NULL, 0, (int)random_below(10));
}

static void use_until(const atomic_bool *over, const struct harness *harness)
{
	struct dspbroker *broker;

	require_eq(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	broker = connect_to(harness);
	while (!*over)
		use(broker);
	dspbroker_free(broker);
	_exit(EXIT_SUCCESS);
}

static void upset_users(void *harness)
{
	atomic_bool *over = mmap(NULL, sizeof(*over), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t users[USERS];
	int status;

	require(over != MAP_FAILED);
	serve(UNSTABLE_ADDRESS, "echo", "unstable");
	random_next(); /* or each of them would draw a seed of its own */
	for (size_t i = 0; i < USERS; i++) {
		users[i] = fork();
		require(users[i] >= 0);
		if (users[i] == 0)
			use_until(over, harness);
	}
	for (int i = 0; i < UPSETS; i++)
		withdraws_and_announces();
	*over = true;
	for (size_t i = 0; i < USERS; i++) {
		require_eq(waitpid(users[i], &status, 0), users[i]);
		require_eq(status, 0);
	}
	remote("withdraw %d", UNSTABLE_ADDRESS);
}

START_TEST(services_may_come_and_go_at_any_moment)
{
	size_t nodes = count_nodes();

	hostile_run(POLICY_ALL, upset_users);
	require_soon(count_nodes() <= nodes);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("hostile remote processor behind rpmsg_char");
	TCase *tcase = tcase_create("remote");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, malformed_announcements_change_nothing);
	tcase_add_test(tcase, names_that_could_do_harm_are_no_channels);
	tcase_add_test(tcase, a_name_that_does_not_end_is_cut_and_one_of_full_length_works);
	tcase_add_test(tcase, no_two_channels_ever_have_the_same_name);
	tcase_add_test(tcase, what_a_driver_of_the_kernel_has_taken_is_no_channel);
	tcase_add_test(tcase, announcements_without_end_are_limited_and_leave_nothing);
	tcase_add_test(tcase, messages_that_are_empty_or_too_long_are_dropped_and_others_arrive);
	tcase_add_test(tcase, services_may_come_and_go_at_any_moment);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
