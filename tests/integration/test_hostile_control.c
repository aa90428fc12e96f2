// SPDX-License-Identifier: MIT
/* A client that sends on its socket what it likes. */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/integration/hostile.h"

#define SIZE_MAX_TRIED 600
#define RANDOM_PACKETS 20000

/* The request table of protocol/README.md, once more. */
static const struct {
	size_t size, fds;
} right[] = {
	[DSP_HELLO] = {32, 0},
	[DSP_OPEN] = {144, 0},
	[DSP_CLOSE] = {16, 0},
	[DSP_ALLOC] = {24, 0},
	[DSP_IMPORT] = {24, 1},
	[DSP_FREE] = {16, 0},
	[DSP_QUERY_DEVICE] = {16, 0},
	[DSP_QUERY_CHANNEL] = {16, 0},
	[DSP_QUERY_SESSION] = {16, 0},
	[DSP_OPEN_MODULE] = {144, 1},
	[DSP_RELOAD] = {8, 0},
	[DSP_KICK] = {16, 0},
	[DSP_POWER] = {48, 0},
	[DSP_QUERY_BROKER] = {8, 0},
};

static bool is_request(uint16_t opcode)
{
	return opcode && opcode < ARRAY_SIZE(right);
}

/* Sizes and descriptor counts. */

static int sent_fds[20];

static void make_fds(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sent_fds); i++) {
		sent_fds[i] = eventfd(0, EFD_CLOEXEC);
		require(sent_fds[i] >= 0);
	}
}

static void expect_refusal(struct raw *raw, uint16_t opcode, size_t size, size_t n_fds)
{
	char packet[SIZE_MAX_TRIED] = {};
	struct dsp_header header = raw_header(raw, opcode);

	memcpy(packet, &header, sizeof(header));
	raw_send(raw, packet, size, sent_fds, n_fds);
	if (!is_request(opcode))
		raw_expect_error(raw, DSP_UNSUPPORTED, 0);
	else if (size != right[opcode].size)
		raw_expect_error(raw, DSP_INVALID, (uint32_t)MIN(size, right[opcode].size));
	else
		raw_expect_error(raw, DSP_INVALID, (uint32_t)size);
}

static void expect_disconnection(void *harness, uint16_t opcode, size_t size, size_t n_fds)
{
	char packet[SIZE_MAX_TRIED] = {};
	struct raw raw;

	raw_connect(&raw, harness);
	if (size % 16 == 0) /* it makes no difference */
		raw_hello(&raw);
	memcpy(packet, &opcode, sizeof(opcode));
	raw_send(&raw, packet, size, sent_fds, n_fds);
	raw_expect_end(&raw);
	raw_close(&raw);
}

static void try_sizes(void *harness, struct raw *raw, uint16_t opcode, size_t n_fds)
{
	for (size_t size = 0; size <= SIZE_MAX_TRIED; size++) {
		bool spoilt = size < sizeof(struct dsp_header) || size > DSP_MESSAGE_MAX ||
			      n_fds > DSP_FDS_MAX;

		if (is_request(opcode) && size == right[opcode].size && n_fds == right[opcode].fds)
			continue;
		if (!spoilt)
			expect_refusal(raw, opcode, size, n_fds);
		else if (n_fds <= 1 || size % 8 == 0) /* each costs a connection */
			expect_disconnection(harness, opcode, size, n_fds);
	}
}

static void send_every_form(void *harness)
{
	static const uint16_t high[] = {0x00ff, 0x3fff, 0x4001, 0x7fff, 0x8000, 0x8001, 0xffff};
	static const size_t counts[] = {0, 1, 2, 3, 4, 5, 8, 20};
	struct raw raw;

	make_fds();
	raw_start(&raw, harness);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		for (uint16_t opcode = 0; opcode <= 20; opcode++)
			try_sizes(harness, &raw, opcode, counts[i]);
		for (size_t j = 0; j < ARRAY_SIZE(high); j++)
			try_sizes(harness, &raw, high[j], counts[i]);
	}
	raw_close(&raw);
}

