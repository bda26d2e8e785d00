//! The cells: where they are, how large, how they look.
//!
//! Each kind has its own lattice of sites. Whether a site is taken, and by what
//! kind of cell, follows from a hash of the site and the anatomy at its centre.
#![expect(clippy::cast_possible_truncation, reason = "site numbers of a slide are small")]

use super::anatomy::{Site, field};
use super::canvas::{Canvas, Nucleus};
use super::noise::{Dice, Texture, hash};
use super::vessels::Vessel;

/// Farthest that a cell reaches from its site's centre, um.
pub(super) const REACH_UM: f32 = 15.0;

/// The kinds of cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lymphocyte,
    Centroblast,
    Spindle,
    Histiocyte,
    Tumor,
}

/// A kind with its lattice.
struct Population {
    kind: Kind,
    pitch_um: f32,
    jitter: f32,
    density: usize,
}

const POPULATIONS: [Population; 5] = [
    Population { kind: Kind::Spindle, pitch_um: 15.0, jitter: 0.48, density: field::SPINDLES },
    Population {
        kind: Kind::Histiocyte,
        pitch_um: 13.0,
        jitter: 0.45,
        density: field::HISTIOCYTES,
    },
    Population { kind: Kind::Lymphocyte, pitch_um: 7.7, jitter: 0.3, density: field::LYMPHOCYTES },
    Population {
        kind: Kind::Centroblast,
        pitch_um: 10.2,
        jitter: 0.34,
        density: field::CENTROBLASTS,
    },
    Population { kind: Kind::Tumor, pitch_um: 12.3, jitter: 0.3, density: field::TUMOR },
];

/// Draws every cell that reaches into the tile. `site_at`: anatomy at a
/// level-0 pixel, from the tile's grid.
pub(super) fn draw(
    canvas: &mut Canvas,
    seed: u64,
    um_per_px: f32,
    tile_px: f32,
    texture: &Texture,
    vessels: &[Vessel],
    site_at: &impl Fn(f32, f32) -> Site,
) {
    let reach = REACH_UM / um_per_px;
    for (number, population) in (0u64..).zip(&POPULATIONS) {
        let pitch = population.pitch_um / um_per_px;
        let first = |from: f32| ((from - reach) / pitch).floor() as i32;
        let last = |from: f32| ((from + tile_px + reach) / pitch).ceil() as i32;
        for row in first(canvas.top)..last(canvas.top) {
            for column in first(canvas.left)..last(canvas.left) {
                let mut dice = Dice::new(hash(seed ^ (number << 40), column, row));
                let threshold = dice.unit();
                let shift = 0.5 + population.jitter;
                let back = 0.5 - population.jitter;
                let x = (column as f32 + dice.within(back, shift)) * pitch;
                let y = (row as f32 + dice.within(back, shift)) * pitch;
                let site = site_at(x, y);
                if threshold >= site[population.density] || site[field::DEPTH] < 2.5 {
                    continue;
                }
                if vessels.iter().any(|vessel| vessel.covers(x, y)) {
                    continue;
                }
                let cell = Cell { x, y, um: 1.0 / um_per_px };
                cell.draw(population.kind, &mut dice, &site, site_at, canvas, texture);
            }
        }
    }
}

/// A cell's centre (level-0 px) and the length of a micrometre (px).
struct Cell {
    x: f32,
    y: f32,
    um: f32,
}

impl Cell {
    fn draw(
        &self,
        kind: Kind,
        dice: &mut Dice,
        site: &Site,
        site_at: &impl Fn(f32, f32) -> Site,
        canvas: &mut Canvas,
        texture: &Texture,
    ) {
        match kind {
            Kind::Lymphocyte => canvas.nucleus(&self.lymphocyte(dice), texture),
            Kind::Centroblast => canvas.nucleus(&self.centroblast(dice), texture),
            Kind::Histiocyte => canvas.nucleus(&self.histiocyte(dice), texture),
            Kind::Spindle => {
                // Along the fibres: across the slope of their cross coordinate.
                let step = 4.0 * self.um;
                let here = site[field::ACROSS];
                let dx = site_at(self.x + step, self.y)[field::ACROSS] - here;
                let dy = site_at(self.x, self.y + step)[field::ACROSS] - here;
                let length = dx.hypot(dy).max(1e-3);
                canvas.nucleus(&self.spindle(dice, (-dy / length, dx / length)), texture);
            }
            Kind::Tumor => self.tumor(dice, site[field::TUMOR_STRENGTH], canvas, texture),
        }
    }

