use std::fmt::Write as _;

use crate::model::{ContentHash, Mismatch, MismatchKind};

/// Whether the bytes that arrived are the bytes that were sent.
///
/// `truncated` if they differ and are fewer than were sent, `corrupted` if they differ otherwise. Sizes are in bytes.
///
/// - The hash decides. With equal hashes a differing `sent_size` is a wrong header, not a wrong payload: no finding.
/// - Where no hash was sent, a differing size is proof enough, since bytes of another number have another hash.
/// - Where neither was sent, or no hash and equal sizes, nothing can be said: no finding.
///
/// ```
/// use wilco::model::{ContentHash, MismatchKind};
/// let (sent, got) = (b"five sources", b"five sour");
/// let found = wilco::verify::content(Some(ContentHash::of(sent)), Some(12), ContentHash::of(got), 9).expect("a finding");
/// assert_eq!(found.kind, MismatchKind::Truncated);
/// assert!(found.evidence.ends_with("12 bytes sent, 9 received"), "{found}");
/// ```
pub fn content(
    sent: Option<ContentHash>,
    sent_size: Option<u64>,
    received: ContentHash,
    received_size: u64,
) -> Option<Mismatch> {
    let differs = match sent {
        Some(sent) => sent != received,
        None => sent_size.is_some_and(|size| size != received_size),
    };
    if !differs {
        return None;
    }
    let shorter = sent_size.is_some_and(|size| received_size < size);
    let kind = if shorter { MismatchKind::Truncated } else { MismatchKind::Corrupted };
    Some(Mismatch::new(kind, evidence(sent, sent_size, received, received_size)))
}

fn evidence(sent: Option<ContentHash>, sent_size: Option<u64>, received: ContentHash, received_size: u64) -> String {
    let mut text = match sent {
        Some(sent) => format!("blake3 {} sent, {} received", beginning(sent), beginning(received)),
        None => format!("no hash sent, blake3 {} received", beginning(received)),
    };
    // Writing to a string cannot fail.
    let _ = match sent_size {
        Some(size) if size == received_size => write!(text, "; {size} bytes"),
        Some(size) => write!(text, "; {size} bytes sent, {received_size} received"),
        None => write!(text, "; {received_size} bytes received"),
    };
    text
}

/// Enough of a hash to tell two apart by eye; the span carries both whole.
fn beginning(hash: ContentHash) -> String {
    let mut text = hash.to_string();
    text.truncate(12);
    text.push_str("..");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(sent: Option<&[u8]>, size: Option<u64>, got: &[u8]) -> Option<MismatchKind> {
        content(sent.map(ContentHash::of), size, ContentHash::of(got), got.len() as u64).map(|found| found.kind)
    }

    #[test]
    fn the_hash_decides_and_the_size_tells_truncated_from_corrupted() {
        use MismatchKind::{Corrupted, Truncated};
        for (sent, size, got, expected) in [
            (Some(&b"abc"[..]), Some(3), &b"abc"[..], None),
            (Some(b"abc"), Some(3), b"abd", Some(Corrupted)),
            (Some(b"abc"), Some(3), b"ab", Some(Truncated)),
            (Some(b"abc"), Some(3), b"", Some(Truncated)),
            (Some(b"abc"), Some(3), b"abcd", Some(Corrupted)),
            (Some(b"abc"), None, b"ab", Some(Corrupted)),
            (Some(b"abc"), Some(7), b"abc", None),
            (None, Some(3), b"ab", Some(Truncated)),
            (None, Some(3), b"abcd", Some(Corrupted)),
            (None, Some(3), b"abd", None),
            (None, None, b"abd", None),
        ] {
            assert_eq!(kind(sent, size, got), expected, "{sent:?} {size:?} {got:?}");
        }
    }

    #[test]
    fn the_evidence_names_both_hashes_and_the_sizes() {
        let (a, b) = (ContentHash::from_bytes([0xaf; 32]), ContentHash::from_bytes([0x9c; 32]));
        let text = |size| content(Some(a), size, b, 1832).expect("a finding").evidence;
        assert_eq!(text(Some(1832)), "blake3 afafafafafaf.. sent, 9c9c9c9c9c9c.. received; 1832 bytes");
        assert_eq!(
            text(Some(2000)),
            "blake3 afafafafafaf.. sent, 9c9c9c9c9c9c.. received; 2000 bytes sent, 1832 received"
        );
        assert_eq!(text(None), "blake3 afafafafafaf.. sent, 9c9c9c9c9c9c.. received; 1832 bytes received");
    }
}
