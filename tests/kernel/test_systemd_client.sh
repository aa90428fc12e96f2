#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: a service that is locked up as services should be
# needs nothing but its name in a policy to use a DSP, by software or by FastRPC; one with another
# name is told that it may not.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
node=/dev/fastrpc-cdsp

# locked_up NAME CHANNEL: nothing here tells of DSPs.
locked_up() {
	unit "$1" DynamicUser=yes PrivateDevices=yes ProtectSystem=strict ProtectHome=yes \
		PrivateNetwork=yes PrivateUsers=yes NoNewPrivileges=yes MemoryDenyWriteExecute=yes \
		CapabilityBoundingSet= RestrictAddressFamilies=AF_UNIX RestrictNamespaces=yes \
		SystemCallFilter=@system-service ExecStart= "ExecStart=dspctl call $2 9"
}

# It sees no DSP, and cannot.
sees_no_device() {
	unit looker.service DynamicUser=yes PrivateDevices=yes ExecStart= "ExecStart=test ! -e $node"
	systemctl start looker.service
}

# told NAME TEXT: so it wrote.
told() {
	journalctl --quiet --output=cat --unit="$1" | grep -q "$2"
}

node_is_the_brokers() {
	[ "$(stat -c %G:%a $node)" = dspbroker:660 ]
}

install_system
lay_cdsp_files
serve_cdsp
devices=$cdsp
locked_up player.service soft0/example
locked_up camera.service cdsp/example
locked_up other.service soft0/example
locked_up other-camera.service cdsp/example
rules "$(allow player '"units": ["player.service"]' 'soft0/example')" \
	"$(allow camera '"units": ["camera.service"]' 'cdsp/example')"
start_system
await node_is_the_brokers
sees_no_device || fail "the node is there for who has private devices, too"

opens player.service
opens camera.service
[ "$(remotectl fastrpc-count calls)" != "ok 0" ] || fail "no call reached the DSP"
is_denied other.service
is_denied other-camera.service
await told other.service 'soft0/example is denied to'
await told other-camera.service 'cdsp/example is denied to'
# A name is a name of all of it.
locked_up player-too.service soft0/example
is_denied player-too.service

# What nobody but the broker has, it has not for others either.
for unit in player.service camera.service; do
	! is $unit UID 0 || fail "$unit ran as root"
done
stop_system
