#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: rules for units, slices, programs and users'
# units, under a /proc that hides other users' processes; who has which capabilities; and reload, by
# systemctl, of policies that are right and wrong, with what the journal says of it all.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
# shellcheck disable=SC2034 # start_system takes it
proc=hidepid=2
id_denied=5e669cdd3da24046ad0f3a843d7e0504 # message ids, daemon/audit.c
id_lost=0b52d75f0b6d4ac1bbfd311095dc6885
id_reloaded=be2db09356fc41edb832041b4c85cdcd
id_reload_failed=fc362a3aff3d4cc1b23bbf2b72c3d176
looks=0000000000080004 # CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, <linux/capability.h>

listener_ends() {
	! systemctl is-active listener.service
}

install_system
printf 'u alice 1500 "" /home/alice\n' | systemd-sysusers -
unit player.service DynamicUser=yes
unit recorder.service DynamicUser=yes
unit as-nobody.service User=nobody
unit in-media.service DynamicUser=yes Slice=media.slice
unit in-media-low.service DynamicUser=yes Slice=media-low.slice
cat >"$units/listener.service" <<'END_OF_UNIT'
[Service]
User=nobody
ExecStart=dspctl receive rpmsg0/hello
END_OF_UNIT
remotectl serve 9000 echo
remotectl announce 9000 hello
player=$(allow player '"units": ["play?r.service"]' 'soft0/example')
media=$(allow media '"slices": ["media.slice"]' 'soft0/*')
listener=$(allow listener '"units": ["listener.service"], "users": ["nobody"]' 'rpmsg0/hello')
rules "$player" "$media" "$listener"

start_system
journalctl --update-catalog
# Units and slices.
opens player.service
is_denied recorder.service
is_denied as-nobody.service
opens in-media.service
is_denied in-media-low.service
has_entry MESSAGE_ID=$id_denied DSPBROKER_UNIT=recorder.service DSPBROKER_SLICE=system.slice \
	DSPBROKER_EXECUTABLE=/usr/local/bin/dspctl DSPBROKER_CHANNEL=soft0/example \
	'DSPBROKER_RULE=(default)' DSPBROKER_VERB=open || fail "a refusal is not in the journal"
journal --catalog MESSAGE_ID=$id_denied | grep -q 'Subject: Policy denied user 65534 to open' ||
	fail "the catalog does not tell what a refusal is"

# Capabilities.
capabilities_of dspbrokerd $nothing
capabilities_of dspbroker-who $looks
capabilities_of softdsp $nothing

# Reload. A session that lost its right ends, and with it its program.
systemctl start listener.service
await sh -c "dspctl sessions | grep -q rpmsg0/hello"
broker=$(main_pid dspbrokerd.service)
rules "$player" '{"name": "oops", "action": "allow", "mach": {}}'
! systemctl reload dspbrokerd.service || fail "a wrong policy was taken"
systemctl status --no-pager --full dspbrokerd.service >/run/status || fail "it does not run"
grep 'ExecReload=' /run/status | grep -q 'status=' || fail "systemctl does not tell of it"
grep -q 'test.json:3:' /run/status || fail "systemctl does not tell where it is wrong"
has_entry MESSAGE_ID=$id_reload_failed "DSPBROKER_RULE_FILE=$policies/test.json" \
	DSPBROKER_RULE_LINE=3 || fail "the journal does not tell where it is wrong"
opens player.service
opens in-media.service
[ "$(systemctl is-active listener.service)" = active ] || fail "a wrong policy ended a session"

rules "$player"
systemctl reload dspbrokerd.service || fail "a right policy was not taken"
opens player.service
is_denied in-media.service
await listener_ends
has_entry MESSAGE_ID=$id_reloaded DSPBROKER_RULES=1 DSPBROKER_REVOKED=1 ||
	fail "the journal does not tell of the reload"
has_entry MESSAGE_ID=$id_lost DSPBROKER_UNIT=listener.service ||
	fail "the journal does not tell who lost a session"
[ "$(main_pid dspbrokerd.service)" = "$broker" ] || fail "it was started again"

# Programs, whoever runs them; but not what is no program of this system.
rules "$(allow dspctl '"executables": ["/usr/local/bin/dspctl"]' 'soft0/example')"
systemctl reload dspbrokerd.service
opens as-nobody.service
cp /usr/local/bin/dspctl /usr/local/bin/other
inside setpriv --reuid=nobody --regid=nogroup --clear-groups dspctl call soft0/example 9 ||
	fail "it may open"
status=0
inside other call soft0/example 9 || status=$?
[ $status = $denied ] || fail "a copy of a program is another one"

# What the unit hides from the broker is not known to be what it is called (ProtectHome=).
install -D /usr/local/bin/dspctl /home/bin/dspctl
rules "$(allow dspctl '"executables": ["/home/bin/dspctl"]' 'soft0/example')"
systemctl reload dspbrokerd.service
status=0
inside /home/bin/dspctl call soft0/example 9 || status=$?
[ $status = $denied ] || fail "the broker knows a program in /home"

# Units of a user.
rules "$(allow users '"users": ["alice"], "user_units": ["app-player.service"]' 'soft0/example')"
systemctl reload dspbrokerd.service
mkdir -p "$units/user@.service.d" /home/alice/.config/systemd/user
# Without the login manager nobody else makes these.
cat >"$units/user@.service.d/alone.conf" <<'END_OF_UNIT'
[Service]
PAMName=
Environment=XDG_RUNTIME_DIR=/run/user/%i HOME=/home/alice
END_OF_UNIT
cat >"$units/user-runtime-dir@.service" <<'END_OF_UNIT'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=install -d -m 700 -o %i /run/user/%i
END_OF_UNIT
for name in app-player app-other; do
	printf '%s\n' '[Service]' 'Type=oneshot' 'ExecStart=/usr/local/bin/dspctl call soft0/example 9' \
		>"/home/alice/.config/systemd/user/$name.service"
done
systemctl daemon-reload
systemctl start user@1500.service || fail "there is no manager for alice"
as_alice="setpriv --reuid=1500 --regid=1500 --clear-groups env XDG_RUNTIME_DIR=/run/user/1500"
# shellcheck disable=SC2086 # words
{
	inside $as_alice systemctl --user start app-player.service || fail "a user's unit may open"
	! inside $as_alice systemctl --user start app-other.service || fail "another may not"
}
has_entry MESSAGE_ID=$id_denied DSPBROKER_UNIT=user@1500.service \
	DSPBROKER_USER_UNIT=app-other.service || fail "it was refused for another reason"

complaints=$(journal --priority=warning --output=cat)
[ "$(printf '%s\n' "$complaints" | wc -l)" = 2 ] || fail "it complained: $complaints"
systemctl stop dspbrokerd.socket dspbrokerd.service
[ "$(systemctl show --property=Result --value dspbrokerd.service)" = success ] || fail "it failed"
