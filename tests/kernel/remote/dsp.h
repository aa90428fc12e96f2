// SPDX-License-Identifier: MIT
/*
 * The DSP behind FastRPC's kernel driver: protection domains, calls, and the reverse tunnel to the
 * host. Calls run in threads of the DSP, one for each of the host's threads in a domain, as on a
 * real one; the program's one event loop brings them and sends their answers, and serves the IOMMU,
 * which they wait for.
 *
 *   dsp.c          messages of the kernel, domains, answers
 *   dsp_thread.c   the threads that calls run in, and what gets them out of a module
 *   dsp_payload.c  a call's arguments, found through the IOMMU, and back
 *   dsp_kernel.c   handle 1: what the kernel itself asks (attach, create, release, map, unmap)
 *   dsp_listener.c handle 3, and calling the host by it
 *   dsp_fault.c    misbehaving on request
 *   dsp_module.c   handle 0, remotectl, and the handles that it gives out
 *   dsp_library.c  loading modules through the host's files
 *   dsp_bench.c    a module of its own image, to measure by
 *   dsp_probe.c    another, with which tests see what the host does for a domain (probe.h)
 *   dsp_host.c     stubs of what the host offers: apps_std, apps_mem, adspmsgd_apps
 *   dsp_process.c  handles 2 and 4: attributes, and what a domain can say of itself
 */
#ifndef DSP_REMOTE_DSP_H
#define DSP_REMOTE_DSP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/softdsp/remote.h"
#include "protocol/util.h"
#include "tests/kernel/remote/iommu.h"
#include "tests/kernel/remote/rpmsg.h"

#define DSP_ARGUMENTS_MAX 128

struct dsp_domain;
struct dsp_modules;

/* A call that runs in a thread. Its arguments are the guest's memory, of which the guest may change
 * any byte; inputs stand before outputs, as in a module. */
struct dsp_call {
	struct dsp_domain *domain;
	uint32_t handle, scalars;
	remote_arg args[DSP_ARGUMENTS_MAX];
};

/*
 * A call may end in the middle of what runs it, without a word: when memory of the guest that it
 * touches is unmapped, or when it is in code that was loaded and its domain ends. So nobody touches
 * an argument's bytes, or calls a module, with a lock held; what the heap holds then is lost.
 */

/* A handle that is there without being opened. Returns what the host gets: an AEE number. */
typedef int32_t dsp_invoke_fn(struct dsp_call *call);

int32_t dsp_remotectl(struct dsp_call *call); /* dsp_module.c */
int32_t dsp_utilities(struct dsp_call *call); /* dsp_process.c */
int32_t dsp_listener(struct dsp_call *call);  /* dsp_listener.c */
int32_t dsp_process(struct dsp_call *call);   /* dsp_process.c */
/* A handle that remotectl gave out (16 and above), or 0xc0de.... */
int32_t dsp_module_invoke(struct dsp_call *call); /* dsp_module.c */

/* A process on the DSP, known by the host's number for it (pgid). */
struct dsp_domain {
	struct list node;
	uint32_t id; /* of the host */
	bool user;   /* it was created, not attached */
	bool is_unsigned;
	bool ending; /* exit was called, or it was released: every call in it ends with an error */
	struct dsp_modules *modules;         /* dsp_module.c; NULL until the first is opened */
	struct dsp_listener_state *listener; /* dsp_listener.c; NULL: the host has not said init */
	/* What dsp.c keeps besides. */
	struct dsp_domain_state *state;
};

/* End it: it takes no call any more, and those under way end with an error; not at once, the rest
 * is the loop's. Any thread may say so. */
void dsp_domain_end(struct dsp_domain *domain);

/* When a domain ends, in none of its threads, when no call runs in it any more. */
void dsp_modules_free(struct dsp_modules *modules);
void dsp_listener_free(struct dsp_listener_state *listener);

/*
 * Call the host and wait for its answer: @args as in a module, inputs before outputs. May be called
 * in any thread of the DSP; one at a time is under way in a domain, the others wait. Returns what
 * the host said; AEE_EUNSUPPORTED when it does not listen, AEE_EBADSTATE when the domain ends
 * meanwhile.
 */
int32_t dsp_call_host(struct dsp_domain *domain, uint32_t handle, uint32_t scalars,
	remote_arg *args);

/* Open an interface of the host (apps_remotectl), once a domain; *@handle. */
int32_t dsp_host_open(struct dsp_domain *domain, const char *name, uint32_t *handle);

/* Read a whole file of the host, by apps_std: fopen_with_env, as a DSP's loader does, then flen and
 * fread in pieces. *@data is to be freed. An AEE number. (dsp_host.c) */
int32_t dsp_host_read_file(struct dsp_domain *domain, const char *name, void **data, size_t *size);
/* A line for the host's log, at a level as in HAP_debug (0 low ... 4 fatal). (dsp_host.c) */
int32_t dsp_host_log(struct dsp_domain *domain, int level, const char *text);
/* Let the domain's heap grow. (dsp_host.c) */
int32_t dsp_host_grow(struct dsp_domain *domain, uint64_t size, uint64_t *address);

/* The domain whose thread calls, NULL in others; for modules, which are not told. */
struct dsp_domain *dsp_current(void);

/* Once, before anything is served. */
int dsp_init(struct loop *loop, struct iommu *iommu);
extern const struct service dsp_service;

/* Commands of control.c for it: "fastrpc-fault NAME VALUE" and "fastrpc-count NAME". See
 * dsp_fault.c. Return 0 or -errno. */
int dsp_fault_set(const char *name, uint32_t value);
int dsp_fault_count(const char *name, uint64_t *value);

#endif
