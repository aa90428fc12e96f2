// SPDX-License-Identifier: MIT
/*
 * Facts about a peer's process that only a privileged look into /proc tells, and which process has
 * a device node open. A program of its own, dspbroker-who, takes that look, and has two
 * capabilities for it; the broker has none. Whatever a peer does to its own file system can make
 * that program wait, but not the broker.
 */
#ifndef DSP_WHO_H
#define DSP_WHO_H

#include "daemon/deadline.h"
#include "daemon/who/holder.h"
#include "policy/identity.h"
#include "protocol/util.h"

#define WHO_NAME "dspbroker-who"

struct broker;
struct who;

/* Embedded in what asks. Zeroed: nothing is asked. */
struct who_question {
	struct who *who;
	struct list link; /* who->waiting, until the program is asked */
	void (*answered)(struct who_question *question);
	/* About a process: borrowed; answered() finds its facts filled as far as known. NULL: it is
	 * about nodes. */
	struct identity *identity;
	/* About nodes: answered() finds who has one of them open, or an -errno, and then nothing is
	 * known: -ENOTCONN where there is no program, -ETIMEDOUT when it has not answered. */
	struct holder_wanted wanted;
	struct holder holder;
	int error;
	uint32_t number; /* 0: nothing is asked */
	struct deadline patience;
};

/* Start the program at @path, with the rights that the broker has now, to become @user (NULL: stay)
 * but for its two capabilities, where it has them. When it ends, nothing is known of anybody any
 * more. Logs what fails; returns 0 or -errno. */
int who_new(struct who **out, struct broker *broker, const char *path, const char *user);
/* Reach it at the socket @path, where root or our own user must listen and has one started for each
 * connection. When it ends, the next question is for another one, though not more often than each
 * WHO_AGAIN_US. Logs what fails; returns 0 or -errno. */
int who_connect(struct who **out, struct broker *broker, const char *path);
/* NULL-safe; returns NULL. Questions are forgotten. */
struct who *who_free(struct who *who);
DEFINE_CLEANUP(struct who *, who_free);

/* Once everything is started that needs it: give up the capabilities that a service manager gave
 * this process for the program (AmbientCapabilities=). Who is root loses his with his uid. Returns
 * 0 or -errno. */
int who_drop_capabilities(void);

/* Ask about identity->pid, whom identity->pidfd tells from others. answered() is called once, on
 * the loop: before this returns, where nothing can be found out (@who is NULL, no pidfd), or later,
 * in any case after a while. */
void who_ask(struct who *who, struct who_question *question, struct identity *identity,
	void (*answered)(struct who_question *question));
/* Ask which process has one of these nodes open; we ourselves and the opener do not count. The
 * same, also where @who is NULL. */
void who_ask_holder(struct who *who, struct who_question *question, const struct holder_node *nodes,
	size_t n, pid_t opener, void (*answered)(struct who_question *question));
/* Nobody wants to know any more; answered() is not called. Nothing is done if nothing is asked. */
void who_forget(struct who *who, struct who_question *question);

#endif
