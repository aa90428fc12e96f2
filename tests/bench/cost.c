// SPDX-License-Identifier: MIT
/*
 * What a call costs the one in between, in time on a processor: the broker, and beside it a process
 * that does nothing but pass a request on over a socket, and the answer back.
 */
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/pace.h"
#include "tests/bench/peer.h"
#include "tests/bench/proc.h"
#include "tests/bench/sample.h"

#define INTERVAL_NS  100000 /* 10,000 calls a second */
#define TURNS        4
#define CALLS_A_TURN 5000
#define PACKET_BYTES 64

/* client <-> relay <-> worker */
struct relay {
	int sock; /* the client's end */
	pid_t pid, worker;
};

/* Returns false when the other side has gone. */
static bool pass_on(int from, int to)
{
	char packet[PACKET_BYTES];
	ssize_t n = recv(from, packet, sizeof(packet), 0);

	return n > 0 && send(to, packet, (size_t)n, MSG_NOSIGNAL) == n;
}

static void serve_worker(void *data)
{
	const int *sock = data;

	while (pass_on(*sock, *sock))
		;
}

/* The client's and the worker's. */
static void serve_relay(void *data)
{
	int epoll = must_errno(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	const int *socks = data;
	struct epoll_event event;

	for (uint32_t i = 0; i < 2; i++) {
		event = (struct epoll_event){.events = EPOLLIN, .data.u32 = i};
		must_errno(epoll_ctl(epoll, EPOLL_CTL_ADD, socks[i], &event), "epoll_ctl");
	}
	do {
		must_errno(epoll_wait(epoll, &event, 1, -1), "epoll_wait");
	} while (pass_on(socks[event.data.u32], socks[!event.data.u32]));
}

static void make_pair(int *pair)
{
	must_errno(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
}

static void relay_open(struct relay *relay)
{
	int front[2], back[2];

	make_pair(front);
	make_pair(back);
	relay->worker = peer_start(serve_worker, &back[1]);
	relay->pid = peer_start(serve_relay, (int[]){front[1], back[0]});
	relay->sock = front[0];
	close(front[1]);
	close(back[0]);
	close(back[1]);
}

static void relay_close(struct relay *relay)
{
	peer_stop(relay->pid);
	peer_stop(relay->worker);
	relay->sock = fd_close(relay->sock);
}

static void ask_relay(void *userdata)
{
	const struct relay *relay = userdata;
	char packet[PACKET_BYTES] = "";

	must_errno((int)send(relay->sock, packet, sizeof(packet), MSG_NOSIGNAL), "send");
	must(recv(relay->sock, packet, sizeof(packet), 0) == sizeof(packet) ? 0 : -EIO, "recv");
}

static void ask_broker(void *userdata)
{
	const struct dspbroker_call call = {.method = METHOD_NOP};

	must(dspbroker_invoke(userdata, &call, NULL), "null call");
}

/* What a turn of paced calls costs that process, ns. */
static uint64_t cost_of_turn(pid_t pid, void (*ask)(void *userdata), void *userdata)
{
	uint64_t before = proc_cpu_ns(pid);
	struct pace pace;

	pace_begin(&pace, INTERVAL_NS);
	for (int i = 0; i < CALLS_A_TURN; i++) {
		pace_wait(&pace);
		ask(userdata);
	}
	return proc_cpu_ns(pid) - before;
}

void measure_cost(const struct service *service, double *figures)
{
	uint64_t broker_ns = 0, relay_ns = 0;
	struct dspbroker_session *session;
	struct dspbroker *broker;
	struct relay relay;

	must(dspbroker_connect(&broker, service->socket), "connect");
	must(dspbroker_session_open(broker, &session, CHANNEL_SHARED), "open");
	relay_open(&relay);
	for (int turn = 0; turn < TURNS; turn++) {
		broker_ns += cost_of_turn(service->pid, ask_broker, session);
		relay_ns += cost_of_turn(relay.pid, ask_relay, &relay);
	}
	relay_close(&relay);
	dspbroker_free(broker);
	figures[CPU_PER_CALL] = (double)broker_ns / 1000 / (TURNS * CALLS_A_TURN);
	figures[CPU_PER_CALL_SOCKET] = (double)relay_ns / 1000 / (TURNS * CALLS_A_TURN);
	figures[CPU_OVER_SOCKET] = (double)broker_ns / (double)relay_ns;
}
