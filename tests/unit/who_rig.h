// SPDX-License-Identifier: MIT
/* For tests of who asks dspbroker-who: a broker with a loop and nothing else, and questions. */
#ifndef DSP_TESTS_WHO_RIG_H
#define DSP_TESTS_WHO_RIG_H

#include "tests/suite.h"

/* Included to see which questions the program is at work on. */
#include "daemon/who.c"

#include <sys/wait.h>

#include "tests/emulated.h"
#include "tests/unit/peer.h"
#include "tests/unit/tree.h"

#define ALICE 60711
#define WHO   "nobody"
#define MANY  200

struct asked {
	struct who_question question;
	struct identity identity;
	unsigned int answers;
};

static struct broker_options rig_options;
static struct broker broker;
static struct who *who;
static struct asked asked[MANY];
static unsigned int n_answers;

static inline void rings(void *data)
{
	(void)data;
	deadline_run(&broker.deadlines, broker_now(&broker));
}

static inline const char *program(void)
{
	static char path[4096];
	const char *build = getenv("DSP_BUILD");

	snprintf(path, sizeof(path), "%s/dspbroker-who", build ? build : "build");
	return path;
}

static inline const char *whom(void)
{
	return geteuid() == 0 ? WHO : NULL;
}

/* All but the program. */
static inline void rig_start(void)
{
	rig_options = (struct broker_options){.allow_unconfined = emulated()};
	broker = (struct broker){.options = &rig_options};
	memset(asked, 0, sizeof(asked));
	n_answers = 0;
	tree_start();
	ck_assert_int_eq(loop_new(&broker.loop), 0);
	loop_on_timer(broker.loop, rings, NULL);
}

static inline void rig_stop(void)
{
	who = who_free(who);
	broker.loop = loop_free(broker.loop);
	for (size_t i = 0; i < MANY; i++)
		identity_deinit(&asked[i].identity);
	tree_stop();
}

static inline void on_answer(struct who_question *question)
{
	container_of(question, struct asked, question)->answers++;
	n_answers++;
}

static inline void ask(struct asked *which, const struct peer *peer)
{
	identity_deinit(&which->identity);
	which->answers = 0;
	which->identity = (struct identity){.uid = peer->uid, .gid = peer->gid, .pid = peer->pid};
	which->identity.pidfd = fcntl(peer->pidfd, F_DUPFD_CLOEXEC, 3);
	ck_assert_int_ge(which->identity.pidfd, 0);
	who_ask(who, &which->question, &which->identity, on_answer);
}

static inline void turn(void)
{
	ck_assert_int_eq(loop_set_timer(broker.loop, deadline_next(&broker.deadlines)), 0);
	ck_assert_int_eq(loop_turn(broker.loop, true), 0);
}

static inline void await_answers(unsigned int n)
{
	while (n_answers < n)
		turn();
}

static inline void assert_known(const struct asked *which, bool known)
{
	const char *executable = which->identity.facts[IDENTITY_EXECUTABLE];

	ck_assert_uint_eq(which->answers, 1);
	ck_assert_uint_eq(which->question.number, 0);
	if (known)
		ck_assert_str_eq(executable, peer_executable());
	else
		ck_assert_ptr_null(executable);
}

#endif
