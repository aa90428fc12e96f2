#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: the broker is restarted while clients come and
# go. Each call ends, with its result or with the news that the broker went; nothing is left of the
# old one, and whoever connects then is served.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
answers=/run/answers
restarts="1 2 3 4 5"

# A client after the other, until told to stop.
client() {
	while [ ! -e /run/enough ]; do
		status=0
		call "$1" 2>/dev/null || status=$?
		echo "$status" >>"$answers"
	done
}

# More were served than before.
goes_on() {
	[ "$(grep -cx 0 "$answers")" -gt "$served" ]
}

# wait_for_calls: some are served.
wait_for_calls() {
	served=$(grep -cx 0 "$answers") || true
	await goes_on
}

install_system
lay_cdsp_files
serve_cdsp
devices=$cdsp
rules "$(allow everybody "$everybody" '*/*')"
start_system
: >"$answers"
clients=
for channel in soft0/example soft0/example cdsp/example; do
	client $channel &
	clients="$clients $!"
done

for _ in $restarts; do
	wait_for_calls
	first=$(main_pid dspbrokerd.service)
	of_old="$(pids_of dspbrokerd) $(pids_of softdsp) $(pids_of dspbroker-who)"
	systemctl restart dspbrokerd.service || fail "it does not restart"
	[ "$(main_pid dspbrokerd.service)" != "$first" ] || fail "it is the same one"
	for pid in $of_old; do
		[ ! -d "/proc/$pid" ] || await test ! -d "/proc/$pid"
	done
done
wait_for_calls
: >/run/enough
# shellcheck disable=SC2086 # a list
wait $clients
sort "$answers" | uniq -c
! grep -vx -e 0 -e "$no_broker" "$answers" || fail "a call ended in another way"

call soft0/example || fail "it does not serve"
call cdsp/example || fail "it does not serve FastRPC"
[ "$(remotectl fastrpc-count domains)" = "ok 0" ] || fail "domains are left on the DSP"
is dspbrokerd.service NRestarts 0 || fail "it was started again by itself"
complaints=$(journal --priority=err --output=cat)
[ -z "$complaints" ] || fail "it complained: $complaints"
stop_system
