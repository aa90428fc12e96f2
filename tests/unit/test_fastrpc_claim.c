// SPDX-License-Identifier: MIT
/* A device that policy calls exclusive is not used while another process has its nodes open, or
 * while nobody can tell. */
#include "tests/unit/who_rig.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/device.h"
#include "daemon/opener.h"
#include "daemon/transport/fastrpc/claim.h"
#include "daemon/transport/transport.h"
#include "tests/unit/log_rig.h"
#include "tests/unit/own_processes.h"

#define EXCLUSIVE                                                             \
	"{\"version\": 1, \"rules\": [], \"devices\": [{\"name\": \"cdsp\", " \
	"\"exclusive\": true}]}"
#define SHARED "{\"version\": 1, \"rules\": []}"

static const struct transport_ops transport = {.name = "fastrpc"};
static struct device device;
static struct claim claim;
static unsigned int told;

/* Two nodes that nobody else has open: far sides of terminals of our own. */
static int masters[2];
static char paths[2][64];
static struct fastrpc_found found;

static dev_t make_node(size_t i)
{
	struct stat stat_of;

	masters[i] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(masters[i], 0);
	ck_assert_int_eq(unlockpt(masters[i]), 0);
	ck_assert_int_eq(ptsname_r(masters[i], paths[i], sizeof(paths[i])), 0);
	ck_assert_int_eq(stat(paths[i], &stat_of), 0);
	return stat_of.st_rdev;
}

static void make_nodes(void)
{
	found = (struct fastrpc_found){.label = "cdsp", .plain = "p", .secure = "s"};
	found.plain_number = make_node(0);
	found.secure_number = make_node(1);
}

static void begin_with(const char *policy)
{
	struct policy_note error;

	log_rig_begin();
	rig_start();
	rig_options.dev = "/dev";
	list_init(&broker.clients);
	list_init(&broker.devices);
	ck_assert_int_eq(policy_parse(&broker.device_policy, "t.json", policy, strlen(policy),
				 &error, NULL, NULL),
		0);
	ck_assert_int_eq(opener_new(&broker.opener, &rig_options), 0);
	ck_assert_int_eq(who_new(&who, &broker, program(), whom()), 0);
	broker.who = who;
	device_add(&broker, &device, &transport, "cdsp");
	claim = (struct claim){};
	told = 0;
	make_nodes();
}

static void end(void)
{
	pid_t opener = opener_pid(broker.opener);

	claim_end(&claim);
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(masters); i++)
		close(masters[i]);
	broker.opener = opener_free(broker.opener);
	waitpid(opener, NULL, 0);
	broker.device_policy = policy_unref(broker.device_policy);
	rig_stop();
	log_rig_end();
}

/* How many lines there are of the device; others are of processes that could not be confined. Of
 * one it is *@line, if asked for. */
static size_t said(size_t *line)
{
	size_t n = 0;

	for (size_t i = 0; i < log_rig_lines(); i++) {
		const bool is_of_it = strstr(log_rig_line(i), "cdsp: ");

		if (is_of_it && line)
			*line = i;
		n += is_of_it;
	}
	return n;
}

static void on_told(struct claim *which)
{
	ck_assert_ptr_eq(which, &claim);
	told++;
}

static void claim_it(void)
{
	claim_begin(&claim, &device, &found, on_told);
}

static void await_told(unsigned int n)
{
	while (told < n)
		turn();
}

static bool opens(const void *path)
{
	return prctl(PR_SET_NAME, "bad\033name") == 0 && open(path, O_RDWR | O_NOCTTY) >= 0;
}

/* Soon: an answer may still be on its way that was true before. */
static void await_granted(void)
{
	while (!claim_is_granted(&claim))
		await_told(told + 1);
	ck_assert_str_eq(claim_trouble(&claim), "");
	ck_assert_str_eq(device.trouble_in_private, "");
}

START_TEST(what_policy_does_not_call_exclusive_is_granted_at_once)
{
	struct peer peer;

	begin_with(SHARED);
	peer_start_as(&peer, getuid(), opens, paths[0]);
	claim_it();
	ck_assert_uint_eq(told, 1);
	await_granted();
	ck_assert_uint_eq(said(NULL), 0);
	peer_end(&peer);
	end();
}
END_TEST

