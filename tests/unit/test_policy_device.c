// SPDX-License-Identifier: MIT
/* What a policy says of devices. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "policy/compiled.h"
#include "policy/policy.h"
#include "tests/suite.h"
#include "tests/unit/policy_text.h"

/* One device "d", with more keys. */
#define DEVICE(more) DEVICES("{\"name\": \"d\"" more "}")
/* The same, whose remote processor and transport are known. */
#define REMOTE(more)     DEVICE(", \"remoteproc\": \"cdsp\", \"transport\": \"rpmsg\", " more)
#define KEY(key, value)  DEVICE(", \"" key "\": " value)
#define SERVICES(list)   KEY("services", "{" list "}")
#define COREDUMPS(limit) KEY("coredumps", "{" limit "}")
/* The same, whose transport is known. */
#define TRANSPORT(transport, more) DEVICE(", \"transport\": \"" transport "\", " more)
#define FASTRPC(more)              TRANSPORT("fastrpc", more)
#define SIXTEEN                                                                                    \
	"\"/a\", \"/b\", \"/c\", \"/d\", \"/e\", \"/f\", \"/g\", \"/h\", \"/i\", \"/j\", \"/k\", " \
	"\"/l\", \"/m\", \"/n\", \"/o\", \"/p\""
#define SEVENTEEN SIXTEEN ", \"/q\""

