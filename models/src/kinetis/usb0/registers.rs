//! The registers of the USB controller: offsets, fields, reset values (reference manual, chapter "Universal Serial
//! Bus Full Speed (USBFS) / OTG Controller", memory map). All registers are bytes, four apart.

/// Peripheral ID.
pub const PERID: u32 = 0x00;
/// Peripheral ID complement.
pub const IDCOMP: u32 = 0x04;
/// Peripheral revision.
pub const REV: u32 = 0x08;
/// Peripheral additional information.
pub const ADDINFO: u32 = 0x0C;
/// OTG interrupt status.
pub const OTGISTAT: u32 = 0x10;
/// OTG interrupt control.
pub const OTGICR: u32 = 0x14;
/// OTG status.
pub const OTGSTAT: u32 = 0x18;
/// OTG control.
pub const OTGCTL: u32 = 0x1C;
/// Interrupt status.
pub const ISTAT: u32 = 0x80;
/// Interrupt enable.
pub const INTEN: u32 = 0x84;
/// Error interrupt status.
pub const ERRSTAT: u32 = 0x88;
/// Error interrupt enable.
pub const ERREN: u32 = 0x8C;
/// Status: the head of the FIFO of finished tokens.
pub const STAT: u32 = 0x90;
/// Control.
pub const CTL: u32 = 0x94;
/// Address.
pub const ADDR: u32 = 0x98;
/// Bits 15:9 of the BDT's address.
pub const BDTPAGE1: u32 = 0x9C;
/// Frame number, low.
pub const FRMNUML: u32 = 0xA0;
/// Frame number, high.
pub const FRMNUMH: u32 = 0xA4;
/// Token (host mode).
pub const TOKEN: u32 = 0xA8;
/// SOF threshold (host mode).
pub const SOFTHLD: u32 = 0xAC;
/// Bits 23:16 of the BDT's address.
pub const BDTPAGE2: u32 = 0xB0;
/// Bits 31:24 of the BDT's address.
pub const BDTPAGE3: u32 = 0xB4;
/// Endpoint control of endpoint 0.
pub const ENDPT0: u32 = 0xC0;
/// Endpoint control of endpoint 15.
pub const ENDPT15: u32 = 0xFC;
/// USB control.
pub const USBCTRL: u32 = 0x100;
/// USB OTG observe.
pub const OBSERVE: u32 = 0x104;
/// USB OTG control.
pub const CONTROL: u32 = 0x108;
/// USB transceiver control 0.
pub const USBTRC0: u32 = 0x10C;
/// Frame adjust.
pub const USBFRMADJUST: u32 = 0x114;
/// Clock recovery control.
pub const CLK_RECOVER_CTRL: u32 = 0x140;
/// IRC48M oscillator enable.
pub const CLK_RECOVER_IRC_EN: u32 = 0x144;
/// Clock recovery combined interrupt enable.
pub const CLK_RECOVER_INT_EN: u32 = 0x154;
/// Clock recovery separated interrupt status.
pub const CLK_RECOVER_INT_STATUS: u32 = 0x15C;

/// Fields of ISTAT and INTEN.
pub mod istat {
    /// A STALL handshake was sent.
    pub const STALL: u8 = 1 << 7;
    /// A K state while suspended.
    pub const RESUME: u8 = 1 << 5;
    /// The bus was idle for 3 ms.
    pub const SLEEP: u8 = 1 << 4;
    /// A token is done; STAT tells which.
    pub const TOKDNE: u8 = 1 << 3;
    /// Start of frame.
    pub const SOFTOK: u8 = 1 << 2;
    /// ERRSTAT has something that ERREN lets through.
    pub const ERROR: u8 = 1 << 1;
    /// A bus reset.
    pub const USBRST: u8 = 1 << 0;
}

/// Fields of ERRSTAT and ERREN that a device without bit errors on its wire can see.
pub mod errstat {
    /// No memory at the buffer's address, or a packet larger than the buffer.
    pub const DMAERR: u8 = 1 << 5;
}

