// SPDX-License-Identifier: MIT
/*
 * What a DSP's software calls at its host, beyond what dsp.h promises: apps_std and apps_mem. Each
 * returns what the host said, AEE_SUCCESS or a number of its choice, and writes its results on
 * success only. Any thread of the domain may call.
 */
#ifndef DSP_REMOTE_DSP_HOST_H
#define DSP_REMOTE_DSP_HOST_H

#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/remote/dsp.h"

#define DSP_HOST_INTERFACES_MAX 8
#define DSP_HOST_NAME_SIZE      32

/* Interfaces of the host that a domain has opened. */
struct dsp_host_handles {
	pthread_mutex_t lock; /* held while the host is asked, so that it is asked once */
	size_t n;
	struct {
		char name[DSP_HOST_NAME_SIZE];
		uint32_t handle;
	} open[DSP_HOST_INTERFACES_MAX];
};

/* A file is a number of the host's, and so is a directory. */
int32_t dsp_host_fopen(struct dsp_domain *domain, const char *name, const char *mode,
	uint32_t *file);
int32_t dsp_host_fopen_with_env(struct dsp_domain *domain, const char *variable, const char *name,
	const char *mode, uint32_t *file);
int32_t dsp_host_fclose(struct dsp_domain *domain, uint32_t file);
/* *@n bytes at most @size; *@end (may be NULL) when the file ended. */
int32_t dsp_host_fread(struct dsp_domain *domain, uint32_t file, void *data, uint32_t size,
	uint32_t *n, bool *end);
int32_t dsp_host_fwrite(struct dsp_domain *domain, uint32_t file, const void *data, uint32_t size,
	uint32_t *n);
int32_t dsp_host_fseek(struct dsp_domain *domain, uint32_t file, int32_t offset, uint32_t whence);
int32_t dsp_host_flen(struct dsp_domain *domain, uint32_t file, uint64_t *size);
int32_t dsp_host_ftruncate(struct dsp_domain *domain, uint32_t file, int32_t size);

int32_t dsp_host_exists(struct dsp_domain *domain, const char *name, bool *exists);
int32_t dsp_host_remove(struct dsp_domain *domain, const char *name);
int32_t dsp_host_rename(struct dsp_domain *domain, const char *from, const char *to);
int32_t dsp_host_mkdir(struct dsp_domain *domain, const char *name, uint32_t mode);
int32_t dsp_host_rmdir(struct dsp_domain *domain, const char *name);
int32_t dsp_host_stat(struct dsp_domain *domain, const char *name, uint64_t *size, uint32_t *mode);

#define DSP_HOST_ENTRY_SIZE 256
int32_t dsp_host_opendir(struct dsp_domain *domain, const char *name, uint64_t *dir);
int32_t dsp_host_closedir(struct dsp_domain *domain, uint64_t dir);
/* @entry: the next, NUL-terminated; "" and *@end when there is none. */
int32_t dsp_host_readdir(struct dsp_domain *domain, uint64_t dir, char entry[DSP_HOST_ENTRY_SIZE],
	bool *end);

/* *@required: bytes of the value with its NUL, which may be more than @size. */
int32_t dsp_host_getenv(struct dsp_domain *domain, const char *name, char *value, uint32_t size,
	uint32_t *required);
int32_t dsp_host_shrink(struct dsp_domain *domain, uint64_t address, uint64_t size);

#endif
