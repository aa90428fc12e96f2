// SPDX-License-Identifier: MIT
/* What texts of /proc say is told as systemd, Flatpak and snapd mean it; what is hostile, is not.
 */
#include <stdio.h>
#include <string.h>

#include "policy/facts_parse.h"
#include "protocol/util.h"
#include "tests/suite.h"

#define ALICE 1000
#define TREE  "0::/user.slice/user-1000.slice/user@1000.service/"

#define FILL16(x)  x x x x x x x x x x x x x x x x
#define FILL256(x) FILL16(FILL16(x))

/* NULL: unknown. */
static const char *fact(const struct facts *facts, enum identity_fact fact)
{
	return facts->known & 1u << fact ? facts->text[fact] : NULL;
}

static void assert_fact(const struct facts *facts, enum identity_fact which, const char *expected,
	const char *of)
{
	const char *is = fact(facts, which);

	ck_assert_msg((is && expected) ? !strcmp(is, expected) : is == expected,
		"of %s, the %s is \"%s\", not \"%s\"", of, identity_fact_name(which),
		is ? is : "(unknown)", expected ? expected : "(unknown)");
}

static const struct {
	const char *text, *unit, *user_unit, *slice, *snap;
} cgroups[] = {
	/* The system's. */
	{"0::/system.slice/player.service\n", "player.service", "", "system.slice", ""},
	{"0::/player.service\n", "player.service", "", "", ""},
	{"0::/init.scope\n", "init.scope", "", "", ""},
	{"0::/a.slice/a-b.slice/a-b-c.slice/x.service\n", "x.service", "", "a-b-c.slice", ""},
	{"0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service", "",
		"system-getty.slice", ""},
	{"0::/system.slice/docker-0123456789abcdef.scope\n", "docker-0123456789abcdef.scope", "",
		"system.slice", ""},
	{"0::/system.slice/dev-disk-by\\x2duuid-1.swap\n", "dev-disk-by\\x2duuid-1.swap", "",
		"system.slice", ""},
	{"0::/system.slice/dbus.socket\n", "dbus.socket", "", "system.slice", ""},
	{"0::/system.slice/tmp.mount\n", "tmp.mount", "", "system.slice", ""},
	/* None. */
	{"0::/\n", "", "", "", ""},
	{"0::/system.slice\n", "", "", "system.slice", ""},
	{"0::/docker/0123456789abcdef\n", "", "", "", ""},
	{"0::/lxc/system.slice/player.service\n", "", "", "", ""},
	{"0::/system.slice/folder/player.service\n", "", "", "system.slice", ""},
	/* What is below a unit is the unit's own. */
	{"0::/system.slice/player.service/app.slice/other.service\n", "player.service", "",
		"system.slice", ""},
	{"0::/machine.slice/systemd-nspawn@c.service/payload/system.slice/player.service\n",
		"systemd-nspawn@c.service", "", "machine.slice", ""},
	{"0::/player.service/user@1000.service/app.slice/x.service\n", "player.service", "", "",
		""},
	/* Names that the kernel has a use for. */
	{"0::/system.slice/_cgroup.service\n", "cgroup.service", "", "system.slice", ""},
	{"0::/_cpu.slice/__x.service\n", "_x.service", "", "cpu.slice", ""},
	{"0::/system.slice/_\n", "", "", "system.slice", ""},
	/* A user's. */
	{TREE "app.slice/app-player.scope\n", "user@1000.service", "app-player.scope",
		"user-1000.slice", ""},
	{TREE "session.slice/app-a.slice/p@1.service/sub\n", "user@1000.service", "p@1.service",
		"user-1000.slice", ""},
	{TREE "init.scope\n", "user@1000.service", "init.scope", "user-1000.slice", ""},
	{TREE "app.slice\n", "user@1000.service", "", "user-1000.slice", ""},
	{TREE "folder/x.service\n", "user@1000.service", "", "user-1000.slice", ""},
	{TREE "system.slice/user@1000.service/x.service\n", "user@1000.service",
		"user@1000.service", "user-1000.slice", ""},
	{"0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope", "",
		"user-1000.slice", ""},
	/* Somebody else's, or nobody's. */
	{"0::/user.slice/user-1001.slice/user@1001.service/app.slice/x.scope\n",
		"user@1001.service", "", "user-1001.slice", ""},
	{"0::/user.slice/user@01000.service/x.scope\n", "user@01000.service", "", "user.slice", ""},
	{"0::/user.slice/user@4294968296.service/x.scope\n", "user@4294968296.service", "",
		"user.slice", ""},
	{"0::/user.slice/user@1000x.service/x.scope\n", "user@1000x.service", "", "user.slice", ""},
	/* Not names of units. */
	{"0::/system.slice/.service\n", "", "", "system.slice", ""},
	{"0::/system.slice/@.service\n", "", "", "system.slice", ""},
	{"0::/system.slice/@x.service\n", "", "", "system.slice", ""},
	{"0::/system.slice/x@.service\n", "", "", "system.slice", ""},
	{"0::/system.slice/x y.service\n", "", "", "system.slice", ""},
	{"0::/system.slice/x.timer\n", "", "", "system.slice", ""},
	{"0::/system.slice/x.service.d\n", "", "", "system.slice", ""},
	{"0::/system.slice/x\xc3\xa4.service\n", "", "", "system.slice", ""},
	{"0::/a@b.slice/x.service\n", "", "", "", ""},
	{"0::/.slice/x.service\n", "", "", "", ""},
	{"0::/system.slice//x.service\n", "", "", "system.slice", ""},
	{"0::/" FILL256("x") ".service\n", "", "", "", ""},
	{"0::/" FILL256("x") ".slice/x.service\n", "", "", "", ""},
	/* Outside of what we see, or gone. */
	{"0::/../player.service\n", NULL, NULL, NULL, NULL},
	{"0::/..\n", NULL, NULL, NULL, NULL},
	{"0::/../../system.slice/player.service\n", NULL, NULL, NULL, NULL},
	{"0::/system.slice/player.service (deleted)\n", NULL, NULL, NULL, NULL},
	/* Several hierarchies. */
	{"9:name=systemd:/system.slice/a.service\n1:cpu:/\n0::/\n", "a.service", "", "system.slice",
		""},
	{"1:name=systemd:/\n0::/system.slice/a.service\n", "a.service", "", "system.slice", ""},
	{"1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n", "a.service", "",
		"system.slice", ""},
	{"1:name=systemd:/system.slice/a.service/x\n0::/system.slice/a.service/y\n", "a.service",
		"", "system.slice", ""},
	{"1:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n", NULL, NULL, NULL,
		NULL},
	{"1:name=systemd:/a.slice/a.service\n0::/b.slice/a.service\n", NULL, NULL, NULL, NULL},
	{"1:name=systemd:/../a.service\n0::/\n", NULL, NULL, NULL, NULL},
	{"4:memory:/system.slice/b.service\n1:name=systemd:/system.slice/a.service\n", "a.service",
		"", "system.slice", ""},
	{"4:memory:/../x\n0::/system.slice/a.service\n", "a.service", "", "system.slice", ""},
	{"4:memory:/system.slice/b.service\n", NULL, NULL, NULL, NULL},
	{"4:name=elogind:/1\n", NULL, NULL, NULL, NULL},
	/* Snaps. */
	{"0::/system.slice/snap.player.daemon.service\n", "snap.player.daemon.service", "",
		"system.slice", "player"},
	{"0::/system.slice/snap.my-player_two.daemon.service\n",
		"snap.my-player_two.daemon.service", "", "system.slice", "my-player_two"},
	{"0::/system.slice/snap.player.service\n", "snap.player.service", "", "system.slice", NULL},
	{"0::/system.slice/snap.Player.daemon.service\n", "snap.Player.daemon.service", "",
		"system.slice", NULL},
	{"0::/system.slice/snap..daemon.service\n", "snap..daemon.service", "", "system.slice",
		NULL},
	{TREE "app.slice/snap.player.player-1f.scope\n", "user@1000.service",
		"snap.player.player-1f.scope", "user-1000.slice", NULL},
	{TREE "snap.player.daemon.service\n", "user@1000.service", "snap.player.daemon.service",
		"user-1000.slice", NULL},
	/* Not what the kernel writes. */
	{"", NULL, NULL, NULL, NULL},
	{"\n", NULL, NULL, NULL, NULL},
	{"0::", NULL, NULL, NULL, NULL},
	{"0::x.service\n", NULL, NULL, NULL, NULL},
	{"0:name=systemd:/x.service\n", NULL, NULL, NULL, NULL},
	{"1::/x.service\n", NULL, NULL, NULL, NULL},
	{"00::/x.service\n", NULL, NULL, NULL, NULL},
	{"x::/x.service\n", NULL, NULL, NULL, NULL},
	{"0:/x.service\n", NULL, NULL, NULL, NULL},
	{"99999999999::/x.service\n", NULL, NULL, NULL, NULL},
	{"0::/a.slice/a.service\nrubbish\n", NULL, NULL, NULL, NULL},
};

