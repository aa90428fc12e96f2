#!/bin/sh
# SPDX-License-Identifier: MIT
#
# systemd reads the catalog, and finds an entry there for each message id of the broker, and no
# other.
set -eu

if ! command -v journalctl >/dev/null; then
	echo "SKIPPED: there is no journalctl"
	exit 0
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/lib/systemd/catalog" "$root/var/lib/systemd/catalog"
cp systemd/dspbroker.catalog "$root/usr/lib/systemd/catalog/"

journalctl --root="$root" --update-catalog 2>&1 | tee "$root/says"
[ ! -s "$root/says" ]
journalctl --root="$root" --list-catalog >"$root/list"
cut -d ' ' -f 1 "$root/list" | sort >"$root/known"
sed -nE 's/^#define ID_[A-Z_]+ +"([0-9a-f]{32})"$/\1/p' daemon/audit.c | sort >"$root/sent"
[ "$(wc -l <"$root/sent")" -ge 10 ]
diff "$root/sent" "$root/known"
[ -z "$(uniq -d "$root/sent")" ]
# What systemd has for each of them by the end is all of its text, headers included.
while read -r id; do
	journalctl --root="$root" --dump-catalog "$id" >"$root/entry"
	for header in Subject Defined-By Support Documentation; do
		grep -q "^$header: ." "$root/entry" || { echo "$id has no $header"; exit 1; }
	done
done <"$root/sent"
