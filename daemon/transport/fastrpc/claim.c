// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/claim.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemon/broker.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/opener.h"
#include "protocol/text.h"

/* A process's name, each byte as \xNN at worst. */
#define NAME_SHOWN (4 * HOLDER_NAME_SIZE)

static void ask(struct claim *claim);

static void time_to_ask(struct deadline *deadline)
{
	ask(container_of(deadline, struct claim, again));
}

/* It is not granted, and asked again later. */
static void refuse(struct claim *claim, const char *trouble, const char *in_private)
{
	device_set_trouble(claim->device, trouble, in_private);
	broker_deadline(claim->device->broker, &claim->again, CLAIM_AGAIN_US, time_to_ask);
	claim->told(claim);
}

static void grant(struct claim *claim)
{
	device_set_trouble(claim->device, "", "");
	claim->granted = true;
	claim->told(claim);
}

static void refuse_held(struct claim *claim, const struct holder *holder)
{
	static const char rest[] = "it is not used until that is over, since policy says exclusive";
	char trouble[DSP_TEXT_SIZE], in_private[DSP_TEXT_SIZE], name[NAME_SHOWN];

	snprintf(trouble, sizeof(trouble), "its node is held open by another process; %s", rest);
	snprintf(in_private, sizeof(in_private),
		"its node is held open by process %d (%s, uid %u); %s", holder->pid,
		text_show(name, sizeof(name), holder->name), holder->uid, rest);
	refuse(claim, trouble, in_private);
}

/* Nobody can tell, so it is as if somebody had. */
static void refuse_unknown(struct claim *claim, int error)
{
	static const struct {
		int error;
		const char *why;
	} reasons[] = {
		{-ENOTCONN, WHO_NAME " is not there: see its units"},
		{-ETIMEDOUT, WHO_NAME " did not answer in time"},
		{-EACCES, WHO_NAME " may not look at all processes: it lacks its capabilities"},
		{-E2BIG, "more descriptors are open than " WHO_NAME " looks at"},
		{-ENXIO, "sysfs does not tell the number of its node"},
	};
	const char *why = strerror(-error);
	char trouble[DSP_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].error == error)
			why = reasons[i].why;
	snprintf(trouble, sizeof(trouble),
		"policy says exclusive, but whether another process has its node open is not "
		"known, so it is not used (%s)",
		why);
	refuse(claim, trouble, trouble);
}

static void answered(struct who_question *question)
{
	struct claim *claim = container_of(question, struct claim, question);

	if (question->error)
		refuse_unknown(claim, question->error);
	else if (question->holder.pid)
		refuse_held(claim, &question->holder);
	else
		grant(claim);
}

static void ask(struct claim *claim)
{
	struct broker *broker = claim->device->broker;

	for (size_t i = 0; i < claim->n; i++) {
		if (!claim->nodes[i].major && !claim->nodes[i].minor) {
			refuse_unknown(claim, -ENXIO);
			return;
		}
	}
	who_ask_holder(broker->who, &claim->question, claim->nodes, claim->n,
		opener_pid(broker->opener), answered);
}

static void add(struct claim *claim, const char *node, dev_t number)
{
	if (*node)
		claim->nodes[claim->n++] = (struct holder_node){major(number), minor(number)};
}

/* Is it granted, or being asked for the same nodes? */
static bool is_begun(const struct claim *claim, const struct claim *next)
{
	if (!claim->device || claim->granted)
		return claim->granted;
	return claim->n == next->n && memcmp(claim->nodes, next->nodes, sizeof(next->nodes)) == 0;
}

void claim_begin(struct claim *claim, struct device *device, const struct fastrpc_found *found,
	void (*told)(struct claim *claim))
{
	struct claim next = {.device = device, .told = told};

	add(&next, found->plain, found->plain_number);
	add(&next, found->secure, found->secure_number);
	if (is_begun(claim, &next))
		return;
	claim_end(claim);
	*claim = next;
	if (device->policy->exclusive)
		ask(claim);
	else
		grant(claim);
}

void claim_end(struct claim *claim)
{
	struct device *device = claim->device;

	if (!device)
		return;
	who_forget(device->broker->who, &claim->question);
	deadline_clear(&device->broker->deadlines, &claim->again);
	device_set_trouble(device, "", "");
	*claim = (struct claim){};
}

const char *claim_trouble(const struct claim *claim)
{
	return claim->device ? claim->device->trouble : "";
}