START_TEST(every_opcode_in_every_wrong_form_has_the_promised_outcome_and_leaks_no_descriptor)
{
	hostile_run(ALLOW_ALL, send_every_form);
}
END_TEST

/* Contents. */

/* Set each byte of a field that must be zero, one at a time. */
static void poison(struct raw *raw, uint16_t opcode, void *request, size_t offset, size_t size)
{
	struct dsp_header *header = request;
	size_t n_fds = right[opcode].fds;

	for (size_t i = 0; i < size; i++) {
		*header = raw_header(raw, opcode);
		((unsigned char *)request)[offset + i] = 0x80;
		raw_send(raw, request, right[opcode].size, sent_fds, n_fds);
		raw_expect_error(raw, DSP_INVALID, (uint32_t)offset);
		((unsigned char *)request)[offset + i] = 0;
	}
}

#define POISON(raw, opcode, request, field)                                                      \
	poison(raw, opcode, &(request), (size_t)((char *)&(request).field - (char *)&(request)), \
		sizeof((request).field))

static void fill_reserved(void *harness)
{
	struct dsp_alloc alloc = {.size = 4096};
	struct dsp_import import = {};
	struct dsp_close close_ = {};
	struct dsp_power_request power = {.device = "soft0"};
	struct dsp_free free_ = {};
	struct dsp_open open_;
	struct raw raw;

	make_fds();
	raw_start(&raw, harness);
	open_ = raw_open_request(&raw, EXAMPLE);
	for (int opcode = DSP_HELLO; opcode < DSP_OPCODE_COUNT; opcode++) {
		char request[DSP_MESSAGE_MAX] = {};

		poison(&raw, (uint16_t)opcode, request, offsetof(struct dsp_header, reserved),
			sizeof(uint16_t));
	}
	POISON(&raw, DSP_OPEN, open_, flags);
	POISON(&raw, DSP_OPEN, open_, reserved);
	POISON(&raw, DSP_CLOSE, close_, reserved);
	POISON(&raw, DSP_OPEN_MODULE, open_, flags);
	POISON(&raw, DSP_OPEN_MODULE, open_, reserved);
	POISON(&raw, DSP_POWER, power, reserved);
	POISON(&raw, DSP_ALLOC, alloc, memory);
	POISON(&raw, DSP_ALLOC, alloc, session);
	POISON(&raw, DSP_IMPORT, import, flags);
	POISON(&raw, DSP_IMPORT, import, reserved);
	POISON(&raw, DSP_FREE, free_, reserved);
	raw_close(&raw);
}

START_TEST(each_reserved_byte_must_be_zero)
{
	hostile_run(ALLOW_ALL, fill_reserved);
}
END_TEST

static void open_names(void *harness)
{
	static const char *const malformed[] = {"", "/", "soft0", "soft0/", "/example",
		"soft0//example", "soft0/example/", "soft0/../example", " soft0/example",
		"soft0/example\n", "soft0/exam ple", "0123456789012345678901234567890a/example"};
	struct dsp_open request;
	struct raw raw;

	raw_start(&raw, harness);
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		request = raw_open_request(&raw, malformed[i]);
		raw_send(&raw, &request, sizeof(request), NULL, 0);
		raw_expect_error(&raw, DSP_INVALID, offsetof(struct dsp_open, channel));
	}
	for (int c = 1; c <= UINT8_MAX; c++) {
		bool allowed = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-",
			c);

		request = raw_open_request(&raw, "soft0/?");
		request.channel[6] = (char)c;
		raw_send(&raw, &request, sizeof(request), NULL, 0);
		raw_expect_error(&raw, allowed ? DSP_NOT_FOUND : DSP_INVALID,
			allowed ? 0 : offsetof(struct dsp_open, channel));
	}
	raw_close(&raw);
}

START_TEST(a_channels_name_has_only_characters_that_are_safe_in_a_log)
{
	hostile_run(ALLOW_ALL, open_names);
}
END_TEST

