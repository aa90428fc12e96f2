// SPDX-License-Identifier: MIT
#include "tests/bench/report.h"

#include <getopt.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "protocol/util.h"

/* Options. */

static const struct option options[] = {
	{"runs", required_argument, NULL, 'r'},
	{"output", required_argument, NULL, 'o'},
	{"list", no_argument, NULL, 'l'},
	{"help", no_argument, NULL, 'h'},
	{"only", required_argument, NULL, 'n'}, /* the last one: not all benchmarks have it */
	{},
};

static void usage(const struct report *report, FILE *out)
{
	fprintf(out,
		"Usage: %s [OPTION]...\n"
		"%s; see tests/bench/README.md.\n"
		"  --runs N       how often figures are taken, 1 to %d [%d]\n"
		"  --output FILE  where the JSON goes [$DSP_BUILD/%s.json]\n"
		"  --list         names, units and targets of the figures\n",
		report->program, report->about, REPORT_RUNS_MAX, report->runs, report->program);
	if (report->left_out)
		fputs("  --only PREFIX  only figures whose names begin so, and what is taken with "
		      "them\n",
			out);
}

static void print_target(const struct figure *figure)
{
	if (figure->better != NO_TARGET)
		printf(" %s %.10g", figure->better == AT_MOST ? "<=" : ">=", figure->target);
}

static int list(const struct report *report)
{
	for (size_t i = 0; i < report->n_figures; i++) {
		printf("%-36s %-8s", report->figures[i].name, report->figures[i].unit);
		print_target(&report->figures[i]);
		putchar('\n');
	}
	return EXIT_SUCCESS;
}

bool report_wants(const struct report *report, size_t figure)
{
	return !report->only ||
	       strncmp(report->figures[figure].name, report->only, strlen(report->only)) == 0;
}

static bool wants_nothing(const struct report *report)
{
	for (size_t i = 0; i < report->n_figures; i++)
		if (report_wants(report, i))
			return false;
	fprintf(stderr, "%s: no figure begins with \"%s\"; see --list\n", report->program,
		report->only);
	return true;
}

int report_options(struct report *report, int argc, char **argv)
{
	struct option known[ARRAY_SIZE(options)];
	const char *build = getenv("DSP_BUILD");
	int c, runs = report->runs;

	memcpy(known, options, sizeof(known));
	if (!report->left_out)
		known[ARRAY_SIZE(known) - 2] = (struct option){};
	snprintf(report->output, sizeof(report->output), "%s/%s.json", build ? build : "build",
		report->program);
	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		if (c == 'r') {
			runs = atoi(optarg);
		} else if (c == 'o') {
			snprintf(report->output, sizeof(report->output), "%s", optarg);
		} else if (c == 'n') {
			report->only = optarg;
		} else if (c == 'l') {
			return list(report);
		} else {
			usage(report, c == 'h' ? stdout : stderr);
			return c == 'h' ? EXIT_SUCCESS : 2;
		}
	}
	if (runs < 1 || runs > REPORT_RUNS_MAX || optind < argc) {
		usage(report, stderr);
		return 2;
	}
	report->runs = runs;
	return wants_nothing(report) ? 2 : -1;
}

/* Progress. */

#define LINE_START "\r\033[K" /* what stood there is gone */

void report_progress_at(const struct report *report, int run, const char *what)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, LINE_START "run %d of %d%s%s ", run + 1, report->runs,
			what ? ": " : "", what ? what : "");
}

void report_progress(const struct report *report, int run)
{
	report_progress_at(report, run, NULL);
}

void report_add(struct report *report, int run, const double *taken)
{
	for (size_t i = 0; i < report->n_figures; i++)
		report->values[i][run] = taken[i];
}

/* What the runs of a figure come to. */

