// SPDX-License-Identifier: MIT
/* News from the kernel: real events, and messages that no kernel would send. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "daemon/hotplug.h"
#include "daemon/sysfs.h"
#include "tests/fds.h"
#include "tests/suite.h"

/* Two devices that every kernel has. Written to, "uevent" makes the kernel send an event before
 * the write returns. */
#define NET_DEVICE "/sys/class/net/lo/uevent"
#define MEM_DEVICE "/sys/class/mem/null/uevent"

/* More events than the socket has room for. */
#define TOO_MANY 4096

struct watcher {
	struct hotplug_watch watch;
	unsigned int calls;
	struct watcher *removes, *adds;
};

static sd_event *event;
static struct hotplug *hotplug;
static int probe = -1; /* a socket like that of the hotplug */
static size_t fds_before;

static void on_changed(struct hotplug_watch *watch)
{
	struct watcher *watcher = container_of(watch, struct watcher, watch);

	watcher->calls++;
	if (watcher->removes)
		hotplug_remove(&watcher->removes->watch);
	if (watcher->adds)
		hotplug_add(hotplug, &watcher->adds->watch);
}

static void add(struct watcher *watcher, const char *subsystem)
{
	watcher->watch.subsystem = subsystem;
	watcher->watch.changed = on_changed;
	hotplug_add(hotplug, &watcher->watch);
}

static void open_probe(void)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};

	probe = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		NETLINK_KOBJECT_UEVENT);
	ck_assert_int_ge(probe, 0);
	ck_assert_int_eq(bind(probe, (const struct sockaddr *)&address, sizeof(address)), 0);
}

static void set_up(void)
{
	fds_before = count_fds(getpid());
	open_probe();
	ck_assert_int_eq(sd_event_new(&event), 0);
	ck_assert_int_eq(hotplug_new(&hotplug, event), 0);
}

static void tear_down(void)
{
	hotplug = hotplug_free(hotplug);
	ck_assert_ptr_null(hotplug);
	event = sd_event_unref(event);
	probe = fd_close(probe);
	ck_assert_uint_eq(count_fds(getpid()), fds_before);
}

static void change(const char *device)
{
	ck_assert_int_eq(sysfs_write(device, "change"), 0);
}

/* What is there now, in as many turns as it takes. */
static void drain(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

/* Do events reach this process? If not, say that this test is skipped. */
static bool kernel_speaks(void)
{
	char message[8192];
	int r = sysfs_write(NET_DEVICE, "change");

	if (r < 0) {
		fprintf(stderr, "SKIPPED: cannot make the kernel send an event: %s\n",
			strerror(-r));
		return false;
	}
	if (recv(probe, message, sizeof(message), 0) < 0) {
		fprintf(stderr, "SKIPPED: the kernel's events do not come here: %m\n");
		return false;
	}
	drain();
	return true;
}

START_TEST(who_watches_a_subsystem_is_called_once_for_many_of_its_events)
{
	struct watcher net = {}, second = {}, others[4] = {};

	if (!kernel_speaks())
		return;
	add(&others[0], "none-such");
	add(&net, "net");
	add(&others[1], "ne");
	add(&others[2], "network");
	add(&others[3], "");
	add(&second, "net");
	for (unsigned int i = 0; i < 5; i++)
		change(NET_DEVICE);
	ck_assert_uint_eq(net.calls, 0);
	ck_assert_int_gt(sd_event_run(event, 0), 0);
	ck_assert_uint_eq(net.calls, 1);
	ck_assert_uint_eq(second.calls, 1);
	change(NET_DEVICE);
	ck_assert_int_gt(sd_event_run(event, 0), 0);
	ck_assert_uint_eq(net.calls, 2);
	hotplug_remove(&net.watch);
	hotplug_remove(&second.watch);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		ck_assert_uint_eq(others[i].calls, 0);
		hotplug_remove(&others[i].watch);
	}
}
END_TEST

