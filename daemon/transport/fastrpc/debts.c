// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/debts.h"

struct debt {
	struct list link;
	uid_t uid;
	unsigned int calls;
};

void debts_init(struct debts *debts)
{
	list_init(&debts->users);
}

void debts_clear(struct debts *debts)
{
	struct debt *debt, *following;

	list_for_each_safe (debt, following, &debts->users, link)
		free(debt);
	list_init(&debts->users);
}

static struct debt *find(const struct debts *debts, uid_t uid)
{
	struct debt *debt;

	list_for_each (debt, &debts->users, link)
		if (debt->uid == uid)
			return debt;
	return NULL;
}

void debts_add(struct debts *debts, uid_t uid)
{
	struct debt *debt = find(debts, uid);

	if (!debt) {
		debt = calloc(1, sizeof(*debt));
		if (!debt)
			return;
		debt->uid = uid;
		list_append(&debts->users, &debt->link);
	}
	debt->calls++;
}

bool debts_too_many(const struct debts *debts, uid_t uid)
{
	const struct debt *debt = find(debts, uid);

	return debt && debt->calls >= DEBT_MAX;
}
