#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest: what `make install` lays, with the real systemd and the real udev. The socket starts
# the broker, which has no rights of its own; it starts a remote processor on demand, exchanges
# messages with it, and saves its core dump.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
state=/sys/class/remoteproc/remoteproc0/state
dumps=/var/lib/dspbroker/coredumps

find_one() {
	[ "$(find "$1" -name "$2" | wc -l)" = 1 ]
}

find_none() {
	[ -z "$(find "$1" -name "$2")" ]
}

is() {
	[ "$(cat "$state")" = "$1" ]
}

install_system
cat >"$policies/test.json" <<'END_OF_POLICY'
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

start_system
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
