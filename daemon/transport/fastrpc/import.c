// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/import.h"

#include <string.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/memory.h"
#include "daemon/session.h"
#include "daemon/transport/fastrpc/domain.h"
#include "daemon/transport/fastrpc/retry.h"

/* Buffers in one domain, of all and of one client; each costs the DSP a mapping, and a memfd the
 * broker one more descriptor.
 */
#define IMPORTS_MAX        1024
#define IMPORTS_CLIENT_MAX 512

static struct fastrpc_import *import_of(struct job *job)
{
	return container_of(job, struct fastrpc_import, job);
}

/* In a thread. */

/* A memfd need not be lent whole, but its pages are. */
static int make_dmabuf(struct fastrpc_import *import)
{
	const struct buffer *buffer = import->import.buffer;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int r;

	if (buffer->dmabuf >= 0) {
		import->fd = buffer->dmabuf;
		return 0;
	}
	r = memory_from_memfd(buffer->client->broker->memory, buffer->fd,
		(buffer->size + page - 1) / page * page, &import->fd);
	import->fd_is_ours = r >= 0;
	return r;
}

/* The kernel may have no room for a call of its own, where many buffers come or go at once. */
static bool once_more(const struct fastrpc_import *import, struct retry *retry, int error)
{
	return !atomic_load(&import->domain->stop) && retry_after(retry, error);
}

/*
 * A DSP that cannot keep a mapping gets one for each call, from the kernel. So does one that does
 * not see what is in our caches, if its client has no way to write them back (which is an ioctl on
 * a dma-buf).
 */
static void map(struct job *job)
{
	struct fastrpc_import *import = import_of(job);
	struct node *node = &import->domain->node;
	bool keep;
	struct retry retry = {};

	import->error = make_dmabuf(import);
	if (import->error < 0)
		return;
	keep = !import->fd_is_ours || import->coherent;
	do
		import->error = node->driver->map(node, import->fd, import->import.buffer->size,
			keep, &import->buffer);
	while (once_more(import, &retry, import->error));
	import->mapped = import->error == 0;
}

static void unmap(struct job *job)
{
	struct fastrpc_import *import = import_of(job);
	struct node *node = &import->domain->node;
	struct retry retry = {};

	do
		import->error = node->driver->unmap(node, &import->buffer);
	while (once_more(import, &retry, import->error));
	import->mapped = import->error != 0;
}

/* On the loop. */

static void import_free(struct fastrpc_import *import)
{
	list_remove(&import->link);
	import->domain->n_imports--;
	if (import->charged)
		quota_release(&import->import.buffer->client->quota, QUOTA_FDS, 1);
	if (import->mapped)
		import->domain->driver->forget(&import->buffer);
	if (import->fd_is_ours)
		fd_close(import->fd);
	import_deinit(&import->import);
	free(import);
}

static void unmapped(struct job *job)
{
	struct fastrpc_import *import = import_of(job);
	struct fastrpc_domain *domain = import->domain;

	/* What the DSP does not let go of it may write to, until its domain is gone. */
	if (import->error == 0)
		import_free(import);
	else
		import->pinned = true;
	fastrpc_domain_job_done(domain);
}

static void mapped(struct job *job)
{
	struct fastrpc_import *import = import_of(job);
	struct fastrpc_domain *domain = import->domain;

	import->state = import->error < 0 ? IMPORT_FAILED : IMPORT_READY;
	if (import->abandoned)
		fastrpc_release(import);
	fastrpc_domain_job_done(domain);
	scheduler_run(&domain->lane);
}

void fastrpc_release(struct fastrpc_import *import)
{
	/* Then it goes with the domain. */
	bool stays = import->domain->state != DOMAIN_READY || import->pinned;

	if (import->state == IMPORT_MAPPING) {
		import->abandoned = true;
	} else if (import->state == IMPORT_FAILED || (!stays && !import->mapped)) {
		import_free(import);
	} else if (!stays && import->state == IMPORT_READY) {
		import->state = IMPORT_UNMAPPING;
		import->job = (struct job){.run = unmap, .done = unmapped};
		fastrpc_domain_run(import->domain, &import->job);
	}
}

static struct fastrpc_import *find(const struct fastrpc_domain *domain, const struct buffer *buffer)
{
	struct import *import;

	list_for_each (import, &buffer->imports, buffer_link)
		if (import->lane == &domain->lane && !import->releasing)
			return container_of(import, struct fastrpc_import, import);
	return NULL;
}

static unsigned int count_of(const struct fastrpc_domain *domain, const struct client *client)
{
	const struct fastrpc_import *import;
	unsigned int n = 0;

	list_for_each (import, &domain->imports, link)
		n += import->import.buffer->client == client;
	return n;
}

static int begin(struct fastrpc_domain *domain, struct buffer *buffer)
{
	struct quota_refusal refusal;
	struct fastrpc_import *import;
	bool charge = buffer->dmabuf < 0;

	if (domain->n_imports == IMPORTS_MAX ||
		count_of(domain, buffer->client) >= IMPORTS_CLIENT_MAX)
		return -ENOSPC;
	import = calloc(1, sizeof(*import));
	if (!import)
		return -ENOMEM;
	if (charge && quota_charge(&buffer->client->quota, QUOTA_FDS, 1, &refusal) < 0) {
		free(import);
		return -EDQUOT;
	}
	import->charged = charge;
	import->domain = domain;
	import->coherent = domain->owner->found.coherent;
	import->fd = -1;
	import->job = (struct job){.run = map, .done = mapped};
	import_init(&import->import, buffer, &domain->owner->device, &domain->lane, 0);
	list_append(&domain->imports, &import->link);
	domain->n_imports++;
	fastrpc_domain_run(domain, &import->job);
	return -EAGAIN;
}

int fastrpc_import(struct fastrpc_domain *domain, struct buffer *buffer,
	struct fastrpc_import **out)
{
	struct fastrpc_import *import = find(domain, buffer);
	int r;

	if (!import)
		return begin(domain, buffer);
	if (import->state == IMPORT_MAPPING)
		return -EAGAIN;
	if (import->state == IMPORT_FAILED) {
		/* The next call may have more luck. */
		r = import->error;
		import_free(import);
		return r;
	}
	*out = import;
	return 0;
}

void fastrpc_release_imports_of(struct fastrpc_domain *domain, const struct session *session)
{
	struct fastrpc_import *import, *following;
	struct session *other;

	list_for_each (other, &domain->sessions, link)
		if (other->client == session->client)
			return;
	list_for_each_safe (import, following, &domain->imports, link) {
		if (import->import.releasing || import->import.buffer->client != session->client)
			continue;
		import->import.releasing = true;
		fastrpc_release(import);
	}
}

void fastrpc_imports_cancel(struct fastrpc_domain *domain)
{
	struct fastrpc_import *import;

	list_for_each (import, &domain->imports, link) {
		if ((import->state != IMPORT_MAPPING && import->state != IMPORT_UNMAPPING) ||
			!workers_cancel(domain->workers, &import->job))
			continue;
		import->state = IMPORT_READY; /* for nobody: the domain takes no call */
		fastrpc_domain_job_done(domain);
	}
}

void fastrpc_imports_deinit(struct fastrpc_domain *domain)
{
	struct fastrpc_import *import, *following;

	list_for_each_safe (import, following, &domain->imports, link)
		import_free(import);
}
