// SPDX-License-Identifier: MIT
/*
 * The modules of a domain: libraries that it has loaded, and handles that it has given out. A
 * domain has its own copy of every library, as a process has.
 */
#ifndef DSP_REMOTE_DSP_MODULE_H
#define DSP_REMOTE_DSP_MODULE_H

#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/remote/dsp.h"
#include "tests/kernel/remote/dsp_host.h"

#define DSP_TEXT_SIZE  384 /* of what went wrong */
#define DSP_SYMBOL_MAX 128 /* bytes of a file's or an entry's name, with the NUL */

typedef int dsp_module_fn(remote_handle64 handle, uint32_t scalars, remote_arg *args);

struct dsp_modules {
	struct dsp_host_handles host;
	pthread_mutex_t lock;  /* of all below; not held while a module or the host is called */
	pthread_cond_t loaded; /* a library is no longer loading */
	struct list libraries, handles;
};

/* Those of a domain, which are made when they are first asked for; NULL: no memory. */
struct dsp_modules *dsp_modules_of(struct dsp_domain *domain);

/* "file:///FILE?ENTRY&...": neither part has a slash. */
struct dsp_uri {
	char file[DSP_SYMBOL_MAX], entry[DSP_SYMBOL_MAX];
};
bool dsp_uri_parse(struct dsp_uri *uri, const char *text);

/* A library of the DSP's image. */
struct dsp_builtin {
	const char *file, *entry;
	dsp_module_fn *invoke;
};
extern const struct dsp_builtin dsp_bench; /* dsp_bench.c */
extern const struct dsp_builtin dsp_probe; /* dsp_probe.c */

/* A loaded library. */
struct dsp_library {
	struct list node;
	char file[DSP_SYMBOL_MAX];
	unsigned int users; /* handles to it, and threads that open one; under the modules' lock */
	bool loading;       /* by one of its users; the others wait */
	int32_t error;      /* of loading it, with a sentence */
	char text[DSP_TEXT_SIZE];
	const struct dsp_builtin *builtin; /* NULL: it was read from the host */
	int fd;                            /* of its bytes; -1: none */
	void *library;
};

/* Find the library, loaded, or load it; it has one more user then. Returns 0, or an AEE number and
 * a sentence in @text. */
int32_t dsp_library_get(struct dsp_domain *domain, struct dsp_modules *modules, const char *file,
	struct dsp_library **out, char text[DSP_TEXT_SIZE]);
/* One user less; the last one unloads it. */
void dsp_library_put(struct dsp_modules *modules, struct dsp_library *library);
/* Unload it, whoever uses it: when its domain ends. */
void dsp_library_free(struct dsp_library *library);
/* NULL when it has no such entry. */
dsp_module_fn *dsp_library_entry(const struct dsp_library *library, const char *entry);

#endif
