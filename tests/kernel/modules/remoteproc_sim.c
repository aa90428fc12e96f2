// SPDX-License-Identifier: GPL-2.0
/*
 * A remote processor for tests. It has the life of a real one as far as the remoteproc framework
 * is concerned; what it runs is a program outside of this kernel, which is reached by the devices
 * below the remote processor's node in the device tree: they exist while it runs or is attached,
 * as on hardware, where its firmware brings them.
 *
 * The kernel finds it running, and attaches to it. Any firmware can be started. It crashes when
 * that program leaves (or on request, by the framework's debugfs), and leaves a core dump then.
 */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/of_platform.h>
#include <linux/platform_device.h>
#include <linux/remoteproc.h>
#include <linux/virtio-uml.h>

#include "remoteproc_internal.h"

#define SIM_FIRMWARE	"dspbroker-sim.fw"
#define SIM_DUMP_AT	0x1000
#define SIM_DUMP_SIZE	(256 * 1024)

struct remoteproc_sim {
	struct rproc *rproc;
	struct device *dev;
	struct rproc_subdev children;
	struct notifier_block broken;
};

static void sim_dump(struct rproc *rproc, struct rproc_dump_segment *segment, void *dest,
		     size_t offset, size_t size)
{
	memset(dest, 0, size);
	if (offset == 0)
		snprintf(dest, size, "%s: crash #%u\n", rproc->name, rproc->crash_cnt);
}

static int sim_prepare(struct rproc *rproc)
{
	return rproc_coredump_add_custom_segment(rproc, SIM_DUMP_AT, SIM_DUMP_SIZE, sim_dump, NULL);
}

/* Of all these there is nothing to do, but the framework wants to have them. */
static int sim_nothing(struct rproc *rproc)
{
	return 0;
}

static int sim_load(struct rproc *rproc, const struct firmware *fw)
{
	return 0;
}

static const struct rproc_ops sim_ops = {
	.prepare = sim_prepare,
	.load = sim_load,
	.start = sim_nothing,
	.stop = sim_nothing,
	.attach = sim_nothing,
	.detach = sim_nothing,
};

static int sim_children_start(struct rproc_subdev *subdev)
{
	struct remoteproc_sim *sim = container_of(subdev, struct remoteproc_sim, children);

	return of_platform_populate(sim->dev->of_node, NULL, NULL, sim->dev);
}

static void sim_children_stop(struct rproc_subdev *subdev, bool crashed)
{
	struct remoteproc_sim *sim = container_of(subdev, struct remoteproc_sim, children);

	of_platform_depopulate(sim->dev);
}

static int sim_broken(struct notifier_block *block, unsigned long action, void *data)
{
	struct remoteproc_sim *sim = container_of(block, struct remoteproc_sim, broken);
	struct platform_device *pdev = data;

	if (pdev->dev.parent == sim->dev)
		rproc_report_crash(sim->rproc, RPROC_FATAL_ERROR);
	return NOTIFY_OK;
}

static int remoteproc_sim_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct remoteproc_sim *sim;
	struct rproc *rproc;
	int ret;

	rproc = devm_rproc_alloc(dev, dev_name(dev), &sim_ops, SIM_FIRMWARE, sizeof(*sim));
	if (!rproc)
		return -ENOMEM;

	sim = rproc->priv;
	sim->rproc = rproc;
	sim->dev = dev;
	sim->children.start = sim_children_start;
	sim->children.stop = sim_children_stop;
	sim->broken.notifier_call = sim_broken;
	rproc_add_subdev(rproc, &sim->children);
	rproc_coredump_set_elf_info(rproc, ELFCLASS32, EM_NONE);
	rproc->state = RPROC_DETACHED;
	rproc->auto_boot = false;

	ret = devm_rproc_add(dev, rproc);
	if (ret)
		return ret;
	platform_set_drvdata(pdev, sim);
	blocking_notifier_chain_register(&virtio_uml_broken, &sim->broken);

	/* Not by auto_boot, which would be later: who runs in user space finds it attached. */
	return rproc_boot(rproc);
}

static const struct of_device_id remoteproc_sim_match[] = {
	{ .compatible = "dspbroker,remoteproc-sim" },
	{}
};

static struct platform_driver remoteproc_sim_driver = {
	.probe = remoteproc_sim_probe,
	.driver = {
		.name = "remoteproc-sim",
		.of_match_table = remoteproc_sim_match,
		.suppress_bind_attrs = true,
	},
};
builtin_platform_driver(remoteproc_sim_driver);
