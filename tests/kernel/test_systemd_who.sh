#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: the program that finds out who a client is has a
# unit of its own, which is started when the broker wants it, and started again when it has gone. What
# only it can tell is known then.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"

# The unit that runs it, of which there is one.
instance() {
	systemctl list-units --plain --no-legend --state=active 'dspbroker-who@*.service' | cut -d ' ' -f 1
}

# The broker starts the next one when it wants to know something.
is_known_again() {
	systemctl start flatpak-org.example.Player.service
}

none_is_left() {
	[ -z "$(pids_of dspbroker-who)" ] && [ -z "$(instance)" ]
}

# What it looks for below the root of a process.
flatpak() {
	printf '[Application]\nname=%s\n\n[Instance]\n' "$1" >"/run/flatpak-$1"
	unit "flatpak-$1.service" User=nobody "BindReadOnlyPaths=/run/flatpak-$1:/.flatpak-info"
}

install_system
# For a mount there must be something to mount it on.
: >/.flatpak-info
flatpak org.example.Player
flatpak org.example.Other
rm /.flatpak-info
unit by-name.service User=nobody
rules "$(allow player '"flatpaks": ["org.example.Player"]' 'soft0/example')" \
	"$(allow dspctl '"users": ["root"], "executables": ["/usr/local/bin/dspctl"]' 'soft0/example')"
start_system
is dspbroker-who.socket SubState listening || fail "nobody listens for it"
[ "$(stat -c %a:%U /run/dspbroker-who/who.sock)" = 600:dspbroker ] || fail "not the broker alone may ask"
none_is_left || fail "it runs, and nobody asked for it"

check_all() {
	call soft0/example || fail "its program is not known $1"
	opens flatpak-org.example.Player.service
	is_denied flatpak-org.example.Other.service
	is_denied by-name.service
}

check_all "at first"
first=$(instance)
[ "$(printf '%s\n' "$first" | wc -w)" = 1 ] || fail "there is not one of it: $first"
! is "$first" MainPID "$(main_pid dspbrokerd.service)" || fail "it is the broker"
[ "$(property "$first" DynamicUser)" = yes ] || fail "it shares its user"

for _ in 1 2 3; do
	first=$(instance)
	systemctl kill --signal=KILL "$first"
	await is_known_again
	[ "$(instance)" != "$first" ] || fail "it was not started again"
	check_all "after it was killed"
done
is dspbrokerd.service NRestarts 0 || fail "the broker was started again"

# It goes with the broker.
systemctl stop dspbrokerd.service
await none_is_left
check_all "after a restart of the broker"
stop_system
await none_is_left
