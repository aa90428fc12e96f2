// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/transport.h"

#include <fcntl.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/session.h"
#include "daemon/transport/fastrpc/domain.h"
#include "daemon/transport/fastrpc/import.h"
#include "daemon/transport/fastrpc/modules.h"

void fastrpc_finish(struct device *device)
{
	fastrpc_device_finish(fastrpc_device_of(device));
}

void fastrpc_remove(struct device *device)
{
	fastrpc_find_no_more(device->broker);
	fastrpc_device_free(fastrpc_device_of(device));
}

void fastrpc_state_changed(struct device *device)
{
	fastrpc_device_state_changed(fastrpc_device_of(device));
}

int fastrpc_open(struct session *session)
{
	struct fastrpc_device *device = fastrpc_device_of(session->device);
	struct fastrpc_domain *domain = fastrpc_domain_to_share(device, session);
	int r;

	if (!fastrpc_is_module(session->service))
		return -EINVAL;
	if (debts_too_many(&device->debts, session->client->identity.uid))
		return -EUSERS;
	r = buffer_map(session->client->arguments);
	if (r < 0)
		return r;
	if (domain) {
		fastrpc_domain_attach(domain, session);
		return 0;
	}
	r = fastrpc_domain_new(&domain, device, session);
	if (r < 0)
		return r;
	fastrpc_domain_attach(domain, session);
	fastrpc_device_queue(device, domain);
	return 0;
}

void fastrpc_close(struct session *session)
{
	fastrpc_domain_detach(fastrpc_domain_of(session->lane), session);
}

int fastrpc_import_buffer(struct session *session, struct buffer *buffer, struct import **out)
{
	struct fastrpc_import *import;
	int r = fastrpc_import(fastrpc_domain_of(session->lane), buffer, &import);

	if (r >= 0)
		*out = &import->import;
	return r;
}

void fastrpc_release_import(struct import *import)
{
	fastrpc_release(container_of(import, struct fastrpc_import, import));
}

/* The kernel gives it to who has a kernel session. */
int fastrpc_memory_node(struct session *session)
{
	const struct fastrpc_domain *domain = fastrpc_domain_of(session->lane);
	int fd;

	if (!domain->policy->device_memory)
		return -EPERM;
	if (domain->state != DOMAIN_READY)
		return -EAGAIN;
	fd = fcntl(domain->node.fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}
