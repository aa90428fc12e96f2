// SPDX-License-Identifier: MIT
#include "client/dspctl_options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/dspctl_args.h"
#include "client/dspctl_stream.h"
#include "policy/policy.h"
#include "protocol/wire.h"

#define TIMEOUT_MAX_MS (UINT32_MAX / 1000)

#define FIELD(member) offsetof(struct dspctl_options, member)

/* Offsets are those in struct dspctl_options; 0: it sets nothing of that kind. */
static const struct option_rule {
	const char *value; /* NULL: it takes none */
	const char *help;
	size_t flag; /* of a bool */
	size_t text; /* of a string */
	size_t word; /* of an int64_t: which of @words it is */
	const char *const *words;
	size_t number; /* of an int64_t */
	int64_t min, max;
} rules[OPTIONS] = {
	[OPTION_HELP] = {.help = "show this text"},
	[OPTION_VERSION] = {.help = "show the version"},
	[OPTION_JSON] = {.help = "print JSON instead of text", .flag = FIELD(json)},
	[OPTION_SOCKET] = {.value = "PATH",
		.help = "the broker's socket ($DSPBROKER_SOCKET, else " DSP_SOCKET_DEFAULT ")",
		.text = FIELD(socket)},
	[OPTION_TIMEOUT] = {.value = "MS",
		.help = "longest wait for the call, for room or for each message, in milliseconds",
		.number = FIELD(timeout_ms),
		.min = 1,
		.max = TIMEOUT_MAX_MS},
	[OPTION_MEMORY] = {.value = "KIND",
		.help = "what buffers are made of: memfd, heap or device (memfd)",
		.word = FIELD(memory),
		.words = (const char *const[]){"memfd", "heap", "device", NULL}},
	[OPTION_MODULE] = {.value = "FILE",
		.help = "bring the module along, instead of an installed one",
		.text = FIELD(module)},
	[OPTION_BLOCK] = {.value = "SAMPLES",
		.help = "samples in a block (10 milliseconds of sound)",
		.number = FIELD(block),
		.min = PCM_BLOCK_MIN,
		.max = PCM_BLOCK_MAX},
	[OPTION_IN_FLIGHT] = {.value = "N",
		.help = "blocks under way at a time (8, or what policy allows)",
		.number = FIELD(in_flight),
		.min = 1,
		.max = DSPCTL_SLOTS_MAX},
	[OPTION_SUPPRESS] = {.value = "DB",
		.help = "how far noise is lowered, -1 to -100 (the module's choice)",
		.number = FIELD(suppress_db),
		.min = PCM_SUPPRESS_MIN,
		.max = -1},
	[OPTION_RATE] = {.value = "HZ",
		.help = "samples a second of the result (as the input has)",
		.number = FIELD(rate),
		.min = PCM_RATE_MIN,
		.max = PCM_RATE_MAX},
	[OPTION_COUNT] = {.value = "N",
		.help = "messages to print (1)",
		.number = FIELD(count),
		.min = 1,
		.max = UINT32_MAX},
	[OPTION_RECEIVE] = {.value = "N",
		.help = "then print so many messages that come",
		.number = FIELD(count),
		.min = 1,
		.max = UINT32_MAX},
	[OPTION_FOLLOW] = {.help = "print what comes until interrupted", .flag = FIELD(follow)},
	[OPTION_HEX] = {.help = "messages are hexadecimal digits", .flag = FIELD(hex)},
	[OPTION_RAW] = {.help = "bytes as they are, and standard input as one message",
		.flag = FIELD(raw)},
	[OPTION_TRY] = {.help = "fail rather than wait for room", .flag = FIELD(try_only)},
	[OPTION_STRICT] = {.help = "fail also when there are only warnings", .flag = FIELD(strict)},
	[OPTION_PID] = {.value = "PID",
		.help = "who asks: a process, as if it connected now",
		.number = FIELD(pid),
		.min = 1,
		.max = INT32_MAX},
	[OPTION_UID] = {.value = "USER",
		.help = "who asks: a user, by number or name, of whose process nothing is known",
		.text = FIELD(user)},
	[OPTION_CHANNEL] = {.value = "CHANNEL",
		.help = "what about; for start and stop the name of a device",
		.text = FIELD(channel)},
	[OPTION_VERB] = {.value = "VERB",
		.help = "to do what: open, list, kick, start, stop or reload (open)",
		.word = FIELD(verb),
		.words = (const char *const[]){"open", "list", "kick", "start", "stop", "reload",
			NULL}},
	[OPTION_METHOD] = {.value = "N",
		.help = "and then call that method",
		.flag = FIELD(has_method),
		.number = FIELD(method),
		.max = UINT32_MAX},
};
static_assert(POLICY_OPEN == 0 && POLICY_LIST == 1 && POLICY_KICK == 2 && POLICY_START == 3 &&
		      POLICY_STOP == 4 && POLICY_RELOAD == 5 && POLICY_VERBS == 6,
	"the words of --verb are in their order");
