// SPDX-License-Identifier: MIT
#include "daemon/transport/soft_domain.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/broker.h"
#include "daemon/call.h"
#include "daemon/client.h"
#include "daemon/closer.h"
#include "daemon/session.h"
#include "daemon/transport/transport.h"
#include "protocol/sock.h"

/* user_data of an UNMAP entry is this plus the id of the mapping; of a call, its slot. */
#define UNMAP_USER_DATA (1ull << 32)
/* UNMAP entries in the ring at a time; with the calls they always fit. */
#define UNMAPS_MAX 64
static_assert(DOMAIN_CALLS * DSP_SLOTS_MAX + UNMAPS_MAX <= SOFT_RING_SQ_SLOTS, "ring too small");
static_assert(DOMAIN_CALLS + UNMAPS_MAX < SOFT_RING_CQ_ENTRIES, "ring too small");

#define BROKE_PROTOCOL "its protection domain broke the protocol"

/* Mappings. */

static void mark_dirty(struct soft_domain *domain)
{
	if (list_empty(&domain->dirty))
		list_append(&domain->soft->dirty, &domain->dirty);
}

static void push_unmaps(struct soft_domain *domain)
{
	struct soft_import *import;

	while (domain->unmaps_in_ring < UNMAPS_MAX &&
		(import = list_first(&domain->unmaps, struct soft_import, unmap))) {
		const struct dsp_entry entry = {
			.op = DSP_OP_UNMAP,
			.user_data = UNMAP_USER_DATA | import->import.id,
			.target = import->import.id,
		};

		/* A domain that does not take its entries is hung; its calls' time ends it. */
		if (ring_push(&domain->ring, &entry, NULL) < 0)
			return;
		list_remove(&import->unmap);
		domain->unmaps_in_ring++;
		mark_dirty(domain);
	}
}

void soft_domain_release(struct soft_domain *domain, struct import *import)
{
	/* The end of a domain releases all it has. */
	if (domain->ending)
		return;
	list_append(&domain->unmaps, &container_of(import, struct soft_import, import)->unmap);
	push_unmaps(domain);
}

static void import_end(struct soft_domain *domain, uint32_t id)
{
	struct soft_import *import = domain->imports[id];

	domain->imports[id] = NULL;
	list_remove(&import->unmap);
	import_deinit(&import->import);
	free(import);
}

/* The lowest free mapping id. */
static int import_id(struct soft_domain *domain, uint32_t *out)
{
	struct soft_import **imports;
	uint32_t n;

	for (*out = 0; *out < domain->n_imports; ++*out)
		if (!domain->imports[*out])
			return 0;
	if (domain->n_imports == SOFT_MAPPINGS_MAX)
		return -ENOSPC;
	n = MAX(domain->n_imports * 2, 8u);
	imports = reallocarray(domain->imports, n, sizeof(struct soft_import *));
	if (!imports)
		return -ENOMEM;
	memset(imports + domain->n_imports, 0,
		(n - domain->n_imports) * sizeof(struct soft_import *));
	domain->imports = imports;
	domain->n_imports = n;
	return 0;
}

