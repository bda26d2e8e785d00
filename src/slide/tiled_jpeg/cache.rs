//! Decoded tiles, the most recently used ones.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Level and row-major index of a tile.
pub(super) type Key = (usize, usize);

/// u8 [row, col, rgb] of a whole tile.
pub(super) type Pixels = Arc<Vec<u8>>;

/// Tiles shared by all threads, at most a number of bytes of them.
pub(super) struct Cache {
    limit_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: usize,
    /// Counts the uses; a tile's number is when it was used last.
    now: u64,
    tiles: HashMap<Key, (u64, Pixels)>,
    by_use: BTreeMap<u64, Key>,
}

impl Cache {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, state: Mutex::default() }
    }

    // Nothing in here panics half-way.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: Key) -> Option<Pixels> {
        let mut guard = self.state();
        let state = &mut *guard;
        let (used, pixels) = state.tiles.get_mut(&key)?;
        state.now += 1;
        state.by_use.remove(used);
        state.by_use.insert(state.now, key);
        *used = state.now;
        Some(Arc::clone(pixels))
    }

    /// Keeps a tile and lets go of the ones not used for longest.
    pub(super) fn put(&self, key: Key, pixels: Pixels) {
        let mut dropped = Vec::new();
        let mut guard = self.state();
        let state = &mut *guard;
        state.now += 1;
        state.bytes += pixels.len();
        // Another thread may have decoded the same tile meanwhile.
        if let Some((used, old)) = state.tiles.insert(key, (state.now, pixels)) {
            state.by_use.remove(&used);
            state.bytes -= old.len();
            dropped.push(old);
        }
        state.by_use.insert(state.now, key);
        while state.bytes > self.limit_bytes {
            let Some((_, oldest)) = state.by_use.pop_first() else { break };
            if let Some((_, old)) = state.tiles.remove(&oldest) {
                state.bytes -= old.len();
                dropped.push(old);
            }
        }
        // The memory is given back after the lock.
        drop(guard);
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tile_not_used_for_longest_goes_first() {
        let cache = Cache::new(30);
        let tile = |value: u8| Arc::new(vec![value; 10]);
        for index in 0..3 {
            cache.put((0, index), tile(1));
        }
        assert!(cache.get((0, 0)).is_some());
        cache.put((1, 0), tile(2));
        let kept = [(0, 0), (0, 1), (0, 2), (1, 0)].map(|key| cache.get(key).is_some());
        assert_eq!(kept, [true, false, true, true]);
    }

    #[test]
    fn a_tile_put_twice_counts_once_and_too_large_a_tile_is_not_kept() {
        let cache = Cache::new(30);
        for _ in 0..9 {
            cache.put((0, 0), Arc::new(vec![0; 10]));
        }
        cache.put((0, 1), Arc::new(vec![0; 20]));
        assert!(cache.get((0, 0)).is_some() && cache.get((0, 1)).is_some());
        cache.put((0, 2), Arc::new(vec![0; 31]));
        assert!(cache.get((0, 2)).is_none());
        assert_eq!(cache.state().bytes, 0);
    }
}
