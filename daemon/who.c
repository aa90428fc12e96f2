// SPDX-License-Identifier: MIT
#include "daemon/who.h"

#include <assert.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "daemon/become.h"
#include "daemon/broker.h"
#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/who/question.h"
#include "protocol/sock.h"

/* On whose behalf the broker asks about nodes, so that no user has a part in that number. */
#define NO_USER ((uid_t)-1)

/* A question that the program has been asked and has not answered. */
struct slot {
	uint32_t number; /* 0: free */
	uid_t uid;
	struct who_question *question; /* NULL: nobody wants to know any more, but it is at work */
};

struct who {
	struct broker *broker;
	struct loop_source source;
	int sock;   /* -1: the program is gone */
	bool ready; /* it has said so */
	bool lost;  /* it was gone, and has not been ready since */

	/* Of one that we have started; else -1. */
	pid_t pid;
	int pidfd, end; /* an epoll that waits for its end */

	/* Of one that listens; else NULL. */
	char *path;
	uid_t server;      /* who it is that listens */
	uint64_t tried_us; /* when we connected again */

	uint32_t last_number;
	struct slot slots[WHO_QUESTIONS];
	struct list waiting; /* questions without a slot, in the order in which they came */
};

/* Questions. */

static struct slot *find_slot(struct who *who, uint32_t number)
{
	for (size_t i = 0; i < WHO_QUESTIONS; i++)
		if (who->slots[i].number == number)
			return &who->slots[i];
	return NULL;
}

static size_t slots_of(const struct who *who, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < WHO_QUESTIONS; i++)
		n += who->slots[i].number && who->slots[i].uid == uid;
	return n;
}

/* The end of a question. Its owner may free it. */
static void answer(struct who_question *question, const struct who_told *told)
{
	question->number = 0;
	question->error = told->error;
	question->holder = told->holder;
	question->holder.name[HOLDER_NAME_SIZE - 1] = '\0';
	/* Without memory nothing is known, which is what the identity says by then. */
	if (question->identity)
		facts_give(&told->facts, question->identity);
	question->answered(question);
}

void who_forget(struct who *who, struct who_question *question)
{
	struct slot *slot;

	if (!who || !question->number)
		return;
	slot = find_slot(who, question->number);
	if (slot)
		slot->question = NULL;
	else
		list_remove(&question->link);
	deadline_clear(&who->broker->deadlines, &question->patience);
	question->number = 0;
}

/* Of which nobody can tell anything. */
static void answer_unknown(struct who *who, struct who_question *question, int error)
{
	who_forget(who, question);
	answer(question, &(struct who_told){.error = error});
}

static uid_t user_of(const struct who_question *question)
{
	return question->identity ? question->identity->uid : NO_USER;
}

static int send_question(const struct who *who, const struct who_question *question)
{
	const struct identity *peer = question->identity;
	struct who_asked asked = {.number = question->number};

	if (!peer) {
		asked.kind = WHO_HOLDER;
		asked.wanted = question->wanted;
		return sock_send(who->sock, &asked, sizeof(asked), NULL, 0, MSG_DONTWAIT);
	}
	asked.kind = WHO_PEER;
	asked.pid = peer->pid;
	asked.uid = peer->uid;
	asked.gid = peer->gid;
	return sock_send(who->sock, &asked, sizeof(asked), &peer->pidfd, 1, MSG_DONTWAIT);
}

/* Nobody hears of it in the middle of this: what cannot be sent waits until it is no use. */
static void send_waiting(struct who *who)
{
	struct who_question *question, *following;
	struct slot *slot;

	if (!who->ready)
		return;
	list_for_each_safe (question, following, &who->waiting, link) {
		slot = find_slot(who, 0);
		if (!slot)
			return;
		if (slots_of(who, user_of(question)) >= WHO_USER_QUESTIONS)
			continue;
		if (send_question(who, question) < 0)
			return;
		list_remove(&question->link);
		*slot = (struct slot){question->number, user_of(question), question};
	}
}

