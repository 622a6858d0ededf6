use maud::{Markup, html};

use super::tree::{Bar, View, Waterfall};
use crate::model::{AttributeValue, Span, SpanStatus, names};
use crate::server::pages::{link, words};

/// Ticks of the axis.
const PARTS: i64 = 6;

/// Deeper spans stand no further to the right than this.
const DEEPEST: usize = 12;

/// The bars; `to` gives the address of another view.
pub(in crate::server::pages) fn draw(waterfall: &Waterfall<'_>, view: &View, to: impl Fn(&View) -> String) -> Markup {
    let on = |span: &Span| to(&View { span: span.span_id.to_string(), ..View::default() });
    html! {
        div.crumbs {
            @if waterfall.focus.is_some() || view.time.is_some() { a href=(to(&View::default())) { "All " (words::count(waterfall.count, "span")) } }
            @for span in &waterfall.above { span aria-hidden="true" { "›" } a href=(on(span)) { (span.name) } }
            @if let Some(focus) = waterfall.focus { span aria-hidden="true" { "›" } strong { (focus.name) } }
            @if view.time.is_some() && waterfall.focus.is_some() { a href=(to(&View { time: None, ..view.clone() })) { "whole time" } }
        }
        @if let Some(focus) = waterfall.focus { (attributes(focus)) }
        div.waterfall data-scroll tabindex="0" role="region" aria-label="Spans over time" {
            (axis(waterfall, view, &to))
            @if waterfall.before > 0 { a.more href=(to(&View { after: waterfall.before.saturating_sub(150), ..view.clone() })) { (words::grouped(waterfall.before)) " earlier" } }
            @for bar in &waterfall.bars { (row(bar, waterfall, &on)) }
            @if waterfall.more > 0 { a.more href=(to(&View { after: waterfall.before + waterfall.shown_at_top(), ..view.clone() })) { (words::grouped(waterfall.more)) " later" } }
            @if waterfall.bars.is_empty() { p.faint { "No span is in this part of the time." } }
        }
    }
}

impl Waterfall<'_> {
    /// How many spans are shown of the list that goes over several pages.
    fn shown_at_top(&self) -> usize {
        match (self.focus, self.bars.first()) {
            (Some(_), Some(bar)) => bar.children.len(),
            _ => self.bars.len(),
        }
    }
}

/// The time above the bars. Each part of it leads into itself.
fn axis(waterfall: &Waterfall<'_>, view: &View, to: &impl Fn(&View) -> String) -> Markup {
    let width = (waterfall.to - waterfall.from) / PARTS;
    html! {
        div.span.axis {
            span.name { "Span" }
            nav.ticks aria-label="Parts of the time" {
                @for part in 0..PARTS {
                    @let from = waterfall.from + part * width;
                    @let offset = words::duration((from - waterfall.begin) as f64 / 1e6);
                    @if width > 10_000 {
                        @let time = ((from - waterfall.begin) / 1_000, (from + width - waterfall.begin) / 1_000);
                        a href=(to(&View { time: Some(time), after: 0, ..view.clone() })) title={ "Zoom in from " (offset) " for " (words::duration(width as f64 / 1e6)) } { (offset) }
                    } @else { span { (offset) } }
                }
            }
            span.took { "Took" }
        }
    }
}

fn row(bar: &Bar<'_>, waterfall: &Waterfall<'_>, on: &impl Fn(&Span) -> String) -> Markup {
    html! {
        @if bar.children.is_empty() {
            div.span { (cells(bar, waterfall, on)) }
        } @else {
            details open {
                summary.span { (cells(bar, waterfall, on)) }
                @for child in &bar.children { (row(child, waterfall, on)) }
            }
        }
    }
}

fn cells(bar: &Bar<'_>, waterfall: &Waterfall<'_>, on: &impl Fn(&Span) -> String) -> Markup {
    let span = bar.span;
    let whole = (waterfall.to - waterfall.from) as f64;
    let share = |time: i64| ((time - waterfall.from) as f64 / whole * 100.0).clamp(0.0, 100.0);
    let (start, end) = (share(bar.start), share(bar.end));
    let took = words::duration((bar.end - bar.start) as f64 / 1e6);
    let kind = kind(span);
    html! {
        span.name.{ "d" (bar.depth.min(DEEPEST)) } {
            a href=(on(span)) title=(span.name) { (span.name) }
            @if let Some(id) = span.attributes.text(names::HANDOFF_ID) { " " a.quiet href=(link::handoff(id)) aria-label="the handoff" title="Open the handoff" { "⇄" } }
            @if bar.hidden > 0 { " " a.fewer href=(on(span)) title="Show what is below it" { "+" (words::grouped(bar.hidden)) } }
        }
        svg.bar width="100%" height="20" role="img" aria-label={ (took) @if bar.is_critical { ", on the critical path" } } {
            @if bar.end >= waterfall.from && bar.start <= waterfall.to {
                rect.{ (kind) @if bar.is_critical { " critical" } @if span.status.is_error() { " failed" } }
                    x={ (format!("{start:.3}")) "%" } width={ (format!("{:.3}", (end - start).max(0.15))) "%" } y="4" height="12" rx="2" {
                    title { (span.name) ", " (took) @if bar.is_critical { ", on the critical path" } }
                }
            }
        }
        span.took {
            @if span.status.is_error() { span.bad title="error" { "✕ " } }
            @if bar.shift != 0 { span title={ "Its clock was set right by " (words::duration(bar.shift as f64 / 1e6)) } { "≈ " } }
            (took)
        }
    }
}

fn kind(span: &Span) -> &'static str {
    let attributes = &span.attributes;
    if attributes.get(names::HANDOFF_ID).is_some() {
        "of-handoff"
    } else if attributes.get(names::DECISION_TYPE).is_some() {
        "of-decision"
    } else if span.scope.name == names::SCOPE {
        "of-wilco"
    } else {
        "of-others"
    }
}

/// All that is known of one span.
pub(in crate::server::pages) fn attributes(span: &Span) -> Markup {
    html! {
        details.raw {
            summary { "Attributes of " (span.name) " (" (span.attributes.len()) ")" }
            table.facts {
                tbody {
                    tr { th scope="row" { "span" } td { (span.span_id.to_string()) } }
                    tr { th scope="row" { "trace" } td { (span.trace_id.to_string()) } }
                    @if let Some(service) = span.service() { tr { th scope="row" { "service" } td { (service) } } }
                    tr { th scope="row" { "kind" } td { (span.kind.as_str()) } }
                    @if let SpanStatus::Error(why) = &span.status { tr { th scope="row" { "error" } td.bad { (why) } } }
                    @for (name, value) in span.attributes.iter() { tr { th scope="row" { (name) } td { (shown(value)) } } }
                }
            }
            @if !span.events.is_empty() {
                table.facts {
                    tbody {
                        @for event in &span.events {
                            tr { th scope="row" { (event.name) } td { (words::moment(event.at)) @for (name, value) in event.attributes.iter() { " " span.faint { (name) "=" } (shown(value)) } } }
                        }
                    }
                }
            }
        }
    }
}

/// A value as text.
fn shown(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Empty => String::new(),
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Bool(value) => value.to_string(),
        AttributeValue::Int(value) => value.to_string(),
        AttributeValue::Double(value) => value.to_string(),
        AttributeValue::List(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        AttributeValue::Map(values) => {
            values.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect::<Vec<_>>().join(", ")
        }
        AttributeValue::Bytes(bytes) => format!("{} bytes", bytes.len()),
    }
}
