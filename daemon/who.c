// SPDX-License-Identifier: MIT
#include "daemon/who.h"

#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/broker.h"
#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/who/question.h"
#include "protocol/sock.h"

/* A question that the program has been asked and has not answered. */
struct slot {
	uint32_t number; /* 0: free */
	uid_t uid;
	struct who_question *question; /* NULL: nobody wants to know any more, but it is at work */
};

struct who {
	struct broker *broker;
	struct loop_source source;
	int sock; /* -1: the program is gone */
	pid_t pid;
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
static void answer(struct who_question *question, const struct facts *facts)
{
	question->number = 0;
	/* Without memory nothing is known, which is what the identity says by then. */
	facts_give(facts, question->identity);
	question->answered(question);
}

void who_forget(struct who *who, struct who_question *question)
{
	struct slot *slot;

	if (!question->number)
		return;
	slot = find_slot(who, question->number);
	if (slot)
		slot->question = NULL;
	else
		list_remove(&question->link);
	deadline_clear(&who->broker->deadlines, &question->patience);
	question->number = 0;
}

/* Whom nobody can tell anything about. */
static void answer_unknown(struct who *who, struct who_question *question)
{
	static const struct facts unknown;

	who_forget(who, question);
	answer(question, &unknown);
}

/* Nobody hears of it in the middle of this: what cannot be sent waits until it is no use. */
static void send_waiting(struct who *who)
{
	struct who_question *question, *following;
	struct slot *slot;

	list_for_each_safe (question, following, &who->waiting, link) {
		const struct identity *peer = question->identity;
		const struct who_asked asked = {question->number, peer->pid, peer->uid, peer->gid};

		slot = find_slot(who, 0);
		if (!slot)
			return;
		if (slots_of(who, peer->uid) >= WHO_USER_QUESTIONS)
			continue;
		if (sock_send(who->sock, &asked, sizeof(asked), &peer->pidfd, 1, MSG_DONTWAIT) < 0)
			return;
		list_remove(&question->link);
		*slot = (struct slot){question->number, peer->uid, question};
	}
}

static void patience_ends(struct deadline *deadline)
{
	struct who_question *question = container_of(deadline, struct who_question, patience);

	answer_unknown(question->who, question);
}

/* Numbers of questions that are still at work are not given again. */
static uint32_t next_number(struct who *who)
{
	do {
		who->last_number++;
	} while (!who->last_number || find_slot(who, who->last_number));
	return who->last_number;
}

void who_ask(struct who *who, struct who_question *question, struct identity *identity,
	void (*answered)(struct who_question *question))
{
	static const struct facts unknown;

	question->who = who;
	question->identity = identity;
	question->answered = answered;
	if (!who || who->sock < 0 || identity->pidfd < 0) {
		answer(question, &unknown);
		return;
	}
	question->number = next_number(who);
	list_append(&who->waiting, &question->link);
	broker_deadline(who->broker, &question->patience, WHO_PATIENCE_US, patience_ends);
	send_waiting(who);
}

/* The program. */

static void program_gone(struct who *who)
{
	struct who_question *question;

	log_error("%s is gone: units, executables, Flatpaks and snaps of programs that connect "
		  "are unknown from now on",
		WHO_NAME);
	loop_remove(&who->source);
	who->sock = fd_close(who->sock);
	kill(who->pid, SIGKILL);
	for (size_t i = 0; i < WHO_QUESTIONS; i++)
		if (who->slots[i].question)
			answer_unknown(who, who->slots[i].question);
	while ((question = list_first(&who->waiting, struct who_question, link)))
		answer_unknown(who, question);
}

static void take_answer(struct who *who, const struct who_told *told)
{
	struct slot *slot = told->number ? find_slot(who, told->number) : NULL;
	struct who_question *question;

	if (!slot)
		return;
	question = slot->question;
	*slot = (struct slot){};
	if (!question)
		return;
	deadline_clear(&who->broker->deadlines, &question->patience);
	answer(question, &told->facts);
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
	take_answer(who, &told);
	send_waiting(who);
}

/* Starting it. */

static int get_permitted(uint64_t *out)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	*out = data[0].permitted | (uint64_t)data[1].permitted << 32;
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
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return geteuid() == 0 ? 0 : set_capabilities(0, 0);
}

/* In the child: whoever it becomes, what follows has the two capabilities and nothing else, as far
 * as there is anything. */
static int keep_capabilities(const char *user)
{
	const uint64_t wanted = 1ull << CAP_SYS_PTRACE | 1ull << CAP_DAC_READ_SEARCH;
	uint64_t kept = 0;
	int r;

	/* Fails without CAP_SETPCAP; then there is nothing that could come back, either. */
	for (unsigned long capability = 0; capability < 64; capability++)
		if (!(wanted & 1ull << capability))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	r = broker_become(user);
	if (r == 0)
		r = get_permitted(&kept);
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
static void exec_program(const char *path, const char *user, int sock)
{
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
	execl(path, path, NULL);
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

static int start_program(struct who *who, const char *path, const char *user)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	who->sock = pair[0];
	who->pid = fork();
	if (who->pid == 0)
		exec_program(path, user, pair[1]);
	fd_close(pair[1]);
	return who->pid < 0 ? -errno : wait_ready(who->sock);
}

int who_new(struct who **out, struct broker *broker, const char *path, const char *user)
{
	_cleanup_(who_freep) struct who *who = calloc(1, sizeof(*who));
	int r;

	if (!who)
		return -ENOMEM;
	who->broker = broker;
	who->sock = -1;
	list_init(&who->waiting);
	r = start_program(who, path, user);
	if (r == 0)
		r = loop_add(broker->loop, &who->source, who->sock, EPOLLIN, on_program);
	if (r < 0) {
		log_error("%s, which looks at programs that connect, does not start: %s", path,
			strerror(-r));
		return r;
	}
	*out = TAKE_PTR(who);
	return 0;
}

/* In the middle of a file that never answers it cannot even be killed: then whoever is the parent
 * after us takes its remains. */
static void end_program(pid_t pid)
{
	_cleanup_(fd_closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	kill(pid, SIGKILL);
	if (pidfd >= 0)
		poll(&ended, 1, WHO_END_MS);
	waitpid(pid, NULL, WNOHANG);
}

struct who *who_free(struct who *who)
{
	if (!who)
		return NULL;
	loop_remove(&who->source);
	fd_close(who->sock);
	if (who->pid > 0)
		end_program(who->pid);
	free(who);
	return NULL;
}
