// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/device.h"

#include <stdio.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/log.h"
#include "daemon/session.h"
#include "daemon/transport/fastrpc/domain.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/transport/transport.h"

/* How soon a start is tried again when the kernel has no session free: it does not tell when. */
#define FULL_US 50000
/* After the DSP has not started a domain: how long until the next, at first and at most. */
#define BACKOFF_MIN_US 50000ull
#define BACKOFF_MAX_US 5000000ull

/* How long the DSP may take to say what it is, before whoever asks is interrupted; and how often
 * that is done again. */
#define ASK_US       10000000
#define ASK_AGAIN_US 5000

/* Where distributions have them. */
static const struct policy_dir usual[] = {
	{.path = "/usr/lib/dsp"}, {.path = "/usr/share/qcom/dsp"}, {.path = DSP_MODULES_DIR},
	{.path = "/lib/firmware/qcom"}, /* no modules */
};
#define USUAL_MODULES 3
#define USUAL_SHELLS  4

const struct policy_dir *fastrpc_usual_dirs(size_t *n)
{
	*n = ARRAY_SIZE(usual);
	return usual;
}

const struct policy_dir *fastrpc_device_modules(const struct fastrpc_device *device, size_t *n)
{
	const struct policy_device *policy = device->device.policy;

	*n = policy->n_modules ? policy->n_modules : USUAL_MODULES;
	return policy->n_modules ? policy->modules : usual;
}

const struct policy_dir *fastrpc_device_shells(const struct fastrpc_device *device, size_t *n)
{
	const struct policy_device *policy = device->device.policy;

	*n = policy->n_shells ? policy->n_shells : USUAL_SHELLS;
	return policy->n_shells ? policy->shells : usual;
}

/* Unsigned domains are all that the plain node is good for; where there is one node only, it is
 * good for everything. */
const char *fastrpc_device_node(const struct fastrpc_device *device,
	const struct policy_domain *policy)
{
	const struct fastrpc_found *found = &device->found;
	bool trusted = policy->kind != POLICY_DOMAIN_USER || policy->is_signed;

	return *found->secure && (trusted || !*found->plain) ? found->secure : found->plain;
}

struct node_place fastrpc_device_place(const struct fastrpc_device *device, const char *name)
{
	return (struct node_place){
		.opener = device->device.broker->opener,
		.name = name,
		.label = device->device.name,
		.memory = device->device.broker->memory,
		.coherent = device->found.coherent,
	};
}

/* What the DSP says of itself. */

/* In a thread. To ask takes a kernel session for a moment. */
static void ask(struct job *job)
{
	struct fastrpc_device *device = container_of(job, struct fastrpc_device, job);
	struct node node;

	device->error = device->asked->open(&node, &device->asked_place);
	if (device->error < 0)
		return;
	device->error = node.driver->attributes(&node, device->number, device->attributes);
	node.driver->close(&node);
	node_dispose(&node);
}

/* It has no time-out of the kernel's everywhere. */
static void stop_asking(struct deadline *deadline)
{
	struct fastrpc_device *device = container_of(deadline, struct fastrpc_device, patience);

	if (!device->asking)
		return;
	workers_interrupt(device->device.broker->workers, &device->job);
	broker_deadline(device->device.broker, &device->patience, ASK_AGAIN_US, stop_asking);
}

static void learn(struct fastrpc_device *device);

static void asked(struct job *job)
{
	struct fastrpc_device *device = container_of(job, struct fastrpc_device, job);

	device->device.domains--;
	device->asking = false;
	deadline_clear(&device->device.broker->deadlines, &device->patience);
	device->knows = device->error == 0 || device->error == -EOPNOTSUPP;
	if (device->error == 0) {
		device->device.n_attributes = FASTRPC_ATTRIBUTES;
		memcpy(device->device.attributes, device->attributes, sizeof(device->attributes));
	}
	if (device->ask_again && device->present)
		learn(device);
	fastrpc_device_next(device);
}

static_assert(FASTRPC_ATTRIBUTES <= DSP_ATTRIBUTES_MAX, "they fit");

