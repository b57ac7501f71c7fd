#!/usr/bin/env bash
# Installs what ./test needs beyond Rust, but for the tests in the virtual machine (vm/setup.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

. ./packages.sh

packages=(build-essential cmake gdb-multiarch libclang-dev pkg-config python3-venv)
install_packages "${packages[@]}"
if dpkg-query -W -f '${Status}' libunicorn-dev 2>/dev/null | grep 'ok installed' >/dev/null; then
    echo "libunicorn-dev is installed: the crate unicorn-engine would silently link that older library. Remove it." >&2
    exit 1
fi

# MicroPython for the micro:bit, as the package uflash carries it: an official image that the tests run.
images=${TWINBOARD_IMAGES:-${XDG_CACHE_HOME:-$HOME/.cache}/twinboard/images}
micropython=$images/micropython-uflash-2.0.0.hex
if [ ! -s "$micropython" ]; then
    mkdir -p "$images"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    python3 -m venv "$scratch/venv"
    "$scratch/venv/bin/pip" install -q uflash==2.0.0
    "$scratch/venv/bin/python" -c 'import sys, uflash; sys.stdout.write(uflash._RUNTIME)' >"$scratch/micropython.hex"
    mv "$scratch/micropython.hex" "$micropython"
fi
