#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The units as `make install` lays them: systemd understands every line and finds what they name, and
# by its own reckoning the broker is exposed to 0.5 of 10 at most. test_systemd*.sh of the kernel's
# tests run them.
set -eu

if ! command -v systemd-analyze >/dev/null; then
	echo "SKIPPED: there is no systemd-analyze"
	exit 0
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
unset MAKEFLAGS MAKELEVEL
export SYSTEMD_COLORS=0
units=$root/usr/local/lib/systemd/system

# Beside those of the system, on which they depend.
make BUILD="$DSP_BUILD" DESTDIR="$root" install >/dev/null
mkdir -p "$root/usr/lib/systemd" "$root/etc"
cp -r /lib/systemd/system "$root/usr/lib/systemd"
echo 'dspbroker:x:999:999::/:/bin/false' >"$root/etc/passwd"
export MANPATH="$root/usr/local/share/man"

# exposure UNIT: in tenths.
exposure() {
	systemd-analyze security --offline=true --root="$root" --no-pager "$1" |
		sed -n 's/.*Overall exposure level for .*: \([0-9]*\)\.\([0-9]\) .*/\1\2/p'
}

complains() {
	! systemd-analyze verify --root="$root" "$@" >"$root/says" 2>&1 || [ -s "$root/says" ]
}

set -- "$units"/*.socket "$units"/*.service
[ $# = 5 ]
! complains "$@" || { cat "$root/says"; exit 1; }

# A wrong line and a program or page that is not there would have been found.
for edit in 's/ProtectHome=/ProtectHouse=/' 's,/dspbrokerd ,/dspbrokerx ,' 's/dspbrokerd(8)/dspbrokerx(8)/'; do
	sed "$edit" "$units/dspbrokerd.service" >"$units/wrong.service"
	complains "$units/wrong.service" || { echo "not found: $edit"; exit 1; }
done
rm "$units/wrong.service"

# The other one has two capabilities, for which alone systemd counts 0.5, and looks at everybody.
for pair in dspbrokerd.service:5 dspbroker-who@.service:12; do
	tenths=$(exposure "${pair%:*}")
	echo "${pair%:*}: exposure $tenths / 10"
	[ -n "$tenths" ] && [ "$tenths" -le "${pair##*:}" ]
done
