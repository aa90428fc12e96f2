// SPDX-License-Identifier: MIT
/*
 * What every benchmark says in the end: of each of its figures the median of all runs, with
 * minimum, maximum and spread, as a table and as JSON. And the options that they all have.
 *
 * A figure that a run did not take is NAN, or infinite. One that no run took is null, with the
 * reason.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <limits.h>
#include <stdbool.h>
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
	const char *const *absent;         /* of each figure: why it was not taken; or NULL */
	bool *left_out;        /* of each figure: nobody wants it; NULL: there is no --only */
	int runs;              /* that are taken; an option */
	const char *only;      /* how names begin that are wanted, or NULL; an option */
	char output[PATH_MAX]; /* where the JSON goes; an option */
};

/* Read the command line; report->runs is the default. Returns -1 to go on, or an exit code. */
int report_options(struct report *report, int argc, char **argv);
/* Does --only, if it was given, name this figure? */
bool report_wants(const struct report *report, size_t figure);
/* A run begins: say so where somebody looks; and that it comes to @what, unless that is NULL. */
void report_progress(const struct report *report, int run);
void report_progress_at(const struct report *report, int run, const char *what);
/* A run is over; @taken has a value for each figure. */
void report_add(struct report *report, int run, const double *taken);
/* Print and write all. Returns an exit code. */
int report_finish(struct report *report);

#endif
