// SPDX-License-Identifier: MIT
/* The protocol is that of <linux/fuse.h>. */
#include "tests/kernel/stuck_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_SIZE 65536 /* the kernel wants room for FUSE_MIN_READ_BUFFER at least */
#define WAITS        'w'

static void answer(int fd, const struct fuse_in_header *request, int error, void *data, size_t size)
{
	char bytes[256];
	struct fuse_out_header *header = (struct fuse_out_header *)bytes;

	*header = (struct fuse_out_header){
		.len = sizeof(*header) + size, .error = error, .unique = request->unique};
	require(header->len <= sizeof(bytes));
	for (size_t i = 0; i < size; i++)
		bytes[sizeof(*header) + i] = ((const char *)data)[i];
	require_eq(write(fd, bytes, header->len), header->len);
}

/* Each is answered, but for a look-up. */
static void serve_one(int fd, const struct fuse_in_header *request)
{
	struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096};
	struct fuse_attr_out root = {.attr = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2}};

	switch (request->opcode) {
	case FUSE_INIT:
		answer(fd, request, 0, &init, sizeof(init));
		break;
	case FUSE_GETATTR:
		answer(fd, request, 0, &root, sizeof(root));
		break;
	case FUSE_LOOKUP:
		step_reached(WAITS);
		break;
	case FUSE_INTERRUPT:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;
	default:
		answer(fd, request, -ENOSYS, NULL, 0);
	}
}

static void serve(void *data)
{
	static char request[REQUEST_SIZE];
	int fd = *(int *)data;

	for (;;) {
		ssize_t n = read(fd, request, sizeof(request));

		/* ENOENT: it was taken back before it was read (fuse(4)). */
		if (n < 0 && (errno == ENOENT || errno == EINTR))
			continue;
		require(n >= (ssize_t)sizeof(struct fuse_in_header));
		serve_one(fd, (const struct fuse_in_header *)request);
	}
}

void stuck_fs_start(struct stuck_fs *fs, const char *path)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[128];

	require(fd >= 0);
	snprintf(fs->path, sizeof(fs->path), "%s", path);
	require_eq(mkdir(path, 0755), 0);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		fd);
	require_eq(mount("stuck", path, "fuse", MS_NOSUID | MS_NODEV, options), 0);
	client_start(&fs->server, 0, serve, &fd);
	close(fd);
}

void stuck_fs_await(struct stuck_fs *fs)
{
	client_await(&fs->server, WAITS);
}

void stuck_fs_end(struct stuck_fs *fs)
{
	client_kill(&fs->server);
	require_eq(umount2(fs->path, MNT_DETACH), 0);
}