static const struct {
	const char *text, *says;
} mistakes[] = {
	/* the list, and what a device is */
	{"{\"version\": 1, ^\"device\": [], \"rules\": []}",
		"unknown key \"device\"; did you mean \"devices\"?"},
	{"^{\"version\": 1, \"devices\": []}", "a policy must have \"rules\""},
	{"{\"version\": 1, \"rules\": [], \"devices\": ^{}}", "devices must be a list"},
	{"{\"version\": 1, \"rules\": [], \"devices\": ^null}", "devices must be a list, not null"},
	{DEVICES("^7"), "a device must be an object, not a whole number"},
	{DEVICES("^{}"), "a device must have \"name\""},
	{DEVICES("{\"name\": \"a\"},\n  ^{\"mtu\": 1}"), "a device must have \"name\""},
	{DEVICE(", ^\"idle\": 1"),
		"unknown key \"idle\"; a device may have name, transport, "
		"remoteproc, lifecycle, idle_ms, "
		"stop_with_broker, without_iommu, mtu, calls, coredumps, services, "
		"shells, modules, queue_ms, domain_idle_ms, exclusive"},
	{DEVICE(", \"mtu\": 1, ^\"mtu\": 2"), "duplicate key \"mtu\""},

	/* name */
	{DEVICES("{\"name\": ^1}"), "name must be a string"},
	{DEVICES("{\"name\": ^\"\"}"), "name must not be empty"},
	{DEVICES("{\"name\": ^\"a b\"}"), "name may hold letters, digits, '.', '_' and '-' only"},
	{DEVICES("{\"name\": ^\"a/b\"}"), "name may hold letters"},
	{DEVICES("{\"name\": ^\"*\"}"), "name may hold letters"},
	{DEVICES("{\"name\": ^\"a\\u0000\"}"), "name may hold letters"},
	{DEVICES("{\"name\": ^\"a23456789b123456789c123456789d12\"}"), "at most 31 bytes"},
	{DEVICES("{\"name\": \"d\"},\n\t{\"name\": ^\"d\"}"),
		"name is already that of device d in t.json:1"},

	/* transport */
	{KEY("transport", "^7"), "transport must be a string, not a whole number"},
	{KEY("transport", "^\"\""),
		"transport must be \"fastrpc\", \"qda\", \"rpmsg\" or \"soft\""},
	{KEY("transport", "^\"rpsmg\""), "transport cannot be \"rpsmg\"; did you mean \"rpmsg\"?"},
	{KEY("transport", "^\"usb\""),
		"transport must be \"fastrpc\", \"qda\", \"rpmsg\" or \"soft\""},
	{KEY("transport", "^\"rpmsg\\u0000\""),
		"transport must be \"fastrpc\", \"qda\", \"rpmsg\" or \"soft\""},

	/* remoteproc */
	{KEY("remoteproc", "^0"), "remoteproc must be a string, not a whole number"},
	{KEY("remoteproc", "^null"), "remoteproc must be a string, not null"},
	{KEY("remoteproc", "^\"\""), "remoteproc must not be empty"},
	{KEY("remoteproc", "^\"a b\""), "remoteproc may hold printable characters"},
	{KEY("remoteproc", "^\"a\\tb\""), "remoteproc may hold printable characters"},
	{KEY("remoteproc", "^\"a\\u007f\""), "remoteproc may hold printable characters"},
	{KEY("remoteproc", "^\"\xc3\xa4\""), "remoteproc may hold printable characters"},
	{KEY("remoteproc", "^\"../x\""), "remoteproc may hold printable characters"},
	{KEY("remoteproc", "^\"a/b\""), "remoteproc may hold printable characters"},
	{KEY("remoteproc", "^\"..\""), "no '.' in front"},
	{KEY("remoteproc", "^\"a\\u0000b\""), "NUL"},
	{DEVICES("{\"name\": \"a\", \"remoteproc\": \"cdsp\"}, {\"name\": \"b\"},\n"
		 "{\"name\": \"c\", \"remoteproc\": ^\"cdsp\"}"),
		"remoteproc is already that of device a in t.json:1"},

	/* lifecycle, and what hangs on it */
	{KEY("lifecycle", "^\"sometimes\""),
		"lifecycle must be \"external\", \"on-demand\" or \"always\""},
	{KEY("lifecycle", "^\"\""), "lifecycle must be \"external\""},
	{KEY("lifecycle", "^\"always\\u0000\""), "lifecycle must be \"external\""},
	{KEY("lifecycle", "^true"), "lifecycle must be a string, not true or false"},
	{KEY("lifecycle", "^\"on-demand\""), "lifecycle \"on-demand\" needs \"remoteproc\""},
	{KEY("lifecycle", "^\"always\""), "lifecycle \"always\" needs \"remoteproc\""},
	{DEVICE(", \"transport\": \"rpmsg\", \"lifecycle\": ^\"always\""),
		"lifecycle \"always\" needs \"remoteproc\""},
	{DEVICE(", \"remoteproc\": \"cdsp\", \"lifecycle\": ^\"on-demand\""),
		"lifecycle \"on-demand\" needs \"transport\""},
	{DEVICE(", \"remoteproc\": \"cdsp\", \"lifecycle\": ^\"always\""),
		"lifecycle \"always\" needs \"transport\""},
	{DEVICE(", ^\"idle_ms\": 1"), "idle_ms is for the lifecycle \"on-demand\""},
	{REMOTE("^\"idle_ms\": 1, \"lifecycle\": \"external\""), "idle_ms is for the lifecycle"},
	{REMOTE("\"lifecycle\": \"always\", ^\"idle_ms\": 1"), "idle_ms is for the lifecycle"},
	{REMOTE("\"lifecycle\": \"on-demand\", \"idle_ms\": ^-1"),
		"idle_ms must be from 0 to 3600000"},
	{REMOTE("\"lifecycle\": \"on-demand\", \"idle_ms\": ^3600001"),
		"idle_ms must be from 0 to 3600000"},
	{REMOTE("\"lifecycle\": \"on-demand\", \"idle_ms\": ^1.5"),
		"idle_ms must be a whole number"},
	{DEVICE(", ^\"stop_with_broker\": true"),
		"stop_with_broker is for the lifecycles \"on-demand\" and \"always\""},
	{REMOTE("\"lifecycle\": \"external\", ^\"stop_with_broker\": false"),
		"stop_with_broker is for the lifecycles"},
	{REMOTE("\"lifecycle\": \"always\", \"stop_with_broker\": ^1"),
		"stop_with_broker must be true or false, not a whole number"},

	/* without_iommu, mtu */
	{KEY("without_iommu", "^true"), "without_iommu must be a string, not true or false"},
	{KEY("without_iommu", "^\"allow\""), "without_iommu must be \"refuse\" or \"accept\""},
	{KEY("without_iommu", "^\"Accept\""), "did you mean \"accept\"?"},
	{KEY("without_iommu", "^\"allow\""), "without_iommu must be \"refuse\" or \"accept\""},
	{KEY("mtu", "^0"), "mtu must be from 1 to 65536"},
	{KEY("mtu", "^65537"), "mtu must be from 1 to 65536"},
	{KEY("mtu", "^-1"), "mtu must be from 1 to 65536"},
	{KEY("mtu", "^4294967297"), "mtu must be from 1 to 65536"},
	{KEY("mtu", "^\"496\""), "mtu must be a whole number, not a string"},

	/* calls */
	{KEY("calls", "^0"), "calls must be from 1 to 65535"},
	{KEY("calls", "^65536"), "calls must be from 1 to 65535"},
	{KEY("calls", "^-1"), "calls must be from 1 to 65535"},
	{KEY("calls", "^4294967297"), "calls must be from 1 to 65535"},
	{KEY("calls", "^1.0"), "calls must be a whole number, not a number with"},
	{KEY("calls", "^\"4\""), "calls must be a whole number, not a string"},
	{TRANSPORT("rpmsg", "^\"calls\": 4"),
		"calls is for the transports \"fastrpc\", \"qda\" and \"soft\""},

	/* coredumps */
	{KEY("coredumps", "^4"), "coredumps must be an object, not a whole number"},
	{COREDUMPS("^\"max\": 1"), "unknown key \"max\"; coredumps may have count, bytes"},
	{COREDUMPS("\"count\": 1, ^\"count\": 1"), "duplicate key \"count\""},
	{COREDUMPS("\"count\": ^-1"), "count must be from 0 to 100"},
	{COREDUMPS("\"count\": ^101"), "count must be from 0 to 100"},
	{COREDUMPS("\"count\": ^\"4\""), "count must be a whole number"},
	{COREDUMPS("\"bytes\": ^0"),
		"bytes must be from 1 to 1073741824, or a string like \"64M\""},
	{COREDUMPS("\"bytes\": ^1073741825"), "bytes must be from 1 to 1073741824"},
	{COREDUMPS("\"bytes\": ^\"2G\""), "bytes must be from 1 to 1073741824"},
	{COREDUMPS("\"bytes\": ^\"16\""), "bytes must be from 1 to 1073741824"},
	{COREDUMPS("\"bytes\": ^[]"), "bytes must be a whole number or a string"},

	/* services */
	{KEY("services", "^[]"), "services must be an object, not a list"},
	{KEY("services", "^null"), "services must be an object, not null"},
	{SERVICES("^\"\": 1"), "a name in services must not be empty"},
	{SERVICES("^\"a b\": 1"), "a name in services may hold letters, digits"},
	{SERVICES("\"a\": 1, ^\"a/b\": 1"), "a name in services may hold letters, digits"},
	{SERVICES("^\"*\": 1"), "a name in services may hold letters, digits"},
	{SERVICES("^\"a\\u0062\": 1"), "a name in services may hold letters, digits"},
	{SERVICES("^\"a\\\"b\": 1"), "a name in services may hold letters, digits"},
	{SERVICES("^\"a23456789b123456789c123456789d12\": 1"), "must have at most 31 bytes"},
	{SERVICES("\"a\": 1, \"b\": 2,\n ^\"a\": 1"), "duplicate key \"a\""},
	{SERVICES("\"ping\": ^\"1024\""), "the address of ping must be a whole number"},
	{SERVICES("\"ping\": ^null"), "the address of ping must be a whole number, not null"},
	{SERVICES("\"ping\": ^1e3"), "the address of ping must be a whole number"},
	{SERVICES("\"ping\": ^-1"), "the address of ping must be from 0 to 4294967294"},
	{SERVICES("\"ping\": 1, \"pong\": ^4294967295"), "the address of pong must be from 0 to"},
	{SERVICES("\"ping\": ^18446744073709551616"), "the address of ping must be from 0 to"},

	/* what is for FastRPC; test_policy_domain.c has what a directory may be */
	{TRANSPORT("rpmsg", "^\"shells\": [\"/s\"]"),
		"shells is for the transports \"fastrpc\" and \"qda\""},
	{TRANSPORT("soft", "^\"modules\": [\"/m\"]"),
		"modules is for the transports \"fastrpc\" and \"qda\""},
	{TRANSPORT("rpmsg", "^\"queue_ms\": 2000"),
		"queue_ms is for the transports \"fastrpc\" and \"qda\""},
	{DEVICE(", ^\"domain_idle_ms\": 1000, \"transport\": \"soft\""),
		"domain_idle_ms is for the transports \"fastrpc\" and \"qda\""},
	{TRANSPORT("soft", "^\"exclusive\": false"),
		"exclusive is for the transports \"fastrpc\" and \"qda\""},
	{FASTRPC("\"exclusive\": ^1"), "exclusive must be true or false, not a whole number"},
	{FASTRPC("\"exclusive\": ^\"yes\""), "exclusive must be true or false, not a string"},
	{FASTRPC("\"shells\": ^\"/s\""), "shells must be a list, not a string"},
	{FASTRPC("\"shells\": ^[]"), "shells must not be empty"},
	{FASTRPC("\"modules\": ^[]"), "modules must not be empty"},
	{FASTRPC("\"shells\": [\"/s\", ^null]"), "shells must be a string, not null"},
	{FASTRPC("\"shells\": [\"/s\", ^\"s\"]"), "a path in shells must be absolute"},
	{FASTRPC("\"modules\": [\"/m\",\n ^\"/m/../s\"]"), "a path in modules must be absolute"},
	{FASTRPC("\"modules\": [\"/m\", \"/s\", ^\"/m\"]"), "has been given already"},
	{FASTRPC("\"shells\": ^[" SEVENTEEN "]"), "shells must have at most 16 entries"},
	{FASTRPC("\"modules\": ^[" SEVENTEEN "]"), "modules must have at most 16 entries"},
	{FASTRPC("\"queue_ms\": ^60001"), "queue_ms must be from 0 to 60000"},
	{FASTRPC("\"queue_ms\": ^-1"), "queue_ms must be from 0 to 60000"},
	{FASTRPC("\"queue_ms\": ^\"1s\""), "queue_ms must be a whole number, not a string"},
	{FASTRPC("\"domain_idle_ms\": ^3600001"), "domain_idle_ms must be from 0 to 3600000"},
	{FASTRPC("\"domain_idle_ms\": ^1.5"), "domain_idle_ms must be a whole number"},
};

