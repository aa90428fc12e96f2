// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/domain.h"

#include <stdio.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/crew.h"
#include "daemon/log.h"
#include "daemon/session.h"
#include "daemon/transport/fastrpc/import.h"
#include "daemon/transport/fastrpc/tunnel.h"
#include "daemon/user.h"
#include "protocol/clock.h"

/* How long the DSP may take to end a domain, and then what ran there to come back, or to start one,
 * before whoever waits for it is interrupted; and how often that is done again. */
#define EXIT_US   1000000
#define SETTLE_US 200000
#define START_US  15000000
#define AGAIN_US  5000

/* The tunnel; starting, exiting or closing; mapping. */
#define THREADS 3

static struct broker *broker_of(const struct fastrpc_domain *domain)
{
	return domain->owner->device.broker;
}

static void set_deadline(struct fastrpc_domain *domain, uint64_t in_us, deadline_fn expired)
{
	broker_deadline(broker_of(domain), &domain->deadline, in_us, expired);
}

static void clear_deadline(struct fastrpc_domain *domain)
{
	deadline_clear(&broker_of(domain)->deadlines, &domain->deadline);
}

void fastrpc_domain_run(struct fastrpc_domain *domain, struct job *job)
{
	domain->n_jobs++;
	workers_run(domain->workers, job);
}

/* The end, step by step. */

void fastrpc_domain_free(struct fastrpc_domain *domain)
{
	fastrpc_imports_deinit(domain);
	node_dispose(&domain->node);
	list_remove(&domain->link);
	policy_unref(domain->policy_owner);
	free(domain);
}

static void discharge(struct fastrpc_domain *domain)
{
	quota_release(&domain->user->quota, QUOTA_FDS, domain->fds);
	domain->user = user_put(domain->user);
}

static void forget(struct fastrpc_domain *domain)
{
	struct fastrpc_device *device = domain->owner;

	list_remove(&domain->more.link);
	list_remove(&domain->parting.link);
	clear_deadline(domain);
	crew_shrink(broker_of(domain)->crew, domain->crew);
	discharge(domain);
	workers_free(domain->workers);
	/* Now, and not when its node was closed: the broker ends when there is none any more. */
	device->device.domains -= domain->state == DOMAIN_CLOSING;
	device->device.domains_hung -= domain->hung;
	if (domain->unreleased && !domain->abandoned && !broker_of(domain)->finished) {
		log_warning("%s did not confirm the end of protection domain %u: what it could "
			    "reach is kept until it restarts",
			device->device.name, domain->number);
		list_remove(&domain->link);
		list_append(&device->unreleased, &domain->link);
	} else {
		fastrpc_domain_free(domain);
	}
	fastrpc_device_next(device);
}

static void lose_sessions(struct fastrpc_domain *domain)
{
	struct session *session;

	while ((session = list_first(&domain->sessions, struct session, link))) {
		list_remove(&session->link);
		session_lost(session, domain->end_status, domain->end_text);
	}
}

static void let_go(struct loop_task *task)
{
	lose_sessions(container_of(task, struct fastrpc_domain, parting));
}

static void say_farewell(struct loop_task *task)
{
	struct fastrpc_domain *domain = container_of(task, struct fastrpc_domain, farewell);

	lose_sessions(domain);
	forget(domain);
}

/* Not now, where somebody may still be using it. */
static void over(struct fastrpc_domain *domain)
{
	domain->owner->device.waiting -= !list_empty(&domain->waiting);
	list_remove(&domain->waiting);
	clear_deadline(domain);
	loop_later(broker_of(domain)->loop, &domain->farewell);
}

/* The kernel does not tell whether the DSP has let go; that it was waited for in vain shows. */
static void close_node(struct job *job)
{
	struct fastrpc_domain *domain = container_of(job, struct fastrpc_domain, close);
	uint64_t begun;

	domain->tunnel = tunnel_free(domain->tunnel); /* closing files may take long, too */
	begun = clock_us();
	if (domain->node.driver)
		domain->node.driver->close(&domain->node);
	domain->unreleased = domain->unasked || clock_us() - begun >= NODE_RELEASE_MS * 1000ull;
}

