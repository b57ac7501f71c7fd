# The machine itself, without boards.

case_host_tree_can_be_written_but_forgets() {
    [ "$(findmnt -n -o FSTYPE /)" = overlay ]
    echo scratch >/etc/twinboard-scratch
    grep -q scratch /etc/twinboard-scratch
    grep -q root: /etc/passwd
}

case_usual_device_nodes_work() {
    [ "$(head -c 3 /dev/zero | wc -c)" = 3 ]
    echo through | cat /dev/stdin
    script -qec true /dev/null
    touch /dev/shm/x
}

case_usb_has_a_virtual_host_controller() {
    lsusb | grep '1d6b:0002.*vhci_hcd\|USB/IP Virtual Host Controller' >/dev/null
}

case_network_reaches_the_host() {
    ip route | grep 'default via 10.0.2.2' >/dev/null
}
