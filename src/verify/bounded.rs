use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A map of at most `capacity` entries. When it is full, the oldest entry that was not looked at since its last turn
/// makes room ("second chance"), which is near enough to least recently used and costs one bit an entry.
#[derive(Clone, Debug)]
pub(super) struct BoundedMap<K, V> {
    entries: HashMap<K, Entry<V>>,
    turns: VecDeque<K>,
    capacity: usize,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    value: V,
    touched: bool,
}

impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    /// An empty map; a capacity of zero is taken as one.
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), turns: VecDeque::new(), capacity: capacity.max(1) }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Reads an entry without keeping it alive.
    pub(super) fn peek<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Finds an entry, and keeps it for one more turn.
    pub(super) fn touch<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get_mut(key).map(|entry| {
            entry.touched = true;
            &mut entry.value
        })
    }

    /// Adds or replaces an entry; another one may go.
    pub(super) fn insert(&mut self, key: K, value: V) {
        if let Some(old) = self.touch(&key) {
            *old = value;
            return;
        }
        if self.entries.len() >= self.capacity {
            self.make_room();
        }
        self.turns.push_back(key.clone());
        self.entries.insert(key, Entry { value, touched: false });
    }

    fn make_room(&mut self) {
        // Each turn clears one mark, so this ends after one round at the latest.
        while let Some(key) = self.turns.pop_front() {
            match self.entries.get_mut(&key) {
                Some(entry) if entry.touched => {
                    entry.touched = false;
                    self.turns.push_back(key);
                }
                _ => {
                    self.entries.remove(&key);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_map_lets_go_of_what_nobody_looked_at() {
        let mut map = BoundedMap::new(3);
        for key in 1..=3 {
            map.insert(key, key * 10);
        }
        map.touch(&1);
        map.insert(4, 40);
        assert_eq!(map.len(), 3);
        assert_eq!(map.peek(&1), Some(&10));
        assert_eq!(map.peek(&2), None);
        assert_eq!(map.peek(&4), Some(&40));
    }

    #[test]
    fn a_map_where_everything_was_touched_still_makes_room() {
        let mut map = BoundedMap::new(2);
        map.insert("a", 1);
        map.insert("b", 2);
        map.touch("a");
        map.touch("b");
        map.insert("c", 3);
        assert_eq!((map.len(), map.peek("a"), map.peek("c")), (2, None, Some(&3)));
    }
}
