# shellcheck shell=bash
# What the scripts share: where things are, and how they speak.

EYRIE_ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
EYRIE_CACHE=$EYRIE_ROOT/.cache
SETUP_LOG=$EYRIE_CACHE/setup.log
export EYRIE_ROOT EYRIE_CACHE

say() { printf '%s: %s\n' "$(basename -- "$0")" "$*"; }
warn() { printf '%s: warning: %s\n' "$(basename -- "$0")" "$*" >&2; }
die() {
  printf '%s: error: %s\n' "$(basename -- "$0")" "$*" >&2
  exit 1
}
usage_error() {
  printf '%s: error: %s\n' "$(basename -- "$0")" "$*" >&2
  exit 2
}

have() { command -v -- "$1" >/dev/null 2>&1; }

# at_least 6.3.1 6.2: whether the first version is the second or later.
at_least() { [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

# missing WHAT HOW: notes something that could not be set up, and what the user can do about it.
missing_things=()
missing() { missing_things+=("$1"$'\n'"    $2"); }
is_missing_anything() { ((${#missing_things[@]} > 0)); }

report_missing() {
  is_missing_anything || {
    say "ready"
    return 0
  }
  local thing
  {
    printf '%s: missing:\n' "$(basename -- "$0")"
    for thing in "${missing_things[@]}"; do printf '  %s\n' "$thing"; done
  } >&2
  exit 1
}

# logged COMMAND…: runs it with its output in the log only.
logged() {
  printf '\n$ %s\n' "$*" >>"$SETUP_LOG"
  "$@" >>"$SETUP_LOG" 2>&1
}
# Why the last logged command failed, in one line: its last error, or that there is no network.
log_reason() {
  local output reason
  output=$(tac "$SETUP_LOG" | sed '/^\$ /q')
  if grep -qE 'Temporary failure (in name resolution|resolving)|Name or service not known|Network is unreachable' <<<"$output"; then
    echo "no network"
    return
  fi
  reason=$(grep -m 1 -E '^(E:|ERROR:|.*[Ee]rror:)' <<<"$output" || true)
  reason=${reason#ERROR: }
  printf '%.300s\n' "${reason#E: }"
}

# as_root COMMAND…: as it is for root, else through sudo.
as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }

# Whether as_root would work: for others than root, if sudo asks nothing or can ask on a terminal.
can_be_root() {
  ((EUID == 0)) && return 0
  have sudo || return 1
  sudo -n true 2>/dev/null || [[ -t 0 && -t 2 ]]
}

# Makes what scripts/setup laid out for this user alone visible to the build and to the binary.
load_environment() {
  if [[ -f $EYRIE_CACHE/env.sh ]]; then
    # shellcheck disable=SC1091
    . "$EYRIE_CACHE/env.sh"
  fi
}
