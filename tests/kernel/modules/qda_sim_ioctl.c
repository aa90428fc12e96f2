// SPDX-License-Identifier: GPL-2.0
#include "qda_sim.h"

#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define SHELL_MAX	SZ_2M
#define INITIAL_SIZE	SZ_2M

/* Of the kernel's own handle. */
enum method {
	METHOD_RELEASE = 1,
	METHOD_MMAP = 4,
	METHOD_MUNMAP = 5,
	METHOD_CREATE = 6,
	METHOD_CREATE_ATTRIBUTES = 7,
	METHOD_MEM_MAP = 10,
	METHOD_MEM_UNMAP = 11,
};

struct page_info {
	u64 address, size;
};

/* Memory that the domain's heap grew by. */
struct heap {
	struct list_head node;
	struct qda_memory memory;
	u64 remote;
};

/* A buffer that is mapped to stay. */
struct map {
	struct list_head node;
	struct qda_object *object;	/* held */
	s32 fd;
	u64 remote, size;
};

static int refuse(int error)
{
	atomic_inc(&qda_counters.refused);
	return error;
}

static int call_kernel(struct qda_file *file, enum method method, unsigned int n_in,
		       unsigned int n_out, struct qda_arg *args)
{
	return qda_call(file, QDA_KERNEL, QDA_HANDLE_KERNEL, QDA_SCALARS(method, n_in, n_out),
			args);
}

/* Buffer objects. */

static int query(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct qda_query *query = data;

	strscpy_pad(query->dsp_name, to_qda_device(drm)->name, sizeof(query->dsp_name));
	return 0;
}

static int gem_create(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct qda_gem_create *create = data;
	struct qda_object *object;
	int entered, ret;

	if (!create->size || create->size > SZ_2G || create->pad)
		return -EINVAL;
	if (!drm_dev_enter(drm, &entered))
		return -ENODEV;
	object = qda_object_new(drm_file->driver_priv, create->size);
	drm_dev_exit(entered);
	if (IS_ERR(object))
		return PTR_ERR(object);
	ret = drm_gem_handle_create(drm_file, &object->shmem.base, &create->handle);
	drm_gem_object_put(&object->shmem.base);
	return ret;
}

static int gem_mmap_offset(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct qda_gem_mmap_offset *offset = data;
	struct drm_gem_object *gem = drm_gem_object_lookup(drm_file, offset->handle);

	if (!gem)
		return -ENOENT;
	offset->offset = drm_vma_node_offset_addr(&gem->vma_node);
	drm_gem_object_put(gem);
	return 0;
}

/* A domain. */

static struct qda_memory *memory_new(struct qda_file *file, size_t size)
{
	struct qda_memory *memory = kzalloc(sizeof(*memory), GFP_KERNEL);
	int entered, ret = -ENODEV;

	if (!memory)
		return ERR_PTR(-ENOMEM);
	if (drm_dev_enter(&file->qda->drm, &entered)) {
		ret = qda_memory_alloc(file, size, memory);
		drm_dev_exit(entered);
	}
	if (!ret)
		return memory;
	kfree(memory);
	return ERR_PTR(ret);
}

static void memory_delete(struct qda_file *file, struct qda_memory *memory)
{
	qda_memory_free(file->qda, memory);
	kfree(memory);
}

static int create(struct qda_file *file, const struct qda_session_create *request,
		  const struct qda_memory *initial)
{
	struct {
		s32 id;
		u32 name_size, file_size, n_pages, attributes, signature_size;
	} in = {
		.id = file->id,
		.name_size = strlen(current->comm) + 1,
		.file_size = request->filelen,
		.n_pages = 1,
		.attributes = request->attrs,
		.signature_size = request->siglen,
	};
	struct page_info page = { .address = initial->address, .size = initial->size };
	struct qda_arg args[] = {
		qda_inline(&in, sizeof(in)),
		qda_inline(current->comm, in.name_size),
		{ .length = request->filelen, .fd = request->filefd },
		qda_inline(&page, sizeof(page)),
	};

	return call_kernel(file, in.attributes ? METHOD_CREATE_ATTRIBUTES : METHOD_CREATE, 4, 0,
			   args);
}

