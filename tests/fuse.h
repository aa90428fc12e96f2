// SPDX-License-Identifier: MIT
/*
 * A file system in user space that lets a file be opened and answers nothing else: who asks it
 * waits until it ends, which it does when he is interrupted. The file lies in the root of its
 * mount, which is taken away: so its path is that of a dma-buf.
 */
#ifndef TESTS_FUSE_H
#define TESTS_FUSE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FUSE_FILE "dmabuf:"

static struct {
	pid_t server;
	int device, file;
	int epoll, polled; /* the latter is an eventfd: the file was asked */
	pthread_t poller;  /* 0: none */
} fuse;

static inline void fuse_answer(uint64_t unique, int error, const void *body, size_t size)
{
	const struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + size), .error = error, .unique = unique};
	char reply[sizeof(header) + 512];

	memcpy(reply, &header, sizeof(header));
	memcpy(reply + sizeof(header), body, size);
	if (write(fuse.device, reply, header.len) != (ssize_t)header.len)
		_exit(EXIT_FAILURE);
}

static inline void fuse_serve(const struct fuse_in_header *request)
{
	static const struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096};
	const struct fuse_entry_out entry = {
		.nodeid = 2,
		.attr =
			{
				.ino = 2,
				.mode = S_IFREG | 0666,
				.nlink = 1,
				.size = 4096,
				.uid = getuid(),
				.gid = getgid(),
			},
	};
	static const struct fuse_open_out opened = {.fh = 1};

	if (request->opcode == FUSE_INIT)
		fuse_answer(request->unique, 0, &init, sizeof(init));
	else if (request->opcode == FUSE_LOOKUP)
		fuse_answer(request->unique, 0, &entry, sizeof(entry));
	else if (request->opcode == FUSE_OPEN)
		fuse_answer(request->unique, 0, &opened, sizeof(opened));
	else if (request->opcode == FUSE_FLUSH)
		fuse_answer(request->unique, -ENOSYS, "", 0);
	else if (request->opcode == FUSE_POLL)
		eventfd_write(fuse.polled, 1);
	else if (request->opcode == FUSE_INTERRUPT)
		_exit(EXIT_SUCCESS);
}

static inline void fuse_run(void)
{
	static _Alignas(struct fuse_in_header) char request[64 * 1024];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fuse.device, request, sizeof(request)) > 0)
		fuse_serve((const struct fuse_in_header *)request);
	_exit(EXIT_SUCCESS);
}

/* Returns false, and says so, where it cannot be had. */
static inline bool fuse_start(void)
{
	char folder[] = "/tmp/dspbroker-fuse.XXXXXX", path[64], options[128];

	fuse.polled = eventfd(0, EFD_CLOEXEC);
	fuse.device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u",
		fuse.device, getuid(), getgid());
	if (!mkdtemp(folder) || fuse.device < 0 ||
		mount("test", folder, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		fprintf(stderr, "SKIPPED: no file system in user space here: %m\n");
		rmdir(folder);
		return false;
	}
	fuse.server = fork();
	if (!fuse.server)
		fuse_run();
	close(fuse.device);
	snprintf(path, sizeof(path), "%s/" FUSE_FILE, folder);
	fuse.file = open(path, O_RDWR | O_CLOEXEC);
	if (fuse.file < 0)
		fprintf(stderr, "SKIPPED: %s: %m\n", path);
	umount2(folder, MNT_DETACH);
	rmdir(folder);
	return fuse.file >= 0;
}

static inline void *fuse_poll(void *unused)
{
	struct epoll_event event = {.events = EPOLLIN};

	(void)unused;
	epoll_ctl(fuse.epoll, EPOLL_CTL_ADD, fuse.file, &event);
	return NULL;
}

/* An epoll that waits for the file to say whether it is ready. Returns -1 if there is none. */
static inline int fuse_epoll(void)
{
	eventfd_t n;

	fuse.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (pthread_create(&fuse.poller, NULL, fuse_poll, NULL) != 0 ||
		eventfd_read(fuse.polled, &n) < 0)
		return -1;
	return fuse.epoll;
}

static inline void fuse_stop(void)
{
	kill(fuse.server, SIGKILL);
	waitpid(fuse.server, NULL, 0);
	if (fuse.poller)
		pthread_join(fuse.poller, NULL);
}

#endif
