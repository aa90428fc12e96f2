// SPDX-License-Identifier: MIT
#include "daemon/transport/qda/posted.h"

#include <drm.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "daemon/transport/fastrpc/shell.h"
#include "protocol/util.h"

static const char driver_name[] = "qda";

/* Layouts. */

struct query {
	uint8_t name[16];
};

struct create {
	uint32_t size;
	int32_t shell;
	uint32_t attributes, signature_size;
	uint64_t address; /* of a shell without a descriptor; the kernel takes it for its own */
};

struct map {
	uint32_t kind, flags;
	int32_t fd;
	uint32_t attributes, offset, pad;
	uint64_t address, size, remote;
};

struct unmap {
	uint32_t kind;
	int32_t fd;
	uint64_t address, remote, size;
};

struct invoke {
	uint32_t handle, scalars;
	uint64_t args; /* address of struct arg[] */
};

/* An fd that is 0 or less means bytes to be copied. */
struct arg {
	uint64_t address, length;
	int32_t fd;
	uint32_t attributes;
};

#define KIND_LEGACY   1      /* of a mapping: as FastRPC had it at first, for the heap alone */
#define MAP_ADD_PAGES 0x1000 /* memory of the kernel's */

/* Numbers. */

#define IOCTL_QUERY  DRM_IOR(DRM_COMMAND_BASE + 0x00, struct query)
#define IOCTL_CREATE DRM_IOWR(DRM_COMMAND_BASE + 0x04, struct create)
#define IOCTL_MAP    DRM_IOWR(DRM_COMMAND_BASE + 0x05, struct map)
#define IOCTL_UNMAP  DRM_IOWR(DRM_COMMAND_BASE + 0x06, struct unmap)
#define IOCTL_INVOKE DRM_IOWR(DRM_COMMAND_BASE + 0x07, struct invoke)

static_assert(IOCTL_QUERY == 0x80106440, "as posted");
static_assert(IOCTL_CREATE == 0xc0186444, "as posted");
static_assert(IOCTL_MAP == 0xc0306445, "as posted");
static_assert(IOCTL_UNMAP == 0xc0206446, "as posted");
static_assert(IOCTL_INVOKE == 0xc0106447, "as posted");
static_assert(sizeof(struct arg) == 24, "as posted");
static_assert(offsetof(struct arg, fd) == 16, "as posted");

enum {
	QUERY,
	CREATE,
	MAP,
	UNMAP,
	INVOKE,
};

#define IOCTL(request, why)                                     \
	{                                                       \
		SCMP_SYS(ioctl), why, FILTER_INT_IS(1, request) \
	}
static const struct filter_rule rules[] = {
	[QUERY] = IOCTL(IOCTL_QUERY, "QDA's QUERY: which DSP is it?"),
	[CREATE] = IOCTL(IOCTL_CREATE, "QDA's REMOTE_SESSION_CREATE: a new domain"),
	[MAP] = IOCTL(IOCTL_MAP, "QDA's REMOTE_MAP: a domain's heap grows"),
	[UNMAP] = IOCTL(IOCTL_UNMAP, "QDA's REMOTE_MUNMAP: and shrinks"),
	[INVOKE] = IOCTL(IOCTL_INVOKE, "QDA's REMOTE_INVOKE: a call"),
	IOCTL(DRM_IOCTL_VERSION, "DRM_IOCTL_VERSION: is it a node of QDA's?"),
	IOCTL(DRM_IOCTL_PRIME_FD_TO_HANDLE, "drmPrimeFDToHandle(): a dma-buf as a buffer object"),
	IOCTL(DRM_IOCTL_GEM_CLOSE, "drmCloseBufferHandle(): that object is not used any more"),
};
const struct filter_table qda_calls = {rules, ARRAY_SIZE(rules)};

/*
 * Plain, and once: libdrm's way would call a method twice when a signal comes, and for ever when it
 * returns -11. The C library takes what is between -4095 and -1 for errors; the rest arrives as it
 * was.
 */
static struct node_result call(int fd, unsigned int number, void *argument)
{
	int r = ioctl(fd, (unsigned long)rules[number].arg.datum_b, argument);

