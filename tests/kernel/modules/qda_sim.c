// SPDX-License-Identifier: GPL-2.0
#include "qda_sim.h"

#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_platform.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#define ACCEL_MAJOR	261
#define ACCEL_MINORS	256

struct qda_counters qda_counters;
bool qda_sigbus;

static struct class *accel_class;
static DEFINE_IDA(domains);

/* Context banks. */

/* That of the same thread's other files, or one that is free. */
static struct qda_bank *find_bank(struct qda_device *qda, pid_t owner)
{
	struct qda_bank *found = NULL;
	unsigned int i;

	for (i = 0; i < qda->n_banks; i++) {
		struct qda_bank *bank = &qda->banks[i];

		if (bank->users && bank->owner == owner)
			return bank;
		if (!bank->users && !found)
			found = bank;
	}
	return found;
}

int qda_bank_get(struct qda_file *file)
{
	struct qda_device *qda = file->qda;
	struct qda_bank *bank;

	mutex_lock(&qda->lock);
	bank = file->bank ?: find_bank(qda, file->opener);
	if (bank && !file->bank) {
		bank->owner = file->opener;
		if (bank->users++ == 0)
			atomic_inc(&qda_counters.banks);
		file->bank = bank;
	}
	mutex_unlock(&qda->lock);
	return bank ? 0 : -ENOMEM;
}

static void bank_put(struct qda_file *file)
{
	mutex_lock(&file->qda->lock);
	if (file->bank && --file->bank->users == 0)
		atomic_dec(&qda_counters.banks);
	file->bank = NULL;
	mutex_unlock(&file->qda->lock);
}

static int bank_probe(struct platform_device *pdev)
{
	struct qda_device *qda = dev_get_drvdata(pdev->dev.parent);
	struct device *dev = &pdev->dev;
	u32 sid, n = 1;
	int ret;

	if (!qda)
		return -ENODEV;
	ret = of_property_read_u32(dev->of_node, "reg", &sid);
	if (!ret)
		ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(32));
	if (ret)
		return ret;
	/* What is mapped is to be one piece, however long. */
	dma_set_max_seg_size(dev, UINT_MAX);
	of_property_read_u32(dev->of_node, "qcom,nsessions", &n);

	mutex_lock(&qda->lock);
	for (; n > 0 && qda->n_banks < QDA_BANKS_MAX; n--)
		qda->banks[qda->n_banks++] = (struct qda_bank){ .dev = get_device(dev),
								.sid = sid };
	mutex_unlock(&qda->lock);
	return 0;
}

static const struct of_device_id bank_match[] = {
	{ .compatible = "dspbroker,qda-sim-cb" },
	{}
};

static struct platform_driver bank_driver = {
	.probe = bank_probe,
	.driver = {
		.name = "qda-sim-cb",
		.of_match_table = bank_match,
		.suppress_bind_attrs = true,
	},
};

/* Files. */

static int file_new(struct drm_device *drm, struct drm_file *drm_file)
{
	struct qda_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	file->id = ida_alloc_min(&domains, 1, GFP_KERNEL);
	if (file->id < 0) {
		int ret = file->id;

		kfree(file);
		return ret;
	}
	file->qda = to_qda_device(drm);
	file->drm = drm_file;
	file->opener = task_pid_nr(current);
	mutex_init(&file->lock);
	INIT_LIST_HEAD(&file->heap);
	INIT_LIST_HEAD(&file->maps);
	drm_file->driver_priv = file;
	return 0;
}

static void file_free(struct drm_device *drm, struct drm_file *drm_file)
{
	struct qda_file *file = drm_file->driver_priv;

	qda_session_free(file);
	bank_put(file);
	ida_free(&domains, file->id);
	mutex_destroy(&file->lock);
	kfree(file);
}

static int node_release(struct inode *inode, struct file *filp)
{
	struct drm_file *drm_file = filp->private_data;

	/* Before its buffer objects go: the DSP may still be at them. */
	qda_session_end(drm_file->driver_priv);
	return drm_release(inode, filp);
}

static const struct file_operations node_operations = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = node_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = drm_gem_mmap,
};

/* The device. */

static void device_free(struct drm_device *drm)
{
	struct qda_device *qda = to_qda_device(drm);

	while (qda->n_banks > 0)
		put_device(qda->banks[--qda->n_banks].dev);
	idr_destroy(&qda->calls);
	mutex_destroy(&qda->import_lock);
	mutex_destroy(&qda->lock);
}

/* How many ioctls there are qda_init() says. */
static struct drm_driver qda_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	.name = "qda",
	.desc = "DSPs, for tests",
	.date = "20261122",
	.fops = &node_operations,
	.ioctls = qda_ioctls,
	.open = file_new,
	.postclose = file_free,
	.release = device_free,
	.gem_create_object = qda_object_alloc,
	.prime_handle_to_fd = drm_gem_prime_handle_to_fd,
	.prime_fd_to_handle = qda_prime_fd_to_handle,
	.gem_prime_import = qda_prime_import,
	.gem_prime_import_sg_table = qda_prime_import_table,
	.gem_prime_mmap = drm_gem_prime_mmap,
};

