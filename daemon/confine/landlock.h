// SPDX-License-Identifier: MIT
/*
 * Which files a process may open, by Landlock (landlock(7), linux/landlock.h). What is open already
 * stays as it is; whatever no rule names is refused with EACCES, by whatever path it is reached.
 */
#ifndef DSP_CONFINE_LANDLOCK_H
#define DSP_CONFINE_LANDLOCK_H

/* What may be done at a place and below it. */
enum landlock_right {
	LANDLOCK_READ = 1 << 0,   /* files and lists of files */
	LANDLOCK_WRITE = 1 << 1,  /* files that are there, which may be cut as well */
	LANDLOCK_MAKE = 1 << 2,   /* files and folders are made, renamed and removed */
	LANDLOCK_DEVICE = 1 << 3, /* ioctl() on devices that are opened there (Linux 6.10) */
	LANDLOCK_REMOVE = 1 << 4, /* files are removed; LANDLOCK_MAKE has this as well */
};

struct landlock {
	int fd;  /* the ruleset */
	int abi; /* of the kernel; 1 or more */
};

#define LANDLOCK_NONE ((struct landlock){.fd = -1})

/* Begin with nothing allowed; the caller frees it with landlock_deinit(). Returns 0, -EOPNOTSUPP
 * where the kernel has no Landlock or has it switched off, or another -errno. */
int landlock_init(struct landlock *out);
void landlock_deinit(struct landlock *landlock);

/* Allow rights, of enum landlock_right, at @path, which may be a file or a folder and must be
 * there. Returns 0 or -errno. */
int landlock_allow(struct landlock *landlock, const char *path, unsigned int rights);

/* From here on, for this thread, and threads and processes that it starts; so it comes before there
 * are any. Besides files, TCP, Unix sockets without a path and signals to anybody outside are
 * refused where the kernel can do that (ABI 4 and 6). no_new_privs must be set. Returns 0 or
 * -errno. */
int landlock_enter(const struct landlock *landlock);

#endif