/* With the lock. */
static int begin(struct qda_file *file, const struct qda_session_create *request)
{
	struct qda_memory *initial;
	int ret;

	if (file->initial)
		return -EEXIST;
	initial = memory_new(file, INITIAL_SIZE);
	if (IS_ERR(initial))
		return PTR_ERR(initial);
	ret = create(file, request, initial);
	/* Who has not answered may have done it. */
	if (ret && ret != -ETIMEDOUT) {
		memory_delete(file, initial);
		return ret;
	}
	file->initial = initial;
	atomic_inc(&qda_counters.sessions);
	return ret;
}

static int session_create(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct qda_session_create *request = data;
	struct qda_file *file = drm_file->driver_priv;
	int ret;

	/* The posted driver would read there, in the kernel. */
	if (request->file)
		return refuse(-EINVAL);
	if (!request->filelen || request->filelen > SHELL_MAX || request->filefd <= 0)
		return -EINVAL;
	if (mutex_lock_killable(&file->lock))
		return -EINTR;
	ret = begin(file, request);
	mutex_unlock(&file->lock);
	return ret;
}

void qda_session_end(struct qda_file *file)
{
	struct qda_arg arg = qda_inline(&file->id, sizeof(file->id));

	if (file->initial)
		call_kernel(file, METHOD_RELEASE, 1, 0, &arg);
}

static void heap_delete(struct qda_file *file, struct heap *heap)
{
	qda_memory_free(file->qda, &heap->memory);
	kfree(heap);
}

static void map_delete(struct map *map)
{
	drm_gem_object_put(&map->object->shmem.base);
	kfree(map);
}

void qda_session_free(struct qda_file *file)
{
	struct heap *heap, *next_heap;
	struct map *map, *next_map;

	list_for_each_entry_safe(heap, next_heap, &file->heap, node)
		heap_delete(file, heap);
	list_for_each_entry_safe(map, next_map, &file->maps, node)
		map_delete(map);
	if (!file->initial)
		return;
	memory_delete(file, file->initial);
	atomic_dec(&qda_counters.sessions);
}

/* Memory of a domain. */

static int heap_tell(struct qda_file *file, struct heap *heap)
{
	struct {
		s32 id;
		u32 flags;
		u64 address;
		s32 size;
	} in = { .id = file->id, .flags = QDA_MAP_ADD_PAGES, .size = sizeof(struct page_info) };
	struct page_info page = { .address = heap->memory.address, .size = heap->memory.size };
	struct qda_arg args[] = {
		qda_inline(&in, sizeof(in)),
		qda_inline(&page, sizeof(page)),
		qda_inline(&heap->remote, sizeof(heap->remote)),
	};

	return call_kernel(file, METHOD_MMAP, 2, 1, args);
}

static int heap_grow(struct qda_file *file, struct qda_map *request)
{
	struct heap *heap;
	int entered, ret = -ENODEV;

	if (request->flags != QDA_MAP_ADD_PAGES || request->vaddrin || request->fd > 0 ||
	    !request->size || request->size > SZ_1G)
		return -EINVAL;
	heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	if (!heap)
		return -ENOMEM;
	INIT_LIST_HEAD(&heap->memory.mapping.node);
	if (drm_dev_enter(&file->qda->drm, &entered)) {
		ret = qda_memory_alloc(file, request->size, &heap->memory);
		drm_dev_exit(entered);
	}
	if (!ret)
		ret = heap_tell(file, heap);
	if (ret) {
		heap_delete(file, heap);
		return ret;
	}
	request->vaddrout = heap->remote;
	list_add(&heap->node, &file->heap);
	return 0;
}

static int heap_shrink(struct qda_file *file, const struct qda_munmap *request)
{
	struct {
		s32 id;
		u64 address, size;
	} in = { .id = file->id, .address = request->vaddrout };
	struct qda_arg arg = qda_inline(&in, sizeof(in));
	struct heap *heap;
	int ret;

	list_for_each_entry(heap, &file->heap, node) {
		if (heap->remote != request->vaddrout ||
		    heap->memory.size != PAGE_ALIGN(request->size))
			continue;
		in.size = heap->memory.size;
		ret = call_kernel(file, METHOD_MUNMAP, 1, 0, &arg);
		if (ret)
			return ret;
		list_del(&heap->node);
		heap_delete(file, heap);
		return 0;
	}
	return -EINVAL;
}

