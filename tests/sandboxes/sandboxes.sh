#!/bin/sh
# SPDX-License-Identifier: MIT
#
# For scripts that are read in: a machine of its own, as far as files and processes go, with users, a
# broker in its usual place, and the policy of systemd/examples. Nothing of it is left when the
# script ends.
#
# shellcheck disable=SC2034 # what is set here is for the scripts
# shellcheck source=tests/sandboxes/player.sh
. tests/sandboxes/player.sh
work=/mnt
socket=/run/dspbroker/broker.sock
examples=systemd/examples
policies=/etc/dspbroker/policy.d
broker=

fail() {
	echo "$1"
	[ ! -s $work/log ] || sed 's/^/broker: /' $work/log
	exit 1
}

# This script again, in namespaces of its own: what it mounts is seen by nobody else, and what it
# started ends with it.
enter_namespaces() {
	[ "$(id -u)" = 0 ] || fail "only root may do this: it makes users, and containers that are root's"
	[ -z "${DSP_NAMESPACES-}" ] || return 0
	DSP_NAMESPACES=yes exec unshare --mount --pid --fork --kill-child --mount-proc "$0"
}

lay_system() {
	mount -t tmpfs -o mode=755 tmpfs $work
	mkdir $work/etc $work/etc.work $work/programs
	mount -t overlay -o "lowerdir=/etc,upperdir=$work/etc,workdir=$work/etc.work" overlay /etc
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p /run/user /run/dspbroker /run/lock $policies
	# Where version 1 of control groups is in use, too: that of the container runtime.
	[ -e /sys/fs/cgroup/cgroup.procs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
	# The broker's user, and its programs where it may look.
	useradd --system --user-group --no-create-home dspbroker
	cp -r "$DSP_BUILD/dspbrokerd" "$DSP_BUILD/softdsp" "$DSP_BUILD/dspbroker-who" \
		"$DSP_BUILD/dspctl" "$DSP_BUILD/modules" $work/programs
	chown dspbroker /run/dspbroker
	cp "$examples"/*.json $policies
}

# person NAME GROUP: with a home, and ids for containers of theirs.
ids=3000000
person() {
	useradd --base-dir $work --create-home --user-group --groups "$2" "$1"
	sed -i "/^$1:/d" /etc/subuid /etc/subgid
	echo "$1:$ids:65536" | tee -a /etc/subuid >>/etc/subgid
	ids=$((ids + 65536))
	install -d -o "$1" -m 700 "/run/user/$(id -u "$1")"
}

# as NAME COMMAND...
as() {
	name=$1
	shift
	(cd "$work/$name" && exec setpriv --reuid="$name" --regid="$name" --init-groups env -i PATH="$PATH" \
		HOME="$work/$name" XDG_RUNTIME_DIR="/run/user/$(id -u "$name")" "$@")
}

start_broker() {
	$work/programs/dspbrokerd --user dspbroker --socket $socket --policy $policies \
		--modules $work/programs/modules --softdsp $work/programs/softdsp \
		--who $work/programs/dspbroker-who >>$work/log 2>&1 &
	broker=$!
	until $work/programs/dspctl devices >/dev/null 2>&1; do
		kill -0 $broker || fail "the broker did not start"
		sleep 0.1
	done
}

stop_broker() {
	kill "$broker"
	wait "$broker" || fail "the broker did not end well"
}

# grants COMMAND...: the DSP has done its work.
grants() {
	out=$("$@" 2>&1) || fail "it may use the DSP, and could not: $*: $out"
	[ "$(echo "$out" | tail -n 1)" = "the sum is 10" ] || fail "this is no sum: $out"
}

# fails TEXT COMMAND...: it does, and says that.
fails() {
	text=$1
	shift
	! out=$("$@" 2>&1) || fail "it should fail: $*"
	echo "$out" | grep -q "$text" || fail "it failed for another reason than \"$text\": $*: $out"
}

refuses() {
	fails 'denied by policy' "$@"
}
