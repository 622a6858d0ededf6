use std::collections::{BTreeSet, HashSet};
use std::hash::Hash;
use std::ops::Bound;

use super::decimal::Decimal;
use super::quantity::Quantity;
use super::scalar::Scalar;
use super::text::{is_word_alone, normalise, plain};
use super::unit::{Unit, magnitude, number_word};

/// Words that negate or except. A contraction with `n't` and `cannot` count as `not`.
const NEGATIONS: [&str; 31] = [
    "not",
    "no",
    "never",
    "without",
    "except",
    "excepting",
    "excluding",
    "exclude",
    "excludes",
    "excluded",
    "neither",
    "nor",
    "none",
    "nothing",
    "nobody",
    "nowhere",
    "cannot",
    "unless",
    "avoid",
    "avoiding",
    "omit",
    "omitting",
    "nicht",
    "kein",
    "keine",
    "keinen",
    "nie",
    "ohne",
    "außer",
    "sans",
    "sin",
];

/// Words that carry grammar rather than meaning; a readback may add and drop them.
const FUNCTION_WORDS: [&str; 38] = [
    "a", "an", "the", "of", "to", "for", "in", "on", "at", "by", "and", "with", "from", "into", "as", "is", "are",
    "be", "was", "were", "been", "it", "its", "that", "this", "these", "those", "which", "who", "please", "me", "my",
    "us", "our", "you", "your", "do", "does",
];

/// Words whose two sides cannot be exchanged: `from a to b`, `a instead of b`.
const RELATIONS: [&str; 26] = [
    "from",
    "to",
    "into",
    "onto",
    "than",
    "instead",
    "before",
    "after",
    "over",
    "under",
    "above",
    "below",
    "by",
    "per",
    "between",
    "rather",
    "replace",
    "replacing",
    "with",
    "then",
    "until",
    "since",
    "versus",
    "vs",
    "against",
    "but",
];

const ONE: Decimal = Decimal::new(1, 0);

/// What a free text states that a paraphrase must not change, and its words.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Numbers and quantities, in order.
    numbers: Vec<Anchor<Quantity>>,
    /// Dates and instants.
    times: Vec<Anchor<Scalar>>,
    /// Codes of letters and digits, versions, URLs, addresses, UUIDs.
    ids: Vec<Anchor<String>>,
    /// Capitalised words that do not begin a sentence.
    names: Vec<Anchor<String>>,
    /// Negations, in order.
    negations: Vec<String>,
    /// What each negation applies to: the next word that carries meaning.
    negated: BTreeSet<String>,
    /// Whether the word `one` occurs: it may be the number or not.
    one: bool,
    /// Whether a word occurs that relates others to each other, so that their order matters.
    relates: bool,
    /// Every word that carries meaning, lower case.
    words: BTreeSet<String>,
    /// The same, in order.
    order: Vec<String>,
}

#[derive(Debug)]
struct Anchor<T> {
    value: T,
    shown: String,
}

/// What comparing the anchors of two texts gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// One differs.
    Differs(String),
    /// None differs, but something was moved or worded otherwise, so that likeness proves nothing.
    Doubtful,
    /// None differs, and each word has its counterpart.
    Holds,
}

impl Reading {
    pub(super) fn of(text: &str) -> Self {
        let mut reading = Self::default();
        let tokens = tokens(text);
        let mut at = 0;
        while at < tokens.len() {
            at += reading.take(&tokens[at..]);
        }
        reading
    }

    /// Compares the anchors; symmetric but for the order in which a difference is told.
    pub(super) fn guard(&self, read_back: &Self) -> Guard {
        match self.difference(read_back) {
            Some(anchor) => Guard::Differs(anchor),
            None if self.is_moved(read_back) => Guard::Doubtful,
            None if all_covered(&self.words, &read_back.words) && all_covered(&read_back.words, &self.words) => {
                Guard::Holds
            }
            None => Guard::Doubtful,
        }
    }