START_TEST(a_mistake_is_refused_where_it_stands)
{
	check_mistake(mistakes[_i].text, mistakes[_i].says);
}
END_TEST

static void check_dirs(const struct policy_dir *dirs, size_t n, const struct policy_dir *others,
	size_t n_others)
{
	ck_assert_uint_eq(n, n_others);
	ck_assert((dirs == NULL) == (n == 0));
	for (size_t i = 0; i < n; i++) {
		ck_assert_str_eq(dirs[i].path, others[i].path);
		ck_assert(dirs[i].writable == others[i].writable);
	}
}

static void check_equal(const struct policy_device *device, const struct policy_device *other)
{
	ck_assert_str_eq(device->name, other->name);
	ck_assert_pstr_eq(device->transport, other->transport);
	ck_assert_pstr_eq(device->remoteproc, other->remoteproc);
	ck_assert_int_eq(device->lifecycle, other->lifecycle);
	ck_assert_uint_eq(device->idle_ms, other->idle_ms);
	ck_assert(device->stop_with_broker == other->stop_with_broker);
	ck_assert(device->accept_no_iommu == other->accept_no_iommu);
	ck_assert_uint_eq(device->mtu, other->mtu);
	ck_assert_uint_eq(device->calls, other->calls);
	ck_assert_uint_eq(device->coredumps, other->coredumps);
	ck_assert_uint_eq(device->coredump_bytes, other->coredump_bytes);
	ck_assert_uint_eq(device->n_services, other->n_services);
	for (size_t i = 0; i < device->n_services; i++) {
		ck_assert_str_eq(device->services[i].name, other->services[i].name);
		ck_assert_uint_eq(device->services[i].address, other->services[i].address);
	}
	check_dirs(device->shells, device->n_shells, other->shells, other->n_shells);
	check_dirs(device->modules, device->n_modules, other->modules, other->n_modules);
	ck_assert_uint_eq(device->queue_ms, other->queue_ms);
	ck_assert_uint_eq(device->domain_idle_ms, other->domain_idle_ms);
	ck_assert(device->exclusive == other->exclusive);
}

