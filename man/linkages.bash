# linkages.bash - completion for bash. tests/lint/man.py holds the words against `linkages-ctl --help`.
#
# Options come from each program's own help, so that none can be forgotten here.

_linkages_options()
{
	"$1" --help 2>/dev/null | sed -n 's/^ *\(-.,\)\{0,1\} *\(--[a-z-]*\).*/\2/p'
}

# The options of a program that are followed by a value, one a line, both of their names.
_linkages_takers()
{
	"$1" --help 2>/dev/null | sed -n -e 's/^ *\(-.\), \(--[a-z-]*\)[ =][A-Z].*/\1\n\2/p' -e 's/^ *\(--[a-z-]*\)[ =][A-Z].*/\1/p'
}

# Is no command among the words before this one? Options, and their values, are none.
_linkages_is_first()
{
	local takers i
	takers=$'\n'$(_linkages_takers "$1")$'\n'
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ $takers == *$'\n'"${COMP_WORDS[i]}"$'\n'* ]]; then
			((i++))
		elif [[ ${COMP_WORDS[i]} != -* ]]; then
			return 1
		fi
	done
}

_linkages()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local program=${COMP_WORDS[0]} words=''

	case $before in
	--agency) words='cws calworks' ;;
	--role) words='publisher worker operator auditor' ;;
	--state | --config | -c | --server-key | --key | -k | --outbox | -o | --out | --policy | -p | --html)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	clients) words='list add revoke rotate' ;;
	dead-letters) words='show export resubmit' ;;
	backup) words="list forget $(compgen -f -- "$word")" ;;
	hold) words='add release list' ;;
	ledger) words='verify' ;;
	policy) words='check' ;;
	clock) words='accept' ;;
	*)
		if [[ $word == -* ]]; then
			words=$(_linkages_options "$program")
		elif [[ ${program##*/} == linkages-ctl ]] && _linkages_is_first "$program"; then
			words='init clients keygen status sources sessions workers policy clock reload stop dead-letters
				ledger scrub backup restore rebuild prune expunge hold report export family why why-not plan'
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			return
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _linkages linkages-ctl linkages-pub linkages-sub linkages-sim linkages-county linkages-bench linkagesd
