// SPDX-License-Identifier: MIT
/*
 * Messages on the command line: from words and lines to bytes, and from bytes to text. Nothing in
 * here reads a file or talks to the broker.
 */
#ifndef DSPCTL_MESSAGE_H
#define DSPCTL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/dspctl_args.h"

struct dspctl_message {
	unsigned char *data; /* owned */
	size_t length;       /* at least 1 */
};

/* In the order of their sending. Zeroed at first; free it with dspctl_messages_deinit(). */
struct dspctl_messages {
	struct dspctl_message *item;
	size_t n, room;
};

/* Append one message: these bytes, or with @hex what they say in hexadecimal digits, with spaces
 * between bytes as one likes. Returns 0, -ENOMEM, or -EINVAL with a sentence in @error. */
int dspctl_messages_add(struct dspctl_messages *messages, bool hex, const void *text, size_t length,
	char error[DSPCTL_ERROR_SIZE]);
/* Append each line, without its newline; the last one may lack it. The same returns. */
int dspctl_messages_add_lines(struct dspctl_messages *messages, bool hex, const void *text,
	size_t length, char error[DSPCTL_ERROR_SIZE]);
/* Safe on zeroed messages and twice. */
void dspctl_messages_deinit(struct dspctl_messages *messages);

/* The bytes as hexadecimal digits. The caller owns the string; NULL: out of memory. */
char *dspctl_hex(const void *bytes, size_t size);

/*
 * The bytes as text of one line, in which nothing can harm a terminal, and which no other bytes
 * have: printable UTF-8 as it is, a backslash as \\, and every other byte as \xNN. The caller owns
 * the string; NULL: out of memory.
 */
char *dspctl_escape(const void *bytes, size_t size);

#endif
