// SPDX-License-Identifier: MIT
/* One remote processor on a machine of files (machine.h), and a device on it. */
#ifndef DSP_TESTS_REMOTEPROC_RIG_H
#define DSP_TESTS_REMOTEPROC_RIG_H

#include "daemon/transport/remoteproc_private.h"
#include "tests/unit/machine.h"

#define DSP "platform/dsp" /* where it is */

extern struct machine machine;
extern struct machine_device device;

void rig_set_up(void);
void rig_tear_down(void);

/* It is in that state, and a device with that policy is bound to it. */
struct remoteproc *rig_begin(const char *state, const struct policy_device *policy);
/* It is in another state, and the broker has looked. */
void rig_set_state(const char *state);
/* What was written to the character device last, on top of the word that was there. */
bool rig_was_told(const char *command);
/* The word has arrived, and the broker knows. */
void rig_await_command(const struct remoteproc *remoteproc, const char *command);

#endif
