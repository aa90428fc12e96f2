// SPDX-License-Identifier: MIT
#include "daemon/who/look.h"

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/who/question.h"
#include "protocol/sock.h"

#define STACK_BYTES (128 * 1024)

struct look {
	int sock, proc;
	atomic_uint running; /* threads */
};

struct question {
	struct look *look;
	struct who_asked asked;
	int pidfd; /* -1: none came along */
};

static int tell(int sock, const struct who_told *told)
{
	return sock_send(sock, told, sizeof(*told), NULL, 0, 0);
}

static struct question *question_free(struct question *question)
{
	fd_close(question->pidfd);
	free(question);
	return NULL;
}
DEFINE_CLEANUP(struct question *, question_free);

static void *answer(void *data)
{
	struct question *question = data;
	struct look *look = question->look;
	const struct who_asked *asked = &question->asked;
	struct who_told told = {.number = asked->number};

	if (asked->kind == WHO_HOLDER)
		told.error = holder_find(look->proc, &asked->wanted, &told.holder);
	else
		facts_read(&told.facts, look->proc, asked->pid, question->pidfd, asked->uid,
			asked->gid);
	question_free(question);
	/* Before the broker knows, so that it finds room for the next question. */
	atomic_fetch_sub(&look->running, 1);
	tell(look->sock, &told); /* who does not listen has closed, which ends us all */
	return NULL;
}

static int start_thread(struct question *question)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	r = pthread_attr_init(&attributes);
	if (r)
		return -r;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	r = pthread_create(&thread, &attributes, answer, question);
	pthread_attr_destroy(&attributes);
	return -r;
}

/* Returns 0, or -errno when it will not be answered. */
static int begin(struct look *look, const struct who_asked *asked, int pidfd)
{
	_cleanup_(question_freep) struct question *question = malloc(sizeof(*question));
	int r;

	if (!question) {
		fd_close(pidfd);
		return -ENOMEM;
	}
	*question = (struct question){look, *asked, pidfd};
	if (atomic_fetch_add(&look->running, 1) >= WHO_QUESTIONS)
		r = -EBUSY;
	else
		r = start_thread(question);
	if (r == 0)
		TAKE_PTR(question);
	else
		atomic_fetch_sub(&look->running, 1);
	return r;
}

static bool is_question(const struct who_asked *asked, size_t n_fds)
{
	return asked->number && ((asked->kind == WHO_PEER && n_fds == 1) ||
					(asked->kind == WHO_HOLDER && n_fds == 0));
}

int look_run(int sock, int proc)
{
	/* Static: threads may outlive this. */
	static struct look look;
	struct who_asked asked;
	ssize_t n;
	int r;

	look.sock = sock;
	look.proc = proc;
	r = tell(sock, &(struct who_told){.number = 0});
	while (r == 0) {
		_cleanup_(sock_fds_close) struct sock_fds fds = {};

		n = sock_receive(sock, &asked, sizeof(asked), &fds, 0);
		if (n == 0 || n == -ECONNRESET)
			return 0;
		if (n != sizeof(asked) || !is_question(&asked, fds.n))
			return n < 0 ? (int)n : -EPROTO;
		if (begin(&look, &asked, fds.n ? sock_fds_take(&fds, 0) : -1) < 0)
			r = tell(sock, &(struct who_told){.number = asked.number, .error = -EBUSY});
	}
	return r;
}
