// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/cdsp.h"
#include "tests/kernel/qda.h"

#define BUFFERS  "/sys/kernel/debug/dma_buf/bufinfo"
#define BANK     "compute-cb@"
#define LINE_MAX 512

/* What the kernel logs when the answer to a call that was interrupted has met another call. */
#define MIXED_UP "an answer comes late, and meets another call"

static const char *node(void)
{
	static char path[64];

	return qda_find(path, sizeof(path)) ? path : "";
}

static bool are_there(void)
{
	const char *path = node();

	return *path && access(path, R_OK) == 0;
}

static bool are_gone(void)
{
	return !*node();
}

static size_t free_sessions(void)
{
	return CDSP_SESSIONS - (size_t)qda_count("banks");
}

/* Who is interrupted gives its number to whoever comes next, so none is ever lost; but then an
 * answer may meet a call that is not its own. */
static size_t lost_calls(void)
{
	require(!kernel_said(MIXED_UP));
	return (size_t)qda_count("contexts");
}

static uint64_t count_lines(const char *path, const char *part, const char *other)
{
	FILE *file = fopen(path, "re");
	char line[LINE_MAX];
	uint64_t n = 0;

	require(file);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, part) && strstr(line, other);
	fclose(file);
	return n;
}

/* Each import attaches the context bank of its domain to the buffer. What the broker itself reads
 * and writes is none of its clients': in those it maps no byte that could be. */
static uint64_t mappings(const struct harness *harness)
{
	char maps[64];

	snprintf(maps, sizeof(maps), "/proc/%d/maps", harness->pid);
	return count_lines(BUFFERS, BANK, "") - count_lines(maps, " rw-s ", "/dmabuf:");
}

static uint64_t held(void)
{
	return qda_count("handles") + qda_count("objects");
}

static void await_nothing_left(void)
{
	require_soon(qda_count("sessions") == 0);
	require_soon(qda_count("banks") == 0);
	require_soon(qda_count("contexts") == 0);
	require_soon(qda_count("handles") == 0);
	require_soon(qda_count("objects") == 0);
	/* Nothing was asked that would harm the posted driver. */
	require_eq(qda_count("refused"), 0);
}

const struct cdsp_driver cdsp_driver = {
	.transport = "qda",
	.interrupted_ends = true,
	.are_there = are_there,
	.are_gone = are_gone,
	.node = node,
	.free_sessions = free_sessions,
	.lost_calls = lost_calls,
	.mappings = mappings,
	.held = held,
	.await_nothing_left = await_nothing_left,
};
