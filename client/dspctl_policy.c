// SPDX-License-Identifier: MIT
/* `dspctl policy check [DIR]...`: what the broker would say, without a broker. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client/dspctl.h"
#include "policy/policy.h"

static struct json_object *note_json(const struct policy_note *note)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "file", json_object_new_string(note->file));
	json_object_object_add(object, "line", json_object_new_uint64(note->line));
	json_object_object_add(object, "column", json_object_new_uint64(note->column));
	json_object_object_add(object, "text", json_object_new_string(note->text));
	return object;
}

/* In the form that editors jump to. */
static void print_note(const struct policy_note *note, const char *kind)
{
	fputs(note->file, stderr);
	if (note->line > 0)
		fprintf(stderr, ":%u:%u", note->line, note->column);
	fprintf(stderr, ": %s%s\n", kind, note->text);
}

static void print_warning(const struct policy_note *note, void *userdata)
{
	(void)userdata;
	print_note(note, "warning: ");
}

static void keep_warning(const struct policy_note *note, void *userdata)
{
	json_object_array_add(userdata, note_json(note));
}

/* To the daemon a directory that does not exist is empty; from a person it is a slip. */
static int check_directories(const char *const *dirs, size_t n_dirs)
{
	struct stat st;

	for (size_t i = 0; i < n_dirs; i++) {
		if (stat(dirs[i], &st) < 0)
			return dspctl_fail(DSPCTL_FAILED, "%s: %s", dirs[i], strerror(errno));
		if (!S_ISDIR(st.st_mode))
			return dspctl_fail(DSPCTL_FAILED, "%s: not a directory", dirs[i]);
	}
	return DSPCTL_OK;
}

static int check_text(const char *const *dirs, size_t n_dirs)
{
	_cleanup_(policy_freep) struct policy *policy = NULL;
	struct policy_note error = {0};
	const int r = policy_load(&policy, dirs, n_dirs, &error, print_warning, NULL);

	if (r < 0 && error.text[0]) {
		print_note(&error, "");
		return DSPCTL_FAILED;
	}
	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "the policy: %s", strerror(-r));
	printf("OK: %zu rules%s\n", policy_size(policy),
		policy_size(policy) ? "" : ", so everything is denied");
	return DSPCTL_OK;
}

static int check_json(const char *const *dirs, size_t n_dirs)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = json_object_new_object();
	_cleanup_(policy_freep) struct policy *policy = NULL;
	struct json_object *warnings = json_object_new_array();
	struct policy_note error = {0};
	const int r = policy_load(&policy, dirs, n_dirs, &error, keep_warning, warnings);

	if (r < 0 && !error.text[0])
		snprintf(error.text, sizeof(error.text), "%s", strerror(-r));
	json_object_object_add(root, "ok", json_object_new_boolean(r == 0));
	json_object_object_add(root, "rules",
		r == 0 ? json_object_new_uint64(policy_size(policy)) : NULL);
	json_object_object_add(root, "error", r == 0 ? NULL : note_json(&error));
	json_object_object_add(root, "warnings", warnings);
	dspctl_print_json(root);
	return r == 0 ? DSPCTL_OK : DSPCTL_FAILED;
}

int dspctl_policy_check(const struct dspctl_options *options)
{
	static const char *const defaults[] = {POLICY_DIR_VENDOR, POLICY_DIR_ADMIN};
	const char *const *dirs = options->n_words ? (const char *const *)options->words : defaults;
	const size_t n_dirs = options->n_words ? options->n_words : ARRAY_SIZE(defaults);

	if (check_directories(dirs, options->n_words))
		return DSPCTL_FAILED;
	return options->json ? check_json(dirs, n_dirs) : check_text(dirs, n_dirs);
}