static void node_closed(struct job *job)
{
	struct fastrpc_domain *domain = container_of(job, struct fastrpc_domain, close);

	domain->n_jobs--;
	over(domain);
}

static void begin_close(struct fastrpc_domain *domain)
{
	domain->state = DOMAIN_CLOSING;
	clear_deadline(domain);
	/* Of a DSP that is gone nothing needs to be waited for, and its sessions want to go on. */
	if (domain->abandoned)
		loop_later(broker_of(domain)->loop, &domain->parting);
	domain->close = (struct job){.run = close_node, .done = node_closed};
	fastrpc_domain_run(domain, &domain->close);
}

static void interrupt(struct fastrpc_domain *domain)
{
	for (size_t i = 0; i < FASTRPC_CALLS; i++)
		crew_interrupt(broker_of(domain)->crew, &domain->slots[i].job);
	workers_interrupt(domain->workers, &domain->tunnel_job);
	workers_interrupt(domain->workers, &domain->exit);
}

static void stop_again(struct deadline *deadline)
{
	struct fastrpc_domain *domain = container_of(deadline, struct fastrpc_domain, deadline);

	interrupt(domain);
	set_deadline(domain, AGAIN_US, stop_again);
}

static void begin_stop(struct deadline *deadline)
{
	struct fastrpc_domain *domain = container_of(deadline, struct fastrpc_domain, deadline);

	domain->state = DOMAIN_STOPPING;
	atomic_store(&domain->stop, true);
	if (domain->driver->stop)
		domain->driver->stop(&domain->node);
	for (size_t i = 0; i < FASTRPC_CALLS; i++)
		atomic_store(&domain->slots[i].stop, true);
	stop_again(deadline);
}

void fastrpc_domain_job_done(struct fastrpc_domain *domain)
{
	domain->n_jobs--;
	if (!domain->n_jobs &&
		(domain->state == DOMAIN_EXITING || domain->state == DOMAIN_STOPPING))
		begin_close(domain);
}

static void ask_to_exit(struct job *job)
{
	struct fastrpc_domain *domain = container_of(job, struct fastrpc_domain, exit);
	struct node_result result = node_invoke(&domain->node, FASTRPC_PROCESS, PROCESS_EXIT, NULL);

	/* Then it has none for the release either. */
	domain->unasked = result.error == -ENOSPC;
}

static void exited(struct job *job)
{
	struct fastrpc_domain *domain = container_of(job, struct fastrpc_domain, exit);

	if (domain->state == DOMAIN_EXITING)
		set_deadline(domain, SETTLE_US, begin_stop);
	fastrpc_domain_job_done(domain);
}

/* A domain that is not ours alone is not ours to end. */
static void begin_exit(struct fastrpc_domain *domain)
{
	bool ask = !domain->abandoned && domain->policy->kind == POLICY_DOMAIN_USER;

	/* A call that is interrupted costs the kernel memory, and one of its 255 places for calls,
	 * until the DSP restarts: so they get a chance to end by themselves. */
	domain->state = DOMAIN_EXITING;
	fastrpc_imports_cancel(domain);
	if (ask) {
		domain->exit =
			(struct job){.run = ask_to_exit, .done = exited, .interruptible = true};
		fastrpc_domain_run(domain, &domain->exit);
		set_deadline(domain, EXIT_US, begin_stop);
	} else if (domain->n_jobs) {
		set_deadline(domain, SETTLE_US, begin_stop);
	} else {
		begin_close(domain);
	}
}

void fastrpc_domain_end(struct fastrpc_domain *domain, enum dsp_status status, const char *text)
{
	if (domain->ending)
		return;
	domain->ending = true;
	domain->lane.ready = false;
	domain->end_status = status;
	wire_string_set(domain->end_text, sizeof(domain->end_text), text);
	if (domain->state == DOMAIN_WAITING)
		over(domain);
	else if (domain->state == DOMAIN_READY)
		begin_exit(domain);
}

