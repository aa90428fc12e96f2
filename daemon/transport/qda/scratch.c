// SPDX-License-Identifier: MIT
#include "daemon/transport/qda/scratch.h"

#include <errno.h>
#include <string.h>

/* One. */

static void scratch_free(struct scratch *scratch)
{
	object_forget(&scratch->object);
	staging_free(&scratch->staging);
	free(scratch);
}

static int scratch_new(struct scratch **out, const struct scratch_pool *pool, size_t size)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));
	int r;

	if (!scratch)
		return -ENOMEM;
	scratch->taken = true;
	r = staging_new(&scratch->staging, pool->memory, size);
	if (r == 0)
		r = object_import(pool->objects, scratch->staging.dmabuf, scratch->staging.size,
			&scratch->object);
	if (r < 0) {
		scratch_free(scratch);
		return r;
	}
	*out = scratch;
	return 0;
}

/* The pool. */

int scratch_pool_init(struct scratch_pool *pool, struct objects *objects,
	const struct memory *memory, bool coherent)
{
	struct scratch *first;
	int r;

	*pool = (struct scratch_pool){.objects = objects, .memory = memory, .coherent = coherent};
	pthread_mutex_init(&pool->lock, NULL);
	list_init(&pool->all);
	r = scratch_take(pool, SCRATCH_MIN, &first);
	if (r < 0)
		return r == -ENOMEM ? -EBUSY : r;
	scratch_give_back(pool, first);
	return 0;
}

void scratch_pool_deinit(struct scratch_pool *pool)
{
	struct scratch *scratch, *following;

	list_for_each_safe (scratch, following, &pool->all, link)
		scratch_free(scratch);
	pthread_mutex_destroy(&pool->lock);
}

/* Of those that are free, the smallest that will do; else any of them, which will not. */
static struct scratch *find_free(const struct scratch_pool *pool, size_t size)
{
	struct scratch *scratch, *best = NULL;

	list_for_each (scratch, &pool->all, link) {
		const size_t has = scratch->staging.size;

		if (scratch->taken)
			continue;
		if (!best ||
			(has >= size && (best->staging.size < size || has < best->staging.size)))
			best = scratch;
	}
	return best;
}

static void publish(struct scratch_pool *pool, struct scratch *scratch)
{
	pthread_mutex_lock(&pool->lock);
	list_append(&pool->all, &scratch->link);
	pthread_mutex_unlock(&pool->lock);
}

/* Powers of two, so that one which is too small is not so again and again. */
static size_t rounded(size_t size)
{
	size_t room = SCRATCH_MIN;

	while (room < size)
		room *= 2;
	return room;
}

/* @small is in no list any more; NULL: there is none. Its handle goes first, so that the DSP has no
 * more than it needs; if that cannot be, it goes with the node. */
static int replace(struct scratch_pool *pool, struct scratch *small, size_t size,
	struct scratch **out)
{
	int r;

	if (small && object_close(pool->objects, &small->object) < 0)
		publish(pool, small);
	else if (small)
		scratch_free(small);
	r = scratch_new(out, pool, rounded(size));
	if (r == 0)
		publish(pool, *out);
	return r;
}

int scratch_take(struct scratch_pool *pool, size_t size, struct scratch **out)
{
	struct scratch *found;

	if (size > SCRATCH_MAX)
		return -ENOMEM;
	pthread_mutex_lock(&pool->lock);
	found = find_free(pool, size);
	if (found)
		found->taken = true;
	if (found && found->staging.size < size)
		list_remove(&found->link);
	pthread_mutex_unlock(&pool->lock);
	if (!found || found->staging.size < size)
		return replace(pool, found, size, out);
	*out = found;
	return 0;
}

/* What few calls need is not kept: nobody is charged for it. */
static void drop(struct scratch_pool *pool, struct scratch *scratch)
{
	pthread_mutex_lock(&pool->lock);
	list_remove(&scratch->link);
	pthread_mutex_unlock(&pool->lock);
	if (object_close(pool->objects, &scratch->object) < 0)
		publish(pool, scratch); /* taken, until the node is closed */
	else
		scratch_free(scratch);
}

void scratch_give_back(struct scratch_pool *pool, struct scratch *scratch)
{
	if (scratch->staging.size > SCRATCH_KEPT) {
		drop(pool, scratch);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	scratch->taken = false;
	pthread_mutex_unlock(&pool->lock);
}

/* Arguments. */

static bool is_ours(const struct node_arg *arg)
{
	return !arg->buffer && arg->length;
}

bool scratch_size(const struct node_arg *args, unsigned int n, size_t *size)
{
	*size = 0;
	for (unsigned int i = 0; i < n; i++) {
		if (!is_ours(&args[i]))
			continue;
		if (args[i].length > SCRATCH_MAX)
			return false;
		*size += (args[i].length + SCRATCH_ALIGN - 1) / SCRATCH_ALIGN * SCRATCH_ALIGN;
	}
	return *size <= SCRATCH_MAX;
}

static void begin(const struct scratch_pool *pool, const struct scratch *scratch)
{
	if (!pool->coherent && scratch)
		staging_begin(&scratch->staging);
}

static void end(const struct scratch_pool *pool, const struct scratch *scratch)
{
	if (!pool->coherent && scratch)
		staging_end(&scratch->staging);
}

void scratch_pack(const struct scratch_pool *pool, const struct scratch *scratch,
	const struct node_arg *args, unsigned int n_in, unsigned int n, struct posted_arg *out)
{
	size_t at = 0;

	begin(pool, scratch);
	for (unsigned int i = 0; i < n; i++) {
		const struct node_arg *arg = &args[i];

		out[i] = (struct posted_arg){arg->buffer, arg->offset, arg->length};
		if (!is_ours(arg))
			continue;
		out[i].object = &scratch->object;
		out[i].offset = at;
		if (i < n_in)
			memcpy(scratch->staging.data + at, arg->data, arg->length);
		else
			memset(scratch->staging.data + at, 0, arg->length);
		at += (arg->length + SCRATCH_ALIGN - 1) / SCRATCH_ALIGN * SCRATCH_ALIGN;
	}
	end(pool, scratch);
}

void scratch_unpack(const struct scratch_pool *pool, const struct scratch *scratch,
	const struct node_arg *args, unsigned int n_in, unsigned int n,
	const struct posted_arg *packed)
{
	bool any = false;

	for (unsigned int i = n_in; i < n; i++)
		any = any || is_ours(&args[i]);
	if (!any)
		return;
	begin(pool, scratch);
	for (unsigned int i = n_in; i < n; i++)
		if (is_ours(&args[i]))
			memcpy(args[i].data, scratch->staging.data + packed[i].offset,
				args[i].length);
	end(pool, scratch);
}