static void watch_socket(struct soft_domain *domain, bool for_room)
{
	if (domain->sock_source)
		sd_event_source_set_io_events(domain->sock_source,
			for_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int send_map(struct soft_domain *domain, uint32_t id, const struct buffer *buffer)
{
	const struct soft_message message = {.type = SOFT_MAP, .id = id, .size = buffer->size};
	int r;

	r = sock_send(domain->sock, &message, sizeof(message), &buffer->fd, 1, MSG_DONTWAIT);
	if (r == -EAGAIN) {
		watch_socket(domain, true);
		mark_dirty(domain); /* it looks there when it is woken */
	}
	return r;
}

int soft_domain_import(struct soft_domain *domain, struct buffer *buffer, struct import **out)
{
	struct soft_import *new;
	struct import *import;
	uint32_t id;
	int r;

	list_for_each (import, &buffer->imports, buffer_link) {
		if (import->lane == &domain->lane && !import->releasing) {
			*out = import;
			return 0;
		}
	}
	r = import_id(domain, &id);
	if (r < 0)
		return r;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	r = send_map(domain, id, buffer);
	if (r < 0) {
		free(new);
		return r;
	}
	list_init(&new->unmap);
	import_init(&new->import, buffer, &domain->soft->device, &domain->lane, id);
	domain->imports[id] = new;
	*out = &new->import;
	return 0;
}

/* Calls. */

static_assert(DOMAIN_CALLS == 64, "free_slots has a bit for each");

/* The arguments are the domain's: ranges of its mappings. */
static int resolve(struct soft_domain *domain, const struct call *call, struct dsp_entry *entry)
{
	struct import *import;
	int r;

	for (unsigned int i = 0; i < (unsigned int)(call->n_in + call->n_out); i++) {
		const struct call_arg *arg = &call->args[i];

		r = soft_domain_import(domain, arg->buffer, &import);
		if (r < 0)
			return r;
		entry->args[i] = (struct dsp_arg){import->id, arg->offset, arg->length};
	}
	return 0;
}

int soft_domain_submit(struct soft_domain *domain, struct call *call)
{
	unsigned int slot = (unsigned int)__builtin_ffsll((long long)domain->free_slots) - 1;
	struct dsp_entry entry; /* large: of its arguments only those that count are set */
	int r;

	if (!domain->free_slots)
		return -EAGAIN;
	r = resolve(domain, call, &entry);
	if (r < 0)
		return r;
	entry.op = (uint8_t)call->op;
	entry.n_in = call->n_in;
	entry.n_out = call->n_out;
	entry.session = call->session->tag;
	entry.user_data = slot;
	entry.target = 0;
	entry.method = call->method;
	entry.timeout_us = 0;
	r = ring_push(&domain->ring, &entry, &domain->slots[slot].position);
	if (r < 0)
		return r;
	domain->slots[slot].call = call;
	domain->free_slots &= ~(UINT64_C(1) << slot);
	call->tag = slot;
	domain->lane.running++;
	mark_dirty(domain);
	return 0;
}

bool soft_domain_cancel(struct soft_domain *domain, struct call *call)
{
	struct soft_slot *slot = &domain->slots[call->tag];

	if (!ring_revoke(&domain->ring, slot->position))
		return false;
	slot->call = NULL;
	return true;
}

/* What a domain may answer; everything else is a lie. */
static bool is_answer(uint32_t status)
{
	return status == DSP_OK || status == DSP_DSP_ERROR || status == DSP_INVALID ||
	       status == DSP_NOT_FOUND;
}

static int call_answered(struct soft_domain *domain, const struct dsp_completion *completion)
{
	uint64_t bit;
	struct call *call;

	if (completion->user_data >= DOMAIN_CALLS)
		return -EPROTO;
	bit = UINT64_C(1) << completion->user_data;
	call = domain->slots[completion->user_data].call;
	if (domain->free_slots & bit || (call && !is_answer(completion->status)))
		return -EPROTO;
	domain->slots[completion->user_data].call = NULL;
	domain->free_slots |= bit;
	domain->lane.running--;
	if (call)
		call_done(call, completion);
	return 0;
}

static int unmap_answered(struct soft_domain *domain, uint64_t id)
{
	struct soft_import *import = id < domain->n_imports ? domain->imports[id] : NULL;

	/* Released, and no longer waiting: so its UNMAP is in the ring. */
	if (!import || !import->import.releasing || !list_empty(&import->unmap))
		return -EPROTO;
	domain->unmaps_in_ring--;
	import_end(domain, (uint32_t)id);
	return 0;
}

/* Take all completions. Returns 0, or -EPROTO when the domain lies. */
static int reap(struct soft_domain *domain)
{
	struct dsp_completion completion;
	int r;

	while ((r = ring_reap(&domain->ring, &completion)) > 0) {
		if (completion.user_data & UNMAP_USER_DATA)
			r = unmap_answered(domain, completion.user_data & ~UNMAP_USER_DATA);
		else
			r = call_answered(domain, &completion);
		if (r < 0)
			break;
	}
	return r;
}

static struct soft_domain *domain_of(const struct loop_poller *poller)
{
	return container_of(poller, struct soft_domain, poller);
}

static void take(struct loop_poller *poller)
{
	struct soft_domain *domain = domain_of(poller);

	if (reap(domain) < 0) {
		loop_ignore(poller);
		soft_domain_end(domain, DSP_DOMAIN_CRASHED, BROKE_PROTOCOL);
		return;
	}
	push_unmaps(domain);
	scheduler_run(&domain->lane);
}

static bool news(const struct loop_poller *poller)
{
	return ring_can_reap(&domain_of(poller)->ring);
}

static bool go_to_sleep(struct loop_poller *poller)
{
	return ring_requester_sleep(&domain_of(poller)->ring, DSP_ASLEEP);
}

static void wake(struct loop_poller *poller)
{
	ring_requester_wake(&domain_of(poller)->ring);
}

static bool is_here(struct loop_poller *poller)
{
	struct soft_domain *domain = domain_of(poller);

	ring_requester_here(&domain->ring);
	return domain->lane.running > 0 && ring_servicer_is_here(&domain->ring);
}

static const struct loop_poller_ops poller_ops = {news, take, go_to_sleep, wake, is_here};

static void on_notify(struct loop_source *source, uint32_t events)
{
	struct soft_domain *domain = container_of(source, struct soft_domain, notify_source);
	struct loop *loop = domain->soft->device.broker->loop;

	(void)events;
	/* We slept, and it did not let us go on until now. */
	if (domain->poller.asleep)
		lane_seen(&domain->lane, loop_now_ns(loop));
	loop_heard(loop, &domain->poller);
	take(&domain->poller);
}

void soft_domain_flush(struct soft_domain *domain)
{
	uint32_t how;

	loop_told(domain->soft->device.broker->loop, &domain->poller);
	how = ring_submit(&domain->ring);
	if (how == DSP_AWAKE)
		return;
	loop_woke(&domain->poller);
	ring_wake_servicer(&domain->ring, how, -1);
}

/* Life. */

static void started(struct soft_domain *domain, const struct soft_message *message)
{
	if (message->value == 0) {
		domain->lane.ready = true;
		scheduler_run(&domain->lane);
		return;
	}
	soft_domain_end(domain, DSP_LOAD_FAILED, message->text);
}

/* A domain says one thing in its life; more, or something else, is its end. */
static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {.close = closer_close};
	struct soft_domain *domain = userdata;
	struct soft_message message;
	ssize_t n;

	(void)source;
	if (events & EPOLLOUT) {
		watch_socket(domain, false);
		scheduler_run(&domain->lane);
	}
	if (!(events & (EPOLLIN | EPOLLHUP)))
		return 0;
	n = sock_receive(fd, &message, sizeof(message), &fds, MSG_DONTWAIT);
	if (n == -EAGAIN)
		return 0;
	if (n <= 0) {
		/* Its end, if need be by our hand: it may have closed its socket and live on. The
		 * supervisor's word is awaited, unless there is none. */
		domain->sock_source = sd_event_source_disable_unref(domain->sock_source);
		if (domain->soft->sock < 0)
			soft_domain_gone(domain, 0);
		else
			soft_domain_end(domain, DSP_DOMAIN_CRASHED,
				n == 0 || n == -ECONNRESET ? "" : BROKE_PROTOCOL);
		return 0;
	}
	message.text[SOFT_TEXT_SIZE - 1] = '\0';
	if (n == sizeof(message) && message.type == SOFT_STARTED && !domain->lane.ready &&
		!domain->ending && fds.n == 0)
		started(domain, &message);
	else if (!domain->ending)
		soft_domain_end(domain, DSP_DOMAIN_CRASHED, BROKE_PROTOCOL);
	return 0;
}

static int spawn(struct soft_domain *domain, int *ring_fd)
{
	_cleanup_(fd_closep) int theirs = -1;
	struct soft_message message = {.type = SOFT_SPAWN, .id = domain->number};
	int pair[2], r;

	r = ring_create(&domain->ring, ring_fd, SOFT_RING_SQ_SLOTS, SOFT_RING_CQ_ENTRIES);
	if (r < 0)
		return r;
	domain->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (domain->notify < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	domain->sock = pair[0];
	theirs = pair[1];
	wire_string_set(message.module, sizeof(message.module), domain->module);
	return sock_send(domain->soft->sock, &message, sizeof(message),
		(const int[]){theirs, *ring_fd, domain->notify}, SOFT_SPAWN_FDS, MSG_DONTWAIT);
}

static int send_kill(const struct soft_domain *domain)
{
	const struct soft_message message = {.type = SOFT_KILL, .id = domain->number};

	return sock_send(domain->soft->sock, &message, sizeof(message), NULL, 0, MSG_DONTWAIT);
}

static int watch(struct soft_domain *domain)
{
	struct broker *broker = domain->soft->device.broker;
	int r;

	r = sd_event_add_io(broker->event, &domain->sock_source, domain->sock, EPOLLIN, on_socket,
		domain);
	if (r < 0)
		return r;
	/* Edge-triggered: nobody needs to read it. */
	r = loop_add(broker->loop, &domain->notify_source, domain->notify, EPOLLIN | EPOLLET,
		on_notify);
	domain->notify_source.bell = true;
	return r;
}

static struct soft_domain *domain_free(struct soft_domain *domain)
{
	list_remove(&domain->link);
	list_remove(&domain->dirty);
	sd_event_source_disable_unref(domain->sock_source);
	scheduler_end_lane(&domain->lane);
	loop_remove(&domain->notify_source);
	loop_ignore(&domain->poller);
	ring_unmap(&domain->ring);
	closer_close(domain->sock);
	fd_close(domain->notify);
	free(domain->imports);
	free(domain);
	return NULL;
}

DEFINE_CLEANUP(struct soft_domain *, domain_free);

int soft_domain_new(struct soft_domain **out, struct soft_device *soft, const char *module,
	const char *share)
{
	_cleanup_(domain_freep) struct soft_domain *domain = calloc(1, sizeof(*domain));
	_cleanup_(fd_closep) int ring_fd = -1;
	int r;

	if (!domain)
		return -ENOMEM;
	domain->soft = soft;
	domain->number = ++soft->last_domain;
	domain->free_slots = UINT64_MAX;
	domain->sock = domain->notify = -1;
	loop_poller_init(&domain->poller, &poller_ops);
	domain->end_status = DSP_DOMAIN_CRASHED;
	wire_string_set(domain->module, sizeof(domain->module), module);
	wire_string_set(domain->share, sizeof(domain->share), share);
	lane_init(&domain->lane, &soft->device, DOMAIN_CALLS);
	list_init(&domain->link);
	list_init(&domain->dirty);
	list_init(&domain->sessions);
	list_init(&domain->unmaps);
	r = spawn(domain, &ring_fd);
	if (r < 0)
		return r;
	go_to_sleep(&domain->poller);
	r = watch(domain);
	if (r < 0) {
		send_kill(domain);
		return r;
	}
	list_append(&soft->domains, &domain->link);
	soft->device.domains++;
	*out = TAKE_PTR(domain);
	return 0;
}

int soft_domain_attach(struct soft_domain *domain, struct session *session)
{
	for (uint32_t tag = 0; tag < SOFT_SESSIONS_MAX; tag++) {
		uint64_t bit = 1ull << (tag % 64);

		if (domain->tags[tag / 64] & bit)
			continue;
		domain->tags[tag / 64] |= bit;
		session->tag = tag;
		session->domain = domain->number;
		session->lane = &domain->lane;
		domain->lane.attached++;
		list_append(&domain->sessions, &session->link);
		return 0;
	}
	return -ENOSPC;
}

/* A domain that goes on for others need not keep what only this client lent to it. */
static void release_imports_of(struct soft_domain *domain, const struct client *client)
{
	struct session *session;

	list_for_each (session, &domain->sessions, link)
		if (session->client == client)
			return;
	for (uint32_t id = 0; id < domain->n_imports; id++) {
		struct soft_import *import = domain->imports[id];

		if (!import || import->import.releasing || import->import.buffer->client != client)
			continue;
		import->import.releasing = true;
		soft_domain_release(domain, &import->import);
	}
}

void soft_domain_detach(struct soft_domain *domain, struct session *session)
{
	if (--domain->lane.attached == 0) {
		/* The session stays in the list, and ends with the domain. */
		soft_domain_end(domain, DSP_DOMAIN_CRASHED, "");
		return;
	}
	domain->tags[session->tag / 64] &= ~(1ull << (session->tag % 64));
	list_remove(&session->link);
	release_imports_of(domain, session->client);
	session_closed(session);
}

void soft_domain_send_kill(struct soft_domain *domain)
{
	if (!domain->ending || domain->kill_sent)
		return;
	/* Without a supervisor the domain dies by itself. */
	domain->kill_sent = domain->soft->sock < 0 || send_kill(domain) != -EAGAIN;
	if (!domain->kill_sent)
		sd_event_source_set_io_events(domain->soft->source, EPOLLIN | EPOLLOUT);
}

void soft_domain_end(struct soft_domain *domain, enum dsp_status status, const char *text)
{
	if (domain->ending)
		return;
	domain->ending = true;
	domain->lane.ready = false;
	domain->end_status = status;
	wire_string_set(domain->end_text, sizeof(domain->end_text), text);
	soft_domain_send_kill(domain);
}

static void describe_end(struct soft_domain *domain, int wait_status)
{
	char *text = domain->end_text;
	size_t size = sizeof(domain->end_text);
	int signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;

	if (*text)
		return;
	if (signal == SIGSYS)
		snprintf(text, size, "its protection domain made a forbidden system call");
	else if (signal)
		snprintf(text, size, "its protection domain was killed by signal %d (%s)", signal,
			strsignal(signal));
	else
		snprintf(text, size, "its protection domain exited with code %d",
			WEXITSTATUS(wait_status));
}

void soft_domain_gone(struct soft_domain *domain, int wait_status)
{
	struct session *session;

	domain->ending = true;
	domain->lane.ready = false;
	reap(domain); /* what it answered before it died counts */
	describe_end(domain, wait_status);
	while ((session = list_first(&domain->sessions, struct session, link))) {
		list_remove(&session->link);
		session_lost(session, domain->end_status, domain->end_text);
	}
	for (uint32_t id = 0; id < domain->n_imports; id++)
		if (domain->imports[id])
			import_end(domain, id);
	domain->soft->device.domains--;
	domain_free(domain);
}
