// SPDX-License-Identifier: MIT
/* What tests of identity share: processes that are somebody, and connections that know of it. As
 * elsewhere, what fails ends the test. */
#ifndef DSP_PEERS_H
#define DSP_PEERS_H

#include "tests/integration/raw.h"
#include "tests/kernel/testbed.h"

/* An account for BROKER_UID, that a broker started as root may become: one that may look at its
 * peers. False, with errno: it cannot be made. Once a guest. */
#define PEER_ACCOUNT "dsp-peers"
bool peer_account(void);

/* In a process that is root: be that user from now on, all the way. */
void peer_become(uid_t uid);

/* A socket, and its connection to the broker, which this or another process makes. */
int peer_socket(void);
void peer_connect(int sock, const struct harness *harness);
/* Speak over it, whoever connected it: the socket belongs to what is returned. */
struct raw peer_hello(int sock);
/* Open a channel that policy may refuse: DSP_OK, or what is wrong with it. */
enum dsp_status peer_open(struct raw *raw, const char *channel);

#endif
