// SPDX-License-Identifier: MIT
/* dspctl, the command line of dspbroker: what the command line may be, and what it means. */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/dspctl.h"
#include "client/dspctl_args.h"
#include "client/dspctl_stream.h"
#include "protocol/wire.h"

#define TIMEOUT_MAX_MS (UINT32_MAX / 1000)
#define WORDS_ANY      SIZE_MAX

enum option_id {
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_JSON,
	OPTION_SOCKET,
	OPTION_TIMEOUT,
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
	OPTIONS,
};

#define BIT(option) (1u << (option))
#define BITS_ALWAYS (BIT(OPTION_HELP) | BIT(OPTION_VERSION) | BIT(OPTION_JSON))
#define BITS_BROKER (BITS_ALWAYS | BIT(OPTION_SOCKET))
#define BITS_MESSAGES \
	(BITS_BROKER | BIT(OPTION_TIMEOUT) | BIT(OPTION_FOLLOW) | BIT(OPTION_HEX) | BIT(OPTION_RAW))

static const struct option_rule {
	const char *value; /* NULL: it takes none */
	const char *help;
	size_t field; /* numbers: where in struct dspctl_options */
	int64_t min, max;
	size_t flag; /* those that are on or off: likewise */
} rules[OPTIONS] = {
	[OPTION_HELP] = {.help = "show this text"},
	[OPTION_VERSION] = {.help = "show the version"},
	[OPTION_JSON] = {.help = "print JSON instead of text",
		.flag = offsetof(struct dspctl_options, json)},
	[OPTION_SOCKET] = {"PATH",
		"the broker's socket ($DSPBROKER_SOCKET, else " DSP_SOCKET_DEFAULT ")", 0, 0, 0, 0},
	[OPTION_TIMEOUT] = {"MS",
		"longest wait for the call, for room or for each message, in milliseconds",
		offsetof(struct dspctl_options, timeout_ms), 1, TIMEOUT_MAX_MS, 0},
	[OPTION_BLOCK] = {"SAMPLES", "samples in a block (10 milliseconds of sound)",
		offsetof(struct dspctl_options, block), PCM_BLOCK_MIN, PCM_BLOCK_MAX, 0},
	[OPTION_IN_FLIGHT] = {"N", "blocks under way at a time (8, or what policy allows)",
		offsetof(struct dspctl_options, in_flight), 1, DSPCTL_SLOTS_MAX, 0},
	[OPTION_SUPPRESS] = {"DB", "how far noise is lowered, -1 to -100 (the module's choice)",
		offsetof(struct dspctl_options, suppress_db), PCM_SUPPRESS_MIN, -1, 0},
	[OPTION_RATE] = {"HZ", "samples a second of the result (as the input has)",
		offsetof(struct dspctl_options, rate), PCM_RATE_MIN, PCM_RATE_MAX, 0},
	[OPTION_COUNT] = {"N", "messages to print (1)", offsetof(struct dspctl_options, count), 1,
		UINT32_MAX, 0},
	[OPTION_RECEIVE] = {"N", "then print so many messages that come",
		offsetof(struct dspctl_options, count), 1, UINT32_MAX, 0},
	[OPTION_FOLLOW] = {.help = "print what comes until interrupted",
		.flag = offsetof(struct dspctl_options, follow)},
	[OPTION_HEX] = {.help = "messages are hexadecimal digits",
		.flag = offsetof(struct dspctl_options, hex)},
	[OPTION_RAW] = {.help = "bytes as they are, and standard input as one message",
		.flag = offsetof(struct dspctl_options, raw)},
	[OPTION_TRY] = {.help = "fail rather than wait for room",
		.flag = offsetof(struct dspctl_options, try_only)},
};

/* Pairs that make no sense together. */
static const struct {
	enum option_id one, other;
} exclusive[] = {
	{OPTION_HEX, OPTION_RAW},
	{OPTION_RAW, OPTION_JSON},
	{OPTION_COUNT, OPTION_FOLLOW},
	{OPTION_RECEIVE, OPTION_FOLLOW},
};

static const struct option longs[] = {
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"json", no_argument, NULL, OPTION_JSON},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"block", required_argument, NULL, OPTION_BLOCK},
	{"in-flight", required_argument, NULL, OPTION_IN_FLIGHT},
	{"suppress", required_argument, NULL, OPTION_SUPPRESS},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"receive", required_argument, NULL, OPTION_RECEIVE},
	{"follow", no_argument, NULL, OPTION_FOLLOW},
	{"hex", no_argument, NULL, OPTION_HEX},
	{"raw", no_argument, NULL, OPTION_RAW},
	{"try", no_argument, NULL, OPTION_TRY},
	{NULL, 0, NULL, 0},
};

