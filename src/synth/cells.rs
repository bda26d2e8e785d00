//! Draws the cells of a tile: their places, sizes and looks.
//!
//! Each kind of cell has its own lattice of sites. Whether a site holds a cell follows from
//! a hash of the site and from the anatomy at the site's centre.
#![expect(clippy::cast_possible_truncation, reason = "site numbers of a slide are small")]

use super::anatomy::{Site, field};
use super::canvas::{Canvas, Nucleus};
use super::noise::{Direction, Rng, Texture, hash};
use super::vessels::Vessel;

/// Largest distance of a cell's edge from its centre, um.
pub(super) const REACH_UM: f32 = 15.0;

/// The kinds of cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellKind {
    Lymphocyte,
    Centroblast,
    Spindle,
    Histiocyte,
    Tumor,
}

/// A kind of cell with its lattice.
struct Population {
    kind: CellKind,
    /// Distance between sites, um.
    pitch_um: f32,
    /// Largest offset of a cell from its site along x and y, in units of the pitch.
    jitter: f32,
    /// The [`field`] with the share of sites that hold a cell.
    density: usize,
}

const POPULATIONS: [Population; 5] = [
    Population { kind: CellKind::Spindle, pitch_um: 15.0, jitter: 0.48, density: field::SPINDLES },
    Population {
        kind: CellKind::Histiocyte,
        pitch_um: 13.0,
        jitter: 0.45,
        density: field::HISTIOCYTES,
    },
    Population {
        kind: CellKind::Lymphocyte,
        pitch_um: 7.7,
        jitter: 0.3,
        density: field::LYMPHOCYTES,
    },
    Population {
        kind: CellKind::Centroblast,
        pitch_um: 10.2,
        jitter: 0.34,
        density: field::CENTROBLASTS,
    },
    Population { kind: CellKind::Tumor, pitch_um: 12.3, jitter: 0.3, density: field::TUMOR },
];

/// Draws every cell that reaches into the tile of side `tile_px`. `site_at` gives the
/// anatomy at a level-0 pixel, interpolated from the tile's grid.
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
                let mut rng = Rng::new(hash(seed ^ (number << 40), column, row));
                let threshold = rng.unit();
                let low = 0.5 - population.jitter;
                let high = 0.5 + population.jitter;
                let x = (column as f32 + rng.range(low, high)) * pitch;
                let y = (row as f32 + rng.range(low, high)) * pitch;
                let site = site_at(x, y);
                if threshold >= site[population.density] || site[field::DEPTH] < 2.5 {
                    continue;
                }
                if vessels.iter().any(|vessel| vessel.covers(x, y)) {
                    continue;
                }
                let cell = Cell { x, y, um: 1.0 / um_per_px };
                cell.draw(population.kind, &mut rng, &site, site_at, canvas, texture);
            }
        }
    }
}

/// The place of a cell.
struct Cell {
    /// Centre along x, level-0 px.
    x: f32,
    /// Centre along y, level-0 px.
    y: f32,
    /// Level-0 px per micrometre.
    um: f32,
}

impl Cell {
    fn draw(
        &self,
        kind: CellKind,
        rng: &mut Rng,
        site: &Site,
        site_at: &impl Fn(f32, f32) -> Site,
        canvas: &mut Canvas,
        texture: &Texture,
    ) {
        match kind {
            CellKind::Lymphocyte => canvas.nucleus(&self.lymphocyte(rng), texture),
            CellKind::Centroblast => canvas.nucleus(&self.centroblast(rng), texture),
            CellKind::Histiocyte => canvas.nucleus(&self.histiocyte(rng), texture),
            CellKind::Spindle => {
                // Fibres run at right angles to the slope of the coordinate across them.
                let step = 4.0 * self.um;
                let here = site[field::ACROSS];
                let dx = site_at(self.x + step, self.y)[field::ACROSS] - here;
                let dy = site_at(self.x, self.y + step)[field::ACROSS] - here;
                let length = dx.hypot(dy).max(1e-3);
                let along = Direction { x: -dy / length, y: dx / length };
                canvas.nucleus(&self.spindle(rng, along), texture);
            }
            CellKind::Tumor => self.tumor(rng, site[field::TUMOR_STRENGTH], canvas, texture),
        }
    }

