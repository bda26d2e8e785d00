//! Draws small vessels: a lumen, sometimes with red cells, a pink wall and a ring of flat
//! nuclei.
#![expect(clippy::cast_possible_truncation, reason = "site numbers of a slide are small")]

use super::anatomy::{Anatomy, field};
use super::canvas::{Canvas, Ellipse, Nucleus};
use super::noise::{Direction, Rng, Texture, hash, smoothstep};

const PITCH_UM: f32 = 230.0;
/// Largest distance of a vessel's edge from its centre, um.
const REACH_UM: f32 = 75.0;

/// One vessel. Positions and lengths are level-0 px.
#[derive(Debug, Clone)]
pub(super) struct Vessel {
    x: f32,
    y: f32,
    a: f32,
    b: f32,
    direction: Direction,
    /// Ratio of the wall's outer radius to the lumen's radius.
    wall: f32,
    red_cells: bool,
    seed: u64,
}

/// All vessels that reach into the tile at (`left`, `top`) of side `side`, level-0 px.
pub(super) fn near(
    anatomy: &Anatomy,
    seed: u64,
    um_per_px: f32,
    left: f32,
    top: f32,
    side: f32,
) -> Vec<Vessel> {
    let first = |from: f32| ((from * um_per_px - REACH_UM) / PITCH_UM).floor() as i32;
    let last = |from: f32| (((from + side) * um_per_px + REACH_UM) / PITCH_UM).ceil() as i32;
    let mut all = Vec::new();
    for row in first(top)..last(top) {
        for column in first(left)..last(left) {
            let mut rng = Rng::new(hash(seed ^ 50, column, row));
            if !rng.chance(0.5) {
                continue;
            }
            let x_um = (column as f32 + rng.range(0.2, 0.8)) * PITCH_UM;
            let y_um = (row as f32 + rng.range(0.2, 0.8)) * PITCH_UM;
            let site = anatomy.site(x_um, y_um);
            let has_room = site[field::DEPTH] > 90.0
                && site[field::FAT] < 0.2
                && site[field::CENTROBLASTS] < 0.3;
            if !has_room || anatomy.lesions.iter().any(|l| l.margin(x_um, y_um).abs() < 90.0) {
                continue;
            }
            let a = 7.0 + 30.0 * rng.unit().powi(3);
            all.push(Vessel {
                x: x_um / um_per_px,
                y: y_um / um_per_px,
                a: a * rng.range(1.0, 1.8) / um_per_px,
                b: a / um_per_px,
                direction: rng.direction(),
                wall: 1.0 + rng.range(3.0, 6.5) / a,
                red_cells: rng.chance(0.55),
                seed: rng.bits(),
            });
        }
    }
    all
}

impl Vessel {
    /// Whether (`x`, `y`) lies on the vessel, where no other cell may lie.
    pub(super) fn covers(&self, x: f32, y: f32) -> bool {
        let (dx, dy) = (x - self.x, y - self.y);
        let u = (dx * self.direction.x + dy * self.direction.y) / self.a;
        let v = (dy * self.direction.x - dx * self.direction.y) / self.b;
        u * u + v * v < (self.wall + 0.12).powi(2)
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, um_per_px: f32, texture: &Texture) {
        let (wall, soft) = (self.wall, 2.0 / self.b);
        let Self { x, y, a, b, direction, .. } = *self;
        canvas.ellipse(&Ellipse { x, y, a, b, direction }, wall, |h, e, distance| {
            let in_wall = smoothstep(wall, wall - 2.0 * soft, distance);
            *e += in_wall * (0.42 - *e);
            let in_lumen = smoothstep(1.0, 1.0 - soft, distance);
            *e *= 1.0 - in_lumen;
            *h *= 1.0 - in_lumen;
        });
        let mut rng = Rng::new(self.seed);
        if self.red_cells {
            self.draw_red_cells(&mut rng, canvas, um_per_px);
        }
        self.draw_endothelium(&mut rng, canvas, um_per_px, texture);
    }

    /// Fills the lumen with red blood cells, eosinophilic discs of 7 um.
    fn draw_red_cells(&self, rng: &mut Rng, canvas: &mut Canvas, um_per_px: f32) {
        let radius = 3.2 / um_per_px;
        let count = (self.a * self.b / (radius * radius) * 0.5).min(60.0) as u32;
        for _ in 0..count {
            let Direction { x: c, y: s } = rng.direction();
            let away = rng.unit().sqrt();
            let (u, v) =
                (c * away * (self.a - radius).max(0.0), s * away * (self.b - radius).max(0.0));
            let x = self.x + u * self.direction.x - v * self.direction.y;
            let y = self.y + u * self.direction.y + v * self.direction.x;
            let amount = rng.range(0.4, 0.55);
            let direction = Direction { x: 1.0, y: 0.0 };
            let disc = Ellipse { x, y, a: radius, b: radius, direction };
            canvas.ellipse(&disc, 1.0, |_, e, distance| {
                let body = smoothstep(1.0, 0.8, distance) * (0.8 + 0.2 * distance);
                *e = e.max(amount * body);
            });
        }
    }

    /// Draws the flat nuclei of the endothelium.
    fn draw_endothelium(
        &self,
        rng: &mut Rng,
        canvas: &mut Canvas,
        um_per_px: f32,
        texture: &Texture,
    ) {
        let middle = 0.5 * (1.0 + self.wall);
        let around_um = std::f32::consts::PI * (self.a + self.b) * middle * um_per_px;
        let count = (around_um / 11.0).max(4.0) as u16;
        for index in 0..count {
            let angle = (f32::from(index) + rng.range(-0.3, 0.3)) / f32::from(count)
                * std::f32::consts::TAU;
            let (s, c) = angle.sin_cos();
            let (u, v) = (self.a * middle * c, self.b * middle * s);
            let (tu, tv) = (-self.a * s, self.b * c);
            let length = tu.hypot(tv).max(1e-3);
            let (tu, tv) = (tu / length, tv / length);
            let Direction { x: dc, y: ds } = self.direction;
            let density = rng.range(0.5, 0.85);
            let nucleus = Nucleus {
                x: self.x + u * dc - v * ds,
                y: self.y + u * ds + v * dc,
                a: rng.range(2.9, 4.6) / um_per_px,
                b: rng.range(1.2, 2.3) / um_per_px,
                direction: Direction { x: tu * dc - tv * ds, y: tu * ds + tv * dc },
                bend: 0.1,
                lobes: 0.0,
                core: density,
                rim: density,
                clumps: 0.1,
                phase: ((rng.bits() & 511) as i32, (rng.bits() & 511) as i32),
            };
            canvas.nucleus(&nucleus, texture);
        }
    }
}