START_TEST(a_call_may_remove_any_watch_and_add_others)
{
	struct watcher first = {}, next = {}, last = {}, added = {};

	if (!kernel_speaks())
		return;
	add(&added, "net");
	hotplug_remove(&added.watch);
	add(&first, "net");
	add(&next, "net");
	add(&last, "net");
	first.removes = &next;
	first.adds = &added;
	last.removes = &last;
	change(NET_DEVICE);
	ck_assert_int_gt(sd_event_run(event, 0), 0);
	ck_assert_uint_eq(first.calls, 1);
	ck_assert_uint_eq(next.calls, 0);
	ck_assert_uint_eq(last.calls, 1);
	ck_assert_uint_eq(added.calls, 0);

	/* Now it adds itself again, which is no reason to call it again. */
	first.removes = first.adds = &first;
	change(NET_DEVICE);
	ck_assert_int_gt(sd_event_run(event, 0), 0);
	ck_assert_uint_eq(first.calls, 2);
	ck_assert_uint_eq(next.calls, 0);
	ck_assert_uint_eq(last.calls, 1);
	ck_assert_uint_eq(added.calls, 1);
	hotplug_remove(&first.watch);
	hotplug_remove(&added.watch);
}
END_TEST

START_TEST(what_other_processes_send_is_no_news)
{
	static const char message[] = "add@/devices/forged\0ACTION=add\0SUBSYSTEM=forged";
	const struct sockaddr_nl group = {.nl_family = AF_NETLINK, .nl_groups = 1};
	_cleanup_(fd_closep) int sender =
		socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	struct watcher forged = {}, net = {};
	char received[8192];
	ssize_t n;

	if (!kernel_speaks())
		return;
	if (sendto(sender, message, sizeof(message), 0, (const struct sockaddr *)&group,
		    sizeof(group)) < 0) {
		fprintf(stderr, "SKIPPED: cannot send to the kernel's group: %m\n");
		return;
	}
	add(&forged, "forged");
	add(&net, "net");
	change(NET_DEVICE); /* comes after it */
	drain();
	ck_assert_uint_ge(net.calls, 1);
	ck_assert_uint_eq(forged.calls, 0);
	hotplug_remove(&forged.watch);
	hotplug_remove(&net.watch);

	/* It did come, and would have been news from the kernel. */
	do
		n = recv(probe, received, sizeof(received), 0);
	while (n >= 0 && memcmp(received, message, sizeof(message)) != 0);
	ck_assert_int_eq(n, sizeof(message));
	ck_assert_str_eq(hotplug_subsystem(received, (size_t)n), "forged");
}
END_TEST

START_TEST(when_events_are_lost_everybody_is_called_until_none_are)
{
	struct watcher net = {}, mem = {}, other = {};

	if (!kernel_speaks())
		return;
	add(&net, "net");
	add(&mem, "mem");
	add(&other, "none-such");
	for (unsigned int i = 0; i < TOO_MANY; i++)
		change(NET_DEVICE);
	ck_assert_int_gt(sd_event_run(event, 0), 0);
	ck_assert_uint_eq(net.calls, 1);
	ck_assert_uint_eq(mem.calls, 1);
	ck_assert_uint_eq(other.calls, 1);

	/* There is room again, but the kernel still drops: this one never comes. */
	change(MEM_DEVICE);
	drain();
	ck_assert_uint_gt(mem.calls, 1);
	ck_assert_uint_gt(other.calls, 1);

	/* It is over. */
	other.calls = 0;
	change(NET_DEVICE);
	drain();
	ck_assert_uint_eq(other.calls, 0);
	hotplug_remove(&net.watch);
	hotplug_remove(&mem.watch);
	hotplug_remove(&other.watch);
}
END_TEST

