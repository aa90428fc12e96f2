// SPDX-License-Identifier: MIT
/* dspctl, the command line of dspbroker: what the command line may be, and what it means. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/dspctl_options.h"

#define WORDS_ANY SIZE_MAX

#define BIT(option) OPTION_BIT(option)
#define BITS_ALWAYS (BIT(OPTION_HELP) | BIT(OPTION_VERSION) | BIT(OPTION_JSON))
#define BITS_BROKER (BITS_ALWAYS | BIT(OPTION_SOCKET))
#define BITS_CALLS  (BITS_BROKER | BIT(OPTION_MEMORY) | BIT(OPTION_MODULE))
#define BITS_MESSAGES \
	(BITS_BROKER | BIT(OPTION_TIMEOUT) | BIT(OPTION_FOLLOW) | BIT(OPTION_HEX) | BIT(OPTION_RAW))

#define BUFFERS_HELP                                                                            \
	"With --memory, buffers come from the system's dma-buf heap or from the device's own\n" \
	"allocator. With --module, FILE takes the place of an installed module, where policy\n" \
	"lets you: a shared object for that DSP.\n"

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
	"  dspctl call soft0/example 40 u32:40,7 out:u32\n"
	"\n" BUFFERS_HELP;

static const char run_help[] = "The channel must speak the PCM block interface, as the module "
			       "denoise does on any device:\n"
			       "soft0/denoise, cdsp/denoise. The recording must be mono with 16 "
			       "bits a sample. OUT.wav is\n"
			       "replaced when all went well, and left alone when not.\n"
			       "\n" BUFFERS_HELP;

static const char status_help[] =
	"Says how the broker runs and how it is confined. Whatever is in capital letters is not "
	"as\n"
	"it should be; exit codes 11 and 12 tell scripts. What is in use is that of all users for\n"
	"root and the broker's own user, and yours otherwise.\n";

static const char devices_help[] =
	"PDS is the number of protection domains, and how many there can be. HUNG of them have a\n"
	"call that did not end in time, and so many opens are WAITING for one to be free.\n"
	"\n"
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

static const char show_help[] =
	"Prints the rules, devices and domains of all files as one, in the order in which they "
	"are\n"
	"looked at, each with the file and line that it comes from. Needs no broker.\n";

static const char explain_help[] =
	"Says what the files of the directories (without any: the vendor's and the\n"
	"administrator's) allow to whom: each rule that is looked at and why it does not match,\n"
	"then the one that decides. Needs no broker, but may have to be root to see all that "
	"there\n"
	"is to be known of a process. Exit code 0: allowed, 3: denied.\n"
	"  dspctl policy explain --pid 1234 --channel cdsp/denoise --method 4\n"
	"  dspctl policy explain --uid alice --channel cdsp --verb stop\n";

static const char reload_help[] =
	"Has the broker read its policy files again, and waits until the new policy is in force.\n"
	"If they are wrong, the policy that was in force stays. Needs the right `reload`.\n";

static const char kick_help[] =
	"SESSION is a number that `dspctl sessions` lists as ID. The program is told. Needs the\n"
	"right `kick` on the session's channel.\n";

static const char power_help[] =
	"Returns when that has begun; `dspctl devices --follow` shows how it goes on. One that is\n"
	"stopped takes its sessions along, and where policy lets the broker start it, it stays\n"
	"stopped until you start it. Needs the right `start` or `stop` on the device.\n";

static const struct command {
	const char *name; /* one word or more */
	const char *usage;
	const char *summary;
	const char *help;
	size_t words_min, words_max;
	unsigned int options; /* bits of those it takes */
	int (*run)(const struct dspctl_options *options);
} commands[] = {
	{"status", "", "say how the broker runs, and how it is confined", status_help, 0, 0,
		BITS_BROKER, dspctl_status},
	{"devices", "", "list the DSPs", devices_help, 0, 0, BITS_BROKER | BIT(OPTION_FOLLOW),
		dspctl_devices},
	{"channels", "", "list the channels, and which of them policy lets you open", "", 0, 0,
		BITS_BROKER, dspctl_channels},
	{"sessions", "", "list your open sessions, and those that policy lets you see", "", 0, 0,
		BITS_BROKER, dspctl_sessions},
	{"call", " CHANNEL METHOD [ARG]...", "call a method once", call_help, 2, WORDS_ANY,
		BITS_CALLS | BIT(OPTION_TIMEOUT), dspctl_call},
	{"run", " CHANNEL IN.wav OUT.wav", "stream a sound file through a channel", run_help, 3, 3,
		BITS_CALLS | BIT(OPTION_BLOCK) | BIT(OPTION_IN_FLIGHT) | BIT(OPTION_SUPPRESS) |
			BIT(OPTION_RATE),
		dspctl_run},
	{"send", " CHANNEL MESSAGE...", "send messages", send_help, 2, WORDS_ANY,
		BITS_MESSAGES | BIT(OPTION_RECEIVE) | BIT(OPTION_TRY), dspctl_send},
	{"receive", " CHANNEL", "print messages as they come", receive_help, 1, 1,
		BITS_MESSAGES | BIT(OPTION_COUNT), dspctl_receive},
	{"kick", " SESSION", "end somebody's session", kick_help, 1, 1, BITS_BROKER, dspctl_kick},
	{"start", " DEVICE", "start a device's remote processor", power_help, 1, 1, BITS_BROKER,
		dspctl_start},
	{"stop", " DEVICE", "stop it", power_help, 1, 1, BITS_BROKER, dspctl_stop},
	{"policy check", " [DIR]...", "check policy files", policy_help, 0, WORDS_ANY,
		BITS_ALWAYS | BIT(OPTION_STRICT), dspctl_policy_check},
	{"policy show", " [DIR]...", "print them as one", show_help, 0, WORDS_ANY, BITS_ALWAYS,
		dspctl_policy_show},
	{"policy explain", " [DIR]...", "say what they allow to whom, and why", explain_help, 0,
		WORDS_ANY,
		BITS_ALWAYS | BIT(OPTION_PID) | BIT(OPTION_UID) | BIT(OPTION_CHANNEL) |
			BIT(OPTION_VERB) | BIT(OPTION_METHOD),
		dspctl_policy_explain},
	{"policy reload", "", "have the broker read its policy files again", reload_help, 0, 0,
		BITS_BROKER, dspctl_policy_reload},
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
	" 10  busy: no room just now, or an exclusive channel is taken\n"
	" 11  the broker is less confined than it could be (status)\n"
	" 12  its policy files are wrong, or it accepts no connections (status)\n";

static void print_command_help(const struct command *command)
{
	printf("Usage: dspctl %s%s [OPTION]...\n", command->name, command->usage);
	printf("%s%s", *command->help ? "\n" : "", command->help);
	dspctl_options_print(command->options);
}

static void print_help(void)
{
	puts("Usage: dspctl COMMAND [ARG]... [OPTION]...\n"
	     "See and use the DSPs that dspbrokerd offers.\n\n"
	     "Commands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-16s%s\n", commands[i].name, commands[i].summary);
	dspctl_options_print(BITS_BROKER);
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

static int check_usage(const struct command *command, const struct dspctl_options *options,
	unsigned int given)
{
	const int r = dspctl_options_check(command->name, command->options, given);

	if (r)
		return r;
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
	struct dspctl_options options;
	unsigned int given;
	int code;

	if (argc > 0)
		argv[0] = name;
	hold_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	code = dspctl_options_parse(&options, &given, argc, argv);
	if (code == DSPCTL_OK)
		code = run_command(&options, given);
	return close_output(code);
}
