use serde_json::Number;

/// An exact decimal number: `mantissa` x 10^`exponent`, with no zeros at the end of the mantissa, so that equal numbers
/// are equal values. Floating point would make 0.1 km and 100 m differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Decimal {
    mantissa: i128,
    exponent: i32,
}

/// Exponents beyond this are no quantity that anybody hands over, and would only make sums costly.
const LARGEST_EXPONENT: i32 = 1000;

impl Decimal {
    pub(super) const fn new(mut mantissa: i128, mut exponent: i32) -> Self {
        if mantissa == 0 {
            return Self { mantissa, exponent: 0 };
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        Self { mantissa, exponent }
    }

    pub(super) fn from_json(number: &Number) -> Option<Self> {
        if let Some(n) = number.as_i64() {
            Some(Self::new(n.into(), 0))
        } else if let Some(n) = number.as_u64() {
            Some(Self::new(n.into(), 0))
        } else {
            // The shortest text that reads back as the same double is the number that was written.
            Self::take(&format!("{:e}", number.as_f64()?)).and_then(|(n, rest)| rest.is_empty().then_some(n))
        }
    }

    /// Takes a number off the beginning of a text: sign, digits (with `_`, or `,` before each three, between them),
    /// fraction, exponent. `None` if it does not begin with one, or with one beyond 38 digits.
    ///
    /// Digits after a leading zero are a code and not a number: `007` is not `7`.
    pub(super) fn take(text: &str) -> Option<(Self, &str)> {
        let bytes = text.as_bytes();
        let digit = |at: usize| bytes.get(at).filter(|b| b.is_ascii_digit()).map(|b| i128::from(b - b'0'));
        let negative = bytes.first() == Some(&b'-');
        let mut at = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
        let begin = at;
        let mut mantissa = 0i128;
        let push = |mantissa: &mut i128, d: i128| -> Option<()> {
            *mantissa = mantissa.checked_mul(10)?.checked_add(d)?;
            Some(())
        };
        let mut grouped = false;
        loop {
            let group = |from: usize| (from..from + 3).all(|n| digit(n).is_some()) && digit(from + 3).is_none();
            if let Some(d) = digit(at) {
                push(&mut mantissa, d)?;
                at += 1;
            } else if at > begin && bytes.get(at) == Some(&b'_') && digit(at + 1).is_some() {
                at += 1;
            } else if at > begin && bytes.get(at) == Some(&b',') && (grouped || at - begin <= 3) && group(at + 1) {
                grouped = true;
                at += 1;
            } else {
                break;
            }
        }
        let whole_digits = at - begin;
        if whole_digits > 1 && bytes[begin] == b'0' {
            return None;
        }
        let mut exponent = 0i32;
        if bytes.get(at) == Some(&b'.') && digit(at + 1).is_some() {
            at += 1;
            while let Some(d) = digit(at) {
                push(&mut mantissa, d)?;
                exponent -= 1;
                at += 1;
            }
        } else if whole_digits == 0 {
            return None;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
            let digits = at + 1 + sign;
            let end = (digits..).find(|&n| digit(n).is_none()).unwrap_or(digits);
            if end > digits && !bytes.get(end).is_some_and(u8::is_ascii_alphabetic) {
                let power: i32 = text[at + 1..end].parse().ok()?;
                exponent = exponent.checked_add(power).filter(|e| e.abs() <= LARGEST_EXPONENT)?;
                at = end;
            }
        }
        Some((Self::new(if negative { -mantissa } else { mantissa }, exponent), &text[at..]))
    }

    /// The product, unless it has too many digits.
    pub(super) fn times(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.checked_add(other.exponent)?;
        Some(Self::new(self.mantissa.checked_mul(other.mantissa)?, exponent))
    }

    /// The sum, unless it has too many digits.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let aligned = |n: Self| {
            let power = u32::try_from(n.exponent - exponent).ok()?;
            if n.mantissa == 0 { Some(0) } else { n.mantissa.checked_mul(10i128.checked_pow(power)?) }
        };
        Some(Self::new(aligned(self)?.checked_add(aligned(other)?)?, exponent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Decimal> {
        Decimal::take(text).and_then(|(n, rest)| rest.is_empty().then_some(n))
    }

    #[test]
    fn spellings_of_one_number_are_equal() {
        for group in [
            &["5", "5.0", "+5", "5.00", "5e0", "0.5e1", "50e-1"][..],
            &["1000", "1,000", "1_000", "1e3", "1,000.0", "1E+3"],
            &["1234567.5", "1,234,567.5", "1_234_567.50"],
            &["-0.25", "-.25", "-25e-2"],
            &["0", "0.0", "-0", "0e9"],
        ] {
            for text in group {
                assert!(parse(text).is_some() && parse(text) == parse(group[0]), "{text}");
            }
        }
        let json = |text: &str| Decimal::from_json(&text.parse().unwrap());
        assert_eq!(json("1e21"), parse("1000000000000000000000"));
        assert_eq!(json("0.1"), parse("0.1"));
        assert_ne!(json("9007199254740993"), json("9007199254740992"));
        assert_eq!(json("1e300"), parse("1e300"));
    }

    #[test]
    fn what_is_no_number_is_left_alone() {
        for text in ["", "-", ".", "e5", "007", "1,00", "1,0000", ",100", "1__0", "5.", "5e", "1e99999", "0x10"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"9".repeat(60)), None);
        assert_eq!(Decimal::take("5eur").unwrap().1, "eur");
        assert_eq!(Decimal::take("1e3c").unwrap().1, "e3c");
    }

    #[test]
    fn sums_and_products_are_exact_or_none() {
        let n = |text| parse(text).unwrap();
        assert_eq!(n("0.1").plus(n("0.2")), Some(n("0.3")));
        assert_eq!(n("1.5").times(n("3600")), Some(n("5400")));
        assert_eq!(n("1e30").plus(n("1e-30")), None);
        assert_eq!(Decimal::new(i128::MAX, 0).times(n("3")), None);
    }
}
