// SPDX-License-Identifier: MIT
/*
 * How tests command the remote processor: lines of text, each answered by a line, "ok", with what
 * was asked for behind it, or "error" and why.
 */
#ifndef DSP_REMOTE_CONTROL_H
#define DSP_REMOTE_CONTROL_H

#include "tests/kernel/remote/iommu.h"
#include "tests/kernel/remote/loop.h"
#include "tests/kernel/remote/rpmsg.h"

#define CONTROL_LINE_MAX 1024

struct control {
	struct source source;
	struct rpmsg *rpmsg;
	struct iommu *iommu;
	size_t n;
	char line[CONTROL_LINE_MAX];
};

/* Serve a stream socket, which is taken. */
int control_init(struct control *control, struct loop *loop, int fd, struct rpmsg *rpmsg,
	struct iommu *iommu);
/* What there is to be said, for people. */
void control_help(void);

#endif
