use super::decimal::Decimal;

/// What a unit measures. Quantities of different dimensions never agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Dimension {
    /// A bare number.
    Count,
    /// A share, in percent. Not a count: 0.5 may as well be half a percent.
    Share,
    Length,
    Area,
    Volume,
    Mass,
    /// Up to weeks, a day being 24 hours.
    Time,
    /// Months and years, which are no fixed time.
    Calendar,
    Speed,
    Data,
    DataRate,
    Energy,
    Power,
    Frequency,
    Temperature,
    /// An amount of one currency, by its ISO 4217 code.
    Money(&'static str),
}

/// A unit: `value` of it is `value` x `factor` + `offset` of the base unit of its dimension. All are exact decimals,
/// for which the base of temperatures is a ninth of a kelvin and that of speeds a metre per hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) dimension: Dimension,
    factor: Decimal,
    offset: Decimal,
}

impl Unit {
    pub(super) fn in_base(self, value: Decimal) -> Option<Decimal> {
        value.times(self.factor)?.plus(self.offset)
    }

    /// Whether quantities of this unit are said in parts: `1 h 30 min`, `5 ft 3 in`.
    pub(super) fn adds_up(self) -> bool {
        matches!(self.dimension, Dimension::Time | Dimension::Calendar | Dimension::Length | Dimension::Mass)
    }

    /// Finds a unit by a spelling without blanks at its ends. Case counts where it tells units apart (`Mb` and `MB`,
    /// `mW` and `MW`, `m` and `M`); `gb` is taken as bytes.
    pub(super) fn find(spelling: &str) -> Option<Self> {
        if spelling.len() > 32 {
            return None;
        }
        symbol(spelling).or_else(|| word(&spelling.to_lowercase()))
    }

    /// The currency that a sign before a number names.
    pub(super) fn of_sign(sign: char) -> Option<Self> {
        let code = match sign {
            '€' => "EUR",
            '$' => "USD",
            '£' => "GBP",
            '¥' => "JPY",
            '₹' => "INR",
            _ => return None,
        };
        Some(unit(Dimension::Money(code), 1, 0))
    }
}

/// A word that multiplies a number: `5 million`.
pub(super) fn magnitude(word: &str) -> Option<Decimal> {
    let exponent = match word {
        "k" | "thousand" => 3,
        "million" | "millions" | "mn" | "mio" => 6,
        "billion" | "billions" | "bn" => 9,
        "trillion" | "trillions" | "tn" => 12,
        _ => return None,
    };
    Some(Decimal::new(1, exponent))
}

/// Number words that are read as numbers: zero to twelve.
pub(super) fn number_word(word: &str) -> Option<Decimal> {
    const WORDS: [&str; 13] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let n = WORDS.iter().position(|w| w.eq_ignore_ascii_case(word))?;
    Some(Decimal::new(n as i128, 0))
}

const fn unit(dimension: Dimension, mantissa: i128, exponent: i32) -> Unit {
    Unit { dimension, factor: Decimal::new(mantissa, exponent), offset: Decimal::new(0, 0) }
}

/// Spellings whose case tells them from another unit.
fn symbol(spelling: &str) -> Option<Unit> {
    use Dimension::{Data, Energy, Length, Mass, Power, Temperature};
    Some(match spelling {
        "m" => unit(Length, 1, 0),
        "g" => unit(Mass, 1, 0),
        "b" | "bit" => unit(Data, 125, -3),
        "B" => unit(Data, 1, 0),
        "Kb" => unit(Data, 125, 0),
        "Mb" => unit(Data, 125, 3),
        "Gb" => unit(Data, 125, 6),
        "Tb" => unit(Data, 125, 9),
        "mW" => unit(Power, 1, -3),
        "W" => unit(Power, 1, 0),
        "kW" => unit(Power, 1, 3),
        "MW" => unit(Power, 1, 6),
        "GW" => unit(Power, 1, 9),
        "J" => unit(Energy, 1, 0),
        "kJ" => unit(Energy, 1, 3),
        "MJ" => unit(Energy, 1, 6),
        "Wh" => unit(Energy, 3600, 0),
        "kWh" => unit(Energy, 3600, 3),
        "MWh" => unit(Energy, 3600, 6),
        "GWh" => unit(Energy, 3600, 9),
        "K" => unit(Temperature, 9, 0),
        "C" | "°C" => celsius(),
        "F" | "°F" => fahrenheit(),
        _ => return None,
    })
}

