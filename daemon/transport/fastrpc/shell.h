// SPDX-License-Identifier: MIT
/*
 * The file that a user's protection domain starts from: "fastrpc_shell_N" for signed modules,
 * "fastrpc_shell_unsigned_N" for others, of the DSP with number N. Blocks; for threads.
 */
#ifndef DSP_FASTRPC_SHELL_H
#define DSP_FASTRPC_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

#define SHELL_BYTES_MAX (2 * 1024 * 1024) /* the kernel takes no larger one */

struct shell {
	const void *data; /* mapped, private */
	size_t size;      /* bytes; 0: none */
};

/* The first there is in @dirs. Returns 0; -ENOENT: in none of them; -EFBIG; -ENODATA: it is empty;
 * or another -errno; with a sentence in @text, which has @text_size bytes. */
int shell_open(struct shell *out, const struct policy_dir *dirs, size_t n_dirs, uint32_t number,
	bool is_signed, char *text, size_t text_size);
void shell_close(struct shell *shell);

#endif