static void open_unterminated(void *harness)
{
	struct dsp_open request;
	struct raw raw;

	raw_start(&raw, harness);
	request = raw_open_request(&raw, "soft0/");
	memset(request.channel + 6, 'x', sizeof(request.channel) - 6);
	raw_send(&raw, &request, sizeof(request), NULL, 0);
	raw_expect_error(&raw, DSP_INVALID, offsetof(struct dsp_open, channel));
	for (size_t i = sizeof(EXAMPLE); i < sizeof(request.channel); i++) {
		request = raw_open_request(&raw, EXAMPLE);
		request.channel[i] = 'x';
		raw_send(&raw, &request, sizeof(request), NULL, 0);
		raw_expect_error(&raw, DSP_INVALID, offsetof(struct dsp_open, channel));
	}
	request = raw_open_request(&raw, "soft0/");
	memset(request.channel + 6, 'x', sizeof(request.channel) - 7); /* as long as can be */
	raw_send(&raw, &request, sizeof(request), NULL, 0);
	raw_expect_error(&raw, DSP_NOT_FOUND, 0);
	raw_close(&raw);
}

START_TEST(a_string_must_be_terminated_and_padded)
{
	hostile_run(ALLOW_ALL, open_unterminated);
}
END_TEST

/* Modules. */

#define BRING                                                                                      \
	"{\"version\": 1, \"domains\": [{\"name\": \"open\", \"own_modules\": true}], \"rules\": " \
	"[" ALLOW("bring", EVERYBODY, "\"*/*\"", ", \"domain\": \"open\"") "]}"

