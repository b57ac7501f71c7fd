"""What official DAPLink shows of itself, by version and chip, written from the tables of its makers' sources.

usage: daplink.py lsusb VERSION CHIP            as `lsusb -v` prints it, without names of classes and makers
       daplink.py details VERSION CHIP SERIAL [BOOTLOADER]
                                                DETAILS.TXT; what a build decides is `…`

VERSION is a number as 0257, CHIP kl26z, kl27z or nrf52820.
"""

import sys

# Board ids of a V1.3, a V2.00 and a V2.2x are in their serial numbers; HIC ids are the chips'.
HIC_ID = {"kl26z": "97969901", "kl27z": "9796990b", "nrf52820": "6e052820"}


def strings(version):
    """String descriptors from 1 on; 3, the serial number, is never in the table."""
    if version <= 234:
        return ["MBED", "MBED CMSIS-DAP", None, "USB_CDC", "USB_CDC1", "MBED CMSIS-DAP", "USB_MSC"]
    if version <= 246:
        return ["ARM", "DAPLink CMSIS-DAP", None, "mbed Serial Port", "mbed Serial Port", "CMSIS-DAP", "USB_MSC"]
    maker = "ARM" if version <= 255 else "Arm"
    product = "BBC micro:bit CMSIS-DAP"
    # armcc's builds have the quotation marks of the makefile in the string.
    product = f'"{product}"' if 251 <= version <= 255 else product
    hid = "CMSIS-DAP" if version <= 253 else "CMSIS-DAP v1"
    names = [maker, product, None, "mbed Serial Port", "mbed Serial Port", hid, "WebUSB: CMSIS-DAP", "USB_MSC"]
    return names if version <= 253 else [*names, "CMSIS-DAP v2"]


def endpoint(address, kind, size, interval):
    number, direction = address & 0x0F, "IN" if address & 0x80 else "OUT"
    return [
        "Endpoint Descriptor:", "bLength 7", "bDescriptorType 5",
        f"bEndpointAddress 0x{address:02x} EP {number} {direction}",
        f"bmAttributes {2 if kind == 'Bulk' else 3}", f"Transfer Type {kind}", "Synch Type None", "Usage Type Data",
        f"wMaxPacketSize 0x{size:04x} 1x {size} bytes", f"bInterval {interval}",
    ]


def pair(*addresses, kind="Bulk", interval=0):
    return [line for address in addresses for line in endpoint(address, kind, 64, interval)]


