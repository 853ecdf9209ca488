# shellcheck shell=bash
# The OpenVINO runtime (C API). One that pkg-config already finds is used as it is. Otherwise the
# pinned release is laid out from its wheel, which holds headers and libraries but no pkg-config file:
#
#   as root, or through sudo   /opt/openvino-VERSION, /usr/local/lib/pkgconfig/openvino.pc and a line in
#                              /etc/ld.so.conf.d: plain `swift build` and the binary need nothing else
#   otherwise                  ~/.local/opt/openvino-VERSION, and .cache/env.sh with the two variables
#                              that the build and the binary then need (make and scripts/* read it)

readonly OPENVINO_VERSION=2026.4.1
readonly OPENVINO_MINIMUM=2024.0
readonly SYSTEM_PREFIX=/opt/openvino-$OPENVINO_VERSION
# The C libraries are the same in the wheels for every Python; this one is taken whatever is here.
readonly OPENVINO_WHEEL_PYTHON=311
declare -rA OPENVINO_WHEELS=(
  [x86_64]="manylinux_2_28_x86_64 2d22b1da03f7caf74df30e9f6417d0ab2f637e4a38e08e1dcd294d2c37407aaf"
  [aarch64]="manylinux_2_35_aarch64 bea1eb3733c34ef331adc945da0ccda5937865031139073663be84c517ffda22"
)

# Whether a tree we laid out has every file it had when it was finished. Others have no MANIFEST.
openvino_tree_is_whole() {
  local prefix=$1
  [[ -f $prefix/MANIFEST ]] || return 1
  (cd "$prefix" && sed 's/ .*//' MANIFEST | xargs -d '\n' stat -L -c '%n %s' 2>/dev/null) | cmp -s - "$prefix/MANIFEST"
}

loader_knows() { PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -q "libopenvino_c\.so.* => $1/"; }

has_c_headers() {
  local directory
  for directory in $(pkg-config --cflags-only-I openvino | sed 's/-I//g') /usr/include /usr/local/include; do
    [[ ! -f $directory/openvino/c/openvino.h ]] || return 0
  done
  return 1
}

# Accepts what pkg-config finds, or returns 1 if it is a tree of ours that needs repair, in $found_prefix.
use_found_openvino() {
  local prefix libdir version
  version=$(pkg-config --modversion openvino)
  prefix=$(pkg-config --variable=prefix openvino)
  libdir=$(pkg-config --variable=libdir openvino)
  found_prefix=$prefix
  if [[ -f $prefix/MANIFEST ]] && ! openvino_tree_is_whole "$prefix"; then return 1; fi
  if [[ $prefix == */openvino-$OPENVINO_VERSION && ! -e $libdir/libopenvino_c.so ]]; then return 1; fi
  if [[ -f $prefix/MANIFEST && $prefix == "$SYSTEM_PREFIX" ]] && ! loader_knows "$libdir" && can_be_root; then return 1; fi
  has_c_headers || warn "OpenVINO $version in $prefix has no C headers (openvino/c/openvino.h): the build will fail"
  at_least "$version" "$OPENVINO_MINIMUM" || warn "OpenVINO $version in $prefix is older than $OPENVINO_MINIMUM and untested"
  say "OpenVINO $version in $prefix"
  write_environment "$libdir"
}

# .cache/env.sh: empty, unless the loader or pkg-config need to be told where OpenVINO is.
write_environment() {
  local libdir=$1 file=$EYRIE_CACHE/env.sh
  [[ $check_only == no ]] || return 0
  {
    echo "# Written by scripts/setup; read by make and the scripts. Source it before a plain 'swift build'."
    if [[ $(env -u PKG_CONFIG_PATH pkg-config --variable=libdir openvino 2>/dev/null) != "$libdir" ]]; then
      printf 'export PKG_CONFIG_PATH=%q${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}\n' "$libdir/pkgconfig"
    fi
    if [[ $(uname -s) == Linux ]] && ! loader_knows "$libdir" && [[ $libdir != /usr/lib* ]]; then
      printf 'export LD_LIBRARY_PATH=%q${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\n' "$libdir"
    fi
  } >"$file.partial"
  if cmp -s "$file.partial" "$file"; then
    rm "$file.partial"
    return
  fi
  mv -f "$file.partial" "$file"
  if grep -q ^export "$file"; then
    say "OpenVINO is there for you alone: add '. $file' to your shell profile for plain swift build, swift test and eyrie (make does it itself)"
  fi
}

# fetch_openvino_wheel: the pinned wheel in .cache/downloads, through pip and its settings (index,
# proxy, certificates). Prints its path.
fetch_openvino_wheel() {
  local platform sha256 wheel partial=$EYRIE_CACHE/downloads/partial
  read -r platform sha256 <<<"${OPENVINO_WHEELS[$(uname -m)]}"
  for wheel in "$EYRIE_CACHE/downloads/openvino-$OPENVINO_VERSION"-*"-cp$OPENVINO_WHEEL_PYTHON-$platform.whl"; do
    if [[ -f $wheel ]] && sha256sum --status -c - <<<"$sha256  $wheel"; then
      printf '%s\n' "$wheel"
      return 0
    fi
    rm -f -- "$wheel"
  done
  say "getting OpenVINO $OPENVINO_VERSION (59 MB)" >&2
  rm -rf "$partial" && mkdir -p "$partial"
  printf 'openvino==%s --hash=sha256:%s\n' "$OPENVINO_VERSION" "$sha256" >"$partial/wheel.txt"
  logged "$VENV/bin/python" -I -m pip --disable-pip-version-check download --retries 2 --no-input --no-deps \
    --require-hashes --only-binary :all: --python-version "$OPENVINO_WHEEL_PYTHON" --implementation cp \
    --platform "$platform" -d "$partial" -r "$partial/wheel.txt" || return 1
  wheel=$(compgen -G "$partial/openvino-*.whl") || return 1
  mv -f -- "$wheel" "$EYRIE_CACHE/downloads/"
  rm -rf "$partial"
  printf '%s\n' "$EYRIE_CACHE/downloads/$(basename -- "$wheel")"
}

