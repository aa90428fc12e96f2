// SPDX-License-Identifier: MIT
/*
 * Names of users and groups, looked up for policy by a process of its own.
 *
 * What answers such questions is the machine's choice (nsswitch.conf(5)): libraries that the broker
 * would have to load, which talk to servers and read files of theirs. A confined broker can do none
 * of that. So this process can: it is forked off before there are clients, hears of nothing but
 * names, and has no capability; what it says is believed, as the database is.
 */
#ifndef DSP_NAMES_H
#define DSP_NAMES_H

struct names;

/* Start it, as @user (NULL: as we are), and have policy ask it (policy/userdb.h). It ends with the
 * broker. Logs what fails; returns 0 or -errno. */
int names_new(struct names **out, const char *user);
/* Whoever is asking gets no answer, and nobody will: so that he can be waited for. NULL-safe. */
void names_stop(struct names *names);
/* Nobody is asking any more. NULL-safe; returns NULL. */
struct names *names_free(struct names *names);

#endif
