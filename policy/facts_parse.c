// SPDX-License-Identifier: MIT
#include "policy/facts_parse.h"

#include <limits.h>
#include <string.h>

#include "protocol/util.h"

#define UNIT_MAX 255 /* bytes of a unit's name, systemd.unit(5) */

#define DIGITS     "0123456789"
#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define SNAP_CHARS "abcdefghijklmnopqrstuvwxyz" DIGITS "-_"

/* Bytes of a text that is not ended by a NUL. */
struct piece {
	const char *at;
	size_t size;
};

/* Take what comes before @end, which is taken as well, or all. */
static struct piece take_until(struct piece *rest, char end)
{
	const char *found = rest->size ? memchr(rest->at, end, rest->size) : NULL;
	size_t size = found ? (size_t)(found - rest->at) : rest->size;
	struct piece taken = {rest->at, size};
	size_t used = size + (found ? 1 : 0);

	if (used) {
		rest->at += used;
		rest->size -= used;
	}
	return taken;
}

static struct piece strip(struct piece piece)
{
	while (piece.size && strchr(" \t", piece.at[0])) {
		piece.at++;
		piece.size--;
	}
	while (piece.size && strchr(" \t\r", piece.at[piece.size - 1]))
		piece.size--;
	return piece;
}

static bool equals(struct piece piece, const char *text)
{
	return piece.size == strlen(text) && !memcmp(piece.at, text, piece.size);
}

static bool begins(struct piece *piece, const char *text)
{
	size_t size = strlen(text);

	if (piece->size < size || memcmp(piece->at, text, size))
		return false;
	piece->at += size;
	piece->size -= size;
	return true;
}

static bool ends(struct piece *piece, const char *text)
{
	size_t size = strlen(text);

	if (piece->size < size || memcmp(piece->at + piece->size - size, text, size))
		return false;
	piece->size -= size;
	return true;
}

/* Only of these characters. strchr() would find a NUL in any. */
static bool consists_of(struct piece piece, const char *characters)
{
	for (size_t i = 0; i < piece.size; i++)
		if (!piece.at[i] || !strchr(characters, piece.at[i]))
			return false;
	return true;
}

