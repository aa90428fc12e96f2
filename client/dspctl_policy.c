// SPDX-License-Identifier: MIT
/* `dspctl policy check` and `show`: what the broker would say, without a broker. */
#include "client/dspctl_policy.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "protocol/text.h"

static struct json_object *note_json(const struct policy_note *note)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "file", json_object_new_string(note->file));
	json_object_object_add(object, "line", json_object_new_uint64(note->line));
	json_object_object_add(object, "column", json_object_new_uint64(note->column));
	json_object_object_add(object, "text", json_object_new_string(note->text));
	return object;
}

/* In the form that editors jump to. Whoever makes a file has a say in what this is. */
static void print_note(const struct policy_note *note, const char *kind)
{
	text_print(stderr, note->file);
	if (note->line > 0)
		fprintf(stderr, ":%u:%u", note->line, note->column);
	fprintf(stderr, "%s%s", *note->file ? ": " : "", kind);
	text_print(stderr, note->text);
	fputc('\n', stderr);
}

void dspctl_policy_warn(const struct policy_note *note, void *userdata)
{
	struct dspctl_warnings *warnings = userdata;

	if (!warnings)
		return;
	warnings->n++;
	if (warnings->list)
		json_object_array_add(warnings->list, note_json(note));
	else
		print_note(note, "warning: ");
}

/* To the daemon a directory that does not exist is empty; from a person it is a slip. */
static int check_directory(const char *dir, struct policy_note *error)
{
	struct stat st;
	int r = 0;

	if (stat(dir, &st) < 0)
		r = -errno;
	else if (!S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	if (r == 0)
		return 0;
	snprintf(error->file, sizeof(error->file), "%s", dir);
	snprintf(error->text, sizeof(error->text), "%s", strerror(-r));
	return r;
}

int dspctl_policy_load(struct policy **out, const struct dspctl_options *options,
	struct policy_note *error, struct dspctl_warnings *warnings)
{
	static const char *const defaults[] = {POLICY_DIR_VENDOR, POLICY_DIR_ADMIN};
	const char *const *dirs = options->n_words ? (const char *const *)options->words : defaults;
	const size_t n_dirs = options->n_words ? options->n_words : ARRAY_SIZE(defaults);
	int r = 0;

	*error = (struct policy_note){};
	for (size_t i = 0; i < options->n_words && r == 0; i++)
		r = check_directory(dirs[i], error);
	if (r == 0)
		r = policy_load(out, dirs, n_dirs, error, dspctl_policy_warn, warnings);
	if (r < 0 && !error->text[0])
		snprintf(error->text, sizeof(error->text), "the policy: %s", strerror(-r));
	return r;
}

int dspctl_policy_need(struct policy **out, const struct dspctl_options *options)
{
	struct policy_note error;

	if (dspctl_policy_load(out, options, &error, NULL) == 0)
		return DSPCTL_OK;
	print_note(&error, "");
	return DSPCTL_FAILED;
}

static void print_check(const struct policy *policy, const struct policy_note *error)
{
	if (!policy)
		print_note(error, "");
	else
		printf("OK: %zu rules%s\n", policy_size(policy),
			policy_size(policy) ? "" : ", so everything is denied");
}

static void print_check_json(const struct policy *policy, const struct policy_note *error,
	struct json_object *warnings)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = json_object_new_object();

	json_object_object_add(root, "ok", json_object_new_boolean(policy != NULL));
	json_object_object_add(root, "rules",
		policy ? json_object_new_uint64(policy_size(policy)) : NULL);
	json_object_object_add(root, "error", policy ? NULL : note_json(error));
	json_object_object_add(root, "warnings", json_object_get(warnings));
	dspctl_print_json(root);
}

int dspctl_policy_check(const struct dspctl_options *options)
{
	_cleanup_(dspctl_jsonp) struct json_object *list =
		options->json ? json_object_new_array() : NULL;
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct dspctl_warnings warnings = {.list = list};
	struct policy_note error;

	if (dspctl_policy_load(&policy, options, &error, &warnings) == 0)
		policy_lint(policy, dspctl_policy_warn, &warnings);
	if (options->json)
		print_check_json(policy, &error, list);
	else
		print_check(policy, &error);
	return policy && !(options->strict && warnings.n) ? DSPCTL_OK : DSPCTL_FAILED;
}

int dspctl_policy_show(const struct dspctl_options *options)
{
	_cleanup_(dspctl_jsonp) struct json_object *merged = NULL;
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	const int r = dspctl_policy_need(&policy, options);

	if (r)
		return r;
	merged = policy_show(policy);
	if (!merged)
		return dspctl_fail(DSPCTL_FAILED, "the policy: %s", strerror(ENOMEM));
	dspctl_print_json(merged);
	return DSPCTL_OK;
}
