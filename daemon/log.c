// SPDX-License-Identifier: MIT
#include "daemon/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/limits.h"
#include "protocol/clock.h"

#define LINE_SIZE  512
#define FIELDS_MAX 16

static bool to_journal;

static const char *const level_names[] = {
	[LOG_ERR] = "error: ",
	[LOG_WARNING] = "warning: ",
	[LOG_NOTICE] = "",
	[LOG_INFO] = "",
	[LOG_DEBUG] = "debug: ",
};

void log_init(void)
{
	/* systemd.exec(5): device and inode of the stream that it connected to the journal */
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%ju:%ju", &device, &inode) != 2)
		return;
	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	to_journal = st.st_dev == device && st.st_ino == inode;
}

void log_fields(int level, const char *message, const char *const *fields, size_t n)
{
	struct iovec iov[FIELDS_MAX + 2];
	char text[LINE_SIZE + sizeof("MESSAGE=")], priority[] = "PRIORITY=0";
	int saved = errno;

	if (!to_journal) {
		if (level < LOG_DEBUG)
			fprintf(stderr, "dspbrokerd: %s%s\n", level_names[level], message);
		errno = saved;
		return;
	}
	snprintf(text, sizeof(text), "MESSAGE=%s", message);
	priority[sizeof(priority) - 2] = (char)('0' + level);
	iov[0] = (struct iovec){text, strlen(text)};
	iov[1] = (struct iovec){priority, strlen(priority)};
	n = MIN(n, (size_t)FIELDS_MAX);
	for (size_t i = 0; i < n; i++)
		iov[i + 2] = (struct iovec){(void *)fields[i], strlen(fields[i])};
	sd_journal_sendv(iov, (int)(n + 2));
	errno = saved;
}

void log_line(int level, const char *format, ...)
{
	int saved = errno;
	char message[LINE_SIZE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	log_fields(level, message, NULL, 0);
	errno = saved;
}

bool log_allowed(struct log_bucket *bucket, uint64_t now_us, unsigned int *suppressed)
{
	uint64_t tokens = (now_us - bucket->refilled_us) / LOG_INTERVAL_US;

	if (tokens) {
		bucket->spent -= (unsigned int)MIN(tokens, (uint64_t)bucket->spent);
		bucket->refilled_us += tokens * LOG_INTERVAL_US;
	}
	if (bucket->spent >= LOG_BURST) {
		bucket->suppressed++;
		return false;
	}
	bucket->spent++;
	*suppressed = bucket->suppressed;
	bucket->suppressed = 0;
	return true;
}

bool log_shared_allowed(struct log_shared *shared, unsigned int *suppressed)
{
	bool allowed;

	pthread_mutex_lock(&shared->lock);
	allowed = log_allowed(&shared->bucket, clock_us(), suppressed);
	pthread_mutex_unlock(&shared->lock);
	return allowed;
}

bool log_quiet(const struct log_bucket *bucket, uint64_t now_us)
{
	return (now_us - bucket->refilled_us) / LOG_INTERVAL_US >= bucket->spent;
}
