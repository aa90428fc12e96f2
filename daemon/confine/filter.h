// SPDX-License-Identifier: MIT
/*
 * A filter of system calls, made from tables. What no table allows ends the process.
 *
 * A table is data: one row a system call, or one a value of the argument that matters, with the
 * reason beside it. Rows of one call add up: it is allowed if any of them allows it.
 */
#ifndef DSP_CONFINE_FILTER_H
#define DSP_CONFINE_FILTER_H

#include <linux/filter.h>
#include <seccomp.h>
#include <stddef.h>

/* Only if argument N (from 0) is VALUE, or has no bit of MASK set. Of an int, whatever lies in the
 * upper half of the register does not count. */
#define FILTER_INT_IS(n, value)                                           \
	{                                                                 \
		n, SCMP_CMP_MASKED_EQ, 0xffffffffu, (unsigned int)(value) \
	}
#define FILTER_WITHOUT(n, mask)                \
	{                                      \
		n, SCMP_CMP_MASKED_EQ, mask, 0 \
	}

struct filter_rule {     /* NOLINT(clang-analyzer-optin.performance.Padding): as one reads it */
	int number;      /* SCMP_SYS(name) */
	const char *why; /* for readers, and for who asks which calls there are */
	struct scmp_arg_cmp arg;  /* op 0: whatever the arguments are */
	int error;                /* 0: allowed; else refused with this errno, and no harm done */
	struct scmp_arg_cmp also; /* op 0, or another argument that has to fit as well */
};

struct filter_table {
	const struct filter_rule *rules;
	size_t n;
};

#define FILTER_TABLE(array) ((struct filter_table){array, ARRAY_SIZE(array)})

/* 1 in a build with sanitizers, whose reports need more calls than the program: those are in tables
 * of their own, which no real build has. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTER_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FILTER_SANITIZED 1
#endif
#endif
#ifndef FILTER_SANITIZED
#define FILTER_SANITIZED 0
#endif

/* Make the filter's program; the caller frees @out with filter_deinit(). Needs descriptors and
 * memory, so that entering does not. Returns 0 or -errno. */
int filter_init(struct sock_fprog *out, const struct filter_table *tables, size_t n);
void filter_deinit(struct sock_fprog *filter);

/* From here on, for all threads of the process and for good. no_new_privs must be set. Returns 0,
 * -EBUSY if a thread could not be confined as well, or another -errno: -EINVAL or -ENOSYS where the
 * kernel has no filters. */
int filter_enter(const struct sock_fprog *filter);

#endif
