//! Parsers of text that several schedulers print.

use std::str::FromStr;

use crate::number::TaskNumber;

/// A number of array indices that no scheduler allows.
const MOST_INDICES: usize = 4_000_001;

/// Reads a list of array indices, as in `[1,3,7-9%2]` or `2-10:4`. A throttle (`%2`) is ignored.
/// `None` if the text is no such list, or has more indices than any scheduler allows.
pub(super) fn indices(text: &str) -> Option<Vec<TaskNumber>> {
    let list = text.trim().trim_matches(['[', ']']).split('%').next()?;
    let mut found = Vec::new();
    for item in list.split(',') {
        let (range, step) = item.split_once(':').unwrap_or((item, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first: TaskNumber = first.trim().parse().ok()?;
        let last: TaskNumber = last.trim().parse().ok()?;
        let step: usize = step.trim().parse().ok().filter(|&step| step > 0)?;
        // A range whose last index lies before its first is empty.
        let count = (last.get().saturating_sub(first.get())) as usize;
        if count + found.len() > MOST_INDICES {
            return None;
        }
        for index in (first.get()..=last.get()).step_by(step) {
            found.push(TaskNumber::try_from(index).ok()?);
        }
    }
    Some(found)
}

/// The value of `key` in a text with lines `key value` or `key = value`.
pub(super) fn setting<N: FromStr>(text: &str, key: &str) -> Option<N> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix(key)?;
        rest.starts_with([' ', '=', '\t'])
            .then(|| rest.trim_matches([' ', '=', '\t']))?
            .parse()
            .ok()
    })
}

/// The seconds of a time such as `01:30:05`. PBS writes days as hours above 24.
pub(super) fn clock_seconds(text: &str) -> Option<f64> {
    let fields: Vec<u32> =
        text.split(':').map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = fields[..] else { return None };
    Some(f64::from(hours) * 3600.0 + f64::from(minutes) * 60.0 + f64::from(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_lists_are_read() {
        let numbers = |text: &str| -> Option<Vec<u32>> {
            Some(indices(text)?.into_iter().map(TaskNumber::get).collect())
        };
        assert_eq!(numbers("[1,3,7-9%2]").unwrap(), [1, 3, 7, 8, 9]);
        assert_eq!(numbers("2-5%1").unwrap(), [2, 3, 4, 5]);
        assert_eq!(numbers("1,4-10:3").unwrap(), [1, 4, 7, 10]);
        for odd in ["", "a", "1-", "0-3", "1-5:0", "1-99999999999", "1-4294967295"] {
            assert_eq!(numbers(odd), None, "{odd}");
        }
        assert_eq!(clock_seconds("01:30:05"), Some(5405.0));
        assert_eq!(clock_seconds("100:00:00"), Some(360_000.0));
        assert_eq!(clock_seconds("90"), None);
    }
}
