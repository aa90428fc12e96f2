// SPDX-License-Identifier: MIT
/*
 * The host's end of the reverse tunnel against a hostile DSP, with every interface, real files
 * beneath a temporary directory, and a heap. Input: requests one after the other, see requests[].
 * Whatever comes, an answer keeps its form and its limits, nothing is read or changed outside the
 * directories, and the heap stays within its limit.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/transport/fastrpc/tunnel.h"
#include "tests/fastrpc_kernel.h"
#include "tests/fastrpc_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void require(bool fact)
{
	if (!fact)
		abort();
}

#define FILES   4
#define BYTES   65536 /* of a file */
#define MEMORY  (1 << 20)
#define SECRET  "what no DSP may see"
#define HANDLES FASTRPC_HANDLES_STATIC /* the first; one for each interface, in this order */

static const struct host_interface *const interfaces[] = {&host_std, &host_mem, &host_log};

static char root[64];
static char reading[128], writing[128], libraries[128];
static const struct policy_dir dirs[] = {
	{.path = reading},
	{.path = writing, .writable = true},
};
static const struct policy_dir modules[] = {{.path = libraries}};
static const struct policy_domain domain = {
	.name = "d",
	.dirs = dirs,
	.n_dirs = ARRAY_SIZE(dirs),
	.files = FILES,
	.file_bytes = BYTES,
	.memory = MEMORY,
};
static struct log_shared log_shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct host_options options = {
	.node = &kernel_node,
	.device = "cdsp",
	.owner = "uid 7, cdsp/x",
	.policy = &domain,
	.log = &log_shared,
	.modules = modules,
	.n_modules = ARRAY_SIZE(modules),
	.own_name = "libown_skel.so",
};

static struct tunnel *tunnel;
static struct fastrpc_request request;
static uint8_t out[HOST_BYTES_MAX];

/* In place of libsystemd's. A line is one, and nothing in it commands a terminal. */
int sd_journal_sendv(const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++)
		for (size_t at = 0; at < iov[i].iov_len; at++)
			require((uint8_t)((char *)iov[i].iov_base)[at] >= ' ');
	return 0;
}

/* The directories: two that the DSP may use, with links that lead out, and one that it may not. */