/* In numbers: README.md promises them. */
static const struct policy_device plain = {
	.name = "d",
	.idle_ms = 10000,
	.stop_with_broker = true,
	.coredumps = 4,
	.coredump_bytes = 67108864,
	.queue_ms = 2000,
	.domain_idle_ms = 1000,
};

START_TEST(what_no_policy_says_is_the_default)
{
	static const char *const texts[] = {
		POLICY(""),
		DEVICES(""),
		DEVICES("{\"name\": \"rpmsg1\", \"mtu\": 1}, {\"name\": \"rpmsg\"}"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = parse(texts[i]);

		ck_assert_ptr_eq(policy_device(policy, "rpmsg0"), &POLICY_DEVICE_DEFAULT);
		ck_assert_ptr_eq(policy_device(policy, ""), &POLICY_DEVICE_DEFAULT);
	}
}
END_TEST

START_TEST(what_a_device_does_not_say_is_as_in_the_default)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse(DEVICES("{\"name\": \"d\"}"));
	struct policy_device expected = plain;

	check_equal(policy_device(policy, "d"), &expected);
	expected.name = "";
	check_equal(&POLICY_DEVICE_DEFAULT, &expected);
}
END_TEST

START_TEST(each_key_sets_what_it_says_and_nothing_else)
{
	static const struct policy_service two[] = {{"ping", 1024}, {"a.b_c-1", 0}};
	static const struct policy_dir dirs[] = {{.path = "/a b/.c"}, {.path = "/d"}};
	struct policy_device expected[27];
	static const char *const texts[ARRAY_SIZE(expected)] = {
		DEVICE(", \"remoteproc\": \"4080000.remoteproc,v2\""),
		REMOTE("\"lifecycle\": \"external\""),
		REMOTE("\"lifecycle\": \"on-demand\""),
		REMOTE("\"lifecycle\": \"always\""),
		REMOTE("\"idle_ms\": 5000, \"lifecycle\": \"on-demand\""),
		REMOTE("\"lifecycle\": \"always\", \"stop_with_broker\": false"),
		KEY("without_iommu", "\"accept\""),
		KEY("without_iommu", "\"refuse\""),
		KEY("mtu", "496"),
		COREDUMPS("\"count\": 7"),
		COREDUMPS("\"bytes\": \"16M\""),
		SERVICES("\"ping\": 1024, \"a.b_c-1\": 0"),
		KEY("transport", "\"rpmsg\""),
		KEY("transport", "\"soft\""),
		KEY("transport", "\"fastrpc\""),
		KEY("shells", "[\"/a b/.c\", \"/d\"]"),
		KEY("modules", "[\"/d\"]"),
		KEY("queue_ms", "0"),
		KEY("domain_idle_ms", "0"),
		/* one directory may be in both lists */
		FASTRPC("\"modules\": [\"/a b/.c\", \"/d\"], \"queue_ms\": 60000, "
			"\"domain_idle_ms\": 3600000, \"shells\": [\"/d\"]"),
		KEY("calls", "1"),
		TRANSPORT("soft", "\"calls\": 65535"),
		KEY("transport", "\"qda\""),
		TRANSPORT("qda", "\"modules\": [\"/d\"], \"queue_ms\": 0, \"calls\": 2"),
		KEY("exclusive", "true"),
		TRANSPORT("qda", "\"exclusive\": true"),
		FASTRPC("\"exclusive\": false"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		expected[i] = plain;
		if (i >= 1 && i <= 5) {
			expected[i].remoteproc = "cdsp";
			expected[i].transport = "rpmsg";
		}
	}
	expected[0].remoteproc = "4080000.remoteproc,v2";
	expected[2].lifecycle = expected[4].lifecycle = POLICY_ON_DEMAND;
	expected[3].lifecycle = expected[5].lifecycle = POLICY_ALWAYS;
	expected[4].idle_ms = 5000;
	expected[5].stop_with_broker = false;
	expected[6].accept_no_iommu = true;
	expected[8].mtu = 496;
	expected[9].coredumps = 7;
	expected[10].coredump_bytes = 16 << 20;
	expected[11].services = two;
	expected[11].n_services = 2;
	expected[12].transport = "rpmsg";
	expected[13].transport = "soft";
	expected[14].transport = expected[19].transport = "fastrpc";
	expected[15].shells = expected[19].modules = dirs;
	expected[15].n_shells = expected[19].n_modules = 2;
	expected[16].modules = expected[19].shells = &dirs[1];
	expected[16].n_modules = expected[19].n_shells = 1;
	expected[17].queue_ms = 0;
	expected[18].domain_idle_ms = 0;
	expected[19].queue_ms = 60000;
	expected[19].domain_idle_ms = 3600000;
	expected[20].calls = 1;
	expected[21].transport = "soft";
	expected[21].calls = 65535;
	expected[22].transport = expected[23].transport = "qda";
	expected[23].modules = &dirs[1];
	expected[23].n_modules = 1;
	expected[23].queue_ms = 0;
	expected[23].calls = 2;
	expected[24].exclusive = expected[25].exclusive = true;
	expected[25].transport = "qda";
	expected[26].transport = "fastrpc";

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = parse(texts[i]);

		check_equal(policy_device(policy, "d"), &expected[i]);
	}
}
END_TEST

