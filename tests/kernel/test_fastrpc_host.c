// SPDX-License-Identifier: MIT
/*
 * The way back: what the testbed's DSP asks of its host, whose part is played by as little as will
 * do, without a broker; and modules that are loaded that way.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/cdsp.h"
#include "tests/kernel/fastrpc.h"
#include "tests/kernel/remote/dsp_errors.h"
#include "tests/kernel/remote/probe.h"

#define UNSIGNED     FASTRPC_MODE_UNSIGNED_MODULE
#define NO_DOMAIN    DSP_ERROR(13)
#define ROOM         4096 /* for inputs, before more of them are fetched */
#define BYTES_MAX    (256 * 1024)
#define BUFFERS_MAX  16
#define LARGE        20000
#define NONSENSES    6 /* kinds of it that the DSP has */
#define HANDLE_FILES 1
#define HANDLE_LOG   2
#define HANDLE_ECHO  77

/* Methods of the host's apps_std. */
#define STD_FCLOSE 3
#define STD_FREAD  4
#define STD_FLEN   10
#define STD_OPEN   19

/* The host of one domain, in a thread. */
struct host {
	pthread_t thread;
	struct fastrpc_node node;
	int file;   /* the one that is open; -1: none */
	int result; /* what ended it */
	_Atomic uint64_t served, refused;
};

/* A request taken apart. */
struct request {
	uint32_t handle, method, n_in, n_out;
	struct {
		uint8_t *data;
		uint32_t size;
	} in[BUFFERS_MAX], out[BUFFERS_MAX];
	uint8_t packed_in[BYTES_MAX], packed_out[BYTES_MAX];
	uint32_t in_size, out_size;
};

static size_t align(size_t size)
{
	return (size + LISTENER_ALIGN - 1) & ~(size_t)(LISTENER_ALIGN - 1);
}

/* Take a word; the position is behind the end when there is none. */
static uint32_t take_word(const uint8_t *data, size_t size, size_t *at)
{
	uint32_t word = 0;

	*at += sizeof(word);
	if (*at <= size)
		memcpy(&word, data + *at - sizeof(word), sizeof(word));
	return word;
}

static bool unpack_inputs(struct request *request, size_t *at)
{
	for (uint32_t i = 0; i < request->n_in; i++) {
		uint32_t size = take_word(request->packed_in, request->in_size, at);

		request->in[i].size = size;
		if (size == 0)
			continue;
		*at = align(*at);
		if (*at > request->in_size || size > request->in_size - *at)
			return false;
		request->in[i].data = request->packed_in + *at;
		*at += size;
	}
	return *at <= request->in_size;
}

/* Lay out what the answer will be. */
static bool pack_outputs(struct request *request, size_t at)
{
	size_t end = 0;

	for (uint32_t i = 0; i < request->n_out; i++) {
		uint32_t size = take_word(request->packed_in, request->in_size, &at);

		if (at > request->in_size || size > sizeof(request->packed_out) ||
			align(end + sizeof(size)) + size > sizeof(request->packed_out))
			return false;
		memcpy(request->packed_out + end, &size, sizeof(size));
		end += sizeof(size);
		request->out[i].size = size;
		if (size == 0)
			continue;
		end = align(end);
		request->out[i].data = request->packed_out + end;
		end += size;
	}
	request->out_size = (uint32_t)end;
	return true;
}

static bool unpack(struct request *request, const struct listener_next_out *header)
{
	size_t at = 0;

	request->handle = header->handle;
	request->method = FASTRPC_METHOD(header->scalars);
	request->n_in = FASTRPC_INPUTS(header->scalars);
	request->n_out = FASTRPC_OUTPUTS(header->scalars);
	return request->n_in <= BUFFERS_MAX && request->n_out <= BUFFERS_MAX &&
	       unpack_inputs(request, &at) && pack_outputs(request, at);
}

static uint32_t word(const struct request *request, size_t i)
{
	uint32_t value = 0;

	if ((i + 1) * sizeof(value) <= request->in[0].size)
		memcpy(&value, request->in[0].data + i * sizeof(value), sizeof(value));
	return value;
}

