#!/usr/bin/env bash
# Installs the virtual machine and the tools that are tried in it: Debian packages, and pyOCD in an environment of its
# own. May be run again at any time.
set -euo pipefail

packages=(
    qemu-system-x86             # the machine itself; its kernel is fetched by twinboard
    usbutils openocd gdb-multiarch tshark
    python3-venv python3-serial
)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep 'ok installed' >/dev/null || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ]; then sudo=(); else sudo=(sudo); fi
    "${sudo[@]}" apt-get update -q
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

environment=${XDG_CACHE_HOME:-$HOME/.cache}/twinboard/venv
if ! "$environment/bin/pyocd" --version 2>/dev/null | grep -x 0.46.0 >/dev/null; then
    /usr/bin/python3 -m venv "$environment"
    "$environment/bin/pip" install -q pyocd==0.46.0
fi
