// SPDX-License-Identifier: MIT
/*
 * The real softdsp program, and the broker's side of its three links, for tests that drive it. What
 * must not fail is checked here; what must happen soon is waited for at most RIG_PATIENCE_MS.
 */
#ifndef SOFTDSP_RIG_H
#define SOFTDSP_RIG_H

#include <sys/types.h>

#include "daemon/transport/softdsp.h"
#include "protocol/ring.h"

#define RIG_PATIENCE_MS 20000

/* Methods of the example module. */
enum rig_method {
	SUM = 2,
	COPY = 4,
	SLEEP = 5,
	CRASH = 6,
	SPIN = 7,
	FAIL = 8,
	NOP = 9,
	TOUCH = 10,
	BREAKOUT = 11,
	COUNT = 12,
	ADD_ONE = 40,
};

#define MEMORY      1 /* the mapping of struct rig_domain.memory */
#define MEMORY_SIZE 65536

struct rig_supervisor {
	pid_t pid;
	int socket;
};
extern struct rig_supervisor rig_supervisor; /* one a test */

struct rig_domain {
	uint32_t id;
	int socket, notify;
	struct dsp_ring ring;
	int32_t *memory;
	int memory_fd;
};

/* The path of a file in the build folder; until the next call. */
const char *rig_built(const char *file);
/* Become softdsp with @socket as its link, -1 for none. Does not return. */
void rig_exec(int socket, const char *const *arguments);
/* Wait for a child's end. */
int rig_exit_status(pid_t pid);

/* Start rig_supervisor, and stop it by closing its socket. The fixtures use the built modules. */
void rig_start(const char *modules);
/* The same where the kernel knows no filters, with an option or NULL; it may not become ready. */
void rig_start_without_filters(const char *option);
void rig_setup(void);
void rig_teardown(void);

/* The next packet of a socket has to be a @type; the socket has to be closed by its peer. */
void rig_receive(int socket, uint32_t type, struct soft_message *out);
void rig_assert_closed(int socket);

void rig_send_spawn(uint32_t id, const char *module, const int *fds, size_t n_fds);
void rig_send_kill(uint32_t id);
/* The next thing that the supervisor says is the end of domain @id. Returns its wait status. */
int rig_wait_exited(uint32_t id);

/* Ask for a domain; ends with rig_forget(), or with rig_end() where it has to exit by itself. */
void rig_spawn(struct rig_domain *domain, uint32_t id, const char *module);
void rig_forget(struct rig_domain *domain);
void rig_end(struct rig_domain *domain);
/* Let it look again, at its socket too. */
void rig_wake(struct rig_domain *domain);
/* The same with the example module, some memory, and session 0 open. */
void rig_spawn_open(struct rig_domain *domain, uint32_t id);
void rig_map(struct rig_domain *domain, uint32_t id, int fd, uint64_t size);

/* Put an entry on the ring; take a completion; both. */
void rig_submit(struct rig_domain *domain, const struct dsp_entry *entry, uint32_t *position);
struct dsp_completion rig_reap(struct rig_domain *domain);
struct dsp_completion rig_run(struct rig_domain *domain, struct dsp_entry entry);
struct dsp_completion rig_run_op(struct rig_domain *domain, uint8_t op, uint32_t session);
/* It has to be refused for this field. */
void rig_assert_invalid(struct rig_domain *domain, struct dsp_entry entry, size_t field);

/* A call on session 0 with one input, @in bytes at the start of the memory, and one output, @out
 * bytes at rig_output(); 0: without. */
struct dsp_entry rig_call(uint32_t method, uint32_t in, uint32_t out);
const int32_t *rig_output(const struct rig_domain *domain);
/* Calls that reached the module on this session, this one included. */
uint32_t rig_calls_so_far(struct rig_domain *domain, uint32_t session);

#endif