/* Once is enough: it does not change. */
static void learn(struct fastrpc_device *device)
{
	device->ask_again = device->asking; /* another may have been asked */
	if (device->knows || device->asking)
		return;
	device->device.domains++; /* so it is, as long as it takes */
	device->asking = true;
	device->asked = device->driver;
	strcpy(device->asked_node,
		*device->found.secure ? device->found.secure : device->found.plain);
	device->asked_place = fastrpc_device_place(device, device->asked_node);
	device->job = (struct job){.run = ask, .done = asked, .interruptible = true};
	workers_run(device->device.broker->workers, &device->job);
	broker_deadline(device->device.broker, &device->patience, ASK_US, stop_asking);
}

/* Its turns. */

/* Do sessions make the remote processor run? Then they may come before it does. */
static bool is_on_demand(const struct fastrpc_device *device)
{
	return device->device.policy->lifecycle == POLICY_ON_DEMAND && device->device.remoteproc;
}

static void time_for_next(struct deadline *deadline)
{
	fastrpc_device_next(container_of(deadline, struct fastrpc_device, retry));
}

static void next_in(struct fastrpc_device *device, uint64_t in_us)
{
	broker_deadline(device->device.broker, &device->retry, in_us, time_for_next);
}

/* Not before all is over that was there when it went: its sessions are the first who must know. */
static void come_up(struct fastrpc_device *device)
{
	const struct fastrpc_domain *domain;

	list_for_each (domain, &device->domains, link)
		if (domain->abandoned)
			return;
	device_set_up(&device->device);
}

void fastrpc_device_next(struct fastrpc_device *device)
{
	uint64_t now = broker_now(device->device.broker);
	struct fastrpc_domain *domain;

	if (device->present)
		come_up(device);
	domain = list_first(&device->waiting, struct fastrpc_domain, waiting);
	if (!domain || device->starting || !device->present)
		return;
	if (now < device->not_before_us) {
		next_in(device, device->not_before_us - now);
		return;
	}
	device->starting = true;
	list_remove(&domain->waiting);
	fastrpc_domain_start(domain);
}

/* How many domains it holds that belong to the user of a session that waits. */
static unsigned int held_by_user(const struct fastrpc_device *device, const struct session *who)
{
	const struct fastrpc_domain *domain;
	unsigned int n = 0;

	list_for_each (domain, &device->domains, link) {
		const struct session *session;
		bool found = false;

		if (domain->state == DOMAIN_WAITING)
			continue;
		list_for_each (session, &domain->sessions, link)
			found |= session->client->user == who->client->user;
		n += found;
	}
	return n;
}

/* Who waited in vain is told why, and whose the domains are as far as that is its business. */
static void waited_in_vain(struct deadline *deadline)
{
	struct fastrpc_domain *domain = container_of(deadline, struct fastrpc_domain, deadline);
	struct fastrpc_device *device = domain->owner;
	const struct session *session = list_first(&domain->sessions, struct session, link);
	char text[DSP_TEXT_SIZE];

	if (!device->present) {
		/* It is being started: that takes as long as it takes. */
		broker_deadline(device->device.broker, deadline,
			MAX(device->device.policy->queue_ms * 1000ull, FULL_US), waited_in_vain);
		return;
	}
	if (*domain->text)
		snprintf(text, sizeof(text), "%.200s", domain->text);
	else
		snprintf(text, sizeof(text),
			"no protection domain of %s became free in %u ms; %u are in use, %u of "
			"them by your user (dspctl sessions shows which)",
			device->device.name, device->device.policy->queue_ms,
			device->device.domains, session ? held_by_user(device, session) : 0);
	fastrpc_domain_end(domain, DSP_BUSY, text);
}

static void wait_for_turn(struct fastrpc_device *device, struct fastrpc_domain *domain)
{
	uint64_t now = broker_now(device->device.broker), queue, waited;

	queue = device->device.policy->queue_ms * 1000ull;
	waited = now - domain->waiting_since_us;
	broker_deadline(device->device.broker, &domain->deadline,
		waited < queue ? queue - waited : 0, waited_in_vain);
}

