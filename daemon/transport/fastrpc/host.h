// SPDX-License-Identifier: MIT
/*
 * What a protection domain on a DSP may ask of its host, by the reverse tunnel: files, memory, log
 * lines. It is answered in a thread of the domain's own, by what policy says of the domain, and
 * shares nothing with the loop. Every byte of a request is the DSP's.
 */
#ifndef DSP_FASTRPC_HOST_H
#define DSP_FASTRPC_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/log.h"
#include "daemon/transport/fastrpc/abi.h"
#include "policy/policy.h"

/* Buffers of one call, and bytes of all its inputs, or of all its outputs, packed. A DSP that wants
 * more gets an error. */
#define HOST_BUFFERS_MAX 16
#define HOST_BYTES_MAX   (256 * 1024)

/* One request. Inputs point into a private copy; each is as long as the DSP said, which says
 * nothing about what must be there. Outputs have room of the size that the DSP wants, zeroed. */
struct host_call {
	uint32_t method; /* also one above 30 */
	unsigned int n_in, n_out;
	struct {
		const uint8_t *data;
		uint32_t size;
	} in[HOST_BUFFERS_MAX];
	struct {
		uint8_t *data;
		uint32_t size;
	} out[HOST_BUFFERS_MAX];
};

struct host;

/* One method of an interface. Its scalars, and the sizes of the packed arguments, are checked by
 * the table before it is called: in[0] has at least @in_size bytes and out[0] @out_size. */
struct host_method {
	uint32_t number;
	uint32_t scalars; /* the method's five bits apart: counts of inputs and outputs */
	uint32_t in_size, out_size;
	bool more_outputs; /* than the scalars say may be asked for */
	/* Returns what the DSP is told: AEE_SUCCESS, or an error. */
	uint32_t (*serve)(struct host *host, struct host_call *call);
};

/* Named as the DSP opens it. Its state is in struct host. */
struct host_interface {
	const char *name;
	const struct host_method *methods;
	size_t n_methods;
};

extern const struct host_interface host_std; /* apps_std: files, environment */
extern const struct host_interface host_mem; /* apps_mem: its heap */
extern const struct host_interface host_log; /* adspmsgd_apps: lines for the log */

/* What the host is to know; all of it outlives the host. */
struct host_options {
	struct node *node;      /* the domain's kernel session, for its heap */
	const char *device;     /* "cdsp" */
	uint32_t domain;        /* its number, for logs */
	const char *owner;      /* who caused it, for logs: "uid 1000, cdsp/denoise" */
	struct log_shared *log; /* how much may still be logged for its user */
	const struct policy_domain *policy;
	const struct policy_dir *modules; /* where libraries are, in the order of searching */
	size_t n_modules;
	const char *own_name; /* a library that its client brought, by its file name; NULL: none */
	int own_module;       /* the sealed memfd that it is in */
};

struct files;

struct host {
	const struct host_options *options;
	struct files *files; /* those that are open */
	uint64_t memory;     /* bytes that its heap has grown by */
	struct list growths; /* by which pieces; host_mem.c */
};

/* Returns 0, -ENOMEM, or another -errno when its own module cannot be taken. */
int host_init(struct host *host, const struct host_options *options);
/* Closes all files. The heap's memory goes with the domain. */
void host_deinit(struct host *host);
/* A part of it: forget by what the heap has grown. */
void host_mem_deinit(struct host *host);

/* Look @name up, as a DSP opens it; NULL: there is none. */
const struct host_interface *host_find(const char *name, size_t size);
/* Serve a call of an interface. Returns what the DSP is told. */
uint32_t host_serve(struct host *host, const struct host_interface *interface, uint32_t scalars,
	struct host_call *call);

/* May a line be logged that this domain causes? Says before it how many were suppressed. */
bool host_may_log(const struct host_options *options);

/* Words of a packed argument, in the order of their declaration. @i counts words of 32 bits. Of a
 * method above 30, word 0 is its number, and its arguments begin at word 1; @in_size counts it,
 * too. A word that is not there is 0, and is not written. */
uint32_t host_word(const struct host_call *call, unsigned int i);
void host_put_word(struct host_call *call, unsigned int i, uint32_t value);
/* Input @i as a string: without its NUL, if it has one; NULL: it has one within. It is not
 * NUL-terminated: *@size is its length. */
const char *host_string(const struct host_call *call, unsigned int i, size_t *size);

/* Log a line of the domain's, of any @size bytes, with who it is; rate-limited. */
void host_log_line(struct host *host, const char *text, size_t size);

#endif