    /// A nucleus of these semi-axes (um) at the cell's centre, smooth and even.
    fn plain(&self, dice: &mut Dice, a_um: f32, b_um: f32, density: f32) -> Nucleus {
        Nucleus {
            x: self.x,
            y: self.y,
            a: a_um * self.um,
            b: b_um * self.um,
            direction: dice.direction(),
            bend: dice.within(-0.1, 0.1),
            lobes: dice.within(-0.05, 0.05),
            core: density,
            rim: density,
            clumps: 0.0,
            phase: ((dice.bits() & 511) as i32, (dice.bits() & 511) as i32),
        }
    }

    /// Small, round, dark, alike.
    fn lymphocyte(&self, dice: &mut Dice) -> Nucleus {
        let radius = dice.within(2.9, 3.65);
        let density = dice.within(0.62, 1.02);
        let long = radius * dice.within(1.0, 1.13);
        let plain = self.plain(dice, long, radius, density);
        Nucleus {
            core: density * 0.9,
            rim: density * 1.06,
            clumps: dice.within(0.1, 0.22),
            ..plain
        }
    }

    /// Middle-sized, pale, round: what a network must not take for tumour.
    fn centroblast(&self, dice: &mut Dice) -> Nucleus {
        let radius = dice.within(3.6, 4.9);
        let density = dice.within(0.34, 0.62);
        let long = radius * dice.within(1.0, 1.2);
        let plain = self.plain(dice, long, radius, density);
        Nucleus {
            core: density * 0.8,
            rim: density * 1.25,
            clumps: dice.within(0.08, 0.17),
            ..plain
        }
    }

    /// Oval or bean-shaped, pale.
    fn histiocyte(&self, dice: &mut Dice) -> Nucleus {
        let radius = dice.within(3.0, 3.9);
        let density = dice.within(0.3, 0.5);
        let long = radius * dice.within(1.2, 1.65);
        let plain = self.plain(dice, long, radius, density);
        let bend = dice.within(0.1, 0.4);
        Nucleus { bend, core: density * 0.85, rim: density * 1.3, clumps: 0.1, ..plain }
    }

    /// Long and thin: fibroblasts and endothelium.
    fn spindle(&self, dice: &mut Dice, along: (f32, f32)) -> Nucleus {
        let (a, b) = (dice.within(4.5, 9.0), dice.within(1.0, 1.9));
        let density = dice.within(0.5, 0.9);
        let (c, s) = along;
        let tilt = dice.within(-0.3, 0.3);
        let plain = self.plain(dice, a, b, density);
        Nucleus { direction: (c - s * tilt, s + c * tilt), clumps: 0.12, ..plain }
    }

    /// Large, irregular, vesicular: a dark membrane around pale, coarse
    /// chromatin, with one to three nucleoli.
    fn tumor(&self, dice: &mut Dice, strength: f32, canvas: &mut Canvas, texture: &Texture) {
        let radius = dice.within(4.3, 6.1);
        let long = dice.within(1.0, 1.45).sqrt();
        let density = strength * dice.within(0.32, 0.62);
        let plain = self.plain(dice, radius * long, radius / long, density);
        let nucleus = Nucleus {
            bend: dice.within(-0.3, 0.3),
            lobes: dice.within(-0.16, 0.16),
            core: density * 0.72,
            rim: density * 1.55,
            clumps: dice.within(0.13, 0.24),
            ..plain
        };
        canvas.nucleus(&nucleus, texture);
        for _ in 0..1 + dice.bits() % 3 {
            let (c, s) = dice.direction();
            let away = dice.within(0.0, 0.55) * radius * self.um;
            let size = dice.within(0.75, 1.35);
            let dot = Cell { x: self.x + c * away, y: self.y + s * away, um: self.um };
            canvas.nucleus(&dot.plain(dice, size, size, (density * 1.9).min(1.05)), texture);
        }
    }
}
