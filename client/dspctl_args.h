// SPDX-License-Identifier: MIT
/*
 * The arguments of `dspctl call`, from words on the command line to bytes, and numbers back to
 * words. Nothing in here reads a file or talks to the broker.
 */
#ifndef DSPCTL_ARGS_H
#define DSPCTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/dspbroker.h"
#include "protocol/util.h"

#define DSPCTL_NUMBER_SIZE 32  /* bytes that hold any number as text, NUL included */
#define DSPCTL_ERROR_SIZE  256 /* bytes of a sentence on what is wrong, NUL included */

enum dspctl_kind {
	DSPCTL_SIGNED,
	DSPCTL_UNSIGNED,
	DSPCTL_FLOAT,
};

/* A number's form in memory; little-endian whatever the host is. */
struct dspctl_type {
	const char *name;
	size_t size; /* bytes */
	enum dspctl_kind kind;
};

struct dspctl_number {
	enum dspctl_kind kind;
	union {
		int64_t i;
		uint64_t u;
		double f;
	};
};

struct dspctl_arg {
	bool output;
	const struct dspctl_type *type; /* outputs: shown as such numbers; NULL: as bytes */
	uint32_t length;                /* bytes; inputs from a file: 0, not known yet */
	unsigned char *data;            /* inputs that stand on the command line; owned */
	const char *file;               /* input's source or output's destination, "-" for the
					 * standard streams; part of the word parsed; or NULL */
};

struct dspctl_args {
	struct dspctl_arg arg[DSPBROKER_ARGS_MAX]; /* the inputs, then the outputs */
	unsigned int n_in, n_out;
};

/* Parse one argument. Returns 0, -ENOMEM, or -EINVAL with a sentence in @error. On success
 * @out->data is the caller's. */
int dspctl_arg_parse(struct dspctl_arg *out, const char *word, char error[DSPCTL_ERROR_SIZE]);

/* Parse all of them, and check their order and number. The same returns; free @out with
 * dspctl_args_deinit() in any case. It points into @words. */
int dspctl_args_parse(struct dspctl_args *out, char *const *words, size_t n_words,
	char error[DSPCTL_ERROR_SIZE]);
/* Safe on zeroed arguments and twice. */
void dspctl_args_deinit(struct dspctl_args *args);

/* An integer of [@min, @max], decimal or 0x-hexadecimal, that ends where @text does. Returns 0,
 * -EINVAL (no number) or -ERANGE. */
int dspctl_integer_parse(int64_t *out, const char *text, int64_t min, int64_t max);

/* The value of a hexadecimal digit; -1: it is none. */
int dspctl_hex_digit(char digit);

/* Read the number at @bytes, which need no alignment. */
struct dspctl_number dspctl_number_load(const struct dspctl_type *type, const void *bytes);
/* As text from which the same number can be parsed again. */
void dspctl_number_format(const struct dspctl_type *type, struct dspctl_number number,
	char out[DSPCTL_NUMBER_SIZE]);

#endif
