// SPDX-License-Identifier: GPL-2.0
#include "qda_sim.h"

#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

static u64 with_stream(const struct qda_bank *bank, dma_addr_t dma)
{
	return (u64)bank->sid << 32 | lower_32_bits(dma);
}

/* Mappings. */

static void mapping_add(struct qda_device *qda, struct qda_mapping *mapping, struct qda_bank *bank,
			void (*unmap)(struct qda_mapping *mapping))
{
	mapping->bank = bank;
	mapping->unmap = unmap;
	mutex_lock(&qda->lock);
	list_add(&mapping->node, &qda->mappings);
	mutex_unlock(&qda->lock);
}

/* With the lock. */
static void mapping_end(struct qda_mapping *mapping)
{
	list_del_init(&mapping->node);
	mapping->unmap(mapping);
}

static void mapping_remove(struct qda_device *qda, struct qda_mapping *mapping)
{
	mutex_lock(&qda->lock);
	if (!list_empty(&mapping->node))
		mapping_end(mapping);
	mutex_unlock(&qda->lock);
}

void qda_mappings_end(struct qda_device *qda)
{
	struct qda_mapping *mapping, *next;

	mutex_lock(&qda->lock);
	list_for_each_entry_safe(mapping, next, &qda->mappings, node)
		mapping_end(mapping);
	mutex_unlock(&qda->lock);
}

/* Memory of the driver's own. */

static void memory_unmap(struct qda_mapping *mapping)
{
	struct qda_memory *memory = container_of(mapping, struct qda_memory, mapping);

	dma_free_coherent(mapping->bank->dev, memory->size, memory->data, memory->dma);
	memory->data = NULL;
}

int qda_memory_alloc(struct qda_file *file, size_t size, struct qda_memory *memory)
{
	int ret = qda_bank_get(file);

	INIT_LIST_HEAD(&memory->mapping.node);
	if (ret)
		return ret;
	memory->size = PAGE_ALIGN(size);
	memory->data = dma_alloc_coherent(file->bank->dev, memory->size, &memory->dma,
					  GFP_KERNEL | __GFP_NOWARN);
	if (!memory->data)
		return -ENOMEM;
	memory->address = with_stream(file->bank, memory->dma);
	mapping_add(file->qda, &memory->mapping, file->bank, memory_unmap);
	return 0;
}

void qda_memory_free(struct qda_device *qda, struct qda_memory *memory)
{
	mapping_remove(qda, &memory->mapping);
}

/* Buffer objects. */

static void object_free(struct drm_gem_object *gem)
{
	struct qda_object *object = to_qda_object(gem);

	mapping_remove(to_qda_device(gem->dev), &object->mapping);
	if (object->table) {
		sg_free_table(object->table);
		kfree(object->table);
	}
	atomic_dec(&qda_counters.objects);
	drm_gem_shmem_free(&object->shmem);
}

static int object_handle_new(struct drm_gem_object *gem, struct drm_file *file)
{
	atomic_inc(&qda_counters.handles);
	return 0;
}

static void object_handle_gone(struct drm_gem_object *gem, struct drm_file *file)
{
	atomic_dec(&qda_counters.handles);
}

/* Another driver cannot have what was allocated here. */
static int object_pin(struct drm_gem_object *gem)
{
	return -EOPNOTSUPP;
}

/* The helper's, but for faults. */
static struct vm_operations_struct object_mapping;

static vm_fault_t object_fault(struct vm_fault *vmf)
{
	struct drm_gem_object *gem = vmf->vma->vm_private_data;

	if (qda_sigbus && drm_dev_is_unplugged(gem->dev))
		return VM_FAULT_SIGBUS;
	return drm_gem_shmem_vm_ops.fault(vmf);
}

void qda_memory_init(void)
{
	object_mapping = drm_gem_shmem_vm_ops;
	object_mapping.fault = object_fault;
}

static const struct drm_gem_object_funcs object_functions = {
	.free = object_free,
	.open = object_handle_new,
	.close = object_handle_gone,
	.print_info = drm_gem_shmem_object_print_info,
	.pin = object_pin,
	.mmap = drm_gem_shmem_object_mmap,
	.vm_ops = &object_mapping,
};

struct drm_gem_object *qda_object_alloc(struct drm_device *drm, size_t size)
{
	struct qda_object *object = kzalloc(sizeof(*object), GFP_KERNEL);

