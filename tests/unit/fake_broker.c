// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "protocol/sock.h"
#include "tests/unit/fake_private.h"

void fake_send(struct fake_broker *fake, const void *packet, size_t size)
{
	sock_send(fake->sock, packet, size, NULL, 0, 0); /* the client may be gone */
}

void fake_hang_up(struct fake_broker *fake)
{
	shutdown(fake->sock, SHUT_RDWR);
	fake->hung_up = true;
}

int fake_memory_new(size_t size, bool seal, char **mapping)
{
	int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	MUST(fd >= 0);
	MUST(ftruncate(fd, (off_t)size) == 0);
	if (seal)
		MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	*mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(*mapping != MAP_FAILED);
	return fd;
}

/* Requests. */

void fake_refuse(struct fake_broker *fake, uint32_t serial, enum dsp_status status,
	const char *rule, uint64_t limit, const char *text)
{
	struct dsp_error error = {
		.header = {.opcode = DSP_ERROR, .serial = serial},
		.status = status,
		.limit = limit,
	};

	wire_string_set(error.rule, sizeof(error.rule), rule);
	wire_string_set(error.text, sizeof(error.text), text);
	fake_send(fake, &error, sizeof(error));
}

static void handle_hello(struct fake_broker *fake, const struct dsp_hello *hello)
{
	enum fake_hello lie = fake->hello;
	struct dsp_hello_reply reply = {
		.header = {.opcode = DSP_HELLO | DSP_REPLY, .serial = hello->header.serial},
		.version = lie == FAKE_HELLO_VERSION ? 2 : DSP_WIRE_VERSION,
		.sq_slots = FAKE_SQ_SLOTS + (lie == FAKE_HELLO_ODD_SLOTS),
		.cq_entries = lie == FAKE_HELLO_NO_ENTRIES ? 0 : FAKE_CQ_ENTRIES,
		.argument_bytes = lie == FAKE_HELLO_NO_AREA ? 0 : FAKE_ARGUMENT_BYTES,
	};
	int fds[DSP_HELLO_REPLY_FDS], ends[2] = {-1, -1};

	if (lie == FAKE_HELLO_REFUSED) {
		fake_refuse(fake, hello->header.serial, DSP_OVER_LIMIT, "", 3,
			"too many connections");
		fake_hang_up(fake);
		return;
	}
	MUST(ring_create(&fake->ring, &fds[0], FAKE_SQ_SLOTS, FAKE_CQ_ENTRIES) == 0);
	fake->area_size = FAKE_ARGUMENT_BYTES - (lie == FAKE_HELLO_SMALL_AREA ? 4096 : 0);
	fds[1] = fake_memory_new(fake->area_size, lie != FAKE_HELLO_UNSEALED_AREA, &fake->area);
	fds[2] = fake->doorbell;
	fds[3] = fake->notify;
	reply.header.serial += lie == FAKE_HELLO_SERIAL;
	reply.sq_slots <<= lie == FAKE_HELLO_SMALL_RING ? 7 : 0;
	if (lie == FAKE_HELLO_PIPE_DOORBELL) {
		MUST(pipe2(ends, O_CLOEXEC) == 0);
		fds[2] = ends[1];
	}
	if (lie == FAKE_HELLO_FILE_NOTIFY)
		fds[3] = fds[0];
	sock_send(fake->sock, &reply, sizeof(reply) - (lie == FAKE_HELLO_SHORT), fds,
		DSP_HELLO_REPLY_FDS - (lie == FAKE_HELLO_FEW_FDS), 0);
	fd_close(fds[0]);
	fd_close(fds[1]);
	fd_close(ends[0]);
	fd_close(ends[1]);
}

static void open_channel(struct fake_broker *fake, const struct dsp_open *open)
{
	struct dsp_open_reply reply = {
		.header = {.opcode = open->header.opcode | DSP_REPLY,
			.serial = open->header.serial},
		.session = ++fake->n_sessions,
		.kind = DSP_KIND_CALL,
		.calls_max = 64,
		.timeout_max_us = 1000000,
	};

	if (fake_message_open(fake, open))
		return;
	wire_string_set(reply.rule, sizeof(reply.rule),
		*fake->module ? fake->module : open->channel);
	fake_send(fake, &reply, sizeof(reply));
}

