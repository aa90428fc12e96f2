// SPDX-License-Identifier: MIT
#include "tests/unit/softdsp_rig.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "protocol/sock.h"
#include "protocol/util.h"
#include "protocol/wire.h"
#include "tests/emulated.h"

struct rig_supervisor rig_supervisor;

/* Programs and processes. */

const char *rig_built(const char *file)
{
	static char path[4096];
	const char *build = getenv("DSP_BUILD");

	snprintf(path, sizeof(path), "%s/%s", build ? build : "build", file);
	return path;
}

void rig_exec(int socket, const char *const *arguments)
{
	char *argv[5] = {"softdsp"};

	for (int i = 0; arguments[i]; i++)
		argv[1 + i] = strdup(arguments[i]);
	if (socket == SOFT_SUPERVISOR_FD)
		fcntl(socket, F_SETFD, 0);
	else if (socket >= 0)
		dup2(socket, SOFT_SUPERVISOR_FD);
	else
		close(SOFT_SUPERVISOR_FD);
	execv(rig_built("softdsp"), argv);
	_exit(EXIT_FAILURE);
}

int rig_exit_status(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

void rig_receive(int socket, uint32_t type, struct soft_message *out)
{
	struct pollfd fd = {.fd = socket, .events = POLLIN};
	struct sock_fds fds = {};

	ck_assert_int_eq(poll(&fd, 1, RIG_PATIENCE_MS), 1);
	ck_assert_int_eq(sock_receive(socket, out, sizeof(*out), &fds, 0), sizeof(*out));
	ck_assert_uint_eq(fds.n, 0);
	ck_assert_uint_eq(out->type, type);
}

void rig_assert_closed(int socket)
{
	struct pollfd fd = {.fd = socket, .events = POLLIN};
	struct sock_fds fds = {};
	ssize_t r;
	char byte;

	ck_assert_int_eq(poll(&fd, 1, RIG_PATIENCE_MS), 1);
	r = sock_receive(socket, &byte, sizeof(byte), &fds, 0);
	ck_assert(r == 0 || r == -ECONNRESET); /* the latter when something was left unread */
}

/* As on a kernel that knows no filters. */
static void forbid_filters(void)
{
	scmp_filter_ctx filter;

	if (emulated()) /* there are none */
		return;
	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0) < 0 ||
		seccomp_load(filter) < 0)
		abort();
	seccomp_release(filter);
}

