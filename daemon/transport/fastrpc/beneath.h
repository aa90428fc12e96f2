// SPDX-License-Identifier: MIT
/*
 * Open what lies beneath a directory, and never through a symbolic link.
 *
 * openat2(2) can do this as well, and one cannot count on it: a filter of system calls cannot see
 * its flags, so RestrictSUIDSGID= of systemd refuses it altogether (-ENOSYS). Here each part of a
 * path is looked at before the next one is.
 */
#ifndef DSP_FASTRPC_BENEATH_H
#define DSP_FASTRPC_BENEATH_H

/* Open @path, which has no "..", with the flags of open(2); "" is the directory itself. What
 * O_CREAT makes is the broker's own. Returns a descriptor, which is CLOEXEC, or -errno: -ELOOP when
 * there is a link on the way or at the end, -EXDEV when something is mounted there, of which a read
 * might never end, nor a close. */
int beneath_open(int dir, const char *path, int flags);

/* Open a directory by its path from the root, across what is mounted; it has no "..". Returns an
 * O_PATH descriptor or -errno: -ELOOP as above. */
int beneath_open_directory(const char *path);

#endif
