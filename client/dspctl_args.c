// SPDX-License-Identifier: MIT
#include "client/dspctl_args.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct dspctl_type types[] = {
	{"i32", 4, DSPCTL_SIGNED},
	{"u32", 4, DSPCTL_UNSIGNED},
	{"i64", 8, DSPCTL_SIGNED},
	{"u64", 8, DSPCTL_UNSIGNED},
	{"u8", 1, DSPCTL_UNSIGNED},
	{"f32", 4, DSPCTL_FLOAT},
	{"f64", 8, DSPCTL_FLOAT},
};

static const struct dspctl_type *type_find(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].name) == length && memcmp(types[i].name, name, length) == 0)
			return &types[i];
	return NULL;
}

_printf_(2, 3) static int refuse(char error[DSPCTL_ERROR_SIZE], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(error, DSPCTL_ERROR_SIZE, format, ap);
	va_end(ap);
	return -EINVAL;
}

/* strtoull(3) and its kin also take white space, a plus and octal numbers; we do not. */
static int number_base(const char *text)
{
	text += *text == '-';
	if (!isdigit((unsigned char)*text))
		return 0;
	return text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
}

int dspctl_integer_parse(int64_t *out, const char *text, int64_t min, int64_t max)
{
	const int base = number_base(text);
	long long value;
	char *end;

	if (base == 0)
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, base);
	if (*end)
		return -EINVAL;
	if (errno == ERANGE || value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

static int unsigned_bits(uint64_t *out, const char *text, uint64_t max)
{
	const int base = number_base(text);
	unsigned long long value;
	char *end;

	if (base == 0)
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, base);
	if (*end)
		return -EINVAL;
	if (errno == ERANGE || *text == '-' || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

static int signed_bits(uint64_t *out, const char *text, uint64_t unsigned_max)
{
	const int64_t max = (int64_t)(unsigned_max >> 1);
	int64_t value;
	int r;

	r = dspctl_integer_parse(&value, text, -max - 1, max);
	if (r == 0)
		*out = (uint64_t)value;
	return r;
}

/* Too large is an error, too small becomes 0 or a subnormal, as in a C program's source. */
static int float_bits(uint64_t *out, const char *text, size_t size)
{
	uint32_t narrow_bits;
	double value;
	float narrow;
	char *end;

	if (*text == '\0' || isspace((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = size == sizeof(float) ? (double)strtof(text, &end) : strtod(text, &end);
	if (end == text || *end)
		return -EINVAL;
	if (errno == ERANGE && isinf(value))
		return -ERANGE;
	if (size == sizeof(value)) {
		memcpy(out, &value, sizeof(value));
		return 0;
	}
	narrow = (float)value;
	memcpy(&narrow_bits, &narrow, sizeof(narrow));
	*out = narrow_bits;
	return 0;
}

static int number_bits(uint64_t *out, const struct dspctl_type *type, const char *text)
{
	const uint64_t max = UINT64_MAX >> (64 - 8 * type->size);

	switch (type->kind) {
	case DSPCTL_SIGNED:
		return signed_bits(out, text, max);
	case DSPCTL_UNSIGNED:
		return unsigned_bits(out, text, max);
	case DSPCTL_FLOAT:
		break;
	}
	return float_bits(out, text, type->size);
}

static void bits_store(unsigned char *out, uint64_t bits, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (unsigned char)(bits >> (8 * i));
}

struct dspctl_number dspctl_number_load(const struct dspctl_type *type, const void *bytes)
{
	const unsigned int unused = 64 - 8 * (unsigned int)type->size;
	struct dspctl_number number = {.kind = type->kind};
	const unsigned char *in = bytes;
	uint64_t bits = 0;
	uint32_t narrow_bits;
	float narrow;

	for (size_t i = 0; i < type->size; i++)
		bits |= (uint64_t)in[i] << (8 * i);
	number.u = bits;
	if (type->kind == DSPCTL_SIGNED)
		number.i = (int64_t)(bits << unused) >> unused;
	if (type->kind == DSPCTL_FLOAT && type->size == sizeof(narrow)) {
		narrow_bits = (uint32_t)bits;
		memcpy(&narrow, &narrow_bits, sizeof(narrow));
		number.f = (double)narrow;
	}
	return number;
}

/* With as few digits as tell the number from all others. */
static void float_format(size_t size, double number, char out[DSPCTL_NUMBER_SIZE])
{
	const int digits_max = size == sizeof(float) ? 9 : 17;
	bool same = false;

	for (int digits = 1; digits <= digits_max && !same; digits++) {
		snprintf(out, DSPCTL_NUMBER_SIZE, "%.*g", digits, number);
		same = number ==
		       (size == sizeof(float) ? (double)strtof(out, NULL) : strtod(out, NULL));
	}
}

void dspctl_number_format(const struct dspctl_type *type, struct dspctl_number number,
	char out[DSPCTL_NUMBER_SIZE])
{
	if (number.kind == DSPCTL_SIGNED)
		snprintf(out, DSPCTL_NUMBER_SIZE, "%" PRId64, number.i);
	else if (number.kind == DSPCTL_UNSIGNED)
		snprintf(out, DSPCTL_NUMBER_SIZE, "%" PRIu64, number.u);
	else
		float_format(type->size, number.f, out);
}

static size_t count_of(const char *text, char wanted)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == wanted;
	return n;
}

static int parse_numbers(struct dspctl_arg *out, const struct dspctl_type *type, const char *text,
	char error[DSPCTL_ERROR_SIZE])
{
	const size_t count = *text ? count_of(text, ',') + 1 : 0;
	_cleanup_(freep) unsigned char *data = calloc(count + 1, type->size);
	_cleanup_(freep) char *copy = strdup(text);
	char *rest = copy, *item;
	uint64_t bits = 0;
	int r;

	if (!data || !copy)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		item = strsep(&rest, ",");
		r = number_bits(&bits, type, item);
		if (r == -ERANGE)
			return refuse(error, "%.40s does not fit into %s", item, type->name);
		if (r < 0)
			return refuse(error, "\"%.40s\" is no number of type %s", item, type->name);
		bits_store(data + i * type->size, bits, type->size);
	}
	if (__builtin_mul_overflow(count, type->size, &out->length))
		return refuse(error, "more than 4 GiB");
	out->data = TAKE_PTR(data);
	return 0;
}

int dspctl_hex_digit(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = memchr(digits, tolower((unsigned char)digit), sizeof(digits) - 1);

	return found ? (int)(found - digits) : -1;
}

static int parse_hex(struct dspctl_arg *out, const char *text, char error[DSPCTL_ERROR_SIZE])
{
	const size_t n_digits = strlen(text);
	_cleanup_(freep) unsigned char *data = calloc(1, n_digits / 2 + 1);
	int digit;

	if (!data)
		return -ENOMEM;
	if (n_digits % 2)
		return refuse(error, "an odd number of hexadecimal digits");
	if (n_digits / 2 > UINT32_MAX)
		return refuse(error, "more than 4 GiB");
	for (size_t i = 0; i < n_digits; i++) {
		digit = dspctl_hex_digit(text[i]);
		if (digit < 0)
			return refuse(error, "'%c' is no hexadecimal digit", text[i]);
		data[i / 2] = (unsigned char)(data[i / 2] << 4 | digit);
	}
	out->length = (uint32_t)(n_digits / 2);
	out->data = TAKE_PTR(data);
	return 0;
}

static int parse_text(struct dspctl_arg *out, const char *text, char error[DSPCTL_ERROR_SIZE])
{
	const size_t length = strlen(text);

	if (length > UINT32_MAX)
		return refuse(error, "more than 4 GiB");
	out->data = (unsigned char *)strdup(text);
	if (!out->data)
		return -ENOMEM;
	out->length = (uint32_t)length;
	return 0;
}

/* What follows "out:" and begins with a digit: N, N>FILE; N may end in K, M or G. */
static int parse_output_bytes(struct dspctl_arg *out, const char *text,
	char error[DSPCTL_ERROR_SIZE])
{
	static const char units[] = "KMG";
	const char *target = strchr(text, '>'), *unit;
	_cleanup_(freep) char *number = strndup(text, strcspn(text, ">"));
	unsigned int shift = 0;
	int64_t value;
	size_t length;

	if (!number)
		return -ENOMEM;
	length = strlen(number);
	unit = strchr(units, number[length - 1]);
	if (unit) {
		shift = 10 * (unsigned int)(unit - units + 1);
		number[length - 1] = '\0';
	}
	switch (dspctl_integer_parse(&value, number, 0, UINT32_MAX >> shift)) {
	case -ERANGE:
		return refuse(error, "an output has less than 4 GiB");
	case -EINVAL:
		return refuse(error, "\"%.40s\" is no size", text);
	}
	if (target && target[1] == '\0')
		return refuse(error, "a file's name is missing after '>'");
	out->length = (uint32_t)value << shift;
	out->file = target ? target + 1 : NULL;
	return 0;
}

/* What follows "out:" otherwise: TYPE, TYPE:COUNT. */
static int parse_output_numbers(struct dspctl_arg *out, const char *text,
	char error[DSPCTL_ERROR_SIZE])
{
	const size_t name_length = strcspn(text, ":");
	const struct dspctl_type *type = type_find(text, name_length);
	int64_t count = 1;
	int r;

	if (!type)
		return refuse(error, "\"%.40s\" is neither a size nor a type", text);
	if (text[name_length] == ':') {
		r = dspctl_integer_parse(&count, text + name_length + 1, 0,
			UINT32_MAX / (int64_t)type->size);
		if (r < 0)
			return refuse(error, "\"%.40s\" is no count", text + name_length + 1);
	}
	out->type = type;
	out->length = (uint32_t)count * (uint32_t)type->size;
	return 0;
}

static int parse_output(struct dspctl_arg *out, const char *text, char error[DSPCTL_ERROR_SIZE])
{
	out->output = true;
	if (isdigit((unsigned char)*text))
		return parse_output_bytes(out, text, error);
	return parse_output_numbers(out, text, error);
}

static int parse_file(struct dspctl_arg *out, const char *text, char error[DSPCTL_ERROR_SIZE])
{
	if (*text == '\0')
		return refuse(error, "a file's name is missing after '@'");
	out->file = text;
	return 0;
}

int dspctl_arg_parse(struct dspctl_arg *out, const char *word, char error[DSPCTL_ERROR_SIZE])
{
	static const struct {
		const char *prefix;
		int (*parse)(struct dspctl_arg *out, const char *text, char *error);
	} forms[] = {
		{"@", parse_file},
		{"hex:", parse_hex},
		{"out:", parse_output},
		{"text:", parse_text},
	};
	const struct dspctl_type *type = type_find(word, strcspn(word, ":"));
	size_t length;

	*out = (struct dspctl_arg){0};
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		length = strlen(forms[i].prefix);
		if (strncmp(word, forms[i].prefix, length) == 0)
			return forms[i].parse(out, word + length, error);
	}
	if (type && word[strlen(type->name)] == ':')
		return parse_numbers(out, type, word + strlen(type->name) + 1, error);
	return refuse(error, "arguments are i32:1,2 text:WORDS hex:00ff @FILE out:SIZE out:TYPE");
}

static bool reads_stdin(const struct dspctl_arg *arg)
{
	return !arg->output && arg->file && strcmp(arg->file, "-") == 0;
}

/* May @next follow the arguments parsed so far? */
static int check_place(const struct dspctl_args *args, const struct dspctl_arg *next,
	char error[DSPCTL_ERROR_SIZE])
{
	if (next->output)
		return 0;
	if (args->n_out > 0)
		return refuse(error, "the inputs stand before the outputs");
	if (!reads_stdin(next))
		return 0;
	for (unsigned int i = 0; i < args->n_in; i++)
		if (reads_stdin(&args->arg[i]))
			return refuse(error, "standard input can be read only once");
	return 0;
}

int dspctl_args_parse(struct dspctl_args *out, char *const *words, size_t n_words,
	char error[DSPCTL_ERROR_SIZE])
{
	char why[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_arg *arg;
	int r;

	*out = (struct dspctl_args){0};
	if (n_words > DSPBROKER_ARGS_MAX)
		return refuse(error, "a call has at most %d arguments", DSPBROKER_ARGS_MAX);
	for (size_t i = 0; i < n_words; i++) {
		arg = &out->arg[i];
		r = dspctl_arg_parse(arg, words[i], why);
		if (r == 0)
			r = check_place(out, arg, why);
		if (r == -EINVAL)
			refuse(error, "argument %zu, %.40s: %.128s", i + 1, words[i], why);
		if (r < 0)
			return r;
		out->n_in += !arg->output;
		out->n_out += arg->output;
	}
	return 0;
}

void dspctl_args_deinit(struct dspctl_args *args)
{
	for (size_t i = 0; i < ARRAY_SIZE(args->arg); i++)
		free(args->arg[i].data);
	*args = (struct dspctl_args){0};
}
