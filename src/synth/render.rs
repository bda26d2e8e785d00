//! Draws the pixels of a tile from the anatomy.
//!
//! Quantities that vary slowly are computed at every 16th pixel and interpolated, fibres and
//! grain come from textures, and nuclei are drawn one by one.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "grid and pixel positions are bounded by the tile"
)]

use super::anatomy::{Anatomy, Site, field};
use super::canvas::{Canvas, Nucleus, SIDE};
use super::cells;
use super::noise::{Rng, Texture, hash, lerp, mix, smoothstep};
use super::stain::Stain;
use super::vessels;

/// Spacing of the grid of sites, px.
pub(super) const STEP: usize = 16;
/// Number of grid cells along a tile's side.
const BLOCKS: usize = SIDE / STEP;

/// One slide, ready to be drawn.
#[derive(Debug)]
pub(super) struct Scene {
    seed: u64,
    um_per_px: f32,
    pub(super) anatomy: Anatomy,
    pub(super) stain: Stain,
    fibres: Texture,
    grain: Texture,
    chromatin: Texture,
}

/// The sites in and around one tile.
struct Grid {
    /// Position of the first site along x, level-0 px.
    left: f32,
    /// Position of the first site along y, level-0 px.
    top: f32,
    /// Number of sites along each side.
    side: usize,
    sites: Vec<Site>,
}

impl Grid {
    fn site(&self, column: usize, row: usize) -> &Site {
        &self.sites[row * self.side + column]
    }

    /// The site at a level-0 pixel, interpolated; positions are clamped to the grid.
    fn at(&self, x: f32, y: f32) -> Site {
        let limit = (self.side - 1) as f32 - 1e-3;
        let gx = ((x - self.left) / STEP as f32).clamp(0.0, limit);
        let gy = ((y - self.top) / STEP as f32).clamp(0.0, limit);
        let (column, row) = (gx as usize, gy as usize);
        let (tx, ty) = (gx - column as f32, gy - row as f32);
        let (nw, ne) = (self.site(column, row), self.site(column + 1, row));
        let (sw, se) = (self.site(column, row + 1), self.site(column + 1, row + 1));
        std::array::from_fn(|k| lerp(lerp(nw[k], ne[k], tx), lerp(sw[k], se[k], tx), ty))
    }
}

/// The buffers that a thread reuses from tile to tile.
#[derive(Debug)]
pub(super) struct Brush(Canvas);

impl Brush {
    pub(super) fn new() -> Self {
        Self(Canvas::new())
    }
}

impl Scene {
    pub(super) fn new(
        seed: u64,
        width_px: u32,
        height_px: u32,
        um_per_px: f64,
        tumor: bool,
    ) -> Self {
        let um_per_px = um_per_px as f32;
        let (w, h) = (width_px as f32 * um_per_px, height_px as f32 * um_per_px);
        Self {
            seed,
            um_per_px,
            anatomy: Anatomy::new(seed, w, h, tumor),
            stain: Stain::new(&mut Rng::new(mix(seed ^ 2))),
            fibres: Texture::new(seed ^ 40, 8, 3),
            grain: Texture::new(seed ^ 41, 4, 2),
            chromatin: Texture::new(seed ^ 42, 4, 2),
        }
    }

    /// Depth in the tissue (um, negative outside) and share of fat (0 to 1) at a level-0 px.
    pub(super) fn cover(&self, x: usize, y: usize) -> (f32, f32) {
        self.anatomy.cover(x as f32 * self.um_per_px, y as f32 * self.um_per_px)
    }

    /// Whether a square, in level-0 px, certainly holds only glass.
    pub(super) fn is_clear(&self, left: usize, top: usize, side: usize) -> bool {
        let [left, top, side] = [left, top, side].map(|px| px as f32 * self.um_per_px);
        self.anatomy.is_clear(left, top, side, side)
    }

    /// Draws tile (`column`, `row`) of level 0 into `rgb`, `[row, col, rgb]`. Draws nothing
    /// and returns false when the tile shows only glass.
    pub(super) fn draw(&self, column: u32, row: u32, brush: &mut Brush, rgb: &mut [u8]) -> bool {
        let canvas = &mut brush.0;
        let side = SIDE as f32;
        (canvas.left, canvas.top) = (column as f32 * side, row as f32 * side);
        let um = self.um_per_px;
        let dust = self.dust(canvas.left, canvas.top);
        let clear = self.anatomy.is_clear(canvas.left * um, canvas.top * um, side * um, side * um);
        if clear && dust.is_empty() {
            return false;
        }
        let grid = self.grid(canvas.left, canvas.top);
        let empty = |site: &Site| site[field::DEPTH] < -4.0 && site[field::PEN] < -4.0;
        if dust.is_empty() && grid.sites.iter().all(empty) {
            return false;
        }
        self.ground(canvas, &grid);
        if grid.sites.iter().any(|site| site[field::DEPTH] > 0.0) {
            let vessels =
                vessels::near(&self.anatomy, self.seed, um, canvas.left, canvas.top, side);
            for vessel in &vessels {
                vessel.draw(canvas, um, &self.chromatin);
            }
            let site_at = |x: f32, y: f32| grid.at(x, y);
            cells::draw(canvas, self.seed ^ 60, um, side, &self.chromatin, &vessels, &site_at);
        }
        for speck in &dust {
            canvas.nucleus(speck, &self.chromatin);
        }
        self.expose(canvas, &grid, rgb);
        true
    }

