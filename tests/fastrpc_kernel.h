// SPDX-License-Identifier: MIT
/*
 * The kernel's part in FastRPC, where a test or a fuzzer plays the DSP: ioctl() is replaced in the
 * program that includes this, once. Calls go to a function of the test's; a heap grows by addresses
 * that nothing lies at. Everything above is the broker's own code.
 */
#ifndef TESTS_FASTRPC_KERNEL_H
#define TESTS_FASTRPC_KERNEL_H

#include <errno.h>
#include <misc/fastrpc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/transport/fastrpc/misc/node.h"

#define KERNEL_NODE       4242 /* the descriptor of its node */
#define KERNEL_PIECES_MAX 2048

static struct node kernel_node = {.driver = &misc_driver, .fd = KERNEL_NODE};

static struct {
	/* Returns 0, a DSP's error above 0, or -errno. */
	int (*invoke)(const struct fastrpc_invoke *call);
	int grow_error, shrink_error; /* 0: none; the same */
	uint64_t next_address;        /* of the next piece; 0: as the kernel likes */
	struct {
		uint64_t address, size; /* size 0: none */
	} pieces[KERNEL_PIECES_MAX];
	uint64_t bytes; /* of all pieces */
	unsigned int n_pieces;
} kernel;

/* Its own handle is asked for after a call that said that the DSP is gone: so it is, or not. */
static bool kernel_lives;

static int kernel_invoke(const struct fastrpc_invoke *call)
{
	if (call->handle == 1)
		return kernel_lives ? -EPERM : -EPIPE;
	return kernel.invoke ? kernel.invoke(call) : -EPIPE;
}

static int kernel_grow(struct fastrpc_req_mmap *request)
{
	static uint64_t address = 0x10000000;
	unsigned int i = 0;

	if (kernel.grow_error)
		return kernel.grow_error;
	if (request->flags != 0x1000 || request->vaddrin)
		return -EINVAL;
	while (i < KERNEL_PIECES_MAX && kernel.pieces[i].size)
		i++;
	if (i == KERNEL_PIECES_MAX)
		return -ENOMEM;
	address += 0x100000;
	request->vaddrout = kernel.next_address ? kernel.next_address : address;
	kernel.pieces[i].address = request->vaddrout;
	kernel.pieces[i].size = request->size;
	kernel.bytes += request->size;
	kernel.n_pieces++;
	return 0;
}

static int kernel_shrink(const struct fastrpc_req_munmap *request)
{
	if (kernel.shrink_error)
		return kernel.shrink_error;
	for (unsigned int i = 0; i < KERNEL_PIECES_MAX; i++) {
		if (!kernel.pieces[i].size || kernel.pieces[i].size != request->size ||
			kernel.pieces[i].address != request->vaddrout)
			continue;
		kernel.pieces[i].size = 0;
		kernel.bytes -= request->size;
		kernel.n_pieces--;
		return 0;
	}
	return -EINVAL;
}

int ioctl(int fd, unsigned long request, ...)
{
	void *argument;
	va_list ap;
	int r;

	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (fd != KERNEL_NODE)
		return (int)syscall(SYS_ioctl, fd, request, argument);
	if (request == FASTRPC_IOCTL_INVOKE)
		r = kernel_invoke(argument);
	else if (request == FASTRPC_IOCTL_MMAP)
		r = kernel_grow(argument);
	else
		r = request == FASTRPC_IOCTL_MUNMAP ? kernel_shrink(argument) : -ENOTTY;
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

#endif