/* It may block in a call that has no time-out of the kernel's. */
static void start_again(struct deadline *deadline)
{
	struct fastrpc_domain *domain = container_of(deadline, struct fastrpc_domain, deadline);

	workers_interrupt(domain->workers, &domain->start);
	set_deadline(domain, AGAIN_US, start_again);
}

void fastrpc_domain_lost(struct fastrpc_domain *domain)
{
	domain->abandoned = true;
	fastrpc_domain_end(domain, DSP_DEVICE_DOWN, "the DSP stopped, or restarted");
	/* Where it was asked to end there is nobody left to answer. */
	if (domain->state == DOMAIN_EXITING)
		set_deadline(domain, SETTLE_US, begin_stop);
	else if (domain->state == DOMAIN_STARTING)
		set_deadline(domain, SETTLE_US, start_again);
}

/* Calls that hang. */

void fastrpc_domain_owes(struct fastrpc_domain *domain, uid_t uid)
{
	/* What a DSP was at that has restarted meanwhile is forgotten. */
	if (!domain->abandoned && !domain->driver->interrupted_ends)
		debts_add(&domain->owner->debts, uid);
}

static void interrupt_hung(struct deadline *deadline)
{
	struct fastrpc_domain *domain = container_of(deadline, struct fastrpc_domain, deadline);
	bool any = false;

	for (size_t i = 0; i < FASTRPC_CALLS; i++) {
		if (!domain->slots[i].hung)
			continue;
		crew_interrupt(broker_of(domain)->crew, &domain->slots[i].job);
		any = true;
	}
	if (any)
		set_deadline(domain, AGAIN_US, interrupt_hung);
}

void fastrpc_domain_hangs(struct fastrpc_domain *domain, struct fastrpc_slot *slot)
{
	slot->hung = true;
	domain->owner->device.domains_hung += !domain->hung;
	domain->hung = true;
	if (domain->state == DOMAIN_READY)
		interrupt_hung(&domain->deadline);
}

/* Starting. */

static void serve_tunnel(struct job *job)
{
	struct fastrpc_domain *domain = container_of(job, struct fastrpc_domain, tunnel_job);

	domain->result = tunnel_run(domain->tunnel, &domain->stop);
}

static void tunnel_ended(struct job *job)
{
	struct fastrpc_domain *domain = container_of(job, struct fastrpc_domain, tunnel_job);

	if (domain->result.error == -EINTR)
		fastrpc_domain_owes(domain, domain->user->uid);
	if (domain->result.error == -EPIPE || domain->result.error == -ENODEV)
		fastrpc_domain_lost(domain);
	else if (domain->policy->kind == POLICY_DOMAIN_USER)
		fastrpc_domain_end(domain, DSP_DOMAIN_CRASHED, "its protection domain ended");
	fastrpc_domain_job_done(domain);
}

static void ready(struct fastrpc_domain *domain)
{
	domain->state = DOMAIN_READY;
	domain->lane.ready = true;
	clear_deadline(domain);
	domain->tunnel_job =
		(struct job){.run = serve_tunnel, .done = tunnel_ended, .interruptible = true};
	fastrpc_domain_run(domain, &domain->tunnel_job);
	scheduler_run(&domain->lane);
}

static enum dsp_status start_status(const struct fastrpc_domain *domain)
{
	int error = domain->result.error;

	if (error == -EPIPE || error == -ENODEV)
		return DSP_DEVICE_DOWN;
	/* Otherwise it is a file that is not there. */
	if (domain->node.fd < 0 && (error == -ENXIO || error == -ENOENT))
		return DSP_DEVICE_DOWN;
	return error == -ENOMEM || error == -EMFILE ? DSP_NO_RESOURCES : DSP_LOAD_FAILED;
}

/* No kernel session is free; or the node has just come, and is not ours to open yet. */
static bool must_wait(const struct fastrpc_domain *domain)
{
	return domain->node.fd < 0 &&
	       (domain->result.error == -EBUSY || domain->result.error == -EACCES);
}

