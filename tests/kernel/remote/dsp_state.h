// SPDX-License-Identifier: MIT
/*
 * What the parts of the DSP know of each other, beside dsp.h.
 *
 * The loop owns domains, threads and calls, and alone speaks with the guest. A call is a job: the
 * loop finds its arguments and gives it to a thread, which runs it and gives it back with a result.
 */
#ifndef DSP_REMOTE_DSP_STATE_H
#define DSP_REMOTE_DSP_STATE_H

#include <setjmp.h>
#include <stdatomic.h>
#include <time.h>

#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/remote/dsp.h"
#include "tests/kernel/remote/dsp_errors.h"

#define DSP_DOMAINS_MAX 64
#define DSP_THREADS_MAX 128 /* of a domain */
#define DSP_MAPS_MAX    4096

/* What a call gets whose domain is not there, or not any more. */
#define DSP_NO_DOMAIN DSP_ERROR(13)

/* What the kernel sends for a call, and wants to have back. */
struct dsp_message {
	int32_t domain; /* 0: the kernel itself calls */
	int32_t thread;
	uint64_t context;
	uint32_t handle, scalars;
	uint64_t address, size;
};
struct dsp_response {
	uint64_t context;
	int32_t result;
	uint32_t padding;
};
/* Of the context, the part that says which kind of domain it is. */
#define DSP_KIND_MASK 15

/* A call on its way. */
struct dsp_job {
	struct dsp_call call;
	struct list node;            /* in a thread's queue, or among what is done */
	struct endpoint *endpoint;   /* where it came in */
	uint32_t source;             /* and from where */
	struct dsp_message message;  /* as it came */
	struct iommu_window *window; /* its arguments lie in there; held */
	int32_t result;
	bool crashed; /* and took its domain along */
	struct {
		bool happened, write;
		uint64_t address;
	} fault;
};

/* A thread of a domain; it serves one of the host's threads. */
struct dsp_thread {
	struct list node;
	struct dsp_domain *domain;
	int32_t id; /* of the host's */
	pthread_t thread;
	pthread_cond_t wake;
	struct list queue;       /* of jobs */
	struct dsp_job *running; /* NULL: none */
	sigjmp_buf *escape;      /* where a fault leads to; NULL: nowhere */
	volatile bool loading;   /* it holds locks of the loader, whatever code runs */
	struct list exited;      /* among those */
};

/* Memory that the kernel mapped for a domain, or that its heap grew by. */
struct dsp_map {
	struct list node;
	uint64_t address, size;
	bool heap;
};

struct dsp_domain_state {
	struct dsp_domain domain;
	struct endpoint *endpoint;
	unsigned int kind;
	bool ended; /* the loop has seen that it is ending */
	bool mute;  /* who called is gone and must not be answered */
	struct list threads;
	size_t n_threads;
	struct list maps;
	size_t n_maps;
	struct list releases; /* jobs that are answered when nothing of it is left */
};

struct dsp_counts {
	uint64_t domains, domains_created, threads, calls, pending, maps, heap;
	_Atomic uint64_t host_calls, host_errors;
};

/* Of the program. Lists belong to the loop but for what @lock guards. */
extern struct dsp {
	struct iommu *iommu;
	struct list domains;
	struct dsp_counts counts;
	/* Guards the queues of threads, listeners, whether a domain is ending, and these lists. It
	 * is held for moments. */
	pthread_mutex_t lock;
	struct list done;   /* jobs that ran */
	struct list exited; /* threads that have ended */
} dsp;

/* dsp.c */
struct dsp_domain_state *dsp_domain_find(const struct endpoint *endpoint, uint32_t id);
/* NULL: it is there already, or there is no room. */
struct dsp_domain_state *dsp_domain_new(const struct dsp_job *job, uint32_t id);
/* End it, if it is there, and answer @job, which is taken, when it is gone. */
void dsp_domain_release(struct dsp_domain_state *state, struct dsp_job *job);
void dsp_answer(const struct dsp_job *job, int32_t result);
void dsp_job_free(struct dsp_job *job);
/* Have the loop look at what is done. */
void dsp_notify(void);
/* Have dsp_fault_tick() and dsp_threads_tick() called as long as one of them wants it. */
void dsp_tick(void);

/* dsp_thread.c */
int dsp_threads_init(void);
/* Give @job to the thread that is responsible. Returns 0 or -errno. */
int dsp_thread_submit(struct dsp_domain_state *state, struct dsp_job *job);
/* With the lock: a condition that dsp_wake() wakes has the calling thread wait, until @deadline if
 * not NULL. False: it is over. */
bool dsp_thread_wait(const struct timespec *deadline);
/* In any thread: from now on a library is loaded, or unloaded; or no more. */
void dsp_thread_loads(bool loads);
/* The domain has ended: call back what runs there, and wake all. With the lock. */
void dsp_threads_end(struct dsp_domain_state *state);
/* Have all of it look again for what they wait for. With the lock. */
void dsp_threads_wake(struct dsp_domain_state *state);
void dsp_thread_join(struct dsp_thread *thread);
/* Call back again who was where it could not be interrupted. True: some are left. */
bool dsp_threads_tick(void);
/* Copy, in any thread, from or to memory of the guest, which may vanish: false. */
bool dsp_copy(void *to, const void *from, size_t size);
/* CLOCK_MONOTONIC, in @us microseconds. */
struct timespec dsp_deadline(uint64_t us);
int dsp_condition_init(pthread_cond_t *condition);

/* dsp_payload.c */
/* Find a call's arguments. Returns an AEE number. */
int32_t dsp_payload_open(struct dsp_job *job);
/* For a DSP that lies: write that inline outputs have @size bytes. */
void dsp_payload_claim(struct dsp_job *job, uint64_t size);
/* Input @i must have at least @size bytes, which are copied. */
bool dsp_input(const struct dsp_call *call, unsigned int i, void *data, size_t size);
/* Output @i, counted from 0, must have that room. */
bool dsp_output(const struct dsp_call *call, unsigned int i, const void *data, size_t size);

/* dsp_kernel.c: serve a call of the kernel; takes @job. */
void dsp_kernel(struct dsp_job *job);
void dsp_maps_free(struct dsp_domain_state *state);

/* dsp_listener.c: with the lock. */
void dsp_listener_wake(struct dsp_domain *domain);

/* dsp_fault.c */
enum dsp_fault {
	DSP_FAULT_HANG,
	DSP_FAULT_RELEASE_HUNG,
	DSP_FAULT_LATE_WRITE,
	DSP_FAULT_LONG_OUTPUT,
	DSP_FAULT_ERROR,
	DSP_FAULT_HOST_GARBAGE,
	DSP_FAULT_HOST_FLOOD,
	DSP_FAULT_NO_RELEASE,
	DSP_FAULT_REFUSE_CREATE,
	DSP_FAULT_REFUSE_MEM_MAP,
	DSP_FAULT_SLOW,
	DSP_FAULT_SILENT,
	DSP_FAULTS,
};
/* Its value; 0: off. */
uint32_t dsp_fault(enum dsp_fault fault);
/* One of as many times as its value says? */
bool dsp_fault_take(enum dsp_fault fault);
/* Call a module, well or badly. */
int32_t dsp_fault_module(struct dsp_call *call);
/* A job is about to be answered, and was. */
void dsp_fault_before_answer(struct dsp_job *job);
void dsp_fault_after_answer(const struct dsp_job *job);
/* True: to be called again. */
bool dsp_fault_tick(void);

#endif
