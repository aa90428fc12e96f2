// SPDX-License-Identifier: MIT
/*
 * Inside of policy/ only: texts of /proc and of a process's own files -> facts. Nothing is read in
 * here. Each text is hostile; a fact that it does not tell beyond doubt stays unknown.
 */
#ifndef DSP_FACTS_PARSE_H
#define DSP_FACTS_PARSE_H

#include "policy/facts.h"

/* Effective ids and supplementary groups of a process. */
struct facts_ids {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned by the caller */
	size_t n_groups;
};

/* "/proc/PID/cgroup" of a process of user @uid: unit, user unit, slice, and a snap's service. */
void facts_parse_cgroup(struct facts *out, const char *text, size_t size, uid_t uid);
/* Where "/proc/PID/exe" points. */
void facts_parse_executable(struct facts *out, const char *path, size_t size);
/* "/.flatpak-info" of its root. */
void facts_parse_flatpak(struct facts *out, const char *text, size_t size);
/* There is no such file. */
void facts_no_flatpak(struct facts *out);

/* The snap of a security label, "snap.NAME.APP (enforce)", into @name. Returns 1, 0: it is not a
 * snap's, or -EINVAL: it cannot be told. */
int facts_parse_label(const char *label, char name[FACT_SIZE]);

/* "/proc/PID/status". With @groups the supplementary groups are wanted as well. Returns 0, -EINVAL
 * or -ENOMEM. */
int facts_parse_status(const char *text, size_t size, struct facts_ids *out, bool groups);
/* The pid of "/proc/self/fdinfo/N" of a pidfd; -1: there is none any more. */
pid_t facts_parse_fdinfo(const char *text, size_t size);

#endif
