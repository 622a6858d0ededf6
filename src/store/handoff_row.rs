use rusqlite::{Connection, OptionalExtension, Row, params};

use super::row::{Side, SpanRow};
use super::words::{HandoffKey, VerdictWord};

/// One handoff, joined from what both sides said. Every part is the least, the greatest, the union or the last by its
/// turn of what came, so that neither the order of arrival nor duplicates change it.
#[derive(Clone, Debug)]
pub(super) struct HandoffRow {
    pub(super) key: i64,
    pub(super) id: HandoffKey,
    pub(super) workflow: Option<i64>,
    parent: Option<Said<HandoffKey>>,
    from: Option<Said<String>>,
    to: Option<Said<String>>,
    kind: i64,
    mismatches: u32,
    rung: i64,
    size: Option<i64>,
    age_ms: Option<f64>,
    quality: Option<f64>,
    sender: Option<Half>,
    receiver: Option<Half>,
    /// As they are in the file; `None` for a new one.
    stored: Option<Stored>,
}

/// What both sides say alike; the sender, who made it so, has the last word.
#[derive(Clone, Debug)]
struct Said<T> {
    what: T,
    by_sender: bool,
}

/// The spans of one side: its last one by turn, and from when to when all of them went.
#[derive(Clone, Copy, Debug)]
struct Half {
    span: i64,
    start_ns: i64,
    end_ns: i64,
    turn: i64,
    verdict: VerdictWord,
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    mismatches: u32,
    workflow: Option<i64>,
    mismatched: bool,
}

/// How a write changed the numbers of a workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) handoffs: i64,
    pub(super) mismatched: i64,
}

const COLUMNS: &str = "key, id, workflow, parent, from_agent, to_agent, kind, mismatches, rung, size, age_ms, quality, \
     s_span, s_start_ns, s_end_ns, s_turn, s_verdict, r_span, r_start_ns, r_end_ns, r_turn, r_verdict";

impl HandoffRow {
    pub(super) fn new(key: i64, id: HandoffKey) -> Self {
        Self {
            key,
            id,
            workflow: None,
            parent: None,
            from: None,
            to: None,
            kind: 0,
            mismatches: 0,
            rung: 0,
            size: None,
            age_ms: None,
            quality: None,
            sender: None,
            receiver: None,
            stored: None,
        }
    }

    /// The row of this id, if it is in the file.
    fn load(connection: &Connection, id: &HandoffKey) -> rusqlite::Result<Option<Self>> {
        let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM handoffs WHERE id = ?1"))?;
        select.query_row([id], Self::read).optional()
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let id = HandoffKey::of(row.get_ref(1)?).unwrap_or(HandoffKey::Text(String::new()));
        let half = |at: usize| -> rusqlite::Result<Option<Half>> {
            let Some(span) = row.get(at)? else { return Ok(None) };
            Ok(Some(Half {
                span,
                start_ns: row.get(at + 1)?,
                end_ns: row.get(at + 2)?,
                turn: row.get(at + 3)?,
                verdict: VerdictWord::from_number(row.get(at + 4)?),
            }))
        };
        let mut this = Self {
            key: row.get(0)?,
            id,
            workflow: row.get(2)?,
            parent: HandoffKey::of(row.get_ref(3)?).map(Said::before),
            from: row.get::<_, Option<_>>(4)?.map(Said::before),
            to: row.get::<_, Option<_>>(5)?.map(Said::before),
            kind: row.get(6)?,
            mismatches: row.get(7)?,
            rung: row.get(8)?,
            size: row.get(9)?,
            age_ms: row.get(10)?,
            quality: row.get(11)?,
            sender: half(12)?,
            receiver: half(17)?,
            stored: None,
        };
        this.stored = Some(Stored {
            mismatches: this.mismatches,
            workflow: this.workflow,
            mismatched: this.verdict() == VerdictWord::Mismatched,
        });
        Ok(this)
    }