static int make_module(off_t size, int seals)
{
	int fd = memfd_create("module", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	require_eq(ftruncate(fd, size), 0);
	require_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void expect_module_refused(struct raw *raw, int fd, enum dsp_status status, uint32_t field,
	const char *why)
{
	struct dsp_open request = raw_open_request(raw, EXAMPLE);
	union raw_packet reply;

	require(fd >= 0);
	request.header.opcode = DSP_OPEN_MODULE;
	raw_exchange(raw, &request, sizeof(request), &fd, 1, &reply);
	require_eq(reply.header.opcode, DSP_ERROR);
	require_eq(reply.error.status, status);
	require_eq(reply.error.field, field);
	require_text(reply.error.text, why);
	fd_close(fd);
}

static void bring_bad_modules(void *harness)
{
	static const int seals[] = {F_SEAL_WRITE, F_SEAL_GROW, F_SEAL_SHRINK};
	const int all = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
	const uint32_t field = sizeof(struct dsp_open);
	struct raw raw;

	raw_start(&raw, harness);
	for (int i = 0; i < 20; i++) {
		expect_module_refused(&raw, eventfd(0, EFD_CLOEXEC), DSP_INVALID, field, "memfd");
		expect_module_refused(&raw, open("/etc/passwd", O_RDONLY | O_CLOEXEC), DSP_INVALID,
			field, "memfd");
		for (size_t seal = 0; seal < ARRAY_SIZE(seals); seal++)
			expect_module_refused(&raw, make_module(4096, all & ~seals[seal]),
				DSP_INVALID, field, "not sealed");
		expect_module_refused(&raw,
			make_module(4096, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK),
			DSP_INVALID, field, "not sealed");
		expect_module_refused(&raw, make_module(0, all), DSP_INVALID, field, "empty");
		expect_module_refused(&raw, make_module(DSP_MODULE_BYTES_MAX + 1, all), DSP_INVALID,
			field, "larger");
		/* The software DSP takes none, whatever policy says. */
		expect_module_refused(&raw, make_module(DSP_MODULE_BYTES_MAX, all), DSP_UNSUPPORTED,
			0, "itself");
	}
	raw_close(&raw);
}

START_TEST(a_module_that_its_client_can_still_change_is_refused)
{
	hostile_run(BRING, bring_bad_modules);
}
END_TEST

static void bring_modules_anyway(void *harness)
{
	struct raw raw;

	raw_start(&raw, harness);
	for (int i = 0; i < 20; i++) {
		/* It is not looked at. */
		expect_module_refused(&raw, eventfd(0, EFD_CLOEXEC), DSP_DENIED, 0, "no module");
		expect_module_refused(&raw, make_module(4096, 0), DSP_DENIED, 0, "no module");
	}
	raw_open(&raw, EXAMPLE);
	raw_close(&raw);
}

START_TEST(who_may_bring_no_module_is_told_so_by_the_rule)
{
	hostile_run(ALLOW_ALL, bring_modules_anyway);
}
END_TEST

/* HELLO. */

/* Send it first, be told why not, and be disconnected. */
static void refused_hello(void *harness, struct dsp_hello *hello, enum dsp_status status,
	size_t field)
{
	struct raw raw;

	raw_connect(&raw, harness);
	hello->header = raw_header(&raw, DSP_HELLO);
	raw_send(&raw, hello, sizeof(*hello), NULL, 0);
	raw_expect_error(&raw, status, (uint32_t)field);
	raw_expect_end(&raw);
	raw_close(&raw);
}

static void say_hello_wrongly(void *harness)
{
	static const uint16_t versions[][2] = {{0, 0}, {2, 2}, {2, UINT16_MAX}, {1, 0}, {2, 1}};
	struct dsp_hello hello, good;
	struct raw raw = {};

	good = raw_hello_request(&raw);
	for (size_t i = 0; i < 32; i++) {
		hello = good;
		hello.magic ^= 1u << i;
		refused_hello(harness, &hello, DSP_INVALID, offsetof(struct dsp_hello, magic));
	}
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		hello = good;
		hello.version_min = versions[i][0];
		hello.version_max = versions[i][1];
		refused_hello(harness, &hello, DSP_UNSUPPORTED,
			offsetof(struct dsp_hello, version_min));
	}
	for (size_t i = 0; i < 32; i++) {
		hello = good;
		hello.reserved = 1u << i;
		refused_hello(harness, &hello, DSP_INVALID, offsetof(struct dsp_hello, reserved));
	}
}

START_TEST(a_wrong_hello_is_answered_and_ends_the_connection)
{
	hostile_run(ALLOW_ALL, say_hello_wrongly);
}
END_TEST

static void say_other_things_first(void *harness)
{
	make_fds();
	for (int opcode = DSP_HELLO + 1; opcode < DSP_OPCODE_COUNT; opcode++) {
		char request[DSP_MESSAGE_MAX] = {};
		struct raw raw;

		raw_connect(&raw, harness);
		*(struct dsp_header *)request = raw_header(&raw, (uint16_t)opcode);
		raw_send(&raw, request, right[opcode].size, sent_fds, right[opcode].fds);
		raw_expect_error(&raw, DSP_INVALID, offsetof(struct dsp_header, opcode));
		raw_expect_end(&raw);
		raw_close(&raw);
	}
}

START_TEST(what_comes_before_hello_is_answered_and_ends_the_connection)
{
	hostile_run(ALLOW_ALL, say_other_things_first);
}
END_TEST

static void say_hello_again(void *harness)
{
	static const uint32_t wishes[] = {0, 1, 15, 16, 17, 4096, UINT32_MAX};
	struct dsp_hello hello;
	struct raw raw;

	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		union raw_packet reply;

		raw_connect(&raw, harness);
		hello = raw_hello_request(&raw);
		hello.sq_slots = wishes[i];
		hello.features = UINT64_MAX;
		raw_exchange(&raw, &hello, sizeof(hello), NULL, 0, &reply);
		require_eq(reply.header.opcode, DSP_HELLO | DSP_REPLY);
		require(reply.hello.sq_slots >= DSP_RING_SQ_MIN);
		require(reply.hello.sq_slots <= DSP_RING_SQ_MAX);
		require(!(reply.hello.sq_slots & (reply.hello.sq_slots - 1)));
		require_eq(reply.hello.features, 0);
		raw_close(&raw);
	}
	raw_start(&raw, harness);
	for (int i = 0; i < 10; i++) {
		hello = raw_hello_request(&raw);
		raw_send(&raw, &hello, sizeof(hello), NULL, 0);
		raw_expect_error(&raw, DSP_INVALID, offsetof(struct dsp_header, opcode));
	}
	raw_open(&raw, EXAMPLE);
	raw_close(&raw);
}

START_TEST(a_second_hello_changes_nothing_and_no_wish_is_too_large)
{
	hostile_run(ALLOW_ALL, say_hello_again);
}
END_TEST

/* Anything. */

