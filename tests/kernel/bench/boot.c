// SPDX-License-Identifier: MIT
/* Have a guest measure, and read what it prints. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/kernel/bench/bench.h"

#define LINE_SIZE 4096
#define TIMEOUT   "600" /* seconds */

/* "run VALUE...", with a value for each figure. */
static bool parse_run(const char *line, double *figures)
{
	if (strncmp(line, "run ", 4) != 0)
		return false;
	line += 4;
	for (int id = 0; id < FIGURES; id++) {
		char *end;

		figures[id] = strtod(line, &end);
		if (end == line)
			return false;
		line = end;
	}
	return true;
}

static void exec_guest(int runs, int output)
{
	char count[16];
	const char *const argv[] = {
		"tests/kernel/boot", program_invocation_name, "--guest", count, NULL};

	snprintf(count, sizeof(count), "%d", runs);
	setenv("BOOT_TIMEOUT", TIMEOUT, 0);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execv(argv[0], (char *const *)argv);
	perror(argv[0]);
	_exit(EXIT_FAILURE);
}

/* This program in the guest, whose hardware has its name. Returns what it prints. */
static FILE *start(int runs, pid_t *pid)
{
	int output[2];

	if (pipe2(output, O_CLOEXEC) < 0)
		return NULL;
	*pid = fork();
	if (*pid == 0)
		exec_guest(runs, output[1]);
	close(output[1]);
	return fdopen(output[0], "r");
}

/* What else the guest says is of interest when something goes wrong. Returns the number of runs. */
static int read_runs(FILE *guest, FILE *said, int runs,
	void (*taken)(int run, const double *figures, void *data), void *data)
{
	double figures[FIGURES];
	char line[LINE_SIZE];
	int run = 0;

	while (fgets(line, sizeof(line), guest)) {
		if (run < runs && parse_run(line, figures))
			taken(run++, figures, data);
		else
			fputs(line, said);
	}
	return run;
}

int guest_boot(int runs, void (*taken)(int run, const double *figures, void *data), void *data)
{
	_cleanup_(freep) char *text = NULL;
	pid_t pid = -1;
	FILE *guest = start(runs, &pid), *said;
	int run, status = -1;
	size_t size;

	said = open_memstream(&text, &size);
	if (!guest || !said || pid < 0) {
		fprintf(stderr, "bench-kernel: cannot boot: %m\n");
		return -1;
	}
	run = read_runs(guest, said, runs, taken, data);
	fclose(guest);
	fclose(said);
	waitpid(pid, &status, 0);
	if (status == 0 && run == runs)
		return 0;
	fprintf(stderr, "%sbench-kernel: the guest failed (0x%x) after %d of %d runs\n", text,
		(unsigned int)status, run, runs);
	return -1;
}
