#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: a broker that does nothing any more is ended with
# all that it started, and started again; clients go on with the new one.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
failed=d9b373ed55a64feb8242e02dbe79a49c # systemd's message id of it, <systemd/sd-messages.h>
unchanged=

# It says that it is well, again.
says_that_it_is_well() {
	last=$(property dspbrokerd.service WatchdogTimestampMonotonic)
	[ "$last" -gt "$unchanged" ]
}

runs_again() {
	is dspbrokerd.service NRestarts "$1" && is dspbrokerd.service ActiveState active
}

install_system
rules "$(allow everybody "$everybody" 'soft0/*')"
start_system
[ "$(property dspbrokerd.service WatchdogUSec)" != 0 ] || fail "as installed it has no watchdog"
drop_in dspbrokerd.service WatchdogSec=6
systemctl daemon-reload

# By itself it goes on, also when nobody wants anything.
call soft0/example || fail "it does not serve"
for _ in 1 2 3 4; do
	unchanged=$(property dspbrokerd.service WatchdogTimestampMonotonic)
	await says_that_it_is_well
done
is dspbrokerd.service NRestarts 0 || fail "it was restarted, and was well"

for times in 1 2; do
	of_old="$(pids_of dspbrokerd) $(pids_of softdsp)"
	first=$(main_pid dspbrokerd.service)
	# Of all threads.
	inside kill -STOP "$first"
	await runs_again $times
	[ "$(main_pid dspbrokerd.service)" != "$first" ] || fail "it was not started again"
	for pid in $of_old; do
		[ ! -d "/proc/$pid" ] || fail "what the old one started is still there"
	done
	call soft0/example || fail "the new one does not serve"
	[ "$(journalctl --quiet --output=cat MESSAGE_ID=$failed UNIT=dspbrokerd.service \
		UNIT_RESULT=watchdog | wc -l)" = $times ] || fail "it ended for another reason"
done
stop_system
