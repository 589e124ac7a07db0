//! What can be told of sled's log without opening it. The layout of a segment's header is that of
//! sled 0.34.7, `src/pagecache/logger.rs`: a CRC-32 of the sixteen bytes after it, inverted, then the position
//! in the log that it begins at, exclusive or `i64::MAX`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The length of a segment's header.
const HEADER_BYTES: usize = 20;

/// Whether any segment of the log has a header that sled wrote. A log that is missing has none.
///
/// What sled cannot read while it opens its log, it takes for the end of it, and wipes out what follows. So what it
/// will read is read here before, and an error keeps it from opening: each header, and the segments since its last snapshot.
pub(super) fn has_segment(log: &Path, segment_bytes: usize) -> io::Result<bool> {
    let from = newest_snapshot(log.parent().unwrap_or_else(|| Path::new(".")))?;
    let log = match File::open(log) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let len = log.metadata()?.len();
    let (mut header, mut rest) = ([0; HEADER_BYTES], vec![0; segment_bytes]);
    let mut found = false;
    for offset in (0..len).step_by(segment_bytes) {
        match log.read_exact_at(&mut header, offset) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
        let Some(begins) = position(&header) else { continue };
        found = true;
        if from < begins.saturating_add(i64::try_from(segment_bytes).unwrap_or(i64::MAX)) {
            read_up_to(&log, &mut rest, offset)?;
        }
    }
    Ok(found)
}

/// The position up to which sled's newest snapshot saves it reading; 0 where there is none.
fn newest_snapshot(folder: &Path) -> io::Result<i64> {
    let mut newest = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let position = name.to_string_lossy().strip_prefix("snap.").and_then(|hex| i64::from_str_radix(hex, 16).ok());
        newest = newest.max(position.unwrap_or(0));
    }
    Ok(newest)
}

fn read_up_to(log: &File, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !into.is_empty() {
        match log.read_at(into, offset) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                offset += u64::try_from(read).unwrap_or(0);
                into = into.split_at_mut(read).1;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Where in the log a segment begins, if this is a header.
fn position(header: &[u8; HEADER_BYTES]) -> Option<i64> {
    let (_, rest) = header.split_first_chunk::<4>()?;
    let position = rest.first_chunk::<8>()?;
    is_header(header).then(|| i64::from_le_bytes(*position) ^ i64::MAX)
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