static int random_fd(struct raw *raw)
{
	int pair[2], fd;

	switch (random_below(6)) {
	case 0:
		require_eq(pipe2(pair, O_CLOEXEC), 0);
		fd_close(pair[1]);
		return pair[0];
	case 1:
		require_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
		/* One whose queue holds the other, and with it itself. */
		raw_try_send(&(struct raw){.sock = pair[0]}, "", 1, &pair[1], 1, 0);
		fd_close(pair[1]);
		return pair[0];
	case 2:
		fd = memfd_create("random", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		require_eq(ftruncate(fd, random_below(100000)), 0);
		fcntl(fd, F_ADD_SEALS, random_below(32));
		return fd;
	case 3:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 4:
		return fcntl(raw->sock, F_DUPFD_CLOEXEC, 3);
	default:
		return epoll_create1(EPOLL_CLOEXEC);
	}
}

/* Half of them are requests but for a few bytes, so that they get beyond the first check. */
static size_t random_packet(struct raw *raw, char *packet)
{
	uint16_t opcode = (uint16_t)random_below(ARRAY_SIZE(right) + 1);
	struct dsp_header header = raw_header(raw, opcode);
	size_t size = is_request(opcode) ? right[opcode].size : random_below(SIZE_MAX_TRIED);

	if (random_below(2)) {
		random_fill(packet, SIZE_MAX_TRIED);
		return random_below(SIZE_MAX_TRIED);
	}
	memset(packet, 0, SIZE_MAX_TRIED);
	memcpy(packet, &header, sizeof(header));
	if ((opcode == DSP_OPEN || opcode == DSP_OPEN_MODULE) && random_below(4) == 0)
		strcpy(packet + sizeof(header), EXAMPLE);
	else
		packet[sizeof(header)] = (char)random_below(8);
	for (uint32_t n = random_below(3); n && size; n--)
		packet[random_below((uint32_t)size)] = (char)random_next();
	return size;
}

static void send_at_random(void *harness)
{
	char packet[SIZE_MAX_TRIED + 8];
	union raw_packet reply;
	struct raw raw = {.sock = -1};
	int fds[6];

	for (int i = 0; i < RANDOM_PACKETS; i++) {
		uint32_t n_fds = random_below(3) ? 0 : random_below(ARRAY_SIZE(fds));
		size_t size;

		if (raw.sock < 0)
			raw_start(&raw, harness);
		size = random_packet(&raw, packet);
		for (uint32_t j = 0; j < n_fds; j++)
			fds[j] = random_fd(&raw);
		if (raw_try_send(&raw, packet, size, fds, n_fds, 0) < 0)
			raw_close(&raw);
		for (uint32_t j = 0; j < n_fds; j++)
			fd_close(fds[j]);
		while (raw.sock >= 0 && recv(raw.sock, &reply, sizeof(reply), MSG_DONTWAIT) > 0)
			continue;
	}
	raw_close(&raw);
}

START_TEST(random_packets_with_random_descriptors_hurt_nobody)
{
	hostile_run(ALLOW_ALL, send_at_random);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hostile control");
	TCase *tcase = tcase_create("control");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase,
		every_opcode_in_every_wrong_form_has_the_promised_outcome_and_leaks_no_descriptor);
	tcase_add_test(tcase, each_reserved_byte_must_be_zero);
	tcase_add_test(tcase, a_channels_name_has_only_characters_that_are_safe_in_a_log);
	tcase_add_test(tcase, a_string_must_be_terminated_and_padded);
	tcase_add_test(tcase, a_module_that_its_client_can_still_change_is_refused);
	tcase_add_test(tcase, who_may_bring_no_module_is_told_so_by_the_rule);
	tcase_add_test(tcase, a_wrong_hello_is_answered_and_ends_the_connection);
	tcase_add_test(tcase, what_comes_before_hello_is_answered_and_ends_the_connection);
	tcase_add_test(tcase, a_second_hello_changes_nothing_and_no_wish_is_too_large);
	tcase_add_test(tcase, random_packets_with_random_descriptors_hurt_nobody);
	suite_add_tcase(suite, tcase);
	return harness_main(suite);
}
