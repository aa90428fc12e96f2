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
	lib/systemd/system/dspbroker-who@.service lib/systemd/system-preset/90-dspbroker.preset \
	share/dspbroker/dspbroker-policy.schema.json share/doc/dspbroker/examples/10-audio.json \
	share/bash-completion/completions/dspctl share/zsh/site-functions/_dspctl \
	share/man/man1/dspctl.1 share/man/man3/libdspbroker.3 share/man/man5/dspbroker-policy.5 \
	share/man/man7/dspbroker.7 share/man/man8/dspbrokerd.8 share/man/man8/dspbroker-who.8 \
	share/man/man8/softdsp.8; do
	[ -e "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
grep -qx 'ExecStart=/usr/local/sbin/dspbrokerd --who-socket .*' "$prefix/lib/systemd/system/dspbrokerd.service"
grep -rn "@[a-z]*dir@\|@prefix@" "$prefix/lib/systemd" "$prefix/lib/pkgconfig" && exit 1
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

# Every function that the library has is on its page, and leads there.
nm -D --defined-only "$prefix/lib/libdspbroker.so.0" | sed -n 's/.* T \(.*\)@@.*/\1/p' >"$work/functions"
[ -s "$work/functions" ]
while read -r function; do
	grep -qE "^\.F[no] \"?$function\b" "$prefix/share/man/man3/libdspbroker.3" ||
		{ echo "without a word in libdspbroker(3): $function"; exit 1; }
	grep -qx '.so man3/libdspbroker.3' "$prefix/share/man/man3/$function.3"
done <"$work/functions"

staged_make uninstall
files | diff - "$work/before"
! find "$stage" -type d -name '*dspbroker*' ! -path '*/share/doc/dspbroker' | grep .