static void doom(struct fake_broker *fake, const struct dsp_open *open)
{
	struct dsp_event_session event = {
		.header = {.opcode = DSP_EVENT_SESSION},
		.status = DSP_DOMAIN_CRASHED,
		.text = "it crashed",
	};

	open_channel(fake, open);
	event.session = fake->n_sessions;
	fake_send(fake, &event, sizeof(event));
}

static void deny(struct fake_broker *fake, const struct dsp_open *open)
{
	fake_refuse(fake, open->header.serial, DSP_DENIED, "nobody", 0, "this is not for you");
}

static void limit(struct fake_broker *fake, const struct dsp_open *open)
{
	fake_refuse(fake, open->header.serial, DSP_OVER_LIMIT, "", 7, "too many sessions");
}

static void answer_later(struct fake_broker *fake, const struct dsp_open *open)
{
	fake->later = *open;
}

static void go_deaf(struct fake_broker *fake, const struct dsp_open *open)
{
	open_channel(fake, open);
	fake->deaf = true;
}

static void answer_wrongly(struct fake_broker *fake, const struct dsp_open *open)
{
	const uint16_t right = open->header.opcode | DSP_REPLY;
	const struct {
		const char *channel;
		uint16_t opcode;
		uint16_t size;
		uint32_t serial; /* added */
		size_t n_fds;
	} replies[] = {
		{FAKE_SHORT, right, sizeof(struct dsp_open_reply) - 8, 0, 0},
		{FAKE_OTHER, DSP_CLOSE | DSP_REPLY, sizeof(struct dsp_close_reply), 0, 0},
		{FAKE_SERIAL, right, sizeof(struct dsp_open_reply), 1, 0},
		{FAKE_SWAPPED, right ^ DSP_OPEN ^ DSP_OPEN_MODULE, sizeof(struct dsp_open_reply), 0,
			0},
		{FAKE_UNKNOWN, DSP_REPLY | 0x777, sizeof(struct dsp_open_reply), 0, 0},
		{FAKE_SUCCESS, DSP_ERROR, sizeof(struct dsp_error), 0, 0},
		{FAKE_PRESENT, right, sizeof(struct dsp_open_reply), 0, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		char packet[DSP_MESSAGE_MAX] = {};
		struct dsp_header header = {
			.opcode = replies[i].opcode,
			.serial = open->header.serial + replies[i].serial,
		};

		if (strcmp(open->channel, replies[i].channel))
			continue;
		memcpy(packet, &header, sizeof(header));
		sock_send(fake->sock, packet, replies[i].size, &fake->quit, replies[i].n_fds, 0);
	}
}

static void leave(struct fake_broker *fake, const struct dsp_open *open)
{
	(void)open;
	fake_hang_up(fake);
}

static void handle_open(struct fake_broker *fake, const struct dsp_open *open)
{
	static const struct {
		const char *channel;
		void (*answer)(struct fake_broker *fake, const struct dsp_open *open);
	} channels[] = {
		{FAKE_DENIED, deny},
		{FAKE_LIMITED, limit},
		{FAKE_LATER, answer_later},
		{FAKE_DOOMED, doom},
		{FAKE_DEAF, go_deaf},
		{FAKE_SHORT, answer_wrongly},
		{FAKE_OTHER, answer_wrongly},
		{FAKE_SERIAL, answer_wrongly},
		{FAKE_SWAPPED, answer_wrongly},
		{FAKE_UNKNOWN, answer_wrongly},
		{FAKE_SUCCESS, answer_wrongly},
		{FAKE_PRESENT, answer_wrongly},
		{FAKE_GONE, leave},
	};

	for (size_t i = 0; i < ARRAY_SIZE(channels); i++)
		if (!strcmp(open->channel, channels[i].channel)) {
			channels[i].answer(fake, open);
			return;
		}
	open_channel(fake, open);
	if (fake->later.header.serial)
		open_channel(fake, &fake->later);
	fake->later.header.serial = 0;
}

/* The module that came along, which is text, becomes the rule. */
static void handle_open_module(struct fake_broker *fake, const struct dsp_open *open, int module)
{
	MUST(pread(module, fake->module, sizeof(fake->module) - 1, 0) >= 0);
	fake->modules++;
	handle_open(fake, open);
	memset(fake->module, 0, sizeof(fake->module));
}

/* The first tells all that can be told, the second nothing, the last what there is not. */
static void describe_device(struct dsp_device_record *device)
{
	static const uint32_t attributes[DSP_ATTRIBUTES_MAX] = FAKE_ATTRIBUTES;
	const bool possible = device->id != 3;

	device->state = possible ? DSP_STATE_CRASHED : UINT32_MAX;
	device->isolation = possible ? DSP_ISOLATION_IOMMU : UINT32_MAX;
	device->coredumps = 7;
	strcpy(device->remoteproc, "remoteproc5");
	if (device->id == 2)
		return;
	device->domains = 3;
	device->domains_max = 5;
	device->domains_hung = 1;
	device->waiting = 2;
	if (device->id == 1)
		strcpy(device->trouble, "held\033 open");
	device->n_attributes = possible ? DSP_ATTRIBUTES_MAX : UINT32_MAX;
	memcpy(device->attributes, attributes, sizeof(attributes));
}

/* Three of each kind: 1, 2, 3. After FAKE_SHORT_LIST comes a record that is too short, and from 100
 * on the list goes back. */
static void handle_query(struct fake_broker *fake, const union dsp_request *request)
{
	uint16_t opcode = request->header.opcode | DSP_REPLY;
	union {
		struct dsp_header header;
		struct dsp_device_record device;
		struct dsp_session_record session;
		char bytes[DSP_MESSAGE_MAX];
	} record = {.header = {.opcode = opcode, .serial = request->header.serial}};

	if (request->query.after < 3)
		record.device.id = request->query.after + 1;
	else if (request->query.after >= 100)
		record.device.id = 1;
	wire_string_set(record.device.name, sizeof(record.device.name), "soft0");
	if (request->header.opcode == DSP_QUERY_DEVICE)
		describe_device(&record.device);
	if (request->header.opcode == DSP_QUERY_SESSION) {
		record.session.kind = DSP_KIND_MESSAGE;
		record.session.received = UINT64_MAX;
		record.session.dropped = 3;
		record.session.queued = 2;
		fake_describe_gap(&request->query, &record.session);
	}
	fake_send(fake, &record,
		wire_reply_size(opcode) - (request->query.after == FAKE_SHORT_LIST ? 8 : 0));
}

/* Calls. */

void fake_complete(struct fake_broker *fake, const struct dsp_entry *entry, uint32_t status,
	int32_t result, uint32_t detail)
{
	struct dsp_completion completion = {
		.user_data = entry->user_data,
		.status = status,
		.result = result,
		.detail = detail,
		.limit = fake->limit,
		.busy_ns = 1000,
	};

	fake->limit = 0;
	MUST(fake->in_flight > 0);
	fake->in_flight--;
	if (entry->op == DSP_OP_SEND && status == DSP_OK)
		ring_complete_routine(&fake->ring, &completion);
	else
		ring_complete(&fake->ring, &completion);
}

char *fake_memory(struct fake_broker *fake, const struct dsp_arg *arg)
{
	uint64_t size = FAKE_ARGUMENT_BYTES;
	char *memory = fake->area;

	if (arg->buffer != DSP_ARGUMENT_AREA) {
		MUST(arg->buffer <= fake->n_buffers);
		memory = fake->buffers[arg->buffer - 1];
		size = fake->buffer_size[arg->buffer - 1];
	}
	MUST((uint64_t)arg->offset + arg->length <= size);
	return memory + arg->offset;
}

static void echo(struct fake_broker *fake, const struct dsp_entry *entry)
{
	const struct dsp_arg *in = &entry->args[0], *out = &entry->args[entry->n_in];

	if (entry->n_in && entry->n_out)
		memmove(fake_memory(fake, out), fake_memory(fake, in),
			MIN(in->length, out->length));
	fake_complete(fake, entry, DSP_OK, 0, 0);
}

static void fail(struct fake_broker *fake, const struct dsp_entry *entry)
{
	uint32_t words[4] = {};

	memcpy(words, fake_memory(fake, &entry->args[0]),
		MIN(entry->args[0].length, sizeof(words)));
	fake->limit = words[3];
	fake_complete(fake, entry, words[0], (int32_t)words[1], words[2]);
}

void fake_hold(struct fake_broker *fake, const struct dsp_entry *entry)
{
	fake->held[fake->n_held++] = *entry;
}

/* End what is held, or only what is held of one session, the newest first. */
void fake_let_go(struct fake_broker *fake, uint32_t session, enum dsp_status status)
{
	unsigned int kept = 0;

	for (unsigned int i = fake->n_held; i-- > 0;)
		if (!session || fake->held[i].session == session) {
			fake_complete(fake, &fake->held[i], status, (int32_t)fake->held[i].method,
				0);
			fake->held[i].session = 0;
		}
	for (unsigned int i = 0; i < fake->n_held; i++)
		if (fake->held[i].session)
			fake->held[kept++] = fake->held[i];
	fake->n_held = kept;
}

bool fake_holds(const struct fake_broker *fake, uint32_t session)
{
	for (unsigned int i = 0; i < fake->n_held; i++)
		if (fake->held[i].session == session)
			return true;
	return false;
}

static void release(struct fake_broker *fake, const struct dsp_entry *entry)
{
	fake_let_go(fake, 0, DSP_OK);
	fake_complete(fake, entry, DSP_OK, 0, 0);
	fake->deaf = false;
}

static void send_events(struct fake_broker *fake, const struct dsp_entry *entry)
{
	struct dsp_event_device event = {
		.header = {.opcode = DSP_EVENT_DEVICE},
		.device = "soft0",
	};
	uint32_t n;

	memcpy(&n, fake_memory(fake, &entry->args[0]), sizeof(n));
	for (event.generation = 1; event.generation <= n; event.generation++)
		fake_send(fake, &event, sizeof(event));
	fake_complete(fake, entry, DSP_OK, 0, 0);
}

/* A device in a state, and one in none that there is; a channel that comes and one that goes; lost
 * events. */
static void send_news(struct fake_broker *fake, const struct dsp_entry *entry)
{
	struct dsp_event_device device = {
		.header = {.opcode = DSP_EVENT_DEVICE},
		.device = "rpmsg0",
		.up = 1,
		.generation = 4,
		.state = DSP_STATE_ATTACHED,
	};
	struct dsp_event_channel channel = {
		.header = {.opcode = DSP_EVENT_CHANNEL},
		.name = "rpmsg0/new",
		.kind = DSP_KIND_MESSAGE,
		.present = 1,
	};
	const struct dsp_event_lost lost = {.header = {.opcode = DSP_EVENT_LOST}};

	fake_send(fake, &device, sizeof(device));
	device.state = UINT32_MAX;
	fake_send(fake, &device, sizeof(device));
	fake_send(fake, &channel, sizeof(channel));
	channel = (struct dsp_event_channel){
		.header = {.opcode = DSP_EVENT_CHANNEL},
		.name = "soft0/old",
		.kind = DSP_KIND_CALL,
	};
	fake_send(fake, &channel, sizeof(channel));
	fake_send(fake, &lost, sizeof(lost));
	fake_complete(fake, entry, DSP_OK, 0, 0);
}

static void lie_in_ring(struct fake_broker *fake, const struct dsp_entry *entry)
{
	struct dsp_entry other = *entry;

	other.user_data += entry->method == FAKE_LIE_CALL ? UINT64_C(1) << 32 : 0;
	other.user_data |= entry->method == FAKE_LIE_TABLE ? UINT32_MAX : 0;
	fake_complete(fake, &other, entry->method == FAKE_LIE_STATUS ? UINT32_MAX : DSP_OK, 0, 0);
	if (entry->method == FAKE_LIE_TWICE) {
		fake->in_flight++;
		fake_complete(fake, &other, DSP_OK, 0, 0);
	}
	if (entry->method == FAKE_LIE_INDEX)
		fake->ring.cq_tail += FAKE_CQ_ENTRIES;
	if (entry->method == FAKE_LIE_BACK)
		fake->ring.cq_tail -= 2;
}

static void lie_on_socket(struct fake_broker *fake, const struct dsp_entry *entry)
{
	static const struct {
		uint16_t opcode;
		uint16_t size;
		size_t n_fds;
	} lies[FAKE_METHODS_END] = {
		[FAKE_LIE_EVENT] = {DSP_EVENT_DEVICE, sizeof(struct dsp_event_device) + 1, 0},
		[FAKE_LIE_PACKET] = {DSP_EVENT_DEVICE, 1, 0},
		[FAKE_LIE_HUGE] = {DSP_EVENT_DEVICE, 2 * DSP_MESSAGE_MAX, 0},
		[FAKE_LIE_REPLY] = {DSP_CLOSE | DSP_REPLY, sizeof(struct dsp_close_reply), 0},
		[FAKE_LIE_RIGHTS] = {DSP_EVENT_DEVICE, sizeof(struct dsp_event_device), 1},
	};
	char packet[2 * DSP_MESSAGE_MAX] = {};
	struct dsp_header header = {.opcode = lies[entry->method].opcode};

	memcpy(packet, &header, sizeof(header));
	sock_send(fake->sock, packet, lies[entry->method].size, &fake->quit,
		lies[entry->method].n_fds, 0);
}

static void complete_and_leave(struct fake_broker *fake, const struct dsp_entry *entry)
{
	fake_complete(fake, entry, DSP_OK, 0, 0);
	ring_publish(&fake->ring); /* the end of the connection must do as a wake-up */
	fake_hang_up(fake);
}

static void lie_about_room(struct fake_broker *fake, const struct dsp_entry *entry)
{
	atomic_store(&fake->ring.shared->sq_head, fake->ring.sq_head + 2 * FAKE_SQ_SLOTS);
	fake_complete(fake, entry, DSP_OK, 0, 0);
}

static void end_connection(struct fake_broker *fake, const struct dsp_entry *entry)
{
	(void)entry;
	fake_hang_up(fake);
}

static void cancel(struct fake_broker *fake, const struct dsp_entry *entry)
{
	for (unsigned int i = 0; i < fake->n_held; i++) {
		struct dsp_entry *held = &fake->held[i];

		if (held->user_data != entry->target)
			continue;
		if (held->method == FAKE_HOLD_FIRMLY) {
			fake_complete(fake, entry, DSP_BUSY, 0, 0);
			return;
		}
		fake_complete(fake, held, DSP_CANCELLED, 0, 0);
		fake_complete(fake, entry, DSP_OK, 0, 0);
		fake->n_held--;
		memmove(held, held + 1, (fake->n_held - i) * sizeof(*held));
		return;
	}
	fake_complete(fake, entry, DSP_NOT_FOUND, 0, 0);
}

static void (*const methods[FAKE_METHODS_END])(struct fake_broker *fake,
	const struct dsp_entry *entry) = {
	[FAKE_ECHO] = echo,
	[FAKE_HOLD] = fake_hold,
	[FAKE_HOLD_FIRMLY] = fake_hold,
	[FAKE_RELEASE] = release,
	[FAKE_FAIL] = fail,
	[FAKE_EVENTS] = send_events,
	[FAKE_NEWS] = send_news,
	[FAKE_LAST] = complete_and_leave,
	[FAKE_LIE_ROOM] = lie_about_room,
	[FAKE_LIE_INDEX] = lie_in_ring,
	[FAKE_LIE_BACK] = lie_in_ring,
	[FAKE_LIE_CALL] = lie_in_ring,
	[FAKE_LIE_TABLE] = lie_in_ring,
	[FAKE_LIE_TWICE] = lie_in_ring,
	[FAKE_LIE_STATUS] = lie_in_ring,
	[FAKE_LIE_EVENT] = lie_on_socket,
	[FAKE_LIE_PACKET] = lie_on_socket,
	[FAKE_LIE_HUGE] = lie_on_socket,
	[FAKE_LIE_REPLY] = lie_on_socket,
	[FAKE_LIE_RIGHTS] = lie_on_socket,
	[FAKE_HANG_UP] = end_connection,
};

void fake_publish(struct fake_broker *fake)
{
	if (fake->ring.cq_tail != atomic_load(&fake->ring.shared->cq_tail))
		ring_wake_requester(&fake->ring, ring_publish(&fake->ring), fake->notify);
}

static void serve_ring(struct fake_broker *fake)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;

	while (!fake->hung_up && ring_fetch(&fake->ring, &entry, &fault) > 0) {
		MUST(fault.field == 0);
		ring_fetched(&fake->ring); /* what is complete takes no room any more */
		fake->in_flight++;
		/* The library keeps within what the completion queue can take. */
		MUST((int)fake->in_flight + ring_unreaped(&fake->ring) <= FAKE_CQ_ENTRIES);
		if (entry.op == DSP_OP_CANCEL)
			cancel(fake, &entry);
		else if (entry.op != DSP_OP_INVOKE)
			fake_message(fake, &entry);
		else
			methods[entry.method](fake, &entry);
		fake_publish(fake);
	}
}

