#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd and the real udev: nodes of the DRM accel driver
# that are a DSP's are the broker's and nobody else's, other drivers' stay whose they are; by them the
# broker, whose unit lets it, serves a service that is locked up, also after the DSP has gone and come.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"

# Those of one driver, by what the kernel says of their device.
nodes_of() {
	for node in /sys/class/accel/accel* /sys/class/drm/card[0-9]* /sys/class/drm/renderD*; do
		case $(readlink "$node/device/subsystem") in
		*/"$1") sed -n 's,^DEVNAME=,/dev/,p' "$node/uevent" ;;
		esac
	done
}

# belong GROUP NODE...
belong() {
	group=$1
	shift
	for node; do
		[ "$(stat -c %G "$node")" = "$group" ] || return 1
	done
}

# An accelerator and the two that DRM makes beside it here.
all_are_the_brokers() {
	# shellcheck disable=SC2046 # words
	set -- $(nodes_of rpmsg)
	[ $# = 3 ] && belong dspbroker "$@" && [ "$(stat -c %U:%a "$@" | sort -u)" = root:660 ]
}

are_gone() {
	[ -z "$(nodes_of rpmsg)" ]
}

serves_cdsp() {
	call cdsp/example
}

is_reached_by_qda() {
	inside dspctl devices | grep -q '^cdsp .*qda'
}

# Nobody is let in beside owner and group.
have_no_list() {
	# shellcheck disable=SC2012 # which tells by a "+" behind the mode
	! ls -l "$@" | cut -d ' ' -f 1 | grep -q +
}

install_system
lay_cdsp_files
serve_cdsp
devices=$(echo "$cdsp" | sed 's/"fastrpc"/"qda"/')
unit player.service DynamicUser=yes PrivateDevices=yes PrivateNetwork=yes PrivateUsers=yes \
	ExecStart= "ExecStart=dspctl call cdsp/example 9"
unit other.service DynamicUser=yes ExecStart= "ExecStart=dspctl call cdsp/example 9"
rules "$(allow player '"units": ["player.service"]' 'cdsp/example')" \
	"$(allow root '"users": ["root"]' 'cdsp/*')"
start_system
await all_are_the_brokers
# shellcheck disable=SC2046 # words
have_no_list $(nodes_of rpmsg) || fail "udev lets somebody else in"
others=$(nodes_of platform)
[ -n "$others" ] || fail "there are no nodes of another driver's"
# shellcheck disable=SC2086 # words
! belong dspbroker $others || fail "another driver's nodes became the broker's: $others"

opens player.service
is_reached_by_qda || fail "the DSP is not reached by the DRM accel driver"
[ "$(remotectl fastrpc-count calls)" != "ok 0" ] || fail "no call reached the DSP"
is_denied other.service

# It goes, and comes back with nodes that udev has to give away again.
remotectl withdraw 3900
await are_gone
remotectl announce 3900 fastrpcglink-apps-dsp
await all_are_the_brokers
await serves_cdsp
opens player.service
complaints=$(journal --priority=warning --output=cat)
[ -z "$complaints" ] || fail "it complained: $complaints"
stop_system
