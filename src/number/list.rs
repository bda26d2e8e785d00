//! Lists of numbers as people and job scripts write them: `3-10,17`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::typed::{Number, TaskNumber};

/// A list of numbers, ascending and without duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberList<N>(Vec<N>);

/// A text that is not a list of numbers, or not the share of a task.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ListError {
    /// The text is not a list.
    #[error("{0:?} is not a list of numbers from 1, such as 3-10,17")]
    List(String),
    /// The text is not a share.
    #[error("{0:?} is not a part such as 3/10, the third of ten; is this an array task?")]
    Share(String),
}

impl<N> Default for NumberList<N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<N: Number> FromIterator<N> for NumberList<N> {
    fn from_iter<I: IntoIterator<Item = N>>(numbers: I) -> Self {
        let mut numbers: Vec<N> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        Self(numbers)
    }
}

impl<N: Number> NumberList<N> {
    /// The numbers, ascending.
    pub fn as_slice(&self) -> &[N] {
        &self.0
    }

    /// The length of the list.
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).expect("there are fewer different numbers than 2^32")
    }

    /// The numbers that one task of an array works on. The shares of all tasks are
    /// consecutive and make up the whole list; their lengths differ by at most 1.
    pub fn share(&self, share: ArrayShare) -> &[N] {
        let cut = |tasks: u32| self.0.len() * tasks as usize / share.tasks as usize;
        &self.0[cut(share.index.get() - 1)..cut(share.index.get())]
    }
}

/// The largest number, and the greatest length, of a list. Both exceed those of any run, and
/// keep a typing error from filling the memory.
const MOST: u64 = 10_000_000;

impl<N: Number> FromStr for NumberList<N> {
    type Err = ListError;

    fn from_str(text: &str) -> Result<Self, ListError> {
        let invalid = || ListError::List(text.to_owned());
        let mut numbers = Vec::new();
        for item in text.split(',') {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let first: u64 = first.trim().parse().map_err(|_| invalid())?;
            let last: u64 = last.trim().parse().map_err(|_| invalid())?;
            if last < first || last > MOST || numbers.len() as u64 > MOST {
                return Err(invalid());
            }
            for number in first..=last {
                numbers.push(N::try_from(number).map_err(|_| invalid())?);
            }
        }
        Ok(numbers.into_iter().collect())
    }
}

impl<N: Number> fmt::Display for NumberList<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ranges(&self.0))
    }
}

/// Ascending numbers as compressed ranges: `1-3,7`.
pub(crate) fn ranges<N: Number>(numbers: &[N]) -> String {
    numbers
        .chunk_by(|a, b| a.get() + 1 == b.get())
        .map(|run| match run {
            [one] => one.to_string(),
            [first, .., last] => format!("{first}-{last}"),
            [] => String::new(),
        })
        .collect::<Vec<_>>()
        .join(",")
}

/// The share of one task of an array; `3/10` is that of the third of ten tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrayShare {
    /// Index of the task, at most `tasks`.
    index: TaskNumber,
    /// Number of tasks in the array.
    tasks: u32,
}

impl ArrayShare {
    /// The share of the task with this index; `None` when the array has no such task.
    pub fn new(index: TaskNumber, tasks: u32) -> Option<Self> {
        (index.get() <= tasks).then_some(Self { index, tasks })
    }

    /// The shares of all tasks of an array, in order.
    pub fn all(tasks: u32) -> impl Iterator<Item = Self> {
        TaskNumber::up_to(tasks).map(move |index| Self { index, tasks })
    }

    /// Index of the task.
    pub fn index(self) -> TaskNumber {
        self.index
    }
}

impl FromStr for ArrayShare {
    type Err = ListError;

    fn from_str(text: &str) -> Result<Self, ListError> {
        let parsed = text.split_once('/').and_then(|(index, tasks)| {
            Self::new(index.trim().parse().ok()?, tasks.trim().parse().ok()?)
        });
        parsed.ok_or_else(|| ListError::Share(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::GroupNumber;
    use super::*;
    use proptest::prelude::*;

    fn plain(numbers: &[GroupNumber]) -> Vec<u32> {
        numbers.iter().map(|number| number.get()).collect()
    }

    fn list(numbers: impl IntoIterator<Item = u32>) -> NumberList<GroupNumber> {
        numbers.into_iter().map(|number| GroupNumber::try_from(number).unwrap()).collect()
    }

    #[test]
    fn lists_and_shares_are_parsed_and_invalid_texts_refused() {
        let numbers: NumberList<GroupNumber> = "3-5,17,4,1".parse().unwrap();
        assert_eq!(plain(numbers.as_slice()), [1, 3, 4, 5, 17]);
        assert_eq!(numbers.to_string(), "1,3-5,17");
        assert_eq!(list([1, 2, 3, 7, 9, 10]).to_string(), "1-3,7,9-10");
        assert_eq!(ranges::<GroupNumber>(&[]), "");
        for text in ["", "0", "5-3", "1,,2", "a", "1-99999999999"] {
            assert!(text.parse::<NumberList<GroupNumber>>().is_err(), "{text}");
        }
        let third = TaskNumber::try_from(3u32).unwrap();
        assert_eq!("3/10".parse(), Ok(ArrayShare::new(third, 10).unwrap()));
        for text in ["0/3", "4/3", "3", "undefined/3", "/"] {
            assert!(text.parse::<ArrayShare>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn shares_make_up_the_list_in_order_and_are_even(count in 0u32..200, tasks in 1u32..60) {
            let numbers = list(1..=count);
            let shares: Vec<_> = ArrayShare::all(tasks).map(|share| numbers.share(share)).collect();
            prop_assert_eq!(shares.len(), tasks as usize);
            prop_assert_eq!(shares.concat(), numbers.as_slice());
            let sizes = || shares.iter().map(|share| share.len());
            prop_assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
        }

        #[test]
        fn a_written_list_is_parsed_to_the_same_list(numbers in prop::collection::vec(1u32..300, 1..50)) {
            let numbers = list(numbers);
            prop_assert_eq!(numbers.to_string().parse(), Ok(numbers));
        }
    }
}
