// SPDX-License-Identifier: GPL-2.0
/*
 * A call's payload, as the DSP wants it: for each argument its address and length; which pages it
 * has; the pages; room for what the DSP may say; then the bytes that are copied. How far an
 * argument lies into its page its address says.
 *
 * As the posted driver has it, who is interrupted gives up the call's number and memory at once,
 * though the DSP is still at it: what comes late meets whoever has the number then. It is counted.
 */
#include "qda_sim.h"

#include <drm/drm_gem.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define KERNEL_TIMEOUT	(10 * HZ)
#define ALIGNMENT	128	/* of copied arguments */
#define COPIED_MAX	(64UL << 20)
#define N_DESCRIPTORS	16
#define N_CHECKSUMS	64

struct message {
	s32 domain, thread;
	u64 context;
	u32 handle, sc;
	u64 address, size;
};

struct response {
	u64 context;
	s32 result;
};

/* Of the context; the DSP returns all of it. The rest of it counts calls. */
#define CONTEXT_USER	1
#define CONTEXT_SHIFT	4
#define CONTEXT_NUMBER	0xff
#define CONTEXT_COUNT	12

struct wire_argument {
	union {
		struct {
			u64 address, length;
		} buffer;
		struct {
			s32 fd;
			u32 offset, length;
		} handle;
	};
};

struct wire_list {
	u32 n, first;
};

struct wire_page {
	u64 address, size;
};

struct call {
	struct qda_file *file;
	enum qda_caller caller;
	u32 sc;
	unsigned int n_in, n_buffers, n;
	struct qda_arg *args;
	struct qda_object **objects;	/* by argument; held */
	struct qda_memory payload;
	size_t *offsets;		/* of what is copied, in the payload */
	int number;
	u64 context;
	struct completion answered;
	int result;
};

static bool is_inline(const struct call *call, unsigned int i)
{
	return call->args[i].fd <= 0;
}

struct qda_arg qda_inline(void *data, size_t size)
{
	return (struct qda_arg){ .ptr = (uintptr_t)data, .length = size, .fd = -1 };
}

/* Numbers. */

static int number_take(struct call *call)
{
	struct qda_device *qda = call->file->qda;
	unsigned long flags;
	int number;

	idr_preload(GFP_KERNEL);
	spin_lock_irqsave(&qda->calls_lock, flags);
	number = idr_alloc(&qda->calls, call, 1, QDA_CONTEXTS + 1, GFP_NOWAIT);
	if (number > 0) {
		call->number = number;
		call->context = ++qda->n_calls << CONTEXT_COUNT | number << CONTEXT_SHIFT |
				CONTEXT_USER;
		atomic_inc(&qda_counters.contexts);
	}
	spin_unlock_irqrestore(&qda->calls_lock, flags);
	idr_preload_end();
	return number > 0 ? 0 : number;
}

static void number_give_back(struct call *call)
{
	struct qda_device *qda = call->file->qda;
	unsigned long flags;

	if (!call->number)
		return;
	spin_lock_irqsave(&qda->calls_lock, flags);
	idr_remove(&qda->calls, call->number);
	atomic_dec(&qda_counters.contexts);
	spin_unlock_irqrestore(&qda->calls_lock, flags);
}

static void answer(struct call *call, int result)
{
	call->result = result;
	complete(&call->answered);
}

int qda_answer(struct rpmsg_device *rpdev, void *data, int size, void *priv, u32 source)
{
	struct qda_device *qda = dev_get_drvdata(&rpdev->dev);
	struct response response;
	unsigned long flags;
	struct call *call;

	if (!qda || size < sizeof(response.context) + sizeof(response.result))
		return -EINVAL;
	memcpy(&response.context, data, sizeof(response.context));
	memcpy(&response.result, data + sizeof(response.context), sizeof(response.result));
	spin_lock_irqsave(&qda->calls_lock, flags);
	call = idr_find(&qda->calls, response.context >> CONTEXT_SHIFT & CONTEXT_NUMBER);
	if (!call || call->context != response.context) {
		atomic_inc(&qda_counters.late_answers);
		dev_warn_ratelimited(&rpdev->dev, "an answer comes late, and meets %s\n",
				     call ? "another call" : "nobody");
	}
	if (call)
		answer(call, response.result);
	spin_unlock_irqrestore(&qda->calls_lock, flags);
	return 0;
}

