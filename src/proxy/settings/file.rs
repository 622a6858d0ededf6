use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, Shape};
use super::{Origin, Setting, SettingsError};

/// Reads a file's settings, each with its line.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<(&'static Key, Setting)>, SettingsError> {
    let origin = |offset: usize| {
        let before = &text.as_bytes()[..offset.min(text.len())];
        Origin::File(path.to_owned(), 1 + before.iter().filter(|byte| **byte == b'\n').count())
    };
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        SettingsError::syntax(&origin(offset), error.message())
    })?;
    let mut found = Vec::new();
    for (name, value) in table.get_ref() {
        let origin = origin(name.span().start);
        let key = Key::named(name.get_ref()).ok_or_else(|| SettingsError::unknown_key(&origin, name.get_ref()))?;
        let values = values(key, value).map_err(|why| {
            SettingsError::value(key.name, &Setting { values: Vec::new(), origin: origin.clone() }, why)
        })?;
        found.push((key, Setting { values, origin }));
    }
    Ok(found)
}

fn values(key: &Key, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, &'static str> {
    match value.get_ref() {
        DeValue::Array(items) if key.shape == Shape::List => items.iter().map(|item| text(item.get_ref())).collect(),
        DeValue::Array(_) => Err("takes one value, not a list"),
        one => text(one).map(|text| vec![text]),
    }
}

fn text(value: &DeValue<'_>) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.as_str().replace('_', "")),
        DeValue::Boolean(yes) => Ok(yes.to_string()),
        _ => Err("takes a text, a number, true or false"),
    }
}
