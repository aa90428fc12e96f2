// SPDX-License-Identifier: MIT
#include "tests/unit/remoteproc_rig.h"

#include <check.h>
#include <string.h>

struct machine machine;
struct machine_device device;

void rig_set_up(void)
{
	machine_start(&machine);
	device = (struct machine_device){};
}

void rig_tear_down(void)
{
	machine_stop(&machine);
}

struct remoteproc *rig_begin(const char *state, const struct policy_device *policy)
{
	machine_add_remoteproc(&machine, 0, "cdsp\n", DSP, state);
	ck_assert_int_eq(remoteprocs_init(&machine.broker), 0);
	machine_bind(&machine, &device, "dsp0", policy, "cdsp");
	return device.device.remoteproc;
}

void rig_set_state(const char *state)
{
	machine_write(&machine, machine_attribute(0, "state").text, state);
	remoteproc_refresh(device.device.remoteproc);
}

bool rig_was_told(const char *command)
{
	return strncmp(machine_read(&machine, "dev/remoteproc0"), command, strlen(command)) == 0;
}

void rig_await_command(const struct remoteproc *remoteproc, const char *command)
{
	machine_await(&machine, rig_was_told(command) && !remoteproc->life.busy);
}
