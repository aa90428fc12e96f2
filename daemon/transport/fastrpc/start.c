// SPDX-License-Identifier: MIT
/* Starting a protection domain: what blocks of it, in a thread of the domain's. */
#include <errno.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "daemon/broker.h"
#include "daemon/memory.h"
#include "daemon/transport/fastrpc/domain.h"
#include "daemon/transport/fastrpc/shell.h"
#include "daemon/transport/fastrpc/tunnel.h"

static struct node_result failed(int error)
{
	return (struct node_result){.error = error};
}

static int open_node(struct fastrpc_domain *domain)
{
	const struct broker *broker = domain->owner->device.broker;
	int r = node_open(&domain->node, broker->opener, domain->node_name);

	if (r < 0)
		snprintf(domain->text, sizeof(domain->text), "cannot open %.80s/%s: %s",
			broker->options->dev, domain->node_name, strerror(-r));
	return r;
}

/* The driver's own memory is the second choice: freed while the DSP goes, it can take the kernel
 * along (see tests/kernel/README.md). */
static int alloc_dmabuf(const struct fastrpc_domain *domain, uint64_t size, int *out)
{
	int r = memory_new_heap(domain->owner->device.broker->memory, size, out);

	return r == -ENODEV ? node_alloc(domain->node.fd, size, out) : r;
}

/* Copy the shell into memory that the DSP reaches. */
static int fill_dmabuf(int dmabuf, const struct shell *shell)
{
	struct dma_buf_sync sync = {.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE};
	void *map;

	map = mmap(NULL, shell->size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	if (map == MAP_FAILED)
		return -errno;
	ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync); /* not every exporter has that to do */
	memcpy(map, shell->data, shell->size);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE;
	ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
	munmap(map, shell->size);
	return 0;
}

static struct node_result create_from(struct fastrpc_domain *domain, const struct shell *shell)
{
	uint32_t attributes = domain->policy->is_signed ? 0 : FASTRPC_MODE_UNSIGNED_MODULE;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_(fd_closep) int dmabuf = -1;
	struct node_result result;
	void *window;
	int r;

	/* The kernel maps whole pages of it here. */
	r = alloc_dmabuf(domain, (shell->size + page - 1) / page * page, &dmabuf);
	if (r >= 0)
		r = fill_dmabuf(dmabuf, shell);
	if (r < 0)
		return failed(r);
	window = node_window(shell->size);
	if (!window)
		return failed(-ENOMEM);
	result = node_create(domain->node.fd, window, shell->size, dmabuf, attributes);
	node_window_free(window, shell->size);
	return result;
}

static struct node_result create(struct fastrpc_domain *domain)
{
	struct node_result result;
	struct shell shell;
	size_t n;
	const struct policy_dir *dirs = fastrpc_device_shells(domain->owner, &n);
	int r = shell_open(&shell, dirs, n, domain->owner->number, domain->policy->is_signed,
		domain->text, sizeof(domain->text));

	if (r < 0)
		return failed(r);
	result = create_from(domain, &shell);
	shell_close(&shell);
	return result;
}

static struct node_result attach_root(struct fastrpc_domain *domain)
{
	return node_attach(domain->node.fd, false);
}

static struct node_result attach_sensors(struct fastrpc_domain *domain)
{
	return node_attach(domain->node.fd, true);
}

static struct node_result create_audio(struct fastrpc_domain *domain)
{
	return node_create_static(domain->node.fd, "audiopd");
}

static struct node_result (*const becomes[])(struct fastrpc_domain *domain) = {
	[POLICY_DOMAIN_USER] = create,
	[POLICY_DOMAIN_ROOT] = attach_root,
	[POLICY_DOMAIN_AUDIO] = create_audio,
	[POLICY_DOMAIN_SENSORS] = attach_sensors,
};

static void describe(struct fastrpc_domain *domain, const char *step)
{
	const struct node_result *result = &domain->result;

	if (*domain->text || (!result->error && !result->result))
		return;
	if (result->error)
		snprintf(domain->text, sizeof(domain->text), "%s: %s", step,
			strerror(-result->error));
	else
		snprintf(domain->text, sizeof(domain->text), "%s: the DSP said %d (0x%x)", step,
			result->result, (uint32_t)result->result);
}

void fastrpc_start(struct fastrpc_domain *domain)
{
	*domain->text = '\0';
	domain->result = failed(open_node(domain));
	if (domain->result.error < 0)
		return;
	domain->result = becomes[domain->policy->kind](domain);
	describe(domain, "the DSP made no protection domain");
	if (domain->result.error || domain->result.result)
		return;
	domain->host.node = domain->node.fd;
	domain->result = failed(tunnel_new(&domain->tunnel, &domain->host));
	if (domain->result.error == 0)
		domain->result = tunnel_begin(domain->tunnel);
	describe(domain, "the DSP does not begin to ask for files");
}
