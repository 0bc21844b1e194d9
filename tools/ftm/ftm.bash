# Completion of ftm's commands, options and sources for bash. The words come from ftm itself, so
# that they are those of the version that is installed.

_ftm_options() {
    "$1" help "$2" 2>/dev/null | grep -o -E -e '(^|[ ,|[])--?[a-z][a-z-]*' |
        grep -o -E -e '--?[a-z-]+' | sort -u
}

_ftm_processes() {
    "$1" ps 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_ftm() {
    local ftm=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]-}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$command" = help ]; }; then
        mapfile -t COMPREPLY < <(compgen -W "help $("$ftm" help 2>/dev/null |
            sed -n 's/^  \([a-z]*\)  .*/\1/p')" -- "$word")
    elif [ "$command" = map ] && [ "${COMP_WORDS[COMP_CWORD - 1]}" = --by ]; then
        mapfile -t COMPREPLY < <(compgen -W "occupancy class age resident" -- "$word")
    elif [ "$command" = map ] && [ "${COMP_WORDS[COMP_CWORD - 1]}" = --color ]; then
        mapfile -t COMPREPLY < <(compgen -W "always never auto" -- "$word")
    elif [ "$command" = leaks ] && [[ ${COMP_WORDS[COMP_CWORD - 1]} = --show ||
        ${COMP_WORDS[COMP_CWORD - 1]} = --errors ]]; then
        mapfile -t COMPREPLY < <(compgen -W \
            "definite indirect possible reachable suppressed all none" -- "$word")
    elif [ "$command" = leaks ] && [ "${COMP_WORDS[COMP_CWORD - 1]}" = --heuristics ]; then
        mapfile -t COMPREPLY < <(compgen -W \
            "stdstring length64 newarray multipleinheritance dtv all none" -- "$word")
    elif [ "${COMP_WORDS[COMP_CWORD - 1]}" = --by ]; then
        mapfile -t COMPREPLY < <(compgen -W "stack site library thread size" -- "$word")
    elif [ "$command" = export ] && [[ ${COMP_WORDS[COMP_CWORD - 1]} = -f ||
        ${COMP_WORDS[COMP_CWORD - 1]} = --format ]]; then
        mapfile -t COMPREPLY < <(compgen -W "pprof folded dhat" -- "$word")
    elif [ "${word:0:1}" = - ]; then
        mapfile -t COMPREPLY < <(compgen -W "--help $(_ftm_options "$ftm" "$command")" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -W "$(_ftm_processes "$ftm")" -- "$word"
            compgen -f -- "$word")
    fi
}

complete -o filenames -F _ftm ftm