static void patience_ends(struct deadline *deadline)
{
	struct who_question *question = container_of(deadline, struct who_question, patience);

	answer_unknown(question->who, question, -ETIMEDOUT);
}

/* Numbers of questions that are still at work are not given again. */
static uint32_t next_number(struct who *who)
{
	do {
		who->last_number++;
	} while (!who->last_number || find_slot(who, who->last_number));
	return who->last_number;
}

/* The program. */

static void program_gone(struct who *who)
{
	struct who_question *question;
	struct list unasked;

	if (who->ready)
		log_error("%s is gone: units, executables, Flatpaks and snaps of programs that "
			  "connect are unknown %s",
			WHO_NAME, who->path ? "until it is back" : "from now on");
	who->lost |= who->ready;
	who->ready = false;
	loop_remove(&who->source);
	who->sock = fd_close(who->sock);
	/* Who hears of it may ask anew, of the next one. */
	list_init(&unasked);
	list_move(&unasked, &who->waiting);
	for (size_t i = 0; i < WHO_QUESTIONS; i++) {
		question = who->slots[i].question;
		who->slots[i] = (struct slot){};
		if (question)
			answer_unknown(who, question, -ENOTCONN);
	}
	while ((question = list_first(&unasked, struct who_question, link)))
		answer_unknown(who, question, -ENOTCONN);
}

static void program_ready(struct who *who)
{
	if (who->lost)
		log_info("%s is back", WHO_NAME);
	who->ready = true;
	who->lost = false;
}

static void take_answer(struct who *who, const struct who_told *told)
{
	struct slot *slot = find_slot(who, told->number);
	struct who_question *question;

	if (!slot)
		return;
	question = slot->question;
	*slot = (struct slot){};
	if (!question)
		return;
	deadline_clear(&who->broker->deadlines, &question->patience);
	answer(question, told);
}

static void on_program(struct loop_source *source, uint32_t events)
{
	struct who *who = container_of(source, struct who, source);
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct who_told told;
	ssize_t n;

	(void)events;
	n = sock_receive(who->sock, &told, sizeof(told), &fds, MSG_DONTWAIT);
	if (n == -EAGAIN)
		return;
	if (n != sizeof(told)) {
		program_gone(who);
		return;
	}
	if (told.number)
		take_answer(who, &told);
	else
		program_ready(who);
	send_waiting(who);
}

/* Connecting to it. */

