#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: the units are clean, systemd's measure of what a
# service is exposed to is at most 0.5 for the broker, and what runs has no rights, by what the kernel
# says of each thread.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
looks=0000000000080004 # CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, <linux/capability.h>
unit_files=/usr/local/lib/systemd/system

# Tenths.
exposure_of() {
	inside systemd-analyze security --no-pager "$1" >/run/exposure
	sed -n 's/.*exposure level for .*: \([0-9]*\)\.\([0-9]\).*/\1\2/p' /run/exposure
}

# runs_as PROGRAM USER
runs_as() {
	id=$(id -u "$2")
	every_thread "$1" Uid "$id	$id	$id	$id"
}

# Nobody of its user may look into it: its files in /proc are root's.
is_hidden() {
	for pid in $(pids_of "$1"); do
		[ "$(stat -c %U "/proc/$pid/maps")" = root ] || fail "the memory of $1 is for all of its user"
	done
}

# What the kernel has looked up may go at any time, and with it rules of Landlock on what is in /proc.
# What was used lately it spares once.
forgets() {
	sync
	for _ in 1 2 3; do
		echo 3 >/proc/sys/vm/drop_caches
	done
}

install_system
lay_cdsp_files
serve_cdsp
devices=$cdsp
rules "$(allow everybody "$everybody" '*/*')"
systemd-analyze verify "$unit_files"/dspbroker* >/run/verified 2>&1 || fail "systemd-analyze verify failed"
! grep -i dspbroker /run/verified || fail "systemd-analyze verify has complaints"
start_system
call soft0/example || fail "it does not serve"

exposure=$(exposure_of dspbrokerd.service)
grep -v '✓' /run/exposure
[ "$exposure" -le 5 ] || fail "dspbrokerd.service is exposed: $exposure tenths"
who=$(systemctl list-units --plain --no-legend 'dspbroker-who@*' | cut -d ' ' -f 1)
exposure_of "$who" >/dev/null
tail -n 1 /run/exposure

# The program that has the broker's name may be the one that opens devices as well: no less holds.
for program in dspbrokerd softdsp; do
	runs_as $program dspbroker
	capabilities_of $program $nothing
	every_thread $program CapBnd $nothing
done
capabilities_of dspbroker-who $looks
for program in dspbrokerd softdsp dspbroker-who; do
	every_thread $program NoNewPrivs 1
	every_thread $program Seccomp 2
done
is_hidden dspbrokerd
inside dspctl status || fail "it is not confined as it should be"
inside dspctl status --json | tr -d ' \n' | grep -q \
	'"confinement":{"user":true,"capabilities":true,"undumpable":true,"system_calls":true,"files":true}' ||
	fail "it says that a part of its confinement is missing"

# Confined as it is, it goes on when the kernel forgets what it had looked up.
call cdsp/example || fail "it does not serve FastRPC"
forgets
call soft0/example || fail "it does not serve any more"
call cdsp/example || fail "it does not serve FastRPC any more"
systemctl reload dspbrokerd.service || fail "it cannot read its policy any more"

complaints=$(journal --priority=warning --output=cat)
[ -z "$complaints" ] || fail "it complained: $complaints"
stop_system