/*
 * /dev/accel/accelN. Linux 6.1 has no drivers/accel, which came with 6.2: so the number, the class
 * and the folder of its nodes are registered here. A node's minor number is that of the device's
 * primary node in /dev/dri, by which drm_open() finds the device.
 */
static int accel_open(struct inode *inode, struct file *filp)
{
	struct drm_file *drm_file;
	int ret = drm_open(inode, filp);

	if (ret)
		return ret;
	drm_file = filp->private_data;
	if (drm_file->minor->dev->driver == &qda_driver)
		return 0;
	drm_release(inode, filp); /* somebody has made a node for another driver's device */
	return -ENODEV;
}

static struct file_operations accel_operations;

static char *accel_devnode(struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "accel/%s", dev_name(dev));
}

static int node_new(struct qda_device *qda)
{
	int number = qda->drm.primary->index;
	struct device *node = device_create(accel_class, &qda->rpdev->dev,
					    MKDEV(ACCEL_MAJOR, number), NULL, "accel%d", number);

	if (IS_ERR(node))
		return PTR_ERR(node);
	qda->node = node;
	return 0;
}

static struct qda_device *device_new(struct rpmsg_device *rpdev, const char *name)
{
	struct qda_device *qda =
		devm_drm_dev_alloc(&rpdev->dev, &qda_driver, struct qda_device, drm);

	if (IS_ERR(qda))
		return qda;
	qda->rpdev = rpdev;
	strscpy(qda->name, name, sizeof(qda->name));
	mutex_init(&qda->lock);
	INIT_LIST_HEAD(&qda->mappings);
	mutex_init(&qda->import_lock);
	spin_lock_init(&qda->calls_lock);
	idr_init(&qda->calls);
	return qda;
}

static int qda_probe(struct rpmsg_device *rpdev)
{
	struct device *dev = &rpdev->dev;
	struct qda_device *qda;
	const char *name;
	int ret = of_property_read_string(dev->of_node, "label", &name);

	if (ret)
		return ret;
	qda = device_new(rpdev, name);
	if (IS_ERR(qda))
		return PTR_ERR(qda);
	dev_set_drvdata(dev, qda);
	ret = of_platform_populate(dev->of_node, NULL, NULL, dev);
	if (ret)
		return ret;
	ret = drm_dev_register(&qda->drm, 0);
	if (ret)
		goto depopulate;
	ret = node_new(qda);
	if (ret)
		goto unplug;
	return 0;

unplug:
	drm_dev_unplug(&qda->drm);
depopulate:
	of_platform_depopulate(dev);
	return ret;
}

static void qda_remove(struct rpmsg_device *rpdev)
{
	struct qda_device *qda = dev_get_drvdata(&rpdev->dev);

	/* First of all: when the node is gone no call begins any more. */
	drm_dev_unplug(&qda->drm);
	device_unregister(qda->node);
	qda_calls_end(qda);
	/* Files that are open keep their objects, but nothing of that is for the DSP any more. */
	qda_mappings_end(qda);
	of_platform_depopulate(&rpdev->dev);
}

static const struct of_device_id qda_match[] = {
	{ .compatible = "dspbroker,qda-sim" },
	{}
};

static struct rpmsg_driver qda_rpmsg_driver = {
	.probe = qda_probe,
	.remove = qda_remove,
	.callback = qda_answer,
	.drv = {
		.name = "qda-sim",
		.of_match_table = qda_match,
		.suppress_bind_attrs = true,
	},
};

static void __init counters_show(void)
{
	struct dentry *folder = debugfs_create_dir("qda-sim", NULL);

	debugfs_create_atomic_t("late_answers", 0444, folder, &qda_counters.late_answers);
	debugfs_create_atomic_t("refused", 0444, folder, &qda_counters.refused);
	debugfs_create_atomic_t("sessions", 0444, folder, &qda_counters.sessions);
	debugfs_create_atomic_t("banks", 0444, folder, &qda_counters.banks);
	debugfs_create_atomic_t("contexts", 0444, folder, &qda_counters.contexts);
	debugfs_create_atomic_t("handles", 0444, folder, &qda_counters.handles);
	debugfs_create_atomic_t("objects", 0444, folder, &qda_counters.objects);
	debugfs_create_bool("sigbus", 0644, folder, &qda_sigbus);
}

/* It is built in, and never goes: what fails here fails the boot's tests. */
static int __init qda_init(void)
{
	int ret;

	accel_operations = node_operations;
	accel_operations.open = accel_open;
	qda_driver.num_ioctls = qda_n_ioctls;
	qda_memory_init();
	accel_class = class_create(THIS_MODULE, "accel");
	if (IS_ERR(accel_class))
		return PTR_ERR(accel_class);
	accel_class->devnode = accel_devnode;
	ret = __register_chrdev(ACCEL_MAJOR, 0, ACCEL_MINORS, "accel", &accel_operations);
	if (!ret)
		ret = platform_driver_register(&bank_driver);
	if (!ret)
		ret = register_rpmsg_driver(&qda_rpmsg_driver);
	counters_show();
	return ret;
}
device_initcall(qda_init);

MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
