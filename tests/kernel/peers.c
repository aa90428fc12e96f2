// SPDX-License-Identifier: MIT
#include "tests/kernel/peers.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool peer_account(void)
{
	FILE *accounts = fopen("/etc/passwd", "ae");

	if (!accounts)
		return false;
	fprintf(accounts, PEER_ACCOUNT ":x:%d:%d::/:/usr/sbin/nologin\n", BROKER_UID, BROKER_UID);
	return fclose(accounts) == 0;
}

void peer_become(uid_t uid)
{
	require_eq(setgroups(0, NULL), 0);
	require_eq(setresgid(uid, uid, uid), 0);
	require_eq(setresuid(uid, uid, uid), 0);
}

int peer_socket(void)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	require(sock >= 0);
	return sock;
}

void peer_connect(int sock, const struct harness *harness)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, harness->socket);
	require_eq(connect(sock, (struct sockaddr *)&address, sizeof(address)), 0);
}

struct raw peer_hello(int sock)
{
	struct raw raw = {.sock = sock, .ring = -1, .area = -1, .doorbell = -1, .notify = -1};

	raw_hello(&raw);
	return raw;
}

enum dsp_status peer_open(struct raw *raw, const char *channel)
{
	struct dsp_open request = raw_open_request(raw, channel);
	union raw_packet reply;

	raw_exchange(raw, &request, sizeof(request), NULL, 0, &reply);
	if (reply.header.opcode == DSP_ERROR)
		return reply.error.status;
	require_eq(reply.header.opcode, DSP_OPEN | DSP_REPLY);
	return DSP_OK;
}