static int put(struct request *request, const void *data, size_t size)
{
	if (request->n_out == 0 || request->out[0].size < size)
		return AEE_EBADPARM;
	memcpy(request->out[0].data, data, size);
	return AEE_SUCCESS;
}

static int open_interface(struct request *request)
{
	struct remotectl_open_out out = {.handle = HANDLE_LOG};

	if (request->n_in != 2 || request->method != 0)
		return AEE_EUNSUPPORTED;
	if (request->in[1].size == sizeof("apps_std") &&
		memcmp(request->in[1].data, "apps_std", sizeof("apps_std")) == 0)
		out.handle = HANDLE_FILES;
	return put(request, &out, sizeof(out));
}

static int open_file(struct host *host, struct request *request)
{
	static const uint32_t number = 5;
	char path[256];

	if (request->n_in != 5 || request->in[3].size > 64)
		return AEE_EBADPARM;
	snprintf(path, sizeof(path), "%s/%.*s", harness_program("modules"),
		(int)request->in[3].size, (const char *)request->in[3].data);
	host->file = open(path, O_RDONLY | O_CLOEXEC);
	return host->file < 0 ? AEE_EFAILED : put(request, &number, sizeof(number));
}

static int read_file_part(struct host *host, struct request *request)
{
	struct {
		uint32_t n;
		int32_t end;
	} out;
	ssize_t n;

	if (request->n_out != 2 || word(request, 1) != request->out[1].size)
		return AEE_EBADPARM;
	n = read(host->file, request->out[1].data, request->out[1].size);
	if (n < 0)
		return AEE_EFAILED;
	out.n = (uint32_t)n;
	out.end = (size_t)n < request->out[1].size;
	return put(request, &out, sizeof(out));
}

static int serve_files(struct host *host, struct request *request)
{
	struct stat stat;
	uint64_t size;

	switch (request->method) {
	case STD_OPEN:
		return open_file(host, request);
	case STD_FLEN:
		if (fstat(host->file, &stat) < 0)
			return AEE_EFAILED;
		size = (uint64_t)stat.st_size;
		return put(request, &size, sizeof(size));
	case STD_FREAD:
		return read_file_part(host, request);
	case STD_FCLOSE:
		host->file = fd_close(host->file);
		return AEE_SUCCESS;
	default:
		return AEE_EUNSUPPORTED;
	}
}

static int serve_request(struct host *host, struct request *request)
{
	switch (request->handle) {
	case 0:
		return open_interface(request);
	case HANDLE_FILES:
		return serve_files(host, request);
	case HANDLE_LOG:
		return AEE_SUCCESS;
	case HANDLE_ECHO:
		return request->n_in != 1 ? AEE_EBADPARM
					  : put(request, request->in[0].data, request->in[0].size);
	default:
		return AEE_EBADPARM;
	}
}

/* What there was no room for at first. */
static int fetch_more(struct host *host, struct request *request, uint32_t context)
{
	struct listener_more_in in = {
		.context = context, .offset = ROOM, .inputs_room = request->in_size - ROOM};
	struct listener_more_out out;
	struct fastrpc_invoke_args args[] = {
		fastrpc_inline(&in, sizeof(in)),
		fastrpc_inline(&out, sizeof(out)),
		fastrpc_inline(request->packed_in + ROOM, in.inputs_room),
	};
	int r = fastrpc_call(&host->node, FASTRPC_LISTENER, LISTENER_MORE, args);

	return r == 0 && out.inputs_size != request->in_size ? AEE_EFAILED : r;
}

static int answer(struct host *host, struct request *request,
	const struct listener_next_out *header)
{
	int r = 0;

	memset(request->in, 0, sizeof(request->in));
	memset(request->out, 0, sizeof(request->out));
	request->in_size = header->inputs_size;
	request->out_size = 0;
	if (request->in_size > BYTES_MAX)
		r = AEE_EBADPARM;
	if (r == 0 && request->in_size > ROOM)
		r = fetch_more(host, request, header->context);
	if (r == 0)
		r = unpack(request, header) ? serve_request(host, request) : AEE_EBADPARM;
	if (r != 0)
		host->refused++;
	host->served++;
	return r;
}