    /// Takes in what one span says, which is under this key.
    pub(super) fn absorb(&mut self, row: &SpanRow, side: &Side, span: i64, workflow: Option<i64>) {
        let said = Half { span, start_ns: row.start_ns, end_ns: row.end_ns, turn: side.turn, verdict: side.verdict };
        let half = if side.is_sender { &mut self.sender } else { &mut self.receiver };
        *half = Half::joined(*half, Some(said));
        self.workflow = self.workflow.or(workflow);
        take(&mut self.parent, || side.parent.as_ref(), side.is_sender);
        take(&mut self.from, || row.from(), side.is_sender);
        take(&mut self.to, || row.to(), side.is_sender);
        self.kind = self.kind.max(side.kind);
        self.mismatches |= side.mismatches;
        self.rung = self.rung.max(side.rung);
        self.size = self.size.max(side.size);
        self.age_ms = pick(self.age_ms, side.age_ms, f64::max);
        self.quality = pick(self.quality, side.quality, f64::min);
    }

    /// Takes in what was in the file before, and takes its place.
    fn join(&mut self, before: Self) {
        self.key = before.key;
        self.stored = before.stored;
        self.sender = Half::joined(before.sender, self.sender);
        self.receiver = Half::joined(before.receiver, self.receiver);
        self.workflow = before.workflow.or(self.workflow);
        earlier(&mut self.parent, before.parent);
        earlier(&mut self.from, before.from);
        earlier(&mut self.to, before.to);
        self.kind = self.kind.max(before.kind);
        self.mismatches |= before.mismatches;
        self.rung = self.rung.max(before.rung);
        self.size = self.size.max(before.size);
        self.age_ms = pick(before.age_ms, self.age_ms, f64::max);
        self.quality = pick(before.quality, self.quality, f64::min);
    }

    /// The sender's last word, unless it is the receiver who found something, or the only one who said anything.
    pub(super) fn verdict(&self) -> VerdictWord {
        let word = |half: Option<Half>| half.map(|half| half.verdict);
        match (word(self.sender), word(self.receiver)) {
            (_, Some(VerdictWord::Mismatched)) => VerdictWord::Mismatched,
            (Some(VerdictWord::Pending) | None, Some(said)) => said,
            (Some(said), _) => said,
            (None, None) => VerdictWord::Pending,
        }
    }

    fn write(&self, connection: &Connection, sql: &str) -> rusqlite::Result<usize> {
        let (start_ns, duration_ns) = self.times();
        let part = |half: Option<Half>| {
            (
                half.map(|half| half.span),
                half.map(|half| half.start_ns),
                half.map(|half| half.end_ns),
                half.map(|half| half.turn),
                half.map(|half| half.verdict as i64),
            )
        };
        let (s, r) = (part(self.sender), part(self.receiver));
        let turns = |half: Option<Half>| half.map_or(0, |half| half.turn);
        connection.prepare_cached(sql)?.execute(params![
            self.key,
            self.id,
            self.workflow,
            self.parent.as_ref().map(|said| &said.what),
            self.from.as_ref().map(|said| &said.what),
            self.to.as_ref().map(|said| &said.what),
            self.kind,
            self.verdict() as i64,
            self.mismatches,
            self.rung,
            start_ns,
            duration_ns,
            turns(self.sender),
            turns(self.receiver),
            self.size,
            self.age_ms,
            self.quality,
            s.0,
            s.1,
            s.2,
            s.3,
            s.4,
            r.0,
            r.1,
            r.2,
            r.3,
            r.4
        ])
    }

    fn times(&self) -> (i64, i64) {
        let half = self.sender.or(self.receiver);
        half.map_or((0, 0), |half| (half.start_ns, half.end_ns.saturating_sub(half.start_ns).max(0)))
    }

