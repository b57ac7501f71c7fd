//! The display as a picture.

use std::io::Write;

use twinboard_models::board::control::Rows;

/// Pixels from one LED to the next.
const PITCH: usize = 48;
/// Size of an LED's window, in pixels.
const LED: (usize, usize) = (16, 28);
const BOARD: [u8; 3] = [24, 24, 28];
const DARK: [u8; 3] = [56, 52, 56];
const LIT: [u8; 3] = [255, 56, 40];

/// Writes `rows` as a PNG of 240 by 240 pixels.
pub fn write(rows: &Rows, out: impl Write) -> Result<(), png::EncodingError> {
    let side = rows.0.len() * PITCH;
    let size = u32::try_from(side).unwrap_or_default();
    let mut encoder = png::Encoder::new(out, size, size);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels(rows, side))?;
    writer.finish()
}

fn pixels(rows: &Rows, side: usize) -> Vec<u8> {
    let inside = |at: usize, size: usize| (PITCH - size) / 2 <= at % PITCH && at % PITCH < (PITCH + size) / 2;
    let mut pixels = Vec::with_capacity(side * side * 3);
    for y in 0..side {
        for x in 0..side {
            let level = rows.0[y / PITCH].as_bytes().get(x / PITCH).map_or(0, |digit| digit.wrapping_sub(b'0').min(9));
            let led = inside(x, LED.0) && inside(y, LED.1);
            pixels.extend(if led { mix(level) } else { BOARD });
        }
    }
    pixels
}

/// The colour of an LED of brightness 0 to 9; screens show half the number as half as bright.
fn mix(level: u8) -> [u8; 3] {
    std::array::from_fn(|i| {
        let (dark, lit) = (u16::from(DARK[i]), u16::from(LIT[i]));
        ((dark * u16::from(9 - level) + lit * u16::from(level)) / 9) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lit_led_is_red_at_its_place() {
        let mut rows = Rows(std::array::from_fn(|_| "00000".to_string()));
        rows.0[1] = "00900".into();
        let mut file = Vec::new();
        write(&rows, &mut file).expect("memory does not fail");
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().expect("a PNG");
        let mut image = vec![0; reader.output_buffer_size().expect("small")];
        let info = reader.next_frame(&mut image).expect("one picture");
        assert_eq!((info.width, info.height), (240, 240));
        let pixel = |x: usize, y: usize| &image[(y * 240 + x) * 3..][..3];
        assert_eq!((pixel(120, 72), pixel(72, 72), pixel(0, 0)), (&LIT[..], &DARK[..], &BOARD[..]));
    }
}
