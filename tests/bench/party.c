// SPDX-License-Identifier: MIT
#include "tests/bench/party.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/peer.h"
#include "tests/bench/sample.h"

/* At work is who has done so many calls; who has not by then will not. */
#define WARM_CALLS    64
#define WARM_MS       2000
#define WARM_LOOK_MS  1
#define MEMBERS_BYTES (PARTY_MAX * sizeof(struct member))

void party_init(struct party *party)
{
	*party = (struct party){.members = mmap(NULL, MEMBERS_BYTES, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
	must(party->members == MAP_FAILED ? -errno : 0, "mmap");
}

static void become(uid_t uid)
{
	if (!uid)
		return;
	must_errno(setgroups(0, NULL), "setgroups");
	must_errno(setresgid(uid, uid, uid), "setresgid");
	must_errno(setresuid(uid, uid, uid), "setresuid");
}

void party_add(struct party *party, void (*play)(struct member *me, const void *role),
	const void *role, uid_t uid)
{
	struct member *me = &party->members[party->n];
	pid_t benchmark = getpid(), pid;
	int pair[2];

	must(party->n < PARTY_MAX ? 0 : -E2BIG, "party");
	must_errno(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
	fflush(NULL); /* or the process says it again when it ends */
	pid = must_errno(fork(), "fork");
	if (pid == 0) {
		become(uid);
		peer_follow(benchmark); /* a change of user would undo it */
		close(pair[0]);
		me->gate = pair[1];
		play(me, role);
		_exit(EXIT_SUCCESS);
	}
	close(pair[1]);
	party->pids[party->n] = pid;
	party->gates[party->n++] = pair[0];
}

void member_ready(struct member *me)
{
	char byte = 0;

	must(write(me->gate, &byte, 1) == 1 ? 0 : -errno, "gate");
	must(read(me->gate, &byte, 1) == 1 ? 0 : -ECONNRESET, "gate");
}

void party_begin(struct party *party)
{
	char byte = 0;

	for (size_t i = 0; i < party->n; i++)
		must(read(party->gates[i], &byte, 1) == 1 ? 0 : -ECHILD, "a client");
	for (size_t i = 0; i < party->n; i++)
		must(write(party->gates[i], &byte, 1) == 1 ? 0 : -errno, "gate");
}

/* Nobody says anything meanwhile, unless it ends. */
static void wait_ms(const struct party *party, int ms)
{
	struct pollfd gates[PARTY_MAX];

	for (size_t i = 0; i < party->n; i++)
		gates[i] = (struct pollfd){.fd = party->gates[i], .events = POLLIN};
	must(poll(gates, party->n, ms) > 0 ? -ECHILD : 0, "a client");
}

static bool at_work(const struct party *party)
{
	for (size_t i = 0; i < party->n; i++)
		if (__atomic_load_n(&party->members[i].calls, __ATOMIC_ACQUIRE) < WARM_CALLS)
			return false;
	return true;
}

static struct work work_of(const struct member *member)
{
	return (struct work){
		.calls = __atomic_load_n(&member->calls, __ATOMIC_ACQUIRE),
		.busy_ns = __atomic_load_n(&member->busy_ns, __ATOMIC_RELAXED),
	};
}

double party_watch(struct party *party, int ms, struct work *work)
{
	uint64_t start, end;

	for (int waited = 0; !at_work(party) && waited < WARM_MS; waited += WARM_LOOK_MS)
		wait_ms(party, WARM_LOOK_MS);
	must(at_work(party) ? 0 : -ETIMEDOUT, "a client does not get to work");
	start = now_ns();
	for (size_t i = 0; i < party->n; i++)
		work[i] = work_of(&party->members[i]);
	wait_ms(party, ms);
	end = now_ns();
	for (size_t i = 0; i < party->n; i++) {
		struct work after = work_of(&party->members[i]);

		work[i].first = work[i].calls;
		work[i].calls = after.calls - work[i].first;
		work[i].busy_ns = after.busy_ns - work[i].busy_ns;
	}
	return (double)(end - start) / 1e9;
}

void party_end(struct party *party)
{
	for (size_t i = 0; i < party->n; i++)
		__atomic_store_n(&party->members[i].over, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < party->n; i++) {
		int status = -1;

		waitpid(party->pids[i], &status, 0);
		must(status ? -ECHILD : 0, "a client");
		close(party->gates[i]);
	}
	munmap(party->members, MEMBERS_BYTES);
}
