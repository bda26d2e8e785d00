//! Lists of task numbers as people and job scripts write them: `3-10,17`.

use std::str::FromStr;

use super::status::ranges;

/// Sorted numbers from 1, without repetition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers(Vec<usize>);

impl Numbers {
    /// Sorts, and drops repetitions.
    pub fn new(mut numbers: Vec<usize>) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        Self(numbers)
    }

    /// The numbers, ascending.
    pub fn as_slice(&self) -> &[usize] {
        &self.0
    }

    /// Part `part.index` of `part.of` of them: consecutive, of sizes that
    /// differ by one at most, together all of them.
    pub fn part(&self, part: Part) -> &[usize] {
        let cut = |index: usize| self.0.len() * index / part.of;
        &self.0[cut(part.index - 1)..cut(part.index)]
    }
}

/// More than any run has, so that a typing error cannot fill the memory.
const MOST: usize = 10_000_000;

impl FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a list of numbers from 1, such as 3-10,17");
        let mut numbers = Vec::new();
        for item in text.split(',') {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let first: usize = first.trim().parse().map_err(|_| wrong())?;
            let last: usize = last.trim().parse().map_err(|_| wrong())?;
            if first == 0 || last < first || last > MOST || numbers.len() > MOST {
                return Err(wrong());
            }
            numbers.extend(first..=last);
        }
        Ok(Self::new(numbers))
    }
}

impl std::fmt::Display for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&ranges(&self.0))
    }
}

/// `3/10`: the third of ten parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which, from 1.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, of)| {
            Some(Self { index: index.trim().parse().ok()?, of: of.trim().parse().ok()? })
        });
        parsed.filter(|part| (1..=part.of).contains(&part.index)).ok_or_else(|| {
            format!("{text:?} is not a part such as 3/10, the third of ten; is this an array task?")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let numbers: Numbers = "3-5,17,4,1".parse().unwrap();
        assert_eq!(numbers.as_slice(), [1, 3, 4, 5, 17]);
        assert_eq!(numbers.to_string(), "1,3-5,17");
        for wrong in ["", "0", "5-3", "1,,2", "a", "1-99999999999"] {
            assert!(wrong.parse::<Numbers>().is_err(), "{wrong}");
        }
        assert_eq!("3/10".parse(), Ok(Part { index: 3, of: 10 }));
        for wrong in ["0/3", "4/3", "3", "undefined/3", "/"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_all_of_it_in_order_and_even(count in 0usize..200, of in 1usize..60) {
            let numbers = Numbers::new((1..=count).collect());
            let parts: Vec<&[usize]> = (1..=of).map(|index| numbers.part(Part { index, of })).collect();
            prop_assert_eq!(parts.concat(), numbers.as_slice());
            let sizes = || parts.iter().map(|part| part.len());
            prop_assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
        }

        #[test]
        fn lists_survive_writing(numbers in prop::collection::vec(1usize..300, 1..50)) {
            let numbers = Numbers::new(numbers);
            prop_assert_eq!(numbers.to_string().parse::<Numbers>(), Ok(numbers));
        }
    }
}
