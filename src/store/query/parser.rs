use super::ast::{Entity, Expr, Function, Measure, Name, Node, Operator, Query, Relation, Value, ValueKind};
use super::lexer::{self, Token, TokenKind};
use super::{LONGEST, MOST_LINES, QueryError, field};

/// How deep parentheses and NOTs may be nested.
const DEEPEST: usize = 64;

/// The most comparisons in one query.
const MOST_PREDICATES: usize = 200;

/// The most handoffs in one chain: each costs a walk up the tree of the one after it.
const LONGEST_CHAIN: usize = 8;

/// The most names to group or to sort by, and the most measures.
const MOST_NAMES: usize = 16;

pub(super) fn parse(text: &str) -> Result<Query, QueryError> {
    if text.len() > LONGEST {
        return Err(QueryError::new(1, format!("a query of {} bytes is over the limit of {LONGEST}", text.len())));
    }
    let tokens = lexer::tokens(text)?;
    Parser { tokens, at: 0, depth: 0, predicates: 0 }.query()
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    predicates: usize,
}

impl Parser {
    fn query(mut self) -> Result<Query, QueryError> {
        let first = self.node()?;
        let mut query = Query {
            first,
            chain: Vec::new(),
            by: Vec::new(),
            measures: Vec::new(),
            sort: Vec::new(),
            limit: None,
            offset: 0,
            among: None,
        };
        loop {
            let relation = match self.peek() {
                TokenKind::Below => Relation::Below,
                TokenKind::Operator(Operator::More) => Relation::Child,
                _ => break,
            };
            let column = self.column();
            self.at += 1;
            let node = self.braced()?.ok_or_else(|| self.expected("handoff{...}"))?;
            let handoffs = query.first.entity == Entity::Handoff && node.entity == Entity::Handoff;
            if !handoffs {
                return Err(QueryError::new(column, "only handoffs stand below one another"));
            }
            query.chain.push((relation, node));
            if query.chain.len() >= LONGEST_CHAIN {
                return Err(QueryError::new(column, format!("more than {LONGEST_CHAIN} handoffs in one chain")));
            }
        }
        while self.eat(&TokenKind::Pipe) {
            self.stage(&mut query)?;
        }
        match self.peek() {
            TokenKind::End => Ok(query),
            _ => Err(self.expected("AND, OR, `|` or the end")),
        }
    }

    fn node(&mut self) -> Result<Node, QueryError> {
        if let Some(node) = self.braced()? {
            return Ok(node);
        }
        let filter = match self.peek() {
            TokenKind::End | TokenKind::Pipe => None,
            _ => Some(self.or()?),
        };
        let mut names = Vec::new();
        filter.iter().for_each(|filter| filter.names(&mut names));
        let is_span = names.iter().any(|name| name.text == "type");
        Ok(Node { entity: if is_span { Entity::Span } else { Entity::Handoff }, filter })
    }

    /// `handoff{...}` and its kin, if that is what comes.
    fn braced(&mut self) -> Result<Option<Node>, QueryError> {
        let TokenKind::Word(word) = self.peek() else { return Ok(None) };
        let entity = match word.to_ascii_lowercase().as_str() {
            "handoff" => Entity::Handoff,
            "span" => Entity::Span,
            "workflow" => Entity::Workflow,
            _ => return Ok(None),
        };
        if self.tokens.get(self.at + 1).map(|token| &token.kind) != Some(&TokenKind::OpenBrace) {
            return Ok(None);
        }
        self.at += 2;
        let filter = if *self.peek() == TokenKind::CloseBrace { None } else { Some(self.or()?) };
        if !self.eat(&TokenKind::CloseBrace) {
            return Err(self.expected("AND, OR or `}`"));
        }
        Ok(Some(Node { entity, filter }))
    }

    // -------------------------------------------------------------------------------------------------------- conditions

