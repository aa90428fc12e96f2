// SPDX-License-Identifier: MIT
/* A remote processor that no IOMMU isolates; its device tree is test_without_iommu.dts. */
#include <fcntl.h>

#include "tests/kernel/testbed.h"

START_TEST(it_works_and_has_no_iommu_group)
{
	_cleanup_(fd_closep) int fd = -1;

	require_text(read_file(REMOTEPROC "/state"), "attached");
	require(access(REMOTEPROC "/device/iommu_group", F_OK) < 0);
	remote("serve 5000 echo");
	fd = rpmsg_open("echo", 5000, O_RDWR);
	rpmsg_echo(fd, RPMSG_MTU);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("without_iommu");
	TCase *tcase = tcase_create("without_iommu");

	tcase_add_test(tcase, it_works_and_has_no_iommu_group);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
