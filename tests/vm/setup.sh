#!/usr/bin/env bash
# Installs the virtual machine and the tools that are tried in it: Debian packages, and pyOCD, uflash,
# microfs and spsdk (blhost) in an environment of their own. May be run again at any time.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../packages.sh"

packages=(
    qemu-system-x86             # the machine itself; its kernel is fetched by twinboard
    usbutils openocd gdb-multiarch tshark
    python3-venv python3-serial
)
install_packages "${packages[@]}"

environment=${XDG_CACHE_HOME:-$HOME/.cache}/twinboard/venv
tools=(pyocd==0.46.0 uflash==2.0.0 microfs==1.4.5 spsdk==3.12.0)
installed=$("$environment/bin/pip" freeze 2>/dev/null || true)
for tool in "${tools[@]}"; do
    if ! grep -ix "$tool" <<<"$installed" >/dev/null; then
        [ -x "$environment/bin/pip" ] || /usr/bin/python3 -m venv "$environment"
        "$environment/bin/pip" install -q "${tools[@]}"
        break
    fi
done