START_TEST(without_news_one_may_watch_all_the_same)
{
	struct watcher zeroed = {}, listed = {}, watcher = {};

	hotplug_remove(&zeroed.watch);
	list_init(&listed.watch.link);
	hotplug_remove(&listed.watch);
	hotplug_add(NULL, &watcher.watch);
	hotplug_remove(&watcher.watch);
	hotplug_remove(&watcher.watch);
	ck_assert_ptr_null(hotplug_free(NULL));
}
END_TEST

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
	const char *bytes;
	size_t size;
	const char *subsystem;
} messages[] = {
	{BYTES("add@/a\0ACTION=add\0DEVPATH=/a\0SUBSYSTEM=rpmsg\0SEQNUM=1\0"), "rpmsg"},
	{BYTES("add@/a\0SUBSYSTEM=rpmsg\0"), "rpmsg"},
	{BYTES("@\0SUBSYSTEM=rpmsg\0"), "rpmsg"},
	{BYTES("add@/a\0\0\0SUBSYSTEM=rpmsg\0"), "rpmsg"},
	{BYTES("add@/a\0SUBSYSTEM=\0"), ""},
	{BYTES("add@/a\0SUBSYSTEM=a\0SUBSYSTEM=b\0"), "a"},
	{BYTES("add@/a\0SUBSYSTEM=a=b\0"), "a=b"},
	/* Not ended. */
	{BYTES("add@/a\0SUBSYSTEM=rpmsg"), NULL},
	{BYTES("add@/a\0SUBSYSTEM="), NULL},
	{BYTES("add@/a\0SUBSYSTEM\0"), NULL},
	{BYTES("add@/a\0SUBSYS"), NULL},
	{BYTES("add@/a"), NULL},
	/* Something else. */
	{BYTES("add@/a\0XSUBSYSTEM=rpmsg\0"), NULL},
	{BYTES("add@/a\0subsystem=rpmsg\0"), NULL},
	{BYTES("add@/a\0DEVPATH=SUBSYSTEM=rpmsg\0"), NULL},
	/* No header of the kernel's, as in what udev sends. */
	{BYTES("SUBSYSTEM=rpmsg@\0"), NULL},
	{BYTES("SUBSYSTEM=rpmsg\0"), NULL},
	{BYTES("libudev\0SUBSYSTEM=rpmsg\0"), NULL},
	{BYTES("add\0x@y\0SUBSYSTEM=rpmsg\0"), NULL},
	{BYTES("\0SUBSYSTEM=rpmsg\0"), NULL},
	{BYTES("\0"), NULL},
	{BYTES(""), NULL},
};

/* Looks at a copy that ends where the message does, for the sanitizer to see. */
static void expect_subsystem(const char *bytes, size_t size, const char *expected)
{
	_cleanup_(freep) char *copy = malloc(MAX(size, (size_t)1));
	const char *found;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, size);
	found = hotplug_subsystem(copy, size);
	ck_assert(!found == !expected);
	if (expected)
		ck_assert_str_eq(found, expected);
}

START_TEST(a_message_names_its_subsystem)
{
	expect_subsystem(messages[_i].bytes, messages[_i].size, messages[_i].subsystem);
}
END_TEST

START_TEST(a_message_that_is_cut_anywhere_is_of_no_subsystem)
{
	static const char whole[] = "add@/a\0ACTION=add\0SUBSYSTEM=rpmsg";

	for (size_t size = 0; size < sizeof(whole); size++)
		expect_subsystem(whole, size, NULL);
	expect_subsystem(whole, sizeof(whole), "rpmsg");
}
END_TEST

START_TEST(a_subsystem_lies_within_its_message_whatever_that_is)
{
	static const char pieces[][12] = {"add@/a", "SUBSYSTEM=", "SUBSYSTEM", "=", "@", "x", ""};
	size_t found_some = 0;

	srandom(1);
	for (unsigned int round = 0; round < 100000; round++) {
		size_t size = (size_t)random() % 40 + 1;
		_cleanup_(freep) char *message = calloc(1, size);
		const char *found;

		ck_assert_ptr_nonnull(message);
		for (size_t at = 0; at < size; at += (size_t)random() % 3) {
			const char *piece = pieces[(size_t)random() % ARRAY_SIZE(pieces)];
			size_t n = MIN(strlen(piece), size - at);

			memcpy(message + at, piece, n);
			at += n;
		}
		found = hotplug_subsystem(message, size);
		if (!found)
			continue;
		found_some++;
		ck_assert(found > message && found < message + size);
		ck_assert_ptr_nonnull(memchr(found, '\0', (size_t)(message + size - found)));
	}
	ck_assert_uint_gt(found_some, 100);
}
END_TEST