START_TEST(nodes_that_nobody_has_open_are_granted_once)
{
	begin_with(EXCLUSIVE);
	claim_it();
	ck_assert_uint_eq(told, 0); /* not before that is known */
	await_told(1);
	await_granted();
	claim_it(); /* another scan */
	ck_assert_uint_eq(told, 1);
	ck_assert_uint_eq(said(NULL), 0);
	end();
}
END_TEST

/* Either node, since each reaches all of the DSP. */
START_TEST(they_are_not_while_somebody_has_and_are_when_that_is_over)
{
	size_t line = 0;
	char expected[64];
	struct peer peer;

	begin_with(EXCLUSIVE);
	peer_start_as(&peer, getuid(), opens, paths[_i]);
	claim_it();
	await_told(3);
	ck_assert(!claim_is_granted(&claim));
	ck_assert_str_eq(claim_trouble(&claim),
		"its node is held open by another process; it is not used until that is over, "
		"since policy says exclusive");
	snprintf(expected, sizeof(expected), "by process %d (bad\\x1bname, uid %u);", peer.pid,
		getuid());
	ck_assert_ptr_nonnull(strstr(device.trouble_in_private, expected));
	/* Once for each holder, however often it is asked. */
	ck_assert_uint_eq(said(&line), 1);
	ck_assert_ptr_nonnull(strstr(log_rig_line(line), expected));
	peer_end(&peer);
	await_granted();
	end();
}
END_TEST

START_TEST(while_nobody_can_tell_they_are_not)
{
	begin_with(EXCLUSIVE);
	broker.who = NULL;
	claim_it();
	await_told(2);
	ck_assert(!claim_is_granted(&claim));
	ck_assert_ptr_nonnull(strstr(claim_trouble(&claim), "dspbroker-who is not there"));
	ck_assert_uint_eq(said(NULL), 1);
	broker.who = who;
	await_granted();
	end();
}
END_TEST

START_TEST(nodes_whose_number_is_not_known_are_not)
{
	begin_with(EXCLUSIVE);
	found.secure_number = 0;
	claim_it();
	ck_assert_uint_eq(told, 1);
	ck_assert_ptr_nonnull(strstr(claim_trouble(&claim), "number of its node"));
	/* The next scan finds it. */
	found.secure_number = found.plain_number;
	claim_it();
	await_granted();
	end();
}
END_TEST

/* The second of two comes a moment later. */
START_TEST(with_another_node_it_is_begun_anew)
{
	struct fastrpc_found both;
	struct peer peer;

	begin_with(EXCLUSIVE);
	both = found;
	peer_start_as(&peer, getuid(), opens, paths[0]);
	found.plain[0] = '\0';
	claim_it();
	found = both;
	claim_it();
	await_told(1);
	ck_assert(!claim_is_granted(&claim));
	peer_end(&peer);
	await_granted();
	end();
}
END_TEST

START_TEST(who_has_ended_it_is_told_nothing)
{
	struct peer peer;

	begin_with(EXCLUSIVE);
	claim_it();
	claim_end(&claim); /* a question is under way */
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
	ck_assert_uint_eq(told, 0);
	peer_start_as(&peer, getuid(), opens, paths[0]);
	claim_it();
	await_told(1);
	claim_end(&claim); /* it is to be asked again */
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
	ck_assert_str_eq(device.trouble, "");
	claim_end(&claim);
	peer_end(&peer);
	claim_it();
	await_granted();
	end();
}
END_TEST

int main(void)
{
	bool alone = own_processes();
	Suite *suite = suite_create("claim");
	TCase *tcase = tcase_create("claim");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, what_policy_does_not_call_exclusive_is_granted_at_once);
	if (alone) {
		tcase_add_test(tcase, nodes_that_nobody_has_open_are_granted_once);
		tcase_add_loop_test(tcase,
			they_are_not_while_somebody_has_and_are_when_that_is_over, 0, 2);
		tcase_add_test(tcase, while_nobody_can_tell_they_are_not);
		tcase_add_test(tcase, nodes_whose_number_is_not_known_are_not);
		tcase_add_test(tcase, with_another_node_it_is_begun_anew);
		tcase_add_test(tcase, who_has_ended_it_is_told_nothing);
	}
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
