# shellcheck shell=bash
# Python for the converters: an interpreter that can make a virtual environment, the environments in
# .cache/venv (what everyone needs) and .cache/venv-convert (everything, for the converters' tests), and
# what is pinned by hash in converters/requirements*.txt.

# The environment that the functions below work on.
VENV=$EYRIE_CACHE/venv

# Prints the first interpreter that is new enough and can make a virtual environment. The system's
# own goes before whatever the PATH has (an activated environment, conda, a version manager).
# An argument asks for another least minor version of Python 3.
find_python() {
  local minor=${1-10} candidate
  for candidate in "${EYRIE_PYTHON-}" /usr/bin/python3 "$(command -v python3 || true)"; do
    [[ -n $candidate && -x $candidate ]] || continue
    if "$candidate" -I -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, '"$minor"'))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# What a finished virtual environment is stamped with: it is made again when any of this changes,
# or when the repository was moved (the scripts inside hold absolute paths).
venv_identity() { printf '%s %s\n' "$EYRIE_ROOT" "$("$VENV/bin/python" -I -c 'import sys; print(sys.version)' 2>&1)"; }
requirements_identity() { sha256sum <"$EYRIE_ROOT/converters/$1"; }
is_stamped() { [[ -f $VENV/$1 && $(<"$VENV/$1") == "$2" ]]; }

venv_is_sound() { [[ -x $VENV/bin/python ]] && is_stamped .eyrie-venv "$(venv_identity)"; }

setup_python() {
  local python
  if venv_is_sound; then
    return
  fi
  if ! python=$(find_python); then
    missing "Python ≥ 3.10 that can make a virtual environment" \
      "apt-get install python3-venv, or name an interpreter in EYRIE_PYTHON"
    return
  fi
  if [[ $check_only == yes ]]; then
    missing "the converters' virtual environment .cache/${VENV##*/}" "scripts/setup"
    return
  fi
  say "making a virtual environment in .cache/${VENV##*/} with $python"
  if ! logged "$python" -m venv --clear "$VENV"; then
    missing "the converters' virtual environment ($(log_reason))" "see $SETUP_LOG"
    return
  fi
  # So that eyrie-convert works from anywhere, without building a package.
  printf '%s\n' '#!/bin/sh' 'exec "$(dirname -- "$0")/python" -m eyrie_convert "$@"' >"$VENV/bin/eyrie-convert"
  chmod +x "$VENV/bin/eyrie-convert"
  "$VENV/bin/python" -I - "$EYRIE_ROOT/converters" <<'EOF'
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "eyrie-converters.pth").write_text(sys.argv[1] + "\n")
EOF
  venv_identity >"$VENV/.eyrie-venv"
}

# install_requirements FILE WHAT [OPTION]: what FILE pins, if it is not in the environment yet; OPTION is the one
# of scripts/setup that installs it.
install_requirements() {
  local file=$1 what=$2 option=${3-} identity
  identity=$(requirements_identity "$file")
  if venv_is_sound && is_stamped ".$file" "$identity"; then
    say "Python: $what in .cache/${VENV##*/}"
    return
  fi
  if [[ $check_only == yes ]]; then
    missing "Python packages: $what" "scripts/setup${option:+ $option}"
    return
  fi
  venv_is_sound || return 0 # setup_python has said why
  say "installing Python packages: $what"
  # The files list everything that is needed, so nothing else is resolved (--no-deps).
  if logged "$VENV/bin/python" -I -m pip --disable-pip-version-check install --retries 1 --no-input --no-deps \
    --require-hashes --only-binary :all: --find-links "$EYRIE_CACHE/downloads" -r "$EYRIE_ROOT/converters/$file"; then
    printf '%s\n' "$identity" >"$VENV/.$file"
  else
    missing "Python packages: $what ($(log_reason))" \
      "run scripts/setup where pip reaches its package index (see 'pip config list'; log: $SETUP_LOG)"
  fi
}

setup_converters() {
  mkdir -p "$EYRIE_CACHE/downloads" 2>/dev/null || true
  install_requirements requirements.txt "numpy, pillow and openvino"
}
setup_development() { install_requirements requirements-dev.txt "pytest, ruff and shellcheck" --dev; }

# All that the converters can use, which is 2 GB, in an environment of its own.
setup_all_converters() {
  local VENV=$EYRIE_CACHE/venv-convert
  if ! find_python 11 >/dev/null; then
    missing "Python ≥ 3.11 for the converters' tests" "install one, or name it in EYRIE_PYTHON"
    return
  fi
  setup_python
  install_requirements requirements-torch.txt "torch" --convert
  install_requirements requirements-convert.txt "what converts models" --convert
}
