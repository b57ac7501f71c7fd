# Our own interface firmware (firmware/interface) on the emulated KL26Z, KL27Z and nRF52820, in this order; the targets run a
# program that sends back what it hears.

case_on_the_kl26z() { own 1 kl26z 0bb11477; }
case_on_the_kl27z() { own 2 kl27z 2ba01477; }
case_on_the_nrf52820() { own 3 nrf52820 2ba01477; }

# own SOCKET CHIP DPIDR
own() {
    local device=/sys/bus/usb/devices/1-$1 interface terminal
    descriptors "$device" >lsusb.txt
    expected "$2" | diff - lsusb.txt
    for interface in 1 2; do
        [ "$(basename "$(realpath "$device:1.$interface/driver")")" = cdc_acm ]
    done
    terminal=/dev/$(basename "$device:1.1/tty/ttyACM"*)
    /usr/bin/python3 "$here/echo.py" "$terminal" 115200
    "$environment/python" "$here/own.py" "$(cat "$device/devnum")" "$3"
}

# The descriptors that firmware/interface/usb.c is written to have.
expected() {
    cat <<EOF
Device Descriptor:
bLength 18
bDescriptorType 1
bcdUSB 2.00
bDeviceClass 239
bDeviceSubClass 2
bDeviceProtocol 1
bMaxPacketSize0 64
idVendor 0x1209
idProduct 0x0001
bcdDevice 1.00
iManufacturer 1 twinboard
iProduct 2 Interface $1
bNumConfigurations 1
Configuration Descriptor:
bLength 9
bDescriptorType 2
wTotalLength 0x0062
bNumInterfaces 3
bConfigurationValue 1
iConfiguration 0
bmAttributes 0x80
(Bus Powered)
MaxPower 100mA
$(interface 0 2 255 0 0)
$(endpoint 0x81 IN 2 Bulk 64 0)
$(endpoint 0x01 OUT 2 Bulk 64 0)
Interface Association:
bLength 8
bDescriptorType 11
bFirstInterface 1
bInterfaceCount 2
bFunctionClass 2
bFunctionSubClass 2
bFunctionProtocol 0
iFunction 0
$(interface 1 1 2 2 1)
CDC Header:
bcdCDC 1.10
CDC Call Management:
bmCapabilities 0x00
bDataInterface 2
CDC ACM:
bmCapabilities 0x02
line coding and serial state
CDC Union:
bMasterInterface 1
bSlaveInterface 2
$(endpoint 0x82 IN 3 Interrupt 8 255)
$(interface 2 2 10 0 0)
$(endpoint 0x83 IN 2 Bulk 64 0)
$(endpoint 0x03 OUT 2 Bulk 64 0)
Device Status: 0x0000
(Bus Powered)
EOF
}

# interface NUMBER ENDPOINTS CLASS SUBCLASS PROTOCOL
interface() {
    printf '%s\n' 'Interface Descriptor:' 'bLength 9' 'bDescriptorType 4' "bInterfaceNumber $1" 'bAlternateSetting 0' \
        "bNumEndpoints $2" "bInterfaceClass $3" "bInterfaceSubClass $4" "bInterfaceProtocol $5" 'iInterface 0'
}

# endpoint ADDRESS DIRECTION TYPE NAME SIZE INTERVAL
endpoint() {
    printf '%s\n' 'Endpoint Descriptor:' 'bLength 7' 'bDescriptorType 5' "bEndpointAddress $1 EP $(($1 & 15)) $2" \
        "bmAttributes $3" "Transfer Type $4" 'Synch Type None' 'Usage Type Data' \
        "$(printf 'wMaxPacketSize 0x%04x 1x %d bytes' "$5" "$5")" "bInterval $6"
}
