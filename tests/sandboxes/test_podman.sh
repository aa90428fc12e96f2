#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Containers by Podman use a DSP as systemd/README.md says, root's and a user's, with the socket bound
# in or by the CDI file; others do not. What they know of a broker that has been started again.
set -eu
# shellcheck source=tests/sandboxes/sandboxes.sh
. "$(dirname "$0")/sandboxes.sh"
enter_namespaces

# There is no systemd here that would make control groups, and no right to raise limits in some places.
configure_podman() {
	mkdir -p /etc/containers /etc/cdi
	cat >/etc/containers/containers.conf <<-END
		[containers]
		cgroups = "disabled"
		netns = "none"
		default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "none"
	END
	cat >/etc/containers/storage.conf <<-END
		[storage]
		driver = "vfs"
		graphroot = "$work/images"
		rootless_storage_path = "\$HOME/images"
		runroot = "/run/containers"
	END
	cp "$examples/cdi-dspbroker.yaml" /etc/cdi/dspbroker.yaml
}

make_image() {
	compile_player $work/player
	lay_image $work/image $work/player
	tar -C $work/image -c -f $work/image.tar .
	for importer in podman "as alice podman" "as bob podman"; do
		$importer import - player <$work/image.tar
	done
}

# patient NAME OPTION...: a container that runs the player whenever a line comes from ask().
patient() {
	name=$1
	shift
	mkfifo "$work/$name.in" "$work/$name.out"
	# shellcheck disable=SC2016 # for the shell inside
	podman run --rm --interactive --name "$name" $mapped "$@" player \
		sh -c 'while read -r line; do player 2>&1; done' <"$work/$name.in" >"$work/$name.out" &
}

# ask IN OUT: what the player says; these are open files.
ask() {
	echo >&"$1"
	read -r answer <&"$2"
	echo "$answer"
}

lay_system
person alice audio
person bob users
start_broker
configure_podman
make_image
volume=--volume=$socket:$socket:ro
locked="--read-only --cap-drop=all --security-opt=no-new-privileges"
mapped=--uidmap=0:2000000:65536

# shellcheck disable=SC2086 # words
{
	# Root's containers: to the broker they are root, or the user to whom they are mapped.
	refuses podman run --rm $volume player player
	refuses podman run --rm --uidmap=0:2100000:65536 $volume player player
	grants podman run --rm $mapped $volume player player
	grants podman run --rm $mapped $locked $volume player player
	grants podman run --rm $mapped $locked --device=dspbroker/dsp=all player player
	grants podman run --rm $mapped --volume=/run/dspbroker:/run/dspbroker:ro player player
	grants podman run --rm $mapped --volume=$socket:/dsp:ro --env=DSPBROKER_SOCKET=/dsp player player
	fails 'No such file' podman run --rm $mapped player player

	# A user's: they are that user, who has to hand groups on.
	refuses as alice podman run --rm $volume player player
	grants as alice podman run --rm --group-add=keep-groups $volume player player
	grants as alice podman run --rm --group-add=keep-groups $locked --device=dspbroker/dsp=all \
		player player
	refuses as bob podman run --rm --group-add=keep-groups $volume player player
}
grep -q "uid $(id -u bob),.* open soft0/example denied" $work/log || fail "the log does not say who"

# A socket that was made anew is another file.
patient by-file "$volume"
exec 3>$work/by-file.in 4<$work/by-file.out
patient by-folder --volume=/run/dspbroker:/run/dspbroker:ro
exec 5>$work/by-folder.in 6<$work/by-folder.out
grants ask 3 4
grants ask 5 6
pid=$(podman inspect --format '{{.State.Pid}}' by-file)
$work/programs/dspctl policy explain --pid "$pid" --channel soft0/example >$work/why ||
	fail "nobody explains it"
grep -q player-mapped $work/why || fail "it is explained by another rule: $(cat $work/why)"
stop_broker
start_broker
ask 3 4 | grep -q 'Connection refused' || fail "the old socket is the new one"
grants ask 5 6
exec 3>&- 5>&-
stop_broker
