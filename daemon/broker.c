// SPDX-License-Identifier: MIT
#include "daemon/broker.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "daemon/become.h"
#include "daemon/client.h"
#include "daemon/confine.h"
#include "daemon/crew.h"
#include "daemon/device.h"
#include "daemon/hotplug.h"
#include "daemon/limits.h"
#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/memory.h"
#include "daemon/names.h"
#include "daemon/notify.h"
#include "daemon/opener.h"
#include "daemon/reload.h"
#include "daemon/session.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/transport/transport.h"
#include "daemon/user.h"
#include "daemon/watch.h"
#include "daemon/who.h"
#include "daemon/worker.h"
#include "protocol/clock.h"
#include "protocol/wire.h"

uint64_t broker_now(const struct broker *broker)
{
	return loop_now(broker->loop);
}

void broker_deadline(struct broker *broker, struct deadline *deadline, uint64_t in_us,
	deadline_fn expired)
{
	/* Not in this turn, in which others want to be served as well. */
	deadline_set(&broker->deadlines, deadline, broker_now(broker) + MAX(in_us, 1), expired);
}

/* Make all completions of this turn visible. */
static void publish_all(struct broker *broker)
{
	struct client *client;

	while ((client = list_first(&broker->dirty, struct client, dirty))) {
		list_remove(&client->dirty);
		client_publish(client);
	}
}

/* Stopping. */

static bool calls_in_flight(const struct broker *broker)
{
	return broker->quota.used[QUOTA_CALLS] > 0;
}

/* Take what clients have submitted so far: it came before what follows. */
static void take_all_entries(struct broker *broker)
{
	struct client *client, *following;

	list_for_each_safe (client, following, &broker->clients, link) {
		client->holds++;
		if (client->ring.shared)
			client_take_entries(client, client->ring.sq_slots);
		client->holds--;
		client_collect(client);
	}
}

static void finish(struct broker *broker)
{
	struct client *client, *following;
	struct device *device;

	broker->finished = true;
	deadline_clear(&broker->deadlines, &broker->grace);
	take_all_entries(broker); /* each gets its answer, which is that the broker stops */
	publish_all(broker);
	list_for_each_safe (client, following, &broker->clients, link)
		client_kill(client, NULL);
	list_for_each (device, &broker->devices, link)
		if (device->ops->finish)
			device->ops->finish(device);
}

/* The grace is over: end what still runs. Their completions end the broker. */
static void grace_expired(struct deadline *deadline)
{
	struct broker *broker = container_of(deadline, struct broker, grace);
	struct client *client, *following;
	struct session *session;

	log_warning("calls still run after %d ms, ending them", SHUTDOWN_GRACE_MS);
	list_for_each_safe (client, following, &broker->clients, link) {
		client->holds++;
		for (uint32_t slot = 0; (session = idmap_next(&client->sessions, &slot));)
			session_abort_calls(session, DSP_SHUTTING_DOWN);
		client->holds--;
		client_collect(client);
	}
}

/* Who waits for a message waits for nothing that we could wait for as well. */
static void end_receivers(struct broker *broker)
{
	struct session *session, *following;

	list_for_each_safe (session, following, &broker->sessions, of_broker)
		session_end_receivers(session, DSP_SHUTTING_DOWN);
}

void broker_stop(struct broker *broker, int exit_code)
{
	const struct dsp_event_shutdown event = {
		.header.opcode = DSP_EVENT_SHUTDOWN,
		.grace_ms = SHUTDOWN_GRACE_MS,
	};
	struct client *client, *next_client;

	if (broker->stopping)
		return;
	take_all_entries(broker);
	broker->stopping = true;
	broker->exit_code = exit_code;
	notify_if_room("STOPPING=1\nSTATUS=Waiting for calls that run");
	log_info("stopping");
	listeners_stop(broker);
	end_receivers(broker);
	list_for_each_safe (client, next_client, &broker->clients, link)
		if (client->ring.shared)
			client_send(client, &event, sizeof(event));
	broker_deadline(broker, &broker->grace, SHUTDOWN_GRACE_MS * 1000ull, grace_expired);
}