struct summary {
	int n; /* runs that took it; if none, the rest is NAN */
	double median, min, max, spread;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct summary summarize(const double *values, int runs)
{
	struct summary summary = {.median = NAN, .min = NAN, .max = NAN, .spread = NAN};
	double sorted[REPORT_RUNS_MAX];
	int n = 0;

	for (int run = 0; run < runs; run++)
		if (isfinite(values[run]))
			sorted[n++] = values[run];
	if (!n)
		return summary;
	qsort(sorted, (size_t)n, sizeof(*sorted), compare);
	summary.n = n;
	summary.median = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
	summary.min = sorted[0];
	summary.max = sorted[n - 1];
	if (summary.min == summary.max)
		summary.spread = 0;
	else if (summary.median > 0)
		summary.spread = (summary.max - summary.min) / summary.median;
	return summary;
}

static const char *why_absent(const struct report *report, size_t i)
{
	const char *why = report->absent ? report->absent[i] : NULL;

	return why ? why : "something it is made of was not measured";
}

static bool is_met(const struct figure *figure, double value)
{
	return figure->better == AT_MOST ? value <= figure->target : value >= figure->target;
}

/* The JSON. */

static void add_number(json_object *object, const char *key, double value)
{
	json_object_object_add(object, key, isfinite(value) ? json_object_new_double(value) : NULL);
}

static json_object *figure_json(const struct report *report, size_t i,
	const struct summary *summary)
{
	const struct figure *figure = &report->figures[i];
	json_object *object = json_object_new_object();

	add_number(object, "value", summary->median);
	json_object_object_add(object, "unit", json_object_new_string(figure->unit));
	add_number(object, "target", figure->better == NO_TARGET ? NAN : figure->target);
	json_object_object_add(object, "runs", json_object_new_int(summary->n));
	add_number(object, "min", summary->min);
	add_number(object, "max", summary->max);
	add_number(object, "spread", summary->spread);
	if (!summary->n)
		json_object_object_add(object, "why",
			json_object_new_string(why_absent(report, i)));
	return object;
}

static int write_json(const struct report *report, json_object *root)
{
	_cleanup_(freep) char *temporary = NULL;

	if (asprintf(&temporary, "%s.new", report->output) < 0)
		temporary = NULL;
	if (!temporary ||
		json_object_to_file_ext(temporary, root,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE) < 0 ||
		rename(temporary, report->output) < 0) {
		fprintf(stderr, "%s: cannot write %s: %m\n", report->program, report->output);
		return -1;
	}
	return 0;
}

/* The table. */

/* First "model name" of /proc/cpuinfo; boards without one say what they are. */
static void print_head(const struct report *report)
{
	char line[256], model[256] = "unknown processor";
	struct utsname name;
	FILE *file;

	uname(&name);
	file = fopen("/proc/cpuinfo", "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "model name : %255[^\n]", model) == 1)
			break;
	}
	if (file)
		fclose(file);
	printf("%ld x %s (%s), Linux %s; median, min and max of up to %d runs\n\n",
		sysconf(_SC_NPROCESSORS_ONLN), model, name.machine, name.release, report->runs);
	printf("%-36s %12s %12s %12s %7s  %s\n", "figure", "median", "min", "max", "spread",
		"unit");
}

static void print_figure(const struct report *report, size_t i, const struct summary *summary)
{
	const struct figure *figure = &report->figures[i];

	printf("%-36s ", figure->name);
	if (!summary->n) {
		printf("not taken: %s\n", why_absent(report, i));
		return;
	}
	printf("%12.2f %12.2f %12.2f ", summary->median, summary->min, summary->max);
	if (isnan(summary->spread))
		printf("%7s", "-");
	else
		printf("%6.0f%%", summary->spread * 100);
	printf("  %-8s", figure->unit);
	if (figure->better != NO_TARGET) {
		print_target(figure);
		printf(": %s", is_met(figure, summary->median) ? "met" : "MISSED");
	}
	putchar('\n');
}

static void print_verdict(const struct report *report, const struct summary *summaries)
{
	int met = 0, missed = 0, absent = 0;

	for (size_t i = 0; i < report->n_figures; i++) {
		if (report->figures[i].better == NO_TARGET ||
			(report->left_out && report->left_out[i]))
			continue;
		if (!summaries[i].n)
			absent++;
		else if (is_met(&report->figures[i], summaries[i].median))
			met++;
		else
			missed++;
	}
	printf("\ntargets: %d met, %d missed, %d not taken\n", met, missed, absent);
}

int report_finish(struct report *report)
{
	struct summary *summaries = calloc(report->n_figures, sizeof(*summaries));
	json_object *root = json_object_new_object();
	int r = -1;

	if (isatty(STDERR_FILENO))
		fputs(LINE_START, stderr);
	if (summaries) {
		print_head(report);
		for (size_t i = 0; i < report->n_figures; i++) {
			if (report->left_out && report->left_out[i])
				continue;
			summaries[i] = summarize(report->values[i], report->runs);
			print_figure(report, i, &summaries[i]);
			json_object_object_add(root, report->figures[i].name,
				figure_json(report, i, &summaries[i]));
		}
		print_verdict(report, summaries);
		r = write_json(report, root);
	}
	json_object_put(root);
	free(summaries);
	if (r == 0)
		printf("%s\n", report->output);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
