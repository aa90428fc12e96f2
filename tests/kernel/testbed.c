// SPDX-License-Identifier: MIT
#include "tests/kernel/testbed.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rpmsg.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CONTROL         "/dev/ttyS0" /* init made it raw */
#define KLOG_READ_ALL   3
#define KLOG_SIZE       (1024 * 1024)
#define ANSWER_MAX      1024
#define NEVER_MS        (HARNESS_PATIENCE_S * 1000)
#define SYSFS_ENDPOINTS "/sys/class/rpmsg"
#define UEVENTS_KERNEL  1 /* netlink group of the kernel's own events */
#define UEVENT_MAX      8192

static void await(int fd, const char *what)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	if (poll(&pollfd, 1, NEVER_MS) != 1)
		harness_fail(__FILE__, __LINE__, "waited in vain for %s", what);
}

/* A line, without its end. */
static void read_line(int fd, char *line, size_t size)
{
	for (size_t n = 0; n < size; n++) {
		await(fd, "the remote processor's answer");
		require_eq(read(fd, line + n, 1), 1);
		if (line[n] == '\n') {
			line[n] = '\0';
			return;
		}
	}
	harness_fail(__FILE__, __LINE__, "the remote processor's answer is too long");
}

/* One command at a time, whoever gives them. */
static const char *ask(const char *command)
{
	static char answer[ANSWER_MAX];
	_cleanup_(fd_closep) int fd = open(CONTROL, O_RDWR | O_NOCTTY | O_CLOEXEC);
	char line[ANSWER_MAX];
	int n = snprintf(line, sizeof(line), "%s\n", command);

	require(fd >= 0 && n < (int)sizeof(line));
	require_eq(flock(fd, LOCK_EX), 0);
	require_eq(write(fd, line, (size_t)n), n);
	read_line(fd, answer, sizeof(answer));
	return answer;
}

const char *remote(const char *format, ...)
{
	char command[ANSWER_MAX];
	const char *answer;
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	answer = ask(command);
	if (strncmp(answer, "ok ", 3) != 0)
		harness_fail(__FILE__, __LINE__, "remote processor: %s: %s", command, answer);
	return answer + 3;
}

void remote_refuses(const char *command, const char *reason)
{
	const char *answer = ask(command);

	require_text(answer, "error ");
	require_text(answer, reason);
}

bool write_file(const char *path, const char *text)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

const char *read_file(const char *path)
{
	static char text[256];
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text;
}

bool has_channel(const char *name, uint32_t address)
{
	DIR *folder = opendir("/sys/bus/rpmsg/devices");
	struct dirent *entry;
	char end[64];
	bool found = false;

	/* Such as virtio1.NAME.-1.1024. */
	snprintf(end, sizeof(end), ".%s.-1.%u", name, address);
	require(folder);
	while ((entry = readdir(folder))) {
		const char *at = strchr(entry->d_name, '.');

		found |= at && strcmp(at, end) == 0;
	}
	closedir(folder);
	return found;
}

/* The endpoint device of that name; false when there is none. */
static bool find_node(const char *name, struct rpmsg_node *node)
{
	DIR *folder = opendir(SYSFS_ENDPOINTS);
	struct dirent *entry;
	bool found = false;

	require(folder);
	while (!found && (entry = readdir(folder))) {
		char path[sizeof(SYSFS_ENDPOINTS) + sizeof(entry->d_name) + 8];

		snprintf(path, sizeof(path), SYSFS_ENDPOINTS "/%s/name", entry->d_name);
		found = strcmp(read_file(path), name) == 0;
		if (found)
			snprintf(node->path, sizeof(node->path), "/dev/%.20s", entry->d_name);
	}
	closedir(folder);
	return found;
}

size_t count_nodes(void)
{
	DIR *folder = opendir(SYSFS_ENDPOINTS);
	const struct dirent *entry;
	unsigned int number;
	size_t n = 0;

	require(folder);
	while ((entry = readdir(folder)))
		n += sscanf(entry->d_name, "rpmsg%u", &number) == 1;
	closedir(folder);
	return n;
}

/* What tells a link from the one before: the number of its control device's folder; 0: none. */
static ino_t link_instance(void)
{
	static const char prefix[] = "rpmsg_ctrl";
	DIR *folder = opendir(SYSFS_ENDPOINTS);
	const struct dirent *entry;
	ino_t instance = 0;

	require(folder);
	while ((entry = readdir(folder)))
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			instance = entry->d_ino;
	closedir(folder);
	return instance;
}