static const char call_help[] =
	"Arguments, the inputs first, in the order of the method:\n"
	"  i32:1,-2,0x3     numbers, little-endian; also u32 i64 u64 u8 f32 f64\n"
	"  text:WORDS       text, without a closing NUL\n"
	"  hex:00ff10       bytes\n"
	"  @FILE            a file; @- is standard input\n"
	"  out:SIZE         an output, shown as a dump; SIZE in bytes, or with K, M, G\n"
	"  out:TYPE:COUNT   an output, shown as so many numbers (1 unless given)\n"
	"  'out:SIZE>FILE'  an output, written to a file; >- is standard output\n"
	"\n"
	"FastRPC carries a method above 30 in the first 4 bytes of the first input. They are\n"
	"yours to give, since what follows them there is yours as well:\n"
	"  dspctl call soft0/example 40 u32:40,7 out:u32\n";

static const char run_help[] =
	"The channel must speak the PCM block interface, as soft0/denoise does; the recording\n"
	"must be mono with 16 bits a sample. OUT.wav is replaced when all went well, and left\n"
	"alone when not.\n";

static const char devices_help[] =
	"With --follow, the list is followed by a line for each event of a device or a channel.\n";

static const char send_help[] =
	"Each MESSAGE is sent as one datagram; - stands for the lines of standard input, which is\n"
	"read to its end first. A message longer than the channel's MTU is refused, and then none\n"
	"is sent. Put -- before messages that begin with a dash.\n"
	"\n"
	"Many services answer only to whoever has written to them: get the answer with --receive\n"
	"or --follow, over the same session.\n"
	"  dspctl send rpmsg0/echo hello --receive 1\n";

static const char receive_help[] =
	"Messages are printed one a line: printable text as it is, a backslash as \\\\, and other\n"
	"bytes as \\xNN.\n"
	"\n"
	"Many services answer only to whoever has written to them: see `dspctl send --help`.\n";

static const char policy_help[] =
	"Reads the *.json files of the directories (without any: the vendor's and the\n"
	"administrator's) as the broker would; needs no broker. Errors and warnings are\n"
	"FILE:LINE:COLUMN: TEXT.\n";

static const struct command {
	const char *name; /* one word or more */
	const char *usage;
	const char *summary;
	const char *help;
	size_t words_min, words_max;
	unsigned int options; /* bits of those it takes */
	int (*run)(const struct dspctl_options *options);
} commands[] = {
	{"devices", "", "list the DSPs", devices_help, 0, 0, BITS_BROKER | BIT(OPTION_FOLLOW),
		dspctl_devices},
	{"channels", "", "list the channels, and which of them policy lets you open", "", 0, 0,
		BITS_BROKER, dspctl_channels},
	{"sessions", "", "list your open sessions; root sees everybody's", "", 0, 0, BITS_BROKER,
		dspctl_sessions},
	{"call", " CHANNEL METHOD [ARG]...", "call a method once", call_help, 2, WORDS_ANY,
		BITS_BROKER | BIT(OPTION_TIMEOUT), dspctl_call},
	{"run", " CHANNEL IN.wav OUT.wav", "stream a sound file through a channel", run_help, 3, 3,
		BITS_BROKER | BIT(OPTION_BLOCK) | BIT(OPTION_IN_FLIGHT) | BIT(OPTION_SUPPRESS) |
			BIT(OPTION_RATE),
		dspctl_run},
	{"send", " CHANNEL MESSAGE...", "send messages", send_help, 2, WORDS_ANY,
		BITS_MESSAGES | BIT(OPTION_RECEIVE) | BIT(OPTION_TRY), dspctl_send},
	{"receive", " CHANNEL", "print messages as they come", receive_help, 1, 1,
		BITS_MESSAGES | BIT(OPTION_COUNT), dspctl_receive},
	{"policy check", " [DIR]...", "check policy files", policy_help, 0, WORDS_ANY, BITS_ALWAYS,
		dspctl_policy_check},
};

static const char exit_help[] =
	"Exit codes:\n"
	"  0  done\n"
	"  1  failed, for another reason than those below\n"
	"  2  wrong usage\n"
	"  3  denied by policy\n"
	"  4  no broker there, or the connection broke\n"
	"  5  not found\n"
	"  6  over a limit\n"
	"  7  timed out\n"
	"  8  the module returned an error; its value is printed\n"
	"  9  the module crashed, its device is down, or the service is gone\n"
	" 10  busy: no room just now, or an exclusive channel is taken\n";

static void print_options(unsigned int taken)
{
	char left[32];

	puts("\nOptions:");
	for (size_t i = 0; i < OPTIONS; i++) {
		if (!(taken & BIT(i)))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", longs[i].name, rules[i].value ? " " : "",
			rules[i].value ? rules[i].value : "");
		printf("  %-18s %s\n", left, rules[i].help);
	}
}

