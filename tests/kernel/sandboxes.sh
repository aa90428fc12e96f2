#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, by tests/sandboxes/test_systemd.sh: the units of systemd/examples, as they are, under the
# real systemd, with the policy that is there. What a sandbox knows of the socket when the broker, or the
# socket, has been started again.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
# shellcheck source=tests/sandboxes/player.sh
. tests/sandboxes/player.sh
examples=systemd/examples

# The file system here is an overlay already, which Podman would not lay another over.
make_image() {
	mkdir -p /etc/containers
	printf '[storage]\ndriver = "vfs"\ngraphroot = "/run/images"\nrunroot = "/run/containers"\n' \
		>/etc/containers/storage.conf
	lay_image /run/image /usr/bin/player
	tar -C /run/image -c . | podman import - player
}

# The same under a name that policy does not know.
lay_units() {
	for name in player player-container; do
		cp "$examples/$name.service" "$units/$name.service"
		cp "$examples/$name.service" "$units/other-$name.service"
	done
}

# One that Podman makes a unit for, over the system's bus; it is in a slice of its own, too.
lay_container() {
	rules "$(allow any-container '"units": ["libpod-*.scope"], "slices": ["machine.slice"]' soft0/example)"
	cp "$examples/player-container.service" "$units/any-container.service"
	sed -i 's/--cgroups=split//' "$units/any-container.service"
	mkdir "$units/any-container.service.d"
	printf '[Unit]\nRequires=dbus.service\nAfter=dbus.service\n' >"$units/any-container.service.d/bus.conf"
}

# A sandbox that stays, and sees of /run what is bound in.
sandbox() {
	unit "$1.service" Type=exec TemporaryFileSystem=/run "BindReadOnlyPaths=$2" ExecStart= \
		'ExecStart=sleep infinity'
}

# says NAME TEXT: the player, started there from outside, says that. No rule allows it more.
says() {
	pid=$(cat "/sys/fs/cgroup$(property "$1.service" ControlGroup)/cgroup.procs")
	answer=$(inside nsenter --target="$pid" --mount player 2>&1) || true
	echo "$answer" | grep -q "$2" || fail "in $1 it said: $answer"
}

is_refused() {
	! systemctl start "$1" 2>/dev/null || fail "$1 may use the DSP, and should not"
	journalctl --quiet --output=cat --unit="$1" | grep -q 'denied by policy' ||
		fail "$1 failed for another reason: $(journalctl --quiet --output=cat --unit="$1")"
}

install_system
ldconfig
compile_player /usr/bin/player
lay_units
lay_container
sandbox by-file /run/dspbroker/broker.sock
sandbox by-folder /run/dspbroker
cp "$examples/50-sandboxes.json" "$policies"
make_image
start_system
cd /

opens player.service
opens player-container.service
opens any-container.service
is_refused other-player.service
is_refused other-player-container.service
has_entry DSPBROKER_UNIT=other-player-container.service DSPBROKER_UID=0 DSPBROKER_VERB=open ||
	fail "the journal does not say which container was refused"

systemctl start by-file.service by-folder.service
says by-file 'denied by policy'
says by-folder 'denied by policy'
systemctl restart dspbrokerd.service
says by-file 'denied by policy'
says by-folder 'denied by policy'
systemctl stop dspbrokerd.service dspbrokerd.socket
systemctl start dspbrokerd.socket
says by-file 'Connection refused'
says by-folder 'denied by policy'
stop_system
