// SPDX-License-Identifier: MIT
#include "tests/unit/daemon_rig.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/limits.h"
#include "daemon/memory.h"
#include "daemon/reload.h"
#include "daemon/user.h"
#include "daemon/who.h"
#include "daemon/worker.h"
#include "tests/emulated.h"
#include "tests/unit/tree.h"

#define POLICY_FILE "test.json"

struct broker broker;
static struct broker_options options;
static bool has_clock;

static void start(void)
{
	has_clock = false;
	options = (struct broker_options){.allow_unconfined = emulated()};
	broker = (struct broker){.options = &options, .quota = {.owner = "broker"}};
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		broker.quota.limit[kind] = UINT64_MAX;
	list_init(&broker.listeners);
	list_init(&broker.users);
	list_init(&broker.devices);
	list_init(&broker.clients);
	list_init(&broker.dirty);
	list_init(&broker.sessions);
	call_pool_init(&broker.calls);
	ck_assert_int_eq(loop_new(&broker.loop), 0);
	broker.event = loop_event(broker.loop);
}

void daemon_start(const char *policy)
{
	struct policy_note error;

	start();
	ck_assert_int_eq(policy_parse(&broker.policy, POLICY_FILE, policy, strlen(policy), &error,
				 NULL, NULL),
		0);
	broker.device_policy = policy_ref(broker.policy);
}

void daemon_write_policy(const char *policy)
{
	tree_write(POLICY_FILE, policy);
}

void daemon_start_with_file(const char *policy)
{
	static char dir[512];

	start();
	tree_start();
	daemon_write_policy(policy);
	snprintf(dir, sizeof(dir), "%s", tree_path(""));
	options.policy_dir = dir;
	ck_assert_int_eq(reload_new(&broker.reload, &broker), 0);
}

static void on_timer(void *data)
{
	(void)data;
	deadline_run(&broker.deadlines, broker_now(&broker));
}

void daemon_start_clock(void)
{
	has_clock = true;
	loop_on_timer(broker.loop, on_timer, NULL);
}

void daemon_start_workers(void)
{
	ck_assert_int_eq(workers_new(&broker.workers, broker.loop, WORKER_THREADS), 0);
	ck_assert_int_eq(memory_new(&broker.memory, "/nowhere"), 0);
}

void daemon_stop(void)
{
	const struct device *device;

	broker.workers = workers_free(broker.workers);
	ck_assert(list_empty(&broker.clients) && list_empty(&broker.sessions));
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		ck_assert_uint_eq(broker.quota.used[kind], 0);
	list_for_each (device, &broker.devices, link) {
		ck_assert_uint_eq(device->sessions, 0);
		ck_assert_uint_eq(device->exclusive_sessions, 0);
		ck_assert_uint_eq(device->in_flight, 0);
	}
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
	if (broker.reload)
		tree_stop();
	broker.reload = reload_free(broker.reload);
	broker.who = who_free(broker.who);
	device_remove_all(&broker);
	user_forget_all(&broker);
	call_pool_deinit(&broker.calls);
	memory_free(broker.memory);
	loop_free(broker.loop);
	broker.policy = policy_unref(broker.policy);
	broker.device_policy = policy_unref(broker.device_policy);
}

void daemon_add_device(struct device *device, const struct transport_ops *ops, const char *name)
{
	device_add(&broker, device, ops, name);
	device_set_up(device);
}

void daemon_add_channel(struct device *device, const char *service, enum dsp_channel_kind kind)
{
	ck_assert_ptr_nonnull(device_add_channel(device, service, kind));
}

void daemon_remove_device(struct device *device)
{
	(void)device;
}

int daemon_connect(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				 pair),
		0);
	ck_assert_int_eq(client_new(&broker, pair[1]), 0);
	return pair[0];
}

struct client *daemon_client(void)
{
	return list_first(&broker.clients, struct client, link);
}

void daemon_turn(bool wait)
{
	struct client *client;

	if (has_clock)
		ck_assert_int_eq(loop_set_timer(broker.loop, deadline_next(&broker.deadlines)), 0);
	ck_assert_int_eq(loop_turn(broker.loop, wait), 0);
	while ((client = list_first(&broker.dirty, struct client, dirty))) {
		list_remove(&client->dirty);
		client_publish(client);
	}
}

void daemon_settle(void)
{
	for (int i = 0; i < 3; i++)
		daemon_turn(false);
}
