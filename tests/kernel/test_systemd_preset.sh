#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: where a distribution enables nothing by default,
# our preset enables what is needed, and no more; a system that starts with that serves.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"

install_system
rules "$(allow everybody "$everybody" 'soft0/*')"
mkdir -p /etc/systemd/system-preset
echo 'disable *' >/etc/systemd/system-preset/99-default.preset
printf '%s\n' '[Unit]' 'Requires=sysinit.target sockets.target' 'After=sysinit.target sockets.target' \
	>"$units/test.target"
for name in $(cd /usr/local/lib/systemd/system && echo dspbroker*); do
	command systemctl --root=/ preset "$name" || true
done
enabled=$(find /etc/systemd/system -path '*.wants/dspbroker*')
[ "$enabled" = /etc/systemd/system/sockets.target.wants/dspbrokerd.socket ] ||
	fail "other units are enabled: $enabled"

start_system
is dspbrokerd.socket SubState listening || fail "nobody listens"
is dspbrokerd.service ActiveState inactive || fail "the broker runs without need"
call soft0/example || fail "it does not serve"
systemctl disable dspbrokerd.socket
! find /etc/systemd/system -path '*.wants/*' -name 'dspbroker*' | grep . || fail "it is enabled still"
systemctl preset dspbrokerd.socket
[ "$(systemctl is-enabled dspbrokerd.socket)" = enabled ] || fail "its preset does not enable it"
stop_system
