use std::time::Duration;

use super::QueryError;
use super::ast::Operator;

/// A word of a query, and the character that it begins at, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    Word(String),
    Text(String),
    Int(i64),
    Number(f64),
    Duration(Duration),
    Operator(Operator),
    /// `>>`
    Below,
    Open,
    Close,
    OpenBrace,
    CloseBrace,
    Comma,
    Pipe,
    End,
}

impl TokenKind {
    /// How it is called in an error.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Text(text) => format!("\"{text}\""),
            Self::Int(int) => int.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Duration(time) => format!("{time:?}"),
            Self::Operator(operator) => format!("`{}`", operator.sign()),
            Self::Below => "`>>`".to_owned(),
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::OpenBrace => "`{`".to_owned(),
            Self::CloseBrace => "`}`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::Pipe => "`|`".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

impl Operator {
    const SIGNS: [(&'static str, Self); 9] = [
        // Longer signs before those that they begin with.
        ("!=", Self::NotEqual),
        ("!~", Self::NoMatch),
        ("=~", Self::Match),
        ("^=", Self::Prefix),
        ("<=", Self::LessOrEqual),
        (">=", Self::MoreOrEqual),
        ("=", Self::Equal),
        ("<", Self::Less),
        (">", Self::More),
    ];

    pub(super) fn sign(self) -> &'static str {
        Self::SIGNS.iter().find(|(_, operator)| *operator == self).map_or("", |(sign, _)| sign)
    }
}

/// All words of a text, the last one [`TokenKind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { rest: text, column: 1 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_while(char::is_whitespace);
        let column = lexer.column;
        let kind = lexer.next()?;
        let is_end = kind == TokenKind::End;
        tokens.push(Token { kind, column });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    column: usize,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<TokenKind, QueryError> {
        let Some(first) = self.rest.chars().next() else { return Ok(TokenKind::End) };
        let single = match first {
            '(' => Some(TokenKind::Open),
            ')' => Some(TokenKind::Close),
            '{' => Some(TokenKind::OpenBrace),
            '}' => Some(TokenKind::CloseBrace),
            ',' => Some(TokenKind::Comma),
            '|' => Some(TokenKind::Pipe),
            _ => None,
        };
        if let Some(kind) = single {
            self.take(1);
            return Ok(kind);
        }
        if self.rest.starts_with(">>") {
            self.take(2);
            return Ok(TokenKind::Below);
        }
        if let Some((sign, operator)) = Operator::SIGNS.iter().find(|(sign, _)| self.rest.starts_with(sign)) {
            self.take(sign.len());
            return Ok(TokenKind::Operator(*operator));
        }
        match first {
            '"' | '\'' => self.text(first),
            '0'..='9' | '-' | '+' => self.number(),
            _ if is_word_start(first) => Ok(TokenKind::Word(self.skip_while(is_word).to_owned())),
            other => Err(QueryError::new(self.column, format!("`{}` means nothing here", other.escape_debug()))),
        }
    }

    fn text(&mut self, quote: char) -> Result<TokenKind, QueryError> {
        let begin = self.column;
        self.take(1);
        let mut text = String::new();
        loop {
            let Some(next) = self.rest.chars().next() else {
                return Err(QueryError::new(begin, format!("text without its closing {quote}")));
            };
            let at = self.column;
            self.take(next.len_utf8());
            if next == quote {
                return Ok(TokenKind::Text(text));
            }
            if next != '\\' {
                text.push(next);
                continue;
            }
            let escaped = self.rest.chars().next();
            match escaped {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(sign @ ('\\' | '"' | '\'')) => text.push(sign),
                // As it is: patterns are full of these.
                Some(other) => text.extend(['\\', other]),
                None => return Err(QueryError::new(at, "nothing follows the backslash")),
            }
            self.take(escaped.map_or(0, char::len_utf8));
        }
    }

    fn number(&mut self) -> Result<TokenKind, QueryError> {
        let column = self.column;
        let sign = if self.rest.starts_with(['-', '+']) { self.take(1) } else { "" };
        let digits = self.skip_while(|c| c.is_ascii_digit() || matches!(c, '.' | '_')).replace('_', "");
        let exponent = self.rest.starts_with(['e', 'E'])
            && self.rest[1..].trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
        let mut text = format!("{sign}{digits}");
        if exponent {
            text.push_str(self.take(1));
            if self.rest.starts_with(['-', '+']) {
                text.push_str(self.take(1));
            }
            text.push_str(self.skip_while(|c| c.is_ascii_digit()));
        }
        let unit = self.skip_while(is_word).to_owned();
        let wrong =
            || QueryError::new(column, format!("`{text}{unit}` is no number and no duration such as 15m or 250ms"));
        if unit.is_empty() {
            if let Ok(int) = text.parse() {
                return Ok(TokenKind::Int(int));
            }
            let number: f64 = text.parse().map_err(|_| wrong())?;
            return if number.is_finite() { Ok(TokenKind::Number(number)) } else { Err(wrong()) };
        }
        let seconds = match unit.as_str() {
            "ns" => 1e-9,
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        let count: f64 = text.parse().map_err(|_| wrong())?;
        Duration::try_from_secs_f64(count * seconds).map(TokenKind::Duration).map_err(|_| wrong())
    }

    fn skip_while(&mut self, holds: impl Fn(char) -> bool) -> &'a str {
        let length = self.rest.find(|c| !holds(c)).unwrap_or(self.rest.len());
        self.take(length)
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.column += taken.chars().count();
        self.rest = rest;
        taken
    }
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Names of attributes have dots, and agents have dashes, too.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '/')
}