/* Returns the socket or -errno. Which user it is that listens there is in *@server. */
static int open_link(const char *path, uid_t *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int sock = -1;
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0 || connect(sock, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	*server = credentials.uid;
	return TAKE_FD(sock);
}

/* It is confined by now, and must be served by the same user as before. Questions wait until the
 * program says that it is ready. Returns 0 or -errno. */
static int connect_again(struct who *who)
{
	uint64_t now = broker_now(who->broker);
	_cleanup_(fd_closep) int sock = -1;
	uid_t server;
	int r;

	if (!who->path || now - who->tried_us < WHO_AGAIN_US)
		return -EAGAIN;
	who->tried_us = now;
	sock = open_link(who->path, &server);
	if (sock < 0)
		return sock;
	if (server != who->server)
		return -EPERM;
	r = loop_add(who->broker->loop, &who->source, sock, EPOLLIN, on_program);
	if (r < 0)
		return r;
	who->sock = TAKE_FD(sock);
	return 0;
}

static void ask_program(struct who *who, struct who_question *question, uint64_t patience_us)
{
	question->who = who;
	if (!who || (who->sock < 0 && connect_again(who) < 0)) {
		answer(question, &(struct who_told){.error = -ENOTCONN});
		return;
	}
	question->number = next_number(who);
	list_append(&who->waiting, &question->link);
	broker_deadline(who->broker, &question->patience, patience_us, patience_ends);
	send_waiting(who);
}

void who_ask(struct who *who, struct who_question *question, struct identity *identity,
	void (*answered)(struct who_question *question))
{
	question->identity = identity;
	question->answered = answered;
	ask_program(identity->pidfd < 0 ? NULL : who, question, WHO_PATIENCE_US);
}

void who_ask_holder(struct who *who, struct who_question *question, const struct holder_node *nodes,
	size_t n, pid_t opener, void (*answered)(struct who_question *question))
{
	question->identity = NULL;
	question->answered = answered;
	assert(n <= HOLDER_NODES);
	question->wanted = (struct holder_wanted){.own = {getpid(), opener}};
	for (size_t i = 0; i < n; i++)
		question->wanted.nodes[question->wanted.n_nodes++] = nodes[i];
	ask_program(who, question, WHO_HOLDER_PATIENCE_US);
}

/* Starting it. */

static int get_capabilities(uint64_t *permitted, uint64_t *inheritable)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	*inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

/* Have these, and hand on what may be inherited. */
static int set_capabilities(uint64_t capabilities, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{(uint32_t)capabilities, (uint32_t)capabilities, (uint32_t)inheritable},
		{(uint32_t)(capabilities >> 32), (uint32_t)(capabilities >> 32),
			(uint32_t)(inheritable >> 32)},
	};

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int who_drop_capabilities(void)
{
	uint64_t permitted, inheritable;
	int r = get_capabilities(&permitted, &inheritable);

	if (r < 0)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	/* Who has none may be forbidden to ask for fewer. */
	return geteuid() && (permitted || inheritable) ? set_capabilities(0, 0) : 0;
}

/* In the child: whoever it becomes, what follows has the two capabilities and nothing else, as far
 * as there is anything. */
static int keep_capabilities(const char *user)
{
	const uint64_t wanted = 1ull << CAP_SYS_PTRACE | 1ull << CAP_DAC_READ_SEARCH;
	uint64_t kept = 0, inheritable;
	int r;

	/* Fails without CAP_SETPCAP; then there is nothing that could come back, either. */
	for (unsigned long capability = 0; capability < 64; capability++)
		if (!(wanted & 1ull << capability))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	r = become(user);
	if (r == 0)
		r = get_capabilities(&kept, &inheritable);
	if (r < 0)
		return r;
	kept &= wanted;
	r = set_capabilities(kept, kept);
	if (r < 0)
		return r;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned long capability = 0; capability < 64; capability++)
		if (kept & 1ull << capability &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
			return -errno;
	return 0;
}

/* In the child: become the program. */
static void exec_program(const struct who *who, const char *path, const char *user, int sock)
{
	const struct broker_options *options = who->broker->options;
	bool may_lack = options && options->allow_unconfined;
	sigset_t none;
	int r;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	r = keep_capabilities(user);
	if (r < 0) {
		log_error("%s cannot be given its rights: %s", WHO_NAME, strerror(-r));
		_exit(EXIT_FAILURE);
	}
	/* dup2() onto itself would keep CLOEXEC. */
	if (sock == WHO_FD)
		sock = dup(sock);
	if (sock < 0 || dup2(sock, WHO_FD) < 0)
		_exit(EXIT_FAILURE);
	execl(path, path, may_lack ? "--allow-unconfined" : NULL, NULL);
	log_error("cannot run %s: %m", path);
	_exit(EXIT_FAILURE);
}

static int wait_ready(int sock)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct pollfd pollfd = {.fd = sock, .events = POLLIN};
	struct who_told told;

	if (poll(&pollfd, 1, WHO_START_MS) <= 0)
		return -ETIMEDOUT;
	if (sock_receive(sock, &told, sizeof(told), &fds, MSG_DONTWAIT) != sizeof(told) ||
		told.number)
		return -ECHILD;
	return 0;
}

