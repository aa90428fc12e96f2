// SPDX-License-Identifier: MIT
#include "tests/bench/report.h"

#include <getopt.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "protocol/util.h"

static void usage(const struct report *report, FILE *out)
{
	fprintf(out,
		"Usage: %s [--runs N] [--output FILE]\n"
		"%s; see tests/bench/README.md.\n"
		"  --runs N       how often each figure is taken, 1 to %d [%d]\n"
		"  --output FILE  where the JSON goes [$DSP_BUILD/%s.json]\n",
		report->program, report->about, REPORT_RUNS_MAX, report->runs, report->program);
}

int report_options(struct report *report, int argc, char **argv)
{
	static const struct option options[] = {
		{"runs", required_argument, NULL, 'r'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	const char *build = getenv("DSP_BUILD");
	int c, runs = report->runs;

	snprintf(report->output, sizeof(report->output), "%s/%s.json", build ? build : "build",
		report->program);
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'r') {
			runs = atoi(optarg);
		} else if (c == 'o') {
			snprintf(report->output, sizeof(report->output), "%s", optarg);
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
	return -1;
}

void report_progress(const struct report *report, int run)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rrun %d of %d ", run + 1, report->runs);
}

void report_add(struct report *report, int run, const double *taken)
{
	for (size_t i = 0; i < report->n_figures; i++)
		report->values[i][run] = taken[i];
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool is_met(const struct figure *figure, double value)
{
	return figure->better == NO_TARGET ||
	       (figure->better == AT_MOST ? value <= figure->target : value >= figure->target);
}

/* "value": the median; the runs are sorted on return. */
static json_object *report_figure(const struct figure *figure, double *runs, int n)
{
	json_object *object = json_object_new_object();
	double median;

	qsort(runs, (size_t)n, sizeof(*runs), compare);
	median = n % 2 ? runs[n / 2] : (runs[n / 2 - 1] + runs[n / 2]) / 2;
	json_object_object_add(object, "value", json_object_new_double(median));
	json_object_object_add(object, "unit", json_object_new_string(figure->unit));
	json_object_object_add(object, "target",
		figure->better == NO_TARGET ? NULL : json_object_new_double(figure->target));
	json_object_object_add(object, "runs", json_object_new_int(n));
	json_object_object_add(object, "min", json_object_new_double(runs[0]));
	json_object_object_add(object, "max", json_object_new_double(runs[n - 1]));
	printf("%-32s %12.2f %12.2f %12.2f  %-8s", figure->name, median, runs[0], runs[n - 1],
		figure->unit);
	if (figure->better != NO_TARGET)
		printf(" %s %.2f: %s", figure->better == AT_MOST ? "<=" : ">=", figure->target,
			is_met(figure, median) ? "met" : "MISSED");
	putchar('\n');
	return object;
}

/* First "model name" of /proc/cpuinfo; boards without one say what they are. */
static void print_machine(int runs)
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
	printf("%ld x %s (%s), Linux %s; median, min and max of %d runs\n\n",
		sysconf(_SC_NPROCESSORS_ONLN), model, name.machine, name.release, runs);
	printf("%-32s %12s %12s %12s  %s\n", "figure", "median", "min", "max", "unit");
}

static int write_json(const struct report *report, json_object *root)
{
	_cleanup_(freep) char *temporary = NULL;

	if (asprintf(&temporary, "%s.new", report->output) < 0)
		temporary = NULL;
	if (!temporary || json_object_to_file_ext(temporary, root, JSON_C_TO_STRING_PRETTY) < 0 ||
		rename(temporary, report->output) < 0) {
		fprintf(stderr, "%s: cannot write %s: %m\n", report->program, report->output);
		return -1;
	}
	return 0;
}

int report_finish(struct report *report)
{
	json_object *root = json_object_new_object();
	int r;

	if (isatty(STDERR_FILENO))
		fputs("\r              \r", stderr);
	print_machine(report->runs);
	for (size_t i = 0; i < report->n_figures; i++)
		json_object_object_add(root, report->figures[i].name,
			report_figure(&report->figures[i], report->values[i], report->runs));
	r = write_json(report, root);
	json_object_put(root);
	if (r == 0)
		printf("\n%s\n", report->output);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