/* A number of decimal digits and nothing else, as the kernel and systemd write them. */
static bool number(struct piece piece, uint32_t *out)
{
	uint64_t value = 0;

	if (!piece.size || piece.size > 10 || (piece.at[0] == '0' && piece.size > 1))
		return false;
	for (size_t i = 0; i < piece.size; i++) {
		if (piece.at[i] < '0' || piece.at[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(piece.at[i] - '0');
	}
	*out = (uint32_t)value;
	return value <= UINT32_MAX;
}

/* Control characters are in no name that an administrator would write into a rule, and do harm in
 * a log. What is too long is not cut: a rule could match what is left. */
static void set(struct facts *out, enum identity_fact fact, struct piece text)
{
	if (text.size >= FACT_SIZE)
		return;
	for (size_t i = 0; i < text.size; i++)
		if ((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f)
			return;
	if (text.size)
		memcpy(out->text[fact], text.at, text.size);
	out->text[fact][text.size] = '\0';
	out->known |= 1u << fact;
}

static struct piece piece_of(const char *text)
{
	return (struct piece){text, strlen(text)};
}

/*
 * Units. systemd lays its slices out as folders, a unit below them, and leaves what is below that
 * to the unit; a user's systemd, the unit user@UID.service, repeats that (systemd.slice(5), the
 * page CGROUP_DELEGATION of systemd's documentation).
 */

static bool is_unit_name(struct piece name)
{
	static const char *const types[] = {".service", ".scope", ".socket", ".mount", ".swap"};
	struct piece stem = name, prefix;
	bool typed = false;

	if (name.size > UNIT_MAX || !consists_of(name, LETTERS DIGITS ":-_.\\@"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(types) && !typed; i++)
		typed = ends(&stem, types[i]);
	if (!typed || !stem.size)
		return false;
	prefix = take_until(&stem, '@');
	/* A template that is not instantiated ("x@.service") cannot run; nor is there one without a
	 * name. */
	return prefix.size && (stem.size || prefix.at[prefix.size] != '@');
}

static bool is_slice_name(struct piece name)
{
	struct piece stem = name;

	return name.size <= UNIT_MAX && ends(&stem, ".slice") && stem.size &&
	       consists_of(stem, LETTERS DIGITS ":-_.\\");
}

/* A folder that would look like one of the kernel's own files has a '_' put before its name. */
static struct piece unescape(struct piece folder)
{
	begins(&folder, "_");
	return folder;
}

/* Of a tree that one systemd manages: the innermost slice, and the unit. Each may be empty. */
struct place {
	struct piece slice, unit;
};

/* Go down to the unit; @path is then what is below it. */
static struct place descend(struct piece *path)
{
	struct place place = {};

	while (path->size) {
		struct piece folder = unescape(take_until(path, '/'));

		if (is_slice_name(folder)) {
			place.slice = folder;
			continue;
		}
		if (is_unit_name(folder))
			place.unit = folder;
		break;
	}
	return place;
}

/* Is it the systemd of this user? */
static bool is_manager_of(struct piece unit, uid_t uid)
{
	uint32_t whose;

	return begins(&unit, "user@") && ends(&unit, ".service") && number(unit, &whose) &&
	       whose == uid;
}

/* snapd's services are called snap.NAME.APP.service. Only who may give orders to the system's
 * systemd starts a unit of such a name. */
static void set_snap(struct facts *out, struct piece unit)
{
	struct piece rest = unit, name;

	if (begins(&rest, "snap.") && ends(&rest, ".service")) {
		name = take_until(&rest, '.');
		if (name.size && rest.size && consists_of(name, SNAP_CHARS))
			set(out, IDENTITY_SNAP, name);
		return;
	}
	set(out, IDENTITY_SNAP, piece_of(""));
}

/* Does it look as if it wanted to be a snap's? Users name their own units as they like. */
static bool claims_snap(struct piece unit)
{
	return begins(&unit, "snap.");
}

static void set_units(struct facts *out, struct piece path, uid_t uid)
{
	struct place system, user = {};

	begins(&path, "/");
	system = descend(&path);
	if (is_manager_of(system.unit, uid))
		user = descend(&path);
	set(out, IDENTITY_UNIT, system.unit);
	set(out, IDENTITY_USER_UNIT, user.unit);
	/* Slices of a user's own systemd do not count: whoever he is, he may call them anything. */
	set(out, IDENTITY_SLICE, system.slice);
	if (!claims_snap(user.unit))
		set_snap(out, system.unit);
}

/* Of the line "NUMBER:CONTROLLERS:PATH" of cgroups(7). */
static bool parse_line(struct piece line, struct piece *controllers, struct piece *path)
{
	uint32_t hierarchy;

	if (!number(take_until(&line, ':'), &hierarchy))
		return false;
	*controllers = take_until(&line, ':');
	*path = line;
	if (!path->size || path->at[0] != '/')
		return false;
	return hierarchy == 0 ? !controllers->size : controllers->size > 0;
}

/* Where it is cannot be told if that is outside of what we see, or does not exist any more. */
static bool is_visible(struct piece path)
{
	struct piece rest = path;

	return !ends(&rest, " (deleted)") && !equals(path, "/..") && !begins(&rest, "/../");
}

static bool same_units(const struct facts *a, const struct facts *b)
{
	static const enum identity_fact facts[] = {
		IDENTITY_UNIT, IDENTITY_USER_UNIT, IDENTITY_SLICE};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (strcmp(a->text[facts[i]], b->text[facts[i]]) != 0)
			return false;
	return a->known == b->known;
}

/* systemd manages one hierarchy, or two in step; one in whose root the process is, it does not. */
static void set_either(struct facts *out, struct piece unified, struct piece named, uid_t uid)
{
	struct facts a = {}, b = {};

	if (unified.size)
		set_units(&a, unified, uid);
	if (named.size)
		set_units(&b, named, uid);
	if (!named.size || equals(named, "/"))
		b = unified.size ? a : b;
	else if (!unified.size || equals(unified, "/"))
		a = b;
	if (!same_units(&a, &b))
		return;
	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		if (b.known & 1u << fact)
			set(out, (enum identity_fact)fact, piece_of(b.text[fact]));
}

void facts_parse_cgroup(struct facts *out, const char *text, size_t size, uid_t uid)
{
	struct piece rest = {text, size}, unified = {}, named = {}, controllers, path;

	while (rest.size) {
		if (!parse_line(take_until(&rest, '\n'), &controllers, &path))
			return;
		if (!controllers.size)
			unified = path;
		else if (equals(controllers, "name=systemd"))
			named = path;
		else
			continue;
		if (!is_visible(path))
			return;
	}
	if (unified.size || named.size)
		set_either(out, unified, named, uid);
}

void facts_parse_executable(struct facts *out, const char *path, size_t size)
{
	struct piece piece = {path, size}, rest = piece;

	/* "(deleted)" is the kernel's word for a file that is not there any more, or part of its
	 * name: that cannot be told. What is not below our root begins otherwise. */
	if (!size || path[0] != '/' || ends(&rest, " (deleted)"))
		return;
	set(out, IDENTITY_EXECUTABLE, piece);
}

/* Flatpak. */

/* At least three elements of letters, digits, '_' and '-' with dots between them. */
static bool is_application_id(struct piece id)
{
	size_t elements = 0;

	if (!consists_of(id, LETTERS DIGITS "_-.") || (id.size && id.at[id.size - 1] == '.'))
		return false;
	while (id.size) {
		struct piece element = take_until(&id, '.');

		if (!element.size || strchr(DIGITS, element.at[0]))
			return false;
		elements++;
	}
	return elements >= 3;
}

void facts_no_flatpak(struct facts *out)
{
	set(out, IDENTITY_FLATPAK, piece_of(""));
}

void facts_parse_flatpak(struct facts *out, const char *text, size_t size)
{
	struct piece rest = {text, size}, name = {};
	bool application = false;

	while (rest.size) {
		struct piece line = strip(take_until(&rest, '\n')), key;

		if (line.size && line.at[0] == '[') {
			application = equals(line, "[Application]");
			continue;
		}
		key = strip(take_until(&line, '='));
		if (!application || !equals(key, "name"))
			continue;
		if (name.size)
			return; /* it says so once; who says so twice is not Flatpak */
		name = strip(line);
		if (!is_application_id(name))
			return;
	}
	/* One that only has a [Runtime] runs no application. */
	set(out, IDENTITY_FLATPAK, name);
}

/* Labels. */

int facts_parse_label(const char *label, char name[FACT_SIZE])
{
	struct piece rest = piece_of(label), snap, app;

	if (!begins(&rest, "snap."))
		return 0;
	/* Any other mode than this does not confine, so that anybody could take such a label. */
	if (!ends(&rest, " (enforce)"))
		return -EINVAL;
	snap = take_until(&rest, '.');
	app = rest;
	if (!snap.size || snap.size >= FACT_SIZE || !app.size || !consists_of(snap, SNAP_CHARS) ||
		!consists_of(app, LETTERS DIGITS "-_."))
		return -EINVAL;
	memcpy(name, snap.at, snap.size);
	name[snap.size] = '\0';
	return 1;
}

/* Numbers. */

/* The line that begins so, without that. */
static bool find_line(const char *text, size_t size, const char *begin, struct piece *out)
{
	struct piece rest = {text, size};

	while (rest.size) {
		struct piece line = take_until(&rest, '\n');

		if (begins(&line, begin)) {
			*out = line;
			return true;
		}
	}
	return false;
}

/* The second of "real effective saved file-system". */
static bool effective_id(const char *text, size_t size, const char *begin, uint32_t *out)
{
	struct piece line;

	if (!find_line(text, size, begin, &line))
		return false;
	take_until(&line, '\t');
	return number(take_until(&line, '\t'), out);
}

static int parse_groups(struct piece line, struct facts_ids *out)
{
	_cleanup_(freep) gid_t *groups = calloc(line.size / 2 + 1, sizeof(*groups));
	size_t n = 0;

	if (!groups)
		return -ENOMEM;
	while (line.size) {
		struct piece digits = take_until(&line, ' ');

		if (!digits.size)
			continue;
		if (!number(digits, &groups[n++]))
			return -EINVAL;
	}
	out->n_groups = n;
	out->groups = TAKE_PTR(groups);
	return 0;
}

int facts_parse_status(const char *text, size_t size, struct facts_ids *out, bool groups)
{
	struct piece line;

	*out = (struct facts_ids){};
	if (!effective_id(text, size, "Uid:\t", &out->uid) ||
		!effective_id(text, size, "Gid:\t", &out->gid))
		return -EINVAL;
	if (!groups)
		return 0;
	if (!find_line(text, size, "Groups:\t", &line))
		return -EINVAL;
	return parse_groups(line, out);
}

pid_t facts_parse_fdinfo(const char *text, size_t size)
{
	struct piece line;
	uint32_t pid;

	if (!find_line(text, size, "Pid:\t", &line) || !number(line, &pid) || pid == 0 ||
		pid > INT_MAX)
		return -1;
	return (pid_t)pid;
}