void fastrpc_device_queue(struct fastrpc_device *device, struct fastrpc_domain *domain)
{
	domain->waiting_since_us = broker_now(device->device.broker);
	list_append(&device->waiting, &domain->waiting);
	device->device.waiting++; /* until it is started, or over */
	wait_for_turn(device, domain);
	fastrpc_device_next(device);
}

static void make_room(struct fastrpc_device *device)
{
	struct fastrpc_domain *domain, *idle = NULL;

	list_for_each (domain, &device->domains, link) {
		if (domain->state > DOMAIN_READY)
			return; /* that one is on its way */
		if (fastrpc_domain_is_idle(domain) && !idle)
			idle = domain;
	}
	if (idle)
		fastrpc_domain_end(idle, DSP_OK, "");
}

void fastrpc_device_full(struct fastrpc_device *device, struct fastrpc_domain *domain)
{
	device->starting = false;
	if (domain->result.error == -EBUSY) {
		*domain->text = '\0';
		device->device.domains_max = device->device.domains;
	}
	list_prepend(&device->waiting, &domain->waiting);
	if (domain->ending) {
		domain->ending = false;
		fastrpc_domain_end(domain, domain->end_status, "");
	} else {
		wait_for_turn(device, domain);
		make_room(device);
	}
	next_in(device, FULL_US);
}

void fastrpc_device_started(struct fastrpc_device *device, bool refused)
{
	uint64_t pause;

	device->starting = false;
	device->device.waiting--;
	if (!refused) {
		device->failures = 0;
		device->not_before_us = 0;
		learn(device); /* if its node was not ours to open at first */
	} else {
		pause = BACKOFF_MIN_US << MIN(device->failures, 10u);
		device->failures++;
		device->not_before_us =
			broker_now(device->device.broker) + MIN(pause, BACKOFF_MAX_US);
	}
	fastrpc_device_next(device);
}

/* Life. */

struct fastrpc_device *fastrpc_device_new(struct broker *broker,
	const struct fastrpc_driver *driver, const char *label, uint32_t number)
{
	struct fastrpc_device *device = calloc(1, sizeof(*device));

	if (!device)
		return NULL;
	device->driver = driver;
	device->number = number;
	list_init(&device->domains);
	list_init(&device->waiting);
	list_init(&device->unreleased);
	debts_init(&device->debts);
	device_add(broker, &device->device, driver->transport, label);
	device->device.any_service = DSP_KIND_CALL;
	return device;
}

static void set_isolation(struct fastrpc_device *device)
{
	if (device->found.isolated)
		device->device.isolation = DSP_ISOLATION_IOMMU;
	else
		device->device.isolation = device->device.policy->accept_no_iommu
						   ? DSP_ISOLATION_ACCEPTED
						   : DSP_ISOLATION_REFUSED;
}

/* As far as it can be told when its context banks are not there. */
static void guess_isolation(struct fastrpc_device *device, const struct remoteproc *remoteproc)
{
	const char *sysfs = device->device.broker->options->sysfs;

	device->found.isolated = sysfs_iommu_group(remoteproc_device_path(remoteproc), sysfs) >= 0;
	set_isolation(device);
}

static void bind_remoteproc(struct fastrpc_device *device)
{
	struct remoteproc *remoteproc =
		*device->found.folder.text
			? remoteproc_of_path(device->device.broker, device->found.folder.text)
			: NULL;

	if (remoteproc && !device->device.remoteproc)
		remoteproc_bind(remoteproc, &device->device);
}

void fastrpc_device_expect(struct fastrpc_device *device, struct remoteproc *remoteproc)
{
	guess_isolation(device, remoteproc);
	remoteproc_bind(remoteproc, &device->device);
	if (is_on_demand(device))
		device_set_up(&device->device);
}

/* Those that wait for it to come need not. */
static void end_waiting(struct fastrpc_device *device, const char *trouble)
{
	struct fastrpc_domain *domain, *following;

	list_for_each_safe (domain, following, &device->waiting, waiting)
		fastrpc_domain_end(domain, DSP_DEVICE_DOWN, trouble);
}

