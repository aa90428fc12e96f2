// SPDX-License-Identifier: MIT
/*
 * Threads. A module's code is not ours: it may touch what the guest has unmapped, crash, or never
 * return. In each case the thread jumps out of it, and only it has to end.
 */
#include <link.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "tests/kernel/remote/dsp_state.h"

#define RELEASE     SIGUSR1 /* leave the module */
#define OBJECTS_MAX 32

/* What a jump says of why. */
enum {
	JUMP_FAULT = 1,
	JUMP_CRASH,
	JUMP_RELEASE,
};

static _Thread_local struct dsp_thread *self;

/* The code that was there before any module: it may hold a lock where it is interrupted. */
static struct {
	size_t n;
	struct {
		uintptr_t first, end;
	} objects[OBJECTS_MAX];
} own_code;

static bool is_own_code(uintptr_t at)
{
	for (size_t i = 0; i < own_code.n; i++)
		if (at >= own_code.objects[i].first && at < own_code.objects[i].end)
			return true;
	return false;
}

static int add_own_code(struct dl_phdr_info *info, size_t size, void *unused)
{
	uintptr_t first = UINTPTR_MAX, end = 0;

	(void)size;
	(void)unused;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + header->p_vaddr;

		if (header->p_type != PT_LOAD)
			continue;
		first = MIN(first, at);
		end = MAX(end, at + header->p_memsz);
	}
	if (own_code.n == OBJECTS_MAX)
		return -E2BIG;
	own_code.objects[own_code.n].first = first;
	own_code.objects[own_code.n++].end = end;
	return 0;
}

/* Signals. */

static uintptr_t code_address(const ucontext_t *context)
{
#ifdef __x86_64__
	return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#else
#error "the test kernel runs on x86 only"
#endif
}

static bool was_writing(const ucontext_t *context)
{
	return context->uc_mcontext.gregs[REG_ERR] & 2;
}

static void handle_release(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	if (self && self->escape && !self->loading && !is_own_code(code_address(context)))
		siglongjmp(*self->escape, JUMP_RELEASE);
}

static void handle_fault(int number, siginfo_t *info, void *context)
{
	struct dsp_job *job = self ? self->running : NULL;
	uint64_t address;

	if (!job || !self->escape) {
		signal(number, SIG_DFL); /* and it happens again */
		return;
	}
	if (number != SIGSEGV || !job->window ||
		!iommu_window_at(job->window, info->si_addr, &address))
		siglongjmp(*self->escape, JUMP_CRASH);
	job->fault.happened = true;
	job->fault.write = was_writing(context);
	job->fault.address = address;
	siglongjmp(*self->escape, JUMP_FAULT);
}

int dsp_threads_init(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
	/* Not blocked in its handler, which is left by a jump. */
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
	int r = dl_iterate_phdr(add_own_code, NULL);

	if (r < 0)
		return r;
	action.sa_sigaction = handle_fault;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (sigaction(faults[i], &action, NULL) < 0)
			return -errno;
	action.sa_sigaction = handle_release;
	return sigaction(RELEASE, &action, NULL) < 0 ? -errno : 0;
}

/* In a thread. */

struct dsp_domain *dsp_current(void)
{
	return self ? self->domain : NULL;
}

void dsp_thread_loads(bool loads)
{
	if (self)
		self->loading = loads;
}

bool dsp_copy(void *to, const void *from, size_t size)
{
	sigjmp_buf here, *before;

	if (!self) { /* the loop, which is what unmaps */
		memcpy(to, from, size);
		return true;
	}
	before = self->escape;
	if (sigsetjmp(here, 0) != 0) {
		self->escape = before;
		return false;
	}
	self->escape = &here;
	if (size > 0)
		memcpy(to, from, size);
	self->escape = before;
	return true;
}

bool dsp_thread_wait(const struct timespec *deadline)
{
	int r = deadline ? pthread_cond_timedwait(&self->wake, &dsp.lock, deadline)
			 : pthread_cond_wait(&self->wake, &dsp.lock);

	return r == 0;
}

static int32_t invoke(struct dsp_call *call)
{
	static const struct {
		uint32_t handle;
		dsp_invoke_fn *invoke;
	} handles[] = {
		{FASTRPC_REMOTECTL, dsp_remotectl},
		{FASTRPC_UTILITIES, dsp_utilities},
		{FASTRPC_LISTENER, dsp_listener},
		{FASTRPC_PROCESS, dsp_process},
	};

	for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
		if (handles[i].handle == call->handle)
			return handles[i].invoke(call);
	if (call->handle < FASTRPC_HANDLES_STATIC)
		return DSP_EINVHANDLE;
	return dsp_fault_module(call);
}

static void run(struct dsp_job *job)
{
	sigjmp_buf escape;

	switch (sigsetjmp(escape, 0)) {
	case 0:
		self->escape = &escape;
		job->result = invoke(&job->call);
		break;
	case JUMP_FAULT:
		job->result = DSP_ERROR(AEE_EFAILED);
		break;
	case JUMP_CRASH:
		job->crashed = true;
		job->result = DSP_NO_DOMAIN;
		break;
	default:
		job->result = DSP_NO_DOMAIN;
		break;
	}
	self->escape = NULL;
	self->loading = false;
}