void qda_calls_end(struct qda_device *qda)
{
	unsigned long flags;
	struct call *call;
	int number;

	spin_lock_irqsave(&qda->calls_lock, flags);
	idr_for_each_entry(&qda->calls, call, number)
		if (call->caller == QDA_KERNEL)
			answer(call, -ENODEV);
	spin_unlock_irqrestore(&qda->calls_lock, flags);
}

/* Arguments. */

/* The posted driver, and drivers/misc/fastrpc.c, would write before the payload then. */
static bool is_harmful(const struct call *call)
{
	unsigned int i, k;

	for (i = 0; i < call->n_buffers; i++)
		for (k = 0; k < call->n_buffers; k++)
			if (is_inline(call, i) && call->args[i].length && !is_inline(call, k) &&
			    call->args[i].ptr >= call->args[k].ptr &&
			    call->args[i].ptr - call->args[k].ptr < call->args[k].length)
				return true;
	return false;
}

static size_t metadata_size(const struct call *call)
{
	return call->n * (sizeof(struct wire_argument) + sizeof(struct wire_list) +
			  sizeof(struct wire_page)) +
	       N_DESCRIPTORS * sizeof(u64) + N_CHECKSUMS * sizeof(u32);
}

static struct wire_argument *arguments_of(const struct call *call)
{
	return call->payload.data;
}

static struct wire_list *lists_of(const struct call *call)
{
	return (struct wire_list *)(arguments_of(call) + call->n);
}

static struct wire_page *pages_of(const struct call *call)
{
	return (struct wire_page *)(lists_of(call) + call->n);
}

/* Where what is copied will be. */
static int lay_out(struct call *call, size_t *size)
{
	unsigned int i;

	*size = metadata_size(call);
	for (i = 0; i < call->n_buffers; i++) {
		if (!is_inline(call, i))
			continue;
		call->offsets[i] = *size = ALIGN(*size, ALIGNMENT);
		if (call->args[i].length > COPIED_MAX - *size)
			return -ENOMEM;
		*size += call->args[i].length;
	}
	return 0;
}

static int import_all(struct call *call)
{
	struct qda_object *object;
	unsigned int i;

	for (i = 0; i < call->n; i++) {
		if (is_inline(call, i) || !call->args[i].length)
			continue;
		object = qda_object_import(call->file, call->args[i].fd);
		if (IS_ERR(object))
			return PTR_ERR(object);
		call->objects[i] = object;
	}
	return 0;
}

/* How far the page of an address of the caller's is from the start of its mapping, if any. */
static u64 offset_of(u64 address)
{
	struct vm_area_struct *area;
	u64 offset = 0;

	if (!current->mm)
		return 0;
	mmap_read_lock(current->mm);
	area = vma_lookup(current->mm, address);
	if (area)
		offset = (address & PAGE_MASK) - area->vm_start;
	mmap_read_unlock(current->mm);
	return offset;
}

static u64 pages_size(u64 address, u64 length)
{
	return PAGE_ALIGN((address & ~PAGE_MASK) + length);
}

static int copy_in(struct call *call, unsigned int i)
{
	void *to = call->payload.data + call->offsets[i];
	const struct qda_arg *arg = &call->args[i];

	if (i >= call->n_in)
		return 0;
	if (call->caller == QDA_KERNEL)
		memcpy(to, (void *)(uintptr_t)arg->ptr, arg->length);
	else if (copy_from_user(to, u64_to_user_ptr(arg->ptr), arg->length))
		return -EFAULT;
	return 0;
}

static int write_buffer(struct call *call, unsigned int i)
{
	struct wire_argument *wire = &arguments_of(call)[i];
	struct wire_page *page = &pages_of(call)[i];
	const struct qda_arg *arg = &call->args[i];

	wire->buffer.length = arg->length;
	lists_of(call)[i] = (struct wire_list){ .n = arg->length ? 1 : 0, .first = i };
	if (!arg->length)
		return 0;
	if (call->objects[i]) {
		wire->buffer.address = arg->ptr;
		page->address = call->objects[i]->address + offset_of(arg->ptr);
	} else {
		wire->buffer.address = call->payload.address + call->offsets[i];
		page->address = wire->buffer.address & PAGE_MASK;
	}
	page->size = pages_size(wire->buffer.address, arg->length);
	return call->objects[i] ? 0 : copy_in(call, i);
}

