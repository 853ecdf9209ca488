# shellcheck shell=bash
# Debian and Ubuntu packages: the libraries Eyrie links, and what Swift needs to run and link.

readonly DEBIAN_PACKAGES=(
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libzmq3-dev pkg-config
  ffmpeg # the tests make and count video with it
  ca-certificates git make
)
# A real RTSP server for the tests, which scripts/lib/rtsp_server.py drives; what scripts/replay-docker lays out.
readonly DEBIAN_TEST_PACKAGES=(
  gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad debootstrap
)
readonly PKG_CONFIG_MODULES=(libavformat libavcodec libavutil libswscale libzmq)

# Which of the named packages are not installed whole. "config-files" or "half-configured" is not.
not_installed() {
  local name status
  local -A installed=()
  while read -r name status; do
    [[ $status != installed ]] || installed[$name]=yes
  done < <(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null)
  for name in "$@"; do
    [[ ${installed[$name]-} ]] || printf '%s\n' "$name"
  done
}

# Prints the packages a Swift toolchain on the PATH lacks: shared libraries of its own programs,
# and the C and C++ headers and start files it compiles and links against.
swift_needs() {
  local swift tool library
  [[ -e /usr/include/stdio.h ]] || echo libc6-dev
  compgen -G '/usr/include/c++/*/vector' >/dev/null || echo g++
  have ld || echo binutils
  [[ -e /usr/share/zoneinfo/UTC ]] || echo tzdata
  swift=$(command -v swift) || return 0
  swift=$(dirname -- "$(realpath -- "$swift")")
  for tool in swift-build swift-frontend clang lld; do
    [[ -x $swift/$tool ]] || continue
    ldd "$swift/$tool" 2>/dev/null | sed -n 's/^[[:space:]]*\(lib[^ ]*\) => not found.*/\1/p'
  done | sort -u | while read -r library; do
    case $library in
      libcurl.so.4) echo libcurl4 ;;
      libedit.so.2) echo libedit2 ;;
      libncurses.so.6 | libtinfo.so.6) echo libncurses6 ;;
      libsqlite3.so.0) echo libsqlite3-0 ;;
      libstdc++.so.6) echo libstdc++6 ;;
      libuuid.so.1) echo libuuid1 ;;
      libxml2.so.2) echo libxml2 ;;
      libz.so.1) echo zlib1g ;;
    esac
  done
}

setup_debian_packages() {
  local wanted command
  if ! have dpkg-query; then
    check_libraries_elsewhere
    return
  fi
  mapfile -t wanted < <({
    not_installed "${DEBIAN_PACKAGES[@]}"
    # shellcheck disable=SC2154 # set by scripts/setup
    [[ $dev == no ]] || not_installed "${DEBIAN_TEST_PACKAGES[@]}"
    swift_needs
    find_python >/dev/null || echo python3-venv
  } | sort -u)
  if ((${#wanted[@]} == 0)); then
    say "Debian packages are there"
    return
  fi
  command="apt-get install --no-install-recommends ${wanted[*]}"
  ((EUID == 0)) || command="sudo $command"
  if [[ $check_only == yes ]]; then
    missing "Debian packages: ${wanted[*]}" "$command"
    return
  fi
  if ! can_be_root; then
    missing "Debian packages: ${wanted[*]} (needs root)" "$command"
    return
  fi
  say "installing Debian packages: ${wanted[*]}"
  # A dpkg that was interrupted refuses all work until it has been allowed to finish.
  logged as_root dpkg --configure -a || true
  logged as_root apt-get -q -o Acquire::Retries=2 update || true
  logged as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=2 \
    -o DPkg::Lock::Timeout=120 install --no-install-recommends "${wanted[@]}" || true
  mapfile -t wanted < <(not_installed "${wanted[@]}")
  if ((${#wanted[@]} > 0)); then
    missing "Debian packages: ${wanted[*]} ($(log_reason))" "$command    (log: $SETUP_LOG)"
  fi
}

# Not Debian: say what is missing, and leave it to the system's own package manager.
check_libraries_elsewhere() {
  local module absent=()
  if ! have pkg-config; then
    missing "pkg-config" "install it with this system's package manager (macOS: brew install pkgconf)"
    return
  fi
  for module in "${PKG_CONFIG_MODULES[@]}"; do
    pkg-config --exists "$module" || absent+=("$module")
  done
  have ffmpeg || absent+=(ffmpeg)
  if ((${#absent[@]} > 0)); then
    missing "${absent[*]}" "install the development packages of FFmpeg and ZeroMQ (macOS: brew install ffmpeg zeromq)"
  else
    say "FFmpeg and ZeroMQ are there"
  fi
}
