// SPDX-License-Identifier: MIT
/* Inside of policy/ only: what files call the values of policy.h's enums. */
#ifndef DSP_WORDS_H
#define DSP_WORDS_H

#include "policy/policy.h"

#define POLICY_OVERFLOWS  (POLICY_OVERFLOW_CLOSE + 1)
#define POLICY_PRIORITIES (POLICY_PRIORITY_LOW + 1)
#define POLICY_PERS       (POLICY_PER_UNIT + 1)
#define POLICY_DIRECTIONS (POLICY_RECEIVE + 1)
#define POLICY_LIFECYCLES (POLICY_ALWAYS + 1)
#define POLICY_KINDS      (POLICY_DOMAIN_SENSORS + 1)
#define POLICY_HANGS      (POLICY_HANG_QUARANTINE + 1)

/* Each is indexed by its enum. */
extern const char *const words_overflow[POLICY_OVERFLOWS];
extern const char *const words_priority[POLICY_PRIORITIES];
extern const char *const words_per[POLICY_PERS];
extern const char *const words_direction[POLICY_DIRECTIONS];
extern const char *const words_lifecycle[POLICY_LIFECYCLES];
extern const char *const words_kind[POLICY_KINDS];
extern const char *const words_hang[POLICY_HANGS];
/* By accept_no_iommu. */
extern const char *const words_without_iommu[2];

/* Is that a transport whose DSPs speak FastRPC? */
bool words_speaks_fastrpc(const char *transport);

#endif