static void close_session(struct fake_broker *fake, const struct dsp_close *close)
{
	struct dsp_header reply = {.opcode = DSP_CLOSE | DSP_REPLY, .serial = close->header.serial};

	serve_ring(fake);
	fake_let_go(fake, close->session, DSP_CANCELLED);
	fake_message_close(fake, close->session);
	fake_publish(fake);
	fake_send(fake, &reply, sizeof(reply));
}

static void serve_socket(struct fake_broker *fake)
{
	struct dsp_wire_fault fault;
	char packet[DSP_MESSAGE_MAX];
	union dsp_request request;
	struct dsp_header reply;
	ssize_t n;

	while (!fake->hung_up && !fake->deaf) {
		_cleanup_(sock_fds_close) struct sock_fds fds = {};

		n = sock_receive(fake->sock, packet, sizeof(packet), &fds, MSG_DONTWAIT);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			fake->hung_up = true;
			return;
		}
		MUST(wire_decode_request(&request, packet, (size_t)n, fds.n, &fault) == 0);
		reply = (struct dsp_header){
			.opcode = request.header.opcode | DSP_REPLY,
			.serial = request.header.serial,
		};
		if (request.header.opcode == DSP_HELLO)
			handle_hello(fake, &request.hello);
		else if (request.header.opcode == DSP_OPEN)
			handle_open(fake, &request.open);
		else if (request.header.opcode == DSP_OPEN_MODULE)
			handle_open_module(fake, &request.open, fds.fd[0]);
		else if (request.header.opcode == DSP_CLOSE)
			close_session(fake, &request.close);
		else if (request.header.opcode == DSP_FREE)
			fake_send(fake, &reply, sizeof(reply));
		else if (request.header.opcode >= DSP_RELOAD)
			fake_administration(fake, &request);
		else if (request.header.opcode >= DSP_QUERY_DEVICE)
			handle_query(fake, &request);
		else
			fake_buffer(fake, &request, &fds);
	}
}

