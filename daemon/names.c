// SPDX-License-Identifier: MIT
#include "daemon/names.h"

#include <pthread.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "daemon/become.h"
#include "daemon/confine/least.h"
#include "daemon/log.h"
#include "policy/userdb.h"
#include "protocol/sock.h"

/* How long an answer may take: longer than a name server that does not answer is waited for. */
#define PATIENCE_S 60

#define TITLE "dspbroker-names" /* as ps(1) shows it; the kernel keeps 15 characters */

struct question {
	uint32_t number; /* which the reply has as well: one may come too late */
	uint32_t kind;   /* enum userdb_kind */
	char name[USERDB_NAME_SIZE];
};

struct reply {
	uint32_t number;
	int32_t result; /* as of userdb_ask() */
	uint32_t id;
};

struct names {
	pthread_mutex_t lock; /* one question at a time */
	int sock;
	uint32_t asked; /* questions so far */
	bool gone;      /* which has been said */
};

/* The process. */

/* Modules of the database put names into files' lines and servers' queries. */
static bool is_plain(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f || *name == ':')
			return false;
	return true;
}

static bool answer_one(int sock)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct question question;
	struct reply reply = {};

	if (sock_receive(sock, &question, sizeof(question), &fds, 0) != sizeof(question))
		return false;
	question.name[sizeof(question.name) - 1] = '\0';
	reply.number = question.number;
	reply.result = is_plain(question.name) ? userdb_ask(question.kind, question.name, &reply.id)
					       : -ENOENT;
	return sock_send(sock, &reply, sizeof(reply), NULL, 0, 0) == 0;
}

static noreturn void run(int sock, const char *user)
{
	int kept[] = {STDERR_FILENO, sock};
	sigset_t all;
	int r;

	/* It ends with its socket, and not before the broker does. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, TITLE, 0, 0, 0);
	r = least_descriptors(kept, ARRAY_SIZE(kept));
	if (r == 0)
		r = become(user);
	if (r == 0)
		r = least_capabilities();
	if (r == 0)
		r = least_memory();
	if (r < 0) {
		log_error("%s cannot be confined: %s", TITLE, strerror(-r));
		_exit(EXIT_FAILURE);
	}
	while (answer_one(sock))
		;
	_exit(EXIT_SUCCESS);
}

/* Asking it. */

/* Called with the lock held. Returns -ESHUTDOWN. */
static int is_gone(struct names *names)
{
	if (!names->gone)
		log_error("the process that looks up names of users is gone: policy files with "
			  "such "
			  "names cannot be read again until the broker is started again");
	names->gone = true;
	return -ESHUTDOWN;
}

/* Called with the lock held. Passes over answers that come too late. */
static int await_reply(struct names *names, struct reply *reply)
{
	ssize_t n;

	do {
		_cleanup_(sock_fds_close) struct sock_fds fds = {};

		n = sock_receive(names->sock, reply, sizeof(*reply), &fds, 0);
		if (n == -EAGAIN)
			return -ETIMEDOUT;
	} while (n == sizeof(*reply) && reply->number != names->asked);
	return n == sizeof(*reply) ? 0 : is_gone(names);
}

static int ask(enum userdb_kind kind, const char *name, uint32_t *id, void *userdata)
{
	struct names *names = userdata;
	struct question question = {.kind = kind};
	struct reply reply;
	int r;

	/* No database has it. */
	if (strlen(name) >= sizeof(question.name))
		return -ENOENT;
	strcpy(question.name, name);
	pthread_mutex_lock(&names->lock);
	question.number = ++names->asked;
	r = sock_send(names->sock, &question, sizeof(question), NULL, 0, 0);
	if (r == -EAGAIN)
		r = -ETIMEDOUT;
	else
		r = r < 0 ? is_gone(names) : await_reply(names, &reply);
	pthread_mutex_unlock(&names->lock);
	if (r < 0)
		return r;
	*id = reply.id;
	return reply.result;
}

void names_stop(struct names *names)
{
	if (names)
		shutdown(names->sock, SHUT_RDWR);
}

DEFINE_CLEANUP(struct names *, names_free);

int names_new(struct names **out, const char *user)
{
	static const struct timeval patience = {.tv_sec = PATIENCE_S};
	_cleanup_(names_freep) struct names *names = calloc(1, sizeof(*names));
	int pair[2], r;
	pid_t pid;

	if (!names)
		return -ENOMEM;
	pthread_mutex_init(&names->lock, NULL);
	names->sock = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	names->sock = pair[0];
	setsockopt(names->sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(names->sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	pid = fork();
	r = -errno;
	if (pid == 0)
		run(pair[1], user);
	fd_close(pair[1]);
	if (pid < 0) {
		log_error("cannot start what looks up names of users: %s", strerror(-r));
		return r;
	}
	userdb_set_source(ask, names);
	*out = TAKE_PTR(names);
	return 0;
}

struct names *names_free(struct names *names)
{
	if (!names)
		return NULL;
	userdb_set_source(NULL, NULL);
	fd_close(names->sock);
	pthread_mutex_destroy(&names->lock);
	free(names);
	return NULL;
}