    fn or(&mut self) -> Result<Expr, QueryError> {
        let mut parts = vec![self.and()?];
        while self.eat_word("or") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, QueryError> {
        let mut parts = vec![self.not()?];
        while self.eat_word("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Expr::And))
    }

    fn not(&mut self) -> Result<Expr, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(QueryError::new(self.column(), format!("nested deeper than {DEEPEST}")));
        }
        let expr = if self.eat_word("not") {
            Expr::Not(Box::new(self.not()?))
        } else if self.eat(&TokenKind::Open) {
            let inner = self.or()?;
            if !self.eat(&TokenKind::Close) {
                return Err(self.expected("AND, OR or `)`"));
            }
            inner
        } else {
            self.predicate()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn predicate(&mut self) -> Result<Expr, QueryError> {
        self.predicates += 1;
        if self.predicates > MOST_PREDICATES {
            return Err(QueryError::new(self.column(), format!("more than {MOST_PREDICATES} comparisons")));
        }
        if self.is_word("last") && matches!(self.after(), Some(TokenKind::Duration(_) | TokenKind::Int(_))) {
            self.at += 1;
            return match *self.peek() {
                TokenKind::Duration(time) => {
                    self.at += 1;
                    Ok(Expr::Last(time))
                }
                _ => Err(self.expected("a duration such as 15m, 2h or 7d")),
            };
        }
        let name = self.name("a name such as `from`")?;
        if self.is_word("in") {
            self.at += 1;
            if !self.eat(&TokenKind::Open) {
                return Err(self.expected("`(`"));
            }
            let mut values = vec![self.value()?];
            while self.eat(&TokenKind::Comma) {
                values.push(self.value()?);
                self.predicates += 1;
                if self.predicates > MOST_PREDICATES {
                    return Err(QueryError::new(self.column(), format!("more than {MOST_PREDICATES} values")));
                }
            }
            if !self.eat(&TokenKind::Close) {
                return Err(self.expected("`,` or `)`"));
            }
            return Ok(Expr::In(name, values));
        }
        let TokenKind::Operator(operator) = *self.peek() else {
            return Err(self.expected("one of = != < <= > >= ^= =~ !~ in"));
        };
        self.at += 1;
        let value = self.value()?;
        let is_pattern = matches!(operator, Operator::Match | Operator::NoMatch);
        match &value.kind {
            ValueKind::Text(pattern) if is_pattern => {
                regex::Regex::new(pattern).map_err(|error| {
                    let error = error.to_string();
                    let reason = error.lines().last().unwrap_or_default().trim().to_owned();
                    QueryError::new(value.column, format!("no regular expression: {reason}"))
                })?;
            }
            ValueKind::Text(_) => {}
            _ if is_pattern || operator == Operator::Prefix => {
                return Err(QueryError::new(value.column, format!("`{}` needs a text in quotes", operator.sign())));
            }
            _ => {}
        }
        Ok(Expr::Compare(name, operator, value))
    }

    fn value(&mut self) -> Result<Value, QueryError> {
        let column = self.column();
        let kind = match self.peek() {
            TokenKind::Text(text) => ValueKind::Text(text.clone()),
            TokenKind::Int(int) => ValueKind::Int(*int),
            TokenKind::Number(number) => ValueKind::Number(*number),
            TokenKind::Duration(time) => ValueKind::Duration(*time),
            TokenKind::Word(word) => match word.as_str() {
                "true" => ValueKind::Bool(true),
                "false" => ValueKind::Bool(false),
                reserved if ["and", "or", "not", "in"].contains(&reserved.to_ascii_lowercase().as_str()) => {
                    return Err(self.expected("a value"));
                }
                word => ValueKind::Text(word.to_owned()),
            },
            _ => return Err(self.expected("a value")),
        };
        self.at += 1;
        Ok(Value { kind, column })
    }

    // ------------------------------------------------------------------------------------------------------------ stages

    fn stage(&mut self, query: &mut Query) -> Result<(), QueryError> {
        if self.eat_word("by") {
            query.by = self.names()?;
        } else if self.eat_word("sort") {
            loop {
                let name = self.sort_name()?;
                let descending = self.eat_word("desc");
                if !descending {
                    self.eat_word("asc");
                }
                query.sort.push((name, descending));
                self.bound(query.sort.len())?;
                if !self.eat(&TokenKind::Comma) {
                    break;
                }
            }
        } else if self.eat_word("limit") {
            query.limit = Some(self.count(1, MOST_LINES)?);
        } else if self.eat_word("offset") {
            query.offset = self.count(0, 10_000_000)?;
        } else {
            loop {
                let measure = self.measure()?;
                query.measures.push(measure);
                self.bound(query.measures.len())?;
                if !self.eat(&TokenKind::Comma) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn measure(&mut self) -> Result<Measure, QueryError> {
        let TokenKind::Word(word) = self.peek().clone() else { return Err(self.expected(STAGES)) };
        let measure = match word.as_str() {
            "count" => Measure::Count,
            "rate" => Measure::Rate,
            word => {
                let Some((_, function)) = Function::ALL.iter().find(|(known, _)| *known == word) else {
                    return Err(self.expected(STAGES));
                };
                self.at += 1;
                if !self.eat(&TokenKind::Open) {
                    return Err(self.expected("`(` and a name"));
                }
                let name = self.name("a name such as `duration_ms`")?;
                if *self.peek() != TokenKind::Close {
                    return Err(self.expected("`)`"));
                }
                Measure::Of(*function, name)
            }
        };
        self.at += 1;
        Ok(measure)
    }

    fn names(&mut self) -> Result<Vec<Name>, QueryError> {
        let mut names = vec![self.name("a name to group by")?];
        while self.eat(&TokenKind::Comma) {
            names.push(self.name("a name to group by")?);
            self.bound(names.len())?;
        }
        Ok(names)
    }

    /// A name, or a measure as it is titled.
    fn sort_name(&mut self) -> Result<Name, QueryError> {
        let column = self.column();
        if matches!(self.after(), Some(TokenKind::Open)) {
            return Ok(Name { text: self.measure()?.title(), column });
        }
        self.name("a name to sort by")
    }

    fn count(&mut self, least: usize, most: usize) -> Result<usize, QueryError> {
        let TokenKind::Int(int) = *self.peek() else {
            return Err(self.expected(&format!("a number from {least} to {most}")));
        };
        let count = usize::try_from(int).ok().filter(|count| (least..=most).contains(count));
        let count = count.ok_or_else(|| self.expected(&format!("a number from {least} to {most}")))?;
        self.at += 1;
        Ok(count)
    }

    fn bound(&self, count: usize) -> Result<(), QueryError> {
        if count > MOST_NAMES {
            Err(QueryError::new(self.column(), format!("more than {MOST_NAMES} of these")))
        } else {
            Ok(())
        }
    }

    // ------------------------------------------------------------------------------------------------------------- tokens

    fn name(&mut self, what: &str) -> Result<Name, QueryError> {
        let column = self.column();
        // A name in quotes may hold anything.
        let text = match self.peek() {
            TokenKind::Word(word) if !["and", "or", "not"].contains(&word.to_ascii_lowercase().as_str()) => {
                if let Some(known) = field::nearly(word) {
                    let problem =
                        format!("nothing is called {word}: is it {known}? Quote it if it is an attribute's name");
                    return Err(QueryError::new(column, problem));
                }
                word.clone()
            }
            TokenKind::Text(text) if !text.is_empty() => text.clone(),
            _ => return Err(self.expected(what)),
        };
        self.at += 1;
        Ok(Name { text, column })
    }

    fn peek(&self) -> &TokenKind {
        &self.tokens[self.at.min(self.tokens.len() - 1)].kind
    }

    fn after(&self) -> Option<&TokenKind> {
        self.tokens.get(self.at + 1).map(|token| &token.kind)
    }

    fn column(&self) -> usize {
        self.tokens[self.at.min(self.tokens.len() - 1)].column
    }

    fn eat(&mut self, kind: &TokenKind) -> bool {
        let is = self.peek() == kind;
        self.at += usize::from(is);
        is
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(word) if word.eq_ignore_ascii_case(wanted))
    }

    fn eat_word(&mut self, wanted: &str) -> bool {
        let is = self.is_word(wanted);
        self.at += usize::from(is);
        is
    }

    fn expected(&self, what: &str) -> QueryError {
        QueryError::new(self.column(), format!("expected {what}, found {}", self.peek().describe()))
    }
}

const STAGES: &str = "by, sort, limit, offset, count, rate, or sum, avg, min, max, p50, p90, p95, p99 of a name";

fn one_or(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}
