# Shared by the scripts in this directory. Source it; it changes nothing by itself.
# shellcheck shell=bash disable=SC2034

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${RELAYLITE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relaylite}
scripts_name=${0##*/}

# One progress line. Standard output stays free for what a script answers.
say() {
    printf '%s: %s\n' "$scripts_name" "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "this needs root (or sudo): $*"
    fi
}

# install_packages PACKAGE...: from the machine's own apt sources, with no service started.
install_packages() {
    command -v apt-get >/dev/null || die "please install by hand what is missing here: $*"
    say "installing $*"
    as_root apt-get -qq update >&2 || say "warning: apt-get update failed; trying with the lists at hand"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends install "$@" </dev/null >&2
}

# need_commands COMMAND=PACKAGE...: installs the packages whose command is missing.
need_commands() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    if [[ ${#missing[@]} -gt 0 ]]; then
        install_packages "${missing[@]}"
    fi
}

# The C compiler, for the bundled SQLite, zstd and ring; and cargo, which is asked for, not installed.
need_build_tools() {
    command -v cargo >/dev/null || die "no cargo on the PATH: install the Rust toolchain first"
    if ! command -v cc >/dev/null || ! printf '#include <stdio.h>\n' | cc -E - >/dev/null 2>&1; then
        install_packages build-essential
    fi
}

# OpenSSL's headers, for the feature mysql-cdc only.
need_openssl() {
    need_commands pkg-config=pkg-config
    pkg-config --exists openssl || install_packages libssl-dev
}
