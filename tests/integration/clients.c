// SPDX-License-Identifier: MIT
/* Client processes, and what many of them do. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/process.h"

/* Provided by the run-time of the address sanitizer alone. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static noreturn void client_main(void (*run)(void *data), void *data)
{
	alarm(HARNESS_TIMEOUT_S);
	run(data);
	if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
		_exit(EXIT_FAILURE);
	_exit(EXIT_SUCCESS);
}

static void start(struct client *client, uid_t uid, const gid_t *groups, size_t n_groups,
	void (*run)(void *data), void *data)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fflush(NULL);
	client->pid = must(fork());
	if (client->pid == 0) {
		fd_close(pair[0]);
		process_link = pair[1];
		process_become(uid, groups, n_groups);
		client_main(run, data);
	}
	fd_close(pair[1]);
	client->link = pair[0];
	process_add(client->pid);
}

void client_start(struct client *client, uid_t uid, void (*run)(void *data), void *data)
{
	start(client, uid, NULL, 0, run, data);
}

void client_start_in(struct client *client, uid_t uid, gid_t group, void (*run)(void *data),
	void *data)
{
	start(client, uid, &group, 1, run, data);
}

/* Returns its wait status. */
static int take(struct client *client)
{
	int status;

	must(waitpid(client->pid, &status, 0));
	process_remove(client->pid);
	client->pid = 0;
	client->link = fd_close(client->link);
	return status;
}

void client_end(struct client *client)
{
	int status;

	if (!client->pid)
		return;
	status = take(client);
	if (status)
		harness_fail(__FILE__, __LINE__, "a client failed, with wait status 0x%x",
			(unsigned int)status);
}

int client_signal(struct client *client)
{
	int status = take(client);

	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void client_kill(struct client *client)
{
	must(kill(client->pid, SIGKILL));
	take(client);
}

void client_run(uid_t uid, void (*run)(void *data), void *data)
{
	struct client client;

	client_start(&client, uid, run, data);
	client_end(&client);
}

/* Steps. */

static const char *step_name(char step)
{
	static char text[] = "step '?'";

	text[6] = step;
	return text;
}

static void read_step(int link, char step)
{
	char reached;

	if (must(read(link, &reached, 1)) == 0)
		harness_fail(__FILE__, __LINE__, "the other side ended before %s", step_name(step));
	require_eq(reached, step);
}

void client_await(struct client *client, char step)
{
	process_await_input(client->link, step_name(step));
	read_step(client->link, step);
}

void client_go(struct client *client, char step)
{
	must(send(client->link, &step, 1, MSG_NOSIGNAL));
}

void step_reached(char step)
{
	must(send(process_link, &step, 1, MSG_NOSIGNAL));
}

/* The test may be at something that takes long; it has a time limit of its own. */
void step_await(char step)
{
	read_step(process_link, step);
}

/* What clients do. */

struct dspbroker *connect_to(const struct harness *harness)
{
	struct dspbroker *broker;

	require_eq(dspbroker_connect(&broker, harness->socket), 0);
	return broker;
}

struct dspbroker_session *open_channel(struct dspbroker *broker, const char *channel)
{
	struct dspbroker_session *session;

	require_eq(dspbroker_session_open(broker, &session, channel), 0);
	return session;
}

struct dspbroker_buffer *alloc_buffer(struct dspbroker *broker, size_t size)
{
	struct dspbroker_buffer *buffer;

	require_eq(dspbroker_buffer_alloc(broker, &buffer, size), 0);
	return buffer;
}

int invoke_plain(struct dspbroker_session *session, uint32_t method)
{
	return dspbroker_invoke(session, &(struct dspbroker_call){.method = method}, NULL);
}

int submit_plain(struct dspbroker_session *session, uint32_t method, uintptr_t user)
{
	return dspbroker_submit(session,
		&(struct dspbroker_call){.method = method, .user = (void *)user});
}

int submit_sleep(struct dspbroker_session *session, uint32_t us, uintptr_t user)
{
	struct dspbroker_arg arg = {.data = &us, .length = sizeof(us)};

	return dspbroker_submit(session,
		&(struct dspbroker_call){
			.method = EXAMPLE_SLEEP, .n_in = 1, .args = &arg, .user = (void *)user});
}

struct dspbroker_completion reap_one(struct dspbroker *broker)
{
	struct dspbroker_completion completion;

	require_eq(dspbroker_reap(broker, &completion, 1, HARNESS_PATIENCE_S * 1000), 1);
	return completion;
}

struct dspbroker_event next_event(struct dspbroker *broker)
{
	struct dspbroker_event event;
	int r;

	while ((r = dspbroker_next_event(broker, &event)) == 0)
		process_await_input(dspbroker_fd(broker), "an event");
	require_eq(r, 1);
	return event;
}
