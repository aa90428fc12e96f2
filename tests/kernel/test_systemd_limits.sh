#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: the kernel holds the service to its limits of
# tasks and memory. Who comes when there is no task left is told so, and nobody else suffers; when the
# others have gone there is room again.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
group=/sys/fs/cgroup/system.slice/dspbrokerd.service
answers=/run/answers

# More than there are tasks for: each has a process of its own on the software DSP, which sleeps.
crowd="1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"
sleeper() {
	status=0
	inside dspctl call soft0/example 5 u32:3000000 2>>/run/errors || status=$?
	echo "$status" >>"$answers"
}

install_system
rules "$(allow everybody "$everybody" 'soft0/*')"
start_system
call soft0/example || fail "it does not serve"
is dspbrokerd.service TasksMax "$(cat $group/pids.max)" || fail "the kernel does not limit its tasks"
is dspbrokerd.service MemoryMax "$(cat $group/memory.max)" || fail "the kernel does not limit its memory"
[ "$(cat $group/pids.max)" != max ] || fail "as installed it may have any number of tasks"
[ "$(cat $group/memory.max)" != max ] || fail "as installed it may have all memory"

drop_in dspbrokerd.service "TasksMax=$(($(cat $group/pids.current) + 6))"
systemctl daemon-reload
: >"$answers"
pids=
for _ in $crowd; do
	sleeper &
	pids="$pids $!"
done
# shellcheck disable=SC2086 # a list
wait $pids
sort "$answers" | uniq -c
sort -u /run/errors
grep -qx 0 "$answers" || fail "nobody was served"
grep -qvx 0 "$answers" || fail "there was room for all"
! grep -x "$no_broker" "$answers" || fail "somebody lost the broker"
is dspbrokerd.service NRestarts 0 || fail "it was started again"
for _ in 1 2 3; do
	call soft0/example || fail "there is no room, and nobody is there"
done
stop_system
