// SPDX-License-Identifier: MIT
/*
 * Texts of /proc and of a peer's own files. Input: one byte that says which text it is, then the
 * text. What is told must be what a rule could be written for.
 */
#include <string.h>

#include "policy/facts_parse.h"
#include "protocol/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UID 1000

static void require(bool fact)
{
	if (!fact)
		abort();
}

static bool has_only(const char *text, const char *characters)
{
	return strspn(text, characters) == strlen(text);
}

#define NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static void check_fact(const struct facts *facts, enum identity_fact fact)
{
	static const char *const characters[IDENTITY_FACTS] = {
		[IDENTITY_UNIT] = NAME ":-_.\\@",
		[IDENTITY_USER_UNIT] = NAME ":-_.\\@",
		[IDENTITY_SLICE] = NAME ":-_.\\",
		[IDENTITY_FLATPAK] = NAME "_-.",
		[IDENTITY_SNAP] = "abcdefghijklmnopqrstuvwxyz0123456789-_",
	};
	const char *text = facts->text[fact];

	if (!(facts->known & 1u << fact)) {
		require(!text[0]);
		return;
	}
	require(memchr(text, 0, FACT_SIZE));
	require(!characters[fact] || has_only(text, characters[fact]));
	require(fact != IDENTITY_EXECUTABLE || text[0] == '/');
	require(!strpbrk(text, "\n\r\t\x1b\x7f"));
}

static void check(const struct facts *facts, uint32_t allowed)
{
	require(!(facts->known & ~allowed));
	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		check_fact(facts, (enum identity_fact)fact);
}

static void try_cgroup(const char *text, size_t size)
{
	const uint32_t units =
		1u << IDENTITY_UNIT | 1u << IDENTITY_USER_UNIT | 1u << IDENTITY_SLICE;
	struct facts facts = {}, other = {};
	const char *user_unit = facts.text[IDENTITY_USER_UNIT];

	facts_parse_cgroup(&facts, text, size, UID);
	check(&facts, units | 1u << IDENTITY_SNAP);
	require((facts.known & units) == 0 || (facts.known & units) == units);
	require(!*user_unit || !strcmp(facts.text[IDENTITY_UNIT], "user@1000.service"));
	/* Whose it is makes no difference to what the system says. */
	facts_parse_cgroup(&other, text, size, UID + 1);
	require(!(other.known & units) || !(facts.known & units) ||
		!strcmp(facts.text[IDENTITY_UNIT], other.text[IDENTITY_UNIT]));
}

static void try_executable(const char *text, size_t size)
{
	struct facts facts = {};

	facts_parse_executable(&facts, text, size);
	check(&facts, 1u << IDENTITY_EXECUTABLE);
	require(!facts.known || (strlen(facts.text[IDENTITY_EXECUTABLE]) == size &&
					!memcmp(facts.text[IDENTITY_EXECUTABLE], text, size)));
}

static void try_flatpak(const char *text, size_t size)
{
	struct facts facts = {};

	facts_parse_flatpak(&facts, text, size);
	check(&facts, 1u << IDENTITY_FLATPAK);
	require(!facts.text[IDENTITY_FLATPAK][0] ||
		memmem(text, size, "[Application]", strlen("[Application]")));
}

static void try_status(const char *text, size_t size)
{
	struct facts_ids ids;

	require((facts_parse_status(text, size, &ids, true) == 0) == (ids.groups != NULL));
	require(ids.n_groups <= size);
	free(ids.groups);
}

static void try_fdinfo(const char *text, size_t size)
{
	pid_t pid = facts_parse_fdinfo(text, size);

	require(pid == -1 || pid > 0);
}

static void try_label(const char *text, size_t size)
{
	struct identity identity = {.pidfd = -1};
	struct facts facts = {};

	identity.facts[IDENTITY_LABEL] = strndup(text, size);
	if (facts_give(&facts, &identity) == 0 && identity.facts[IDENTITY_SNAP])
		require(*identity.facts[IDENTITY_SNAP] && !memcmp(text, "snap.", 5));
	identity_deinit(&identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const texts[])(const char *text, size_t size) = {
		try_cgroup, try_executable, try_flatpak, try_status, try_fdinfo, try_label};
	char *text;

	if (size < 2)
		return 0;
	/* Exactly as long as it is, so that a byte too many is found. */
	text = malloc(size - 1);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	texts[data[0] % ARRAY_SIZE(texts)](text, size - 1);
	free(text);
	return 0;
}
