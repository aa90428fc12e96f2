# SPDX-License-Identifier: MIT
# Completion of dspctl(1) for bash.

# The channels of kind $1: call or message.
_dspctl_channels()
{
	dspctl channels 2>/dev/null | awk -v kind="$1" '$2 == kind { print $1 }'
}

# The first column of the list $1.
_dspctl_names()
{
	dspctl "$1" 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# Complete word number $1 after the command $2 (1: the first).
_dspctl_argument()
{
	case $2:$1 in
	call:1 | run:1)
		mapfile -t COMPREPLY < <(compgen -W "$(_dspctl_channels call)" -- "$cur")
		;;
	send:1 | receive:1)
		mapfile -t COMPREPLY < <(compgen -W "$(_dspctl_channels message)" -- "$cur")
		;;
	call:2)
		;;
	call:*)
		if [[ $cur == @* ]]; then
			mapfile -t COMPREPLY < <(compgen -f -P @ -- "${cur#@}")
		else
			mapfile -t COMPREPLY < <(compgen -W \
				"i32: u32: i64: u64: u8: f32: f64: text: hex: out: @" -- "$cur")
		fi
		compopt -o nospace
		;;
	run:2 | run:3)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		;;
	kick:1)
		mapfile -t COMPREPLY < <(compgen -W "$(_dspctl_names sessions)" -- "$cur")
		;;
	start:1 | stop:1)
		mapfile -t COMPREPLY < <(compgen -W "$(_dspctl_names devices)" -- "$cur")
		;;
	policy:1)
		mapfile -t COMPREPLY < <(compgen -W "check show explain reload" -- "$cur")
		;;
	policy:*)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		compopt -o filenames
		;;
	esac
}

_dspctl_options()
{
	case $1 in
	call) echo "--help --version --json --socket --timeout --memory --module" ;;
	run)
		echo "--help --version --json --socket --memory --module --block --in-flight" \
			"--suppress --rate"
		;;
	send)
		echo "--help --version --json --socket --timeout --follow --hex --raw --receive --try"
		;;
	receive) echo "--help --version --json --socket --timeout --follow --hex --raw --count" ;;
	devices) echo "--help --version --json --socket --follow" ;;
	policy\ check) echo "--help --version --json --strict" ;;
	policy\ explain)
		echo "--help --version --json --pid --uid --channel --verb --method"
		;;
	policy\ reload) echo "--help --version --json --socket" ;;
	policy*) echo "--help --version --json" ;;
	*) echo "--help --version --json --socket" ;;
	esac
}

# Complete the value of option $1.
_dspctl_value()
{
	case $1 in
	--memory)
		mapfile -t COMPREPLY < <(compgen -W "memfd heap device" -- "$cur")
		;;
	--verb)
		mapfile -t COMPREPLY < <(compgen -W "open list kick start stop reload" -- "$cur")
		;;
	--channel)
		mapfile -t COMPREPLY < <(compgen -W "$(_dspctl_names channels)" -- "$cur")
		;;
	--uid)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		;;
	--socket | --module)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		;;
	esac
}

_dspctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} command="" name="" words=0 i

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | --timeout | --memory | --module | --block | --in-flight | --suppress | \
			--rate | --count | --receive | --pid | --uid | --channel | --verb | --method)
			((i++))
			;;
		-*) ;;
		*)
			[[ -n $command ]] && ((words++))
			[[ $command == policy ]] && ((words == 1)) && name="policy ${COMP_WORDS[i]}"
			: "${command:=${COMP_WORDS[i]}}"
			;;
		esac
	done

	if ((i > COMP_CWORD)); then # the value of an option
		_dspctl_value "${COMP_WORDS[COMP_CWORD - 1]}"
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_dspctl_options "${name:-$command}")" -- "$cur")
	elif [[ -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"status devices channels sessions call run send receive kick start stop policy" -- "$cur")
	else
		_dspctl_argument $((words + 1)) "$command"
	fi
}

complete -F _dspctl dspctl