static void on_signal(struct loop_source *source, uint32_t events)
{
	struct broker *broker = container_of(source, struct broker, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGHUP)
		broker_stop(broker, EXIT_SUCCESS);
	else if (!broker->stopping)
		reload_begin(broker, NULL, 0);
}

/* The service manager hears of us twice in the time after which it takes us for dead. It hears from
 * the loop, which is what must be alive. */
static void feed_watchdog(struct deadline *deadline)
{
	struct broker *broker = container_of(deadline, struct broker, watchdog);
	uint64_t next = broker->watchdog_us / 2;

	/* Everybody may fill that socket. */
	if (notify_if_room("WATCHDOG=1") == -EAGAIN)
		next = MIN(next, (uint64_t)WATCHDOG_AGAIN_US);
	broker_deadline(broker, deadline, next, feed_watchdog);
}

static void start_watchdog(struct broker *broker)
{
	broker->watchdog_us = notify_watchdog_us();
	if (broker->watchdog_us)
		feed_watchdog(&broker->watchdog);
}

/* The loop. */

static void on_timer(void *userdata)
{
	struct broker *broker = userdata;

	deadline_run(&broker->deadlines, broker_now(broker));
}

static int flush(struct broker *broker)
{
	struct device *device;

	list_for_each (device, &broker->devices, link)
		if (device->ops->flush)
			device->ops->flush(device);
	publish_all(broker);
	return loop_set_timer(broker->loop, deadline_next(&broker->deadlines));
}

static bool is_empty(const struct broker *broker)
{
	const struct device *device;

	if (!broker->finished || !list_empty(&broker->clients))
		return false;
	list_for_each (device, &broker->devices, link)
		if (device->domains)
			return false;
	return true;
}

/* A thread of the crew has acted. */
static int turn_over(void *userdata)
{
	struct broker *broker = userdata;
	int r = flush(broker);

	if (r >= 0 && broker->stopping && !broker->finished && !calls_in_flight(broker)) {
		finish(broker);
		r = flush(broker); /* of what sessions close their modules with */
	}
	return r < 0 ? r : is_empty(broker);
}

