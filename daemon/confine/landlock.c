// SPDX-License-Identifier: MIT
#include "daemon/confine/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "protocol/util.h"

/*
 * What came after Linux 6.1, whose headers may be all that there is. From
 * include/uapi/linux/landlock.h of Linux 6.12; the versions of the interface are those of
 * Documentation/userspace-api/landlock.rst.
 */
#define FS_TRUNCATE         (1ull << 14) /* version 3 */
#define FS_IOCTL_DEV        (1ull << 15) /* version 5 */
#define NET_BIND_TCP        (1ull << 0)  /* version 4 */
#define NET_CONNECT_TCP     (1ull << 1)  /* version 4 */
#define SCOPE_ABSTRACT_UNIX (1ull << 0)  /* version 6 */
#define SCOPE_SIGNAL        (1ull << 1)  /* version 6 */

#define ABI_REFER     2
#define ABI_TRUNCATE  3
#define ABI_NET       4
#define ABI_IOCTL_DEV 5
#define ABI_SCOPE     6

/* struct landlock_ruleset_attr as it has grown. A kernel takes a longer one than it knows, as long
 * as the rest is 0. */
struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* version 4 */
	uint64_t scoped;             /* version 6 */
};

/* Rights that a rule on a file may have; the others are a folder's. */
#define OF_FILES                                                      \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
		LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

/* All of version 1. */
#define OF_FIRST_VERSION (LANDLOCK_ACCESS_FS_REFER - 1)

static const struct {
	enum landlock_right right;
	uint64_t access;
} meanings[] = {
	{LANDLOCK_READ, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR},
	{LANDLOCK_WRITE, LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE},
	{LANDLOCK_MAKE, LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
				LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				LANDLOCK_ACCESS_FS_REFER},
	{LANDLOCK_DEVICE, FS_IOCTL_DEV},
	{LANDLOCK_REMOVE, LANDLOCK_ACCESS_FS_REMOVE_FILE},
};

/* All that this kernel can refuse. */
static uint64_t known_access(int abi)
{
	uint64_t access = OF_FIRST_VERSION;

	if (abi >= ABI_REFER)
		access |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= ABI_TRUNCATE)
		access |= FS_TRUNCATE;
	if (abi >= ABI_IOCTL_DEV)
		access |= FS_IOCTL_DEV;
	return access;
}

int landlock_init(struct landlock *out)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset ruleset = {};
	long fd;

	*out = LANDLOCK_NONE;
	/* ENOSYS: built without it; EOPNOTSUPP: switched off when it was booted. */
	if (abi < 0)
		return errno == ENOSYS ? -EOPNOTSUPP : -errno;
	ruleset.handled_access_fs = known_access((int)abi);
	if (abi >= ABI_NET)
		ruleset.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= ABI_SCOPE)
		ruleset.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	fd = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	if (fd < 0)
		return -errno;
	*out = (struct landlock){.fd = (int)fd, .abi = (int)abi};
	return 0;
}

void landlock_deinit(struct landlock *landlock)
{
	fd_close(landlock->fd);
	*landlock = LANDLOCK_NONE;
}

int landlock_allow(struct landlock *landlock, const char *path, unsigned int rights)
{
	_cleanup_(fd_closep) int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (rights & meanings[i].right)
			rule.allowed_access |= meanings[i].access;
	rule.allowed_access &= known_access(landlock->abi);
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	/* A rule that allows nothing is refused by the kernel, and changes nothing. */
	if (!rule.allowed_access)
		return 0;
	if (syscall(SYS_landlock_add_rule, landlock->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

int landlock_enter(const struct landlock *landlock)
{
	return syscall(SYS_landlock_restrict_self, landlock->fd, 0) < 0 ? -errno : 0;
}
