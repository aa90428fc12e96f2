#!/bin/sh
# SPDX-License-Identifier: MIT
#
# For scripts in the guest, to be read in: what `make install` lays, with the real systemd and the
# real udev. A script says what of it goes wrong with fail, and lays policy and units of its own
# between install_system and start_system.
unset MAKEFLAGS MAKELEVEL
export SYSTEMD_COLORS=0
policies=/etc/dspbroker/policy.d
units=/etc/systemd/system

fail() {
	echo "$1"
	dmesg | grep dspbroker || true
	systemctl status --no-pager --full dspbrokerd.service dspbrokerd.socket || true
	exit 1
}

# The manager of a system is the first of its processes, so it gets a namespace of them; who talks to
# it must be from there, and who wants to be known to a broker there too.
inside() {
	nsenter --pid=/run/processes "$@"
}

systemctl() {
	inside systemctl "$@"
}

# await COMMAND...: it must come to succeed.
await() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || fail "it never came to this: $*"
		sleep 0.1
	done
}

install_system() {
	make BUILD="$DSP_BUILD" PREFIX=/usr/local install
	# A system that starts empties /tmp, where this may be.
	cp "$(dirname "$0")/remotectl" /usr/local/bin
	systemd-sysusers dspbroker.conf
	cat >"$units/test.target" <<'END_OF_UNIT'
[Unit]
Requires=sysinit.target dspbrokerd.socket
After=sysinit.target dspbrokerd.socket
END_OF_UNIT
	mkdir -p "$policies"
}

# With these options for its /proc: $proc.
proc=defaults
start_system() {
	: >/run/processes
	unshare --pid=/run/processes --fork --mount sh -c "mount -t proc -o $proc proc /proc &&
		exec env -i /lib/systemd/systemd --system --unit=test.target --log-target=kmsg" &
	await systemctl is-active test.target
	[ "$(systemctl is-active systemd-udevd.service)" = active ] || fail "udev does not run"
}
