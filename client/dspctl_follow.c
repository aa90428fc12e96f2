// SPDX-License-Identifier: MIT
#include "client/dspctl_follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/dspctl_message.h"
#include "client/dspctl_wait.h"

struct json_object *dspctl_state_json(enum dspbroker_state state)
{
	if (state == DSPBROKER_STATE_NONE)
		return NULL;
	return json_object_new_string(dspbroker_state_name(state));
}

static struct json_object *device_json(const struct dspbroker_event *event)
{
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "event", json_object_new_string("device"));
	json_object_object_add(root, "name", json_object_new_string(event->device));
	json_object_object_add(root, "up", json_object_new_boolean(event->up));
	json_object_object_add(root, "state", dspctl_state_json(event->state));
	json_object_object_add(root, "generation", json_object_new_uint64(event->generation));
	return root;
}

static struct json_object *channel_json(const struct dspbroker_event *event)
{
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "event", json_object_new_string("channel"));
	json_object_object_add(root, "name", json_object_new_string(event->channel));
	json_object_object_add(root, "present", json_object_new_boolean(event->up));
	json_object_object_add(root, "kind",
		json_object_new_string(event->message ? "message" : "call"));
	return root;
}

static void print_device(const struct dspbroker_event *event)
{
	_cleanup_(freep) char *name = dspctl_escape(event->device, strlen(event->device));

	printf("device %s %s", name ? name : "?", event->up ? "up" : "down");
	if (event->state != DSPBROKER_STATE_NONE)
		printf(", state %s", dspbroker_state_name(event->state));
	printf(", generation %" PRIu32 "\n", event->generation);
}

static void print_channel(const struct dspbroker_event *event)
{
	_cleanup_(freep) char *name = dspctl_escape(event->channel, strlen(event->channel));

	printf("channel %s %s, takes %s\n", name ? name : "?", event->up ? "came" : "went",
		event->message ? "messages" : "calls");
}

static void print_event(const struct dspbroker_event *event, bool json)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = NULL;
	const bool device = event->type == DSPBROKER_EVENT_DEVICE;

	if (!json) {
		device ? print_device(event) : print_channel(event);
		return;
	}
	root = device ? device_json(event) : channel_json(event);
	dspctl_print_json_line(root);
}

/* Show what has happened so far. Returns an exit code. */
static int print_events(struct dspbroker *broker, const struct dspctl_options *options,
	int (*list)(struct dspbroker *broker, const struct dspctl_options *options))
{
	struct dspbroker_event event;
	int n, r = DSPCTL_OK;

	while (r == 0 && !dspctl_wait_ended() && (n = dspbroker_next_event(broker, &event)) != 0) {
		if (n < 0)
			return dspctl_fail_broker(n, "following the devices");
		if (event.type == DSPBROKER_EVENT_LOST)
			r = list(broker, options);
		else if (event.type == DSPBROKER_EVENT_SHUTDOWN)
			dspctl_note("the broker is stopping");
		else if (event.type != DSPBROKER_EVENT_SESSION)
			print_event(&event, options->json);
	}
	fflush(stdout);
	return r;
}

int dspctl_follow(struct dspbroker *broker, const struct dspctl_options *options,
	int (*list)(struct dspbroker *broker, const struct dspctl_options *options))
{
	int n, r;

	n = dspctl_wait_catch();
	if (n < 0)
		return dspctl_fail(DSPCTL_FAILED, "cannot catch signals: %s", strerror(-n));
	r = list(broker, options);
	while (r == 0 && !ferror(stdout)) { /* main() reports that */
		n = dspctl_wait(dspbroker_fd(broker), dspctl_wait_deadline(0));
		if (n == -EINTR || n == -EPIPE)
			break;
		if (n < 0)
			return dspctl_fail(DSPCTL_FAILED, "following the devices: %s",
				strerror(-n));
		r = print_events(broker, options, list);
	}
	return r;
}