/// Fields of CTL.
pub mod ctl {
    /// Live differential receiver: J state.
    pub const JSTATE: u8 = 1 << 7;
    /// Live single ended zero.
    pub const SE0: u8 = 1 << 6;
    /// The SIE has stopped processing tokens after a SETUP.
    pub const TXSUSPENDTOKENBUSY: u8 = 1 << 5;
    /// Host mode.
    pub const HOSTMODEEN: u8 = 1 << 3;
    /// All BDT ping-pong bits are even.
    pub const ODDRST: u8 = 1 << 1;
    /// The module works.
    pub const USBENSOFEN: u8 = 1 << 0;
    /// What software can write besides TXSUSPENDTOKENBUSY: RESET, HOSTMODEEN, RESUME, ODDRST, USBENSOFEN.
    pub const STORED: u8 = 0x1F;
}

/// Fields of ENDPT*n*.
pub mod endpt {
    /// No control transfers: SETUP is not for this endpoint.
    pub const EPCTLDIS: u8 = 1 << 4;
    /// OUT is enabled.
    pub const EPRXEN: u8 = 1 << 3;
    /// IN is enabled.
    pub const EPTXEN: u8 = 1 << 2;
    /// STALL is the answer to everything.
    pub const EPSTALL: u8 = 1 << 1;
    /// Handshakes are sent; without it the endpoint is isochronous.
    pub const EPHSHK: u8 = 1 << 0;
}

/// Fields of OTGCTL.
pub mod otgctl {
    /// D+ pull-up.
    pub const DPHIGH: u8 = 1 << 7;
    /// The pull resistors are what this register says.
    pub const OTGEN: u8 = 1 << 2;
}

/// Fields of OTGSTAT, and of OTGISTAT where they have the same place.
pub mod otg {
    /// OTGISTAT: the bus lines changed.
    pub const LINE_STATE_CHG: u8 = 1 << 5;
    /// OTGISTAT: VBUS crossed the session threshold.
    pub const SESSVLDCHG: u8 = 1 << 3;
    /// OTGSTAT: no mini-A plug, the device is a B-device.
    pub const ID: u8 = 1 << 7;
    /// OTGSTAT: the lines have been stable for 1 ms.
    pub const LINESTATESTABLE: u8 = 1 << 5;
    /// OTGSTAT: VBUS is above the B-session valid threshold.
    pub const SESS_VLD: u8 = 1 << 3;
    /// OTGSTAT: VBUS is below the B-session end threshold.
    pub const BSESSEND: u8 = 1 << 2;
}

/// USBCTRL.SUSP: the transceiver is suspended.
pub const USBCTRL_SUSP: u8 = 1 << 7;
/// USBCTRL.PDE: the weak pull-downs are on.
pub const USBCTRL_PDE: u8 = 1 << 6;
/// OBSERVE.DPPU: the D+ pull-up is on.
pub const OBSERVE_DPPU: u8 = 1 << 7;
/// OBSERVE.DPPD: the D+ pull-down is on.
pub const OBSERVE_DPPD: u8 = 1 << 6;
/// OBSERVE.DMPD: the D− pull-down is on.
pub const OBSERVE_DMPD: u8 = 1 << 4;
/// CONTROL.DPPULLUPNONOTG: the D+ pull-up of a device that does not speak OTG.
pub const CONTROL_DPPULLUPNONOTG: u8 = 1 << 4;
/// USBTRC0.USBRESET: resets the module and clears itself.
pub const USBTRC0_USBRESET: u8 = 1 << 7;
/// USBTRC0.USBRESMEN: resume signalling raises USB_RESUME_INT, without any clock.
pub const USBTRC0_USBRESMEN: u8 = 1 << 5;
/// USBTRC0.SYNC_DET and USB_RESUME_INT.
pub const USBTRC0_USB_RESUME_INT: u8 = 1 << 0;
/// What USBTRC0 keeps of a write: USBRESMEN, and bit 6, which software must set.
pub const USBTRC0_STORED: u8 = 1 << 6 | USBTRC0_USBRESMEN;