    /// Writes the row, and says how that changed its workflow's numbers. One that turns out to be in the file already is
    /// joined with it.
    pub(super) fn store(&mut self, connection: &Connection) -> rusqlite::Result<Change> {
        if self.write(connection, INSERT)? == 0
            && let Some(before) = Self::load(connection, &self.id)?
        {
            self.join(before);
            self.write(connection, UPDATE)?;
        }
        let verdict = self.verdict();
        let before = self.stored.map_or(0, |stored| stored.mismatches);
        let mut fresh = self.mismatches & !before;
        while fresh != 0 {
            let kind = fresh.trailing_zeros();
            fresh &= fresh - 1;
            connection
                .prepare_cached("INSERT OR IGNORE INTO findings (kind, handoff) VALUES (?1, ?2)")?
                .execute(params![kind, self.key])?;
        }
        let now = Stored {
            mismatches: self.mismatches,
            workflow: self.workflow,
            mismatched: verdict == VerdictWord::Mismatched,
        };
        let change = Change::between(self.stored, now);
        self.stored = Some(now);
        Ok(change)
    }
}

impl Half {
    /// Both together: the last one by its turn, and from when to when both go.
    fn joined(old: Option<Self>, new: Option<Self>) -> Option<Self> {
        let (Some(old), Some(new)) = (old, new) else { return old.or(new) };
        let last = if (new.turn, new.end_ns, new.span) >= (old.turn, old.end_ns, old.span) { new } else { old };
        Some(Self { start_ns: new.start_ns.min(old.start_ns), end_ns: new.end_ns.max(old.end_ns), ..last })
    }
}

impl<T> Said<T> {
    /// What is in the file: a sender that speaks now has the last word.
    const fn before(what: T) -> Self {
        Self { what, by_sender: false }
    }
}

impl Change {
    /// A handoff is counted when its workflow is known.
    fn between(before: Option<Stored>, now: Stored) -> Self {
        let count = |stored: Stored| match stored.workflow {
            Some(_) => (1, i64::from(stored.mismatched)),
            None => (0, 0),
        };
        let (old, new) = (before.map_or((0, 0), count), count(now));
        Self { handoffs: new.0 - old.0, mismatched: new.1 - old.1 }
    }
}

const INSERT: &str = "INSERT INTO handoffs (key, id, workflow, parent, from_agent, to_agent, kind, verdict, mismatches, \
     rung, start_ns, duration_ns, attempts, deliveries, size, age_ms, quality, s_span, s_start_ns, s_end_ns, s_turn, \
     s_verdict, r_span, r_start_ns, r_end_ns, r_turn, r_verdict) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
     ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27) \
     ON CONFLICT (id) DO NOTHING";

const UPDATE: &str = "UPDATE handoffs SET id = ?2, workflow = ?3, parent = ?4, from_agent = ?5, to_agent = ?6, kind = ?7, \
     verdict = ?8, mismatches = ?9, rung = ?10, start_ns = ?11, duration_ns = ?12, attempts = ?13, deliveries = ?14, \
     size = ?15, age_ms = ?16, quality = ?17, s_span = ?18, s_start_ns = ?19, s_end_ns = ?20, s_turn = ?21, \
     s_verdict = ?22, r_span = ?23, r_start_ns = ?24, r_end_ns = ?25, r_turn = ?26, r_verdict = ?27 WHERE key = ?1";

fn take<'r, T, S>(kept: &mut Option<Said<T>>, said: impl FnOnce() -> Option<&'r S>, by_sender: bool)
where
    S: ?Sized + ToOwned<Owned = T> + 'r,
{
    if kept.as_ref().is_none_or(|kept| by_sender && !kept.by_sender)
        && let Some(said) = said()
    {
        *kept = Some(Said { what: said.to_owned(), by_sender });
    }
}

/// Of what was said before and what is said now.
fn earlier<T>(now: &mut Option<Said<T>>, before: Option<Said<T>>) {
    if before.is_some() && now.as_ref().is_none_or(|now| !now.by_sender) {
        *now = before;
    }
}

fn pick(left: Option<f64>, right: Option<f64>, choose: fn(f64, f64) -> f64) -> Option<f64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(choose(left, right)),
        (left, right) => left.or(right),
    }
}
