// SPDX-License-Identifier: MIT
/* A domain at work: an entry of its ring goes in, the module is called, a completion comes out. */
#ifndef SOFTDSP_SERVICE_H
#define SOFTDSP_SERVICE_H

#include "daemon/softdsp/mapping.h"
#include "daemon/softdsp/module.h"
#include "protocol/ring.h"

struct service {
	struct module module;
	struct mapping_table mappings;
	struct {
		bool open;
		remote_handle64 handle;
	} sessions[SOFT_SESSIONS_MAX];
	_Alignas(max_align_t) char escape[SOFT_ESCAPE_MAX]; /* input 0 of the call that runs */
};

/* Do what @entry asks and say in @out what became of it. Negative when the broker broke the
 * contract or is gone, see mapping_receive(): then the domain has to end. */
int service_run(struct service *service, const struct dsp_entry *entry,
	const struct dsp_entry_fault *fault, struct dsp_completion *out);

#endif