START_TEST(units_and_slices_are_those_of_systemd)
{
	const char *text = cgroups[_i].text;
	struct facts facts = {};

	facts_parse_cgroup(&facts, text, strlen(text), ALICE);
	assert_fact(&facts, IDENTITY_UNIT, cgroups[_i].unit, text);
	assert_fact(&facts, IDENTITY_USER_UNIT, cgroups[_i].user_unit, text);
	assert_fact(&facts, IDENTITY_SLICE, cgroups[_i].slice, text);
	assert_fact(&facts, IDENTITY_SNAP, cgroups[_i].snap, text);
}
END_TEST

START_TEST(a_text_that_is_cut_anywhere_never_tells_another_unit)
{
	static const char text[] = "1:name=systemd:/a.slice/player.service\n"
				   "0::/a.slice/player.service\n";

	for (size_t size = 0; size < sizeof(text); size++) {
		_cleanup_(freep) char *copy =
			malloc(MAX(size, 1)); /* so that a byte too many is found */
		struct facts facts = {};
		const char *unit;

		memcpy(copy, text, size);
		facts_parse_cgroup(&facts, copy, size, ALICE);
		unit = fact(&facts, IDENTITY_UNIT);
		ck_assert(!unit || !*unit || !strcmp(unit, "player.service"));
	}
}
END_TEST

