// SPDX-License-Identifier: MIT
/* The options of dspctl's command line: which there are, and what they set. */
#ifndef DSPCTL_OPTIONS_H
#define DSPCTL_OPTIONS_H

#include "client/dspctl.h"

enum option_id {
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_JSON,
	OPTION_SOCKET,
	OPTION_TIMEOUT,
	OPTION_MEMORY,
	OPTION_MODULE,
	OPTION_BLOCK,
	OPTION_IN_FLIGHT,
	OPTION_SUPPRESS,
	OPTION_RATE,
	OPTION_COUNT,
	OPTION_RECEIVE,
	OPTION_FOLLOW,
	OPTION_HEX,
	OPTION_RAW,
	OPTION_TRY,
	OPTION_STRICT,
	OPTION_PID,
	OPTION_UID,
	OPTION_CHANNEL,
	OPTION_VERB,
	OPTION_METHOD,
	OPTIONS,
};

/* Sets of options. */
#define OPTION_BIT(option) (1u << (option))

/* Read the command line into @options, which points into it, and is zeroed before; *@given is the
 * set of those that stand there. Returns DSPCTL_OK, or DSPCTL_USAGE after a word on what is
 * wrong. */
int dspctl_options_parse(struct dspctl_options *options, unsigned int *given, int argc,
	char **argv);

/* A command takes this set, and nobody takes some of them together. The same returns. */
int dspctl_options_check(const char *command, unsigned int taken, unsigned int given);

/* Print what help says of that set. */
void dspctl_options_print(unsigned int taken);

#endif
