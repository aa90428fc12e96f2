// SPDX-License-Identifier: MIT
/*
 * What tests in the guest share, beside tests/integration/harness.h, on which they stand: the
 * remote processor's command line and rpmsg devices. As there, what fails ends the test.
 *
 * The remote processor keeps its endpoints from one test to the next of a program: let each test
 * have addresses of its own.
 */
#ifndef DSP_TESTBED_H
#define DSP_TESTBED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/util.h"
#include "tests/integration/harness.h"

#define RPMSG_MTU  496
#define RPMSG_CTRL "/dev/rpmsg_ctrl0"
#define REMOTEPROC "/sys/class/remoteproc/remoteproc0"

/* The name of FastRPC's channel, by which its driver is bound. */
#define FASTRPC_CHANNEL "fastrpcglink-apps-dsp"

/* Have the remote processor do that (remote --help tells what there is) and return its answer,
 * which the next call overwrites. */
const char *remote(const char *format, ...) _printf_(1, 2);
/* The same for what it must not do; what it answers must contain @reason. */
void remote_refuses(const char *command, const char *reason);

/* A file of a line, as sysfs has them. What was read is overwritten by the next call; "" when it
 * cannot be read. What was written is so when true is returned, else errno tells. */
const char *read_file(const char *path);
bool write_file(const char *path, const char *text);

/* Is there a channel of that name to that address? */
bool has_channel(const char *name, uint32_t address);

/* Make an endpoint device to that address of the remote processor, with a name that must be its
 * own, and say where it is. */
struct rpmsg_node {
	char path[32];
};
struct rpmsg_node rpmsg_node(const char *name, uint32_t address);
/* The same, opened with these flags. */
int rpmsg_open(const char *name, uint32_t address, int flags);
/* The next message; it must come, and is at most RPMSG_MTU long. Its length is returned. */
size_t rpmsg_receive(int fd, void *buffer);
/* Send a message of that size to an echo; it must come back as it was. */
void rpmsg_echo(int fd, size_t size);

/* How many endpoint devices there are. One that belonged to a broker that was killed stays. */
size_t count_nodes(void);

/* Have the remote processor crash, and wait until the kernel has it back. To crash it while the
 * kernel is at that would leave it down. */
void crash_and_recover(void);

/* Did the guest's kernel log that? */
bool kernel_said(const char *text);

/*
 * harness_main() for programs whose broker, which is no root, gets the guest's hardware: the nodes
 * of rpmsg, remoteproc, FastRPC and what memory is made by belong to BROKER_UID as soon as they
 * appear, which is what udev does for a broker on a system. Moreover every user may command the
 * remote processor.
 */
int testbed_main(Suite *suite);

#endif
