//! A cache of the most recently used decoded tiles, shared by all threads.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Level and index of a tile; tiles are counted row by row.
pub(super) type TileKey = (usize, usize);

/// The pixels of a whole tile, u8 [row, col, rgb].
pub(super) type CachedTile = Arc<Vec<u8>>;

/// The cache, which holds at most `limit_bytes` of pixels.
pub(super) struct Cache {
    limit_bytes: usize,
    state: Mutex<CacheState>,
}

#[derive(Default)]
struct CacheState {
    bytes: usize,
    /// Number of uses so far. It serves as a clock.
    now: u64,
    /// The tiles, each with the time of its last use.
    tiles: HashMap<TileKey, (u64, CachedTile)>,
    /// The tiles by the time of their last use.
    by_use: BTreeMap<u64, TileKey>,
}

impl Cache {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, state: Mutex::default() }
    }

    // A poisoned lock is used on: no method panics halfway through a change.
    fn state(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: TileKey) -> Option<CachedTile> {
        let mut guard = self.state();
        let state = &mut *guard;
        let (used, pixels) = state.tiles.get_mut(&key)?;
        state.now += 1;
        state.by_use.remove(used);
        state.by_use.insert(state.now, key);
        *used = state.now;
        Some(Arc::clone(pixels))
    }

    /// Adds a tile, and drops the least recently used ones while the cache is too large.
    pub(super) fn put(&self, key: TileKey, pixels: CachedTile) {
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
        // The memory is freed after the lock is released.
        drop(guard);
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_tile_is_dropped_first() {
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
    fn a_tile_added_twice_counts_once_and_a_tile_above_the_limit_is_not_kept() {
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
