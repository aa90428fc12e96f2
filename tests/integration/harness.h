// SPDX-License-Identifier: MIT
/*
 * What every integration test stands on: the real broker with the real software DSP, as a user of
 * its own, and client processes as others.
 *
 *   START_TEST(a_promise)
 *   {
 *           struct harness harness;
 *           struct client client;
 *
 *           harness_start(&harness, ALLOW_ALL);
 *           client_start(&client, ALICE, run_client, &harness);
 *           client_end(&client);
 *           harness_stop(&harness);
 *   }
 *   END_TEST
 *
 *   int main(void)
 *   {
 *           return harness_main(suite());
 *   }
 *
 * Nothing here returns an error: what fails ends the test (in a client process: the process, which
 * client_end() notices), says why, and shows the broker's log. Nothing waits for a time to pass;
 * what must settle is asked for again and again, up to HARNESS_PATIENCE_S.
 */
#ifndef DSP_HARNESS_H
#define DSP_HARNESS_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "client/dspbroker.h"
#include "protocol/util.h"
#include "tests/emulated.h"

/* Users that need no account. Without root all of them are the user who runs the tests. */
#define BROKER_UID 60701
#define ALICE      60711
#define BOB        60712
#define CAROL      60713
#define FRIENDS    60720 /* a group */

/* Seconds that anything may take which is awaited, and a whole test. */
#define HARNESS_PATIENCE_S (emulated() ? 120 : 30)
#define HARNESS_TIMEOUT_S  120

/* Policy texts. */
#define POLICY(rules) "{\"version\": 1, \"rules\": [" rules "]}"
#define ALLOW(name, who, channels, more)                                   \
	"{\"name\": \"" name "\", \"action\": \"allow\", \"match\": {" who \
	"}, \"channels\": [" channels "]" more "}"
#define DENY(name, who, channels)                                         \
	"{\"name\": \"" name "\", \"action\": \"deny\", \"match\": {" who \
	"}, \"channels\": [" channels "]}"
#define EVERYBODY "\"users\": [\"*\"]"
#define ALLOW_ALL POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"", ""))

#define EXAMPLE "soft0/example"

/* Methods of the example module; daemon/softdsp/modules/example_skel.c tells. */
enum example_method {
	EXAMPLE_SUM = 2,
	EXAMPLE_MAX = 3,
	EXAMPLE_COPY = 4,
	EXAMPLE_SLEEP = 5,
	EXAMPLE_CRASH = 6,
	EXAMPLE_SPIN = 7,
	EXAMPLE_FAIL = 8,
	EXAMPLE_NOP = 9,
	EXAMPLE_TOUCH = 10,
	EXAMPLE_BREAKOUT = 11,
	EXAMPLE_COUNT = 12,
	EXAMPLE_ADD_ONE = 40,
};

/* Checks, for tests and clients alike. Each argument is evaluated once. */

noreturn void harness_fail(const char *file, int line, const char *format, ...) _printf_(3, 4);

#define require(condition)                                                             \
	((condition) ? (void)0                                                         \
		     : harness_fail(__FILE__, __LINE__, "not so: %s (%s)", #condition, \
			       dspbroker_message()))