static int map_tell(struct qda_file *file, const struct qda_map *request, struct map *map)
{
	struct {
		s32 id, fd, offset;
		u32 flags;
		u64 address;
		s32 size, data_size;
	} in = {
		.id = file->id,
		.fd = request->fd,
		.offset = request->offset,
		.flags = request->flags,
		.address = request->vaddrin,
		.size = sizeof(struct page_info),
	};
	struct page_info page = { .address = map->object->address, .size = map->size };
	struct qda_arg args[] = {
		qda_inline(&in, sizeof(in)),
		qda_inline(&page, sizeof(page)),
		qda_inline(NULL, 0),
		qda_inline(&map->remote, sizeof(map->remote)),
	};

	return call_kernel(file, METHOD_MEM_MAP, 3, 1, args);
}

static int map_import(struct qda_file *file, struct map *map)
{
	int entered;

	if (!drm_dev_enter(&file->qda->drm, &entered))
		return -ENODEV;
	map->object = qda_object_import(file, map->fd);
	drm_dev_exit(entered);
	return PTR_ERR_OR_ZERO(map->object);
}

static int map_new(struct qda_file *file, struct qda_map *request)
{
	struct map *map;
	int ret;

	if (request->fd <= 0 || !request->size)
		return -EINVAL;
	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return -ENOMEM;
	map->fd = request->fd;
	map->size = request->size;
	ret = map_import(file, map);
	if (ret) {
		kfree(map);
		return ret;
	}
	ret = map->size > map->object->shmem.base.size ? -EINVAL : map_tell(file, request, map);
	if (ret) {
		map_delete(map);
		return ret;
	}
	request->vaddrout = map->remote;
	list_add(&map->node, &file->maps);
	return 0;
}

static int map_end(struct qda_file *file, const struct qda_munmap *request)
{
	struct {
		s32 id, fd;
		u64 address, size;
	} in = { .id = file->id, .fd = request->fd, .address = request->vaddr };
	struct qda_arg arg = qda_inline(&in, sizeof(in));
	struct map *map;
	int ret;

	list_for_each_entry(map, &file->maps, node) {
		if (map->remote != request->vaddr || (request->fd > 0 && request->fd != map->fd))
			continue;
		in.size = map->size;
		ret = call_kernel(file, METHOD_MEM_UNMAP, 1, 0, &arg);
		if (ret)
			return ret;
		list_del(&map->node);
		map_delete(map);
		return 0;
	}
	return -EINVAL;
}

static int remote_map(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct qda_map *request = data;
	struct qda_file *file = drm_file->driver_priv;
	int ret = -EINVAL;

	if (mutex_lock_killable(&file->lock))
		return -EINTR;
	if (request->request == QDA_MAP_LEGACY)
		ret = heap_grow(file, request);
	else if (request->request == QDA_MAP_BY_ATTRIBUTE)
		ret = map_new(file, request);
	mutex_unlock(&file->lock);
	return ret;
}

static int remote_munmap(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	const struct qda_munmap *request = data;
	struct qda_file *file = drm_file->driver_priv;
	int ret = -EINVAL;

	if (mutex_lock_killable(&file->lock))
		return -EINTR;
	if (request->request == QDA_MAP_LEGACY)
		ret = heap_shrink(file, request);
	else if (request->request == QDA_MAP_BY_ATTRIBUTE)
		ret = map_end(file, request);
	mutex_unlock(&file->lock);
	return ret;
}

/* Calls. */

static int invoke(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	const struct qda_invoke *request = data;
	enum qda_caller caller =
		request->handle == QDA_HANDLE_UTILITIES ? QDA_USER_AS_NOBODY : QDA_USER;
	size_t n = QDA_ARGUMENTS(request->sc);
	struct qda_arg *args;
	int ret;

	/* The posted driver would let it end other domains. */
	if (request->handle == QDA_HANDLE_KERNEL)
		return refuse(-EPERM);
	args = n ? memdup_user(u64_to_user_ptr(request->args), n * sizeof(*args)) : NULL;
	if (IS_ERR(args))
		return PTR_ERR(args);
	ret = qda_call(drm_file->driver_priv, caller, request->handle, request->sc, args);
	kfree(args);
	return ret;
}

const struct drm_ioctl_desc qda_ioctls[] = {
	DRM_IOCTL_DEF_DRV(QDA_QUERY, query, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(QDA_GEM_CREATE, gem_create, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(QDA_GEM_MMAP_OFFSET, gem_mmap_offset, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(QDA_SESSION_CREATE, session_create, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(QDA_MAP, remote_map, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(QDA_MUNMAP, remote_munmap, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(QDA_INVOKE, invoke, DRM_RENDER_ALLOW),
};
const unsigned int qda_n_ioctls = ARRAY_SIZE(qda_ioctls);
