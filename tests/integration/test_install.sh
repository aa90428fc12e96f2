#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What `make install` lays is enough to build against and to run, and `make uninstall` takes exactly
# that away.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage
unset MAKEFLAGS MAKELEVEL

staged_make() {
	make BUILD="$DSP_BUILD" DESTDIR="$stage" "$@"
}

files() {
	find "$stage" ! -type d | sort
}

mkdir -p "$stage/usr/local/bin" "$stage/usr/local/share/doc/dspbroker"
echo mine >"$stage/usr/local/bin/neighbour"
echo mine >"$stage/usr/local/share/doc/dspbroker/notes"
files >"$work/before"
staged_make install
files

prefix=$stage/usr/local
for file in sbin/dspbrokerd bin/dspctl libexec/dspbroker/softdsp lib/libdspbroker.so.0 \
	lib/libdspbroker.so lib/libdspbroker.a lib/dspbroker/modules/libdenoise_skel.so \
	include/dspbroker.h lib/systemd/system/dspbrokerd.socket lib/sysusers.d/dspbroker.conf \
	lib/tmpfiles.d/dspbroker.conf lib/udev/rules.d/72-dspbroker.rules \
	lib/systemd/catalog/dspbroker.catalog \
	share/man/man1/dspctl.1 share/man/man8/dspbrokerd.8; do
	[ -e "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
grep -qx 'ExecStart=/usr/local/sbin/dspbrokerd' "$prefix/lib/systemd/system/dspbrokerd.service"
"$prefix/sbin/dspbrokerd" --version
"$prefix/bin/dspctl" --version

cat >"$work/app.c" <<'END'
#include <dspbroker.h>
#include <stdio.h>
int main(void)
{
	return puts(dspbroker_version()) < 0;
}
END
flags=$(PKG_CONFIG_SYSROOT_DIR=$stage PKG_CONFIG_PATH=$prefix/lib/pkgconfig \
	pkg-config --cflags --libs libdspbroker)
# shellcheck disable=SC2086
gcc -Wall -Wextra -Werror -o "$work/app" "$work/app.c" $flags
version=$(pkg-config --modversion "$prefix/lib/pkgconfig/libdspbroker.pc")
[ "$(LD_LIBRARY_PATH=$prefix/lib "$work/app")" = "$version" ]

staged_make uninstall
files | diff - "$work/before"
! find "$stage" -type d -name '*dspbroker*' ! -path '*/share/doc/dspbroker' | grep .