void fastrpc_device_state_changed(struct fastrpc_device *device)
{
	char trouble[DSP_TEXT_SIZE];

	wire_string_set(trouble, sizeof(trouble), remoteproc_trouble(device->device.remoteproc));
	if (*trouble && !device->present)
		end_waiting(device, trouble);
}

/* Its nodes are there, and ours: use them. */
static void come(struct fastrpc_device *device)
{
	device->present = true;
	if (device->device.isolation == DSP_ISOLATION_REFUSED)
		log_warning("%s may reach all memory, since no IOMMU isolates it; policy can "
			    "accept "
			    "that with \"without_iommu\": \"accept\"",
			device->device.name);
	device->failures = 0;
	device->not_before_us = 0;
	learn(device);
	fastrpc_device_next(device);
}

static void claim_told(struct claim *claim)
{
	struct fastrpc_device *device = container_of(claim, struct fastrpc_device, claim);
	char trouble[DSP_TEXT_SIZE];

	wire_string_set(trouble, sizeof(trouble), claim_trouble(claim));
	if (claim_is_granted(claim))
		come(device);
	else
		end_waiting(device, trouble);
}

void fastrpc_device_found(struct fastrpc_device *device, const struct fastrpc_driver *driver,
	const struct fastrpc_found *found)
{
	if (device->there &&
		(device->driver != driver || device->found.instance != found->instance))
		fastrpc_device_lost(device);
	/* One that goes loses its driver before its nodes: what is known of it stays so. */
	if (device->there && *device->found.folder.text && !*found->folder.text)
		return;
	device->driver = driver;
	device->device.ops = driver->transport;
	device->found = *found;
	set_isolation(device);
	if (!device->there)
		bind_remoteproc(device);
	device->there = true;
	claim_begin(&device->claim, &device->device, found, claim_told);
}

/* What was done with its nodes is over. */
static void lose(struct fastrpc_device *device)
{
	struct fastrpc_domain *domain, *following;

	device->present = false;
	deadline_clear(&device->device.broker->deadlines, &device->retry);
	stop_asking(&device->patience);
	list_for_each_safe (domain, following, &device->domains, link)
		fastrpc_domain_lost(domain);
	/* What was on the DSP is gone for certain. */
	list_for_each_safe (domain, following, &device->unreleased, link)
		fastrpc_domain_free(domain);
	debts_clear(&device->debts);
	if (is_on_demand(device))
		guess_isolation(device, device->device.remoteproc);
	device_lost_state(&device->device, is_on_demand(device));
}

void fastrpc_device_lost(struct fastrpc_device *device)
{
	if (!device->there)
		return;
	device->there = false;
	claim_end(&device->claim);
	if (device->present)
		lose(device);
	else if (is_on_demand(device))
		guess_isolation(device, device->device.remoteproc);
}

void fastrpc_device_finish(struct fastrpc_device *device)
{
	struct fastrpc_domain *domain, *following;

	list_for_each_safe (domain, following, &device->domains, link)
		if (fastrpc_domain_is_idle(domain))
			fastrpc_domain_end(domain, DSP_SHUTTING_DOWN, "");
	stop_asking(&device->patience);
	/* Nobody waits for the DSP to restart any more; the memory ends with us. */
	list_for_each_safe (domain, following, &device->unreleased, link)
		fastrpc_domain_free(domain);
}

void fastrpc_device_free(struct fastrpc_device *device)
{
	struct broker *broker = device->device.broker;
	struct fastrpc_domain *domain, *following;

	claim_end(&device->claim);
	/* When the broker has not even started it may still be so. */
	stop_asking(&device->patience);
	while (device->asking && loop_turn(broker->loop, true) >= 0)
		;
	list_for_each_safe (domain, following, &device->unreleased, link)
		fastrpc_domain_free(domain);
	if (device->device.remoteproc)
		remoteproc_unbind(&device->device);
	debts_clear(&device->debts);
	deadline_clear(&broker->deadlines, &device->retry);
	free(device);
}
