/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A DRM driver for DSPs, for tests: what was proposed for drivers/accel (QDA, posted as a series on
 * 2026-05-19), as far as a user of it can tell. The numbers and layouts of its ioctls are facts
 * about that series; nothing of its code is here. Behind it is FastRPC's wire, as
 * drivers/misc/fastrpc.c has it.
 *
 *   qda_sim.c         the devices: channel, context banks, nodes, open files
 *   qda_sim_memory.c  memory in the banks' I/O spaces: buffer objects, and the driver's own
 *   qda_sim_call.c    calls: arguments to the DSP and back
 *   qda_sim_ioctl.c   what user space asks
 */
#ifndef QDA_SIM_H
#define QDA_SIM_H

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_ioctl.h>
#include <linux/build_bug.h>
#include <linux/completion.h>
#include <linux/idr.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rpmsg.h>
#include <linux/types.h>

/* What user space sees. */

struct qda_query {
	u8 dsp_name[16];
};

struct qda_gem_create {
	u64 size;
	u32 handle, pad;
};

struct qda_gem_mmap_offset {
	u64 offset;
	u32 handle, pad;
};

struct qda_session_create {
	u32 filelen;
	s32 filefd;
	u32 attrs, siglen;
	u64 file;
};

#define QDA_MAP_LEGACY		1
#define QDA_MAP_BY_ATTRIBUTE	2
#define QDA_MAP_ADD_PAGES	0x1000

struct qda_map {
	u32 request, flags;
	s32 fd;
	u32 attrs, offset, pad;
	u64 vaddrin, size, vaddrout;
};

struct qda_munmap {
	u32 request;
	s32 fd;
	u64 vaddr, vaddrout, size;
};

struct qda_arg {
	u64 ptr, length;
	s32 fd;			/* 0 or less: these bytes, which are copied */
	u32 attr;
};

struct qda_invoke {
	u32 handle, sc;
	u64 args;
};

#define DRM_IOCTL_QDA_QUERY		DRM_IOR(0x40, struct qda_query)
#define DRM_IOCTL_QDA_GEM_CREATE	DRM_IOWR(0x41, struct qda_gem_create)
#define DRM_IOCTL_QDA_GEM_MMAP_OFFSET	DRM_IOWR(0x42, struct qda_gem_mmap_offset)
#define DRM_IOCTL_QDA_SESSION_CREATE	DRM_IOWR(0x44, struct qda_session_create)
#define DRM_IOCTL_QDA_MAP		DRM_IOWR(0x45, struct qda_map)
#define DRM_IOCTL_QDA_MUNMAP		DRM_IOWR(0x46, struct qda_munmap)
#define DRM_IOCTL_QDA_INVOKE		DRM_IOWR(0x47, struct qda_invoke)

static_assert(DRM_IOCTL_QDA_QUERY == 0x80106440);
static_assert(DRM_IOCTL_QDA_GEM_CREATE == 0xc0106441);
static_assert(DRM_IOCTL_QDA_GEM_MMAP_OFFSET == 0xc0106442);
static_assert(DRM_IOCTL_QDA_SESSION_CREATE == 0xc0186444);
static_assert(DRM_IOCTL_QDA_MAP == 0xc0306445);
static_assert(DRM_IOCTL_QDA_MUNMAP == 0xc0206446);
static_assert(DRM_IOCTL_QDA_INVOKE == 0xc0106447);
static_assert(sizeof(struct qda_arg) == 24);

/* What tests see, below /sys/kernel/debug/qda-sim. */
struct qda_counters {
	atomic_t late_answers;	/* to numbers given up: they met nobody, or another call */
	atomic_t refused;	/* what would have harmed the posted driver */
	atomic_t sessions;	/* files that have a domain on the DSP */
	atomic_t banks;		/* in use */
	atomic_t contexts;	/* numbers of calls in use */
	atomic_t handles;	/* GEM handles of all files */
	atomic_t objects;	/* GEM objects */
};
extern struct qda_counters qda_counters;
/* To be set by tests, there as well: who touches a buffer of a device that is gone gets a SIGBUS, as
 * where drm_dev_unplug() takes mappings away that cannot be made anew. */
extern bool qda_sigbus;

/* The devices. */

#define QDA_BANKS_MAX	14
#define QDA_CONTEXTS	255	/* of a channel */

/* A context bank: a stream of the IOMMU's, and what DMA is set up for. */
struct qda_bank {
	struct device *dev;	/* held */
	u32 sid;
	unsigned int users;	/* files; 0: it is free */
	pid_t owner;		/* the thread that opened these */
};

struct qda_device {
	struct drm_device drm;
	struct rpmsg_device *rpdev;	/* while the device is entered (drm_dev_enter()) */
	struct device *node;
	char name[16];

