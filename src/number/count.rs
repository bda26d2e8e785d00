//! Counts with their nouns, for messages.

use std::fmt;

/// A count with its noun: `1 slide`, `2 slides`.
pub(crate) fn counted<N>(count: N, one: &str, many: &str) -> String
where
    N: fmt::Display + PartialEq + From<u8>,
{
    let noun = if count == N::from(1) { one } else { many };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        let found = [0_u32, 1, 2].map(|count| counted(count, "patch", "patches"));
        assert_eq!(found, ["0 patches", "1 patch", "2 patches"]);
    }
}
