// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "tests/kernel/remote/dsp_state.h"
#include "tests/kernel/remote/service.h"

#define TICK_NS 1000000

struct dsp dsp = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void done_ready(struct source *source);
static void tick_ready(struct source *source);

static struct source done_source = {.fd = -1, .ready = done_ready};
static struct source tick_source = {.fd = -1, .ready = tick_ready};

/* Jobs. */

static struct dsp_job *job_new(struct endpoint *endpoint, uint32_t source,
	const struct dsp_message *message)
{
	struct dsp_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	list_init(&job->node);
	job->endpoint = endpoint;
	job->source = source;
	job->message = *message;
	job->call.handle = message->handle;
	job->call.scalars = message->scalars;
	dsp.counts.pending++;
	return job;
}

void dsp_job_free(struct dsp_job *job)
{
	iommu_release(job->window);
	dsp.counts.pending--;
	free(job);
}

void dsp_answer(const struct dsp_job *job, int32_t result)
{
	struct dsp_response response = {.context = job->message.context, .result = result};
	int r = 0;

	if (!dsp_fault(DSP_FAULT_SILENT))
		r = rpmsg_send(job->endpoint->rpmsg, job->endpoint->address, job->source, &response,
			sizeof(response));
	if (r < 0)
		fprintf(stderr, "fastrpc: an answer is lost: %s\n", strerror(-r));
}

/* Domains. */

struct dsp_domain_state *dsp_domain_find(const struct endpoint *endpoint, uint32_t id)
{
	struct dsp_domain_state *state;

	list_for_each (state, &dsp.domains, domain.node)
		if (state->endpoint == endpoint && state->domain.id == id && !state->mute)
			return state;
	return NULL;
}

struct dsp_domain_state *dsp_domain_new(const struct dsp_job *job, uint32_t id)
{
	struct dsp_domain_state *state;

	if (dsp_domain_find(job->endpoint, id) || dsp.counts.domains == DSP_DOMAINS_MAX)
		return NULL;
	state = calloc(1, sizeof(*state));
	if (!state)
		return NULL;
	state->domain.id = id;
	state->domain.state = state;
	state->endpoint = job->endpoint;
	state->kind = job->message.context & DSP_KIND_MASK;
	list_init(&state->threads);
	list_init(&state->maps);
	list_init(&state->releases);
	list_append(&dsp.domains, &state->domain.node);
	dsp.counts.domains++;
	dsp.counts.domains_created++;
	return state;
}

static void domain_free(struct dsp_domain_state *state)
{
	struct dsp_job *job, *following;

	dsp_modules_free(state->domain.modules);
	dsp_listener_free(state->domain.listener);
	dsp_maps_free(state);
	list_remove(&state->domain.node);
	dsp.counts.domains--;
	list_for_each_safe (job, following, &state->releases, node) {
		if (!state->mute && !dsp_fault_take(DSP_FAULT_NO_RELEASE))
			dsp_answer(job, AEE_SUCCESS);
		dsp_job_free(job);
	}
	free(state);
}

void dsp_domain_end(struct dsp_domain *domain)
{
	pthread_mutex_lock(&dsp.lock);
	domain->ending = true;
	pthread_mutex_unlock(&dsp.lock);
}

/* It is freed when its last thread is gone. */
static void end(struct dsp_domain_state *state)
{
	if (state->ended)
		return;
	pthread_mutex_lock(&dsp.lock);
	state->ended = true;
	state->domain.ending = true;
	dsp_threads_end(state);
	pthread_mutex_unlock(&dsp.lock);
	dsp_notify();
	dsp_tick();
}

void dsp_domain_release(struct dsp_domain_state *state, struct dsp_job *job)
{
	list_append(&state->releases, &job->node);
	end(state);
}

static void gone(struct endpoint *endpoint)
{
	struct dsp_domain_state *state;

	list_for_each (state, &dsp.domains, domain.node) {
		if (state->endpoint != endpoint)
			continue;
		state->mute = true;
		end(state);
	}
	dsp_fault_set("silent", 0);
}

/* What ran. */

void dsp_notify(void)
{
	static const uint64_t one = 1;

	if (write(done_source.fd, &one, sizeof(one)) < 0)
		perror("fastrpc");
}