static const char *in_root(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void make_file(const char *name, const char *text)
{
	FILE *file = fopen(in_root(name), "we");

	require(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	/* The folder itself stays. */
	return ftw->level && remove(path) < 0 ? -1 : 0;
}

static void empty_folder(const char *path)
{
	require(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

static void remove_root(void)
{
	empty_folder(root);
	rmdir(root);
}

static void make_folders(void)
{
	strcpy(root, "/tmp/dspbroker-fuzz-XXXXXX");
	require(mkdtemp(root));
	atexit(remove_root);
	snprintf(reading, sizeof(reading), "%s", in_root("r"));
	snprintf(writing, sizeof(writing), "%s", in_root("w"));
	snprintf(libraries, sizeof(libraries), "%s", in_root("m"));
	require(mkdir(reading, 0700) == 0 && mkdir(writing, 0700) == 0);
	require(mkdir(libraries, 0700) == 0 && mkdir(in_root("r/d"), 0700) == 0);
	make_file("secret", SECRET);
	make_file("r/a", "read me");
	make_file("r/d/b", "read me, too");
	make_file("m/libx_skel.so", "a library");
	require(symlink("../secret", in_root("r/link")) == 0);
	require(symlink("..", in_root("r/up")) == 0);
}

/* What the DSP writes stays until the end of an input, and what makes its links is not it. */
static void refresh_writing(void)
{
	empty_folder(writing);
	make_file("w/c", "write me");
	require(symlink("../secret", in_root("w/link")) == 0);
}

static bool has_text(const char *name, const char *expected)
{
	char text[64] = "";
	int fd = open(in_root(name), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	fd_close(fd);
	return n >= 0 && strcmp(text, expected) == 0;
}

static size_t count_entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	require(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void check_folders(void)
{
	require(has_text("secret", SECRET) && has_text("r/a", "read me"));
	require(has_text("r/d/b", "read me, too") && has_text("m/libx_skel.so", "a library"));
	require(count_entries(root) == 2 + 4 && count_entries(reading) == 2 + 4);
	require(count_entries(in_root("r/d")) == 2 + 1 && count_entries(libraries) == 2 + 1);
}

/* Requests. */

/* What is left of the input. */
struct input {
	const uint8_t *data;
	size_t size;
};

/* Zeros when there is no more. */
static void take(struct input *input, void *to, size_t size)
{
	size_t n = MIN(size, input->size);

	memset(to, 0, size);
	memcpy(to, input->data, n);
	input->data += n;
	input->size -= n;
}

static uint32_t take_number(struct input *input, size_t size)
{
	uint32_t number = 0;

	take(input, &number, size);
	return number;
}

static void check_answer(uint32_t scalars, uint32_t result, size_t size)
{
	const unsigned int n_out = FASTRPC_OUTPUTS(scalars);
	uint32_t length;

	require(size <= HOST_BYTES_MAX);
	require(!result || !size);
	if (result)
		return;
	require(n_out <= HOST_BUFFERS_MAX && !(scalars & 0xff));
	/* As many outputs as were asked for, and nothing behind them. */
	if (!n_out)
		require(!size);
	else
		require(answer_find(out, size, n_out - 1, &length) + length == out + size);
	require(!memmem(out, size, SECRET, strlen(SECRET)));
}

static void ask(uint32_t handle, uint32_t scalars)
{
	size_t size = SIZE_MAX;
	uint32_t result =
		tunnel_answer(tunnel, handle, scalars, request.bytes, request.size, out, &size);

	check_answer(scalars, result, size);
	require(kernel.bytes <= MEMORY);
}

/* Handle, scalars, length, bytes. */
static void ask_raw(struct input *input)
{
	uint32_t handle = take_number(input, 1), scalars = take_number(input, 4);
	size_t size = MIN((size_t)take_number(input, 2), input->size);

	take(input, request.bytes, size);
	request.size = size;
	ask(handle, scalars);
}

/* One with a list in good order: interface, method, a bound for each output's size; then for each
 * input its length and bytes, of which the first makes up for what is missing. */
static void ask_method(struct input *input)
{
	unsigned int which = take_number(input, 1) % ARRAY_SIZE(interfaces);
	const struct host_interface *interface = interfaces[which];
	const struct host_method *method =
		&interface->methods[take_number(input, 1) % interface->n_methods];
	const uint32_t room = take_number(input, 2);

	request_begin(&request);
	for (unsigned int i = 0; i < FASTRPC_INPUTS(method->scalars); i++) {
		uint8_t bytes[256] = {};
		uint32_t size = take_number(input, 1);

		if (!i)
			size = MAX(size, method->in_size);
		take(input, bytes, size);
		if (!i && method->number >= FASTRPC_METHOD_ESCAPE)
			memcpy(bytes, &method->number, sizeof(method->number));
		request_in(&request, bytes, size);
	}
	for (unsigned int i = 0; i < FASTRPC_OUTPUTS(method->scalars); i++)
		request_out(&request, i ? room : method->out_size);
	ask(HANDLES + which, method->scalars);
}

static void open_interface(struct input *input)
{
	char name[32];
	uint32_t size = take_number(input, 1) % sizeof(name);

	take(input, name, size);
	request_open(&request, name, size, take_number(input, 1));
	ask(0, REMOTECTL_OPEN);
}

static void close_handle(struct input *input)
{
	const uint32_t in[] = {take_number(input, 1), 0};

	request_begin(&request);
	request_in(&request, in, sizeof(in));
	request_out(&request, 4);
	request_out(&request, 0);
	ask(0, REMOTECTL_CLOSE);
}

/* The kernel has its days. */
static void change_kernel(struct input *input)
{
	static const int errors[] = {0, 0, -ENOMEM, -EPIPE, 1};

	kernel.grow_error = errors[take_number(input, 1) % ARRAY_SIZE(errors)];
	kernel.shrink_error = errors[take_number(input, 1) % ARRAY_SIZE(errors)];
	kernel.next_address = (uint64_t)take_number(input, 4) << 12;
}

/* The same by the loop that brings requests, as the DSP says them: everything until the input's
 * end. */

static struct input *heard;

static uint8_t *memory_of(const struct fastrpc_invoke_args *arg)
{
	require(arg->fd == -1);
	return (uint8_t *)(uintptr_t)arg->ptr;
}

static void check_told(const struct fastrpc_invoke_args *args)
{
	struct listener_next_in told;

	require(args[0].length == sizeof(told) &&
		args[2].length == sizeof(struct listener_next_out));
	memcpy(&told, memory_of(&args[0]), sizeof(told));
	require(told.outputs_size == args[1].length && told.outputs_size <= HOST_BYTES_MAX);
	require(told.inputs_room == args[3].length && (!told.result || !told.outputs_size));
	require(!args[1].length ||
		!memmem(memory_of(&args[1]), args[1].length, SECRET, strlen(SECRET)));
}

static int hear(const struct fastrpc_invoke *call)
{
	const struct fastrpc_invoke_args *args = (const void *)(uintptr_t)call->args;
	bool more = call->sc == LISTENER_MORE;
	const struct fastrpc_invoke_args *words = &args[more ? 1 : 2], *inputs = words + 1;

	require(call->handle == FASTRPC_LISTENER && (more || call->sc == LISTENER_NEXT));
	if (!more)
		check_told(args);
	if (!heard->size)
		return -EPIPE;
	take(heard, memory_of(words), words->length);
	require(inputs->length && inputs->length <= HOST_BYTES_MAX);
	take(heard, memory_of(inputs), MIN((size_t)take_number(heard, 2), (size_t)inputs->length));
	return 0;
}

static void run_loop(struct input *input)
{
	atomic_bool stop = false;
	struct node_result result;

	heard = input;
	kernel.invoke = hear;
	result = tunnel_run(tunnel, &stop);
	require(result.error == -EPIPE && !input->size);
}

static void (*const requests[])(struct input *input) = {
	ask_method,
	ask_raw,
	open_interface,
	close_handle,
	change_kernel,
	run_loop,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct stat st;
	char stream[64];

	(void)argc;
	(void)argv;
	/* Lines go to the journal, so that they do not fill the fuzzer's own log. */
	require(fstat(STDERR_FILENO, &st) == 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init();
	make_folders();
	options.own_module = memfd_create("own", MFD_CLOEXEC);
	require(write(options.own_module, "own", 3) == 3);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};

	memset(&kernel, 0, sizeof(kernel));
	refresh_writing();
	require(tunnel_new(&tunnel, &options) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
		const char *name = interfaces[i]->name;

		request_open(&request, name, (uint32_t)strlen(name) + 1, 0);
		ask(0, REMOTECTL_OPEN);
	}
	while (input.size)
		requests[take_number(&input, 1) % ARRAY_SIZE(requests)](&input);
	tunnel_free(tunnel);
	check_folders();
	return 0;
}