#define require_eq(left, right)                                                                    \
	do {                                                                                       \
		long long _left = (long long)(left), _right = (long long)(right);                  \
                                                                                                   \
		if (_left != _right)                                                               \
			harness_fail(__FILE__, __LINE__, "%s is %lld, not %s, which is %lld (%s)", \
				#left, _left, #right, _right, dspbroker_message());                \
	} while (0)

#define require_text(text, part)                                                                \
	do {                                                                                    \
		const char *_text = (text), *_part = (part);                                    \
                                                                                                \
		if (!harness_contains(_text, _part))                                            \
			harness_fail(__FILE__, __LINE__, "there is no \"%s\" in \"%s\"", _part, \
				_text);                                                         \
	} while (0)

/* The state of another process must come to this. */
#define require_soon(condition)                                                        \
	do {                                                                           \
		uint64_t _since = harness_now_ms();                                    \
                                                                                       \
		while (!(condition))                                                   \
			harness_wait_a_little(__FILE__, __LINE__, #condition, _since); \
	} while (0)

bool harness_contains(const char *text, const char *part);
uint64_t harness_now_ms(void);
void harness_wait_a_little(const char *file, int line, const char *condition, uint64_t since_ms);

/* A broker. */

struct harness_options {
	const char *policy;     /* text of its only policy file; NULL: no file */
	const char *socket;     /* where to listen; NULL: at harness->socket, which is fresh */
	const char *modules;    /* NULL: the build's */
	const char *softdsp;    /* the same */
	const char *user;       /* start it as root, to become that account; NULL: as BROKER_UID */
	const char *coredumps;  /* where to save core dumps; NULL: at harness->coredumps */
	int activated;          /* a listening socket to be handed over instead; 0: none */
	int uevent;             /* with it, one for news of devices; 0: none */
	const char *who_socket; /* where dspbroker-who is reached; NULL: it is started */
	unsigned int watchdog_us; /* it is to tell that it lives so often; 0: it need not */
	bool watch_policy;        /* it reads its policy again when that changes */
	const char *option;       /* one more of its options; NULL: none */
};

struct harness {
	pid_t pid; /* of dspbrokerd; 0: it has ended */
	char dir[96];
	char socket[108];
	char policy[112]; /* the folder of its policy */
	char log[112];
	char coredumps[112]; /* the folder for its core dumps, which it makes */
	int notify;
	char notified[4096]; /* all that it told its service manager so far, line by line */
};

/* To be called by main(): runs the suite and returns the exit code. */
int harness_main(Suite *suite);
/* Can processes be run as other users? If not, say that this test is skipped. */
bool harness_has_users(void);
/* May the broker open enough for what LIMIT_USER_FDS promises one user? If not, it says so. */
bool harness_has_files(void);
/* A path in the folder that holds the programs and modules under test, where every user may look:
 * "dspbrokerd", "dspbroker-who", "softdsp", "dspctl", "modules". Static, overwritten by the eighth
 * call after. */
const char *harness_program(const char *name);

/* Put another text in the place of its policy file, in one step. */
void harness_set_policy(const struct harness *harness, const char *policy);

/* Start a broker and wait until it is ready. */
void harness_start(struct harness *harness, const char *policy);
/* The same in two steps, of which the first only makes the folder, and without waiting. */
void harness_prepare(struct harness *harness);
void harness_spawn(struct harness *harness, const struct harness_options *options);
void harness_await_ready(struct harness *harness);

/* End it with SIGTERM; it must end with code 0, leave no process behind, and have nothing in its
 * log that a sanitizer wrote. Nothing is done when it has ended as expected before. */
void harness_stop(struct harness *harness);
/* The same for one that ends by itself, with that code. */
void harness_expect_exit(struct harness *harness, int code);

/* Kill it; that must take its software DSP along. */
void harness_kill(struct harness *harness);

/* Wait until it has told its service manager a line that contains @text. */
void harness_await_notification(struct harness *harness, const char *text);
/* Does its log contain that? */
bool harness_logged(const struct harness *harness, const char *text);

/* Of the broker's process: its descriptors; its mappings whose line contains @text; KiB resident.
 */
size_t harness_fds(const struct harness *harness);
size_t harness_mappings(const struct harness *harness, const char *text);
size_t harness_rss_kib(const struct harness *harness);
/* Its child, the supervisor of the software DSP; and how many domains that one has. */
pid_t harness_supervisor(const struct harness *harness);
size_t harness_domains(const struct harness *harness);

/* Run a program of the build as a user, with these arguments, and return its exit code. What it
 * printed, to stdout and stderr, is in *@output until something is read again. */
#define harness_run(program, uid, output, ...) \
	harness_run_program(program, uid, output, (const char *const[]){__VA_ARGS__, NULL})
#define harness_dspctl(harness, uid, output, ...) \
	harness_run("dspctl", uid, output, "--socket", (harness)->socket, __VA_ARGS__)
int harness_run_program(const char *program, uid_t uid, const char **output,
	const char *const *args);

/* A process that is a client of it. */

struct client {
	pid_t pid;
	int link; /* to it, for steps */
};

/* Run @run(@data) in a new process as that user (group of the same number, no other groups). The
 * process is a copy of this one. When @run returns, it has passed. */
void client_start(struct client *client, uid_t uid, void (*run)(void *data), void *data);
/* The same as a member of a further group. */
void client_start_in(struct client *client, uid_t uid, gid_t group, void (*run)(void *data),
	void *data);
/* Wait for its end; it must have passed. */
void client_end(struct client *client);
/* Wait for its end; returns the signal that killed it, or 0. */
int client_signal(struct client *client);
/* Kill it and take its remains. */
void client_kill(struct client *client);
/* Start one and wait for its end. */
void client_run(uid_t uid, void (*run)(void *data), void *data);

/* A test that is nothing but one client, whose function follows. */
#define CLIENT_TEST(promise)                               \
	static void promise##_client(void *data);          \
	START_TEST(promise)                                \
	{                                                  \
		client_run(ALICE, promise##_client, NULL); \
	}                                                  \
	END_TEST                                           \
	static void promise##_client(void *data __attribute__((unused)))

/* Steps, each a character of the test's choice: the test waits until its client has come to one,
 * and lets it go on with another. */
void client_await(struct client *client, char step);
void client_go(struct client *client, char step);
/* The client's side. */
void step_reached(char step);
void step_await(char step);

/* In a client: things that many clients do. What they return is freed with the connection. */
struct dspbroker *connect_to(const struct harness *harness);
struct dspbroker_session *open_channel(struct dspbroker *broker, const char *channel);
struct dspbroker_buffer *alloc_buffer(struct dspbroker *broker, size_t size);
/* A method without arguments: what dspbroker_invoke(), dspbroker_submit() return. @user is the
 * call's. */
int invoke_plain(struct dspbroker_session *session, uint32_t method);
int submit_plain(struct dspbroker_session *session, uint32_t method, uintptr_t user);
/* The same for EXAMPLE_SLEEP. */
int submit_sleep(struct dspbroker_session *session, uint32_t us, uintptr_t user);
/* Wait for the next completion or event; there must be one. */
struct dspbroker_completion reap_one(struct dspbroker *broker);
struct dspbroker_event next_event(struct dspbroker *broker);

#endif
