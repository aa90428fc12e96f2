#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The schema that editors have of policy files accepts what the broker accepts, refuses what it
# refuses, and knows each of its keys.
set -eu

for python in python3 /usr/bin/python3; do
	if "$python" -c 'import jsonschema' 2>/dev/null; then
		exec "$python" tests/integration/policy_schema.py "$DSP_BUILD/dspctl"
	fi
done
echo "There is no python3-jsonschema; tests/deps check installs it."
exit 1