static void write_handle(struct call *call, unsigned int i)
{
	const struct qda_arg *arg = &call->args[i];

	arguments_of(call)[i] = (struct wire_argument){
		.handle = { .fd = arg->fd, .offset = arg->ptr, .length = arg->length }
	};
	lists_of(call)[i] = (struct wire_list){ .n = arg->length ? 1 : 0, .first = i };
	if (call->objects[i])
		pages_of(call)[i] = (struct wire_page){ .address = call->objects[i]->address,
							.size = arg->length };
}

static int prepare(struct call *call)
{
	unsigned int i;
	size_t size;
	int ret = lay_out(call, &size);

	if (!ret)
		ret = import_all(call);
	if (!ret)
		ret = qda_memory_alloc(call->file, size, &call->payload);
	for (i = 0; i < call->n_buffers && !ret; i++)
		ret = write_buffer(call, i);
	for (; i < call->n && !ret; i++)
		write_handle(call, i);
	return ret;
}

/* As much as the DSP says there is, and there is room for. */
static int copy_out(struct call *call, unsigned int i)
{
	const void *from = call->payload.data + call->offsets[i];
	const struct qda_arg *arg = &call->args[i];
	u64 length = min(READ_ONCE(arguments_of(call)[i].buffer.length), arg->length);

	if (call->caller == QDA_KERNEL)
		memcpy((void *)(uintptr_t)arg->ptr, from, length);
	else if (copy_to_user(u64_to_user_ptr(arg->ptr), from, length))
		return -EFAULT;
	return 0;
}

static int take_results(struct call *call)
{
	unsigned int i;
	int ret = 0;

	for (i = call->n_in; i < call->n_buffers && !ret; i++)
		if (!call->objects[i] && call->args[i].length)
			ret = copy_out(call, i);
	return ret ?: call->result;
}

/* A call's life. */

static int call_init(struct call *call)
{
	call->n_in = QDA_INPUTS(call->sc);
	call->n_buffers = call->n_in + QDA_OUTPUTS(call->sc);
	call->n = QDA_ARGUMENTS(call->sc);
	init_completion(&call->answered);
	INIT_LIST_HEAD(&call->payload.mapping.node);
	call->objects = kcalloc(call->n + 1, sizeof(*call->objects), GFP_KERNEL);
	call->offsets = kcalloc(call->n + 1, sizeof(*call->offsets), GFP_KERNEL);
	if (!call->objects || !call->offsets)
		return -ENOMEM;
	if (is_harmful(call)) {
		atomic_inc(&qda_counters.refused);
		return -EINVAL;
	}
	return number_take(call);
}

static void call_deinit(struct call *call)
{
	unsigned int i;

	number_give_back(call);
	qda_memory_free(call->file->qda, &call->payload);
	for (i = 0; i < call->n && call->objects; i++)
		if (call->objects[i])
			drm_gem_object_put(&call->objects[i]->shmem.base);
	kfree(call->objects);
	kfree(call->offsets);
}

static int send(struct call *call, u32 handle)
{
	struct message message = {
		.domain = call->caller == QDA_USER ? call->file->id : 0,
		.thread = task_pid_nr(current),
		.context = call->context,
		.handle = handle,
		.sc = call->sc,
		.address = call->payload.address,
		.size = call->payload.size,
	};

	dma_wmb();
	return rpmsg_send(call->file->qda->rpdev->ept, &message, sizeof(message));
}

static int await(struct call *call)
{
	if (call->caller == QDA_KERNEL)
		return wait_for_completion_timeout(&call->answered, KERNEL_TIMEOUT) ? 0
										    : -ETIMEDOUT;
	return wait_for_completion_interruptible(&call->answered);
}

static int run(struct call *call, u32 handle)
{
	struct drm_device *drm = &call->file->qda->drm;
	int entered, ret;

	if (!drm_dev_enter(drm, &entered))
		return -ENODEV;
	ret = prepare(call);
	if (!ret)
		ret = send(call, handle);
	drm_dev_exit(entered);
	/* Nothing of the device's is held: it may go while the DSP is at it. */
	if (!ret)
		ret = await(call);
	if (ret)
		return ret;
	if (!drm_dev_enter(drm, &entered))
		return -ENODEV;
	dma_rmb();
	ret = take_results(call);
	drm_dev_exit(entered);
	return ret;
}

int qda_call(struct qda_file *file, enum qda_caller caller, u32 handle, u32 sc,
	     struct qda_arg *args)
{
	struct call call = { .file = file, .caller = caller, .sc = sc, .args = args };
	int ret = call_init(&call);

	if (!ret)
		ret = run(&call, handle);
	call_deinit(&call);
	return ret;
}