int broker_run(struct broker *broker)
{
	int r;

	start_watchdog(broker);
	notify("READY=1\nSTATUS=Serving %zu rules", policy_size(broker->policy));
	/* The first turn may be long in coming, and deadlines are set already. */
	r = flush(broker);
	if (r >= 0)
		r = flush(broker);
	if (r >= 0)
		r = crew_run(broker->crew);
	if (r < 0) {
		log_error("the event loop failed: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	return broker->exit_code;
}

/* Starting. */

/* Every descriptor is accounted for, so as many as possible may be open. */
static void raise_fd_limit(struct broker *broker)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		getrlimit(RLIMIT_NOFILE, &limit);
	broker->quota.limit[QUOTA_FDS] =
		limit.rlim_cur > LIMIT_FDS_RESERVE ? limit.rlim_cur - LIMIT_FDS_RESERVE : 0;
}

static int init_event(struct broker *broker)
{
	sigset_t signals;
	int fd, r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	/* A peer may close its end of the socket that wakes it. */
	signal(SIGPIPE, SIG_IGN);
	/* Processes of ours end with their socket, and leave nothing to be waited for. */
	signal(SIGCHLD, SIG_IGN);
	r = loop_new(&broker->loop);
	if (r < 0)
		return r;
	loop_on_timer(broker->loop, on_timer, broker);
	broker->event = loop_event(broker->loop);
	r = crew_new(&broker->crew, broker->loop, turn_over, broker);
	if (r < 0)
		return r;
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = loop_add(broker->loop, &broker->signals, fd, EPOLLIN, on_signal);
	if (r < 0)
		fd_close(fd);
	return r;
}

static int find_devices(struct broker *broker)
{
	int r;

	r = memory_new(&broker->memory, broker->options->dev);
	if (r < 0)
		return r;
	r = workers_new(&broker->workers, broker->loop, WORKER_THREADS);
	if (r < 0)
		return r;
	/* What is found may have to be started, which waits until there may be threads. */
	workers_hold(broker->workers);
	r = hotplug_new(&broker->hotplug, broker->event);
	if (r < 0)
		log_warning("the kernel does not tell of devices that come and go: %s",
			strerror(-r));
	r = remoteprocs_init(broker);
	if (r < 0)
		return r;
	for (size_t i = 0; transports[i]; i++) {
		r = transports[i]->probe(broker);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What only dspbroker-who may do is handed over to it. Each thread and child has rights of its own,
 * so this comes before there are any. */
static int init_rights(struct broker *broker)
{
	const struct broker_options *options = broker->options;
	int r;

	if (options->who_socket)
		r = who_connect(&broker->who, broker, options->who_socket);
	else
		r = who_new(&broker->who, broker, options->who, options->user);
	if (r < 0)
		return r;
	r = who_drop_capabilities();
	if (r < 0) {
		log_error("cannot give capabilities up: %s", strerror(-r));
		return r;
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* From here on it can do no more than it must; then there may be threads. */
static int confine(struct broker *broker)
{
	int r;

	r = become(broker->options->user);
	broker->uid = geteuid();
	if (r == 0)
		r = confine_broker(broker);
	if (r == 0)
		workers_go(broker->workers);
	return r;
}

int broker_init(struct broker *broker, const struct broker_options *options)
{
	int r;

	*broker = (struct broker){
		.options = options,
		.signals.fd = -1,
		.since_us = clock_real_us(),
		.quota = {.owner = "broker",
			.limit = {[QUOTA_CLIENTS] = LIMIT_CLIENTS + LIMIT_CLIENTS_OWN}},
	};
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		if (kind != QUOTA_CLIENTS)
			broker->quota.limit[kind] = UINT64_MAX;
	list_init(&broker->listeners);
	list_init(&broker->users);
	list_init(&broker->devices);
	list_init(&broker->clients);
	list_init(&broker->dirty);
	list_init(&broker->sessions);
	call_pool_init(&broker->calls);
	raise_fd_limit(broker);
	r = notify_init();
	if (r < 0)
		log_warning("the service manager will hear nothing: NOTIFY_SOCKET is %s: %s",
			getenv("NOTIFY_SOCKET"), strerror(-r));
	r = init_event(broker);
	if (r < 0) {
		log_error("cannot make an event loop: %s", strerror(-r));
		return r;
	}
	r = init_rights(broker);
	if (r < 0)
		return r;
	r = names_new(&broker->names, options->user);
	if (r < 0)
		return r;
	r = reload_new(&broker->reload, broker);
	if (r < 0)
		return r;
	r = opener_new(&broker->opener, options);
	if (r < 0)
		return r;
	r = find_devices(broker);
	if (r < 0)
		return r;
	if (options->watch_policy) {
		r = watch_new(&broker->watch, broker);
		if (r < 0)
			return r;
	}
	r = listeners_start(broker);
	if (r < 0)
		return r;
	return confine(broker);
}

void broker_deinit(struct broker *broker)
{
	listeners_stop(broker);
	broker->watch = watch_free(broker->watch);
	names_stop(broker->names);
	broker->reload = reload_free(broker->reload);
	broker->names = names_free(broker->names);
	broker->who = who_free(broker->who);
	device_remove_all(broker);
	for (size_t i = 0; transports[i]; i++)
		if (transports[i]->deinit)
			transports[i]->deinit(broker);
	remoteprocs_deinit(broker);
	broker->workers = workers_free(broker->workers);
	broker->memory = memory_free(broker->memory);
	broker->opener = opener_free(broker->opener);
	broker->hotplug = hotplug_free(broker->hotplug);
	user_forget_all(broker);
	deadline_clear(&broker->deadlines, &broker->grace);
	deadline_clear(&broker->deadlines, &broker->watchdog);
	loop_remove(&broker->signals);
	fd_close(broker->signals.fd);
	call_pool_deinit(&broker->calls);
	broker->crew = crew_free(broker->crew);
	broker->loop = loop_free(broker->loop);
	notify_deinit();
	broker->policy = policy_unref(broker->policy);
	broker->device_policy = policy_unref(broker->device_policy);
}