static void *run(void *data)
{
	struct fake_broker *fake = data;
	struct pollfd fds[] = {
		{.fd = fake->quit, .events = POLLIN},
		{.fd = fake->sock, .events = POLLIN},
		{.fd = fake->doorbell, .events = POLLIN},
	};
	uint64_t count;

	while (!fds[0].revents) {
		serve_socket(fake);
		if (fake->ring.shared) {
			serve_ring(fake);
			if (!fake->hung_up && !ring_servicer_sleep(&fake->ring, DSP_ASLEEP))
				continue;
		}
		fds[1].fd = fake->hung_up || fake->deaf ? -1 : fake->sock;
		MUST(poll(fds, ARRAY_SIZE(fds), -1) > 0);
		fake->kicks += fds[2].revents != 0;
		if (fds[2].revents)
			MUST(read(fake->doorbell, &count, sizeof(count)) == sizeof(count));
	}
	return NULL;
}

struct fake_broker *fake_broker_start(enum fake_hello hello, int *client_fd)
{
	int ends[2];

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	*client_fd = ends[0];
	return fake_broker_serve(hello, ends[1]);
}

struct fake_broker *fake_broker_serve(enum fake_hello hello, int sock)
{
	struct fake_broker *fake = calloc(1, sizeof(*fake));

	MUST(fake);
	fake->sock = sock;
	list_init(&fake->message_sessions);
	fake->hello = hello;
	fake->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fake->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fake->quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	MUST(fake->quit >= 0);
	MUST(pthread_create(&fake->thread, NULL, run, fake) == 0);
	return fake;
}

unsigned int fake_broker_kicks(const struct fake_broker *fake)
{
	return fake->kicks;
}

unsigned int fake_broker_modules(const struct fake_broker *fake)
{
	return fake->modules;
}

struct fake_broker *fake_broker_stop(struct fake_broker *fake)
{
	if (!fake)
		return NULL;
	ring_kick(fake->quit);
	pthread_join(fake->thread, NULL);
	fake_message_end(fake);
	for (unsigned int i = 0; i < fake->n_buffers; i++)
		munmap(fake->buffers[i], fake->buffer_size[i]);
	if (fake->area)
		munmap(fake->area, fake->area_size);
	ring_unmap(&fake->ring);
	fd_close(fake->sock);
	fd_close(fake->doorbell);
	fd_close(fake->notify);
	fd_close(fake->quit);
	free(fake);
	return NULL;
}
