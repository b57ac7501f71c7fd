//! A file on its way to the target: the drive and the vendor commands MSD_Open, MSD_Write and MSD_Close feed it.

use super::hex::{HexParser, Step};
use super::image::{Decoder, HEAD, Image};
use crate::daplink::config::DapLinkConfig;
use crate::daplink::error::Error;
use crate::daplink::shared::{Core, TargetFlash};

/// How a file is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Plain binary, for the start of the target's flash.
    Binary,
    /// Intel HEX or Universal Hex.
    Hex,
}

impl Format {
    /// The format of a file that begins with `sector`, if it is one that can be programmed.
    #[must_use]
    pub fn detect(sector: &[u8; 512], config: &DapLinkConfig) -> Option<Format> {
        let head = sector.first_chunk::<HEAD>()?;
        if Image::detect(head, config, false).is_some() {
            Some(Format::Binary)
        } else if sector[0] == b':' && matches!(sector[8], b'0' | b'2'..=b'5') {
            Some(Format::Hex)
        } else {
            None
        }
    }
}

/// What is known about the end of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// More must come.
    Continue,
    /// It may end here.
    MayEnd,
    /// It has ended.
    Ended,
}

#[derive(Clone, Debug)]
enum Parser {
    Binary { address: u32 },
    Hex(Box<HexParser>),
}

#[derive(Clone, Debug)]
struct Open {
    parser: Parser,
    decoder: Decoder,
    /// It ended or failed: nothing more may be written.
    over: bool,
}

/// The one stream that the firmware has.
#[derive(Clone, Debug, Default)]
pub struct Stream(Option<Open>);

impl Stream {
    /// Begins a file.
    ///
    /// # Errors
    /// [`Error::Internal`] if one is open.
    pub fn open(&mut self, config: &DapLinkConfig, format: Format) -> Result<(), Error> {
        if self.0.is_some() {
            return Err(Error::Internal);
        }
        let parser = match format {
            Format::Binary => Parser::Binary { address: config.target_flash.0 },
            Format::Hex => Parser::Hex(Box::new(HexParser::new(
                config.personality().drive.hex,
                [config.board_id, config.default_board_id],
            ))),
        };
        self.0 = Some(Open { parser, decoder: Decoder::new(format == Format::Binary), over: false });
        Ok(())
    }

    /// Takes the next piece of the file.
    ///
    /// # Errors
    /// [`Error::Internal`] if no file is open or it ended or failed before; else what is wrong with the file or the
    /// target.
    pub async fn write<F: TargetFlash>(
        &mut self,
        core: &mut Core,
        flash: &mut F,
        data: &[u8],
    ) -> Result<Progress, Error> {
        let open = self.0.as_mut().filter(|open| !open.over).ok_or(Error::Internal)?;
        let result = match &mut open.parser {
            Parser::Binary { address } => {
                let at = *address;
                *address = address.wrapping_add(data.len() as u32);
                let ended = open.decoder.write(core, flash, at, data).await;
                ended.map(|ended| if ended { Progress::Ended } else { Progress::MayEnd })
            }
            Parser::Hex(parser) => write_hex(parser, &mut open.decoder, core, flash, data).await,
        };
        open.over = !matches!(result, Ok(Progress::Continue | Progress::MayEnd));
        result
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`Error::Internal`] if no file is open; else what the target had against its end.
    pub async fn close<F: TargetFlash>(&mut self, core: &mut Core, flash: &mut F) -> Result<(), Error> {
        match self.0.take() {
            Some(mut open) => {
                let result = open.decoder.close(core, flash).await;
                core.stream_closed();
                result
            }
            None => Err(Error::Internal),
        }
    }
}

async fn write_hex<F: TargetFlash>(
    parser: &mut HexParser,
    decoder: &mut Decoder,
    core: &mut Core,
    flash: &mut F,
    mut input: &[u8],
) -> Result<Progress, Error> {
    if !parser.begin(input) {
        return Ok(Progress::Continue);
    }
    core.work(core.config.personality().timing.hex_character * input.len() as u64).await;
    loop {
        let step = parser.parse(&mut input);
        let (address, data) = parser.take();
        match step {
            Step::BadChecksum => return Err(Error::HexChecksum),
            Step::Flush | Step::Done | Step::EndOfFile => {}
        }
        if !data.is_empty() && decoder.write(core, flash, address, data).await? {
            return Ok(Progress::Ended);
        }
        match step {
            Step::EndOfFile => return Ok(Progress::Ended),
            Step::Done => return Ok(Progress::Continue),
            _ => {}
        }
    }
}
