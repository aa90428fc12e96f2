#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The commands under "Checking" in policy/README.md print what it says they print.
set -eu

# The first code block of that part; a line that begins with "$ " is a command, the rest its output.
# shellcheck disable=SC2016
block=$(sed -n '/^## Checking$/,/^## /p' policy/README.md | sed -n '/^```/,/^```$/p' |
	sed -e 1d -e '/^```$/,$d')
command=$(echo "$block" | sed -n 's/^\$ dspctl //p')
[ -n "$command" ]
[ "$(echo "$command" | wc -l)" -eq 1 ]

# Names of users and groups that this machine does not have are warned of beside that.
# shellcheck disable=SC2086
out=$("$DSP_BUILD/dspctl" $command)
echo "$out"
[ "$out" = "$(echo "$block" | sed '/^\$ /d')" ]
