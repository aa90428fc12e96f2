// SPDX-License-Identifier: MIT
/*
 * "probe", a module of the DSP's image: tests look at what a domain's host does for it, from the
 * DSP's side. It is opened like any other (library libprobe_skel.so, entry
 * probe_skel_handle_invoke).
 *
 * A method returns 0 as soon as it understood its arguments, whatever the host said: that is in
 * struct probe_result, always output 0, of which as much is written as there is room for. Names are
 * strings, and a NUL is put behind one that ends without.
 *
 *      method     inputs                              outputs behind output 0
 *    2 READ       name, [mode, else "r"]              bytes; n: how many were read
 *    3 READ_ENV   struct probe_env, variable, name    bytes; n: likewise; by fopen_with_env
 *    4 WRITE      name, bytes, [mode, else "w"]       -; n: how many were written
 *    5 REMOVE     name                                -
 *    6 MKDIR      name                                -
 *    7 LIST       name                                names, each with its NUL; n: bytes of them,
 *                                                     value: how many there are
 *    8 STAT       name                                -; value: size, n: st_mode
 *    9 LOG        u32 level, text                     -; level: 0 low ... 4 fatal; each line of
 *                                                     the text is a line of the log
 *   10 GROW       u64 bytes                           -; value: where the heap grew by them
 *   11 SHRINK     struct probe_range                  -
 *   12 OPEN_MANY  u32 how many, name                  -; n: how many were open at once,
 *                                                     result: why not more
 *   13 GETENV     name                                value; n: bytes of it, with its NUL
 *   14 RENAME     from, to                            -
 *   15 CALL       struct probe_call, inputs of it     outputs of it; any call of the host
 *   16 RMDIR      name                                -
 *   17 TRUNCATE   u32 size, name                      -; it is opened as "r+"
 *   18 SEEK       struct probe_seek, name             bytes; n: how many were read from there
 *   19 EXISTS     name                                -; value: 1 or 0
 */
#ifndef DSP_REMOTE_PROBE_H
#define DSP_REMOTE_PROBE_H

#include <stdint.h>

enum probe_method {
	PROBE_READ = 2,
	PROBE_READ_ENV,
	PROBE_WRITE,
	PROBE_REMOVE,
	PROBE_MKDIR,
	PROBE_LIST,
	PROBE_STAT,
	PROBE_LOG,
	PROBE_GROW,
	PROBE_SHRINK,
	PROBE_OPEN_MANY,
	PROBE_GETENV,
	PROBE_RENAME,
	PROBE_CALL,
	PROBE_RMDIR,
	PROBE_TRUNCATE,
	PROBE_SEEK,
	PROBE_EXISTS,
};

struct probe_result {
	int32_t result; /* of the host: 0, or an AEE number */
	uint32_t n;
	uint64_t value;
};

struct probe_env {
	uint32_t variable_size, name_size; /* bytes of them that count */
};

struct probe_range {
	uint64_t address, bytes;
};

struct probe_seek {
	int32_t offset;
	uint32_t whence; /* 0 set, 1 current, 2 end */
};

/* Arguments are the host's as they are. The scalars may speak of more than there are: the others
 * are empty. What there is beyond the scalars is left out. */
struct probe_call {
	uint32_t handle, scalars;
	char interface[24]; /* to be opened for the handle, instead of that; "": none */
};

#endif
