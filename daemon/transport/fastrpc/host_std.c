// SPDX-License-Identifier: MIT
/*
 * apps_std: the host's files and environment, as far as they are the domain's (files.h). Numbers
 * and layouts are those of github.com/qualcomm/fastrpc, idl/apps_std.idl and src/apps_std_skel.c,
 * and agree with github.com/linux-msm/hexagonrpc, hexagonrpcd/interfaces/apps_std.def, as far as
 * that goes. What a method answers is as in src/apps_std_imp.c of the former; an error is an errno,
 * positive.
 */
#include <limits.h>
#include <string.h>

#include "daemon/transport/fastrpc/files.h"
#include "daemon/transport/fastrpc/host.h"
#include "protocol/util.h"

/* struct DIRENT: a u32 and that; both are followed by whether there was none. */
#define ENTRY_NAME_SIZE 255
#define ENTRY_SIZE      260

/* Arguments. */

struct text {
	const char *data; /* not terminated; NULL: it is none */
	size_t size;
};

/* Input @i, whose size is said by @word, too: the smaller one counts. */
static struct text text_of(struct host_call *call, unsigned int word, unsigned int i)
{
	struct text text;

	call->in[i].size = MIN(call->in[i].size, host_word(call, word));
	text.data = host_string(call, i, &text.size);
	if (!text.data)
		text.size = 0;
	return text;
}

