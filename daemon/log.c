// SPDX-License-Identifier: MIT
#include "daemon/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/limits.h"
#include "protocol/clock.h"
#include "protocol/text.h"

#define LINE_SIZE 768 /* of a message, its NUL included; what is longer is cut */
#define NAME      "dspbrokerd: "

/* Set before there is a second thread. */
static void (*write_fields)(int level, const char *message, const char *const *fields, size_t n);

static const char *const level_names[] = {
	[LOG_ERR] = "error: ",
	[LOG_WARNING] = "warning: ",
	[LOG_NOTICE] = "",
	[LOG_INFO] = "",
	[LOG_DEBUG] = "debug: ",
};

static void to_journal(int level, const char *message, const char *const *fields, size_t n)
{
	struct iovec iov[LOG_FIELDS_MAX + 2];
	char text[LINE_SIZE + sizeof("MESSAGE=")], priority[] = "PRIORITY=0";

	snprintf(text, sizeof(text), "MESSAGE=%s", message);
	priority[sizeof(priority) - 2] = (char)('0' + level);
	iov[0] = (struct iovec){text, strlen(text)};
	iov[1] = (struct iovec){priority, strlen(priority)};
	/* Their sizes are told, so that nothing in a value can begin another field. */
	for (size_t i = 0; i < n; i++)
		iov[i + 2] = (struct iovec){(void *)fields[i], strlen(fields[i])};
	sd_journal_sendv(iov, (int)(n + 2));
}

/* In one go, so that lines of several threads do not mingle. There is nobody to tell if that
 * fails. */
static void write_stderr(const char *line, size_t size)
{
	if (write(STDERR_FILENO, line, size) < 0)
		return;
}

static void to_people(int level, const char *message, const char *const *fields, size_t n)
{
	char line[sizeof(NAME) + LINE_SIZE + 16];
	int size;

	(void)fields;
	(void)n;
	size = snprintf(line, sizeof(line), NAME "%s%s\n", level_names[level], message);
	write_stderr(line, (size_t)size);
}

/* RFC 3339, in UTC. */
static void put_time(FILE *out)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%FT%T", &tm);
	fprintf(out, "\"%s.%06ldZ\"", text, now.tv_nsec / 1000);
}

/* One object on a line of its own. Returns it, to be freed, or NULL. */
static char *make_json(int level, const char *message, const char *const *fields, size_t n,
	size_t *size)
{
	char *line = NULL;
	bool failed;
	FILE *out = open_memstream(&line, size);

	if (!out)
		return NULL;
	fputs("{\"time\":", out);
	put_time(out);
	fprintf(out, ",\"priority\":%d,\"message\":", level);
	text_json(out, message);
	for (size_t i = 0; i < n; i++) {
		const char *value = strchrnul(fields[i], '=');

		fprintf(out, ",\"%.*s\":", (int)(value - fields[i]), fields[i]);
		text_json(out, *value ? value + 1 : value);
	}
	fputs("}\n", out);
	failed = ferror(out);
	failed |= fclose(out) != 0;
	if (failed) {
		free(line);
		return NULL;
	}
	return line;
}

static void to_programs(int level, const char *message, const char *const *fields, size_t n)
{
	size_t size;
	char *line = n ? make_json(level, message, fields, n, &size) : NULL;

	if (line)
		write_stderr(line, size);
	else
		to_people(level, message, fields, n);
	free(line);
}

/* Did systemd connect stderr to the journal? systemd.exec(5): device and inode of that stream. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%ju:%ju", &device, &inode) != 2)
		return false;
	if (fstat(STDERR_FILENO, &st) < 0)
		return false;
	return st.st_dev == device && st.st_ino == inode;
}

void log_init(void)
{
	write_fields = is_journal() ? to_journal : isatty(STDERR_FILENO) ? to_people : to_programs;
}

void log_fields(int level, const char *message, const char *const *fields, size_t n)
{
	char text[LINE_SIZE];
	int saved = errno;

	text_show(text, sizeof(text), message);
	n = MIN(n, (size_t)LOG_FIELDS_MAX);
	if (write_fields == to_journal || level < LOG_DEBUG)
		(write_fields ? write_fields : to_people)(level, text, fields, n);
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
