// SPDX-License-Identifier: MIT
#include "tests/kernel/qda_dsp.h"

#include <stdio.h>
#include <sys/mman.h>

#define ADDRESS "3900"

char qda_path[64];

void qda_dsp_find(void)
{
	require_soon(qda_find(qda_path, sizeof(qda_path)));
}

void qda_dsp_up(void)
{
	remote("serve " ADDRESS " fastrpc");
	remote("announce " ADDRESS " " FASTRPC_CHANNEL);
	qda_dsp_find();
}

static bool is_gone(void)
{
	return access(qda_path, F_OK) < 0;
}

void qda_dsp_down(void)
{
	remote("withdraw " ADDRESS);
	require_soon(is_gone());
}

void qda_dsp_open(struct fastrpc_node *node)
{
	require_eq(fastrpc_open_by_another(node, qda_path), 0);
}

uint32_t qda_dsp_domain(struct fastrpc_node *node)
{
	uint32_t handle;

	qda_dsp_open(node);
	require_eq(qda_create(node, QDA_UNSIGNED), 0);
	require_eq(qda_open_module(node, "bench", &handle), 0);
	return handle;
}

void qda_dsp_require_nothing(void)
{
	static const char *const kernels[] = {
		"sessions", "banks", "contexts", "handles", "objects"};
	static const char *const dsps[] = {"domains", "maps", "heap"};

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		if (qda_count(kernels[i]) != 0)
			harness_fail(__FILE__, __LINE__, "the kernel has %s left: %llu", kernels[i],
				(unsigned long long)qda_count(kernels[i]));
	for (size_t i = 0; i < ARRAY_SIZE(dsps); i++)
		if (cdsp_count(dsps[i]) != 0)
			harness_fail(__FILE__, __LINE__, "the DSP has %s left", dsps[i]);
}

void qda_dsp_close(struct fastrpc_node *node)
{
	fastrpc_close(node);
	qda_dsp_require_nothing();
}

struct fastrpc_memory qda_dsp_memory(int fd, size_t size)
{
	struct fastrpc_memory memory = {.fd = fd, .size = size};

	memory.data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	require(memory.data != MAP_FAILED);
	return memory;
}

void qda_dsp_fill(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
}