    fn difference(&self, read_back: &Self) -> Option<String> {
        let (ours, theirs) = (values(&self.numbers), values(&read_back.numbers));
        let number = |n: &Quantity, numbers: &HashSet<&Quantity>, other: &Self| {
            numbers.contains(n) || (other.one && *n == Quantity::count(ONE))
        };
        let among = |name: &String, other: &Self| other.words.contains(name);
        difference(
            "number",
            &self.numbers,
            &read_back.numbers,
            |a| number(a, &theirs, read_back),
            |b| number(b, &ours, self),
        )
        .or_else(|| same_set("date", &self.times, &read_back.times))
        .or_else(|| same_set("id", &self.ids, &read_back.ids))
        .or_else(|| negation(&self.negations, &read_back.negations))
        .or_else(|| difference("name", &self.names, &read_back.names, |a| among(a, read_back), |b| among(b, self)))
    }

    /// Whether an anchor or a negation applies elsewhere, or a word that relates others has them in another order.
    fn is_moved(&self, read_back: &Self) -> bool {
        let one = Quantity::count(ONE);
        let numbers =
            |reading: &Self| reading.numbers.iter().map(|n| n.value.clone()).filter(|n| *n != one).collect::<Vec<_>>();
        let same_order = || {
            self.order.len() == read_back.order.len()
                && self.order.iter().zip(&read_back.order).all(|(a, b)| a == b || same_stem(a, b))
        };
        numbers(self) != numbers(read_back)
            || self.ids.iter().map(|i| &i.value).ne(read_back.ids.iter().map(|i| &i.value))
            || self.times.iter().map(|t| &t.value).ne(read_back.times.iter().map(|t| &t.value))
            || !all_covered(&self.negated, &read_back.negated)
            || !all_covered(&read_back.negated, &self.negated)
            || ((self.relates || read_back.relates || !self.names.is_empty() || !read_back.names.is_empty())
                && !same_order())
    }

    /// Takes in the first of `tokens`, and says how many it used.
    fn take(&mut self, tokens: &[Token]) -> usize {
        let token = &tokens[0];
        let lower = normalise(&token.text).into_owned();
        if token.text.contains(char::is_numeric) {
            return self.take_number(tokens, lower);
        }
        if is_address(&token.text) {
            self.ids.push(Anchor { value: lower, shown: token.text.clone() });
            return 1;
        }
        if lower == "one" {
            self.one = true;
            return 1;
        }
        if let Some(n) = number_word(&token.text) {
            return self.push_quantity(n, &token.text, &tokens[1..]);
        }
        if NEGATIONS.contains(&lower.as_str()) || lower.ends_with("n't") {
            self.negations.push(lower);
            let next = tokens[1..].iter().map(|t| normalise(&t.text).into_owned());
            self.negated.extend(next.into_iter().find(|word| !FUNCTION_WORDS.contains(&word.as_str())));
            return 1;
        }
        self.relates |= RELATIONS.contains(&lower.as_str());
        let word = lower.strip_suffix("'s").unwrap_or(&lower);
        let mut letters = token.text.chars().filter(|c| c.is_alphabetic());
        let (first, second) = (letters.next(), letters.next());
        let acronym = second.is_some() && !token.text.contains(char::is_lowercase);
        if first.is_some_and(char::is_uppercase) && second.is_some() && (!token.begins_sentence || acronym) {
            self.names.push(Anchor { value: word.to_owned(), shown: token.text.clone() });
        }
        if !word.is_empty() && !FUNCTION_WORDS.contains(&word) {
            self.words.insert(word.to_owned());
            self.order.push(word.to_owned());
        }
        1
    }

    fn take_number(&mut self, tokens: &[Token], lower: String) -> usize {
        let text = &tokens[0].text;
        if let Some(time) = Scalar::read_time(text) {
            self.times.push(Anchor { value: time, shown: text.clone() });
        } else if let Some((n, "")) = Decimal::take(text) {
            return self.push_quantity(n, text, &tokens[1..]);
        } else if let Some(quantity @ Quantity::Known(..)) = Quantity::parse(text) {
            self.numbers.push(Anchor { value: quantity, shown: text.clone() });
        } else {
            self.ids.push(Anchor { value: lower, shown: text.clone() });
        }
        1
    }

