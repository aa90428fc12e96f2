#!/bin/sh
# SPDX-License-Identifier: MIT
#
# For scripts in the guest, to be read in: what `make install` has laid, with the real systemd and the
# real udev. A script says what of it goes wrong with fail, and lays policy and units of its own
# between install_system and start_system.
#
# shellcheck disable=SC2034 # what is set here is for the scripts
unset MAKEFLAGS MAKELEVEL
export SYSTEMD_COLORS=0
policies=/etc/dspbroker/policy.d
units=/etc/systemd/system
# What dspctl ends with.
denied=3
no_broker=4

fail() {
	echo "$1"
	dmesg | grep 'audit: type=1326' || true
	systemctl status --no-pager --full --lines=0 'dspbroker*' || true
	journalctl --quiet --no-pager --lines=60 || true
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
	cp -r "$DSP_BUILD/tests/kernel/installed/." /
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
	cd / # /tmp, where we may be, is another one then
	: >/run/processes
	unshare --pid=/run/processes --fork --mount sh -c "mount -t proc -o $proc proc /proc &&
		exec env -i /lib/systemd/systemd --system --unit=test.target --log-target=journal-or-kmsg" &
	await systemctl is-active test.target
	[ "$(systemctl is-active systemd-udevd.service)" = active ] || fail "udev does not run"
}

# Policy.

# rules RULE...: that are in force when the broker reads them next, with these devices: $devices.
devices=
rules() {
	printf '{"version": 1, "devices": [%s], "rules": [\n' "$devices" >"$policies/test.json"
	comma=
	for rule; do
		printf '%s%s\n' "$comma" "$rule" >>"$policies/test.json"
		comma=,
	done
	printf ']}\n' >>"$policies/test.json"
}

# allow NAME MATCH CHANNEL
allow() {
	printf '{"name": "%s", "action": "allow", "match": {%s}, "channels": ["%s"]}' "$@"
}
everybody='"users": ["*"]'

# Have the remote processor serve FastRPC, with modules where policy finds them by $cdsp in $devices.
cdsp='{"name": "cdsp", "transport": "fastrpc", "shells": ["/usr/share/cdsp/shells"],
	"modules": ["/usr/share/cdsp/modules"]}'
lay_cdsp_files() {
	mkdir -p /usr/share/cdsp/shells /usr/share/cdsp/modules
	printf 'dspbroker testbed shell\nof the tests\n' |
		tee /usr/share/cdsp/shells/fastrpc_shell_3 >/usr/share/cdsp/shells/fastrpc_shell_unsigned_3
	cp "$DSP_BUILD"/modules/*_skel.so /usr/share/cdsp/modules
}
serve_cdsp() {
	remotectl serve 3900 fastrpc
	remotectl announce 3900 fastrpcglink-apps-dsp
}

# Units.

# unit NAME LINE...: one that ends as a call by dspctl does.
unit() {
	name=$1
	shift
	printf '%s\n' '[Service]' 'Type=oneshot' 'ExecStart=dspctl call soft0/example 9' "$@" \
		>"$units/$name"
}

# drop_in UNIT LINE...: of its section [Service].
drop_in() {
	mkdir -p "$units/$1.d"
	name=$1
	shift
	printf '%s\n' '[Service]' "$@" >"$units/$name.d/test.conf"
}

opens() {
	systemctl start "$1" || fail "$1 may not open, and should"
}

is_denied() {
	! systemctl start "$1" 2>/dev/null || fail "$1 may open, and should not"
	status=$(property "$1" ExecMainStatus)
	[ "$status" = "$denied" ] || fail "$1 ended with $status"
}

# call CHANNEL: by root, who needs a rule as well.
call() {
	inside dspctl call "$1" 9
}

# What a unit is.

# property UNIT NAME
property() {
	systemctl show --property="$2" --value "$1"
}

# is UNIT NAME VALUE
is() {
	[ "$(property "$1" "$2")" = "$3" ]
}

# main_pid UNIT, in that namespace
main_pid() {
	property "$1" MainPID
}

# pids_of PROGRAM: all that run it, as this script knows them.
pids_of() {
	# Of others that end meanwhile it complains.
	grep -lsx "$1" /proc/[0-9]*/comm | cut -d / -f 3
}

# every_thread PROGRAM NAME VALUE: so it stands in the status of all its processes' threads.
every_thread() {
	pids=$(pids_of "$1")
	[ -n "$pids" ] || fail "$1 does not run"
	for pid in $pids; do
		for thread in "/proc/$pid/task"/*; do
			has=$(sed -n "s/^$2:\t//p" "$thread/status")
			[ "$has" = "$3" ] || fail "$1 has $2: $has in $thread"
		done
	done
}

# capabilities_of PROGRAM VALUE: such have they, and none that they could hand on.
nothing=0000000000000000
capabilities_of() {
	every_thread "$1" CapPrm "$2"
	every_thread "$1" CapEff "$2"
	every_thread "$1" CapInh $nothing
	every_thread "$1" CapAmb $nothing
}

stop_system() {
	systemctl stop 'dspbroker*.socket' 'dspbroker*.service'
	is dspbrokerd.service Result success || fail "it failed"
}

# The journal: what the broker wrote, and not what systemd did of it.

journal() {
	journalctl --quiet SYSLOG_IDENTIFIER=dspbrokerd "$@"
}

# has_entry FIELD=VALUE...: there is such an entry in the broker's journal.
has_entry() {
	[ -n "$(journal --output=cat "$@")" ]
}