static void started(struct job *job)
{
	struct fastrpc_domain *domain = container_of(job, struct fastrpc_domain, start);
	bool well = !domain->result.error && !domain->result.result;

	domain->n_jobs--;
	clear_deadline(domain);
	if (must_wait(domain)) {
		domain->state = DOMAIN_WAITING;
		fastrpc_device_full(domain->owner, domain);
		return;
	}
	domain->owner->device.domains++;
	fastrpc_device_started(domain->owner,
		domain->result.result || domain->result.error == -ETIMEDOUT);
	if (well && !domain->ending) {
		ready(domain);
		return;
	}
	if (!well)
		domain->abandoned = true;
	if (!domain->ending)
		log_warning("%s: protection domain %u: %s", domain->owner->device.name,
			domain->number, domain->text);
	domain->ending = false; /* what is said of it now comes in time */
	domain->state = DOMAIN_READY;
	fastrpc_domain_end(domain, well ? domain->end_status : start_status(domain), domain->text);
}

/* There are no threads for its calls. */
static void do_not_start(struct job *job)
{
	struct fastrpc_domain *domain = container_of(job, struct fastrpc_domain, start);

	domain->result = (struct node_result){.error = -ENOMEM};
	snprintf(domain->text, sizeof(domain->text), "the broker has no threads for it");
}

static void start(struct job *job)
{
	fastrpc_start(container_of(job, struct fastrpc_domain, start));
}

void fastrpc_domain_start(struct fastrpc_domain *domain)
{
	if (!domain->crew && crew_grow(broker_of(domain)->crew, FASTRPC_CALLS) >= 0)
		domain->crew = FASTRPC_CALLS;
	domain->state = DOMAIN_STARTING;
	set_deadline(domain, START_US, start_again);
	domain->driver = domain->owner->driver;
	strcpy(domain->node_name, fastrpc_device_node(domain->owner, domain->policy));
	domain->place = fastrpc_device_place(domain->owner, domain->node_name);
	domain->start = (struct job){
		.run = domain->crew ? start : do_not_start,
		.done = started,
		.interruptible = true,
	};
	fastrpc_domain_run(domain, &domain->start);
}

/* Birth. */

static void init_host(struct fastrpc_domain *domain, const struct session *session)
{
	snprintf(domain->owner_text, sizeof(domain->owner_text), "uid %u, %s",
		session->client->identity.uid, session->channel);
	snprintf(domain->module_file, sizeof(domain->module_file), "lib%s_skel.so",
		session->service);
	domain->host = (struct host_options){
		.node = &domain->node,
		.device = domain->owner->device.name,
		.domain = domain->number,
		.owner = domain->owner_text,
		.log = &domain->user->dsp_log,
		.policy = domain->policy,
		.own_name = domain->module >= 0 ? domain->module_file : NULL,
		.own_module = domain->module,
	};
	domain->host.modules = fastrpc_device_modules(domain->owner, &domain->host.n_modules);
}

static void go_on(struct loop_task *task)
{
	scheduler_run(&container_of(task, struct fastrpc_domain, more)->lane);
}

static void init_lists(struct fastrpc_domain *domain)
{
	list_init(&domain->link);
	list_init(&domain->waiting);
	list_init(&domain->sessions);
	list_init(&domain->imports);
	list_init(&domain->farewell.link);
	domain->farewell.run = say_farewell;
	list_init(&domain->parting.link);
	domain->parting.run = let_go;
	list_init(&domain->more.link);
	domain->more.run = go_on;
}

static struct fastrpc_domain *drop(struct fastrpc_domain *domain)
{
	workers_free(domain->workers);
	if (domain->user)
		discharge(domain);
	policy_unref(domain->policy_owner);
	free(domain);
	return NULL;
}
DEFINE_CLEANUP(struct fastrpc_domain *, drop);