START_TEST(values_may_be_at_both_ends_of_their_range)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse(
		DEVICES("{\"name\": \"low\", \"remoteproc\": \"!\", \"transport\": \"rpmsg\", "
			"\"lifecycle\": \"on-demand\","
			" \"idle_ms\": 0, \"mtu\": 1, \"coredumps\": {\"count\": 0, \"bytes\": 1},"
			" \"services\": {\"s\": 0}},"
			"{\"name\": \"a23456789b123456789c123456789d1\","
			" \"remoteproc\":"
			" \"a23456789b123456789c123456789d123456789e123456789f123456789g123\","
			" \"transport\": \"rpmsg\", \"lifecycle\": \"on-demand\", \"idle_ms\": "
			"3600000, \"mtu\": 65536,"
			" \"coredumps\": {\"count\": 100, \"bytes\": \"1G\"},"
			" \"services\": {\"a23456789b123456789c123456789d1\": 4294967294}}"));
	const struct policy_device *low = policy_device_at(policy, 0);
	const struct policy_device *high = policy_device_at(policy, 1);

	ck_assert_str_eq(low->remoteproc, "!");
	ck_assert_uint_eq(low->idle_ms, 0);
	ck_assert_uint_eq(low->mtu, 1);
	ck_assert_uint_eq(low->coredumps, 0);
	ck_assert_uint_eq(low->coredump_bytes, 1);
	ck_assert_uint_eq(low->services[0].address, 0);
	ck_assert_uint_eq(strlen(high->name), 31);
	ck_assert_uint_eq(strlen(high->remoteproc), 63);
	ck_assert_uint_eq(high->idle_ms, 3600000);
	ck_assert_uint_eq(high->mtu, 65536);
	ck_assert_uint_eq(high->coredumps, 100);
	ck_assert_uint_eq(high->coredump_bytes, 1 << 30);
	ck_assert_uint_eq(strlen(high->services[0].name), 31);
	ck_assert_uint_eq(high->services[0].address, 4294967294);

	policy = policy_unref(policy);
	policy = parse(FASTRPC("\"shells\": [" SIXTEEN "], \"modules\": [" SIXTEEN "]"));
	ck_assert_uint_eq(policy_device_at(policy, 0)->n_shells, 16);
	ck_assert_uint_eq(policy_device_at(policy, 0)->n_modules, 16);
	ck_assert_str_eq(policy_device_at(policy, 0)->shells[15].path, "/p");

	check_mistake(KEY("remoteproc", "^\"a23456789b123456789c123456789d123456789e123456789f12345"
					"6789g1234\""),
		"at most 63 bytes");
}
END_TEST

