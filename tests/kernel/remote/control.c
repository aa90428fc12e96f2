// SPDX-License-Identifier: MIT
#include "tests/kernel/remote/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/kernel/remote/dsp.h"
#include "tests/kernel/remote/service.h"

#define ARGUMENTS_MAX 8
#define PEEK_MAX      256

/* Commands. Each returns 0 with its answer, if any, in @answer, or a negative errno. */

struct answer {
	char text[2 * PEEK_MAX + 1];
};

/* All numbers are 32 bits wide; -EINVAL when one is not a number. */
static int numbers(char *const *arguments, uint32_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *end;
		unsigned long long number;

		errno = 0;
		number = strtoull(arguments[i], &end, 0);
		if (errno || *end || end == arguments[i] || number > UINT32_MAX)
			return -EINVAL;
		out[i] = (uint32_t)number;
	}
	return 0;
}

/* Returns the number of bytes; -EINVAL when that is no hex, or too much. */
static int hex_bytes(const char *hex, uint8_t *out, size_t size)
{
	size_t n = strlen(hex) / 2;

	if (strcmp(hex, "-") == 0)
		return 0;
	if (strlen(hex) % 2 || n > size || strspn(hex, "0123456789abcdefABCDEF") != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)strtoul((char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
	return (int)n;
}

static int find(struct control *control, char *argument, struct endpoint **endpoint)
{
	uint32_t address;
	int r = numbers(&argument, &address, 1);

	if (r < 0)
		return r;
	*endpoint = rpmsg_endpoint(control->rpmsg, address);
	return *endpoint ? 0 : -ENOENT;
}

static int do_serve(struct control *control, char *const *arguments, struct answer *answer)
{
	const struct service *service = service_find(arguments[1]);
	uint32_t address;
	int r = numbers(arguments, &address, 1);

	(void)answer;
	if (r < 0)
		return r;
	return service ? rpmsg_serve(control->rpmsg, address, service) : -ENOENT;
}

static int do_announce(struct control *control, char *const *arguments, struct answer *answer)
{
	struct endpoint *endpoint;
	int r = find(control, arguments[0], &endpoint);

	(void)answer;
	return r < 0 ? r : rpmsg_announce(endpoint, arguments[1]);
}

static int do_withdraw(struct control *control, char *const *arguments, struct answer *answer)
{
	struct endpoint *endpoint;
	int r = find(control, arguments[0], &endpoint);

	(void)answer;
	return r < 0 ? r : rpmsg_withdraw(endpoint);
}

static int do_name_service(struct control *control, char *const *arguments, struct answer *answer)
{
	uint32_t address_flags[2];
	uint8_t name[RPMSG_NAME_SIZE];
	int n = hex_bytes(arguments[2], name, sizeof(name));
	int r = numbers(arguments, address_flags, ARRAY_SIZE(address_flags));

	(void)answer;
	if (n < 0 || r < 0)
		return -EINVAL;
	return rpmsg_tell_name(control->rpmsg, address_flags[0], address_flags[1], name, (size_t)n);
}

/* Whom an endpoint is told to send to. */
static uint32_t destination(const struct endpoint *endpoint, uint32_t address)
{
	return address ? address : endpoint->caller;
}

static int do_message(struct control *control, char *const *arguments, struct answer *answer)
{
	struct endpoint *endpoint;
	uint8_t bytes[RPMSG_MTU];
	uint32_t dst;
	int n = hex_bytes(arguments[2], bytes, sizeof(bytes));
	int r = find(control, arguments[0], &endpoint);

	(void)answer;
	if (r >= 0)
		r = n < 0 ? n : numbers(arguments + 1, &dst, 1);
	if (r < 0)
		return r;
	return rpmsg_send(control->rpmsg, endpoint->address, destination(endpoint, dst), bytes,
		(size_t)n);
}

static int do_emit(struct control *control, char *const *arguments, struct answer *answer)
{
	struct endpoint *endpoint;
	uint32_t dst_count_size[3];
	int r = find(control, arguments[0], &endpoint);

	(void)answer;
	if (r >= 0)
		r = numbers(arguments + 1, dst_count_size, ARRAY_SIZE(dst_count_size));
	if (r >= 0)
		r = service_emit(endpoint, destination(endpoint, dst_count_size[0]),
			dst_count_size[1], dst_count_size[2]);
	if (r >= 0)
		rpmsg_work(control->rpmsg);
	return r;
}

static int do_count(struct control *control, char *const *arguments, struct answer *answer)
{
	struct endpoint *endpoint;
	int r = find(control, arguments[0], &endpoint);

	if (r < 0)
		return r;
	snprintf(answer->text, sizeof(answer->text), "%llu %llu %u %llu",
		(unsigned long long)endpoint->messages, (unsigned long long)endpoint->bytes,
		endpoint->emission.left, (unsigned long long)endpoint->emission.total);
	return 0;
}

static int do_hang(struct control *control, char *const *arguments, struct answer *answer)
{
	(void)arguments;
	(void)answer;
	rpmsg_hang(control->rpmsg, true);
	return 0;
}

static int do_resume(struct control *control, char *const *arguments, struct answer *answer)
{
	(void)arguments;
	(void)answer;
	rpmsg_hang(control->rpmsg, false);
	return 0;
}

static int do_crash(struct control *control, char *const *arguments, struct answer *answer)
{
	(void)arguments;
	(void)answer;
	rpmsg_crash(control->rpmsg);
	return 0;
}

/* What no sane firmware sends. 0 stands for what would be right. */
static const struct garbage {
	const char *name;
	uint32_t dst;
	uint16_t size;    /* of the payload */
	uint16_t claimed; /* in the header */
	uint32_t written; /* in the queue */
} garbages[] = {
	{"short-announcement", RPMSG_NS_ADDRESS, 10, 0, 0},
	{"long-announcement", RPMSG_NS_ADDRESS, 100, 0, 0},
	{"unterminated-announcement", RPMSG_NS_ADDRESS, 40, 0, 0},
	{"no-recipient", 0x7fffff00, 10, 0, 0},
	{"long-length", RPMSG_NS_ADDRESS, 40, 1000, 0},
	{"long-buffer", RPMSG_NS_ADDRESS, 40, 0, 4096},
	{"short-buffer", 0x7fffff00, 40, 0, 4},
};

static int send_garbage(struct rpmsg *rpmsg, const struct garbage *garbage)
{
	uint8_t bytes[RPMSG_BUFFER_SIZE];
	struct rpmsg_header header = {
		.src = 0x7fffff01,
		.dst = garbage->dst,
		.size = garbage->claimed ? garbage->claimed : garbage->size,
	};
	size_t size = sizeof(header) + garbage->size;

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, &header, sizeof(header));
	return rpmsg_send_raw(rpmsg, bytes, size,
		garbage->written ? garbage->written : (uint32_t)size);
}

static int do_garbage(struct control *control, char *const *arguments, struct answer *answer)
{
	(void)answer;
	for (size_t i = 0; i < ARRAY_SIZE(garbages); i++)
		if (strcmp(garbages[i].name, arguments[0]) == 0)
			return send_garbage(control->rpmsg, &garbages[i]);
	return -ENOENT;
}

static int do_peek(struct control *control, char *const *arguments, struct answer *answer)
{
	uint32_t stream_address_size[3];
	const uint8_t *bytes;
	int r = numbers(arguments, stream_address_size, ARRAY_SIZE(stream_address_size));

	if (r < 0)
		return r;
	if (stream_address_size[2] > PEEK_MAX)
		return -EMSGSIZE;
	bytes = iommu_at(control->iommu, stream_address_size[0], stream_address_size[1],
		stream_address_size[2], false);
	if (!bytes)
		return -EFAULT;
	for (size_t i = 0; i < stream_address_size[2]; i++)
		snprintf(answer->text + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int do_fastrpc_fault(struct control *control, char *const *arguments, struct answer *answer)
{
	uint32_t value;
	int r = numbers(arguments + 1, &value, 1);

	(void)control;
	(void)answer;
	return r < 0 ? r : dsp_fault_set(arguments[0], value);
}

static int do_fastrpc_count(struct control *control, char *const *arguments, struct answer *answer)
{
	uint64_t value;
	int r = dsp_fault_count(arguments[0], &value);

	(void)control;
	if (r >= 0)
		snprintf(answer->text, sizeof(answer->text), "%llu", (unsigned long long)value);
	return r;
}

static const struct command {
	const char *name;
	size_t n_arguments;
	int (*run)(struct control *control, char *const *arguments, struct answer *answer);
	const char *help;
} commands[] = {
	{"serve", 2, do_serve, "ADDRESS echo|sink|source|fastrpc: make an endpoint do that"},
	{"announce", 2, do_announce, "ADDRESS NAME: by the name service"},
	{"withdraw", 1, do_withdraw, "ADDRESS: the same, backwards"},
	{"name-service", 3, do_name_service,
		"ADDRESS FLAGS NAME: any announcement (FLAGS 0) or withdrawal (1), of an endpoint "
		"that need not exist; NAME is in hex, - for none, up to 32 bytes"},
	{"emit", 4, do_emit,
		"ADDRESS DESTINATION COUNT SIZE: messages from a source; DESTINATION 0 is who sent "
		"to it last"},
	{"message", 3, do_message, "ADDRESS DESTINATION BYTES: one of these bytes, as above"},
	{"count", 1, do_count,
		"ADDRESS: messages and bytes received, messages to be emitted, and emitted so far"},
	{"hang", 0, do_hang, "take no message any more"},
	{"resume", 0, do_resume, "take them again"},
	{"garbage", 1, do_garbage,
		"short-announcement|long-announcement|unterminated-announcement|no-recipient|"
		"long-length|long-buffer|short-buffer: send that"},
	{"peek", 3, do_peek, "STREAM ADDRESS SIZE: read memory through the IOMMU"},
	{"fastrpc-fault", 2, do_fastrpc_fault,
		"hang|release-hung|late-write|long-output|error|host-garbage|host-flood|no-release|"
		"refuse-create|refuse-mem-map|slow|silent VALUE: have the DSP do that "
		"(dsp_fault.c); 0: not"},
	{"fastrpc-count", 1, do_fastrpc_count,
		"domains|domains-created|domains-of-users|domains-unsigned|threads|calls|pending|"
		"maps|heap|faults|host-calls|host-errors: how many there are"},
	{"crash", 0, do_crash, "leave the guest without a word; it may come again"},
};

void control_help(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-13s %s\n", commands[i].name, commands[i].help);
}

/* Lines. */

static int execute(struct control *control, char *line, struct answer *answer)
{
	char *arguments[ARGUMENTS_MAX], *rest = NULL, *word;
	size_t n = 0;

	for (word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (n == ARRAY_SIZE(arguments))
			return -E2BIG;
		arguments[n++] = word;
	}
	for (size_t i = 0; n > 0 && i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, arguments[0]) == 0)
			return n - 1 == commands[i].n_arguments
				       ? commands[i].run(control, arguments + 1, answer)
				       : -EINVAL;
	return -ENOSYS;
}

static void answer_line(struct control *control, char *line)
{
	struct answer answer = {""};
	char text[sizeof(answer) + 16];
	int n, r;

	fprintf(stderr, "control: %s\n", line);
	r = execute(control, line, &answer);
	if (r < 0)
		n = snprintf(text, sizeof(text), "error %s\n", strerror(-r));
	else
		n = snprintf(text, sizeof(text), "ok %s\n", answer.text);
	if (send(control->source.fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		fprintf(stderr, "control: nobody takes the answer\n");
}

static void ready(struct source *source)
{
	struct control *control = container_of(source, struct control, source);
	ssize_t n =
		read(source->fd, control->line + control->n, sizeof(control->line) - control->n);
	char *line = control->line, *end;

	if (n <= 0) {
		source_close(source);
		return;
	}
	control->n += (size_t)n;
	while ((end = memchr(line, '\n', control->n))) {
		*end = '\0';
		answer_line(control, line);
		control->n -= (size_t)(end + 1 - line);
		line = end + 1;
	}
	memmove(control->line, line, control->n);
	if (control->n == sizeof(control->line)) {
		fprintf(stderr, "control: a line is too long\n");
		control->n = 0;
	}
}

int control_init(struct control *control, struct loop *loop, int fd, struct rpmsg *rpmsg,
	struct iommu *iommu)
{
	*control = (struct control){.source.ready = ready, .rpmsg = rpmsg, .iommu = iommu};
	return source_open(&control->source, loop, fd);
}
