#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The README's first client compiles as printed, against the installed library, and works; its
# policy is one; and the broker starts by the command that is given there.
set -eu

work=$(mktemp -d)
broker=
finish() {
	[ -z "$broker" ] || kill "$broker" 2>/dev/null || :
	rm -rf "$work"
}
trap finish EXIT
unset MAKEFLAGS MAKELEVEL

# block LANGUAGE: the first code block of that language.
block() {
	sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" README.md | sed -e '1d' -e '/^```$/,$d'
}

make BUILD="$DSP_BUILD" DESTDIR="$work/stage" install >/dev/null
prefix=$work/stage/usr/local
block c >"$work/sum.c"
# shellcheck disable=SC2046
cc -std=c11 -Wall -Wextra -Werror -o "$work/sum" "$work/sum.c" \
	$(PKG_CONFIG_SYSROOT_DIR=$work/stage PKG_CONFIG_PATH=$prefix/lib/pkgconfig \
		pkg-config --cflags --libs libdspbroker)

mkdir "$work/policy"
block json >"$work/policy/50-studio.json"
"$DSP_BUILD/dspctl" policy check "$work/policy"

cat >"$work/policy/60-test.json" <<'END'
{ "version": 1, "rules": [ { "name": "test", "action": "allow",
  "match": { "users": ["*"] }, "channels": ["soft0/example"] } ] }
END
# The command of the README, with the paths of this test.
DSPBROKER_SOCKET=$work/broker.sock
export DSPBROKER_SOCKET
"$prefix/sbin/dspbrokerd" --socket "$DSPBROKER_SOCKET" --policy "$work/policy" \
	--modules "$prefix/lib/dspbroker/modules" --softdsp "$prefix/libexec/dspbroker/softdsp" \
	--who "$prefix/libexec/dspbroker/dspbroker-who" &
broker=$!
until "$prefix/bin/dspctl" devices 2>/dev/null; do
	kill -0 "$broker" # it must not have ended
	sleep 0.1
done

out=$(LD_LIBRARY_PATH=$prefix/lib "$work/sum")
echo "$out"
[ "$out" = "the sum is 10" ]
kill "$broker"
wait "$broker"
broker=