/* A list of @n devices that have @n_services services each, as many as fit. */
static char *many(int n, int n_services)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	fputs("{\"version\": 1, \"rules\": [], \"devices\": [", stream);
	for (int i = 0; i < n; i++) {
		fprintf(stream, "%s{\"name\": \"d%d\", \"remoteproc\": \"r%d\", \"services\": {",
			i ? "," : "", i, i);
		for (int k = 0; k < n_services; k++)
			fprintf(stream, "%s\"s%d-%d\": %d", k ? "," : "", i, k, i * 1000 + k);
		fputs("}}", stream);
	}
	fputs("]}", stream);
	fclose(stream);
	return text;
}

/* So that the arrays and the texts have moved often while they grew. */
START_TEST(as_many_devices_and_services_as_may_be_are_all_there)
{
	_cleanup_(freep) char *text = many(POLICY_DEVICES_MAX, POLICY_SERVICES_MAX);
	_cleanup_(policy_unrefp) struct policy *policy = parse(text);

	for (int i = 0; i < POLICY_DEVICES_MAX; i++) {
		const struct policy_device *device = policy_device_at(policy, (size_t)i);
		char name[32];

		snprintf(name, sizeof(name), "d%d", i);
		ck_assert_str_eq(device->name, name);
		ck_assert_ptr_eq(policy_device(policy, name), device);
		snprintf(name, sizeof(name), "r%d", i);
		ck_assert_str_eq(device->remoteproc, name);
		ck_assert_uint_eq(device->n_services, POLICY_SERVICES_MAX);
		for (int k = 0; k < POLICY_SERVICES_MAX; k++) {
			snprintf(name, sizeof(name), "s%d-%d", i, k);
			ck_assert_str_eq(device->services[k].name, name);
			ck_assert_uint_eq(device->services[k].address, (uint32_t)(i * 1000 + k));
		}
	}
	ck_assert_ptr_null(policy_device_at(policy, POLICY_DEVICES_MAX));
	ck_assert_ptr_null(policy_device_at(policy, SIZE_MAX));
}
END_TEST