void crash_and_recover(void)
{
	ino_t before = link_instance(), now;

	require(before != 0);
	remote("crash");
	require_soon((now = link_instance()) != 0 && now != before);
	require_soon(strcmp(read_file(REMOTEPROC "/state"), "running") == 0);
}

struct rpmsg_node rpmsg_node(const char *name, uint32_t address)
{
	struct rpmsg_endpoint_info info = {.src = RPMSG_ADDR_ANY, .dst = address};
	_cleanup_(fd_closep) int ctrl = open(RPMSG_CTRL, O_RDWR | O_CLOEXEC);
	struct rpmsg_node node = {""};

	require(ctrl >= 0);
	require(!find_node(name, &node));
	snprintf(info.name, sizeof(info.name), "%s", name);
	require_eq(ioctl(ctrl, RPMSG_CREATE_EPT_IOCTL, &info), 0);
	require(find_node(name, &node));
	return node;
}

int rpmsg_open(const char *name, uint32_t address, int flags)
{
	struct rpmsg_node node = rpmsg_node(name, address);
	int fd = open(node.path, flags | O_CLOEXEC);

	require(fd >= 0);
	return fd;
}

size_t rpmsg_receive(int fd, void *buffer)
{
	ssize_t n;

	await(fd, "a message");
	n = read(fd, buffer, RPMSG_MTU);
	require(n >= 0);
	return (size_t)n;
}

void rpmsg_echo(int fd, size_t size)
{
	uint8_t sent[RPMSG_MTU], received[RPMSG_MTU];

	require(size <= sizeof(sent));
	for (size_t i = 0; i < size; i++)
		sent[i] = (uint8_t)(size + i * 7);
	require_eq(write(fd, sent, size), size);
	require_eq(rpmsg_receive(fd, received), size);
	require(memcmp(sent, received, size) == 0);
}

bool kernel_said(const char *text)
{
	_cleanup_(freep) char *log = malloc(KLOG_SIZE);
	int n;

	require(log);
	n = klogctl(KLOG_READ_ALL, log, KLOG_SIZE - 1);
	require(n >= 0);
	log[n] = '\0';
	return harness_contains(log, text);
}

/* What udev would do. */

static const char *const prefixes[] = {
	"rpmsg", "remoteproc", "fastrpc-", "accel/", "dri/renderD", "udmabuf", "dma_heap/"};

static bool is_brokers(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* One that has gone again needs no owner. */
static void give_to_broker(const char *name)
{
	char path[64];

	if (!is_brokers(name))
		return;
	snprintf(path, sizeof(path), "/dev/%.50s", name);
	/* As the rules of udev do it. A broker that stays root has no right to what is not root's.
	 */
	if ((chmod(path, 0660) < 0 || chown(path, 0, BROKER_UID) < 0) && errno != ENOENT)
		perror(path);
}

static void give_folder_to_broker(const char *prefix)
{
	char path[64];
	DIR *folder;
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/dev/%s", prefix);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		snprintf(path, sizeof(path), "%s%.40s", prefix, entry->d_name);
		give_to_broker(path);
	}
	if (folder)
		closedir(folder);
}

static void give_all_to_broker(void)
{
	static const char *const folders[] = {"", "accel/", "dri/"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		give_folder_to_broker(folders[i]);
	give_to_broker("dma_heap/system");
}

/* An event is strings, one after the other. */
static void handle_uevent(const char *event, size_t size)
{
	static const char key[] = "DEVNAME=";

	for (const char *at = event; at < event + size; at += strlen(at) + 1)
		if (strncmp(at, key, strlen(key)) == 0)
			give_to_broker(at + strlen(key));
}

static noreturn void be_udev(int events)
{
	char event[UEVENT_MAX];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		ssize_t n = recv(events, event, sizeof(event) - 1, 0);

		if (n < 0) {
			give_all_to_broker(); /* some were lost */
			continue;
		}
		event[n] = '\0';
		handle_uevent(event, (size_t)n);
	}
}

static pid_t start_udev(void)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = UEVENTS_KERNEL};
	int events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	pid_t pid = -1;

	if (events >= 0 && bind(events, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		give_all_to_broker();
		pid = fork();
	}
	if (pid == 0)
		be_udev(events);
	fd_close(events);
	return pid;
}

int testbed_main(Suite *suite)
{
	pid_t udev = start_udev();
	int code = EXIT_FAILURE;

	if (udev < 0 || chmod(CONTROL, 0666) < 0)
		perror("testbed");
	else
		code = harness_main(suite);
	if (udev > 0) {
		kill(udev, SIGKILL);
		waitpid(udev, NULL, 0);
	}
	return code;
}
