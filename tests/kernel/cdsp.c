// SPDX-License-Identifier: MIT
#include "tests/kernel/cdsp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ADDRESS "3900"

void cdsp_run(const char *command)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		harness_fail(__FILE__, __LINE__, "it failed: %s", command);
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
	cdsp_run(command);
}

void cdsp_up(void)
{
	remote("serve " ADDRESS " fastrpc");
	remote("announce " ADDRESS " " FASTRPC_CHANNEL);
	require_soon(cdsp_driver.are_there());
}

/* Has nothing been called since? */
static bool is_quiet(uint64_t *calls)
{
	uint64_t before = *calls;

	*calls = cdsp_count("calls");
	return *calls == before;
}

/* The next line of the kernel's log. Some may have been lost. */
static void read_log(int log, char *line, size_t size)
{
	struct pollfd pollfd = {.fd = log, .events = POLLIN};
	ssize_t n;

	do {
		require_eq(poll(&pollfd, 1, HARNESS_PATIENCE_S * 1000), 1);
		n = read(log, line, size - 1);
		require(n >= 0 || errno == EPIPE || errno == EAGAIN);
	} while (n < 0);
	line[n] = '\0';
}

/* The kernel does in turn what it put off: when it has done this, it has done all that came before.
 */
static void let_kernel_finish(void)
{
	_cleanup_(fd_closep) int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char line[1024];

	require(log >= 0);
	require_eq(lseek(log, 0, SEEK_END), 0);
	require(write_file("/proc/sysrq-trigger", "s"));
	do
		read_log(log, line, sizeof(line));
	while (!strstr(line, "Emergency Sync complete"));
}

/*
 * What a DSP does that is about to crash. The kernel puts off to put away what a call used that was
 * answered, and crashes itself when the DSP's devices have gone before it does.
 */
void cdsp_freeze(void)
{
	uint64_t calls = UINT64_MAX;

	cdsp_fault("silent", 1);
	require_soon(is_quiet(&calls));
	let_kernel_finish();
}

void cdsp_down(void)
{
	cdsp_freeze();
	remote("withdraw " ADDRESS);
	require_soon(cdsp_driver.are_gone());
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