static void start(const char *const *arguments, bool without_filters)
{
	int sockets[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	rig_supervisor.pid = fork();
	if (rig_supervisor.pid == 0) {
		if (without_filters)
			forbid_filters();
		rig_exec(sockets[1], arguments);
	}
	ck_assert_int_gt(rig_supervisor.pid, 0);
	close(sockets[1]);
	rig_supervisor.socket = sockets[0];
}

void rig_start(const char *modules)
{
	struct soft_message message;

	start((const char *const[]){"--modules", modules, emulated() ? "--allow-unconfined" : NULL,
		      NULL},
		false);
	rig_receive(rig_supervisor.socket, SOFT_READY, &message);
}

void rig_start_without_filters(const char *option)
{
	start((const char *const[]){"--modules", rig_built("modules"), option, NULL}, true);
}

void rig_setup(void)
{
	rig_start(rig_built("modules"));
}

void rig_teardown(void)
{
	close(rig_supervisor.socket);
	ck_assert_int_eq(rig_exit_status(rig_supervisor.pid), 0);
}

/* The broker's side of a domain. */

void rig_send_spawn(uint32_t id, const char *module, const int *fds, size_t n_fds)
{
	struct soft_message message = {.type = SOFT_SPAWN, .id = id};

	ck_assert_uint_le(strlen(module), sizeof(message.module)); /* the NUL may be missing */
	memcpy(message.module, module, strlen(module));
	ck_assert_int_eq(sock_send(rig_supervisor.socket, &message, sizeof(message), fds, n_fds, 0),
		0);
}

void rig_spawn(struct rig_domain *domain, uint32_t id, const char *module)
{
	int sockets[2], ring;

	*domain = (struct rig_domain){.id = id, .memory_fd = -1};
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	domain->socket = sockets[0];
	domain->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_eq(ring_create(&domain->ring, &ring, SOFT_RING_SQ_SLOTS,
				 SOFT_RING_CQ_ENTRIES),
		0);
	rig_send_spawn(id, module, (int[]){sockets[1], ring, domain->notify}, SOFT_SPAWN_FDS);
	close(sockets[1]);
	close(ring);
}

void rig_wake(struct rig_domain *domain)
{
	_Atomic uint32_t *word = &domain->ring.shared->servicer_sleeps;

	ring_wake_servicer(&domain->ring, atomic_exchange(word, DSP_AWAKE), -1);
}

void rig_forget(struct rig_domain *domain)
{
	close(domain->socket);
	rig_wake(domain);
	close(domain->notify);
	ring_unmap(&domain->ring);
	if (domain->memory)
		munmap(domain->memory, MEMORY_SIZE);
	fd_close(domain->memory_fd);
}

int rig_wait_exited(uint32_t id)
{
	struct soft_message message;

	rig_receive(rig_supervisor.socket, SOFT_EXITED, &message);
	ck_assert_uint_eq(message.id, id);
	return message.value;
}

void rig_send_kill(uint32_t id)
{
	struct soft_message message = {.type = SOFT_KILL, .id = id};

	ck_assert_int_eq(sock_send(rig_supervisor.socket, &message, sizeof(message), NULL, 0, 0),
		0);
}

void rig_end(struct rig_domain *domain)
{
	rig_forget(domain);
	ck_assert_int_eq(rig_wait_exited(domain->id), 0);
}

void rig_map(struct rig_domain *domain, uint32_t id, int fd, uint64_t size)
{
	struct soft_message message = {.type = SOFT_MAP, .id = id, .size = size};

	ck_assert_int_eq(sock_send(domain->socket, &message, sizeof(message), &fd, 1, 0), 0);
	rig_wake(domain);
}

void rig_submit(struct rig_domain *domain, const struct dsp_entry *entry, uint32_t *position)
{
	ck_assert_int_eq(ring_push(&domain->ring, entry, position), 0);
	ring_wake_servicer(&domain->ring, ring_submit(&domain->ring), -1);
}

struct dsp_completion rig_reap(struct rig_domain *domain)
{
	struct pollfd fd = {.fd = domain->notify, .events = POLLIN};
	struct dsp_completion completion;
	uint64_t count;

	while (ring_reap(&domain->ring, &completion) == 0) {
		if (!ring_requester_sleep(&domain->ring, DSP_ASLEEP))
			continue;
		ck_assert_int_eq(poll(&fd, 1, RIG_PATIENCE_MS), 1);
		ck_assert_int_eq(read(domain->notify, &count, sizeof(count)), sizeof(count));
	}
	ring_reaped(&domain->ring);
	if (ring_room_wanted(&domain->ring))
		rig_wake(domain);
	return completion;
}

struct dsp_completion rig_run(struct rig_domain *domain, struct dsp_entry entry)
{
	static uint64_t user_data = 1;
	struct dsp_completion completion;

	entry.user_data = ++user_data;
	rig_submit(domain, &entry, NULL);
	completion = rig_reap(domain);
	ck_assert_uint_eq(completion.user_data, user_data);
	return completion;
}

struct dsp_completion rig_run_op(struct rig_domain *domain, uint8_t op, uint32_t session)
{
	return rig_run(domain, (struct dsp_entry){.op = op, .session = session});
}

void rig_spawn_open(struct rig_domain *domain, uint32_t id)
{
	struct soft_message message;

	rig_spawn(domain, id, "example");
	rig_receive(domain->socket, SOFT_STARTED, &message);
	ck_assert_int_eq(message.value, 0);
	domain->memory_fd = memfd_create("memory", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(domain->memory_fd, MEMORY_SIZE), 0);
	domain->memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, domain->memory_fd, 0);
	ck_assert_ptr_ne(domain->memory, MAP_FAILED);
	rig_map(domain, MEMORY, domain->memory_fd, MEMORY_SIZE);
	ck_assert_uint_eq(rig_run_op(domain, DSP_OP_MODULE_OPEN, 0).status, DSP_OK);
}

struct dsp_entry rig_call(uint32_t method, uint32_t in, uint32_t out)
{
	struct dsp_entry entry = {
		.op = DSP_OP_INVOKE, .method = method, .n_in = in > 0, .n_out = out > 0};

	entry.args[0] = (struct dsp_arg){MEMORY, 0, in};
	entry.args[entry.n_in] = (struct dsp_arg){MEMORY, 4096, out};
	return entry;
}

const int32_t *rig_output(const struct rig_domain *domain)
{
	return domain->memory + 4096 / sizeof(int32_t);
}

uint32_t rig_calls_so_far(struct rig_domain *domain, uint32_t session)
{
	struct dsp_entry entry = rig_call(COUNT, 0, sizeof(uint32_t));

	entry.session = session;
	ck_assert_uint_eq(rig_run(domain, entry).status, DSP_OK);
	return (uint32_t)*rig_output(domain);
}

void rig_assert_invalid(struct rig_domain *domain, struct dsp_entry entry, size_t field)
{
	struct dsp_completion completion = rig_run(domain, entry);

	ck_assert_uint_eq(completion.status, DSP_INVALID);
	ck_assert_uint_eq(completion.detail, field);
}
