//! The types for the number of a group and the number of a task.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A number that no group or task can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} number {found} is out of range, expected a whole number from 1 to {}", u32::MAX)]
pub struct NumberError {
    /// `group` or `task`.
    what: &'static str,
    /// The number or text that was given.
    found: String,
}

/// A number that a [`super::NumberList`] can hold.
pub trait Number: Copy + Ord + fmt::Display + TryFrom<u64, Error = NumberError> {
    /// The number itself, from 1.
    fn get(self) -> u32;
}

/// Defines a number that counts from 1.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(NonZero<u32>);

        impl $name {
            /// The first number, which is 1.
            pub const FIRST: Self = Self(NonZero::<u32>::MIN);

            /// The numbers 1 to `count`, ascending.
            pub fn up_to(count: u32) -> impl DoubleEndedIterator<Item = Self> + Clone {
                (1..=count).filter_map(NonZero::new).map(Self)
            }

            /// The number itself, from 1.
            pub fn get(self) -> u32 {
                self.0.get()
            }

            /// The index in a list of all groups or tasks, from 0.
            pub fn index(self) -> usize {
                self.0.get() as usize - 1
            }
        }

        impl Number for $name {
            fn get(self) -> u32 {
                self.0.get()
            }
        }

        impl TryFrom<u64> for $name {
            type Error = NumberError;

            fn try_from(number: u64) -> Result<Self, NumberError> {
                let checked = u32::try_from(number).ok().and_then(NonZero::new);
                let invalid = || NumberError { what: $what, found: number.to_string() };
                checked.map(Self).ok_or_else(invalid)
            }
        }

        impl TryFrom<usize> for $name {
            type Error = NumberError;

            fn try_from(number: usize) -> Result<Self, NumberError> {
                Self::try_from(number as u64)
            }
        }

        impl TryFrom<u32> for $name {
            type Error = NumberError;

            fn try_from(number: u32) -> Result<Self, NumberError> {
                Self::try_from(u64::from(number))
            }
        }

        impl TryFrom<i64> for $name {
            type Error = NumberError;

            fn try_from(number: i64) -> Result<Self, NumberError> {
                let checked = u64::try_from(number).ok().and_then(|n| Self::try_from(n).ok());
                checked.ok_or_else(|| NumberError { what: $what, found: number.to_string() })
            }
        }

        impl FromStr for $name {
            type Err = NumberError;

            fn from_str(text: &str) -> Result<Self, NumberError> {
                let number = text.parse::<u64>().ok().and_then(|n| Self::try_from(n).ok());
                number.ok_or_else(|| NumberError { what: $what, found: format!("{text:?}") })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// The number of a group of patches within its slide: `k` of `t<k>`.
    GroupNumber, "group"
}

impl Default for GroupNumber {
    fn default() -> Self {
        Self::FIRST
    }
}

number! {
    /// The number of a task: the index of an array job, and what `--task` takes, which
    /// is a row of slides.csv or a cumulative group of lookup.csv.
    TaskNumber, "task"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_checked_and_written_as_plain_numbers() {
        let group = GroupNumber::try_from(7u32).unwrap();
        assert_eq!((group.get(), group.index(), group.to_string().as_str()), (7, 6, "7"));
        assert_eq!(serde_json::to_string(&group).unwrap(), "7");
        assert_eq!(serde_json::from_str::<GroupNumber>("7").unwrap(), group);
        assert!(serde_json::from_str::<GroupNumber>("0").is_err());
        assert_eq!("7".parse(), Ok(group));
        let numbers: Vec<u32> = TaskNumber::up_to(3).map(TaskNumber::get).collect();
        assert_eq!((numbers.as_slice(), TaskNumber::up_to(0).count()), (&[1, 2, 3][..], 0));
        let largest = u64::from(u32::MAX);
        assert_eq!(TaskNumber::try_from(largest).unwrap().get(), u32::MAX);
        for invalid in [0, largest + 1, u64::MAX] {
            let error = TaskNumber::try_from(invalid).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("task number {invalid} is out of range")),
                "{error}"
            );
        }
        assert!(
            GroupNumber::try_from(-1i64).unwrap_err().to_string().starts_with("group number -1 is")
        );
        for text in ["", "0", "-1", "1.5", "x"] {
            assert!(text.parse::<GroupNumber>().is_err(), "{text}");
        }
    }
}
