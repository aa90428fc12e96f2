// SPDX-License-Identifier: MIT
/*
 * The few helpers every part of dspbroker shares: owners that clean up after themselves, and an
 * intrusive list. Nothing in here knows about DSPs.
 */
#ifndef DSP_UTIL_H
#define DSP_UTIL_H

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function)     __attribute__((cleanup(function)))
#define _printf_(string, first) __attribute__((format(printf, string, first)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)         ((a) < (b) ? (a) : (b))
#define MAX(a, b)         ((a) > (b) ? (a) : (b))

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Hand a value to its next owner and forget it here. */
#define TAKE_PTR(pointer)                                 \
	({                                                \
		__typeof__(pointer) *_taken = &(pointer); \
		__typeof__(pointer) _value = *_taken;     \
		*_taken = NULL;                           \
		_value;                                   \
	})
#define TAKE_FD(fd)                   \
	({                            \
		int *_taken = &(fd);  \
		int _value = *_taken; \
		*_taken = -1;         \
		_value;               \
	})

/* For owners whose *_free() takes and returns a pointer: DEFINE_CLEANUP(struct foo *, foo_free)
 * makes foo_freep(), to be used as _cleanup_(foo_freep). */
#define DEFINE_CLEANUP(type, function)                \
	static inline void function##p(type *pointer) \
	{                                             \
		if (*pointer)                         \
			function(*pointer);           \
	}                                             \
	struct function##_needs_a_semicolon

static inline int fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
	return -1;
}

static inline void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

static inline void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

/* An intrusive, circular, doubly linked list. An unlinked node points at itself. */
struct list {
	struct list *next, *prev;
};

#define LIST_INIT(head) ((struct list){.next = &(head), .prev = &(head)})

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_append(struct list *list, struct list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

static inline void list_prepend(struct list *list, struct list *node)
{
	list_append(list->next, node);
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Move all of @from, which is empty after, to the end of @list. */
static inline void list_move(struct list *list, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = list->prev;
	list->prev->next = from->next;
	from->prev->next = list;
	list->prev = from->prev;
	list_init(from);
}

#define list_first(list, type, member) \
	(list_empty(list) ? NULL : container_of((list)->next, type, member))

#define list_for_each(item, list, member)                                      \
	for ((item) = container_of((list)->next, __typeof__(*(item)), member); \
		&(item)->member != (list);                                     \
		(item) = container_of((item)->member.next, __typeof__(*(item)), member))

/* The current item may be removed and freed. */
#define list_for_each_safe(item, following, list, member)                                 \
	for ((item) = container_of((list)->next, __typeof__(*(item)), member),            \
	    (following) = container_of((item)->member.next, __typeof__(*(item)), member); \
		&(item)->member != (list); (item) = (following),                          \
	    (following) = container_of((item)->member.next, __typeof__(*(item)), member))

#endif
