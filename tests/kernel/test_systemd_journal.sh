#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest, as installed, with the real systemd: what is refused, lost and administered is in the
# journal, with the fields that dspbrokerd(8) lists, and the catalog says what can be done about it.
set -eu
# shellcheck source=tests/kernel/system.sh
. "$(dirname "$0")/system.sh"
# Message ids, daemon/audit.c.
id_denied=5e669cdd3da24046ad0f3a843d7e0504
id_denied_call=b7d6ffe4a4ef4637ac179bf78198270c
id_denied_message=90dd245ff2054843bd836e57e1c0a1fc
id_over_limit=ccbb086111a04483ad69e7d512aada87
id_lost=0b52d75f0b6d4ac1bbfd311095dc6885
id_reloaded=be2db09356fc41edb832041b4c85cdcd
id_reload_failed=fc362a3aff3d4cc1b23bbf2b72c3d176
id_kicked=924e44e92d6846c0b6ae098f223dd607
id_power=d62746e79a0c40d1b0cdf7e559543f45

# fields ID FIELD=VALUE...: the last entry of that id has all of these.
fields() {
	id=$1
	shift
	await has_entry MESSAGE_ID="$id"
	journal --output=json --lines=1 MESSAGE_ID="$id" >/run/entry
	for field; do
		grep -qF "\"${field%%=*}\":\"${field#*=}\"" /run/entry ||
			fail "no $field in $(cat /run/entry)"
	done
}

# advice ID TEXT: the catalog has something to say, in which no name of a field was left as it is.
advice() {
	journal --catalog --lines=1 MESSAGE_ID="$1" >/run/advice
	grep -q "$2" /run/advice || fail "no '$2' in $(cat /run/advice)"
	! grep '@DSPBROKER' /run/advice || fail "a field is missing that the catalog names"
}

listens() {
	inside dspctl sessions --json | grep -q rpmsg0/hello
}

install_system
remotectl serve 9000 echo
remotectl announce 9000 hello
unit recorder.service DynamicUser=yes
# Method 2 is among those of the rule, 9 is not.
unit caller.service DynamicUser=yes
unit sender.service DynamicUser=yes ExecStart= 'ExecStart=dspctl send rpmsg0/hello hi'
printf '%s\n' '[Service]' DynamicUser=yes 'ExecStart=dspctl receive rpmsg0/hello' \
	>"$units/listener.service"
unit second.service DynamicUser=yes User=caller ExecStart= 'ExecStart=dspctl receive rpmsg0/hello --count 1'
rules '{"name": "some", "action": "allow", "match": {"units": ["caller.service"]},
		"channels": ["soft0/example"], "methods": [2]}' \
	'{"name": "hears", "action": "allow", "match": {"users": ["*"]}, "channels": ["rpmsg0/hello"],
		"direction": "receive", "limits": {"sessions": 1}}'
start_system
journalctl --update-catalog

# A refusal, and who it was that systemd and the kernel say wrote of it.
is_denied recorder.service
fields $id_denied DSPBROKER_UNIT=recorder.service DSPBROKER_SLICE=system.slice \
	DSPBROKER_EXECUTABLE=/usr/local/bin/dspctl DSPBROKER_FLATPAK= DSPBROKER_VERB=open \
	DSPBROKER_CHANNEL=soft0/example 'DSPBROKER_RULE=(default)' _SYSTEMD_UNIT=dspbrokerd.service \
	_COMM=dspbrokerd "_UID=$(id -u dspbroker)" PRIORITY=5 SYSLOG_IDENTIFIER=dspbrokerd
grep -q '"DSPBROKER_UID":"6[0-9]*"' /run/entry || fail "whose dynamic user it was is not there"
advice $id_denied 'add a rule in /etc/dspbroker/policy.d'

! systemctl start caller.service 2>/dev/null || fail "a method was allowed that is not in the rule"
fields $id_denied_call DSPBROKER_UNIT=caller.service DSPBROKER_METHOD=9 DSPBROKER_RULE=some
grep -q '"DSPBROKER_SESSION":"[1-9]' /run/entry || fail "which session it was is not there"
advice $id_denied_call 'add the number to "methods"'

! systemctl start sender.service 2>/dev/null || fail "a message went the wrong way"
fields $id_denied_message DSPBROKER_UNIT=sender.service DSPBROKER_CHANNEL=rpmsg0/hello \
	DSPBROKER_RULE=hears
advice $id_denied_message 'set "direction" of that rule'

# Two of one user, of whom one session is allowed.
drop_in listener.service DynamicUser=no User=nobody
drop_in second.service DynamicUser=no User=nobody
systemctl daemon-reload
systemctl start listener.service
await listens
! systemctl start second.service 2>/dev/null || fail "there are more sessions than the limit says"
fields $id_over_limit DSPBROKER_UNIT=second.service DSPBROKER_LIMIT=sessions \
	DSPBROKER_LIMIT_VALUE=1 DSPBROKER_RULE=hears DSPBROKER_UID=65534
advice $id_over_limit 'dspctl sessions'

# What an administrator does.
session=$(inside dspctl sessions --json | sed -n 's/.*"id": *\([0-9]*\).*/\1/p' | head -n 1)
inside dspctl kick "$session" || fail "root may not end session $session"
fields $id_kicked DSPBROKER_VERB=kick DSPBROKER_SESSION="$session" DSPBROKER_SESSION_UID=65534 \
	DSPBROKER_UID=0 DSPBROKER_CHANNEL=rpmsg0/hello
fields $id_lost DSPBROKER_UNIT=listener.service DSPBROKER_SESSION="$session"
advice $id_lost 'Its client was told'
inside dspctl stop rpmsg0 || fail "root may not stop a remote processor"
fields $id_power DSPBROKER_VERB=stop DSPBROKER_DEVICE=rpmsg0 DSPBROKER_UID=0
advice $id_power 'wants to stop the remote processor of rpmsg0'

rules '{"name": "oops", "action": "allow", "mach": {}}'
! systemctl reload dspbrokerd.service 2>/dev/null || fail "a wrong policy was taken"
fields $id_reload_failed "DSPBROKER_RULE_FILE=$policies/test.json" DSPBROKER_RULE_LINE=2
advice $id_reload_failed 'dspctl policy check'
rules "$(allow everybody "$everybody" '*/*')"
systemctl reload dspbrokerd.service || fail "a right policy was not taken"
fields $id_reloaded DSPBROKER_RULES=1 DSPBROKER_REVOKED=0 DSPBROKER_VERB=reload
advice $id_reloaded 'dspctl policy show'
stop_system