	if (!object)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&object->mapping.node);
	object->shmem.base.funcs = &object_functions;
	return &object->shmem.base;
}

static void created_unmap(struct qda_mapping *mapping)
{
	struct qda_object *object = container_of(mapping, struct qda_object, mapping);

	dma_unmap_sgtable(mapping->bank->dev, object->table, DMA_BIDIRECTIONAL, 0);
}

/* The DSP is told one address: it has to be one piece to it. */
static int created_map(struct qda_file *file, struct qda_object *object)
{
	struct sg_table *table;
	int ret = drm_gem_shmem_get_pages(&object->shmem);

	if (ret)
		return ret;
	table = drm_gem_shmem_get_sg_table(&object->shmem);
	if (IS_ERR(table))
		return PTR_ERR(table);
	object->table = table;
	ret = dma_map_sgtable(file->bank->dev, table, DMA_BIDIRECTIONAL, 0);
	if (ret)
		return ret;
	object->address = with_stream(file->bank, sg_dma_address(table->sgl));
	mapping_add(file->qda, &object->mapping, file->bank, created_unmap);
	return table->nents == 1 ? 0 : -ENOMEM;
}

struct qda_object *qda_object_new(struct qda_file *file, size_t size)
{
	struct drm_gem_shmem_object *shmem;
	struct qda_object *object;
	int ret = qda_bank_get(file);

	if (ret)
		return ERR_PTR(ret);
	shmem = drm_gem_shmem_create(&file->qda->drm, PAGE_ALIGN(size));
	if (IS_ERR(shmem))
		return ERR_CAST(shmem);
	atomic_inc(&qda_counters.objects);
	object = to_qda_object(&shmem->base);
	ret = created_map(file, object);
	if (ret) {
		drm_gem_object_put(&shmem->base);
		return ERR_PTR(ret);
	}
	return object;
}

/* Those of other drivers. */

static void imported_unmap(struct qda_mapping *mapping)
{
	struct qda_object *object = container_of(mapping, struct qda_object, mapping);

	/* To unmap is not enough: some exporters keep it mapped as long as it is attached. */
	drm_prime_gem_destroy(&object->shmem.base, object->shmem.sgt);
	object->shmem.base.import_attach = NULL;
	object->shmem.sgt = NULL;
}

struct drm_gem_object *qda_prime_import(struct drm_device *drm, struct dma_buf *buf)
{
	return drm_gem_prime_import_dev(drm, buf, to_qda_device(drm)->importer->bank->dev);
}

struct drm_gem_object *qda_prime_import_table(struct drm_device *drm,
					      struct dma_buf_attachment *attachment,
					      struct sg_table *table)
{
	struct qda_device *qda = to_qda_device(drm);
	struct drm_gem_object *gem;
	struct qda_object *object;

	if (table->nents != 1)
		return ERR_PTR(-EINVAL);
	gem = drm_gem_shmem_prime_import_sg_table(drm, attachment, table);
	if (IS_ERR(gem))
		return gem;
	atomic_inc(&qda_counters.objects);
	object = to_qda_object(gem);
	object->address = with_stream(qda->importer->bank, sg_dma_address(table->sgl));
	mapping_add(qda, &object->mapping, qda->importer->bank, imported_unmap);
	return gem;
}

/* For DRM's functions an import is the device's: it does not say whose. */
static int import(struct qda_file *file, int fd, u32 *handle)
{
	struct qda_device *qda = file->qda;
	int ret = qda_bank_get(file);

	if (ret)
		return ret;
	mutex_lock(&qda->import_lock);
	qda->importer = file;
	ret = drm_gem_prime_fd_to_handle(&qda->drm, file->drm, fd, handle);
	qda->importer = NULL;
	mutex_unlock(&qda->import_lock);
	return ret;
}

int qda_prime_fd_to_handle(struct drm_device *drm, struct drm_file *file, int fd, u32 *handle)
{
	int entered, ret;

	if (!drm_dev_enter(drm, &entered))
		return -ENODEV;
	ret = import(file->driver_priv, fd, handle);
	drm_dev_exit(entered);
	return ret;
}

struct qda_object *qda_object_import(struct qda_file *file, int fd)
{
	struct drm_gem_object *gem;
	u32 handle;
	int ret = import(file, fd, &handle);

	if (ret)
		return ERR_PTR(ret);
	gem = drm_gem_object_lookup(file->drm, handle);
	return gem ? to_qda_object(gem) : ERR_PTR(-ENOENT);
}
