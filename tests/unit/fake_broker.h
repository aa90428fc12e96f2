// SPDX-License-Identifier: MIT
/*
 * A broker for tests of the client library: honest where not asked otherwise, and able to lie in
 * ways that the real one never would. It runs in a thread of the test's process. What it does with
 * a call is chosen by the method, with a message by what it says, and with a request to open a
 * channel by the channel's name.
 */
#ifndef DSP_TESTS_FAKE_BROKER_H
#define DSP_TESTS_FAKE_BROKER_H

#include <stdint.h>

enum fake_method {
	FAKE_ECHO = 2, /* output 0 becomes a copy of input 0, as much as fits */
	FAKE_HOLD,     /* completed by RELEASE, CANCEL or the session's end; result: its method */
	FAKE_HOLD_FIRMLY, /* the same, but cannot be cancelled */
	FAKE_RELEASE,     /* completes first what is held, the newest first, then itself */
	FAKE_FAIL,        /* input 0: status, result, detail, limit */
	FAKE_EVENTS,      /* sends as many device events as the u32 of input 0 says */
	FAKE_NEWS,     /* sends one each of the events that carry no session; see fake_broker.c */
	FAKE_LAST,     /* hangs up as soon as it is complete */
	FAKE_LIE_ROOM, /* the submission queue looks full from now on */
	/* Each of these ends the connection: */
	FAKE_LIE_INDEX,  /* a completion index far ahead */
	FAKE_LIE_BACK,   /* one behind what was reaped */
	FAKE_LIE_CALL,   /* completes a call that does not run */
	FAKE_LIE_TABLE,  /* completes a call outside of any table */
	FAKE_LIE_TWICE,  /* completes it twice */
	FAKE_LIE_STATUS, /* a status that is no int */
	FAKE_LIE_EVENT,  /* an event of the wrong size */
	FAKE_LIE_PACKET, /* a packet of one byte */
	FAKE_LIE_HUGE,   /* a packet larger than any message */
	FAKE_LIE_REPLY,  /* a reply to nothing */
	FAKE_LIE_RIGHTS, /* an event with a descriptor */
	FAKE_HANG_UP,    /* closes the connection */
	FAKE_METHODS_END,
};

/* Channels whose OPEN or OPEN_MODULE is answered in a way of its own; every other one is opened,
 * under a rule of the channel's name, or of what the module says. */
#define FAKE_DENIED  "soft0/denied"  /* DSP_DENIED by the rule "nobody" */
#define FAKE_LIMITED "soft0/limited" /* DSP_OVER_LIMIT, limit 7 */
#define FAKE_LATER   "soft0/later"   /* answered after the next OPEN */
#define FAKE_DOOMED  "soft0/doomed"  /* opened, and dead at once: SESSION event right behind */
#define FAKE_DEAF    "soft0/deaf"    /* then reads no more requests until RELEASE */
#define FAKE_SHORT   "soft0/short"   /* a reply of the wrong size */
#define FAKE_OTHER   "soft0/other"   /* the reply to another opcode */
#define FAKE_SERIAL  "soft0/serial"  /* a reply under another serial */
#define FAKE_UNKNOWN "soft0/unknown" /* an opcode that there is not */
#define FAKE_SWAPPED "soft0/swapped" /* OPEN as OPEN_MODULE, and the other way round */
#define FAKE_SUCCESS "soft0/success" /* an error whose status is DSP_OK */
#define FAKE_PRESENT "soft0/present" /* a right reply, but with a descriptor */
#define FAKE_GONE    "soft0/gone"    /* no reply; closes the connection */

/* Channels that take messages. */
#define FAKE_MESSAGES "rpmsg0/messages"
#define FAKE_SINGLE   "rpmsg0/single" /* one SEND and one RECEIVE at a time */
#define FAKE_WIDE     "rpmsg0/wide"   /* of messages that take a good part of the argument area */
#define FAKE_VAST     "rpmsg0/vast"   /* of messages that do not fit into it */
/* These are of no kind that there is: */
#define FAKE_NO_MTU  "rpmsg0/no-mtu"
#define FAKE_NO_KIND "rpmsg0/no-kind"
#define FAKE_BOTH    "rpmsg0/both"

#define FAKE_MTU      64
#define FAKE_WIDE_MTU 20000

