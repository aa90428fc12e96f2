#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A Flatpak that sees the broker's socket and nothing else beside its own files uses a DSP, as
# systemd/README.md says; one with another id does not, nor does one of another user. The runtime is
# made here.
set -eu
# shellcheck source=tests/sandboxes/sandboxes.sh
. "$(dirname "$0")/sandboxes.sh"
enter_namespaces

# flatpak_as NAME ARGUMENT...: in a session of that user. Where Flatpak asks for parental controls it
# wants the system's bus as well.
flatpak_as() {
	name=$1
	shift
	# shellcheck disable=SC2016 # for the shell inside
	as "$name" dbus-run-session -- \
		sh -c 'DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS exec flatpak "$@" 2>&1' flatpak "$@"
}

# What is alike in the metadata of runtime and apps.
metadata() {
	printf '%s\n' "[$1]" "name=$2" "runtime=$runtime" "sdk=$runtime"
}

export_runtime() {
	mkdir -p $work/runtime/files
	lay_root $work/runtime/root
	mv $work/runtime/root/usr $work/runtime
	install /sbin/ldconfig $work/runtime/usr/bin
	# So it is in runtimes: an app's libraries are in /app/lib.
	mkdir $work/runtime/usr/etc
	echo /app/lib >$work/runtime/usr/etc/ld.so.conf
	metadata Runtime org.example.Platform >$work/runtime/metadata
	flatpak build-export --runtime $work/repository $work/runtime 1
}

# export_app NAME OPTION...: org.example.NAME, which may do what these options say.
export_app() {
	app=$work/$1
	mkdir -p "$app/files/bin" "$app/files/lib"
	cp $work/player "$app/files/bin"
	cp "$DSP_BUILD/libdspbroker.so.0" "$app/files/lib"
	{
		metadata Application "org.example.$1"
		echo command=player
	} >"$app/metadata"
	shift
	flatpak build-finish "$app" "$@"
	flatpak build-export $work/repository "$app"
}

# install_for NAME
install_for() {
	flatpak_as "$1" --user remote-add --no-gpg-verify test $work/repository
	flatpak_as "$1" --user install -y --noninteractive test \
		org.example.Player org.example.Other org.example.Blind
}

lay_system
person alice users
person bob video
start_broker
compile_player $work/player
runtime=org.example.Platform/$(flatpak --default-arch)/1
export_runtime
export_app Player --filesystem=$socket:ro
export_app Other --filesystem=$socket:ro
export_app Blind
flatpak build-update-repo $work/repository
install_for alice
install_for bob

grants flatpak_as alice run org.example.Player
refuses flatpak_as alice run org.example.Other
refuses flatpak_as bob run org.example.Player
fails 'No such file' flatpak_as alice run org.example.Blind
refuses flatpak_as alice run --filesystem=/run/dspbroker org.example.Blind
seen=$(flatpak_as alice run --command=sh org.example.Player -c 'echo /run/dspbroker/*')
[ "$seen" = $socket ] || fail "it sees more than the socket: $seen"
grep '"DSPBROKER_FLATPAK":"org.example.Other"' $work/log | grep -q 'soft0/example denied' ||
	fail "the log does not say which app was refused"

# What the user lets it see is the user's to say, and the administrator's.
flatpak_as alice override --user --filesystem=/run/dspbroker:ro org.example.Blind
refuses flatpak_as alice run org.example.Blind
flatpak_as alice override --user --nofilesystem=$socket org.example.Player
fails 'No such file' flatpak_as alice run org.example.Player
stop_broker