/* Make an epoll for the end of a child: who is confined can wait for that and for nothing else. */
static int watch_end(struct who *who)
{
	struct epoll_event event = {.events = EPOLLIN};

	who->pidfd = (int)syscall(SYS_pidfd_open, who->pid, 0);
	if (who->pidfd < 0)
		return -errno;
	who->end = epoll_create1(EPOLL_CLOEXEC);
	if (who->end < 0 || epoll_ctl(who->end, EPOLL_CTL_ADD, who->pidfd, &event) < 0)
		return -errno;
	return 0;
}

static int start_program(struct who *who, const char *path, const char *user)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	who->sock = pair[0];
	who->pid = fork();
	if (who->pid == 0)
		exec_program(who, path, user, pair[1]);
	fd_close(pair[1]);
	if (who->pid < 0)
		return -errno;
	r = wait_ready(who->sock);
	if (r == 0)
		r = watch_end(who);
	if (r < 0)
		kill(who->pid, SIGKILL);
	return r;
}

static int connect_program(struct who *who, const char *path)
{
	who->path = strdup(path);
	if (!who->path)
		return -ENOMEM;
	who->sock = open_link(path, &who->server);
	if (who->sock < 0)
		return who->sock;
	/* The service manager, or whoever tries this out. */
	if (who->server != 0 && who->server != geteuid())
		return -EPERM;
	return wait_ready(who->sock);
}

static struct who *allocate(struct broker *broker)
{
	struct who *who = calloc(1, sizeof(*who));

	if (!who)
		return NULL;
	who->broker = broker;
	who->sock = who->pidfd = who->end = -1;
	list_init(&who->waiting);
	return who;
}

static void log_failure(const struct who *who, const char *path, int r)
{
	if (who->path)
		log_error("cannot reach %s at %s: %s", WHO_NAME, path,
			r == -EPERM ? "neither root nor the broker's user serves it"
				    : strerror(-r));
	else
		log_error("%s, which looks at programs that connect, does not start: %s", path,
			strerror(-r));
}

/* It is ready, or that failed with @r. */
static int begin(struct who *who, const char *path, int r)
{
	if (r == 0)
		r = loop_add(who->broker->loop, &who->source, who->sock, EPOLLIN, on_program);
	if (r < 0)
		log_failure(who, path, r);
	who->ready = r == 0;
	return r;
}

int who_new(struct who **out, struct broker *broker, const char *path, const char *user)
{
	_cleanup_(who_freep) struct who *who = allocate(broker);
	int r;

	if (!who)
		return -ENOMEM;
	r = begin(who, path, start_program(who, path, user));
	if (r == 0)
		*out = TAKE_PTR(who);
	return r;
}

int who_connect(struct who **out, struct broker *broker, const char *path)
{
	_cleanup_(who_freep) struct who *who = allocate(broker);
	int r;

	if (!who)
		return -ENOMEM;
	r = begin(who, path, connect_program(who, path));
	if (r == 0)
		*out = TAKE_PTR(who);
	return r;
}

static void forget_all(struct who *who)
{
	struct who_question *question;

	for (size_t i = 0; i < WHO_QUESTIONS; i++)
		if (who->slots[i].question)
			who_forget(who, who->slots[i].question);
	while ((question = list_first(&who->waiting, struct who_question, link)))
		who_forget(who, question);
}

/* One that we have started ends with its socket. In the middle of a file that never answers it
 * cannot; then whoever is the parent after us takes its remains. */
struct who *who_free(struct who *who)
{
	struct epoll_event ended;

	if (!who)
		return NULL;
	forget_all(who);
	loop_remove(&who->source);
	fd_close(who->sock);
	if (who->end >= 0)
		epoll_wait(who->end, &ended, 1, WHO_END_MS);
	fd_close(who->end);
	fd_close(who->pidfd);
	free(who->path);
	free(who);
	return NULL;
}
