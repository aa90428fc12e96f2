// SPDX-License-Identifier: MIT
/* `dspctl policy explain`: what the policy's files say of somebody, and why, rule by rule. */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "client/dspctl_args.h"
#include "client/dspctl_explain.h"
#include "client/dspctl_policy.h"
#include "policy/facts.h"

/* Who is asked about. */

static int find_user(const char *word, uid_t *out)
{
	const struct passwd *user;
	int64_t number;

	if (dspctl_integer_parse(&number, word, 0, UINT32_MAX - 1) == 0) {
		*out = (uid_t)number;
		return DSPCTL_OK;
	}
	errno = 0;
	user = getpwnam(word);
	if (!user)
		return dspctl_fail(DSPCTL_NOT_FOUND, "--uid %s: %s", word,
			errno ? strerror(errno) : "there is no such user");
	*out = user->pw_uid;
	return DSPCTL_OK;
}

static int find_process(struct identity *out, int64_t pid)
{
	const int r = identity_of_process(out, (pid_t)pid);

	if (r == -ESRCH)
		return dspctl_fail(DSPCTL_NOT_FOUND, "--pid %" PRId64 ": there is no such process",
			pid);
	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "--pid %" PRId64 ": %s", pid, strerror(-r));
	return DSPCTL_OK;
}

static int find_who(struct identity *out, const struct dspctl_options *options)
{
	uid_t uid = (uid_t)-1;
	int r;

	if (!options->pid == !options->user)
		return dspctl_fail(DSPCTL_USAGE,
			"policy explain needs either --pid or --uid, to know who asks");
	if (options->pid)
		return find_process(out, options->pid);
	r = find_user(options->user, &uid);
	if (r)
		return r;
	r = identity_of_user(out, uid);
	if (r < 0)
		return dspctl_fail(DSPCTL_FAILED, "--uid %s: %s", options->user, strerror(-r));
	return DSPCTL_OK;
}

/* What is asked. */

enum about {
	ABOUT_CHANNEL,
	ABOUT_DEVICE,
	ABOUT_NOTHING,
};

static enum about about_of(enum policy_verb verb)
{
	if (verb == POLICY_RELOAD)
		return ABOUT_NOTHING;
	return verb == POLICY_START || verb == POLICY_STOP ? ABOUT_DEVICE : ABOUT_CHANNEL;
}

static int check_question(const struct question *question)
{
	const char *verb = policy_verb_name(question->verb), *object = question->object;

	switch (about_of(question->verb)) {
	case ABOUT_NOTHING:
		if (object)
			return dspctl_fail(DSPCTL_USAGE, "%s is about no --channel", verb);
		break;
	case ABOUT_DEVICE:
		if (!object || strchr(object, '/'))
			return dspctl_fail(DSPCTL_USAGE,
				"%s is about a device: give its name as --channel", verb);
		break;
	case ABOUT_CHANNEL:
		if (!object || !strchr(object, '/'))
			return dspctl_fail(DSPCTL_USAGE,
				"%s is about a channel: give --channel DEVICE/SERVICE", verb);
		break;
	}
	if (question->has_method && question->verb != POLICY_OPEN)
		return dspctl_fail(DSPCTL_USAGE, "--method belongs to the verb open");
	return DSPCTL_OK;
}

/* What is answered. */

/* As the broker does: administrators need no rule for what is no use of a DSP. */
static void decide(const struct policy *policy, const struct question *question,
	struct answer *answer)
{
	answer->by_right = question->verb != POLICY_OPEN && question->who->uid == 0;
	policy_decide(policy, question->who, question->verb, question->object, &answer->decision);
	answer->allowed = answer->by_right || answer->decision.allowed;
	answer->method_denied = answer->allowed && question->has_method &&
				!policy_allows_method(answer->decision.methods,
					answer->decision.n_methods, question->method);
	if (answer->method_denied)
		answer->allowed = false;
}

static int answer(const struct policy *policy, const struct question *question, bool json)
{
	struct answer answer = {};

	decide(policy, question, &answer);
	if (json)
		dspctl_explain_json(policy, question, &answer);
	else
		dspctl_explain_text(policy, question, &answer);
	return answer.allowed ? DSPCTL_OK : DSPCTL_DENIED;
}

int dspctl_policy_explain(const struct dspctl_options *options)
{
	_cleanup_(identity_deinit) struct identity who = {.pidfd = -1};
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	const struct question question = {
		.who = &who,
		.verb = (enum policy_verb)options->verb,
		.object = options->channel,
		.has_method = options->has_method,
		.method = (uint32_t)options->method,
	};
	int r = check_question(&question);

	if (r == 0)
		r = find_who(&who, options);
	if (r == 0)
		r = dspctl_policy_need(&policy, options);
	return r ? r : answer(policy, &question, options->json);
}
