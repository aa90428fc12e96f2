// SPDX-License-Identifier: MIT
/* Misbehaving on request. A value is how often, what, or how much, as the table says; 0 is never.
 */
#include <stdio.h>
#include <string.h>

#include "tests/kernel/remote/dsp_state.h"

#define LATE_BYTES 64
#define LATE_TICKS 1000 /* a second: so long it goes on writing where it can */

static const char *const names[DSP_FAULTS] = {
	/* as many calls of modules are not answered until that is set */
	[DSP_FAULT_HANG] = "hang",
	[DSP_FAULT_RELEASE_HUNG] = "release-hung",
	/* as many calls' first output is written after their answer, again and again */
	[DSP_FAULT_LATE_WRITE] = "late-write",
	/* inline outputs are said to have so many bytes */
	[DSP_FAULT_LONG_OUTPUT] = "long-output",
	/* what calls of modules return, instead of being made */
	[DSP_FAULT_ERROR] = "error",
	/* as many requests to the host that make no sense, or that nobody needs */
	[DSP_FAULT_HOST_GARBAGE] = "host-garbage",
	[DSP_FAULT_HOST_FLOOD] = "host-flood",
	/* as many domains end without a word to the kernel, which waits for it */
	[DSP_FAULT_NO_RELEASE] = "no-release",
	/* what the kernel gets that creates a domain */
	[DSP_FAULT_REFUSE_CREATE] = "refuse-create",
	/* the DSP does not know that call */
	[DSP_FAULT_REFUSE_MEM_MAP] = "refuse-mem-map",
	/* microseconds that a call of a module takes longer */
	[DSP_FAULT_SLOW] = "slow",
	/* no answer leaves it any more, until it starts again */
	[DSP_FAULT_SILENT] = "silent",
};

static _Atomic uint32_t values[DSP_FAULTS];
static unsigned int releases; /* of what hangs; with the lock */

uint32_t dsp_fault(enum dsp_fault fault)
{
	return values[fault];
}

bool dsp_fault_take(enum dsp_fault fault)
{
	uint32_t value = values[fault];

	while (value > 0)
		if (atomic_compare_exchange_weak(&values[fault], &value, value - 1))
			return true;
	return false;
}

/* Calls of modules. */

static void hang(const struct dsp_domain *domain)
{
	unsigned int before;

	pthread_mutex_lock(&dsp.lock);
	before = releases;
	while (!domain->ending && releases == before)
		dsp_thread_wait(NULL);
	pthread_mutex_unlock(&dsp.lock);
}

static void be_slow(const struct dsp_domain *domain, uint32_t us)
{
	struct timespec deadline = dsp_deadline(us);

	pthread_mutex_lock(&dsp.lock);
	while (!domain->ending && dsp_thread_wait(&deadline))
		;
	pthread_mutex_unlock(&dsp.lock);
}

int32_t dsp_fault_module(struct dsp_call *call)
{
	uint32_t slow = dsp_fault(DSP_FAULT_SLOW), error = dsp_fault(DSP_FAULT_ERROR);

	if (dsp_fault_take(DSP_FAULT_HANG))
		hang(call->domain);
	if (slow > 0)
		be_slow(call->domain, slow);
	if (call->domain->ending)
		return DSP_NO_DOMAIN;
	return error ? (int32_t)error : dsp_module_invoke(call);
}

/* Writing late. The loop does it, since it may look first; a fault is a fault all the same. */

struct late_write {
	struct list node;
	uint32_t stream;
	uint64_t address, size;
	unsigned int ticks;
};

static struct list late_writes = LIST_INIT(late_writes);

static void plan_late_write(const struct dsp_job *job)
{
	unsigned int n_in = REMOTE_SCALARS_INBUFS(job->call.scalars);
	const remote_buf *output = &job->call.args[n_in].buf;
	struct late_write *late;

	if (REMOTE_SCALARS_OUTBUFS(job->call.scalars) == 0 || output->nLen == 0 ||
		!dsp_fault_take(DSP_FAULT_LATE_WRITE))
		return;
	late = malloc(sizeof(*late));
	if (!late || !iommu_window_at(job->window, output->pv, &late->address)) {
		free(late);
		return;
	}
	late->stream = (uint32_t)(job->message.address >> 32);
	late->size = MIN(output->nLen, LATE_BYTES);
	late->ticks = 0;
	list_append(&late_writes, &late->node);
	dsp_tick();
}

/* False: no more. */
static bool write_late(struct late_write *late)
{
	void *at = iommu_at(dsp.iommu, late->stream, late->address, late->size, true);

	if (at)
		memset(at, 0xdb, late->size);
	return at && ++late->ticks < LATE_TICKS;
}

bool dsp_fault_tick(void)
{
	struct late_write *late, *following;

	list_for_each_safe (late, following, &late_writes, node) {
		if (write_late(late))
			continue;
		list_remove(&late->node);
		free(late);
	}
	return !list_empty(&late_writes);
}

/* Answers. */

static bool is_module(const struct dsp_job *job)
{
	return job->call.handle >= FASTRPC_HANDLES_STATIC;
}

void dsp_fault_before_answer(struct dsp_job *job)
{
	uint32_t size = dsp_fault(DSP_FAULT_LONG_OUTPUT);

	if (size > 0 && is_module(job))
		dsp_payload_claim(job, size);
}

void dsp_fault_after_answer(const struct dsp_job *job)
{
	if (is_module(job))
		plan_late_write(job);
}

/* Commands. */

int dsp_fault_set(const char *name, uint32_t value)
{
	struct dsp_domain_state *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		pthread_mutex_lock(&dsp.lock);
		values[i] = value;
		if (i == DSP_FAULT_RELEASE_HUNG)
			releases++;
		list_for_each (state, &dsp.domains, domain.node)
			dsp_threads_wake(state);
		pthread_mutex_unlock(&dsp.lock);
		return 0;
	}
	return -ENOENT;
}

/* What is known of domains apart from their number. */
static uint64_t count_domains(bool are_users, bool are_unsigned)
{
	struct dsp_domain_state *state;
	uint64_t n = 0;

	list_for_each (state, &dsp.domains, domain.node)
		n += state->domain.user >= are_users && state->domain.is_unsigned >= are_unsigned;
	return n;
}

int dsp_fault_count(const char *name, uint64_t *value)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{"domains", dsp.counts.domains}, {"domains-created", dsp.counts.domains_created},
		{"domains-of-users", count_domains(true, false)},
		{"domains-unsigned", count_domains(true, true)}, {"threads", dsp.counts.threads},
		{"calls", dsp.counts.calls},     /* of users, so far */
		{"pending", dsp.counts.pending}, /* not answered yet */
		{"maps", dsp.counts.maps}, {"heap", dsp.counts.heap}, {"faults", dsp.iommu->faults},
		{"host-calls", dsp.counts.host_calls},
		{"host-errors", dsp.counts.host_errors}, /* how many of them the host refused */
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		if (strcmp(counts[i].name, name) == 0) {
			*value = counts[i].value;
			return 0;
		}
	}
	return -ENOENT;
}
