// SPDX-License-Identifier: MIT
#include "daemon/transport/rpmsg_node.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/broker.h"
#include "daemon/log.h"
#include "daemon/opener.h"
#include "protocol/clock.h"

/* How long udev may take. */
#define ACCESS_PATIENCE_MS 5000
/* Endpoint devices of one control device that are looked through. */
#define NODES_MAX 16384
/* An idle one is used again after that time, or when there are that many of its kind. */
#define REUSE_US (5ull * 1000 * 1000)
#define KIND_MAX 64
/* When an idle one is destroyed: after that time, and so long after the one before. */
#define IDLE_US    (1000ull * 1000)
#define DESTROY_US (50ull * 1000)
/* Our addresses: above those that the kernel gives away, which begin at 1024, and below where some
 * remote processors' software ends. */
#define ADDRESS_MIN 0x8000u
#define ADDRESS_MAX 0xffffu
/* How often another one is tried when somebody has it already. */
#define ADDRESS_TRIES 4

/* The kernel does not say which endpoint device it has made, so that one is made at a time. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static uint32_t last_address; /* guarded by it; 0: none yet */

/* The rest is the loop's. */
static struct list idle = {&idle, &idle}; /* the longest first */
static struct deadline next_destruction;
static bool over; /* the broker ends */

/* Fail with a text. */
static int fail(struct rpmsg_node *node, int error, const char *format, ...) _printf_(3, 4);

static int fail(struct rpmsg_node *node, int error, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(node->text, sizeof(node->text), format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(node->text))
		snprintf(node->text + n, sizeof(node->text) - (size_t)n, ": %s", strerror(-error));
	return error;
}

/* Where it is. */

static struct path ctrl_path(const struct rpmsg_node *node)
{
	return path_join("%s/class/rpmsg/%s", node->broker->options->sysfs, node->ctrl);
}

static struct path node_path(const struct rpmsg_node *node)
{
	return path_join("%s/%s", ctrl_path(node).text, node->name);
}

/* What tells things of sysfs apart that have the same name one after the other; 0: not there. */
static uint64_t instance_of(const struct path *path)
{
	struct stat st;

	return lstat(path->text, &st) < 0 ? 0 : st.st_ino;
}

/* Is it (still) made? */
static bool is_made(const struct rpmsg_node *node)
{
	const struct path path = node_path(node);

	return *node->name && instance_of(&path) == node->instance;
}

static bool is_link_alive(const struct rpmsg_node *node)
{
	return rpmsg_scan_is_alive(node->broker->options->sysfs, node->ctrl, node->ctrl_instance);
}

/* Opening. */

static int try_open(const struct broker *broker, const char *name)
{
	return opener_open(broker->opener, name, O_RDWR | O_NONBLOCK);
}

/* Wait until something happens in the folder that is watched. False: nothing did, in time. */
static bool await_change(int inotify, int64_t until_ms)
{
	struct pollfd pollfd = {.fd = inotify, .events = POLLIN};
	char events[4096];
	int64_t left = until_ms - clock_ms();

	if (left <= 0 || poll(&pollfd, 1, (int)left) <= 0)
		return false;
	return read(inotify, events, sizeof(events)) > 0;
}

int rpmsg_node_open(const struct broker *broker, const char *name, int patience_ms)
{
	_cleanup_(fd_closep) int inotify = -1;
	int r = try_open(broker, name);

	if (r != -EACCES || patience_ms <= 0)
		return r;
	/* The node itself can be watched only by who may read it. */
	inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (inotify < 0 ||
		inotify_add_watch(inotify, broker->options->dev, IN_ATTRIB | IN_DELETE) < 0)
		return -errno;
	/* Again, since it may have changed before it was watched. */
	for (int64_t until_ms = clock_ms() + patience_ms;;) {
		r = try_open(broker, name);
		if (r != -EACCES || !await_change(inotify, until_ms))
			return r;
	}
}

