// SPDX-License-Identifier: MIT
/*
 * Asking the DSP's module "probe" (remote/probe.h) what its host does for it, through the broker.
 * As in the harness, what fails ends the test; what the host says is returned.
 */
#ifndef DSP_PROBING_H
#define DSP_PROBING_H

#include "tests/kernel/remote/probe.h"
#include "tests/kernel/testbed.h"

#define PROBE "cdsp/probe"

/* Inputs. */
struct dspbroker_arg probe_text(const char *text);
struct dspbroker_arg probe_bytes(const void *data, uint32_t size);

/* @n_in is at most 6. Bytes that it brings go to @answer, which has PROBE_ANSWER of them, or is
 * NULL.
 */
#define PROBE_ANSWER 4096
struct probe_result probe(struct dspbroker_session *session, enum probe_method method, char *answer,
	unsigned int n_in, const struct dspbroker_arg *in);

/* The same for methods with these inputs. */
struct probe_result probe_of(struct dspbroker_session *session, enum probe_method method,
	const char *name);
struct probe_result probe_of_two(struct dspbroker_session *session, enum probe_method method,
	const char *name, const char *other);
struct probe_result probe_with_number(struct dspbroker_session *session, enum probe_method method,
	uint32_t number, const char *name);
struct probe_result probe_write(struct dspbroker_session *session, const char *name,
	const char *mode, const void *data, uint32_t size);

/* That file's content must be that. */
void probe_must_read(struct dspbroker_session *session, const char *name, const char *expected);
/* The host must answer with that error, and nothing else. */
void probe_must_not(struct dspbroker_session *session, enum probe_method method, const char *name,
	int error);

#endif
