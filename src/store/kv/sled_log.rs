//! What can be told of sled's log without opening it. The layout of a segment's header is that of
//! sled 0.34.7, `src/pagecache/logger.rs`: a CRC-32 of the sixteen bytes after it, inverted.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The length of a segment's header.
const HEADER_BYTES: usize = 20;

/// Whether any segment of the log has a header that sled wrote. A log that is missing has none.
pub(super) fn has_segment(log: &Path, segment_bytes: usize) -> io::Result<bool> {
    let log = match File::open(log) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let len = log.metadata()?.len();
    let mut header = [0; HEADER_BYTES];
    for offset in (0..len).step_by(segment_bytes) {
        match log.read_exact_at(&mut header, offset) {
            Ok(()) if is_header(&header) => return Ok(true),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn is_header(header: &[u8; HEADER_BYTES]) -> bool {
    let Some((crc, rest)) = header.split_first_chunk::<4>() else { return false };
    u32::from_le_bytes(*crc) == !crc32(rest)
}

/// CRC-32 as in IEEE 802.3, bit by bit: it is asked for once a segment.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        // The check value that catalogues of CRCs give for it.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
