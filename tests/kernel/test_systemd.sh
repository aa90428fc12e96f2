#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest: what `make install` lays, with the real systemd and the real udev. The socket starts
# the broker, which has no rights of its own; it starts a remote processor on demand, exchanges
# messages with it, and saves its core dump.
set -eu
state=/sys/class/remoteproc/remoteproc0/state
dumps=/var/lib/dspbroker/coredumps
unset MAKEFLAGS MAKELEVEL
export SYSTEMD_COLORS=0

fail() {
	echo "$1"
	dmesg | grep dspbroker || true
	systemctl status --no-pager --full dspbrokerd.service dspbrokerd.socket || true
	exit 1
}

systemctl() {
	nsenter --pid=/run/processes systemctl "$@"
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

find_one() {
	[ "$(find "$1" -name "$2" | wc -l)" = 1 ]
}

find_none() {
	[ -z "$(find "$1" -name "$2")" ]
}

is() {
	[ "$(cat "$state")" = "$1" ]
}

make BUILD="$DSP_BUILD" PREFIX=/usr/local install
# A system that starts empties /tmp, where this may be.
cp "$(dirname "$0")/remotectl" /usr/local/bin
systemd-sysusers dspbroker.conf
cat >/etc/systemd/system/test.target <<'END_OF_UNIT'
[Unit]
Requires=sysinit.target dspbrokerd.socket
After=sysinit.target dspbrokerd.socket
END_OF_UNIT
mkdir -p /etc/dspbroker/policy.d
cat >/etc/dspbroker/policy.d/test.json <<'END_OF_POLICY'
{
  "version": 1,
  "devices": [
    {
      "name": "rpmsg0",
      "transport": "rpmsg",
      "remoteproc": "remoteproc0",
      "lifecycle": "on-demand",
      "idle_ms": 0
    }
  ],
  "rules": [
    {
      "name": "nobody",
      "action": "allow",
      "match": {"users": ["nobody"]},
      "channels": ["rpmsg0/*"]
    }
  ]
}
END_OF_POLICY
remotectl serve 9000 echo
remotectl announce 9000 hello
echo stop >$state

# The manager of a system is the first of its processes, so it gets a namespace of them; who talks to
# it must be from there.
: >/run/processes
unshare --pid=/run/processes --fork --mount sh -c 'mount -t proc proc /proc &&
	exec env -i /lib/systemd/systemd --system --unit=test.target --log-target=kmsg' &
await systemctl is-active test.target
[ "$(systemctl is-active systemd-udevd.service)" = active ] || fail "udev does not run"
[ "$(systemctl is-active dspbrokerd.service)" = inactive ] || fail "nobody has asked for the broker"

is offline || fail "nobody has asked for the remote processor"
as_nobody="setpriv --reuid=nobody --regid=nogroup --clear-groups"
[ "$($as_nobody dspctl send rpmsg0/hello hi --receive 1)" = hi ] || fail "no echo"
status=0
dspctl send rpmsg0/hello hi || status=$?
[ "$status" = 3 ] || fail "root needs a rule as well"
await is offline

echo start >$state
remotectl crash
await find_one "$dumps" 'rpmsg0-*-1.core'
await find_none /sys/class/devcoredump 'devcd*'
[ "$(stat -c %U:%a "$dumps")" = dspbroker:700 ] || fail "$dumps is not the broker's alone"

complaints=$(journalctl --unit=dspbrokerd.service --priority=warning --output=cat --quiet)
[ -z "$complaints" ] || fail "it complained: $complaints"
systemctl stop dspbrokerd.socket dspbrokerd.service
[ "$(systemctl show --property=Result --value dspbrokerd.service)" = success ] || fail "it failed"
