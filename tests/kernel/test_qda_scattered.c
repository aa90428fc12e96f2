// SPDX-License-Identifier: MIT
/* Without an IOMMU the qda driver takes memory of one piece only. */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "tests/kernel/exporters.h"
#include "tests/kernel/qda_dsp.h"

#define PAGE 4096

/* A page @n times, which is in no memory one behind the other. */
static int export_repeated(uint32_t n)
{
	_cleanup_(fd_closep) int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	_cleanup_(fd_closep) int memfd = export_memfd(PAGE);
	_cleanup_(freep) struct udmabuf_create_list *list =
		calloc(1, sizeof(*list) + n * sizeof(list->list[0]));
	int fd;

	require(device >= 0 && list);
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = n;
	for (uint32_t i = 0; i < n; i++)
		list->list[i] =
			(struct udmabuf_create_item){.memfd = (uint32_t)memfd, .size = PAGE};
	fd = ioctl(device, UDMABUF_CREATE_LIST, list);
	require(fd >= 0);
	return fd;
}

START_TEST(a_dma_buf_that_lies_apart_is_refused_and_one_of_a_piece_is_not)
{
	_cleanup_(fd_closep) int whole = export_repeated(1), apart = export_repeated(2);
	struct fastrpc_node node;
	uint32_t handle;

	qda_dsp_open(&node);
	require_eq(qda_import(&node, apart, &handle), -EINVAL);
	require_eq(qda_count("objects"), 0);
	require_eq(qda_import(&node, whole, &handle), 0);
	require_eq(qda_count("objects"), 1);
	qda_dsp_close(&node);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("qda_scattered");
	TCase *tcase = tcase_create("qda_scattered");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, qda_dsp_up, NULL);
	tcase_add_test(tcase, a_dma_buf_that_lies_apart_is_refused_and_one_of_a_piece_is_not);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
