// SPDX-License-Identifier: MIT
/*
 * What every benchmark says in the end: of each of its figures the median of all runs, with minimum
 * and maximum, as a table and as JSON. And the options that they all have.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <limits.h>
#include <stddef.h>

#define REPORT_RUNS_MAX 100

enum better {
	NO_TARGET,
	AT_MOST,
	AT_LEAST
};

struct figure {
	const char *name;
	const char *unit;
	enum better better;
	double target;
};

struct report {
	const char *program; /* its name */
	const char *about;   /* a line of the help */
	const struct figure *figures;
	size_t n_figures;
	double (*values)[REPORT_RUNS_MAX]; /* of each figure */
	int runs;                          /* that are taken; an option */
	char output[PATH_MAX];             /* where the JSON goes; an option */
};

/* Read the command line; report->runs is the default. Returns -1 to go on, or an exit code. */
int report_options(struct report *report, int argc, char **argv);
/* A run begins: say so where somebody looks. */
void report_progress(const struct report *report, int run);
/* A run is over; @taken has a value for each figure. */
void report_add(struct report *report, int run, const double *taken);
/* Print and write all. Returns an exit code. */
int report_finish(struct report *report);

#endif