# unpack_openvino WHEEL STAGING PREFIX: the tree as it shall be under PREFIX, in STAGING.
unpack_openvino() {
  rm -rf "$2"
  "$VENV/bin/python" -I "$EYRIE_ROOT/scripts/lib/unpack_openvino.py" "$1" "$2" "$3" "$OPENVINO_VERSION"
}

# install_tree STAGING PREFIX RUN: puts the finished tree in place by renames, so that PREFIX is either
# absent, the old one or the new one, whole. RUN is as_root or env.
install_tree() {
  local staging=$1 prefix=$2 run=$3
  "$run" mkdir -p "$(dirname -- "$prefix")" &&
    "$run" rm -rf "$prefix.partial" "$prefix.old" &&
    "$run" cp -r "$staging" "$prefix.partial" &&
    "$run" chmod -R u+rwX,go+rX,go-w "$prefix.partial" || return 1
  if [[ -e $prefix ]]; then "$run" mv "$prefix" "$prefix.old" || return 1; fi
  "$run" mv "$prefix.partial" "$prefix" || return 1
  "$run" rm -rf "$prefix.old"
}

# The loader's configuration first and the pkg-config file last: what pkg-config finds, works.
register_system_wide() {
  local prefix=$1 conf=/etc/ld.so.conf.d/openvino-$OPENVINO_VERSION.conf pc=/usr/local/lib/pkgconfig
  printf '%s\n' "$prefix/lib" | as_root tee "$conf" >/dev/null
  PATH=$PATH:/sbin:/usr/sbin as_root ldconfig
  as_root mkdir -p "$pc"
  as_root cp "$prefix/lib/pkgconfig/openvino.pc" "$pc/openvino.pc.partial"
  as_root mv "$pc/openvino.pc.partial" "$pc/openvino.pc"
}

setup_openvino() {
  local chosen=$1 prefix found_prefix= system_wide=no run=env wheel staging=$EYRIE_CACHE/openvino-staging
  local user_prefix=${HOME:-$EYRIE_CACHE}/.local/opt/openvino-$OPENVINO_VERSION
  if ! have pkg-config; then
    missing "OpenVINO (pkg-config must be there first)" "scripts/setup, after the packages above"
    return
  fi
  if [[ -z $chosen ]] && pkg-config --exists openvino; then
    if use_found_openvino; then return; fi
    [[ $found_prefix == "$SYSTEM_PREFIX" ]] || chosen=$found_prefix
  fi
  if [[ -n $chosen ]]; then
    prefix=$chosen
  elif can_be_root && [[ $(uname -s) == Linux ]]; then
    prefix=$SYSTEM_PREFIX system_wide=yes run=as_root
  else
    prefix=$user_prefix
  fi
  if ! openvino_tree_is_whole "$prefix"; then
    if [[ $check_only == yes ]]; then
      missing "OpenVINO $OPENVINO_VERSION" "scripts/setup"
      return
    fi
    if [[ $(uname -s) != Linux || -z ${OPENVINO_WHEELS[$(uname -m)]-} ]]; then
      missing "OpenVINO $OPENVINO_VERSION: no pinned build for $(uname -s) on $(uname -m)" \
        "install OpenVINO with its openvino.pc (macOS: brew install openvino) and run scripts/setup again"
      return
    fi
    if ! [[ -x $VENV/bin/python ]]; then
      missing "OpenVINO $OPENVINO_VERSION (Python must be there first)" "scripts/setup, after the packages above"
      return
    fi
    mkdir -p "$EYRIE_CACHE/downloads"
    if ! wheel=$(fetch_openvino_wheel); then
      missing "OpenVINO $OPENVINO_VERSION ($(log_reason))" \
        "run scripts/setup where pip reaches its package index (see 'pip config list'), or install an OpenVINO that pkg-config finds"
      return
    fi
    say "laying OpenVINO $OPENVINO_VERSION out in $prefix"
    if ! logged unpack_openvino "$wheel" "$staging" "$prefix" || ! logged install_tree "$staging" "$prefix" "$run"; then
      missing "OpenVINO $OPENVINO_VERSION: cannot write $prefix ($(log_reason))" "scripts/setup --prefix DIR puts it elsewhere (log: $SETUP_LOG)"
      return
    fi
    rm -rf "$staging"
  fi
  if [[ $system_wide == yes ]]; then
    [[ $check_only == no ]] || { missing "OpenVINO's pkg-config file" "scripts/setup" && return; }
    register_system_wide "$prefix"
  fi
  say "OpenVINO $OPENVINO_VERSION in $prefix"
  write_environment "$prefix/lib"
}
