// SPDX-License-Identifier: MIT
/* An explanation in words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/dspctl_explain.h"
#include "protocol/text.h"

const char *const dspctl_direction_names[] = {
	[POLICY_BOTH] = "both",
	[POLICY_SEND] = "send",
	[POLICY_RECEIVE] = "receive",
};

static _printf_(3, 4) void add(char *out, size_t size, const char *format, ...)
{
	const size_t length = strlen(out);
	va_list ap;

	va_start(ap, format);
	vsnprintf(out + length, size - length, format, ap);
	va_end(ap);
}

static void other_fact(char *out, size_t size, const struct identity *who, enum identity_fact fact)
{
	const char *value = who->facts[fact];

	if (value && *value)
		add(out, size, "its %s are others than %s", identity_fact_key(fact), value);
	else
		add(out, size, "it asks for %s, and there is none", identity_fact_key(fact));
}

void dspctl_explain_reason(char out[DSPCTL_REASON_SIZE], const struct question *question,
	const struct policy_candidate *candidate)
{
	const size_t size = DSPCTL_REASON_SIZE;

	*out = '\0';
	switch (candidate->reason) {
	case POLICY_MATCHES:
		break;
	case POLICY_OTHER_VERB:
		add(out, size, "it does not speak of %s", policy_verb_name(question->verb));
		break;
	case POLICY_OTHER_OBJECT:
		add(out, size, "its channels are others than %s", question->object);
		break;
	case POLICY_OTHER_USER:
		add(out, size, "its users are others than uid %u", question->who->uid);
		break;
	case POLICY_OTHER_GROUP:
		add(out, size, "its groups are others than those of uid %u", question->who->uid);
		break;
	case POLICY_OTHER_FACT:
		other_fact(out, size, question->who, candidate->fact);
		break;
	case POLICY_UNKNOWN_FACT:
		add(out, size, "it asks for %s, and that is not known of the peer",
			identity_fact_key(candidate->fact));
		break;
	}
}

/* Nobody knows a label where nothing gives labels, so that one says nothing. */
enum gaps dspctl_explain_gaps(const struct identity *who)
{
	bool any = false;

	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		any |= fact != IDENTITY_LABEL && !who->facts[fact];
	if (!any)
		return GAPS_NONE;
	if (!who->pid)
		return GAPS_OF_USER;
	return geteuid() == 0 ? GAPS_NONE : GAPS_OF_RIGHTS;
}

void dspctl_explain_ranges(char out[DSPCTL_RANGES_SIZE], const struct policy_decision *decision)
{
	*out = '\0';
	for (size_t i = 0; i < decision->n_methods; i++) {
		const struct policy_range *range = &decision->methods[i];

		add(out, DSPCTL_RANGES_SIZE, "%s%" PRIu32, i ? ", " : "", range->first);
		if (range->last != range->first)
			add(out, DSPCTL_RANGES_SIZE, "-%" PRIu32, range->last);
	}
}

bool dspctl_explain_limit(struct dspctl_limit *out, const struct policy_limits *limits, size_t i)
{
	const struct dspctl_limit all[] = {
		{"sessions", limits->sessions},
		{"calls", limits->calls},
		{"calls_total", limits->calls_total},
		{"calls_per_s", limits->calls_per_s},
		{"burst", limits->burst},
		{"timeout_ms", limits->timeout_ms},
		{"buffers", limits->buffers},
		{"bytes", limits->bytes},
		{"messages", limits->messages},
	};

	if (i >= ARRAY_SIZE(all))
		return false;
	*out = all[i];
	return true;
}

/* Once, whatever is not known. */
static void print_gaps(const struct identity *who)
{
	switch (dspctl_explain_gaps(who)) {
	case GAPS_NONE:
		break;
	case GAPS_OF_USER:
		puts("These are of processes: of one that runs, named by --pid, the broker knows "
		     "them.");
		break;
	case GAPS_OF_RIGHTS:
		puts("The broker may know more of it than you may look at.");
		break;
	}
}

static void print_who(const struct identity *who)
{
	printf("uid %u, gid %u", who->uid, who->gid);
	for (size_t i = 0; i < who->n_groups; i++)
		printf("%s%u", i ? "," : ", groups ", who->groups[i]);
	putchar('\n');
	for (int i = 0; i < IDENTITY_FACTS; i++) {
		const char *value = who->facts[i];

		printf("  %s: ", identity_fact_name((enum identity_fact)i));
		text_print(stdout, !value ? "(not known)" : *value ? value : "(none)");
		putchar('\n');
	}
	print_gaps(who);
}

static void print_candidate(const struct policy_candidate *candidate, void *userdata)
{
	char reason[DSPCTL_REASON_SIZE];

	dspctl_explain_reason(reason, userdata, candidate);
	text_print(stdout, candidate->file);
	printf(":%u: %s %s: ", candidate->line, candidate->allow ? "allow" : "deny",
		candidate->rule);
	text_print(stdout, *reason ? reason : "matches");
	putchar('\n');
}

static void print_limits(const struct policy_limits *limits)
{
	struct dspctl_limit limit;
	bool any = false;

	for (size_t i = 0; dspctl_explain_limit(&limit, limits, i); i++) {
		if (!limit.value)
			continue;
		printf("%s%s %" PRIu64, any ? ", " : "  limits: ", limit.name, limit.value);
		any = true;
	}
	if (any)
		printf(", per %s\n", limits->per == POLICY_PER_UNIT ? "unit" : "user");
}

static void print_grant(const struct policy_decision *decision)
{
	char ranges[DSPCTL_RANGES_SIZE];

	dspctl_explain_ranges(ranges, decision);
	if (*ranges)
		printf("  methods: %s\n", ranges);
	if (decision->direction != POLICY_BOTH)
		printf("  direction: %s\n", dspctl_direction_names[decision->direction]);
	print_limits(decision->limits);
	if (decision->domain->name)
		printf("  protection domain: %s\n", decision->domain->name);
	if (decision->share_domain)
		printf("  shared under the name: %s\n", decision->share_domain);
	if (decision->exclusive)
		puts("  one session at a time");
}

static void print_question(const struct question *question)
{
	fputs(policy_verb_name(question->verb), stdout);
	if (question->object)
		printf(" %s", question->object);
	if (question->has_method)
		printf(", method %" PRIu32, question->method);
}

static void print_rule(const struct policy_decision *decision, bool method_denied)
{
	printf("rule %s (", decision->rule);
	text_print(stdout, decision->file);
	printf(":%u)%s\n", decision->line, method_denied ? ", which allows other methods" : "");
}

static void print_decision(const struct question *question, const struct answer *answer)
{
	const struct policy_decision *decision = &answer->decision;

	print_question(question);
	printf(": %s by ", answer->allowed ? "allowed" : "denied");
	if (answer->by_right)
		puts("no rule: root may do that");
	else if (decision->file)
		print_rule(decision, answer->method_denied);
	else
		puts("default: no rule allows it");
	if (decision->allowed && question->verb == POLICY_OPEN)
		print_grant(decision);
}

void dspctl_explain_text(const struct policy *policy, const struct question *question,
	const struct answer *answer)
{
	print_who(question->who);
	policy_explain(policy, question->who, question->verb, question->object, print_candidate,
		(void *)question);
	print_decision(question, answer);
}
