//! Lines of bounded length from a stream.

use std::io::{self, BufRead};

/// What came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// The beginning of a line that is too long; the rest was skipped.
    TooLong,
}

/// The next line of at most `limit` bytes; none at the end. A last line without an end counts.
///
/// # Errors
/// Those of the stream.
pub fn read(from: &mut impl BufRead, limit: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut length = 0;
    loop {
        let bytes = match from.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if bytes.is_empty() && length == 0 {
            return Ok(None);
        }
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        length += part.len();
        if length <= limit {
            line.extend_from_slice(part);
        }
        let (last, used) = (bytes.is_empty(), end.map_or(bytes.len(), |end| end + 1));
        from.consume(used);
        if end.is_some() || last {
            if length > limit {
                return Ok(Some(Line::TooLong));
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Some(Line::Whole(line)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_a_line_feed_or_the_stream_and_long_ones_are_skipped() {
        let mut stream = io::BufReader::with_capacity(3, &b"ab\r\n\n12345\n1234\nlast"[..]);
        let mut lines = Vec::new();
        while let Some(line) = read(&mut stream, 4).expect("memory does not fail") {
            lines.push(line);
        }
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        assert_eq!(lines, [whole("ab"), whole(""), Line::TooLong, whole("1234"), whole("last")]);
    }
}
