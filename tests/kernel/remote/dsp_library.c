// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/kernel/remote/dsp_errors.h"
#include "tests/kernel/remote/dsp_module.h"
#include "tests/kernel/remote/dsp_state.h"

#define URI_SCHEME        "file:///"
#define SYMBOL_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
#define FILE_CHARACTERS   SYMBOL_CHARACTERS "-+."

static const struct dsp_builtin *const builtins[] = {&dsp_bench, &dsp_probe};

/* Take a name from the start of the text. Returns what is behind it; NULL: it is empty or long. */
static const char *take_name(char name[DSP_SYMBOL_MAX], const char *text, const char *characters)
{
	size_t n = strspn(text, characters);

	if (!n || n >= DSP_SYMBOL_MAX)
		return NULL;
	memcpy(name, text, n);
	name[n] = '\0';
	return text + n;
}

bool dsp_uri_parse(struct dsp_uri *uri, const char *text)
{
	if (strncmp(text, URI_SCHEME, strlen(URI_SCHEME)) != 0)
		return false;
	text = take_name(uri->file, text + strlen(URI_SCHEME), FILE_CHARACTERS);
	if (!text || *text != '?')
		return false;
	text = take_name(uri->entry, text + 1, SYMBOL_CHARACTERS);
	return text && (!*text || *text == '&');
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* A file of its own, which the loader takes for another library than any that is there. It stays
 * open as long as the library: the loader knows libraries by their paths too, and this one's is its
 * number. */
static int32_t link_library(struct dsp_library *library, const void *data, size_t size)
{
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	const char *why;
	int r;

	library->fd = memfd_create(library->file, MFD_CLOEXEC);
	r = library->fd < 0 ? -errno : write_all(library->fd, data, size);
	if (r < 0) {
		snprintf(library->text, sizeof(library->text), "no room for %s: %s", library->file,
			strerror(-r));
		return DSP_ENOMEMORY;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", library->fd);
	dsp_thread_loads(true);
	library->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	dsp_thread_loads(false);
	if (library->library)
		return AEE_SUCCESS;
	why = dlerror();
	snprintf(library->text, sizeof(library->text), "cannot load %s: %s", library->file,
		why ? why : "for no reason");
	return DSP_EUNABLETOLOAD;
}

static int32_t load(struct dsp_domain *domain, struct dsp_library *library)
{
	_cleanup_(freep) void *data = NULL;
	size_t size;
	int32_t r;

	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++) {
		if (!strcmp(builtins[i]->file, library->file)) {
			library->builtin = builtins[i];
			return AEE_SUCCESS;
		}
	}
	r = dsp_host_read_file(domain, library->file, &data, &size);
	if (r != AEE_SUCCESS) {
		snprintf(library->text, sizeof(library->text), "cannot open %s, errno 0x%x",
			library->file, (unsigned int)r);
		return DSP_EUNABLETOLOAD;
	}
	return link_library(library, data, size);
}

void dsp_library_free(struct dsp_library *library)
{
	dsp_thread_loads(true);
	if (library->library)
		dlclose(library->library);
	dsp_thread_loads(false);
	fd_close(library->fd);
	free(library);
}

void dsp_library_put(struct dsp_modules *modules, struct dsp_library *library)
{
	bool last;

	pthread_mutex_lock(&modules->lock);
	last = --library->users == 0;
	if (last)
		list_remove(&library->node);
	pthread_mutex_unlock(&modules->lock);
	if (last)
		dsp_library_free(library);
}

static struct dsp_library *library_new(const char *file)
{
	struct dsp_library *library = calloc(1, sizeof(*library));

	if (!library)
		return NULL;
	list_init(&library->node);
	snprintf(library->file, sizeof(library->file), "%s", file);
	library->loading = true;
	library->fd = -1;
	return library;
}

/* Under the lock. *@mine: the caller is to load it. */
static struct dsp_library *find_or_make(struct dsp_modules *modules, const char *file, bool *mine)
{
	struct dsp_library *library;

	*mine = false;
	list_for_each (library, &modules->libraries, node) {
		if (!strcmp(library->file, file)) {
			library->users++;
			return library;
		}
	}
	library = library_new(file);
	if (!library)
		return NULL;
	*mine = true;
	library->users++;
	list_append(&modules->libraries, &library->node);
	return library;
}

/* What could not be loaded is not found again: the next one tries for itself. */
static void loaded(struct dsp_modules *modules, struct dsp_library *library, int32_t error)
{
	pthread_mutex_lock(&modules->lock);
	library->error = error;
	library->loading = false;
	if (error != AEE_SUCCESS)
		list_remove(&library->node);
	pthread_cond_broadcast(&modules->loaded);
	pthread_mutex_unlock(&modules->lock);
}

int32_t dsp_library_get(struct dsp_domain *domain, struct dsp_modules *modules, const char *file,
	struct dsp_library **out, char text[DSP_TEXT_SIZE])
{
	struct dsp_library *library;
	int32_t error;
	bool mine;

	pthread_mutex_lock(&modules->lock);
	library = find_or_make(modules, file, &mine);
	while (library && library->loading && !mine)
		pthread_cond_wait(&modules->loaded, &modules->lock);
	pthread_mutex_unlock(&modules->lock);
	if (!library) {
		snprintf(text, DSP_TEXT_SIZE, "no memory for %s", file);
		return DSP_ENOMEMORY;
	}
	if (mine)
		loaded(modules, library, load(domain, library));
	error = library->error;
	if (error == AEE_SUCCESS) {
		*out = library;
		return AEE_SUCCESS;
	}
	memcpy(text, library->text, DSP_TEXT_SIZE);
	dsp_library_put(modules, library);
	return error;
}

dsp_module_fn *dsp_library_entry(const struct dsp_library *library, const char *entry)
{
	if (!library->builtin)
		return (dsp_module_fn *)dlsym(library->library, entry);
	return strcmp(library->builtin->entry, entry) == 0 ? library->builtin->invoke : NULL;
}