/* A message that does not begin with one of these comes back. */
enum fake_word {
	FAKE_SAY_COUNT = 1, /* @a messages arrive, a u32 each, from @b on */
	FAKE_SAY_DROP,      /* the next one that arrives comes after @a that were dropped */
	FAKE_SAY_HOLD,      /* there is no room for it until RELEASE; a TRY is told so meanwhile */
	FAKE_SAY_RELEASE,   /* there is room again */
	FAKE_SAY_FAIL,      /* the SEND fails with status @a, detail @b */
	FAKE_SAY_DIE,       /* so does the session, with status @a, and news of it unless @b */
	FAKE_SAY_LAST,      /* comes back, and then the connection ends */
	FAKE_SAY_KEEP,      /* CLOSE of this session leaves its RECEIVEs alone */
	/* Each of these ends the connection: */
	FAKE_SAY_LONG,     /* a message longer than mtu arrives */
	FAKE_SAY_NEGATIVE, /* one of a negative length */
	FAKE_SAY_TWICE,    /* the same RECEIVE completes twice */
	FAKE_SAY_STRANGER, /* one completes that is none */
	FAKE_SAY_END,
};
struct fake_saying {
	uint32_t word; /* enum fake_word */
	uint32_t a, b;
};

/* What is wrong with the reply to an ALLOC, or to an IMPORT, of so many bytes. */
enum fake_size {
	FAKE_SIZE_BARE = 64 << 20, /* no descriptor; an IMPORT's has none anyway */
	FAKE_SIZE_MORE,            /* a descriptor more */
	FAKE_SIZE_SMALLER,         /* the buffer has less */
	FAKE_SIZE_NONE,            /* the buffer has no byte */
	FAKE_SIZE_AREA,            /* it is the argument area */
	FAKE_SIZE_SHORT,           /* the reply is too short */
	FAKE_SIZE_LONG,            /* too long */
	FAKE_SIZE_END,
};

/* What its first device says of itself: a v68 with vector units of 128 bytes, 4 MiB of tightly
 * coupled memory in pages of 256 KiB, and unsigned modules. */
#define FAKE_ATTRIBUTES                                                   \
	{                                                                 \
		1, 1, 0, 1, 256 << 10, 16, 0x8c68, 0, 0, 1, UINT32_MAX, 0 \
	}

/* Records of sessions behind this one up to FAKE_GAP_END are not for this client, as two replies
 * tell; then comes one that is. */
#define FAKE_GAP_BEGIN 60
#define FAKE_GAP_END   80

/* A session that can be ended, and a device that can be started; of others it knows nothing. The
 * second RELOAD finds wrong files. */
#define FAKE_KICKABLE 7
#define FAKE_SWITCH   "rpmsg0"
#define FAKE_RULES    12
#define FAKE_REVOKED  3

/* What it tells of itself; all is well unless a test changes it. */
extern struct dsp_broker_record fake_broker_itself;

#define FAKE_SHORT_LIST 50 /* the record after this one is too short */

enum fake_hello {
	FAKE_HELLO_HONEST,
	FAKE_HELLO_REFUSED, /* DSP_OVER_LIMIT, then hangs up */
	/* Each of these must end dspbroker_connect_fd() with -EPROTO: */
	FAKE_HELLO_VERSION,
	FAKE_HELLO_FEW_FDS,
	FAKE_HELLO_SHORT,
	FAKE_HELLO_SERIAL,
	FAKE_HELLO_ODD_SLOTS,
	FAKE_HELLO_NO_ENTRIES,
	FAKE_HELLO_SMALL_RING,
	FAKE_HELLO_SMALL_AREA,
	FAKE_HELLO_NO_AREA,
	FAKE_HELLO_UNSEALED_AREA,
	FAKE_HELLO_PIPE_DOORBELL,
	FAKE_HELLO_FILE_NOTIFY,
	FAKE_HELLO_END,
};

#define FAKE_SQ_SLOTS       64
#define FAKE_CQ_ENTRIES     128
#define FAKE_ARGUMENT_BYTES (128 * 1024)

struct fake_broker;

/* Start one; *@client_fd is the client's end of its connection, the caller's. */
struct fake_broker *fake_broker_start(enum fake_hello hello, int *client_fd);
/* The same with the broker's end of a connection, which it owns from then on. */
struct fake_broker *fake_broker_serve(enum fake_hello hello, int sock);
/* How often its doorbell woke it up. */
unsigned int fake_broker_kicks(const struct fake_broker *fake);
/* How many modules came along. */
unsigned int fake_broker_modules(const struct fake_broker *fake);
/* What the last ALLOC asked for. */
struct fake_origin {
	uint32_t memory, session;
};
struct fake_origin fake_broker_origin(const struct fake_broker *fake);
/* What the last POWER asked for; 0: there was none. */
uint32_t fake_broker_power(const struct fake_broker *fake);
/* Ends its thread; NULL-safe, returns NULL. */
struct fake_broker *fake_broker_stop(struct fake_broker *fake);

#endif
