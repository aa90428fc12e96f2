// SPDX-License-Identifier: MIT
/* The sockets on which clients arrive: handed over by systemd, or bound to a path of our own. */
#ifndef DSP_LISTENER_H
#define DSP_LISTENER_H

struct broker;

/* Listen on broker->options->socket, or on what systemd passed. Logs what fails; 0 or -errno. */
int listeners_start(struct broker *broker);
/* Close them all, and remove a path of our own. */
void listeners_stop(struct broker *broker);
/* A connection ended: a descriptor may be free for one that waits. It is tried now and then without
 * that, too. */
void listeners_resume(struct broker *broker);

#endif