START_TEST(a_nul_is_in_no_name)
{
	static const char text[] = "0::/a.slice/x\0.service\n";
	struct facts facts = {};

	facts_parse_cgroup(&facts, text, sizeof(text) - 1, ALICE);
	assert_fact(&facts, IDENTITY_UNIT, "", "a text with a NUL");
	facts_parse_executable(&facts, "/usr/bin/x\0y", 12);
	assert_fact(&facts, IDENTITY_EXECUTABLE, NULL, "a path with a NUL");
}
END_TEST

static const struct {
	const char *path, *executable;
} executables[] = {
	{"/usr/bin/player", "/usr/bin/player"},
	{"/", "/"},
	{"/opt/a b/\xc3\xa4", "/opt/a b/\xc3\xa4"},
	{"/usr/bin/player (deleted)", NULL},
	{"(unreachable)/usr/bin/player", NULL},
	{"usr/bin/player", NULL},
	{"", NULL},
	{"/usr/bin/pl\nayer", NULL},
	{"/usr/bin/player\x7f", NULL},
	{"/" FILL256("x"), NULL},
};

START_TEST(an_executable_is_a_whole_clean_path)
{
	struct facts facts = {};
	const char *path = executables[_i].path;

	facts_parse_executable(&facts, path, strlen(path));
	assert_fact(&facts, IDENTITY_EXECUTABLE, executables[_i].executable, path);
}
END_TEST

static const struct {
	const char *text, *id;
} flatpaks[] = {
	{"[Application]\nname=org.example.Player\nruntime=runtime/org.x/1\n\n[Instance]\n",
		"org.example.Player"},
	{"# made\n[Application]\n name = org.example.my_Player-2 \r\n", "org.example.my_Player-2"},
	{"[Instance]\nname=org.example.Other\n[Application]\nname=org.example.Player",
		"org.example.Player"},
	{"[Application]\nnames=org.example.A\nname=org.example.Player\n[Context]\nname=x\n",
		"org.example.Player"},
	/* A runtime is no application. */
	{"[Runtime]\nname=org.example.Platform\n", ""},
	{"[Application]\nruntime=x\n", ""},
	{"", ""},
	{"name=org.example.Player\n", ""},
	{"[Application\nname=org.example.Player\n", ""},
	{"[application]\nname=org.example.Player\n", ""},
	/* Not an id. */
	{"[Application]\nname=\n", NULL},
	{"[Application]\nname\n", NULL},
	{"[Application]\nname=player\n", NULL},
	{"[Application]\nname=example.Player\n", NULL},
	{"[Application]\nname=org..Player\n", NULL},
	{"[Application]\nname=.org.example.Player\n", NULL},
	{"[Application]\nname=org.example.Player.\n", NULL},
	{"[Application]\nname=org.example.3D\n", NULL},
	{"[Application]\nname=org.example.Play er\n", NULL},
	{"[Application]\nname=org/example.Pl.ayer\n", NULL},
	{"[Application]\nname=org.example.Pl\xc3\xa4yer\n", NULL},
	{"[Application]\nname=a.b." FILL256("x") "\n", NULL},
	/* Twice. */
	{"[Application]\nname=org.example.A\nname=org.example.B\n", NULL},
	{"[Application]\nname=org.example.A\n[X]\n[Application]\nname=org.example.A\n", NULL},
};