static void *host_main(void *data)
{
	_cleanup_(freep) struct request *request = calloc(1, sizeof(*request));
	struct listener_next_in in = {.result = -1, .inputs_room = ROOM};
	struct listener_next_out out;
	struct host *host = data;

	for (;;) {
		struct fastrpc_invoke_args args[] = {
			fastrpc_inline(&in, sizeof(in)),
			fastrpc_inline(request->packed_out, in.outputs_size),
			fastrpc_inline(&out, sizeof(out)),
			fastrpc_inline(request->packed_in, ROOM),
		};

		host->result = fastrpc_call(&host->node, FASTRPC_LISTENER, LISTENER_NEXT, args);
		if (host->result != 0)
			return NULL;
		in.context = out.context;
		in.result = answer(host, request, &out);
		in.outputs_size = in.result ? 0 : request->out_size;
	}
}

/* A domain with a host. */
static void begin(struct host *host)
{
	*host = (struct host){.file = -1};
	require_eq(fastrpc_open_by_another(&host->node, FASTRPC_NODE), 0);
	require_eq(fastrpc_create(&host->node, UNSIGNED), 0);
	require_eq(fastrpc_call(&host->node, FASTRPC_LISTENER, LISTENER_INIT, NULL), 0);
	require_eq(pthread_create(&host->thread, NULL, host_main, host), 0);
}

static void await_end(struct host *host)
{
	require_eq(pthread_join(host->thread, NULL), 0);
	require_eq(host->result, NO_DOMAIN);
	fastrpc_close(&host->node);
}

static void end(struct host *host)
{
	require_eq(fastrpc_call(&host->node, FASTRPC_PROCESS, PROCESS_EXIT, NULL), 0);
	await_end(host);
}

static uint32_t open_module(const struct host *host, const char *name)
{
	uint32_t handle;

	require_eq(fastrpc_open_module(&host->node, name, &handle), 0);
	return handle;
}

/* Requests. */

START_TEST(a_request_reaches_the_host_whole_and_so_does_its_answer_the_dsp)
{
	static uint8_t in[LARGE], out[LARGE];
	struct probe_call call = {.handle = HANDLE_ECHO, .scalars = FASTRPC_SCALARS(2, 1, 1)};
	struct probe_result result;
	struct fastrpc_invoke_args args[] = {
		fastrpc_inline(&call, sizeof(call)),
		fastrpc_inline(in, sizeof(in)),
		fastrpc_inline(&result, sizeof(result)),
		fastrpc_inline(out, sizeof(out)),
	};
	struct host host;
	uint32_t handle;

	begin(&host);
	handle = open_module(&host, "probe");
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + i / 251);
	require_eq(fastrpc_call(&host.node, handle, FASTRPC_SCALARS(PROBE_CALL, 2, 2), args), 0);
	require_eq(result.result, 0);
	require(memcmp(in, out, sizeof(in)) == 0);
	end(&host);
}
END_TEST

START_TEST(a_domain_without_a_host_has_nobody_to_ask)
{
	struct fastrpc_node node;
	uint32_t handle;

	require_eq(fastrpc_open_by_another(&node, FASTRPC_NODE), 0);
	require_eq(fastrpc_create(&node, UNSIGNED), 0);
	require(fastrpc_open_module(&node, "example", &handle) != 0);
	fastrpc_close(&node);
}
END_TEST

START_TEST(nonsense_and_floods_come_when_they_are_ordered_and_harm_nobody_else)
{
	uint64_t errors = cdsp_count("host-errors");
	struct host host;

	begin(&host);
	cdsp_fault("host-garbage", NONSENSES);
	cdsp_fault("host-flood", 100);
	require_soon(host.served == NONSENSES + 100);
	require_eq(host.refused, NONSENSES);
	open_module(&host, "example");
	require_eq(cdsp_count("host-errors"), errors + NONSENSES);
	end(&host);
}
END_TEST

/* Modules. */