static void *thread_main(void *argument)
{
	struct dsp_job *job;

	self = argument;
	pthread_mutex_lock(&dsp.lock);
	while (!self->domain->ending) {
		job = list_first(&self->queue, struct dsp_job, node);
		if (!job) {
			pthread_cond_wait(&self->wake, &dsp.lock);
			continue;
		}
		list_remove(&job->node);
		self->running = job;
		pthread_mutex_unlock(&dsp.lock);
		run(job);
		pthread_mutex_lock(&dsp.lock);
		self->running = NULL;
		list_append(&dsp.done, &job->node);
		dsp_notify();
	}
	list_append(&dsp.exited, &self->exited);
	pthread_mutex_unlock(&dsp.lock);
	dsp_notify();
	return NULL;
}

/* In the loop. */

struct timespec dsp_deadline(uint64_t us)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += (time_t)(us / 1000000);
	time.tv_nsec += (long)(us % 1000000 * 1000);
	if (time.tv_nsec >= 1000000000) {
		time.tv_nsec -= 1000000000;
		time.tv_sec++;
	}
	return time;
}

int dsp_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	int r = pthread_condattr_init(&attributes);

	if (r == 0) {
		pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
		r = pthread_cond_init(condition, &attributes);
		pthread_condattr_destroy(&attributes);
	}
	return -r;
}

static int start(struct dsp_thread **out, struct dsp_domain_state *state, int32_t id)
{
	_cleanup_(freep) struct dsp_thread *thread = malloc(sizeof(*thread));
	int r;

	if (!thread)
		return -ENOMEM;
	*thread = (struct dsp_thread){.domain = &state->domain, .id = id};
	list_init(&thread->queue);
	list_init(&thread->exited);
	r = dsp_condition_init(&thread->wake);
	if (r < 0)
		return r;
	r = -pthread_create(&thread->thread, NULL, thread_main, thread);
	if (r < 0) {
		pthread_cond_destroy(&thread->wake);
		return r;
	}
	list_append(&state->threads, &thread->node);
	state->n_threads++;
	dsp.counts.threads++;
	*out = TAKE_PTR(thread);
	return 0;
}

/* The one that serves that thread of the host. When there are too many, one that has nothing to do
 * changes sides. */
static int find(struct dsp_thread **out, struct dsp_domain_state *state, int32_t id)
{
	struct dsp_thread *thread, *idle = NULL;

	list_for_each (thread, &state->threads, node) {
		if (thread->id == id) {
			*out = thread;
			return 0;
		}
		if (!thread->running && list_empty(&thread->queue))
			idle = thread;
	}
	if (state->n_threads < DSP_THREADS_MAX)
		return start(out, state, id);
	if (!idle)
		return -EAGAIN;
	idle->id = id;
	*out = idle;
	return 0;
}

int dsp_thread_submit(struct dsp_domain_state *state, struct dsp_job *job)
{
	struct dsp_thread *thread;
	int r;

	pthread_mutex_lock(&dsp.lock);
	r = find(&thread, state, job->message.thread);
	if (r >= 0) {
		list_append(&thread->queue, &job->node);
		pthread_cond_signal(&thread->wake);
	}
	pthread_mutex_unlock(&dsp.lock);
	return r;
}

void dsp_threads_wake(struct dsp_domain_state *state)
{
	struct dsp_thread *thread;

	list_for_each (thread, &state->threads, node)
		pthread_cond_broadcast(&thread->wake);
	dsp_listener_wake(&state->domain);
}

static void call_back(struct dsp_domain_state *state)
{
	struct dsp_thread *thread;

	list_for_each (thread, &state->threads, node)
		if (thread->running)
			pthread_kill(thread->thread, RELEASE);
}

void dsp_threads_end(struct dsp_domain_state *state)
{
	struct dsp_thread *thread;
	struct dsp_job *job;

	list_for_each (thread, &state->threads, node) {
		list_for_each (job, &thread->queue, node)
			job->result = DSP_NO_DOMAIN;
		list_move(&dsp.done, &thread->queue);
	}
	dsp_threads_wake(state);
	call_back(state);
}

bool dsp_threads_tick(void)
{
	struct dsp_domain_state *state;
	bool any = false;

	pthread_mutex_lock(&dsp.lock);
	list_for_each (state, &dsp.domains, domain.node) {
		if (!state->ended)
			continue;
		any = true;
		call_back(state);
	}
	pthread_mutex_unlock(&dsp.lock);
	return any;
}

void dsp_thread_join(struct dsp_thread *thread)
{
	struct dsp_domain_state *state = thread->domain->state;

	pthread_join(thread->thread, NULL);
	pthread_cond_destroy(&thread->wake);
	list_remove(&thread->node);
	state->n_threads--;
	dsp.counts.threads--;
	free(thread);
}
