//! Formats numbers and dates for the page.

/// `1 234 567`, with narrow no-break spaces between groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 slide`, `2 slides`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number as u64), if number == 1 { one } else { many })
}

/// The number with three significant digits, without an exponent.
pub(super) fn significant(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return number.to_string();
    }
    #[expect(clippy::cast_possible_truncation, reason = "an exponent")]
    let exponent = number.abs().log10().floor() as i32;
    if exponent >= 2 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded")]
        let whole = grouped(number.abs().round() as u64);
        return if number < 0.0 { format!("-{whole}") } else { whole };
    }
    let places = usize::try_from(2 - exponent).unwrap_or(0);
    let text = format!("{number:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// `2.1 GB`: three significant digits and a decimal unit.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{}\u{202f}{}", significant(value), UNITS[unit])
}

/// `2026-03-01 09:30 UTC`.
pub(super) fn utc(unix_s: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "seconds fit")]
    let seconds = unix_s.floor() as i64;
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let Date { year, month, day } = date_of(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", of_day / 3600, of_day / 60 % 60)
}

/// A date of the Gregorian calendar.
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// The date of a day counted from 1970-01-01, by Howard Hinnant's `civil_from_days`, in which
/// years begin in March.
fn date_of(days: i64) -> Date {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    Date { year: year + era * 400 + i64::from(month <= 2), month, day }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits_and_grouped_thousands() {
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((grouped(999), grouped(0)), ("999".into(), "0".into()));
        let slides = [0, 1, 1000].map(|n| count(n, "slide", "slides"));
        assert_eq!(slides, ["0 slides", "1 slide", "1\u{202f}000 slides"]);
        let found = [0.0, 0.000_123_4, 0.5, 1.25, 12.345, 123.9, 12_345.0, -0.042].map(significant);
        let expected = ["0", "0.000123", "0.5", "1.25", "12.3", "124", "12\u{202f}345", "-0.042"];
        assert_eq!(found, expected);
        assert_eq!((bytes(0), bytes(2_140_000)), ("0\u{202f}B".into(), "2.14\u{202f}MB".into()));
        assert_eq!(bytes(999_600), "1\u{202f}MB");
    }

    #[test]
    fn dates_match_those_of_the_date_command() {
        // Expected values: `date -u -d @N`.
        for (unix_s, expected) in [
            (0.0, "1970-01-01 00:00 UTC"),
            (951_782_399.0, "2000-02-28 23:59 UTC"),
            (951_868_799.9, "2000-02-29 23:59 UTC"),
            (1_790_000_000.0, "2026-09-21 14:13 UTC"),
            (4_107_542_400.0, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(utc(unix_s), expected);
        }
    }
}