START_TEST(a_flatpak_is_what_flatpak_says_of_an_application)
{
	struct facts facts = {};
	const char *text = flatpaks[_i].text;

	facts_parse_flatpak(&facts, text, strlen(text));
	assert_fact(&facts, IDENTITY_FLATPAK, flatpaks[_i].id, text);
}
END_TEST

static const struct {
	const char *label, *unit_says, *snap;
} labels[] = {
	{"snap.player.app (enforce)", NULL, "player"},
	{"snap.player.app (enforce)", "", "player"},
	{"snap.player.app (enforce)", "player", "player"},
	{"snap.player_two.hook.configure (enforce)", NULL, "player_two"},
	{"snap.player.app (enforce)", "other", NULL}, /* who is right? */
	/* Anybody may take a label that does not confine. */
	{"snap.player.app (complain)", "", NULL},
	{"snap.player.app", "player", NULL},
	{"snap.player.app (unconfined)", NULL, NULL},
	/* Not snapd's. */
	{"snap.player (enforce)", "", NULL},
	{"snap..app (enforce)", "", NULL},
	{"snap.Player.app (enforce)", "", NULL},
	{"snap.player.app//&unconfined (enforce)", "", NULL},
	{"snap. (enforce)", "", NULL},
	{"snap." FILL256("x") ".app (enforce)", "", NULL},
	/* Another's label says nothing of snaps. */
	{"unconfined", "", ""},
	{"unconfined", "player", "player"},
	{"system_u:system_r:snap.player.app", NULL, NULL},
	{"/usr/bin/player (enforce)", "", ""},
	{"", "", ""},
	{NULL, "player", "player"},
};

START_TEST(a_snap_is_what_its_confining_label_says_else_the_unit)
{
	struct identity identity = {.pidfd = -1};
	struct facts facts = {};

	if (labels[_i].label)
		identity.facts[IDENTITY_LABEL] = strdup(labels[_i].label);
	if (labels[_i].unit_says) {
		facts.known = 1u << IDENTITY_SNAP;
		snprintf(facts.text[IDENTITY_SNAP], FACT_SIZE, "%s", labels[_i].unit_says);
	}
	ck_assert_int_eq(facts_give(&facts, &identity), 0);
	if (labels[_i].snap)
		ck_assert_str_eq(identity.facts[IDENTITY_SNAP], labels[_i].snap);
	else
		ck_assert_ptr_null(identity.facts[IDENTITY_SNAP]);
	if (labels[_i].label)
		ck_assert_str_eq(identity.facts[IDENTITY_LABEL], labels[_i].label);
	identity_deinit(&identity);
}
END_TEST

START_TEST(what_is_known_is_given_and_the_rest_and_the_label_stay)
{
	struct identity identity = {.pidfd = -1};
	struct facts facts = {.known = ~0u};

	identity.facts[IDENTITY_LABEL] = strdup("label");
	memset(facts.text[IDENTITY_UNIT], 'x', FACT_SIZE); /* not even a NUL at its end */
	snprintf(facts.text[IDENTITY_LABEL], FACT_SIZE, "forged");
	ck_assert_int_eq(facts_give(&facts, &identity), 0);
	ck_assert_str_eq(identity.facts[IDENTITY_LABEL], "label");
	ck_assert_uint_eq(strlen(identity.facts[IDENTITY_UNIT]), FACT_SIZE - 1);
	ck_assert_str_eq(identity.facts[IDENTITY_SLICE], "");
	facts = (struct facts){.known = 1u << IDENTITY_UNIT, .text[IDENTITY_UNIT] = "a.service"};
	ck_assert_int_eq(facts_give(&facts, &identity), 0);
	ck_assert_str_eq(identity.facts[IDENTITY_UNIT], "a.service");
	ck_assert_str_eq(identity.facts[IDENTITY_EXECUTABLE], "");
	identity_deinit(&identity);
}
END_TEST

