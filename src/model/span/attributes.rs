use super::AttributeValue;

/// Named values, in the order of their names. A name that comes twice keeps its last value.
///
/// Built at once and read often, so it is a sorted list: a lookup costs a binary search, and collecting *n* values
/// costs *n* log *n*.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(Vec<(String, AttributeValue)>);

impl Attributes {
    /// No attributes.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok().map(|at| &self.0[at].1)
    }

    /// The value under a name, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(AttributeValue::as_text)
    }

    /// The value under a name, if it is a whole number.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(AttributeValue::as_int)
    }

    /// The value under a name, if it is a finite number, whole or not.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(AttributeValue::as_number)
    }

    /// The value under a name, if it is true or false.
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(AttributeValue::as_bool)
    }

    /// The texts in the list under a name; what is no text is left out, and no list is an empty one.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).and_then(AttributeValue::as_list).unwrap_or_default().iter().filter_map(AttributeValue::as_text)
    }

    /// Puts a value under a name, in place of the one that is there.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<AttributeValue>) {
        let (name, value) = (name.into(), value.into());
        match self.0.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Attributes {
    type Item = (String, AttributeValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, AttributeValue)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (String, AttributeValue)>>(values: I) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        // Stable, so that of one name the last value comes last; turned round, that is the first one, which is kept.
        values.sort_by(|(left, _), (right, _)| left.cmp(right));
        values.reverse();
        values.dedup_by(|(left, _), (right, _)| left == right);
        values.reverse();
        Self(values)
    }
}

impl<'a> FromIterator<(&'a str, AttributeValue)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (&'a str, AttributeValue)>>(values: I) -> Self {
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_twice_keeps_its_last_value_and_names_are_in_order() {
        let all: Attributes =
            [("b", 1_i64), ("a", 2), ("b", 3)].map(|(name, value)| (name, value.into())).into_iter().collect();
        let names: Vec<_> = all.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!((all.int("b"), all.int("c")), (Some(3), None));
    }

    #[test]
    fn an_inserted_value_replaces_the_one_that_is_there() {
        let mut all = Attributes::new();
        all.insert("z", "old");
        all.insert("a", true);
        all.insert("z", "new");
        assert_eq!((all.len(), all.text("z"), all.bool("a")), (2, Some("new"), Some(true)));
    }
}