/* The same for a node in /dev, with a text. */
static int open_ours(struct rpmsg_node *node, const char *name, int patience_ms)
{
	const char *dev = node->broker->options->dev;
	int fd = rpmsg_node_open(node->broker, name, patience_ms);

	if (fd == -EACCES)
		return fail(node, fd,
			"%s/%s is not the broker's to open; a rule of udev must make it so", dev,
			name);
	return fd < 0 ? fail(node, fd, "%s/%s", dev, name) : fd;
}

/* Making it. */

static ssize_t list_nodes(const struct rpmsg_node *node, struct sysfs_entry **out)
{
	return sysfs_list(ctrl_path(node).text, "rpmsg", out, NODES_MAX);
}

static bool is_among(const struct sysfs_entry *entry, const struct sysfs_entry *entries, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (entries[i].id == entry->id)
			return true;
	return false;
}

static bool has_address(const struct rpmsg_node *node, const char *attribute, uint32_t expected)
{
	const struct path path = path_join("%s/%s", node_path(node).text, attribute);
	uint32_t address;

	return rpmsg_read_address(path.text, &address) == 0 && address == expected;
}

/* Is it what was asked for? */
static bool is_wanted(const struct rpmsg_node *node)
{
	const struct path path = path_join("%s/name", node_path(node).text);
	char name[RPMSG_NAME_BYTES];

	return sysfs_read(path.text, name, sizeof(name)) == 0 &&
	       strcmp(name, node->info.name) == 0 && has_address(node, "src", node->info.src) &&
	       has_address(node, "dst", node->info.dst);
}

/* Look for a device that was not there before. Returns 0 or -errno. */
static int find_new(struct rpmsg_node *node, const struct sysfs_entry *before, ssize_t n_before)
{
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	ssize_t n = list_nodes(node, &entries);

	for (ssize_t i = 0; i < n; i++) {
		if (is_among(&entries[i], before, n_before) ||
			strlen(entries[i].name) >= sizeof(node->name))
			continue;
		strcpy(node->name, entries[i].name);
		node->instance = entries[i].id;
		if (is_wanted(node))
			return 0;
	}
	*node->name = '\0';
	return n < 0 ? (int)n : -ENODEV;
}

/* One that was not used for long, neither by us nor by the broker before us. */
static uint32_t fresh_address(void)
{
	const uint32_t n = ADDRESS_MAX - ADDRESS_MIN + 1;

	if (!last_address && getrandom(&last_address, sizeof(last_address), GRND_NONBLOCK) < 0)
		last_address = (uint32_t)clock_ms();
	last_address = ADDRESS_MIN + (last_address - ADDRESS_MIN + 1) % n;
	return last_address;
}

/* The kernel (up to 6.1) makes endpoints for a link that goes as well. It never takes those away,
 * and crashes when they are opened. */
static int make_locked(struct rpmsg_node *node, int ctrl)
{
	_cleanup_(freep) struct sysfs_entry *before = NULL;
	ssize_t n = list_nodes(node, &before);
	int r;

	if (n < 0 || !is_link_alive(node))
		return fail(node, n < 0 ? (int)n : -ENODEV, "%s", node->ctrl);
	node->info.src = node->virtio ? fresh_address() : RPMSG_ADDR_ANY;
	if (ioctl(ctrl, RPMSG_CREATE_EPT_IOCTL, &node->info) < 0)
		return fail(node, -errno, "%s makes no endpoint", node->ctrl);
	r = find_new(node, before, n);
	if (r < 0)
		return fail(node, r, "cannot find the endpoint made by %s", node->ctrl);
	if (is_link_alive(node))
		return 0;
	*node->name = '\0';
	return fail(node, -ENODEV, "%s", node->ctrl);
}

static int make(struct rpmsg_node *node)
{
	/* It is closed soon: while it is open the kernel would not use its number again. */
	_cleanup_(fd_closep) int ctrl = open_ours(node, node->ctrl, ACCESS_PATIENCE_MS);
	int r;

	if (ctrl < 0)
		return ctrl;
	pthread_mutex_lock(&making);
	r = make_locked(node, ctrl);
	pthread_mutex_unlock(&making);
	return r;
}

