//! Changes files: bytes, numbers, tokens of the format, lines, pieces of other files.

use crate::common::seed::Random;

/// Numbers in text that tend to break things.
const NUMBERS: [&str; 18] = [
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e308",
    "-1e-308",
    "NaN",
    "inf",
    "0.0000001",
    "1e19",
];

/// Bytes that tend to break things.
const BYTES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b','];

/// The files that changes start from, and the words of their format.
pub(super) struct Material<'m> {
    pub(super) files: &'m [Vec<u8>],
    pub(super) words: &'m [&'m str],
}

impl Material<'_> {
    /// A file of the corpus with one to eight changes.
    pub(super) fn changed(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.pick(random).clone();
        for _ in 0..=random.below(8) {
            self.change(&mut bytes, random);
        }
        bytes.truncate(1 << 20);
        bytes
    }

    fn pick(&self, random: &mut Random) -> &Vec<u8> {
        &self.files[index(random, self.files.len())]
    }

    fn change(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        let at = index(random, bytes.len() + 1);
        let end = bytes.len().min(at + 1 + index(random, 64));
        match random.below(11) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = BYTES[index(random, BYTES.len())],
            2 if at < bytes.len() => bytes[at] = random.below(256).to_le_bytes()[0],
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            5 => {
                let piece = self.pick(random);
                let from = index(random, piece.len() + 1);
                let to = piece.len().min(from + 1 + index(random, 256));
                bytes.splice(at..end, piece[from..to].iter().copied());
            }
            6 if !self.words.is_empty() => {
                let word = self.words[index(random, self.words.len())];
                bytes.splice(at..at, word.bytes());
            }
            7 => other_number(bytes, at, random),
            8 => other_integer(bytes, at, random),
            9 => swap_lines(bytes, random),
            // Rarely, since little is left.
            _ if random.below(4) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
}

fn index(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(length.max(1) as u64)).unwrap()
}

/// Replaces the decimal number at or after `at`.
fn other_number(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes[at..].iter().position(is_digit).map(|more| at + more) else { return };
    let length = bytes[start..].iter().take_while(|byte| is_digit(byte)).count();
    let number = NUMBERS[index(random, NUMBERS.len())];
    bytes.splice(start..start + length, number.bytes());
}

/// Replaces 1, 2, 4 or 8 bytes by a number at the edge of its type, in either byte order.
fn other_integer(bytes: &mut [u8], at: usize, random: &mut Random) {
    let size = 1 << random.below(4);
    let Some(place) = bytes.get_mut(at..at + size) else { return };
    let mut number = match random.below(6) {
        0 => 0_u64,
        1 => u64::MAX,
        2 => u64::MAX >> 1,
        3 => 1 << random.below(64),
        4 => random.below(1 << 16),
        _ => random.below(300),
    }
    .to_le_bytes()[..size]
        .to_vec();
    if random.below(2) == 0 {
        number.reverse();
    }
    place.copy_from_slice(&number);
}

fn swap_lines(bytes: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<Vec<u8>> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.len() < 3 {
        return;
    }
    let (a, b) = (index(random, lines.len()), index(random, lines.len()));
    match random.below(3) {
        0 => lines.swap(a, b),
        1 => lines.insert(a, lines[b].clone()),
        _ => drop(lines.remove(a)),
    }
    *bytes = lines.join(&b'\n');
}
