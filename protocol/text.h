// SPDX-License-Identifier: MIT
/*
 * Text that others had a hand in (a path, a label, what a DSP says), made fit to be shown or
 * parsed: it can neither end its line, nor pose as another field, nor steer a terminal.
 */
#ifndef DSP_TEXT_H
#define DSP_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* For people: what is no printable UTF-8 becomes \xNN, byte by byte. Cut to what @size holds, never
 * in the middle of something. Returns @out. */
char *text_show(char *out, size_t size, const char *text);
/* The same, all of it, to a file. */
void text_print(FILE *out, const char *text);

/* As a string of JSON, quotes included; what is no UTF-8 becomes U+FFFD, byte by byte. */
void text_json(FILE *out, const char *text);
/* A whole text of JSON, whose strings hold no raw control characters below a space but may hold the
 * rest of what they should not: escaped, or U+FFFD. */
void text_print_json(FILE *out, const char *json);

#endif
