// SPDX-License-Identifier: MIT
/* Between the broker and dspbroker-who: packets of a SOCK_SEQPACKET pair. */
#ifndef DSP_WHO_QUESTION_H
#define DSP_WHO_QUESTION_H

#include "daemon/who/holder.h"
#include "policy/facts.h"

#define WHO_FD        3  /* the program's end of the socket */
#define WHO_QUESTIONS 64 /* at once; the broker asks no more, and the program answers no more */

enum who_kind {
	WHO_PEER,   /* who is that process? With its pidfd. */
	WHO_HOLDER, /* which process has one of these nodes open? */
};

struct who_asked {
	uint32_t number; /* not 0 */
	uint32_t kind;   /* enum who_kind; what belongs to the other one is 0 */
	int32_t pid;
	uint32_t uid, gid; /* that it connected with */
	struct holder_wanted wanted;
};

/* In any order. */
struct who_told {
	uint32_t number; /* 0: the program is ready */
	/* WHO_PEER: */
	struct facts facts;
	/* WHO_HOLDER: */
	int32_t error; /* 0: @holder says who, or that it is nobody; or -errno */
	struct holder holder;
};

#endif