    /// Adds a number with the magnitude and the unit that follow it, if any do.
    fn push_quantity(&mut self, mut n: Decimal, text: &str, rest: &[Token]) -> usize {
        let (mut used, mut shown) = (0, text.to_owned());
        if let Some(token) = rest.first()
            && let Some(product) = magnitude(&token.text.to_lowercase()).and_then(|power| n.times(power))
        {
            (n, used) = (product, 1);
            shown = format!("{shown} {}", token.text);
        }
        let mut value = Quantity::count(n);
        // "in" is hardly ever an inch in a sentence.
        if let Some(token) = rest.get(used).filter(|token| !token.text.eq_ignore_ascii_case("in"))
            && let Some(unit) = Unit::find(&token.text)
            && let Some(n) = unit.in_base(n)
        {
            (value, used) = (Quantity::Known(unit.dimension, n), used + 1);
            shown = format!("{shown} {}", token.text);
        }
        self.numbers.push(Anchor { value, shown });
        1 + used
    }
}

#[derive(Debug)]
struct Token {
    text: String,
    begins_sentence: bool,
}

/// Words and the like, without punctuation around them. Words joined by `-`, `/` or `_` are taken apart, unless a digit
/// or an address is among them.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut begins_sentence = true;
    let text: String = text.chars().map(plain).collect();
    for chunk in text.split(char::is_whitespace).filter(|chunk| !chunk.is_empty()) {
        let core = chunk.trim_matches(|c: char| is_punctuation(c) && !matches!(c, '-' | '.'));
        let core = core.trim_end_matches(|c: char| is_punctuation(c) || c == '-');
        // A minus or a point before a digit belongs to the number.
        let signed = core.trim_start_matches(['-', '.', '+']);
        let core = if signed.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '€' | '$' | '£')) {
            core
        } else {
            signed
        };
        let apart = !core.contains(char::is_numeric) && !is_address(core);
        let parts = core.split(|c: char| apart && matches!(c, '-' | '/' | '_' | ',' | '|' | '(' | ')'));
        for part in parts.filter(|part| !part.is_empty()) {
            let mut alone = part.chars().filter(|c| is_word_alone(*c)).peekable();
            if apart && alone.peek().is_some() {
                tokens.extend(alone.map(|c| Token { text: c.to_string(), begins_sentence: false }));
            } else {
                tokens.push(Token { text: part.to_owned(), begins_sentence });
            }
            begins_sentence = false;
        }
        begins_sentence |= chunk.ends_with(['.', '!', '?', ':', '。']) || core.is_empty();
    }
    tokens
}

fn is_punctuation(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | '`'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '<'
            | '>'
            | ','
            | ';'
            | ':'
            | '!'
            | '?'
            | '.'
            | '…'
            | '*'
            | '。'
            | '、'
    )
}

