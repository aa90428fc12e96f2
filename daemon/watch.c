// SPDX-License-Identifier: MIT
#include "daemon/watch.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "daemon/broker.h"
#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/reload.h"
#include "policy/policy.h"

/* A file is complete when it is closed, or moved to its place. */
#define FILE_EVENTS \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MOVE_SELF | IN_ONLYDIR)

struct watch {
	struct broker *broker;
	int inotify;
	struct loop_source source;
	struct deadline settled; /* editors and packages change more than one file */
};

static int add(struct watch *watch, const char *dir)
{
	int r;

	if (inotify_add_watch(watch->inotify, dir, FILE_EVENTS) >= 0)
		return 0;
	r = -errno;
	if (r == -ENOENT)
		log_warning("%s does not exist, so it is not watched; reload the policy by hand "
			    "when you have made it",
			dir);
	else
		log_error("cannot watch %s: %s", dir, strerror(-r));
	return r == -ENOENT ? 0 : r;
}

static int add_all(struct watch *watch)
{
	const char *dir = watch->broker->options->policy_dir;
	int r = add(watch, dir ? dir : POLICY_DIR_VENDOR);

	return r == 0 && !dir ? add(watch, POLICY_DIR_ADMIN) : r;
}

static void settled(struct deadline *deadline)
{
	struct watch *watch = container_of(deadline, struct watch, settled);

	if (watch->broker->stopping)
		return;
	add_all(watch); /* a directory may be another one by now */
	reload_begin(watch->broker, NULL, 0);
}

/* What changed is not asked: all is read again. */
static void on_events(struct loop_source *source, uint32_t events)
{
	struct watch *watch = container_of(source, struct watch, source);
	struct broker *broker = watch->broker;
	char buffer[4096];
	bool any = false;

	(void)events;
	while (read(watch->inotify, buffer, sizeof(buffer)) > 0)
		any = true;
	if (!any)
		return;
	deadline_clear(&broker->deadlines, &watch->settled);
	broker_deadline(broker, &watch->settled, WATCH_SETTLE_US, settled);
}

DEFINE_CLEANUP(struct watch *, watch_free);

int watch_new(struct watch **out, struct broker *broker)
{
	_cleanup_(watch_freep) struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->broker = broker;
	watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->inotify < 0)
		return -errno;
	r = add_all(watch);
	if (r == 0)
		r = loop_add(broker->loop, &watch->source, watch->inotify, EPOLLIN, on_events);
	if (r < 0)
		return r;
	*out = TAKE_PTR(watch);
	return 0;
}

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	deadline_clear(&watch->broker->deadlines, &watch->settled);
	loop_remove(&watch->source);
	fd_close(watch->inotify);
	free(watch);
	return NULL;
}