START_TEST(a_module_is_read_from_the_host_and_runs)
{
	int32_t values[] = {1, 2, 39};
	int64_t sum = 0;
	struct fastrpc_invoke_args args[] = {
		fastrpc_inline(values, sizeof(values)), fastrpc_inline(&sum, sizeof(sum))};
	struct host host;
	uint32_t handle;

	begin(&host);
	handle = open_module(&host, "example");
	require_eq(fastrpc_call(&host.node, handle, FASTRPC_SCALARS(EXAMPLE_SUM, 1, 1), args), 0);
	require_eq(sum, 42);
	require_eq(fastrpc_close_module(&host.node, handle), 0);
	require(fastrpc_call(&host.node, handle, FASTRPC_SCALARS(EXAMPLE_SUM, 1, 1), args) != 0);
	end(&host);
}
END_TEST

START_TEST(a_module_that_crashes_takes_its_domain_along_and_no_other)
{
	struct host victim, other;
	uint32_t handle, handle_of_other;

	begin(&victim);
	begin(&other);
	handle = open_module(&victim, "example");
	handle_of_other = open_module(&other, "example");
	require_eq(fastrpc_call(&victim.node, handle, FASTRPC_SCALARS(EXAMPLE_CRASH, 0, 0), NULL),
		NO_DOMAIN);
	await_end(&victim);
	require_eq(fastrpc_call(&other.node, handle_of_other, FASTRPC_SCALARS(EXAMPLE_NOP, 0, 0),
			   NULL),
		0);
	end(&other);
	require_eq(cdsp_count("domains"), 0);
}
END_TEST

struct spinner {
	const struct host *host;
	uint32_t handle;
	int result;
};

static void *spin(void *data)
{
	struct spinner *spinner = data;

	spinner->result = fastrpc_call(&spinner->host->node, spinner->handle,
		FASTRPC_SCALARS(EXAMPLE_SPIN, 0, 0), NULL);
	return NULL;
}

static void start_spinning(pthread_t *thread, struct spinner *spinner, const struct host *host)
{
	uint64_t before;

	*spinner = (struct spinner){.host = host, .handle = open_module(host, "example")};
	before = cdsp_count("pending");
	require_eq(pthread_create(thread, NULL, spin, spinner), 0);
	require_soon(cdsp_count("pending") == before + 1);
}

START_TEST(a_module_that_never_returns_is_stopped_when_its_domain_ends)
{
	struct spinner spinner;
	pthread_t thread;
	struct host host;

	begin(&host);
	start_spinning(&thread, &spinner, &host);
	end(&host);
	require_eq(pthread_join(thread, NULL), 0);
	require_eq(spinner.result, NO_DOMAIN);
	require_eq(cdsp_count("threads"), 0);
}
END_TEST

START_TEST(a_module_that_never_returns_is_stopped_by_a_restart)
{
	struct spinner spinner;
	pthread_t thread;
	struct host host;

	begin(&host);
	start_spinning(&thread, &spinner, &host);
	cdsp_down();
	require_eq(pthread_join(thread, NULL), 0);
	require_eq(spinner.result, -EPIPE);
	require_eq(pthread_join(host.thread, NULL), 0);
	require_eq(host.result, -EPIPE);
	require_soon(cdsp_count("threads") == 0);
	require_eq(cdsp_count("domains"), 0);
	fastrpc_close(&host.node);
	cdsp_up();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fastrpc's way back");
	TCase *tcase = tcase_create("fastrpc_host");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, cdsp_up, NULL);
	tcase_add_test(tcase, a_request_reaches_the_host_whole_and_so_does_its_answer_the_dsp);
	tcase_add_test(tcase, a_domain_without_a_host_has_nobody_to_ask);
	tcase_add_test(tcase, nonsense_and_floods_come_when_they_are_ordered_and_harm_nobody_else);
	tcase_add_test(tcase, a_module_is_read_from_the_host_and_runs);
	tcase_add_test(tcase, a_module_that_crashes_takes_its_domain_along_and_no_other);
	tcase_add_test(tcase, a_module_that_never_returns_is_stopped_when_its_domain_ends);
	tcase_add_test(tcase, a_module_that_never_returns_is_stopped_by_a_restart);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
