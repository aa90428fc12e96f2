#!/bin/sh
# SPDX-License-Identifier: MIT
#
# For scripts that are read in: a program that wants to use a DSP, and a place for it to run.

# compile_player FILE: the first client of README.md, which loads the library.
compile_player() {
	# shellcheck disable=SC2016 # backquotes
	sed -n '/^```c$/,/^```$/p' README.md | sed -e '1d' -e '/^```$/,$d' |
		cc -o "$1" -x c - -Iclient -x none -L"$DSP_BUILD" -ldspbroker
}

# lay_root FOLDER: a root directory with a shell, and what that links to.
lay_root() {
	mkdir -p "$1/usr/bin" "$1/usr/lib" "$1/usr/lib64" "$1/etc" "$1/run"
	ln -s usr/bin usr/lib usr/lib64 "$1"
	for file in $(ldd /bin/sh | grep -o '/lib[^ ]*'); do
		install -D "$file" "$1$file"
	done
	install /bin/sh "$1/usr/bin/sh"
}

# lay_image FOLDER PLAYER: a root directory with that, and with the library.
lay_image() {
	lay_root "$1"
	install "$2" "$1/usr/bin/player"
	install "$DSP_BUILD/libdspbroker.so.0" "$1/usr/lib"
}