#define STATUS(uid, gid, groups) \
	"Name:\tUid:\\n\nUid:\t" uid "\nGid:\t" gid "\nFDSize:\t64\nGroups:\t" groups "\n"

START_TEST(ids_are_the_effective_ones)
{
	static const char text[] = STATUS("1\t1000\t3\t4", "5\t60\t7\t8", "4 20 1000 ");
	struct facts_ids ids;

	ck_assert_int_eq(facts_parse_status(text, strlen(text), &ids, true), 0);
	ck_assert_uint_eq(ids.uid, 1000);
	ck_assert_uint_eq(ids.gid, 60);
	ck_assert_uint_eq(ids.n_groups, 3);
	ck_assert_uint_eq(ids.groups[0], 4);
	ck_assert_uint_eq(ids.groups[2], 1000);
	free(ids.groups);
	ck_assert_int_eq(facts_parse_status(text, strlen(text), &ids, false), 0);
	ck_assert_ptr_null(ids.groups);
}
END_TEST

START_TEST(a_status_that_is_not_one_tells_nobody)
{
	static const char *const bad[] = {"", "Uid:\t0\n", "Uid:\t0\t0\t0\t0\n",
		STATUS("1\tx\t1\t1", "1\t1\t1\t1", ""), STATUS("1\t\t1\t1", "1\t1\t1\t1", ""),
		STATUS("1\t4294967296\t1\t1", "1\t1\t1\t1", ""),
		STATUS("1\t-1\t1\t1", "1\t1\t1\t1", ""), STATUS("1\t1\t1\t1", "1\t01\t1\t1", ""),
		STATUS("1\t1\t1\t1", "1\t1\t1\t1", "1 x"), "Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\n"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct facts_ids ids;

		ck_assert_int_eq(facts_parse_status(bad[i], strlen(bad[i]), &ids, true), -EINVAL);
		ck_assert_ptr_null(ids.groups);
	}
}
END_TEST

START_TEST(a_pidfd_names_its_process_or_nobody)
{
	static const struct {
		const char *text;
		pid_t pid;
	} infos[] = {
		{"pos:\t0\nflags:\t02000002\nPid:\t4711\nNSpid:\t4711\n", 4711},
		{"Pid:\t-1\n", -1}, /* it has ended */
		{"Pid:\t0\n", -1},  /* not of our pid namespace */
		{"Pid:\t4294967295\n", -1},
		{"Pid:\t\n", -1},
		{"pos:\t0\n", -1}, /* not a pidfd */
		{"NSPid:\t5\n", -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(infos); i++)
		ck_assert_int_eq(facts_parse_fdinfo(infos[i].text, strlen(infos[i].text)),
			infos[i].pid);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("facts_parse");
	TCase *tcase = tcase_create("texts");

	tcase_add_loop_test(tcase, units_and_slices_are_those_of_systemd, 0, ARRAY_SIZE(cgroups));
	tcase_add_test(tcase, a_text_that_is_cut_anywhere_never_tells_another_unit);
	tcase_add_test(tcase, a_nul_is_in_no_name);
	tcase_add_loop_test(tcase, an_executable_is_a_whole_clean_path, 0, ARRAY_SIZE(executables));
	tcase_add_loop_test(tcase, a_flatpak_is_what_flatpak_says_of_an_application, 0,
		ARRAY_SIZE(flatpaks));
	tcase_add_loop_test(tcase, a_snap_is_what_its_confining_label_says_else_the_unit, 0,
		ARRAY_SIZE(labels));
	tcase_add_test(tcase, what_is_known_is_given_and_the_rest_and_the_label_stay);
	tcase_add_test(tcase, ids_are_the_effective_ones);
	tcase_add_test(tcase, a_status_that_is_not_one_tells_nobody);
	tcase_add_test(tcase, a_pidfd_names_its_process_or_nobody);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
