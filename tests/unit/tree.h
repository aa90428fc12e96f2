// SPDX-License-Identifier: MIT
/* A temporary folder with files, for one test at a time. What must not fail is checked here. */
#ifndef DSP_TESTS_TREE_H
#define DSP_TESTS_TREE_H

#include <stdbool.h>

void tree_start(void);
void tree_stop(void);

/* The whole of a path below it; valid until it was called a few more times. "" is the folder. */
const char *tree_path(const char *path);
void tree_make_folder(const char *path);
void tree_write(const char *path, const char *text);
void tree_link(const char *path, const char *target);
void tree_remove(const char *path); /* with all below it */
bool tree_has(const char *path);    /* a link that leads nowhere, too */
/* Its text, valid until the next call; NULL when it cannot be read. */
const char *tree_read(const char *path);

#endif