/// Spellings in lower case whose case does not matter.
fn word(spelling: &str) -> Option<Unit> {
    use Dimension::*;
    Some(match spelling {
        "%" | "percent" | "per cent" | "pct" => unit(Share, 1, 0),
        "‰" | "per mille" => unit(Share, 1, -1),
        "nm" | "nanometre" | "nanometres" | "nanometer" | "nanometers" => unit(Length, 1, -9),
        "µm" | "μm" | "um" | "micrometre" | "micrometres" | "micrometer" | "micrometers" => unit(Length, 1, -6),
        "mm" | "millimetre" | "millimetres" | "millimeter" | "millimeters" => unit(Length, 1, -3),
        "cm" | "centimetre" | "centimetres" | "centimeter" | "centimeters" => unit(Length, 1, -2),
        "metre" | "metres" | "meter" | "meters" => unit(Length, 1, 0),
        "km" | "kms" | "kilometre" | "kilometres" | "kilometer" | "kilometers" => unit(Length, 1, 3),
        "in" | "inch" | "inches" => unit(Length, 254, -4),
        "ft" | "foot" | "feet" => unit(Length, 3048, -4),
        "yd" | "yard" | "yards" => unit(Length, 9144, -4),
        "mi" | "mile" | "miles" => unit(Length, 1_609_344, -3),
        "m2" | "sqm" | "square metre" | "square metres" | "square meter" | "square meters" => unit(Area, 1, 0),
        "ha" | "hectare" | "hectares" => unit(Area, 1, 4),
        "km2" | "square kilometre" | "square kilometres" | "square kilometer" | "square kilometers" => unit(Area, 1, 6),
        "ml" | "millilitre" | "millilitres" | "milliliter" | "milliliters" => unit(Volume, 1, -3),
        "cl" | "centilitre" | "centilitres" | "centiliter" | "centiliters" => unit(Volume, 1, -2),
        "l" | "litre" | "litres" | "liter" | "liters" => unit(Volume, 1, 0),
        "m3" | "cubic metre" | "cubic metres" | "cubic meter" | "cubic meters" => unit(Volume, 1, 3),
        "mg" | "milligram" | "milligrams" => unit(Mass, 1, -3),
        "gram" | "grams" | "gramme" | "grammes" => unit(Mass, 1, 0),
        "kg" | "kgs" | "kilogram" | "kilograms" | "kilo" | "kilos" => unit(Mass, 1, 3),
        "tonne" | "tonnes" => unit(Mass, 1, 6),
        "oz" | "ounce" | "ounces" => unit(Mass, 28_349_523_125, -9),
        "lb" | "lbs" | "pound" | "pounds" => unit(Mass, 45_359_237, -5),
        "ns" | "nanosecond" | "nanoseconds" => unit(Time, 1, -9),
        "µs" | "μs" | "us" | "microsecond" | "microseconds" => unit(Time, 1, -6),
        "ms" | "msec" | "millisecond" | "milliseconds" => unit(Time, 1, -3),
        "s" | "sec" | "secs" | "second" | "seconds" => unit(Time, 1, 0),
        "min" | "mins" | "minute" | "minutes" => unit(Time, 60, 0),
        "h" | "hr" | "hrs" | "hour" | "hours" => unit(Time, 3600, 0),
        "d" | "day" | "days" => unit(Time, 86_400, 0),
        "wk" | "wks" | "week" | "weeks" => unit(Time, 604_800, 0),
        "month" | "months" => unit(Calendar, 1, 0),
        "quarter" | "quarters" => unit(Calendar, 3, 0),
        "yr" | "yrs" | "year" | "years" => unit(Calendar, 12, 0),
        "decade" | "decades" => unit(Calendar, 120, 0),
        "m/s" | "metres per second" | "meters per second" => unit(Speed, 3600, 0),
        "km/h" | "kmh" | "kph" | "kilometres per hour" | "kilometers per hour" => unit(Speed, 1, 3),
        "mph" | "miles per hour" => unit(Speed, 1_609_344, -3),
        "bits" => unit(Data, 125, -3),
        "kbit" | "kilobit" | "kilobits" => unit(Data, 125, 0),
        "mbit" | "megabit" | "megabits" => unit(Data, 125, 3),
        "gbit" | "gigabit" | "gigabits" => unit(Data, 125, 6),
        "byte" | "bytes" => unit(Data, 1, 0),
        "kb" | "kilobyte" | "kilobytes" => unit(Data, 1, 3),
        "mb" | "megabyte" | "megabytes" => unit(Data, 1, 6),
        "gb" | "gigabyte" | "gigabytes" => unit(Data, 1, 9),
        "tb" | "terabyte" | "terabytes" => unit(Data, 1, 12),
        "pb" | "petabyte" | "petabytes" => unit(Data, 1, 15),
        "kib" | "kibibyte" | "kibibytes" => unit(Data, 1 << 10, 0),
        "mib" | "mebibyte" | "mebibytes" => unit(Data, 1 << 20, 0),
        "gib" | "gibibyte" | "gibibytes" => unit(Data, 1 << 30, 0),
        "tib" | "tebibyte" | "tebibytes" => unit(Data, 1 << 40, 0),
        "bit/s" => unit(DataRate, 1, 0),
        "kbps" | "kbit/s" => unit(DataRate, 1, 3),
        "mbps" | "mbit/s" => unit(DataRate, 1, 6),
        "gbps" | "gbit/s" => unit(DataRate, 1, 9),
        "watt" | "watts" => unit(Power, 1, 0),
        "kilowatt" | "kilowatts" => unit(Power, 1, 3),
        "megawatt" | "megawatts" => unit(Power, 1, 6),
        "gigawatt" | "gigawatts" => unit(Power, 1, 9),
        "kwh" | "kilowatt hour" | "kilowatt hours" => unit(Energy, 3600, 3),
        "hz" | "hertz" => unit(Frequency, 1, 0),
        "khz" | "kilohertz" => unit(Frequency, 1, 3),
        "mhz" | "megahertz" => unit(Frequency, 1, 6),
        "ghz" | "gigahertz" => unit(Frequency, 1, 9),
        "kelvin" => unit(Temperature, 9, 0),
        "celsius" | "°c" | "degrees celsius" => celsius(),
        "fahrenheit" | "°f" | "degrees fahrenheit" => fahrenheit(),
        "€" | "eur" | "euro" | "euros" => money("EUR"),
        "$" | "us$" | "usd" | "dollar" | "dollars" | "us dollar" | "us dollars" => money("USD"),
        "£" | "gbp" | "pound sterling" | "pounds sterling" => money("GBP"),
        "¥" | "jpy" | "yen" => money("JPY"),
        "₹" | "inr" | "rupee" | "rupees" => money("INR"),
        "chf" | "swiss franc" | "swiss francs" => money("CHF"),
        "cny" | "rmb" | "yuan" => money("CNY"),
        "aud" => money("AUD"),
        "brl" => money("BRL"),
        "cad" => money("CAD"),
        "czk" => money("CZK"),
        "dkk" => money("DKK"),
        "hkd" => money("HKD"),
        "krw" => money("KRW"),
        "mxn" => money("MXN"),
        "nok" => money("NOK"),
        "nzd" => money("NZD"),
        "pln" => money("PLN"),
        "sek" => money("SEK"),
        "sgd" => money("SGD"),
        _ => return None,
    })
}

const fn money(code: &'static str) -> Unit {
    unit(Dimension::Money(code), 1, 0)
}

/// 9 (C + 273.15), in ninths of a kelvin.
const fn celsius() -> Unit {
    Unit { dimension: Dimension::Temperature, factor: Decimal::new(9, 0), offset: Decimal::new(245_835, -2) }
}

/// 9 ((F - 32) 5/9 + 273.15), in ninths of a kelvin.
const fn fahrenheit() -> Unit {
    Unit { dimension: Dimension::Temperature, factor: Decimal::new(5, 0), offset: Decimal::new(229_835, -2) }
}