	struct mutex lock;		/* of the banks, and of these */
	struct qda_bank banks[QDA_BANKS_MAX];
	unsigned int n_banks;
	struct list_head mappings;

	struct mutex import_lock;
	struct qda_file *importer;	/* for the import that is under way */

	spinlock_t calls_lock;
	struct idr calls;
	u64 n_calls;			/* ever */
};

static inline struct qda_device *to_qda_device(struct drm_device *drm)
{
	return container_of(drm, struct qda_device, drm);
}

/* An open file, which may have a domain on the DSP. */
struct qda_file {
	struct qda_device *qda;
	struct drm_file *drm;
	pid_t opener;			/* the thread */
	s32 id;				/* of its domain */
	struct qda_bank *bank;		/* NULL until it is needed */

	struct mutex lock;		/* of these */
	struct qda_memory *initial;	/* the domain's; NULL: there is none */
	struct list_head heap, maps;	/* qda_sim_ioctl.c */
};

/* The bank of the thread that opened the file. Returns -ENOMEM when none is free. */
int qda_bank_get(struct qda_file *file);

/* Memory. */

/* Something that the DSP can reach. It ends with its owner, or sooner with the device. */
struct qda_mapping {
	struct list_head node;
	struct qda_bank *bank;
	void (*unmap)(struct qda_mapping *mapping);
};

/* Once. */
void qda_memory_init(void);
/* When the device goes, and nobody enters it any more. */
void qda_mappings_end(struct qda_device *qda);

/* Memory of the driver's own, zeroed, whole pages; allocated while the device is entered. */
struct qda_memory {
	struct qda_mapping mapping;
	void *data;
	dma_addr_t dma;
	u64 address;		/* as the DSP is told: with the stream id */
	size_t size;
};

int qda_memory_alloc(struct qda_file *file, size_t size, struct qda_memory *memory);
void qda_memory_free(struct qda_device *qda, struct qda_memory *memory);

struct qda_object {
	struct drm_gem_shmem_object shmem;	/* first: it is what gets freed */
	struct qda_mapping mapping;
	struct sg_table *table;			/* of what was allocated here */
	u64 address;
};

static inline struct qda_object *to_qda_object(struct drm_gem_object *gem)
{
	return container_of(gem, struct qda_object, shmem.base);
}

struct drm_gem_object *qda_object_alloc(struct drm_device *drm, size_t size);
/* A new buffer. The caller has the one reference. While the device is entered. */
struct qda_object *qda_object_new(struct qda_file *file, size_t size);
/* That of a dma-buf, of which a handle stays behind. The caller gets a reference. While the device
 * is entered. */
struct qda_object *qda_object_import(struct qda_file *file, int fd);

int qda_prime_fd_to_handle(struct drm_device *drm, struct drm_file *file, int fd, u32 *handle);
struct drm_gem_object *qda_prime_import(struct drm_device *drm, struct dma_buf *buf);
struct drm_gem_object *qda_prime_import_table(struct drm_device *drm,
					      struct dma_buf_attachment *attachment,
					      struct sg_table *table);

/* Calls. */

enum qda_caller {
	QDA_USER,		/* a module's method, with arguments of user space */
	QDA_USER_AS_NOBODY,	/* the same, and the DSP is not told whose it is */
	QDA_KERNEL,		/* the kernel's own */
};

#define QDA_HANDLE_KERNEL	1
#define QDA_HANDLE_UTILITIES	2

#define QDA_INPUTS(sc)		((sc) >> 16 & 0xff)
#define QDA_OUTPUTS(sc)		((sc) >> 8 & 0xff)
#define QDA_HANDLES(sc)		(((sc) >> 4 & 0xf) + ((sc) & 0xf))
#define QDA_ARGUMENTS(sc)	(QDA_INPUTS(sc) + QDA_OUTPUTS(sc) + QDA_HANDLES(sc))
#define QDA_SCALARS(method, n_in, n_out)	((method) << 24 | (n_in) << 16 | (n_out) << 8)

/* Returns what the DSP returned, or -errno; nobody can tell which. */
int qda_call(struct qda_file *file, enum qda_caller caller, u32 handle, u32 sc,
	     struct qda_arg *args);
int qda_answer(struct rpmsg_device *rpdev, void *data, int size, void *priv, u32 source);
/* Only the kernel's own are told that the device is gone; the others wait for a signal. */
void qda_calls_end(struct qda_device *qda);
/* An argument that is copied. */
struct qda_arg qda_inline(void *data, size_t size);

/* What user space asks. */

extern const struct drm_ioctl_desc qda_ioctls[];
extern const unsigned int qda_n_ioctls;
/* The file is closed: end its domain, and wait until the DSP has done so; then free what it had. */
void qda_session_end(struct qda_file *file);
void qda_session_free(struct qda_file *file);

#endif
