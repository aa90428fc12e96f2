// SPDX-License-Identifier: MIT
#include "daemon/softdsp/confine.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "daemon/confine/least.h"
#include "daemon/softdsp/calls.h"
#include "protocol/util.h"

/* Where the dynamic linker looks (ld.so(8)), besides beside the module. */
static const char *const library_places[] = {
	"/etc/ld.so.cache",
	"/lib",
	"/lib32",
	"/lib64",
	"/usr/lib",
	"/usr/lib32",
	"/usr/lib64",
	"/usr/local/lib",
	"/usr/local/lib64",
};

static int lacks(const struct confinement *confinement, const char *what, int error)
{
	fprintf(stderr, "softdsp: %s: %s%s\n", what, strerror(-error),
		confinement->may_lack ? "; it goes on UNCONFINED" : "");
	return confinement->may_lack ? 0 : error;
}

/* A module, or a library beside it, may be a link to elsewhere: the administrator's own wish. */
static int allow_modules(struct landlock *files)
{
	DIR *dir = opendir(".");
	const struct dirent *entry;
	int r;

	if (!dir)
		return -errno;
	r = landlock_allow(files, ".", LANDLOCK_READ);
	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_type == DT_REG || fnmatch("*.so*", entry->d_name, FNM_PERIOD) != 0)
			continue;
		r = landlock_allow(files, entry->d_name, LANDLOCK_READ);
		if (r == -ENOENT || r == -EACCES || r == -ELOOP)
			r = 0; /* it will be no better when somebody wants to load it */
	}
	closedir(dir);
	return r;
}

static int prepare_files(struct landlock *files)
{
	int r = landlock_init(files);

	if (r == -EOPNOTSUPP) /* the kernel has none */
		return 0;
	if (r == 0)
		r = allow_modules(files);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(library_places); i++) {
		r = landlock_allow(files, library_places[i], LANDLOCK_READ);
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

static int prepare(struct sock_fprog *out, void (*calls)(struct calls *out))
{
	struct calls list;

	calls(&list);
	return filter_init(out, list.tables, list.n);
}

int confine_init(struct confinement *confinement, bool may_lack)
{
	int r;

	*confinement = (struct confinement){.files = LANDLOCK_NONE, .may_lack = may_lack};
	r = prepare_files(&confinement->files);
	if (r < 0) {
		landlock_deinit(&confinement->files);
		r = lacks(confinement, "cannot prepare a list of files", r);
	}
	if (r < 0)
		return r;
	r = prepare(&confinement->supervisor, calls_supervisor);
	if (r == 0)
		r = prepare(&confinement->loading, calls_loading);
	if (r == 0)
		r = prepare(&confinement->loaded, calls_loaded);
	return r < 0 ? lacks(confinement, "cannot prepare lists of system calls", r) : 0;
}

void confine_deinit(struct confinement *confinement)
{
	landlock_deinit(&confinement->files);
	filter_deinit(&confinement->supervisor);
	filter_deinit(&confinement->loading);
	filter_deinit(&confinement->loaded);
}

int confine_supervisor(const struct confinement *confinement)
{
	int r = least_capabilities();

	if (r == 0)
		r = least_memory();
	if (r < 0)
		r = lacks(confinement, "cannot close itself up", r);
	/* What a sanitizer does at the end, to look for leaks, is beyond any list. */
	if (r < 0 || FILTER_SANITIZED)
		return r;
	if (confinement->files.fd >= 0)
		r = landlock_enter(&confinement->files);
	if (r < 0)
		r = lacks(confinement, "cannot confine itself to its files", r);
	if (r < 0)
		return r;
	r = filter_enter(&confinement->supervisor);
	return r < 0 ? lacks(confinement, "cannot confine itself to its system calls", r) : 0;
}

static int enter(const struct confinement *confinement, const struct sock_fprog *filter)
{
	int r = filter_enter(filter);

	return confinement->may_lack ? 0 : r;
}

int confine_loading(const struct confinement *confinement)
{
	return FILTER_SANITIZED ? 0 : enter(confinement, &confinement->loading);
}

int confine_loaded(const struct confinement *confinement)
{
	return enter(confinement, &confinement->loaded);
}
