// SPDX-License-Identifier: MIT
/* `dspctl status`: how the broker runs, and what keeps it from doing anything else. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "client/dspctl.h"
#include "protocol/text.h"

/* The parts of the confinement. */
static const struct part {
	enum dspbroker_confinement bit;
	const char *key;  /* in JSON */
	const char *name; /* for people */
	const char *yes;  /* NULL: see print_part() */
	const char *no;
} parts[] = {
	{DSPBROKER_CONFINED_USER, "user", "user", "not root", "it runs as root"},
	{DSPBROKER_CONFINED_CAPABILITIES, "capabilities", "capabilities", "none",
		"it may have some"},
	{DSPBROKER_CONFINED_UNDUMPABLE, "undumpable", "memory", "hidden from others",
		"processes of its user may look into it"},
	{DSPBROKER_CONFINED_CALLS, "system_calls", "system calls", NULL, "it may make any"},
	{DSPBROKER_CONFINED_FILES, "files", "files", NULL, "it may open any of its user"},
};

/* A kernel without Landlock is no fault of the broker's. */
static bool can_be_had(const struct dspbroker_broker_info *info, const struct part *part)
{
	return part->bit != DSPBROKER_CONFINED_FILES || info->landlock > 0;
}

static bool is_confined(const struct dspbroker_broker_info *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!(info->confinement & parts[i].bit) && can_be_had(info, &parts[i]))
			return false;
	return true;
}

static int judge(const struct dspbroker_broker_info *info)
{
	if (!is_confined(info))
		return DSPCTL_UNCONFINED;
	return info->reload_status || info->accept_paused ? DSPCTL_TROUBLED : DSPCTL_OK;
}

/* For people. */

#define NAME "%-14s"

static void print_part(const struct dspbroker_broker_info *info, const struct part *part)
{
	printf(NAME, part->name);
	if (!can_be_had(info, part))
		puts("NOT CONFINED: this kernel has no Landlock");
	else if (!(info->confinement & part->bit))
		printf("NOT CONFINED: %s\n", part->no);
	else if (part->yes)
		puts(part->yes);
	else if (part->bit == DSPBROKER_CONFINED_CALLS)
		printf("%" PRIu32 " allowed, any other ends it\n", info->system_calls);
	else
		printf("its own only, by Landlock %" PRIu32 "\n", info->landlock);
}

static void print_time(const char *before, uint64_t us)
{
	const time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	char text[64];

	if (localtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%F %T %z", &tm))
		printf("%s%s", before, text);
}

static void print_policy(const struct dspbroker_broker_info *info)
{
	printf(NAME "%" PRIu32 " rules", "policy", info->rules);
	print_time(", read ", info->reloaded_us);
	if (info->reload_status) {
		fputs("; NOT RELOADED: ", stdout);
		text_print(stdout, dspbroker_strerror(info->reload_status));
		fputs(" (see `dspctl policy check`)", stdout);
	}
	putchar('\n');
}

static void print_all(const struct dspbroker_broker_info *info)
{
	printf(NAME, "broker");
	text_print(stdout, info->version);
	print_time(", since ", info->since_us);
	putchar('\n');
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		print_part(info, &parts[i]);
	print_policy(info);
	printf(NAME "%" PRIu32 "\n", "devices", info->devices);
	printf(NAME "%" PRIu32 " connections, %" PRIu32 " sessions, %" PRIu32 " calls in flight\n",
		info->everybody ? "in use" : "in your use", info->clients, info->sessions,
		info->calls);
	if (info->accept_paused)
		printf(NAME "NOT ACCEPTED: the broker is out of descriptors\n", "connections");
}

/* For programs. */

static struct json_object *confinement_json(const struct dspbroker_broker_info *info)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		json_object_object_add(object, parts[i].key,
			json_object_new_boolean((info->confinement & parts[i].bit) != 0));
	return object;
}

static void print_all_json(const struct dspbroker_broker_info *info)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = json_object_new_object();
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"since_us", info->since_us},
		{"landlock", info->landlock},
		{"system_calls", info->system_calls},
		{"rules", info->rules},
		{"reloaded_us", info->reloaded_us},
		{"devices", info->devices},
		{"clients", info->clients},
		{"sessions", info->sessions},
		{"calls", info->calls},
	};

	json_object_object_add(root, "version", json_object_new_string(info->version));
	json_object_object_add(root, "confined", json_object_new_boolean(is_confined(info)));
	json_object_object_add(root, "confinement", confinement_json(info));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_object_add(root, numbers[i].key,
			json_object_new_uint64(numbers[i].value));
	json_object_object_add(root, "reload",
		json_object_new_string(dspbroker_strerror(info->reload_status)));
	json_object_object_add(root, "everybody", json_object_new_boolean(info->everybody));
	json_object_object_add(root, "accepts", json_object_new_boolean(!info->accept_paused));
	dspctl_print_json(root);
}

int dspctl_status(const struct dspctl_options *options)
{
	_cleanup_(dspbroker_freep) struct dspbroker *broker = NULL;
	struct dspbroker_broker_info info;
	int r = dspctl_connect(&broker, options);

	if (r)
		return r;
	r = dspbroker_broker_info(broker, &info);
	if (r)
		return dspctl_fail_request(r, "status");
	if (options->json)
		print_all_json(&info);
	else
		print_all(&info);
	return judge(&info);
}
