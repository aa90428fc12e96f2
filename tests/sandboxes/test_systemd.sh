#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The example units use a DSP under the real systemd: in the guest of the real-kernel testbed.
exec tests/kernel/boot tests/kernel/sandboxes.sh
