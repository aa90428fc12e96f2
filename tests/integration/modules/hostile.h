// SPDX-License-Identifier: MIT
/*
 * Modules that attack the broker with all that a protection domain has. hostile: method 2 and up,
 * each a crime of which the domain does not come back; some are found out, and for the others the
 * call's time ends it. early: commits its crimes while it is loaded, and is found out. blocker: the
 * same, but what it does there is allowed.
 */
#ifndef DSP_HOSTILE_MODULE_H
#define DSP_HOSTILE_MODULE_H

enum crime {
	CRIME_SCRIBBLE = 2,  /* random bytes over the whole ring */
	CRIME_TAIL,          /* more completions than the queue has places */
	CRIME_FORGED_CALL,   /* a completion of a call that it was not given */
	CRIME_FORGED_UNMAP,  /* one of an UNMAP that it was not given */
	CRIME_FORGED_STATUS, /* a status that is the broker's to give */
	CRIME_TWICE,         /* two completions of one call */
	CRIME_JUNK_PACKET,   /* on the domain socket */
	CRIME_EMPTY_PACKET,
	CRIME_LONG_PACKET,
	CRIME_MANY_FDS,
	CRIME_STARTED_AGAIN,
	CRIME_CLOSED_FDS,
	CRIME_ENDLESS_KICKS, /* of the broker, until it is killed */
	CRIME_HEAD,          /* a submission queue that always seems full */
	CRIME_FLICKER,       /* completions that come and go while the broker looks */
	CRIME_END,
};

/* The first that only the call's time ends. */
#define CRIME_UNSEEN CRIME_ENDLESS_KICKS

#endif
