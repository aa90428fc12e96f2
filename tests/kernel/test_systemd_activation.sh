#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: nothing of the broker runs until somebody
# connects. Then it starts once, for all who do. Stopped, it starts again for the next one, unless its
# socket is stopped as well.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
started=39f53479d3a045ac8e11786248231fbf # systemd's message id, <systemd/sd-messages.h>
clients="1 2 3 4 5 6 7 8 9 10 11 12"

nothing_runs() {
	for program in dspbrokerd softdsp dspbroker-who; do
		[ -z "$(pids_of $program)" ] || fail "$program runs: $1"
	done
}

# started_times N: so often has systemd told that it is up.
started_times() {
	[ "$(journalctl --quiet --output=cat MESSAGE_ID=$started UNIT=dspbrokerd.service | wc -l)" = "$1" ]
}

install_system
rules "$(allow everybody "$everybody" 'soft0/*')"
start_system
is dspbrokerd.socket SubState listening || fail "nobody listens"
[ "$(stat -c %a:%U /run/dspbroker/broker.sock)" = 666:root ] || fail "not everybody may knock"
is dspbrokerd.service ActiveEnterTimestampMonotonic 0 || fail "it was started, and nobody asked for it"
nothing_runs "nobody has asked for it"

pids=
for _ in $clients; do
	call soft0/example &
	pids="$pids $!"
done
for pid in $pids; do
	wait "$pid" || fail "one of the first was not served"
done
is dspbrokerd.service ActiveState active || fail "it does not run"
await started_times 1
first=$(main_pid dspbrokerd.service)

systemctl stop dspbrokerd.service
nothing_runs "it was stopped"
is dspbrokerd.service Result success || fail "it failed when it was stopped"
call soft0/example || fail "the next one was not served"
[ "$(main_pid dspbrokerd.service)" != "$first" ] || fail "it was not started again"
await started_times 2

systemctl stop dspbrokerd.socket dspbrokerd.service
status=0
call soft0/example || status=$?
[ "$status" = "$no_broker" ] || fail "with its socket stopped the answer is $status"
nothing_runs "its socket was stopped"
systemctl start dspbrokerd.socket
nothing_runs "only its socket was started"
call soft0/example || fail "it was not served after a second start of the socket"
await started_times 3

complaints=$(journal --priority=warning --output=cat)
[ -z "$complaints" ] || fail "it complained: $complaints"
stop_system
