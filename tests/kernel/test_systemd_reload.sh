#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: `systemctl reload` ends when the new policy is in
# force, or fails; and then `systemctl status` says what is wrong and where, and the old one stays.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"

reload() {
	systemctl reload dspbrokerd.service
}

# shown TEXT: by systemctl status.
shown() {
	systemctl status --no-pager --full dspbrokerd.service >/run/status || fail "it does not run"
	grep -q "$1" /run/status
}

# reload_ended_with STATUS: the program that asked for it, and it did exit.
reload_ended_with() {
	systemctl show --property=ExecReload dspbrokerd.service | grep -q "code=exited ; status=$1 "
}

install_system
unit player.service DynamicUser=yes
unit recorder.service DynamicUser=yes
player=$(allow player '"units": ["player.service"]' 'soft0/example')
recorder=$(allow recorder '"units": ["recorder.service"]' 'soft0/example')
rules "$player"
start_system
opens player.service
is_denied recorder.service
broker=$(main_pid dspbrokerd.service)

rules "$player" "$recorder"
reload || fail "a right policy was not taken"
reload_ended_with 0 || fail "systemd does not know that it went well"
opens player.service
opens recorder.service
is dspbrokerd.service StatusText 'Serving 2 rules' || fail "its status text does not tell of the policy"

rules "$player" '{"name": "oops", "action": "allow", "mach": {}}'
! reload 2>/run/errors || fail "a wrong policy was taken"
grep -q 'Job for dspbrokerd.service failed' /run/errors || fail "systemctl reload does not say that it failed"
reload_ended_with 1 || fail "systemd does not know that it failed"
shown 'ExecReload=.*status=1/FAILURE' || fail "systemctl status does not tell that it failed"
shown 'test.json:3:' || fail "systemctl status does not tell where the policy is wrong"
is dspbrokerd.service ActiveState active || fail "a wrong policy ended it"
property dspbrokerd.service StatusText | grep '2 rules; .*test.json:3:.*unknown key "mach"' ||
	fail "its status text does not tell that the policy is wrong"
opens recorder.service

rules "$recorder"
reload || fail "it does not recover from a wrong policy"
reload_ended_with 0 || fail "systemd does not know that it went well again"
! shown 'ExecReload=.*status=1/FAILURE' || fail "systemctl status still tells of what is over"
is dspbrokerd.service StatusText 'Serving 1 rules' || fail "its status text tells of what is over"
is_denied player.service
opens recorder.service
[ "$(main_pid dspbrokerd.service)" = "$broker" ] || fail "it was started again"
stop_system