static bool is(struct text text, const char *expected)
{
	return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

/* The number of a file; one that there cannot be becomes one that there is not. */
static int file_of(const struct host_call *call, unsigned int word)
{
	uint32_t number = host_word(call, word);

	return number > INT_MAX ? 0 : (int)number;
}

/* struct DIR: 64 bits. */
static int folder_of(const struct host_call *call)
{
	return host_word(call, 1) ? 0 : file_of(call, 0);
}

static void put_wide(struct host_call *call, unsigned int word, uint64_t value)
{
	host_put_word(call, word, (uint32_t)value);
	host_put_word(call, word + 1, (uint32_t)(value >> 32));
}

/* What the DSP is told. */
static uint32_t answer(int64_t r)
{
	return r < 0 ? (uint32_t)-r : AEE_SUCCESS;
}

/* The same, when the right to a name may have been missing: its administrator wants to know. */
static uint32_t answer_on(struct host *host, int r, struct text name)
{
	static const char refused[] = "no right to ";
	char line[sizeof(refused) + FILES_NAME_MAX];
	size_t size = sizeof(refused) - 1;

	if (r == -EACCES || r == -ELOOP || r == -EXDEV) {
		memcpy(line, refused, size);
		memcpy(line + size, name.data, MIN(name.size, FILES_NAME_MAX));
		host_log_line(host, line, size + MIN(name.size, FILES_NAME_MAX));
	}
	return answer(r);
}

static uint32_t refuse(struct host *host, struct host_call *call)
{
	(void)host;
	(void)call;
	return AEE_EUNSUPPORTED;
}

/* Opening and closing. */

/* That of fopen(3), of which only these can be answered. */
static int parse_mode(struct text mode, enum files_mode *out)
{
	bool update = false;

	for (size_t i = 1; i < mode.size; i++) {
		if (mode.data[i] != '+' && mode.data[i] != 'b')
			return -EINVAL;
		update = update || mode.data[i] == '+';
	}
	switch (mode.size ? mode.data[0] : 0) {
	case 'r':
		*out = update ? FILES_UPDATE : FILES_READ;
		return 0;
	case 'w':
		*out = FILES_WRITE;
		return 0;
	case 'a':
		*out = FILES_APPEND;
		return 0;
	default:
		return -EINVAL;
	}
}

static uint32_t open_file(struct host *host, struct host_call *call, struct text name,
	struct text mode)
{
	enum files_mode parsed;
	int r = parse_mode(mode, &parsed);

	if (r == 0)
		r = files_open(host->files, name.data, name.size, parsed);
	if (r > 0)
		host_put_word(call, 0, (uint32_t)r);
	return answer_on(host, r, name);
}

/* In: sizes of name and mode. Out: the file. */
static uint32_t std_fopen(struct host *host, struct host_call *call)
{
	return open_file(host, call, text_of(call, 0, 1), text_of(call, 1, 2));
}

/* In: sizes of variable, delimiter, name and mode. Which variable holds the directories, and what
 * is between them, is the same to us: policy knows them. */
static uint32_t std_fopen_with_env(struct host *host, struct host_call *call)
{
	return open_file(host, call, text_of(call, 2, 3), text_of(call, 3, 4));
}

static uint32_t std_fclose(struct host *host, struct host_call *call)
{
	return answer(files_close(host->files, file_of(call, 0)));
}

/* Reading and writing. */

/* In: file, size. Out: how much was read, and whether that was the end. */
static uint32_t std_fread(struct host *host, struct host_call *call)
{
	size_t size = MIN(host_word(call, 1), call->out[1].size);
	ssize_t n = files_read(host->files, file_of(call, 0), call->out[1].data, size);

	if (n < 0)
		return answer(n);
	host_put_word(call, 0, (uint32_t)n);
	host_put_word(call, 1, (size_t)n < size);
	return AEE_SUCCESS;
}

/* In: file, size. Out: how much was written, and what is never true of that. */
static uint32_t std_fwrite(struct host *host, struct host_call *call)
{
	size_t size = MIN(host_word(call, 1), call->in[1].size);
	ssize_t n = files_write(host->files, file_of(call, 0), call->in[1].data, size);

	if (n > 0)
		host_put_word(call, 0, (uint32_t)n);
	return answer(n);
}

/* What was written is with the kernel already. */
static uint32_t std_fflush(struct host *host, struct host_call *call)
{
	return answer(files_length(host->files, file_of(call, 0)));
}

static uint32_t std_fsync(struct host *host, struct host_call *call)
{
	return answer(files_sync(host->files, file_of(call, 0)));
}

/* In: file, offset (signed), and whence, which counts as <stdio.h> does. */
static uint32_t std_fseek(struct host *host, struct host_call *call)
{
	int32_t offset = (int32_t)host_word(call, 1);

	return answer(files_seek(host->files, file_of(call, 0), offset,
		(int)MIN(host_word(call, 2), INT_MAX)));
}

static uint32_t std_rewind(struct host *host, struct host_call *call)
{
	return answer(files_seek(host->files, file_of(call, 0), 0, SEEK_SET));
}

static uint32_t std_ftell(struct host *host, struct host_call *call)
{
	int64_t position = files_seek(host->files, file_of(call, 0), 0, SEEK_CUR);

	if (position > INT32_MAX)
		return EOVERFLOW;
	if (position >= 0)
		host_put_word(call, 0, (uint32_t)position);
	return answer(position);
}

static uint32_t std_flen(struct host *host, struct host_call *call)
{
	int64_t length = files_length(host->files, file_of(call, 0));

	if (length >= 0)
		put_wide(call, 0, (uint64_t)length);
	return answer(length);
}

static uint32_t std_feof(struct host *host, struct host_call *call)
{
	int64_t length = files_length(host->files, file_of(call, 0));

	if (length >= 0)
		host_put_word(call, 0,
			files_seek(host->files, file_of(call, 0), 0, SEEK_CUR) >= length);
	return answer(length);
}

/* In, behind the method: file, size (signed). */
static uint32_t std_ftrunc(struct host *host, struct host_call *call)
{
	uint32_t size = host_word(call, 2);

	if (size > INT32_MAX)
		return EINVAL;
	return answer(files_truncate(host->files, file_of(call, 1), size));
}

/* Names. In: the size of each. */

/* Out: one byte. */
static uint32_t std_file_exists(struct host *host, struct host_call *call)
{
	struct text name = text_of(call, 0, 1);
	struct stat info;

	call->out[0].data[0] = files_stat(host->files, name.data, name.size, &info) == 0;
	return AEE_SUCCESS;
}

/* Behind the method. Out: struct STAT, whose first 64 bits mean nothing. */
static uint32_t std_stat(struct host *host, struct host_call *call)
{
	struct text name = text_of(call, 1, 1);
	struct stat info;
	int r = files_stat(host->files, name.data, name.size, &info);

	if (r < 0)
		return answer_on(host, r, name);
	put_wide(call, 2, info.st_dev);
	put_wide(call, 4, info.st_ino);
	host_put_word(call, 6, info.st_mode);
	host_put_word(call, 7, (uint32_t)info.st_nlink);
	put_wide(call, 8, info.st_rdev);
	put_wide(call, 10, (uint64_t)info.st_size);
	put_wide(call, 12, (uint64_t)info.st_atim.tv_sec);
	put_wide(call, 14, (uint64_t)info.st_atim.tv_nsec);
	put_wide(call, 16, (uint64_t)info.st_mtim.tv_sec);
	put_wide(call, 18, (uint64_t)info.st_mtim.tv_nsec);
	put_wide(call, 20, (uint64_t)info.st_ctim.tv_sec);
	put_wide(call, 22, (uint64_t)info.st_ctim.tv_nsec);
	return AEE_SUCCESS;
}

static uint32_t std_fremove(struct host *host, struct host_call *call)
{
	struct text name = text_of(call, 0, 1);

	return answer_on(host, files_remove(host->files, name.data, name.size), name);
}

/* Behind the method: the old one, the new one. */
static uint32_t std_frename(struct host *host, struct host_call *call)
{
	struct text old = text_of(call, 1, 1), new = text_of(call, 2, 2);
	int r = files_rename(host->files, old.data, old.size, new.data, new.size);

	return answer_on(host, r, old);
}

/* A mode comes behind it; whose folders are whose is the host's to say. */
static uint32_t std_mkdir(struct host *host, struct host_call *call)
{
	struct text name = text_of(call, 0, 1);

	return answer_on(host, files_make_folder(host->files, name.data, name.size), name);
}

static uint32_t std_rmdir(struct host *host, struct host_call *call)
{
	struct text name = text_of(call, 0, 1);

	return answer_on(host, files_remove_folder(host->files, name.data, name.size), name);
}

/* Folders. */

/* In: the name's size. Out: struct DIR. */
static uint32_t std_opendir(struct host *host, struct host_call *call)
{
	struct text name = text_of(call, 0, 1);
	int r = files_open_folder(host->files, name.data, name.size);

	if (r > 0)
		put_wide(call, 0, (uint64_t)r);
	return answer_on(host, r, name);
}

static uint32_t std_closedir(struct host *host, struct host_call *call)
{
	return answer(files_close_folder(host->files, folder_of(call)));
}

/* Names that there is no room for are passed over: cut off, they would be others. */
static uint32_t std_readdir(struct host *host, struct host_call *call)
{
	const struct dirent *entry;
	int r;

	do
		r = files_read_folder(host->files, folder_of(call), &entry);
	while (r == 0 && entry && strlen(entry->d_name) >= ENTRY_NAME_SIZE);
	if (r < 0)
		return answer(r);
	if (entry) {
		host_put_word(call, 0, (uint32_t)entry->d_ino);
		memcpy(call->out[0].data + sizeof(uint32_t), entry->d_name,
			strlen(entry->d_name) + 1);
	}
	host_put_word(call, ENTRY_SIZE / sizeof(uint32_t), !entry);
	return AEE_SUCCESS;
}

/* Environment. */

/* In: the size of the string. */
static uint32_t std_print_string(struct host *host, struct host_call *call)
{
	struct text text = text_of(call, 0, 1);

	if (!text.data)
		return AEE_EBADPARM;
	host_log_line(host, text.data, text.size);
	return AEE_SUCCESS;
}

/* In: sizes of name and value. Out: the size that the value needs, with its NUL. Nothing is set but
 * the one that a DSP takes for granted, and that is empty. */
static uint32_t std_getenv(struct host *host, struct host_call *call)
{
	(void)host;
	if (!is(text_of(call, 0, 1), "ADSP_LIBRARY_PATH"))
		return AEE_ENOSUCH;
	host_put_word(call, 0, 1);
	return AEE_SUCCESS;
}

/* In: sizes of variable and delimiter, number of paths, and for each its size; one output for each.
 * Where the host's directories are is not the DSP's to know, so there are none: two zeros. */
static uint32_t std_get_search_paths(struct host *host, struct host_call *call)
{
	(void)host;
	(void)call;
	return AEE_SUCCESS;
}

#define METHOD(n, n_in, n_out, in, out, function)                                           \
	{                                                                                   \
		.number = (n), .scalars = FASTRPC_SCALARS(0, n_in, n_out), .in_size = (in), \
		.out_size = (out), .serve = (function)                                      \
	}

/* freopen() is nothing that opening and closing are not. The last three want a file as memory that
 * the DSP has, under a descriptor of ours, and are younger than the rest: it can do without. */
static const struct host_method methods[] = {
	METHOD(0, 3, 1, 8, 4, std_fopen),
	METHOD(1, 3, 1, 12, 4, refuse),
	METHOD(2, 1, 0, 4, 0, std_fflush),
	METHOD(3, 1, 0, 4, 0, std_fclose),
	METHOD(4, 1, 2, 8, 8, std_fread),
	METHOD(5, 2, 1, 8, 8, std_fwrite),
	METHOD(8, 1, 1, 4, 4, std_ftell),
	METHOD(9, 1, 0, 12, 0, std_fseek),
	METHOD(10, 1, 1, 4, 8, std_flen),
	METHOD(11, 1, 0, 4, 0, std_rewind),
	METHOD(12, 1, 1, 4, 4, std_feof),
	METHOD(15, 2, 0, 4, 0, std_print_string),
	METHOD(16, 2, 2, 8, 4, std_getenv),
	METHOD(19, 5, 1, 16, 4, std_fopen_with_env),
	{
		.number = 21,
		.scalars = FASTRPC_SCALARS(0, 4, 1),
		.in_size = 12,
		.out_size = 6,
		.more_outputs = true,
		.serve = std_get_search_paths,
	},
	METHOD(22, 2, 1, 4, 1, std_file_exists),
	METHOD(23, 1, 0, 4, 0, std_fsync),
	METHOD(24, 2, 0, 4, 0, std_fremove),
	METHOD(26, 2, 1, 4, 8, std_opendir),
	METHOD(27, 1, 0, 8, 0, std_closedir),
	METHOD(28, 1, 1, 8, ENTRY_SIZE + 4, std_readdir),
	METHOD(29, 2, 0, 8, 0, std_mkdir),
	METHOD(30, 2, 0, 4, 0, std_rmdir),
	METHOD(31, 2, 1, 8, 96, std_stat),
	METHOD(32, 1, 0, 12, 0, std_ftrunc),
	METHOD(33, 3, 0, 12, 0, std_frename),
	METHOD(34, 3, 1, 12, 8, refuse),
	METHOD(35, 1, 0, 8, 0, refuse),
	METHOD(36, 5, 1, 20, 8, refuse),
};

const struct host_interface host_std = {
	.name = "apps_std",
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};