static_assert(FIELD(words) == 0, "no option's field is at 0, which stands for none");

/* Pairs that make no sense together. */
static const struct {
	enum option_id one, other;
} exclusive[] = {
	{OPTION_HEX, OPTION_RAW},
	{OPTION_RAW, OPTION_JSON},
	{OPTION_COUNT, OPTION_FOLLOW},
	{OPTION_RECEIVE, OPTION_FOLLOW},
	{OPTION_PID, OPTION_UID},
};

static const struct option longs[] = {
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"json", no_argument, NULL, OPTION_JSON},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"module", required_argument, NULL, OPTION_MODULE},
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
	{"strict", no_argument, NULL, OPTION_STRICT},
	{"pid", required_argument, NULL, OPTION_PID},
	{"uid", required_argument, NULL, OPTION_UID},
	{"channel", required_argument, NULL, OPTION_CHANNEL},
	{"verb", required_argument, NULL, OPTION_VERB},
	{"method", required_argument, NULL, OPTION_METHOD},
	{NULL, 0, NULL, 0},
};
static_assert(ARRAY_SIZE(longs) == OPTIONS + 1, "in the order of their ids, each once");

static void *field_at(struct dspctl_options *options, size_t offset)
{
	return (char *)options + offset;
}

static int set_number(struct dspctl_options *options, int id)
{
	const struct option_rule *rule = &rules[id];

	if (dspctl_integer_parse(field_at(options, rule->number), optarg, rule->min, rule->max) ==
		0)
		return DSPCTL_OK;
	return dspctl_fail(DSPCTL_USAGE, "--%s %s: must be a number from %" PRId64 " to %" PRId64,
		longs[id].name, optarg, rule->min, rule->max);
}

static int set_word(struct dspctl_options *options, int id)
{
	const char *const *words = rules[id].words;
	int64_t *field = field_at(options, rules[id].word);
	char all[64] = "";

	for (size_t i = 0; words[i]; i++) {
		const size_t length = strlen(all);

		snprintf(all + length, sizeof(all) - length, "%s%s", i ? ", " : "", words[i]);
		if (strcmp(words[i], optarg) == 0) {
			*field = (int64_t)i;
			return DSPCTL_OK;
		}
	}
	return dspctl_fail(DSPCTL_USAGE, "--%s %s: must be one of %s", longs[id].name, optarg, all);
}

static int set_option(struct dspctl_options *options, int id)
{
	const struct option_rule *rule = &rules[id];

	if (rule->flag)
		*(bool *)field_at(options, rule->flag) = true;
	if (rule->text)
		*(const char **)field_at(options, rule->text) = optarg;
	if (rule->word)
		return set_word(options, id);
	return rule->number ? set_number(options, id) : DSPCTL_OK;
}

int dspctl_options_parse(struct dspctl_options *options, unsigned int *given, int argc, char **argv)
{
	int id, r;

	*options = (struct dspctl_options){0};
	*given = 0;
	while ((id = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (id == '?')
			return DSPCTL_USAGE; /* getopt_long() has said why */
		r = set_option(options, id);
		if (r)
			return r;
		*given |= OPTION_BIT(id);
	}
	options->words = argv + optind;
	options->n_words = (size_t)(argc - optind);
	return DSPCTL_OK;
}

int dspctl_options_check(const char *command, unsigned int taken, unsigned int given)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (given & ~taken & OPTION_BIT(i))
			return dspctl_fail(DSPCTL_USAGE, "%s takes no --%s", command,
				longs[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(exclusive); i++)
		if (given & OPTION_BIT(exclusive[i].one) && given & OPTION_BIT(exclusive[i].other))
			return dspctl_fail(DSPCTL_USAGE, "--%s and --%s exclude each other",
				longs[exclusive[i].one].name, longs[exclusive[i].other].name);
	return DSPCTL_OK;
}

void dspctl_options_print(unsigned int taken)
{
	char left[32];

	puts("\nOptions:");
	for (size_t i = 0; i < OPTIONS; i++) {
		if (!(taken & OPTION_BIT(i)))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", longs[i].name, rules[i].value ? " " : "",
			rules[i].value ? rules[i].value : "");
		printf("  %-18s %s\n", left, rules[i].help);
	}
}