static void finish(struct dsp_job *job)
{
	struct dsp_domain_state *state = job->call.domain->state;

	if (job->fault.happened)
		iommu_fault(dsp.iommu, (uint32_t)(job->message.address >> 32), job->fault.address,
			job->fault.write);
	if (job->crashed || state->domain.ending)
		end(state);
	/* Who asked for the end hears that it is coming. */
	if (state->ended && job->call.handle != FASTRPC_PROCESS)
		job->result = DSP_NO_DOMAIN;
	if (!state->mute) {
		dsp_fault_before_answer(job);
		dsp_answer(job, job->result);
		dsp_fault_after_answer(job);
	}
	dsp_job_free(job);
}

static void free_ended(void)
{
	struct dsp_domain_state *state, *following;

	list_for_each_safe (state, following, &dsp.domains, domain.node)
		if (state->ended && state->n_threads == 0)
			domain_free(state);
}

static void done_ready(struct source *source)
{
	struct list done = LIST_INIT(done), exited = LIST_INIT(exited);
	struct dsp_thread *thread, *next_thread;
	struct dsp_job *job, *next_job;
	uint64_t count;

	if (read(source->fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&dsp.lock);
	list_move(&done, &dsp.done);
	list_move(&exited, &dsp.exited);
	pthread_mutex_unlock(&dsp.lock);
	list_for_each_safe (job, next_job, &done, node) {
		list_remove(&job->node);
		finish(job);
	}
	list_for_each_safe (thread, next_thread, &exited, exited)
		dsp_thread_join(thread);
	free_ended();
}

static void set_tick(long ns)
{
	struct itimerspec time = {.it_value.tv_nsec = ns, .it_interval.tv_nsec = ns};

	timerfd_settime(tick_source.fd, 0, &time, NULL);
}

void dsp_tick(void)
{
	set_tick(TICK_NS);
}

static void tick_ready(struct source *source)
{
	bool again = dsp_fault_tick();
	uint64_t count;

	again = dsp_threads_tick() || again;
	if (read(source->fd, &count, sizeof(count)) == sizeof(count) && !again)
		set_tick(0);
}

/* What the kernel sends. */

/* The caller's domain, if it is of the kind that the kernel takes it for. */
static struct dsp_domain_state *domain_of(const struct dsp_job *job)
{
	struct dsp_domain_state *state =
		dsp_domain_find(job->endpoint, (uint32_t)job->message.domain);

	return state && !state->ended && state->kind == (job->message.context & DSP_KIND_MASK)
		       ? state
		       : NULL;
}

static int32_t submit(struct dsp_job *job)
{
	struct dsp_domain_state *state = domain_of(job);
	int32_t result;

	dsp.counts.calls++;
	if (!state)
		return DSP_NO_DOMAIN;
	job->call.domain = &state->domain;
	result = dsp_payload_open(job);
	if (result == AEE_SUCCESS && dsp_thread_submit(state, job) < 0)
		result = DSP_ENOMEMORY;
	return result;
}

static void receive(struct endpoint *endpoint, uint32_t source, const void *data, size_t size)
{
	struct dsp_message message;
	struct dsp_job *job;
	int32_t result;

	/* One that was withdrawn has not been told yet. */
	if (size != sizeof(message) || !*endpoint->name) {
		fprintf(stderr, "fastrpc: a message of %zu bytes is ignored\n", size);
		return;
	}
	memcpy(&message, data, sizeof(message));
	job = job_new(endpoint, source, &message);
	if (!job) {
		fprintf(stderr, "fastrpc: no memory for a call\n");
		return;
	}
	if (message.domain == 0) {
		dsp_kernel(job);
		return;
	}
	result = submit(job);
	if (result != AEE_SUCCESS) {
		dsp_answer(job, result);
		dsp_job_free(job);
	}
}

const struct service dsp_service = {.name = "fastrpc", .receive = receive, .gone = gone};

int dsp_init(struct loop *loop, struct iommu *iommu)
{
	int done = eventfd(0, EFD_CLOEXEC), tick, r;

	if (done < 0)
		return -errno;
	r = source_open(&done_source, loop, done);
	if (r < 0)
		return r;
	tick = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (tick < 0)
		return -errno;
	r = source_open(&tick_source, loop, tick);
	if (r < 0)
		return r;
	dsp.iommu = iommu;
	list_init(&dsp.domains);
	list_init(&dsp.done);
	list_init(&dsp.exited);
	return dsp_threads_init();
}
