// SPDX-License-Identifier: MIT
#include "daemon/reload.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/audit.h"
#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/polite.h"
#include "daemon/rights.h"
#include "daemon/session.h"
#include "daemon/user.h"
#include "daemon/worker.h"
#include "policy/policy.h"
#include "protocol/clock.h"

#define WARNINGS_MAX 32 /* kept of one policy; the others are counted */
#define ERROR_SIZE   (sizeof(struct policy_note) + 32)

enum reload_state {
	RELOAD_IDLE,
	RELOAD_READING,   /* by a thread */
	RELOAD_REVIEWING, /* the new one is in force; sessions and connections are gone through */
};

struct reload {
	struct broker *broker;
	struct workers *workers; /* one thread of its own: devices can keep the others waiting */
	enum reload_state state;
	struct list waiting; /* struct reload_wish: for the one under way */
	struct list later;   /* the same, for the one after it */
	bool again;          /* there is to be one after it */
	struct client *by;   /* who asked first; NULL: no client, or it has left */

	/* The thread's, while it reads: */
	struct job read;
	const char *dirs[2];
	size_t n_dirs;
	struct policy *policy;
	struct policy_note error, warnings[WARNINGS_MAX];
	size_t n_warnings;
	bool devices_differ;
	const struct policy_dir *beyond; /* in the new policy; NULL: none */
	int result;

	struct loop_task review;
	uint64_t reviewed; /* sessions up to that number */
	uint32_t round;    /* client->reviewed of those who have had their turn */
	unsigned int revoked;

	struct job retire; /* the old one goes in the thread: to free it takes time */
	struct policy *retired;
	size_t rules; /* of the one in force then */
	bool silent;  /* the service manager was told that the broker stops */

	struct reload_outcome outcome;
};

/* Reading. */

static void keep_warning(const struct policy_note *note, void *userdata)
{
	struct reload *reload = userdata;

	if (reload->n_warnings < WARNINGS_MAX)
		reload->warnings[reload->n_warnings] = *note;
	reload->n_warnings++;
}

static void load(struct reload *reload)
{
	const struct policy *settled = reload->broker->device_policy;

	reload->n_warnings = 0;
	reload->result = policy_load(&reload->policy, reload->dirs, reload->n_dirs, &reload->error,
		keep_warning, reload);
	reload->devices_differ =
		reload->result == 0 && settled && !policy_devices_equal(settled, reload->policy);
	reload->beyond =
		reload->result == 0 && settled ? policy_dir_beyond(reload->policy, settled) : NULL;
}

/* The service manager is told by the thread, since it may be slow to listen. Nothing else may wait
 * for it. */
