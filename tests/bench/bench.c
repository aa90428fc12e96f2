// SPDX-License-Identifier: MIT
/*
 * The benchmark: takes every figure several times, each time on a broker of its own, and reports
 * median and spread as a table and as JSON.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/bench.h"

#define RUNS_DEFAULT 7
#define RUNS_MAX     100

enum better {
	NO_TARGET,
	AT_MOST,
	AT_LEAST
};

static const struct {
	const char *name;
	const char *unit;
	enum better better;
	double target;
} figures[FIGURES] = {
	[SOCKET_P50] = {"socket_round_trip_p50", "us", NO_TARGET, 0},
	[NULL_CALL_P50] = {"null_call_p50", "us", NO_TARGET, 0},
	[NULL_CALL_P99] = {"null_call_p99", "us", NO_TARGET, 0},
	[NULL_CALL_OVER_SOCKET] = {"null_call_over_socket", "ratio", NO_TARGET, 0},
	[PIPELINED_PER_SECOND] = {"pipelined_per_second", "calls/s", NO_TARGET, 0},
	[ZERO_COPY_4K_P50] = {"call_4k_p50", "us", NO_TARGET, 0},
	[ZERO_COPY_64M_P50] = {"call_64m_p50", "us", NO_TARGET, 0},
	[ZERO_COPY_64M_OVER_4K] = {"zero_copy_64m_over_4k", "ratio", AT_MOST, 1.10},
	[OPEN_CLOSE_PRIVATE_PER_SECOND] = {"open_close_private_per_second", "1/s", NO_TARGET, 0},
	[OPEN_CLOSE_PER_SECOND] = {"open_close_per_second", "1/s", NO_TARGET, 0},
	[RSS_PER_SESSION_KIB] = {"rss_per_session_kib", "KiB", NO_TARGET, 0},
};

void must(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "bench: %s: %s %s\n", what, dspbroker_strerror(r), dspbroker_message());
	exit(EXIT_FAILURE);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool is_met(enum figure_id id, double value)
{
	return figures[id].better == NO_TARGET ||
	       (figures[id].better == AT_MOST ? value <= figures[id].target
					      : value >= figures[id].target);
}

/* "value": the median; the runs are sorted on return. */
static json_object *report(enum figure_id id, double *runs, int n)
{
	json_object *object = json_object_new_object();
	double median;

	qsort(runs, (size_t)n, sizeof(*runs), compare);
	median = n % 2 ? runs[n / 2] : (runs[n / 2 - 1] + runs[n / 2]) / 2;
	json_object_object_add(object, "value", json_object_new_double(median));
	json_object_object_add(object, "unit", json_object_new_string(figures[id].unit));
	json_object_object_add(object, "target",
		figures[id].better == NO_TARGET ? NULL
						: json_object_new_double(figures[id].target));
	json_object_object_add(object, "runs", json_object_new_int(n));
	json_object_object_add(object, "min", json_object_new_double(runs[0]));
	json_object_object_add(object, "max", json_object_new_double(runs[n - 1]));
	printf("%-32s %12.2f %12.2f %12.2f  %-8s", figures[id].name, median, runs[0], runs[n - 1],
		figures[id].unit);
	if (figures[id].better != NO_TARGET)
		printf(" %s %.2f: %s",
			figures[id].better == AT_MOST ? "<=" : ">=", figures[id].target,
			is_met(id, median) ? "met" : "MISSED");
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

static int write_json(json_object *root, const char *path)
{
	_cleanup_(freep) char *temporary = NULL;

	if (asprintf(&temporary, "%s.new", path) < 0)
		temporary = NULL;
	if (!temporary || json_object_to_file_ext(temporary, root, JSON_C_TO_STRING_PRETTY) < 0 ||
		rename(temporary, path) < 0) {
		fprintf(stderr, "bench: cannot write %s: %m\n", path);
		return -1;
	}
	return 0;
}

/* All runs, a column of @values each. */
static void run_all(double values[FIGURES][RUNS_MAX], int runs)
{
	for (int run = 0; run < runs; run++) {
		double taken[FIGURES];
		struct service service;

		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rrun %d of %d ", run + 1, runs);
		service_start(&service);
		measure(&service, taken);
		service_stop(&service);
		for (int id = 0; id < FIGURES; id++)
			values[id][run] = taken[id];
	}
	if (isatty(STDERR_FILENO))
		fputs("\r              \r", stderr);
}

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: bench [--runs N] [--output FILE]\n"
		"Measure the broker in $DSP_BUILD [build]; see tests/bench/README.md.\n"
		"  --runs N       how often each figure is taken, 1 to %d [%d]\n"
		"  --output FILE  where the JSON goes [$DSP_BUILD/bench.json]\n",
		RUNS_MAX, RUNS_DEFAULT);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"runs", required_argument, NULL, 'r'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	static double values[FIGURES][RUNS_MAX];
	const char *build = getenv("DSP_BUILD");
	char output[4096];
	json_object *root;
	int c, runs = RUNS_DEFAULT, r;

	snprintf(output, sizeof(output), "%s/bench.json", build ? build : "build");
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'r') {
			runs = atoi(optarg);
		} else if (c == 'o') {
			snprintf(output, sizeof(output), "%s", optarg);
		} else {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? EXIT_SUCCESS : 2;
		}
	}
	if (runs < 1 || runs > RUNS_MAX || optind < argc) {
		usage(stderr);
		return 2;
	}
	root = json_object_new_object();
	run_all(values, runs);
	print_machine(runs);
	for (enum figure_id id = 0; id < FIGURES; id++)
		json_object_object_add(root, figures[id].name, report(id, values[id], runs));
	r = write_json(root, output);
	json_object_put(root);
	if (r == 0)
		printf("\n%s\n", output);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