class Device:
    def __init__(self, version, chip):
        self.version, self.chip, self.strings = version, chip, strings(version)

    def string(self, index):
        return f"{index} {self.strings[index - 1]}"

    def interface(self, number, endpoints, triple, name):
        return [
            "Interface Descriptor:", "bLength 9", "bDescriptorType 4", f"bInterfaceNumber {number}",
            "bAlternateSetting 0", f"bNumEndpoints {endpoints}",
            *(f"bInterface{part} {value}" for part, value in zip(("Class", "SubClass", "Protocol"), triple)),
            f"iInterface {self.string(name)}",
        ]

    def mass_storage(self):
        name = 7 if self.version <= 246 else 8
        return self.interface(0, 2, (0x08, 0x06, 0x50), name) + pair(0x82, 0x02)

    def serial_port(self):
        association = [
            "Interface Association:", "bLength 8", "bDescriptorType 11", "bFirstInterface 1", "bInterfaceCount 2",
            "bFunctionClass 2", "bFunctionSubClass 2", "bFunctionProtocol 1", f"iFunction {self.string(4)}",
        ]
        return [
            *(association if self.version > 234 else []),
            *self.interface(1, 1, (2, 2, 1), 4),
            "CDC Header:", "bcdCDC 1.10",
            "CDC Call Management:", "bmCapabilities 0x03", "call management", "use DataInterface", "bDataInterface 2",
            "CDC ACM:", "bmCapabilities 0x06", "sends break", "line coding and serial state",
            "CDC Union:", "bMasterInterface 1", "bSlaveInterface 2",
            *endpoint(0x83, "Interrupt", 16, 32),
            *self.interface(2, 2, (0x0A, 0, 0), 5),
            *pair(0x04, 0x84),
        ]

    def hid(self):
        return [
            *self.interface(3, 2, (3, 0, 0), 6),
            "HID Device Descriptor:", "bLength 9", "bDescriptorType 33", "bcdHID 1.00", "bCountryCode 0",
            "bNumDescriptors 1", "bDescriptorType 34", "wDescriptorLength 33",
            "Report Descriptors:", "** UNAVAILABLE **",     # the kernel's driver has the interface
            *pair(0x81, 0x01, kind="Interrupt", interval=1),
        ]

    def web_usb(self):
        return self.interface(4, 0, (0xFF, 3, 0), 7)

    def bulk(self):
        return self.interface(5, 2, (0xFF, 0, 0), 9) + pair(0x05, 0x85)

    def object_store(self):
        length = 170 if self.version <= 253 else 330
        windows = [0x00, 0x00, 0x03, 0x06, length & 0xFF, length >> 8, 0x20, 0x00]
        return [
            "Binary Object Store Descriptor:", "bLength 5", "bDescriptorType 15", "wTotalLength 0x0039",
            "bNumDeviceCaps 2",
            "Platform Device Capability:", "bLength 24", "bDescriptorType 16", "bDevCapabilityType 5", "bReserved 0",
            "PlatformCapabilityUUID {3408b638-09a9-47a0-8bfd-a0768815b665}",
            "WebUSB:", "bcdVersion 1.00", f"bVendorCode {0x21}", "iLandingPage 0",
            "Platform Device Capability:", "bLength 28", "bDescriptorType 16", "bDevCapabilityType 5", "bReserved 0",
            "PlatformCapabilityUUID {d8dd60df-4589-4cc7-9cd2-659d9e648a9f}",
            *(f"CapabilityData[{index}] 0x{value:02x}" for index, value in enumerate(windows)),
        ]

    def lsusb(self):
        device_class, subclass, protocol = (2, 0, 0) if self.version <= 234 else (239, 2, 1)
        if self.version <= 234:
            usb, length, functions = "1.10", 0x7A, [self.mass_storage(), self.hid(), self.serial_port()]
        elif self.version <= 246:
            usb, length, functions = "2.00", 0x82, [self.mass_storage(), self.hid(), self.serial_port()]
        else:
            usb, length = "2.10", 0x8B
            functions = [self.mass_storage(), self.serial_port(), self.hid(), self.web_usb()]
            if self.version >= 254:
                length, functions = 0xA2, [*functions, self.bulk()]
        # The serial port has two interfaces.
        interfaces = len(functions) + 1
        return [
            "Device Descriptor:", "bLength 18", "bDescriptorType 1", f"bcdUSB {usb}", f"bDeviceClass {device_class}",
            f"bDeviceSubClass {subclass}", f"bDeviceProtocol {protocol}",
            "bMaxPacketSize0 64", "idVendor 0x0d28", "idProduct 0x0204",
            "bcdDevice 10.00", f"iManufacturer {self.string(1)}", f"iProduct {self.string(2)}", "bNumConfigurations 1",
            "Configuration Descriptor:", "bLength 9", "bDescriptorType 2", f"wTotalLength 0x{length:04x}",
            f"bNumInterfaces {interfaces}", "bConfigurationValue 1", "iConfiguration 0", "bmAttributes 0x80",
            "(Bus Powered)", f"MaxPower {300 if self.chip == 'kl27z' else 500}mA",
            *(line for function in functions for line in function),
            *(self.object_store() if self.version >= 247 else []),
            "Device Status: 0x0000", "(Bus Powered)",
        ]

    def details(self, serial, bootloader):
        version = self.version
        if version <= 234:
            return ["DAPLink Firmware - see https://mbed.com/daplink", f"Version: {version:04}", "Build: …"]
        # A full image has a settings page of the factory; an erased one the firmware fills with its own defaults.
        automation = overflow = int(version >= 253 and not bootloader)
        site = "https://daplink.io" if version >= 256 else "https://mbed.com/daplink"
        lines = [
            (1, f"# DAPLink Firmware - see {site}"),
            (256, "Build ID: …"),
            (1, f"Unique ID: {serial}"),
            (1, f"HIC ID: {HIC_ID[self.chip]}"),
            (1, f"Auto Reset: {int(version >= 253)}"),
            (1, f"Automation allowed: {automation}"),
            (249, f"Overflow detection: {overflow}"),
            (255, f"Incompatible image detection: {int(bool(bootloader))}"),
            (255, "Page erasing: 0"),
            (1, "Daplink Mode: Interface"),
            (1, f"Interface Version: {version:04}"),
            (1 if bootloader else 9999, f"Bootloader Version: {bootloader}"),
            (1, "Git SHA: …"),
            (1, "Local Mods: …"),
            (1, "USB Interfaces: MSD, CDC, HID" + (", WebUSB" if version >= 247 else "")),
            (1 if bootloader else 9999, "Bootloader CRC: …"),
            (1, "Interface CRC: …"),
            (249, "Remount count: …"),
            (249, f"URL: https://microbit.org/device/?id={serial[:4]}&v={version:04}"),
        ]
        return [line for since, line in lines if version >= since]


def main(what, version, chip, *rest):
    device = Device(int(version), chip)
    lines = device.lsusb() if what == "lsusb" else device.details(rest[0], rest[1] if len(rest) > 1 else None)
    print("\n".join(lines))


main(*sys.argv[1:])
