// SPDX-License-Identifier: MIT
/*
 * What tests of the qda driver without a broker share. As in the harness, what fails ends the test.
 */
#ifndef DSP_TESTS_QDA_DSP_H
#define DSP_TESTS_QDA_DSP_H

#include "tests/kernel/cdsp.h"
#include "tests/kernel/fastrpc.h"
#include "tests/kernel/qda.h"

#define QDA_BANKS    5 /* dsp.dts */
#define QDA_UNSIGNED 8 /* an attribute of domains */

/* The node that is there, for a fixture of each test. */
extern char qda_path[64];
void qda_dsp_find(void);

/* The remote processor serves the DSP, and its node comes; and goes. */
void qda_dsp_up(void);
void qda_dsp_down(void);

/* An open node that has a context bank of its own; a domain in one, and the handle of its module
 * "bench". */
void qda_dsp_open(struct fastrpc_node *node);
uint32_t qda_dsp_domain(struct fastrpc_node *node);

/* No file is open any more, so nothing is left of what they had, in the kernel or on the DSP. */
void qda_dsp_require_nothing(void);
/* Close the last. */
void qda_dsp_close(struct fastrpc_node *node);

/* A dma-buf, whose descriptor is taken, mapped whole. */
struct fastrpc_memory qda_dsp_memory(int fd, size_t size);
/* Bytes that differ. */
void qda_dsp_fill(uint8_t *data, size_t size);

#endif
