#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd and the real udev: the broker, which may not make
# such a socket itself, gets the kernel's news of devices from one that it is handed. Those that come
# later are there for clients, and those that go are not; and no news start the broker.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
node=/dev/fastrpc-cdsp

has_channel() {
	inside dspctl channels | grep -q "$1"
}

has_no_channel() {
	! has_channel "$1"
}

node_is_there() {
	[ "$(stat -c %G "$node")" = dspbroker ]
}

node_is_gone() {
	[ ! -e $node ]
}

serves_cdsp() {
	call cdsp/example
}

# It stands still before it goes, as a DSP does that has crashed (cdsp.h).
freezes() {
	remotectl fastrpc-fault silent 1
	echo s >/proc/sysrq-trigger
	await said 'Emergency Sync complete'
}

said() {
	dmesg | grep -q "$1"
}

# All of what the kernel has told by now, udev has heard, and so has whoever listens as udev does.
settle() {
	inside udevadm settle
}

install_system
lay_cdsp_files
devices=$cdsp
rules "$(allow everybody "$everybody" '*/*')"
start_system

# News that nobody waits for.
serve_cdsp
remotectl serve 9000 echo
remotectl announce 9000 hello
await node_is_there
settle
is dspbrokerd.service ActiveEnterTimestampMonotonic 0 || fail "news of devices started it"
call soft0/example || fail "it does not serve"
is dspbrokerd-uevent.socket ActiveState active || fail "nobody listens to the kernel"
[ "$(property dspbrokerd.service RestrictAddressFamilies)" = AF_UNIX ] ||
	fail "the broker may make sockets of other kinds"
call cdsp/example || fail "what was there before it is not served"

# What goes, and what comes.
remotectl serve 9001 echo
remotectl announce 9001 later
await has_channel rpmsg0/later
freezes
remotectl withdraw 3900
await node_is_gone
remotectl fastrpc-fault silent 0
remotectl announce 3900 fastrpcglink-apps-dsp
await node_is_there
await serves_cdsp

# It stops with the service, and nothing starts that again but a client.
systemctl stop dspbrokerd.service
is dspbrokerd-uevent.socket ActiveState inactive || fail "it listens for nobody"
remotectl withdraw 9001
remotectl serve 9002 echo
remotectl announce 9002 latest
settle
is dspbrokerd.service ActiveState inactive || fail "news of devices started it again"
await has_channel rpmsg0/latest
has_no_channel rpmsg0/later || fail "it is not told what is gone"
complaints=$(journal --priority=warning --output=cat)
[ -z "$complaints" ] || fail "it complained: $complaints"
stop_system
