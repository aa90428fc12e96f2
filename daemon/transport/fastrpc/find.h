// SPDX-License-Identifier: MIT
/*
 * The DSPs of this machine, as their drivers find them, again and again, so that nothing depends on
 * having seen each event, or on their order. A DSP that two drivers serve at the same time is
 * reached by one: the one that policy names, else the one that reaches it already, else the first.
 * For the loop.
 */
#ifndef DSP_FASTRPC_FIND_H
#define DSP_FASTRPC_FIND_H

struct broker;
struct fastrpc_driver;

/* transport_ops.probe of a driver's transport: look for its DSPs, now and whenever devices come or
 * go. Returns 0. */
int fastrpc_find(struct broker *broker, const struct fastrpc_driver *driver);
/* Something has changed that the kernel does not announce: look again. */
void fastrpc_find_again(void);
/* transport_ops.deinit; also without fastrpc_find(). */
void fastrpc_find_no_more(struct broker *broker);

#endif
