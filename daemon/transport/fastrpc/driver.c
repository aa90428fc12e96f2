// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>

#include "daemon/opener.h"
#include "protocol/util.h"

static const struct filter_rule rules[] = {
	{SCMP_SYS(ioctl), "DMA_BUF_IOCTL_SYNC: before we write to a dma-buf, and after",
		FILTER_INT_IS(1, DMA_BUF_IOCTL_SYNC)},
	{SCMP_SYS(getrusage), "did a call reach the DSP?"},
	{SCMP_SYS(statx), "is something mounted, or a link, below a folder that is the DSP's?"},
	{SCMP_SYS(pread64), "the same"},
	{SCMP_SYS(pwrite64), "the same"},
};
const struct filter_table fastrpc_calls = {rules, ARRAY_SIZE(rules)};

bool node_is_of_kernel(int error)
{
	static const int errors[] = {EINVAL, EFAULT, ENOMEM, ENOSPC, EAGAIN, EINTR, EIO, EPIPE,
		ENODEV, ENOTTY, EMSGSIZE, ETIMEDOUT, EBADF};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i] == -error)
			return true;
	return false;
}

int node_errno(struct node_result result)
{
	return result.error ? result.error : result.result ? -EREMOTEIO : 0;
}

int node_open_as(struct node *node, const struct fastrpc_driver *driver,
	const struct node_place *place)
{
	pid_t owner;
	/* Whatever lies there, it must not keep us waiting. */
	int fd = opener_open_as(place->opener, place->name, O_RDWR | O_NONBLOCK, &owner);

	*node = NODE_NONE;
	if (fd < 0)
		return fd;
	*node = (struct node){.driver = driver, .fd = fd, .owner = owner, .opener = place->opener};
	return 0;
}

void node_give_back(struct node *node)
{
	fd_close(node->fd);
	if (node->opener)
		opener_release(node->opener, node->owner);
	*node = NODE_NONE;
}