    /// The sites of a tile and of the border around it that cells need.
    fn grid(&self, left: f32, top: f32) -> Grid {
        let border = (cells::REACH_UM * 1.5 / self.um_per_px / STEP as f32).ceil() as usize;
        let side = BLOCKS + 1 + 2 * border;
        let shift = (border * STEP) as f32;
        let (left, top) = (left - shift, top - shift);
        let at = |k: usize, from: f32| (from + (k * STEP) as f32) * self.um_per_px;
        let sites = (0..side * side)
            .map(|k| self.anatomy.site(at(k % side, left), at(k / side, top)))
            .collect();
        Grid { left, top, side, sites }
    }

    /// Draws the ground between the cells.
    fn ground(&self, canvas: &mut Canvas, grid: &Grid) {
        let border = (grid.side - BLOCKS - 1) / 2;
        for block in 0..BLOCKS * BLOCKS {
            let (bx, by) = (block % BLOCKS, block / BLOCKS);
            let corner = |dx: usize, dy: usize| grid.site(bx + border + dx, by + border + dy);
            let corners = [corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)];
            if corners.iter().all(|site| site[field::DEPTH] < -4.0) {
                for y in by * STEP..(by + 1) * STEP {
                    let row = y * SIDE + bx * STEP..y * SIDE + (bx + 1) * STEP;
                    canvas.h[row.clone()].fill(0.0);
                    canvas.e[row].fill(0.0);
                }
                continue;
            }
            let fat = corners.iter().any(|site| site[field::FAT] > 0.01);
            let (x, y) = (canvas.left + (bx * STEP) as f32, canvas.top + (by * STEP) as f32);
            let rims = if fat { self.fat_rims(x, y) } else { [[0.0; RIMS]; RIMS] };
            for dy in 0..STEP {
                self.ground_row(canvas, corners, &rims, bx, by * STEP + dy);
            }
        }
    }

    /// Draws one row of the ground in one cell of the grid.
    fn ground_row(
        &self,
        canvas: &mut Canvas,
        corners: [&Site; 4],
        rims: &[[f32; RIMS]; RIMS],
        bx: usize,
        y: usize,
    ) {
        let ty = (y % STEP) as f32 / STEP as f32;
        let mix = |k: usize| {
            let west = lerp(corners[0][k], corners[2][k], ty);
            let east = lerp(corners[1][k], corners[3][k], ty);
            (west, (east - west) / STEP as f32)
        };
        let line = |(start, slope): (f32, f32), dx: usize| start + slope * dx as f32;
        let [depth, eosin, haze, fibre] =
            [field::DEPTH, field::EOSIN, field::HAZE, field::FIBRE].map(mix);
        let [along, across, fat] = [field::ALONG, field::ACROSS, field::FAT].map(mix);
        let px_per_um = 1.0 / self.um_per_px;
        let (left, top) = (canvas.left as i32, canvas.top as i32);
        for dx in 0..STEP {
            let x = bx * STEP + dx;
            let (u, v) = (line(along, dx), line(across, dx));
            let fibre_value =
                self.fibres.at((u * px_per_um * 0.11) as i32, (v * px_per_um * 0.8) as i32);
            let (gx, gy) = (x as i32 + left, y as i32 + top);
            let grain =
                self.grain.at(gx, gy) + self.grain.at((gx * 3) >> 3, gy.wrapping_sub(gx >> 2));
            let inside = smoothstep(-1.5, 1.5, line(depth, dx));
            let mut e = line(eosin, dx) + line(fibre, dx) * 0.55 * fibre_value + 0.035 * grain;
            let mut h = line(haze, dx) + 0.02 * grain;
            let fat = line(fat, dx);
            if fat > 0.01 {
                // The outermost fat cells are closed by the tissue's edge.
                let rim = rim_at(rims, dx, y % STEP).max(smoothstep(3.0, 1.2, line(depth, dx)));
                e = lerp(e, 0.3 * rim, fat);
                h = lerp(h, 0.03 * rim, fat);
            }
            let at = y * SIDE + x;
            canvas.e[at] = e.max(0.0) * inside;
            canvas.h[at] = h.max(0.0) * inside;
        }
    }

    /// Strength of the walls between fat cells (0 to 1) at every fourth pixel of a grid cell.
    fn fat_rims(&self, x: f32, y: f32) -> [[f32; RIMS]; RIMS] {
        const CELL_UM: f32 = 55.0;
        let scale = self.um_per_px / CELL_UM;
        std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                let px = (x + (4 * column) as f32) * scale;
                let py = (y + (4 * row) as f32) * scale;
                let (cx, cy) = (px.floor() as i32, py.floor() as i32);
                let (mut first, mut second) = (9.0f32, 9.0f32);
                for (dx, dy) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))) {
                    let mut rng = Rng::new(hash(self.seed ^ 70, cx + dx, cy + dy));
                    let sx = (cx + dx) as f32 + rng.range(0.1, 0.9) - px;
                    let sy = (cy + dy) as f32 + rng.range(0.1, 0.9) - py;
                    let distance = (sx * sx + sy * sy).sqrt();
                    second = second.min(distance.max(first));
                    first = first.min(distance);
                }
                smoothstep(3.2, 1.2, (second - first) * CELL_UM)
            })
        })
    }

    /// The specks of dust that reach into a tile.
    fn dust(&self, left: f32, top: f32) -> Vec<Nucleus> {
        const PITCH_PX: f32 = 2048.0;
        let side = SIDE as f32;
        let (first_x, first_y) =
            ((left / PITCH_PX).floor() as i32, (top / PITCH_PX).floor() as i32);
        let mut rng = Rng::new(hash(self.seed ^ 80, first_x, first_y));
        let mut specks = Vec::new();
        for _ in 0..rng.bits() % 4 {
            // A speck is at least 100 px away from the border of its lattice cell, which is
            // divided into whole tiles, so no speck reaches into another lattice cell.
            let x = first_x as f32 * PITCH_PX + rng.range(100.0, PITCH_PX - 100.0);
            let y = first_y as f32 * PITCH_PX + rng.range(100.0, PITCH_PX - 100.0);
            let (a, b) = (rng.range(4.0, 30.0), rng.range(2.0, 12.0));
            let density = rng.range(0.3, 1.0);
            let direction = rng.direction();
            let reach = a.max(b) * 1.25 + 3.0;
            let near = x + reach > left
                && x - reach < left + side
                && y + reach > top
                && y - reach < top + side;
            if near {
                let phase = (0, 0);
                let shape = (rng.range(-0.3, 0.3), rng.range(-0.2, 0.2));
                specks.push(Nucleus {
                    x,
                    y,
                    a,
                    b,
                    direction,
                    bend: shape.0,
                    lobes: shape.1,
                    core: density,
                    rim: 0.6 * density,
                    clumps: 0.1,
                    phase,
                });
            }
        }
        specks
    }

    /// Converts stain amounts to colours, with the local strength of staining and the pen.
    fn expose(&self, canvas: &Canvas, grid: &Grid, rgb: &mut [u8]) {
        let border = (grid.side - BLOCKS - 1) / 2;
        let pixels = rgb.as_chunks_mut::<3>().0;
        for y in 0..SIDE {
            let ty = (y % STEP) as f32 / STEP as f32;
            for bx in 0..BLOCKS {
                let corner =
                    |dx: usize, dy: usize| grid.site(bx + border + dx, y / STEP + border + dy);
                let side = |k: usize| {
                    let west = lerp(corner(0, 0)[k], corner(0, 1)[k], ty);
                    let east = lerp(corner(1, 0)[k], corner(1, 1)[k], ty);
                    (west, (east - west) / STEP as f32)
                };
                let [h_drift, e_drift, pen] =
                    [field::DRIFT_H, field::DRIFT_E, field::PEN].map(side);
                let drawn = pen.0 > -20.0 || pen.0 + pen.1 * STEP as f32 > -20.0;
                for dx in 0..STEP {
                    let at = y * SIDE + bx * STEP + dx;
                    let t = dx as f32;
                    let mut color = self.stain.color(
                        canvas.h[at] * (h_drift.0 + h_drift.1 * t),
                        canvas.e[at] * (e_drift.0 + e_drift.1 * t),
                    );
                    if drawn {
                        let ink = smoothstep(-2.0, 2.0, pen.0 + pen.1 * t);
                        for (channel, through) in color.iter_mut().zip(self.anatomy.pen_color) {
                            *channel = (f32::from(*channel) * lerp(1.0, through, ink)) as u8;
                        }
                    }
                    pixels[at] = color;
                }
            }
        }
    }
}

/// Number of samples of the fat rims along the side of a grid cell: every fourth pixel and
/// the far edge.
const RIMS: usize = STEP / 4 + 1;

fn rim_at(rims: &[[f32; RIMS]; RIMS], x: usize, y: usize) -> f32 {
    let (cx, cy) = (x / 4, y / 4);
    let (tx, ty) = ((x % 4) as f32 / 4.0, (y % 4) as f32 / 4.0);
    let top = lerp(rims[cy][cx], rims[cy][cx + 1], tx);
    lerp(top, lerp(rims[cy + 1][cx], rims[cy + 1][cx + 1], tx), ty)
}
