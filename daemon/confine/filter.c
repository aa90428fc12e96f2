// SPDX-License-Identifier: MIT
#include "daemon/confine/filter.h"

#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "protocol/util.h"

/*
 * libseccomp takes a rule without an argument for the whole call, whatever other rules say of it. A
 * refusal of the whole call has to come after what allows some of it, so it asks for something that
 * is always true, and is the last that libseccomp asks: it begins with the last argument, and asks
 * for bits before it asks for an order. If it did not, more would be refused.
 */
static const struct scmp_arg_cmp always = {0, SCMP_CMP_GE, 0, 0};

/* What is said already stays: two refusals of the same differ in their errnos at most. */
static int add_rule(scmp_filter_ctx filter, const struct filter_rule *rule)
{
	uint32_t action = rule->error ? SCMP_ACT_ERRNO((uint16_t)rule->error) : SCMP_ACT_ALLOW;
	struct scmp_arg_cmp args[2];
	unsigned int n = 0;
	int r;

	if (rule->arg.op)
		args[n++] = rule->arg;
	if (rule->also.op)
		args[n++] = rule->also;
	if (!n && rule->error)
		args[n++] = always;
	r = seccomp_rule_add_array(filter, action, rule->number, n, args);
	return r == -EEXIST ? 0 : r;
}

static int add_table(scmp_filter_ctx filter, const struct filter_table *table, bool errors)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < table->n; i++)
		if (!table->rules[i].error == !errors)
			r = add_rule(filter, &table->rules[i]);
	return r;
}

/* libseccomp 2.5 gives its program to a descriptor only. */
static int export(struct sock_fprog *out, scmp_filter_ctx filter)
{
	_cleanup_(freep) struct sock_filter *program = NULL;
	_cleanup_(fd_closep) int fd = -1;
	off_t size;
	int r;

	fd = memfd_create("dspbroker-filter", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(filter, fd);
	if (r < 0)
		return r;
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return -errno;
	if (!size || size % (off_t)sizeof(*program) ||
		size / (off_t)sizeof(*program) > BPF_MAXINSNS)
		return -E2BIG;
	program = malloc((size_t)size);
	if (!program)
		return -ENOMEM;
	if (pread(fd, program, (size_t)size, 0) != size)
		return -EIO;
	out->len = (unsigned short)(size / (off_t)sizeof(*program));
	out->filter = TAKE_PTR(program);
	return 0;
}

int filter_init(struct sock_fprog *out, const struct filter_table *tables, size_t n)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	*out = (struct sock_fprog){};
	/* libseccomp has asked the kernel whether it can do that; Linux 4.14 and later can. */
	if (!filter)
		return -ENOSYS;
	/* Calls by the numbers of another architecture of this machine. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add_table(filter, &tables[i], false);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add_table(filter, &tables[i], true);
	if (r >= 0)
		r = export(out, filter);
	seccomp_release(filter);
	return r;
}

void filter_deinit(struct sock_fprog *filter)
{
	free(filter->filter);
	*filter = (struct sock_fprog){};
}

int filter_enter(const struct sock_fprog *filter)
{
	long r;

	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, filter);
	if (r < 0)
		return -errno;
	return r > 0 ? -EBUSY : 0; /* the number of a thread that has another filter */
}
