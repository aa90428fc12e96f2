// SPDX-License-Identifier: MIT
/* Starting a protection domain: what blocks of it, in a thread of the domain's. */
#include <errno.h>
#include <misc/fastrpc.h>
#include <stdio.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/transport/fastrpc/domain.h"
#include "daemon/transport/fastrpc/shell.h"
#include "daemon/transport/fastrpc/staging.h"
#include "daemon/transport/fastrpc/tunnel.h"

static struct node_result failed(int error)
{
	return (struct node_result){.error = error};
}

static int open_node(struct fastrpc_domain *domain)
{
	const struct broker *broker = domain->owner->device.broker;
	int r = domain->driver->open(&domain->node, &domain->place);

	if (r == -EOPNOTSUPP)
		snprintf(domain->text, sizeof(domain->text),
			"there is no memory for it: the broker can open neither dma_heap/system "
			"nor udmabuf in %.80s",
			broker->options->dev);
	else if (r < 0)
		snprintf(domain->text, sizeof(domain->text), "cannot open %.80s/%s: %s",
			broker->options->dev, domain->node_name, strerror(-r));
	return r;
}

/* The driver's own memory is the last choice: freed while the DSP goes, it can take the kernel
 * along (see tests/kernel/README.md). */
static int new_staging(struct fastrpc_domain *domain, size_t size, struct staging *out)
{
	int r = staging_new(out, domain->place.memory, size), dmabuf;

	if (r != -EOPNOTSUPP || !domain->driver->alloc)
		return r;
	r = domain->driver->alloc(domain->node.fd, size, &dmabuf);
	return r < 0 ? r : staging_of(out, dmabuf, size);
}

/* Copied into memory that the DSP reaches. */
static struct node_result create_from(struct fastrpc_domain *domain, const struct shell *shell)
{
	uint32_t attributes = domain->policy->is_signed ? 0 : FASTRPC_MODE_UNSIGNED_MODULE;
	struct node_result result;
	struct staging staging;
	int r = new_staging(domain, shell->size, &staging);

	if (r < 0)
		return failed(r);
	staging_begin(&staging);
	memcpy(staging.data, shell->data, shell->size);
	staging_end(&staging);
	result = domain->driver->create(&domain->node, staging.dmabuf, (uint32_t)shell->size,
		attributes);
	staging_free(&staging);
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

static struct node_result cannot(struct fastrpc_domain *domain)
{
	snprintf(domain->text, sizeof(domain->text), "%s has users' protection domains only",
		domain->driver->name);
	return failed(-EOPNOTSUPP);
}

static struct node_result attach(struct fastrpc_domain *domain, bool sensors)
{
	return domain->driver->attach ? domain->driver->attach(&domain->node, sensors)
				      : cannot(domain);
}

static struct node_result attach_root(struct fastrpc_domain *domain)
{
	return attach(domain, false);
}

static struct node_result attach_sensors(struct fastrpc_domain *domain)
{
	return attach(domain, true);
}

static struct node_result create_audio(struct fastrpc_domain *domain)
{
	return domain->driver->create_static
		       ? domain->driver->create_static(&domain->node, "audiopd")
		       : cannot(domain);
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
	domain->result = failed(tunnel_new(&domain->tunnel, &domain->host));
	if (domain->result.error == 0)
		domain->result = tunnel_begin(domain->tunnel);
	describe(domain, "the DSP does not begin to ask for files");
}
