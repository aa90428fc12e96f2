// SPDX-License-Identifier: MIT
#include "tests/kernel/cdsp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESS "3900"

static const char *const nodes[] = {"/dev/fastrpc-cdsp", "/dev/fastrpc-cdsp-secure"};

static bool are_there(void)
{
	return access(nodes[0], R_OK) == 0 && access(nodes[1], R_OK) == 0;
}

static bool are_gone(void)
{
	return access(nodes[0], F_OK) < 0 && access(nodes[1], F_OK) < 0;
}

void cdsp_files(void)
{
	const char *build = getenv("DSP_BUILD");
	char command[1024];

	snprintf(command, sizeof(command),
		"mkdir -p " CDSP_SHELLS " " CDSP_MODULES " && "
		"printf 'dspbroker testbed shell\\nof the tests\\n' | "
		"tee " CDSP_SHELLS "/fastrpc_shell_3 >" CDSP_SHELLS "/fastrpc_shell_unsigned_3 && "
		"cp %s/modules/*_skel.so " CDSP_MODULES,
		build ? build : "build");
	require_eq(system(command), 0);
}

void cdsp_up(void)
{
	remote("serve " ADDRESS " fastrpc");
	remote("announce " ADDRESS " " FASTRPC_CHANNEL);
	require_soon(are_there());
}

void cdsp_down(void)
{
	remote("withdraw " ADDRESS);
	require_soon(are_gone());
}

void cdsp_restart(void)
{
	cdsp_down();
	cdsp_up();
}

uint64_t cdsp_count(const char *name)
{
	return strtoull(remote("fastrpc-count %s", name), NULL, 10);
}

void cdsp_fault(const char *name, uint32_t value)
{
	remote("fastrpc-fault %s %u", name, value);
}
