// SPDX-License-Identifier: MIT
/* Has the policy read again when its files change (--watch-policy). */
#ifndef DSP_WATCH_H
#define DSP_WATCH_H

struct broker;
struct watch;

/* Watch the directories of policy files that there are. Logs what fails; returns 0 or -errno. */
int watch_new(struct watch **out, struct broker *broker);
/* NULL-safe; returns NULL. */
struct watch *watch_free(struct watch *watch);

#endif