/* Its user pays for the files that the DSP may have open, and the directories they are in. */
static int charge(struct fastrpc_domain *domain, const struct session *session)
{
	struct user *user = session->client->user;
	struct quota_refusal refusal;
	size_t n_modules;
	unsigned int fds;
	int r;

	fastrpc_device_modules(domain->owner, &n_modules);
	fds = domain->policy->files + (unsigned int)(domain->policy->n_dirs + n_modules) +
	      domain->owner->driver->fds;
	r = quota_charge(&user->quota, QUOTA_FDS, fds, &refusal);
	if (r < 0)
		return r;
	domain->user = user_ref(user);
	domain->fds = fds;
	return 0;
}

int fastrpc_domain_new(struct fastrpc_domain **out, struct fastrpc_device *device,
	struct session *session)
{
	_cleanup_(dropp) struct fastrpc_domain *domain = calloc(1, sizeof(*domain));
	struct broker *broker = device->device.broker;
	int r;

	if (!domain)
		return -ENOMEM;
	domain->owner = device;
	domain->policy = session->domain_policy;
	domain->policy_owner = policy_ref(session->policy);
	domain->node = NODE_NONE;
	domain->module = session->module;
	domain->end_status = DSP_DOMAIN_CRASHED;
	lane_init(&domain->lane, &device->device, FASTRPC_CALLS);
	domain->lane.parallel = true;
	init_lists(domain);
	fastrpc_slots_init(domain);
	r = charge(domain, session);
	if (r >= 0)
		r = workers_new(&domain->workers, broker->loop, THREADS);
	if (r < 0)
		return r;
	domain->number = ++device->last_domain;
	wire_string_set(domain->share, sizeof(domain->share), session->share_domain);
	init_host(domain, session);
	list_append(&device->domains, &domain->link);
	*out = TAKE_PTR(domain);
	return 0;
}

/* Sessions. */

struct fastrpc_domain *fastrpc_domain_to_share(struct fastrpc_device *device,
	const struct session *session)
{
	struct fastrpc_domain *domain;

	if (!*session->share_domain || session->module >= 0)
		return NULL;
	list_for_each (domain, &device->domains, link)
		if (!domain->ending && !domain->hung && domain->module < 0 &&
			policy_domain_equal(domain->policy, session->domain_policy) &&
			!strcmp(domain->share, session->share_domain))
			return domain;
	return NULL;
}

void fastrpc_domain_attach(struct fastrpc_domain *domain, struct session *session)
{
	if (domain->state == DOMAIN_READY && !domain->hung)
		clear_deadline(domain); /* it is not idle any more */
	session->domain = domain->number;
	session->lane = &domain->lane;
	domain->lane.attached++;
	list_append(&domain->sessions, &session->link);
}

bool fastrpc_domain_is_idle(const struct fastrpc_domain *domain)
{
	return domain->state == DOMAIN_READY && !domain->ending && !domain->lane.attached;
}

static void idle_too_long(struct deadline *deadline)
{
	fastrpc_domain_end(container_of(deadline, struct fastrpc_domain, deadline), DSP_OK, "");
}

/* Has its last session left nothing behind? One that was killed does not close its module. */
static bool is_clean(const struct session *session)
{
	return list_empty(&session->submitted) && list_empty(&session->waiting) &&
	       !session->module_open;
}

/* May it wait for another session? */
static bool may_idle(const struct fastrpc_domain *domain)
{
	return *domain->share && domain->module < 0 && domain->state == DOMAIN_READY &&
	       !domain->ending && !domain->hung && domain->owner->device.policy->domain_idle_ms &&
	       list_empty(&domain->owner->waiting) && !broker_of(domain)->stopping;
}

void fastrpc_domain_detach(struct fastrpc_domain *domain, struct session *session)
{
	if (--domain->lane.attached == 0 && !(is_clean(session) && may_idle(domain))) {
		/* The session stays in the list, and ends with the domain. */
		fastrpc_domain_end(domain, DSP_DOMAIN_CRASHED, "");
		return;
	}
	list_remove(&session->link);
	fastrpc_release_imports_of(domain, session);
	if (!domain->lane.attached)
		set_deadline(domain, domain->owner->device.policy->domain_idle_ms * 1000ull,
			idle_too_long);
	session_closed(session);
}