START_TEST(one_more_device_or_service_is_refused)
{
	_cleanup_(freep) char *devices = many(POLICY_DEVICES_MAX + 1, 0);
	_cleanup_(freep) char *services = many(1, POLICY_SERVICES_MAX + 1);
	struct policy_note error;

	ck_assert_int_eq(parse_error(devices, strlen(devices), &error), -EINVAL);
	ck_assert_str_eq(error.text, "devices must have at most 64 entries");
	ck_assert_uint_eq(error.column,
		strlen("{\"version\": 1, \"rules\": [], \"devices\": ") + 1);
	ck_assert_int_eq(parse_error(services, strlen(services), &error), -EINVAL);
	ck_assert_str_eq(error.text, "services must have at most 64 entries");
	ck_assert_uint_eq(error.column, (unsigned int)(strstr(services, "{\"s0-0") - services) + 1);
}
END_TEST

START_TEST(devices_allow_nothing)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse(SERVICES("\"s\": 1"));

	ck_assert_uint_eq(policy_size(policy), 0);
	ck_assert(!decide(policy, 0, 0, "d/s").allowed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy device");
	TCase *tcase = tcase_create("devices");

	tcase_add_loop_test(tcase, a_mistake_is_refused_where_it_stands, 0, ARRAY_SIZE(mistakes));
	tcase_add_test(tcase, what_no_policy_says_is_the_default);
	tcase_add_test(tcase, what_a_device_does_not_say_is_as_in_the_default);
	tcase_add_test(tcase, each_key_sets_what_it_says_and_nothing_else);
	tcase_add_test(tcase, values_may_be_at_both_ends_of_their_range);
	tcase_add_test(tcase, as_many_devices_and_services_as_may_be_are_all_there);
	tcase_add_test(tcase, one_more_device_or_service_is_refused);
	tcase_add_test(tcase, devices_allow_nothing);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
