// SPDX-License-Identifier: MIT
/* Between the broker and dspbroker-who: packets of a SOCK_SEQPACKET pair. */
#ifndef DSP_WHO_QUESTION_H
#define DSP_WHO_QUESTION_H

#include "policy/facts.h"

#define WHO_FD        3  /* the program's end of the socket */
#define WHO_QUESTIONS 64 /* at once; the broker asks no more, and the program answers no more */

/* With the pidfd of the process. */
struct who_asked {
	uint32_t number; /* not 0 */
	int32_t pid;
	uint32_t uid, gid; /* that it connected with */
};

/* In any order. */
struct who_told {
	uint32_t number; /* 0: the program is ready */
	struct facts facts;
};

#endif