	if (r == -1)
		return (struct node_result){.error = -errno};
	return (struct node_result){.result = r};
}

/* What it is. */

/* Not drmGetVersion(): that reads a date and a description which the driver need not have. */
int posted_is_driver(int fd)
{
	char name[sizeof(driver_name)] = "";
	struct drm_version version = {.name = name, .name_len = sizeof(name)};

	if (ioctl(fd, DRM_IOCTL_VERSION, &version) < 0)
		return -errno;
	/* It says how long the name is, and writes what fits. */
	return version.name_len == strlen(driver_name) &&
	       memcmp(name, driver_name, strlen(driver_name)) == 0;
}

int posted_query(int fd, char name[POSTED_NAME_SIZE])
{
	struct query query = {};
	struct node_result result = call(fd, QUERY, &query);

	static_assert(POSTED_NAME_SIZE == sizeof(query.name) + 1, "a NUL is added");
	if (result.error)
		return result.error;
	memcpy(name, query.name, sizeof(query.name));
	name[sizeof(query.name)] = '\0';
	return 0;
}

/* Domains. */

struct node_result posted_create(int fd, int shell, uint32_t size, uint32_t attributes)
{
	struct create create = {.size = size, .shell = shell, .attributes = attributes};

	if (shell <= 0 || size == 0 || size > SHELL_BYTES_MAX)
		return (struct node_result){.error = -EINVAL};
	return call(fd, CREATE, &create);
}

struct node_result posted_grow(int fd, uint64_t size, uint64_t *remote)
{
	struct map map = {.kind = KIND_LEGACY, .flags = MAP_ADD_PAGES, .fd = -1, .size = size};
	struct node_result result = call(fd, MAP, &map);

	*remote = map.remote;
	return result;
}

struct node_result posted_shrink(int fd, uint64_t remote, uint64_t size)
{
	struct unmap unmap = {.kind = KIND_LEGACY, .fd = -1, .remote = remote, .size = size};

	return call(fd, UNMAP, &unmap);
}

/* Calls. */

static bool may_be_called(uint32_t handle)
{
	return handle >= FASTRPC_HANDLES_STATIC || handle == FASTRPC_REMOTECTL ||
	       handle == FASTRPC_UTILITIES || handle == FASTRPC_LISTENER ||
	       handle == FASTRPC_PROCESS;
}

/* The posted driver takes where a buffer's bytes are from the distance to the start of the mapping
 * that holds their address: so it gets one within the buffer's window (window.h). */
static int translate(const struct posted_arg *from, struct arg *to)
{
	const struct node_buffer *object = from->object;
	uint64_t end;

	*to = (struct arg){.fd = -1};
	if (!from->length)
		return 0;
	if (!object || object->dmabuf <= 0 || !object->window ||
		__builtin_add_overflow(from->offset, from->length, &end) || end > object->size)
		return -EINVAL;
	*to = (struct arg){
		.address = (uintptr_t)object->window + from->offset,
		.length = from->length,
		.fd = object->dmabuf,
	};
	return 0;
}

struct node_result posted_invoke(int fd, uint32_t handle, uint32_t scalars,
	const struct posted_arg *args)
{
	const uint32_t n_in = FASTRPC_INPUTS(scalars), n_out = FASTRPC_OUTPUTS(scalars);
	struct arg posted[DSP_ARGS_MAX];
	struct invoke invoke = {.handle = handle, .scalars = scalars, .args = (uintptr_t)posted};
	int r = 0;

	/* Of the scalars, nothing but a method and counts. */
	if (!may_be_called(handle) || n_in + n_out > DSP_ARGS_MAX ||
		scalars != FASTRPC_SCALARS(FASTRPC_METHOD(scalars), n_in, n_out))
		return (struct node_result){.error = -EINVAL};
	for (uint32_t i = 0; r == 0 && i < n_in + n_out; i++)
		r = translate(&args[i], &posted[i]);
	return r < 0 ? (struct node_result){.error = r} : call(fd, INVOKE, &invoke);
}
