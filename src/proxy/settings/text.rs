//! Typed readings of a setting's text.

use std::net::SocketAddr;
use std::time::Duration;

/// `true` or `false`.
pub(crate) fn yes(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

/// A number within bounds.
pub(crate) fn number(text: &str, low: usize, high: usize) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        Ok(number) => Err(format!("{number} is not within {low} to {high}")),
        Err(_) => Err(format!("{text:?} is no number; write one of {low} to {high}")),
    }
}

/// Bytes: `4096`, `64KiB`, `1MiB`.
pub(crate) fn bytes(text: &str, low: usize, high: usize) -> Result<usize, String> {
    let (digits, unit) = match text.strip_suffix("KiB") {
        Some(digits) => (digits, 1 << 10),
        None => text.strip_suffix("MiB").map_or((text, 1), |digits| (digits, 1 << 20)),
    };
    let wrong = || format!("{text:?} is no number of bytes; write one as in 4096, 64KiB or 1MiB");
    let count = digits.trim().parse::<usize>().ok().and_then(|count| count.checked_mul(unit)).ok_or_else(wrong)?;
    if (low..=high).contains(&count) { Ok(count) } else { Err(format!("{count} bytes are not within {low} to {high}")) }
}

/// A time: `500ms`, `10s`, `2m`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write one as in 500ms, 10s or 2m");
    let unit = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
    let count: u64 = text[..unit].parse().map_err(|_| wrong())?;
    let millis = match &text[unit..] {
        "ms" => Some(count),
        "s" => count.checked_mul(1_000),
        "m" => count.checked_mul(60_000),
        _ => None,
    };
    // Longer waits than a day would be none.
    millis.filter(|millis| *millis <= 86_400_000).map(Duration::from_millis).ok_or_else(wrong)
}

/// An address with a port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address; write one as in 127.0.0.1:4223 or [::1]:4223"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_nonsense_is_refused() {
        assert_eq!(bytes("64KiB", 1, 1 << 30), Ok(65_536));
        assert_eq!(bytes("5", 1, 10), Ok(5));
        assert!(bytes("99999999999999999999MiB", 0, usize::MAX).is_err() && bytes("1kb", 0, 10).is_err());
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "s", "10", "-1s", "1h", "99999999999999999999s", "90000s"] {
            assert!(time(text).is_err(), "{text}");
        }
        assert!(yes("yes").is_err() && yes("true") == Ok(true));
    }
}