fn is_address(text: &str) -> bool {
    text.contains("://")
        || text.starts_with("www.")
        || text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

/// `limit` and `limits`, `battery` and `batteries`: at least four characters and half of the longer one in common.
fn same_stem(a: &str, b: &str) -> bool {
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    common >= 4 && common * 2 >= a.chars().count().max(b.chars().count())
}

/// Whether each word has one of its stem among the others.
fn all_covered(words: &BTreeSet<String>, others: &BTreeSet<String>) -> bool {
    words.iter().all(|word| {
        // In sorted order, what shares the longest beginning with a word stands next to it.
        let before = others.range::<str, _>((Bound::Unbounded, Bound::Included(word.as_str()))).next_back();
        let after = others.range::<str, _>((Bound::Excluded(word.as_str()), Bound::Unbounded)).next();
        [before, after].into_iter().flatten().any(|near| near == word || same_stem(word, near))
    })
}

fn values<T: Eq + Hash>(anchors: &[Anchor<T>]) -> HashSet<&T> {
    anchors.iter().map(|anchor| &anchor.value).collect()
}

fn negation(sent: &[String], read_back: &[String]) -> Option<String> {
    let show = |words: &[String]| if words.is_empty() { "(none)".to_owned() } else { words.join(", ") };
    (sent.len() != read_back.len()).then(|| format!("negation {} -> {}", show(sent), show(read_back)))
}

fn same_set<T: Eq + Hash>(what: &str, sent: &[Anchor<T>], read_back: &[Anchor<T>]) -> Option<String> {
    let (ours, theirs) = (values(sent), values(read_back));
    difference(what, sent, read_back, |a| theirs.contains(a), |b| ours.contains(b))
}

/// Tells the first anchor of each side that the other one has not.
fn difference<T>(
    what: &str,
    sent: &[Anchor<T>],
    read_back: &[Anchor<T>],
    in_read_back: impl Fn(&T) -> bool,
    in_sent: impl Fn(&T) -> bool,
) -> Option<String> {
    let lost = sent.iter().find(|anchor| !in_read_back(&anchor.value));
    let added = read_back.iter().find(|anchor| !in_sent(&anchor.value));
    let show = |anchor: Option<&Anchor<T>>| {
        anchor.map_or_else(|| "(absent)".to_owned(), |anchor| anchor.shown.chars().take(120).collect::<String>())
    };
    (lost.is_some() || added.is_some()).then(|| format!("{what} {} -> {}", show(lost), show(added)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(a: &str, b: &str) -> Guard {
        Reading::of(a).guard(&Reading::of(b))
    }

    #[test]
    fn a_changed_anchor_is_a_difference_and_is_named() {
        for (sent, read_back, anchor) in [
            ("find 5 recent sources on batteries", "find 50 recent sources on batteries", "number 5 -> 50"),
            ("find five recent sources on batteries", "find six recent sources on batteries", "number five -> six"),
            ("find recent sources on batteries", "find 3 recent sources on batteries", "number (absent) -> 3"),
            ("hotels within 5 km of the centre", "hotels within 5 miles of the centre", "number 5 km -> 5 miles"),
            ("spend at most €5 on it", "spend at most $5 on it", "number €5 -> $5"),
            (
                "papers since 2025-01-01 on this topic",
                "papers since 2024-01-01 on this topic",
                "date 2025-01-01 -> 2024-01-01",
            ),
            ("close ticket ABC-123 for the user", "close ticket ABC-124 for the user", "id ABC-123 -> ABC-124"),
            (
                "read https://a.example/x for me",
                "read https://a.example/y for me",
                "id https://a.example/x -> https://a.example/y",
            ),
            (
                "write to bob@example.com about it",
                "write to rob@example.com about it",
                "id bob@example.com -> rob@example.com",
            ),
            ("book a flight to Berlin today", "book a flight to Munich today", "name Berlin -> Munich"),
            ("use sources that are paywalled", "do not use sources that are paywalled", "negation (none) -> not"),
            ("don't use sources behind paywalls", "use sources behind paywalls", "negation don't -> (none)"),
            ("list all offers without the old ones", "list all offers with the old ones", "negation without -> (none)"),
        ] {
            assert_eq!(guard(sent, read_back), Guard::Differs(anchor.to_owned()), "{sent} | {read_back}");
        }
    }

    #[test]
    fn other_spellings_of_an_anchor_are_no_difference() {
        for (sent, read_back) in [
            ("find five sources on solid-state batteries", "Find 5 sources on solid state batteries."),
            ("hotels within 5 km of the centre", "hotels within 5000 m of the centre"),
            ("spend 5 million euros on it", "spend €5,000,000 on it"),
            ("meet at 2025-01-01T00:00:00Z about it", "meet at 2025-01-01T01:00:00+01:00 about it"),
            ("pick one source about it", "pick 1 source about it"),
            ("Find papers by Anna on batteries", "find papers by Anna on the battery"),
            ("a list of ten items in order", "list of 10 items in order"),
        ] {
            assert_eq!(guard(sent, read_back), Guard::Holds, "{sent} | {read_back}");
        }
    }

    #[test]
    fn what_is_moved_or_worded_otherwise_is_doubtful_and_no_difference() {
        for (sent, read_back) in [
            ("move 5 items from shelf 7 today", "move 7 items from shelf 5 today"),
            ("transfer the money from Alice to Bob", "transfer the money from Bob to Alice"),
            ("find cheap flights to the city", "find expensive flights to the city"),
            ("Alice should check the report today", "Bob should check the report today"),
            ("use apples and not the pears", "use pears and not the apples"),
            ("convert the csv files to json format", "convert the json files to csv format"),
            ("use apples instead of pears here", "use pears instead of apples here"),
            ("send it from alice to the bob team", "send it from Bob to the Alice team"),
            ("take neither apples nor pears or plums", "take neither plums nor pears or apples"),
            ("increase the price of all items", "decrease the price of all items"),
        ] {
            assert_eq!(guard(sent, read_back), Guard::Doubtful, "{sent} | {read_back}");
            assert_eq!(guard(read_back, sent), Guard::Doubtful, "{read_back} | {sent}");
        }
    }
}