/* Is that descriptor the device that was made? Its number may have gone to another one. */
static bool is_it(int fd, const struct rpmsg_node *node)
{
	const struct path numbers_path = path_join("%s/dev", node_path(node).text);
	char numbers[32], expected[32];
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
		return false;
	snprintf(expected, sizeof(expected), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return sysfs_read(numbers_path.text, numbers, sizeof(numbers)) == 0 &&
	       strcmp(numbers, expected) == 0 && is_made(node);
}

/* Returns the descriptor or -errno. */
static int open_made(struct rpmsg_node *node, int patience_ms)
{
	_cleanup_(fd_closep) int fd = open_ours(node, node->name, patience_ms);

	if (fd < 0)
		return fd;
	return is_it(fd, node) ? TAKE_FD(fd) : fail(node, -ENODEV, "%s", node->name);
}

/* Idle ones. */

static void destroy(struct rpmsg_node *node)
{
	_cleanup_(fd_closep) int fd = open_made(node, 0);

	if (fd >= 0 && is_link_alive(node))
		ioctl(fd, RPMSG_DESTROY_EPT_IOCTL);
	/* Once is enough for what cannot be. */
	node->destroyable = false;
}

static void node_free(struct rpmsg_node *node)
{
	list_remove(&node->link);
	free(node);
}

static void on_destruction(struct deadline *deadline);

/* The first one that may be destroyed; NULL: none. */
static struct rpmsg_node *first_destroyable(void)
{
	struct rpmsg_node *node;

	list_for_each (node, &idle, link)
		if (node->destroyable)
			return node;
	return NULL;
}

static void plan_destruction(uint64_t not_before_us)
{
	struct rpmsg_node *node = first_destroyable();

	if (node && !deadline_is_set(&next_destruction))
		deadline_set(&node->broker->deadlines, &next_destruction,
			MAX(node->idle_from_us + IDLE_US, not_before_us), on_destruction);
}

/* Nobody uses it now. */
static void retire(struct rpmsg_node *node)
{
	if (over && node->destroyable && *node->name)
		destroy(node);
	if (over || !is_made(node)) {
		node_free(node);
		return;
	}
	node->idle_from_us = broker_now(node->broker);
	list_append(&idle, &node->link);
	plan_destruction(0);
}

static void destroy_run(struct job *job)
{
	destroy(container_of(job, struct rpmsg_node, job));
}

static void destroy_done(struct job *job)
{
	retire(container_of(job, struct rpmsg_node, job));
}

static void on_destruction(struct deadline *deadline)
{
	struct rpmsg_node *node = first_destroyable();
	struct broker *broker;

	(void)deadline;
	if (!node)
		return;
	broker = node->broker;
	if (broker_now(broker) >= node->idle_from_us + IDLE_US) {
		list_remove(&node->link);
		node->job.run = destroy_run;
		node->job.done = destroy_done;
		workers_run(broker->workers, &node->job);
	}
	plan_destruction(broker_now(broker) + DESTROY_US);
}

/* The jobs. */

static int open_run_once(struct rpmsg_node *node)
{
	int r = is_made(node) ? 0 : make(node);

	return r < 0 ? r : open_made(node, ACCESS_PATIENCE_MS);
}

/* EBUSY: somebody else has opened it. EINVAL: somebody else has its address. It is not for us. */
static bool is_anothers(const struct rpmsg_node *node, int error)
{
	return error == -EBUSY || (error == -EINVAL && node->virtio);
}

static void open_run(struct job *job)
{
	struct rpmsg_node *node = container_of(job, struct rpmsg_node, job);
	int r = open_run_once(node);

	for (int i = 1; i < ADDRESS_TRIES && is_anothers(node, r); i++) {
		*node->name = '\0';
		r = open_run_once(node);
	}
	node->error = MIN(r, 0);
	node->fd = MAX(r, -1);
}

static void close_run(struct job *job)
{
	struct rpmsg_node *node = container_of(job, struct rpmsg_node, job);

	node->fd = fd_close(node->fd);
}

static void close_done(struct job *job)
{
	/* The threads may have ended, and it never ran. */
	close_run(job);
	retire(container_of(job, struct rpmsg_node, job));
}

static void start_close(struct rpmsg_node *node)
{
	node->job.run = close_run;
	node->job.done = close_done;
	if (node->fd >= 0)
		workers_run(node->broker->workers, &node->job);
	else
		retire(node);
}

static void open_done(struct job *job)
{
	struct rpmsg_node *node = container_of(job, struct rpmsg_node, job);

	node->running = false;
	if (node->error == -EACCES)
		log_warning("%s", node->text);
	if (node->owner)
		node->opened(node->owner);
	else
		start_close(node);
}

static bool is_of_kind(const struct rpmsg_node *node, const struct rpmsg_link *link,
	const struct rpmsg_endpoint_info *info)
{
	return node->ctrl_instance == link->instance && node->info.dst == info->dst &&
	       strcmp(node->info.name, info->name) == 0;
}

/* One that is idle; NULL: none that should be used. What comes late to an address that was a
 * session's must not reach another one, so it rests for a while. GLINK has no addresses. */
static struct rpmsg_node *take_idle(const struct broker *broker, const struct rpmsg_link *link,
	const struct rpmsg_endpoint_info *info)
{
	struct rpmsg_node *node, *first = NULL;
	unsigned int n = 0;

	list_for_each (node, &idle, link) {
		if (!is_of_kind(node, link, info))
			continue;
		if (!first)
			first = node;
		if (++n == KIND_MAX)
			break;
	}
	if (!first || (link->virtio && n < KIND_MAX &&
			      broker_now(broker) < first->idle_from_us + REUSE_US))
		return NULL;
	list_remove(&first->link);
	return first;
}

static struct rpmsg_node *node_new(struct broker *broker, const struct rpmsg_link *link,
	const struct rpmsg_endpoint_info *info)
{
	struct rpmsg_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	list_init(&node->link);
	node->broker = broker;
	node->virtio = link->virtio;
	node->ctrl_instance = link->instance;
	node->info = *info;
	wire_string_set(node->ctrl, sizeof(node->ctrl), link->ctrl);
	return node;
}

int rpmsg_node_get(struct rpmsg_node **out, struct broker *broker, const struct rpmsg_link *link,
	bool keep, const char *name, uint32_t address, void (*opened)(void *owner), void *owner)
{
	struct rpmsg_endpoint_info info = {.dst = address};
	struct rpmsg_node *node;

	wire_string_set(info.name, sizeof(info.name), name);
	node = take_idle(broker, link, &info);
	if (!node)
		node = node_new(broker, link, &info);
	if (!node)
		return -ENOMEM;
	node->job.run = open_run;
	node->job.done = open_done;
	node->opened = opened;
	node->owner = owner;
	node->running = true;
	/* Others than virtio tell the remote processor when one is opened. */
	node->destroyable = node->virtio && !keep;
	node->fd = -1;
	node->error = -ECANCELED; /* in case it never runs */
	*out = node;
	workers_run(broker->workers, &node->job);
	return 0;
}

struct rpmsg_node *rpmsg_node_put(struct rpmsg_node *node)
{
	if (!node)
		return NULL;
	node->owner = NULL;
	if (!node->running)
		start_close(node);
	return NULL;
}

void rpmsg_nodes_prune(void)
{
	struct rpmsg_node *node, *following;

	list_for_each_safe (node, following, &idle, link)
		if (!is_made(node))
			node_free(node);
}

void rpmsg_nodes_init(void)
{
	over = false;
}

void rpmsg_nodes_deinit(struct broker *broker)
{
	struct rpmsg_node *node;

	over = true;
	deadline_clear(&broker->deadlines, &next_destruction);
	while ((node = list_first(&idle, struct rpmsg_node, link))) {
		list_remove(&node->link);
		retire(node);
	}
}