static void print_command_help(const struct command *command)
{
	printf("Usage: dspctl %s%s [OPTION]...\n", command->name, command->usage);
	printf("%s%s", *command->help ? "\n" : "", command->help);
	print_options(command->options);
}

static void print_help(void)
{
	puts("Usage: dspctl COMMAND [ARG]... [OPTION]...\n"
	     "See and use the DSPs that dspbrokerd offers.\n\n"
	     "Commands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-14s%s\n", commands[i].name, commands[i].summary);
	print_options(BITS_BROKER);
	puts("\n`dspctl COMMAND --help` says more about a command.\n");
	fputs(exit_help, stdout);
}

/* How many words of the command line are the name of @command; 0: it is another. */
static size_t match(const struct command *command, char *const *words, size_t n_words)
{
	const char *name = command->name;
	size_t i, length;

	for (i = 0; *name; i++) {
		length = strcspn(name, " ");
		if (i == n_words || strlen(words[i]) != length ||
			memcmp(words[i], name, length) != 0)
			return 0;
		name += length;
		name += *name == ' ';
	}
	return i;
}

/* Takes the command's name off the words. */
static const struct command *find_command(struct dspctl_options *options)
{
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		n = match(&commands[i], options->words, options->n_words);
		options->words += n;
		options->n_words -= n;
		if (n > 0)
			return &commands[i];
	}
	return NULL;
}

static int set_option(struct dspctl_options *options, int id)
{
	const struct option_rule *rule = &rules[id];
	int64_t *field = (int64_t *)(void *)((char *)options + rule->field);

	if (rule->flag)
		*(bool *)((char *)options + rule->flag) = true;
	if (id == OPTION_SOCKET)
		options->socket = optarg;
	if (rule->field && dspctl_integer_parse(field, optarg, rule->min, rule->max) < 0)
		return dspctl_fail(DSPCTL_USAGE,
			"--%s %s: must be a number from %" PRId64 " to %" PRId64, longs[id].name,
			optarg, rule->min, rule->max);
	return DSPCTL_OK;
}

static int parse_options(struct dspctl_options *options, unsigned int *out_given, int argc,
	char **argv)
{
	int id, r;

	while ((id = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (id == '?')
			return DSPCTL_USAGE; /* getopt_long() has said why */
		r = set_option(options, id);
		if (r)
			return r;
		*out_given |= BIT(id);
	}
	options->words = argv + optind;
	options->n_words = (size_t)(argc - optind);
	return DSPCTL_OK;
}

static int check_usage(const struct command *command, const struct dspctl_options *options,
	unsigned int given)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (given & ~command->options & BIT(i))
			return dspctl_fail(DSPCTL_USAGE, "%s takes no --%s", command->name,
				longs[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(exclusive); i++)
		if (given & BIT(exclusive[i].one) && given & BIT(exclusive[i].other))
			return dspctl_fail(DSPCTL_USAGE, "--%s and --%s exclude each other",
				longs[exclusive[i].one].name, longs[exclusive[i].other].name);
	if (options->n_words < command->words_min || options->n_words > command->words_max)
		return dspctl_fail(DSPCTL_USAGE, "usage: dspctl %s%s [OPTION]...", command->name,
			command->usage);
	return DSPCTL_OK;
}

static int run_command(struct dspctl_options *options, unsigned int given)
{
	const struct command *command = find_command(options);
	int r;

	if (given & BIT(OPTION_VERSION)) {
		puts("dspctl " DSP_VERSION);
		return DSPCTL_OK;
	}
	if (given & BIT(OPTION_HELP)) {
		command ? print_command_help(command) : print_help();
		return DSPCTL_OK;
	}
	if (!command && options->n_words == 0)
		return dspctl_fail(DSPCTL_USAGE, "no command given; see `dspctl --help`");
	if (!command)
		return dspctl_fail(DSPCTL_USAGE, "%s: no such command; see `dspctl --help`",
			options->words[0]);
	r = check_usage(command, options, given);
	return r ? r : command->run(options);
}

/* A descriptor opened by us must not become a standard stream that our caller closed. What stands
 * in for it fails, as a closed one would. */
static void hold_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* Output that did not arrive is a failure. */
static int close_output(int code)
{
	const bool failed = ferror(stdout);

	errno = 0;
	if ((fclose(stdout) != 0 || failed) && code == DSPCTL_OK)
		return dspctl_fail(DSPCTL_FAILED, "cannot write to standard output: %s",
			errno ? strerror(errno) : "write error");
	return code;
}

int main(int argc, char **argv)
{
	static char name[] = "dspctl"; /* getopt_long() begins its messages with argv[0] */
	struct dspctl_options options = {0};
	unsigned int given = 0;
	int code;

	if (argc > 0)
		argv[0] = name;
	hold_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	code = parse_options(&options, &given, argc, argv);
	if (code == DSPCTL_OK)
		code = run_command(&options, given);
	return close_output(code);
}
