use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::decimal::Decimal;
use super::text::{normalise, plain};
use super::unit::{Dimension, Unit, magnitude, number_word};

/// A number with what it counts or measures.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Quantity {
    /// In the base unit of its dimension.
    Known(Dimension, Decimal),
    /// With a unit that the table does not have, or whatever else follows: normalised text.
    Other(Decimal, String),
}

impl Quantity {
    pub(super) const fn count(n: Decimal) -> Self {
        Self::Known(Dimension::Count, n)
    }

    /// Reads a whole text as one quantity.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = readable(text);
        let text = text.trim().trim_end_matches(['.', ',', ';', '!', '?']);
        let (sign, unsigned) = match text.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", text),
        };
        // "€5", "-€5", "US$5", "EUR 5"
        if let Some((unit, rest)) = currency_before(unsigned) {
            let number = format!("{sign}{}", rest.trim_start());
            return match Self::parse_from_number(&number)? {
                Self::Known(Dimension::Count, n) => Some(Self::Known(unit.dimension, n)),
                _ => None,
            };
        }
        Self::parse_from_number(text)
    }

    fn parse_from_number(text: &str) -> Option<Self> {
        let (mut n, rest) = take_number(text)?;
        let glued = !rest.starts_with(char::is_whitespace);
        let mut rest = rest.trim_start();
        let (first, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if let Some(power) = magnitude(first).or_else(|| magnitude(&first.to_lowercase()).filter(|_| first.len() > 1)) {
            n = n.times(power)?;
            rest = after.trim_start();
        }
        if rest.is_empty() {
            return Some(Self::count(n));
        }
        if let Some(unit) = Unit::find(rest) {
            return Some(Self::Known(unit.dimension, unit.in_base(n)?));
        }
        if let Some(sum) = sum_of_parts(n, rest) {
            return Some(sum);
        }
        // Glued to its number, an unknown unit is rather part of a code: "1.2.3", "007abc", "5-10".
        if glued { None } else { Some(Self::Other(n, normalise(rest).into_owned())) }
    }
}

/// The unit and the rest of `1 h 30 min`, after its first number.
fn sum_of_parts(first: Decimal, rest: &str) -> Option<Quantity> {
    let (mut n, mut rest) = (first, rest);
    let mut sum: Option<(Dimension, Decimal)> = None;
    loop {
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (spelling, after) = rest.split_at(end);
        let unit =
            Unit::find(spelling.trim().trim_end_matches(',').trim_end_matches(" and")).filter(|u| u.adds_up())?;
        let part = unit.in_base(n)?;
        sum = match sum {
            None => Some((unit.dimension, part)),
            Some((dimension, before)) if dimension == unit.dimension => Some((dimension, before.plus(part)?)),
            Some(_) => return None,
        };
        if after.is_empty() {
            return sum.map(|(dimension, n)| Quantity::Known(dimension, n));
        }
        let (next, after) = Decimal::take(after)?;
        (n, rest) = (next, after.trim_start());
    }
}

fn take_number(text: &str) -> Option<(Decimal, &str)> {
    Decimal::take(text).or_else(|| {
        let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        number_word(word).filter(|_| rest.is_empty() || rest.starts_with(char::is_whitespace)).map(|n| (n, rest))
    })
}

fn currency_before(text: &str) -> Option<(Unit, &str)> {
    let first = text.chars().next()?;
    if let Some(unit) = Unit::of_sign(first) {
        return Some((unit, &text[first.len_utf8()..]));
    }
    let end = text.find(|c: char| c.is_whitespace() || c.is_ascii_digit())?;
    let number = text[end..].trim_start().starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    if !(3..=4).contains(&end) || !number {
        return None;
    }
    let unit = Unit::find(&text[..end]).filter(|unit| matches!(unit.dimension, Dimension::Money(_)))?;
    Some((unit, &text[end..]))
}

/// Full-width digits, superscripts and typographic minus signs as plain ones. Case stays: it tells units apart.
fn readable(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(text.nfkc().map(plain).collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_quantity_are_equal() {
        for group in [
            &["5 km", "5000 m", "5km", "5,000 metres", "5 KM", "five kilometers", "５ km", "5 km."][..],
            &["1.5 h", "90 min", "90 minutes", "5400 s", "1 h 30 min", "1 hour and 30 minutes", "1h 30min"],
            &["€5", "5 EUR", "EUR 5", "5 euros", "5.00 €", "€ 5"],
            &["-$5", "$-5", "-5 USD"],
            &["50%", "50 percent", "50.0 %", "500‰"],
            &["2 GB", "2000 MB", "2gb", "16 Gb"],
            &["2 GiB", "2048 MiB"],
            &["20 °C", "68 °F", "293.15 K", "20 ℃"],
            &["36 km/h", "10 m/s"],
            &["5 million", "5,000,000", "5e6", "5000 thousand", "5000k"],
            &["€5 million", "5 million EUR", "5000000 €"],
            &["2 weeks", "14 days", "336 h"],
            &["1 year", "12 months"],
            &["5 sources", "five Sources", "5.0 sources"],
            &["0.1 km", "100 m"],
            &["10 m²", "10 square meters"],
            &["1 µs", "1 μs", "1000 ns"],
        ] {
            for text in group {
                assert!(Quantity::parse(text).is_some(), "{text}");
                assert_eq!(Quantity::parse(text), Quantity::parse(group[0]), "{text}");
            }
        }
    }

    #[test]
    fn other_quantities_differ() {
        for (a, b) in [
            ("2 GB", "2 GiB"),
            ("2 MB", "2 Mb"),
            ("5 km", "5"),
            ("5 km", "5 mi"),
            ("50%", "0.5"),
            ("50%", "50"),
            ("€5", "$5"),
            ("5 m", "5 M"),
            ("5 m", "5 min"),
            ("2 MW", "2 mW"),
            ("5 sources", "6 sources"),
            ("5 sources", "5 pages"),
            ("30 days", "1 month"),
            ("5 °C", "5 K"),
        ] {
            assert_ne!(Quantity::parse(a), Quantity::parse(b), "{a} {b}");
        }
    }

    #[test]
    fn codes_versions_and_words_are_no_quantities() {
        for text in
            ["1.2.3", "007", "5-10", "10:30", "1e3c", "v41", "five-star", "", "€", "none", "3abc", "1 h 5", "5€x"]
        {
            assert!(!matches!(Quantity::parse(text), Some(Quantity::Known(..))), "{text}");
        }
        for text in ["1.2.3", "5-10", "10:30", "007abc"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }
}
