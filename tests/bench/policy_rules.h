// SPDX-License-Identifier: MIT
/*
 * A policy as it might be on a machine with many users and apps, of any size, and programs that it
 * has in mind. Both are made of numbers alone, so they are the same each time.
 */
#ifndef BENCH_POLICY_RULES_H
#define BENCH_POLICY_RULES_H

#include <stdint.h>

#include "policy/identity.h"

/* Write @n rules into several files of that folder. The last one lets everybody open
 * CHANNEL_SHARED, in a domain that all share. Ends the benchmark on failure. */
void policy_rules_write(const char *directory, uint32_t n);

#define POLICY_GROUPS 8 /* supplementary ones, of each program */

/* Who asks for what. */
struct policy_query {
	struct identity who;
	gid_t groups[POLICY_GROUPS];
	char texts[IDENTITY_FACTS][64];
	char channel[64];
};

/* The program that rule @number is for, which asks for what that is about; but one in four for
 * something else, which most rules do not let it have. @out stays where it is. */
void policy_query_make(struct policy_query *out, uint32_t number);

#endif
