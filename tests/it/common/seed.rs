//! Chooses which of many tries a test makes.

/// `SLIDEGRID_TEST_SEED`, which `scripts/test` sets and prints, or a fixed seed.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("SLIDEGRID_TEST_SEED").ok();
    given.map_or(2_023, |seed| seed.parse().expect("SLIDEGRID_TEST_SEED: a whole number"))
}

/// Numbers drawn from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Seeds that differ by little begin differently.
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// `count` of `items`, or all.
    pub(crate) fn sample<T>(&mut self, mut items: Vec<T>, count: usize) -> Vec<T> {
        let mut drawn = Vec::new();
        while !items.is_empty() && drawn.len() < count {
            let at = self.below(items.len() as u64);
            drawn.push(items.swap_remove(usize::try_from(at).unwrap()));
        }
        drawn
    }
}