    /// An evenly stained nucleus with the semi-axes `a_um` and `b_um` at the cell's centre.
    fn plain(&self, rng: &mut Rng, a_um: f32, b_um: f32, density: f32) -> Nucleus {
        Nucleus {
            x: self.x,
            y: self.y,
            a: a_um * self.um,
            b: b_um * self.um,
            direction: rng.direction(),
            bend: rng.range(-0.1, 0.1),
            lobes: rng.range(-0.05, 0.05),
            core: density,
            rim: density,
            clumps: 0.0,
            phase: ((rng.bits() & 511) as i32, (rng.bits() & 511) as i32),
        }
    }

    /// A nucleus that is small, round and dark; lymphocytes look alike.
    fn lymphocyte(&self, rng: &mut Rng) -> Nucleus {
        let radius = rng.range(2.9, 3.65);
        let density = rng.range(0.62, 1.02);
        let long = radius * rng.range(1.0, 1.13);
        let plain = self.plain(rng, long, radius, density);
        Nucleus { core: density * 0.9, rim: density * 1.06, clumps: rng.range(0.1, 0.22), ..plain }
    }

    /// A nucleus of medium size, pale and round, which a network must not take for tumor.
    fn centroblast(&self, rng: &mut Rng) -> Nucleus {
        let radius = rng.range(3.6, 4.9);
        let density = rng.range(0.34, 0.62);
        let long = radius * rng.range(1.0, 1.2);
        let plain = self.plain(rng, long, radius, density);
        Nucleus { core: density * 0.8, rim: density * 1.25, clumps: rng.range(0.08, 0.17), ..plain }
    }

    /// A nucleus that is pale, and oval or bean-shaped.
    fn histiocyte(&self, rng: &mut Rng) -> Nucleus {
        let radius = rng.range(3.0, 3.9);
        let density = rng.range(0.3, 0.5);
        let long = radius * rng.range(1.2, 1.65);
        let plain = self.plain(rng, long, radius, density);
        let bend = rng.range(0.1, 0.4);
        Nucleus { bend, core: density * 0.85, rim: density * 1.3, clumps: 0.1, ..plain }
    }

    /// A nucleus that is long and thin, as those of fibroblasts and endothelium.
    fn spindle(&self, rng: &mut Rng, along: Direction) -> Nucleus {
        let (a, b) = (rng.range(4.5, 9.0), rng.range(1.0, 1.9));
        let density = rng.range(0.5, 0.9);
        let Direction { x: c, y: s } = along;
        let tilt = rng.range(-0.3, 0.3);
        let plain = self.plain(rng, a, b, density);
        let direction = Direction { x: c - s * tilt, y: s + c * tilt };
        Nucleus { direction, clumps: 0.12, ..plain }
    }

    /// Draws a nucleus that is large, irregular and vesicular: a dark membrane around pale,
    /// coarse chromatin, with one to three nucleoli.
    fn tumor(&self, rng: &mut Rng, strength: f32, canvas: &mut Canvas, texture: &Texture) {
        let radius = rng.range(4.3, 6.1);
        let long = rng.range(1.0, 1.45).sqrt();
        let density = strength * rng.range(0.32, 0.62);
        let plain = self.plain(rng, radius * long, radius / long, density);
        let nucleus = Nucleus {
            bend: rng.range(-0.3, 0.3),
            lobes: rng.range(-0.16, 0.16),
            core: density * 0.72,
            rim: density * 1.55,
            clumps: rng.range(0.13, 0.24),
            ..plain
        };
        canvas.nucleus(&nucleus, texture);
        for _ in 0..1 + rng.bits() % 3 {
            let Direction { x: c, y: s } = rng.direction();
            let away = rng.range(0.0, 0.55) * radius * self.um;
            let size = rng.range(0.75, 1.35);
            let dot = Cell { x: self.x + c * away, y: self.y + s * away, um: self.um };
            canvas.nucleus(&dot.plain(rng, size, size, (density * 1.9).min(1.05)), texture);
        }
    }
}
