//! Means over boxes of a map, at the places of windows.

use super::builder::{Builder, int, ints};
use super::map::MapSize;

impl Builder {
    /// Adds a mean over `kernel` elements, `dilations` apart, at every `strides`-th
    /// position, as a product of short means along one axis at a time.
    pub(super) fn box_mean(
        &mut self,
        hint: &str,
        input: &str,
        size: &MapSize,
        kernel: [i64; 2],
        dilations: [i64; 2],
        strides: [i64; 2],
    ) -> String {
        let channels = size.channels as i64;
        let mut name = input.to_owned();
        for at in 0..2 {
            let lengths = factors(kernel[at]);
            let mut apart = dilations[at];
            for (pass, &length) in lengths.iter().enumerate() {
                let stride = if pass + 1 == lengths.len() { strides[at] } else { 1 };
                if length == 1 && stride == 1 {
                    continue;
                }
                let along = |value: i64| if at == 0 { [value, 1] } else { [1, value] };
                let shape = [channels, 1, along(length)[0], along(length)[1]];
                let values = vec![1.0 / length as f32; (channels * length) as usize];
                let weight = self.floats(&format!("{hint}/weight"), &shape, &values);
                let attributes = vec![
                    ints("kernel_shape", &along(length)),
                    ints("strides", &along(stride)),
                    ints("dilations", &along(apart)),
                    int("group", channels),
                ];
                name = self.node("Conv", hint, &[&name, &weight], attributes);
                self.sized(&name, size.channels, size.axes);
                apart *= length;
            }
        }
        name
    }
}

/// A length above 8 as a product of two lengths as equal as possible; other lengths, and
/// primes, as they are.
fn factors(length: i64) -> Vec<i64> {
    if length <= 8 {
        return vec![length];
    }
    let root = (1..).take_while(|side| side * side <= length);
    match root.filter(|side| length % side == 0).last() {
        None | Some(1) => vec![length],
        Some(side) => vec![side, length / side],
    }
}