_printf_(2, 3) static void say(const struct job *job, const char *format, ...)
{
	char text[ERROR_SIZE + 128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (job->in_loop)
		notify_if_room(text);
	else
		notify("%s", text);
}

static void read_files(struct job *job)
{
	struct reload *reload = container_of(job, struct reload, read);
	timer_t timer;
	bool polite = polite_begin(&timer);

	say(job, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading the policy files",
		(unsigned long long)clock_us());
	load(reload);
	if (polite)
		polite_end(timer);
}

static void log_warnings(const struct reload *reload)
{
	for (size_t i = 0; i < MIN(reload->n_warnings, (size_t)WARNINGS_MAX); i++) {
		const struct policy_note *note = &reload->warnings[i];

		log_warning("%s:%u:%u: %s", note->file, note->line, note->column, note->text);
	}
	if (reload->n_warnings > WARNINGS_MAX)
		log_warning("%zu more warnings; `dspctl policy check` shows all",
			reload->n_warnings - WARNINGS_MAX);
	if (reload->devices_differ)
		log_warning("what policy says of devices has changed; that takes effect when the "
			    "broker starts again");
	if (reload->beyond)
		log_warning("the broker cannot reach %s, which policy names now, until it starts "
			    "again: what it may open is settled then",
			reload->beyond->path);
	if (reload->policy && !policy_size(reload->policy))
		log_warning("there is no policy rule, so nobody may open anything; put one into %s",
			reload->dirs[reload->n_dirs - 1]);
}

/* Not the files are wrong. */
static bool is_shortage(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* In the loop: the thread has read. */
static void keep_outcome(struct reload *reload)
{
	struct reload_outcome *outcome = &reload->outcome;

	if (reload->result == 0)
		*outcome = (struct reload_outcome){DSP_OK, clock_real_us()};
	else
		outcome->status = is_shortage(reload->result) ? DSP_NO_RESOURCES : DSP_BAD_POLICY;
}

/* In the form that editors jump to. */
static void show_error(const struct reload *reload, char out[ERROR_SIZE])
{
	const struct policy_note *error = &reload->error;

	if (error->line)
		snprintf(out, ERROR_SIZE, "%s:%u:%u: %s", error->file, error->line, error->column,
			error->text);
	else
		snprintf(out, ERROR_SIZE, "%s%s%s", error->file, *error->file ? ": " : "",
			error->text);
}

/* Answering. */

static struct client *client_of(struct reload_wish *wish)
{
	return container_of(wish, struct client, reload);
}

static void answer_all(struct reload *reload)
{
	struct dsp_reload_reply reply = {
		.header.opcode = DSP_RELOAD | DSP_REPLY,
		.rules = (uint32_t)policy_size(reload->broker->policy),
		.revoked = reload->revoked,
	};
	const struct refusal refusal = {.status = reload->outcome.status};
	struct reload_wish *wish;
	char error[ERROR_SIZE];

	show_error(reload, error);
	/* One by one: a client that cannot be told anything is gone, and so are others' wishes. */
	while ((wish = list_first(&reload->waiting, struct reload_wish, link))) {
		list_remove(&wish->link);
		reply.header.serial = wish->serial;
		if (reload->result < 0)
			client_refuse(client_of(wish), wish->serial, &refusal, "%s", error);
		else
			client_send(client_of(wish), &reply, sizeof(reply));
	}
}

static void begin(struct reload *reload);

static void finish(struct reload *reload)
{
	struct broker *broker = reload->broker;

	if (reload->result < 0)
		audit_reload_failed(reload->by, &reload->error);
	else
		audit_reloaded(reload->by, policy_size(broker->policy), reload->revoked);
	answer_all(reload);
	reload->state = RELOAD_IDLE;
	if (reload->again && !broker->stopping)
		begin(reload);
}

/* Taking over. */

static void say_ready(const struct reload *reload)
{
	char error[ERROR_SIZE];

	show_error(reload, error);
	if (reload->result < 0)
		say(&reload->retire,
			"READY=1\nSTATUS=Serving %zu rules; the policy files are wrong: %s",
			reload->rules, error);
	else
		say(&reload->retire, "READY=1\nSTATUS=Serving %zu rules", reload->rules);
}

static void retire(struct job *job)
{
	struct reload *reload = container_of(job, struct reload, retire);

	if (!reload->silent)
		say_ready(reload);
	reload->retired = policy_unref(reload->retired);
}

static void retired(struct job *job)
{
	finish(container_of(job, struct reload, retire));
}

/* All is decided: the thread does the rest. */
static void wind_up(struct reload *reload)
{
	reload->silent = reload->broker->stopping;
	reload->rules = policy_size(reload->broker->policy);
	workers_run(reload->workers, &reload->retire);
}

/* True: there are more. */
static bool review_sessions(struct reload *reload)
{
	struct session *session, *following;
	unsigned int n = 0;

	list_for_each_safe (session, following, &reload->broker->sessions, of_broker) {
		struct client *client = session->client;

		if (session->number <= reload->reviewed || client->dead)
			continue;
		if (n++ == RELOAD_A_TURN)
			return true;
		reload->reviewed = session->number;
		client->holds++;
		reload->revoked += rights_review(session);
		client->holds--;
		/* What follows may have gone with it: the number leads on from here. */
		if (client->dead) {
			client_collect(client);
			return true;
		}
	}
	return false;
}

static bool review_clients(struct reload *reload)
{
	struct client *client;
	unsigned int n = 0;

	list_for_each (client, &reload->broker->clients, link) {
		if (client->reviewed == reload->round || client->dead)
			continue;
		if (n++ == RELOAD_A_TURN)
			return true;
		client->reviewed = reload->round;
		client->holds++;
		client_review(client);
		client->holds--;
		if (client->dead) {
			client_collect(client);
			return true;
		}
	}
	return false;
}

static void review(struct loop_task *task)
{
	struct reload *reload = container_of(task, struct reload, review);

	if (review_sessions(reload) || review_clients(reload)) {
		loop_later(reload->broker->loop, task);
		return;
	}
	user_end_budgets(reload->broker);
	wind_up(reload);
}

static void take_over(struct reload *reload)
{
	struct broker *broker = reload->broker;

	reload->retired = broker->policy;
	broker->policy = TAKE_PTR(reload->policy);
	reload->state = RELOAD_REVIEWING;
	reload->reviewed = 0;
	reload->round++;
	user_begin_budgets(broker);
	loop_later(broker->loop, &reload->review);
}

static void was_read(struct job *job)
{
	struct reload *reload = container_of(job, struct reload, read);

	if (reload->broker->stopping) {
		reload->policy = policy_unref(reload->policy);
		reload->state = RELOAD_IDLE;
		return;
	}
	log_warnings(reload);
	keep_outcome(reload);
	if (reload->result < 0)
		wind_up(reload);
	else
		take_over(reload);
}

static void begin(struct reload *reload)
{
	struct reload_wish *first;

	list_move(&reload->waiting, &reload->later);
	first = list_first(&reload->waiting, struct reload_wish, link);
	reload->by = first ? client_of(first) : NULL;
	reload->again = false;
	reload->revoked = 0;
	reload->state = RELOAD_READING;
	workers_run(reload->workers, &reload->read);
}

void reload_begin(struct broker *broker, struct client *client, uint32_t serial)
{
	struct reload *reload = broker->reload;

	if (client) {
		client->reload.serial = serial;
		list_append(&reload->later, &client->reload.link);
	}
	reload->again = true;
	if (reload->state == RELOAD_IDLE)
		begin(reload);
}

struct reload_outcome reload_outcome(const struct reload *reload)
{
	return reload->outcome;
}

bool reload_is_wanted(const struct client *client)
{
	return !list_empty(&client->reload.link);
}

void reload_forget(struct client *client)
{
	struct reload *reload = client->broker->reload;

	list_remove(&client->reload.link);
	if (reload && reload->by == client)
		reload->by = NULL;
}

/* The first one. */

static void find_dirs(struct reload *reload)
{
	const char *dir = reload->broker->options->policy_dir;

	reload->dirs[0] = dir ? dir : POLICY_DIR_VENDOR;
	reload->dirs[1] = POLICY_DIR_ADMIN;
	reload->n_dirs = dir ? 1 : 2;
}

static int load_first(struct reload *reload)
{
	char error[ERROR_SIZE];

	load(reload);
	log_warnings(reload);
	if (reload->result < 0) {
		show_error(reload, error);
		log_error("%s", error);
		return reload->result;
	}
	keep_outcome(reload);
	reload->broker->policy = TAKE_PTR(reload->policy);
	reload->broker->device_policy = policy_ref(reload->broker->policy);
	return 0;
}

DEFINE_CLEANUP(struct reload *, reload_free);

int reload_new(struct reload **out, struct broker *broker)
{
	_cleanup_(reload_freep) struct reload *reload = calloc(1, sizeof(*reload));
	int r;

	if (!reload)
		return -ENOMEM;
	reload->broker = broker;
	reload->read = (struct job){.run = read_files, .done = was_read};
	reload->retire = (struct job){.run = retire, .done = retired};
	reload->review.run = review;
	list_init(&reload->review.link);
	list_init(&reload->waiting);
	list_init(&reload->later);
	find_dirs(reload);
	r = load_first(reload);
	if (r == 0)
		r = workers_new(&reload->workers, broker->loop, 1);
	if (r < 0)
		return r;
	*out = TAKE_PTR(reload);
	return 0;
}

struct reload *reload_free(struct reload *reload)
{
	if (!reload)
		return NULL;
	workers_free(reload->workers);
	list_remove(&reload->review.link);
	policy_unref(reload->policy);
	policy_unref(reload->retired);
	free(reload);
	return NULL;
}
