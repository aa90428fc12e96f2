// SPDX-License-Identifier: MIT
/*
 * A remote processor that no IOMMU isolates (drivers/iommu does not know it); its device tree is
 * test_without_iommu.dts.
 */
#include <fcntl.h>

#include "tests/kernel/messages.h"

#define DEVICE  "rpmsg0"
#define ADDRESS 5001
#define CHANNEL "rpmsg0/exposed"
#define ACCEPT  ", \"without_iommu\": \"accept\""
#define ON_DEMAND                                                     \
	", \"transport\": \"rpmsg\", \"remoteproc\": \"remoteproc0\"" \
	", \"lifecycle\": \"on-demand\", \"idle_ms\": 0"
#define POLICY_DEVICE(keys)                                       \
	POLICY_WITH_DEVICES("{\"name\": \"" DEVICE "\"" keys "}", \
		ALLOW("everybody", EVERYBODY, "\"*/*\"", ""))

static struct harness harness;

static bool is(const char *state)
{
	return harness_contains(read_file(REMOTEPROC "/state"), state);
}

static struct dspbroker *begin(const char *policy)
{
	harness_start(&harness, policy);
	return connect_to(&harness);
}

static void end(struct dspbroker *broker)
{
	dspbroker_free(broker);
	harness_stop(&harness);
}

static void announce(void)
{
	serve(ADDRESS, "echo", "exposed");
}

START_TEST(it_works_and_has_no_iommu_group)
{
	_cleanup_(fd_closep) int fd = -1;

	require(is("attached"));
	require(access(REMOTEPROC "/device/iommu_group", F_OK) < 0);
	remote("serve 5000 echo");
	fd = rpmsg_open("echo", 5000, O_RDWR);
	rpmsg_echo(fd, RPMSG_MTU);
}
END_TEST

/* The channel is there, the rule allows it, and still it cannot be opened. */
static void is_refused(struct dspbroker *broker)
{
	struct dspbroker_session *session;

	require_eq(dspbroker_session_open(broker, &session, CHANNEL), DSPBROKER_DENIED);
	require_text(dspbroker_message(), "IOMMU");
	require_text(dspbroker_message(), "\"without_iommu\": \"accept\"");
	require_eq(device_record(broker, DEVICE).isolation, DSPBROKER_ISOLATION_REFUSED);
}

START_TEST(by_default_it_is_refused_and_the_key_that_would_accept_it_is_named)
{
	struct dspbroker *broker = begin(ALLOW_WITH(""));
	const char *output;

	require_soon(is_listed(broker, CHANNEL));
	is_refused(broker);
	require(harness_logged(&harness, "\"without_iommu\": \"accept\""));
	require_eq(harness_dspctl(&harness, ALICE, &output, "devices"), 0);
	require_text(output, "none, refused");
	require(harness_dspctl(&harness, ALICE, &output, "send", CHANNEL, "hello") != 0);
	require_text(output, "without_iommu");
	end(broker);
}
END_TEST

START_TEST(refused_it_is_not_started_either)
{
	struct dspbroker *broker;

	require(write_file(REMOTEPROC "/state", "stop"));
	broker = begin(POLICY_DEVICE(ON_DEMAND));
	is_refused(broker);
	require(is("offline"));
	end(broker);
	require(write_file(REMOTEPROC "/state", "start"));
}
END_TEST

static void echoes(struct dspbroker *broker)
{
	struct dspbroker_session *session = open_channel(broker, CHANNEL);

	echo_stamped(session, RPMSG_MTU, 1, 1);
	dspbroker_session_close(session);
}

START_TEST(accepted_by_policy_it_works)
{
	struct dspbroker *broker = begin(POLICY_DEVICE(ACCEPT));
	const char *output;

	require_soon(is_listed(broker, CHANNEL));
	require_eq(device_record(broker, DEVICE).isolation, DSPBROKER_ISOLATION_ACCEPTED);
	echoes(broker);
	require_eq(harness_dspctl(&harness, ALICE, &output, "devices"), 0);
	require_text(output, "none, accepted");
	require(harness_logged(&harness, "policy accepts that"));
	end(broker);
}
END_TEST

START_TEST(accepted_by_policy_it_is_started)
{
	struct dspbroker *broker;

	require(write_file(REMOTEPROC "/state", "stop"));
	broker = begin(POLICY_DEVICE(ON_DEMAND ACCEPT));
	echoes(broker);
	require_soon(is("offline"));
	end(broker);
	require(write_file(REMOTEPROC "/state", "start"));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("rpmsg without an IOMMU");
	TCase *tcase = tcase_create("without_iommu");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, announce, NULL);
	tcase_add_test(tcase, it_works_and_has_no_iommu_group);
	tcase_add_test(tcase, by_default_it_is_refused_and_the_key_that_would_accept_it_is_named);
	tcase_add_test(tcase, refused_it_is_not_started_either);
	tcase_add_test(tcase, accepted_by_policy_it_works);
	tcase_add_test(tcase, accepted_by_policy_it_is_started);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