/* In a child, whose descriptors are its own: be handed @fd as the service manager does it. */
static void hand_over(int fd, const char *name)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (fd == SD_LISTEN_FDS_START)
		fd = dup(fd);
	if (dup2(fd, SD_LISTEN_FDS_START) < 0 || setenv("LISTEN_PID", pid, 1) < 0 ||
		setenv("LISTEN_FDS", "1", 1) < 0 || setenv("LISTEN_FDNAMES", name, 1) < 0)
		_exit(100);
}

/* 0: news come, by that socket; else where it went wrong. */
static int listen_by_handed(bool speaks)
{
	struct watcher net = {};
	size_t fds;

	if (fcntl(probe, F_SETFL, 0) < 0)
		return 1;
	hand_over(probe, HOTPLUG_FD_NAME);
	fds = count_fds(getpid());
	if (hotplug_new(&hotplug, event) < 0)
		return 2;
	if (count_fds(getpid()) != fds)
		return 3;
	if (!(fcntl(SD_LISTEN_FDS_START, F_GETFL) & O_NONBLOCK))
		return 4;
	add(&net, "net");
	if (speaks && (sysfs_write(NET_DEVICE, "change") < 0 || sd_event_run(event, 0) <= 0 ||
			      net.calls != 1))
		return 5;
	hotplug_remove(&net.watch);
	hotplug_free(hotplug);
	return fcntl(SD_LISTEN_FDS_START, F_GETFD) < 0 ? 0 : 6; /* it went with it */
}

static int in_child(int (*run)(bool speaks), bool speaks)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* The one that the rig has made would hear it, too. */
		event = NULL;
		if (sd_event_new(&event) < 0)
			_exit(101);
		_exit(run(speaks));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(a_socket_that_the_service_manager_hands_over_is_the_one_that_is_used)
{
	ck_assert_int_eq(in_child(listen_by_handed, kernel_speaks()), 0);
}
END_TEST

static int take_another(bool by_name)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
		return 1;
	hand_over(pair[0], by_name ? HOTPLUG_FD_NAME : "another");
	return hotplug_new(&hotplug, event) == (by_name ? -EPROTOTYPE : 0) ? 0 : 2;
}

START_TEST(what_is_no_such_socket_is_refused_and_what_has_another_name_is_left_alone)
{
	ck_assert_int_eq(in_child(take_another, true), 0);
	ck_assert_int_eq(in_child(take_another, false), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hotplug");
	TCase *kernel = tcase_create("kernel"), *messages_case = tcase_create("messages");

	tcase_add_checked_fixture(kernel, set_up, tear_down);
	tcase_add_test(kernel, who_watches_a_subsystem_is_called_once_for_many_of_its_events);
	tcase_add_test(kernel, a_call_may_remove_any_watch_and_add_others);
	tcase_add_test(kernel, what_other_processes_send_is_no_news);
	tcase_add_test(kernel, when_events_are_lost_everybody_is_called_until_none_are);
	tcase_add_test(kernel,
		a_socket_that_the_service_manager_hands_over_is_the_one_that_is_used);
	tcase_add_test(kernel,
		what_is_no_such_socket_is_refused_and_what_has_another_name_is_left_alone);
	tcase_add_test(kernel, without_news_one_may_watch_all_the_same);
	suite_add_tcase(suite, kernel);
	tcase_add_loop_test(messages_case, a_message_names_its_subsystem, 0, ARRAY_SIZE(messages));
	tcase_add_test(messages_case, a_message_that_is_cut_anywhere_is_of_no_subsystem);
	tcase_add_test(messages_case, a_subsystem_lies_within_its_message_whatever_that_is);
	suite_add_tcase(suite, messages_case);
	return suite_run(suite);
}
