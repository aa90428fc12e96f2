// SPDX-License-Identifier: MIT
#include "tests/kernel/probing.h"

#include <string.h>

struct dspbroker_arg probe_text(const char *text)
{
	return (struct dspbroker_arg){
		.data = (char *)(uintptr_t)text, .length = (uint32_t)strlen(text)};
}

struct dspbroker_arg probe_bytes(const void *data, uint32_t size)
{
	return (struct dspbroker_arg){.data = (void *)(uintptr_t)data, .length = size};
}

struct probe_result probe(struct dspbroker_session *session, enum probe_method method, char *answer,
	unsigned int n_in, const struct dspbroker_arg *in)
{
	struct probe_result result = {.result = -1};
	struct dspbroker_arg args[8];

	memcpy(args, in, n_in * sizeof(*in));
	args[n_in] = probe_bytes(&result, sizeof(result));
	args[n_in + 1] = probe_bytes(answer, answer ? PROBE_ANSWER : 0);
	require_eq(dspbroker_invoke(session,
			   &(struct dspbroker_call){
				   .method = method, .n_in = n_in, .n_out = 2, .args = args},
			   NULL),
		0);
	return result;
}

struct probe_result probe_of(struct dspbroker_session *session, enum probe_method method,
	const char *name)
{
	const struct dspbroker_arg in[] = {probe_text(name)};
	char answer[PROBE_ANSWER];

	return probe(session, method, answer, 1, in);
}

struct probe_result probe_write(struct dspbroker_session *session, const char *name,
	const char *mode, const void *data, uint32_t size)
{
	const struct dspbroker_arg in[] = {
		probe_text(name), probe_bytes(data, size), probe_text(mode)};

	return probe(session, PROBE_WRITE, NULL, 3, in);
}

struct probe_result probe_of_two(struct dspbroker_session *session, enum probe_method method,
	const char *name, const char *other)
{
	const struct dspbroker_arg in[] = {probe_text(name), probe_text(other)};

	return probe(session, method, NULL, 2, in);
}

struct probe_result probe_with_number(struct dspbroker_session *session, enum probe_method method,
	uint32_t number, const char *name)
{
	const struct dspbroker_arg in[] = {probe_bytes(&number, sizeof(number)), probe_text(name)};

	return probe(session, method, NULL, 2, in);
}

void probe_must_read(struct dspbroker_session *session, const char *name, const char *expected)
{
	const struct dspbroker_arg in[] = {probe_text(name)};
	char answer[PROBE_ANSWER] = "";
	struct probe_result result = probe(session, PROBE_READ, answer, 1, in);

	if (result.result != 0 || result.n != strlen(expected) ||
		memcmp(answer, expected, result.n) != 0)
		harness_fail(__FILE__, __LINE__, "%s: %d, \"%.*s\"", name, result.result,
			(int)result.n, answer);
}

void probe_must_not(struct dspbroker_session *session, enum probe_method method, const char *name,
	int error)
{
	struct probe_result result = probe_of(session, method, name);

	if (result.result != error || result.n != 0 || result.value != 0)
		harness_fail(__FILE__, __LINE__, "method %d, %s: %d, %u bytes", method, name,
			result.result, result.n);
}
