//! The content of one slide at every point: sections of lymph node, their compartments,
//! the lesions and the pen marks. Lengths are micrometres, and y points down.

use super::lesions::{self, Metastasis};
use super::node_section::NodeSection;
use super::noise::{Direction, Rng, fractal, hash, lerp, mix, noise, smoothstep};
use super::wavy_ellipse::WavyEllipse;

/// The quantities of a point, in the order of a [`Site`].
pub(super) mod field {
    /// Distance to the edge of the tissue, um, negative outside.
    pub(crate) const DEPTH: usize = 0;
    /// Eosin in the ground between the cells, optical density.
    pub(crate) const EOSIN: usize = 1;
    /// Haematoxylin in the ground between the cells, optical density.
    pub(crate) const HAZE: usize = 2;
    /// Strength of the fibre texture.
    pub(crate) const FIBRE: usize = 3;
    /// Position along the fibres, um.
    pub(crate) const ALONG: usize = 4;
    /// Position across the fibres, um.
    pub(crate) const ACROSS: usize = 5;
    /// Share of adipose tissue, 0 to 1.
    pub(crate) const FAT: usize = 6;
    /// Share of sites that hold a small lymphocyte.
    pub(crate) const LYMPHOCYTES: usize = 7;
    /// Share of sites that hold a cell of a germinal centre.
    pub(crate) const CENTROBLASTS: usize = 8;
    /// Share of sites that hold a spindle-shaped nucleus.
    pub(crate) const SPINDLES: usize = 9;
    /// Share of sites that hold a histiocyte.
    pub(crate) const HISTIOCYTES: usize = 10;
    /// Share of sites that hold a tumor cell.
    pub(crate) const TUMOR: usize = 11;
    /// Chromatin strength of the tumor cells.
    pub(crate) const TUMOR_STRENGTH: usize = 12;
    /// Distance into a pen stroke, um, negative outside.
    pub(crate) const PEN: usize = 13;
    /// Local strength of the haematoxylin staining.
    pub(crate) const DRIFT_H: usize = 14;
    /// Local strength of the eosin staining.
    pub(crate) const DRIFT_E: usize = 15;
    pub(crate) const COUNT: usize = 16;
}
use field::{
    ACROSS, ALONG, CENTROBLASTS, COUNT, DEPTH, DRIFT_E, DRIFT_H, EOSIN, FAT, FIBRE, HAZE,
    HISTIOCYTES, LYMPHOCYTES, PEN, SPINDLES, TUMOR, TUMOR_STRENGTH,
};

/// The quantities of one point, indexed by [`field`].
pub(super) type Site = [f32; COUNT];

/// Depth below which nothing is drawn, um.
const CLEAR_UM: f32 = -25.0;

/// A straight pen stroke.
#[derive(Debug, Clone, Copy)]
struct Stroke {
    from: (f32, f32),
    to: (f32, f32),
    half_width: f32,
}

impl Stroke {
    fn margin(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        let t = ((x - self.from.0) * dx + (y - self.from.1) * dy) / (dx * dx + dy * dy);
        let t = t.clamp(0.0, 1.0);
        self.half_width - (x - self.from.0 - t * dx).hypot(y - self.from.1 - t * dy)
    }
}

/// The content of one slide.
#[derive(Debug)]
pub(super) struct Anatomy {
    seed: u64,
    pieces: Vec<NodeSection>,
    pub(super) lesions: Vec<Metastasis>,
    pen: Vec<Stroke>,
    /// Share of light that passes a pen stroke: red, green, blue.
    pub(super) pen_color: [f32; 3],
    /// Direction of the fibres.
    fibre: Direction,
}

impl Anatomy {
    /// The content of a slide of this size; only a slide with `tumor` gets lesions.
    pub(super) fn new(seed: u64, width_um: f32, height_um: f32, tumor: bool) -> Self {
        let mut rng = Rng::new(mix(seed ^ 1));
        let pieces = lay_out(&mut rng, width_um, height_um);
        let fibre = rng.direction();
        let pen_color = [[0.35, 0.45, 0.85], [0.35, 0.75, 0.45], [0.22, 0.21, 0.24]]
            [usize::from(rng.chance(0.6)) + usize::from(rng.chance(0.4))];
        let pen =
            if rng.chance(0.3) { scribble(&mut rng, width_um, height_um) } else { Vec::new() };
        let mut anatomy = Self { seed, pieces, lesions: Vec::new(), pen, pen_color, fibre };
        // The lesions are drawn last, so that the rest of a slide does not depend on them.
        if tumor {
            let is_node = |x, y| anatomy.site(x, y)[FAT] < 0.3;
            anatomy.lesions = lesions::place(&mut rng, &anatomy.pieces, is_node);
        }
        anatomy
    }

    /// Whether a rectangle (x, y, width, height) certainly holds only glass.
    pub(super) fn is_clear(&self, x: f32, y: f32, width: f32, height: f32) -> bool {
        let away = |cx: f32, cy: f32, reach: f32| {
            let (dx, dy) = (cx - cx.clamp(x, x + width), cy - cy.clamp(y, y + height));
            dx.hypot(dy) > reach + 60.0
        };
        self.pieces.iter().all(|p| away(p.outline.x, p.outline.y, p.outline.reach()))
            && self.pen.iter().all(|s| {
                let middle = ((s.from.0 + s.to.0) * 0.5, (s.from.1 + s.to.1) * 0.5);
                let half = (s.from.0 - s.to.0).hypot(s.from.1 - s.to.1) * 0.5;
                away(middle.0, middle.1, half + s.half_width)
            })
    }

    fn pen_margin(&self, x: f32, y: f32) -> f32 {
        let margin = self.pen.iter().map(|s| s.margin(x, y)).fold(f32::NEG_INFINITY, f32::max);
        if margin < -60.0 {
            -1e3
        } else {
            margin + 12.0 * fractal(self.seed ^ 3, x / 70.0, y / 70.0, 2)
        }
    }

    /// The depth of a point in the tissue, and the section in which it is deepest.
    fn deepest(&self, x: f32, y: f32) -> (f32, &NodeSection) {
        let mut deepest = (f32::NEG_INFINITY, &self.pieces[0]);
        for piece in &self.pieces {
            let depth = piece.depth(x, y);
            if depth > deepest.0 {
                deepest = (depth, piece);
            }
        }
        deepest
    }

    /// [`DEPTH`] and [`FAT`] of the point (`x`, `y`), in a fraction of the time of
    /// [`Anatomy::site`].
    pub(super) fn cover(&self, x: f32, y: f32) -> (f32, f32) {
        let (depth, piece) = self.deepest(x, y);
        if depth < CLEAR_UM {
            return (depth, 0.0);
        }
        let replaced = self.lesions.iter().map(|lesion| lesions::replaced(lesion.margin(x, y)));
        (depth, replaced.fold(self.fat(piece, depth, x, y).0, |fat, share| lerp(fat, 0.0, share)))
    }

    /// The share of fat at a point, 0 to 1, and the depth of the point below the outer fat,
    /// um.
    fn fat(&self, piece: &NodeSection, depth: f32, x: f32, y: f32) -> (f32, f32) {
        let (seed, size) = (self.seed, piece.outline.a.min(piece.outline.b));
        let fat_um = (fractal(seed ^ 10, x / (0.9 * size), y / (0.9 * size), 2) + 0.1).max(0.0)
            * 0.42
            * size;
        let depth = depth - fat_um;
        let inner_fat = smoothstep(0.5, 0.6, fractal(seed ^ 11, x / 420.0, y / 420.0, 3));
        let outer_fat = if fat_um > 0.0 { smoothstep(6.0, -6.0, depth) } else { 0.0 };
        (outer_fat.max(inner_fat), depth)
    }

    /// All quantities of the point (`x`, `y`).
    pub(super) fn site(&self, x: f32, y: f32) -> Site {
        let mut site = [0.0; COUNT];
        site[PEN] = self.pen_margin(x, y);
        let seed = self.seed;
        site[DRIFT_H] = 1.0 + 0.13 * noise(seed ^ 4, x / 2600.0, y / 2600.0);
        site[DRIFT_E] = 1.0 + 0.18 * noise(seed ^ 5, x / 2100.0, y / 2100.0);
        let (depth, piece) = self.deepest(x, y);
        site[DEPTH] = depth;
        if depth < CLEAR_UM {
            return site;
        }
        let warp = 330.0 * fractal(seed ^ 6, x / 800.0, y / 800.0, 3)
            + 7.0 * noise(seed ^ 7, x / 45.0, y / 45.0);
        site[ACROSS] = y * self.fibre.x - x * self.fibre.y + warp;
        site[ALONG] =
            x * self.fibre.x + y * self.fibre.y + 150.0 * noise(seed ^ 8, x / 700.0, y / 700.0);
        self.node(&mut site, piece, x, y);
        self.tumor(&mut site, x, y);
        site
    }

    /// Sets the quantities of a lymph node's compartments, from the fat to the medulla.
    fn node(&self, site: &mut Site, piece: &NodeSection, x: f32, y: f32) {
        let seed = self.seed;
        let size = piece.outline.a.min(piece.outline.b);
        let (fat, depth) = self.fat(piece, site[DEPTH], x, y);
        let capsule = smoothstep(38.0, 24.0, depth) * (1.0 - fat);
        let medulla = smoothstep(
            0.45,
            0.75,
            depth / size + 0.35 * fractal(seed ^ 12, x / 600.0, y / 600.0, 2),
        );
        let scar = smoothstep(0.3, 0.45, fractal(seed ^ 13, x / 380.0, y / 380.0, 3));
        let trabecula = smoothstep(0.07, 0.04, noise(seed ^ 14, x / 330.0, y / 330.0).abs());
        let stroma = capsule.max(scar).max(0.9 * trabecula * (1.0 - medulla)).max(0.0);
        let ridge = fractal(seed ^ 15, x / 110.0, y / 110.0, 2).abs();
        let subcapsular = smoothstep(38.0, 46.0, depth) * smoothstep(68.0, 58.0, depth);
        let sinus = subcapsular.max(medulla * smoothstep(0.2, 0.1, ridge)) * (1.0 - scar);
        let (mantle, centre) = self.follicle(x, y);
        let open = (1.0 - stroma) * (1.0 - sinus);
        let (mantle, centre) = (mantle * open * (1.0 - medulla), centre * open * (1.0 - medulla));
        let patchy = 0.72 + 0.3 * fractal(seed ^ 16, x / 160.0, y / 160.0, 2);
        let cortex = lerp(patchy, 0.4 + 0.25 * patchy, medulla);
        site[LYMPHOCYTES] = lerp(lerp(lerp(cortex, 0.97, mantle), 0.1, centre) * open, 0.16, sinus);
        site[LYMPHOCYTES] *= 1.0 - 0.85 * stroma;
        site[CENTROBLASTS] = 0.95 * centre + 0.05 * open * (1.0 - centre);
        site[SPINDLES] = lerp(0.12, 0.5, stroma) * (1.0 - 0.8 * mantle);
        site[HISTIOCYTES] = 0.55 * sinus + 0.18 * open * medulla + 0.06 * open;
        // Plasma and histiocytes make the ground between lymphocytes pale in some places
        // and pink in others.
        let ground = 0.19 + 0.14 * fractal(seed ^ 17, x / 210.0, y / 210.0, 2);
        let ground = lerp(lerp(ground, 0.12, mantle), 0.27, centre);
        site[EOSIN] = lerp(lerp(ground, 0.36, stroma), 0.04, sinus);
        site[HAZE] = lerp(lerp(0.07, 0.05, stroma), 0.01, sinus);
        site[FIBRE] = lerp(0.10, 0.32, stroma);
        for kind in [LYMPHOCYTES, CENTROBLASTS, HISTIOCYTES] {
            site[kind] *= 1.0 - fat;
        }
        site[SPINDLES] *= 1.0 - 0.75 * fat;
        site[FAT] = fat;
    }

    /// The shares of (mantle, germinal centre) at a point, each 0 to 1.
    fn follicle(&self, x: f32, y: f32) -> (f32, f32) {
        const PITCH_UM: f32 = 430.0;
        #[expect(clippy::cast_possible_truncation, reason = "cell numbers of a slide are small")]
        let (cx, cy) = ((x / PITCH_UM).floor() as i32, (y / PITCH_UM).floor() as i32);
        let (mut mantle, mut centre) = (0.0f32, 0.0f32);
        for (dx, dy) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy))) {
            let mut rng = Rng::new(hash(self.seed ^ 20, cx + dx, cy + dy));
            if !rng.chance(0.7) {
                continue;
            }
            let fx = ((cx + dx) as f32 + rng.range(0.25, 0.75)) * PITCH_UM;
            let fy = ((cy + dy) as f32 + rng.range(0.25, 0.75)) * PITCH_UM;
            let radius = rng.range(90.0, 190.0);
            let away = (x - fx).hypot((y - fy) * rng.range(0.8, 1.25));
            if away > 1.3 * radius {
                continue;
            }
            let away = away + 0.12 * radius * noise(self.seed ^ 21, x / 60.0, y / 60.0);
            mantle = mantle.max(smoothstep(radius, 0.88 * radius, away));
            if rng.chance(0.75) {
                centre = centre.max(smoothstep(0.68 * radius, 0.58 * radius, away));
            }
        }
        (mantle, centre)
    }

    /// Replaces the quantities of normal tissue by those of tumor inside the lesions.
    fn tumor(&self, site: &mut Site, x: f32, y: f32) {
        for lesion in &self.lesions {
            let margin = lesion.margin(x, y);
            if margin < -4.0 {
                continue;
            }
            let inside = lesions::replaced(margin);
            let ridge = noise(self.seed ^ 30, x / 150.0, y / 150.0).abs();
            let septum = smoothstep(0.07, 0.04, ridge) * smoothstep(10.0, 30.0, margin);
            let slack = 0.85 + 0.2 * fractal(self.seed ^ 31, x / 80.0, y / 80.0, 2);
            let kinds = [
                (EOSIN, lerp(lesion.eosin, 0.34, septum)),
                (HAZE, 0.07),
                (FIBRE, lerp(0.10, 0.30, septum)),
                (FAT, 0.0),
                (LYMPHOCYTES, lesion.infiltrate * (1.2 - slack) * 2.0),
                (CENTROBLASTS, 0.0),
                (SPINDLES, lerp(0.06, 0.5, septum)),
                (HISTIOCYTES, 0.03),
            ];
            for (kind, value) in kinds {
                site[kind] = lerp(site[kind], value, inside);
            }
            // A cell is inside or outside by its centre, so the density of tumor cells
            // ends at the outline instead of fading out.
            site[TUMOR] =
                if margin > 0.0 { lesion.density * slack * (1.0 - 0.9 * septum) } else { 0.0 };
            site[TUMOR_STRENGTH] = lesion.strength;
        }
    }
}

/// One to three sections that together cover 30 to 55 % of the slide.
fn lay_out(rng: &mut Rng, width_um: f32, height_um: f32) -> Vec<NodeSection> {
    let long = width_um.max(height_um) / width_um.min(height_um);
    let count: u8 = match (long > 1.6, width_um.min(height_um) > 6000.0) {
        (true, _) => 2 + u8::from(rng.chance(0.4)),
        (false, true) => 1 + u8::from(rng.chance(0.6)),
        (false, false) => 1,
    };
    let share = rng.range(0.34, 0.55);
    (0..count)
        .map(|index| {
            let n = f32::from(count);
            let (mut w, mut h) = (width_um, height_um);
            let (mut x, mut y) = (width_um * 0.5, height_um * 0.5);
            if width_um >= height_um {
                w /= n;
                x = w * (f32::from(index) + 0.5);
            } else {
                h /= n;
                y = h * (f32::from(index) + 0.5);
            }
            let stretch = rng.range(0.92, 1.08);
            let radius = (share * rng.range(0.9, 1.05) / std::f32::consts::PI).sqrt();
            let (a, b) = (w * radius * stretch, h * radius / stretch);
            let outline = WavyEllipse::new(rng, a, b, 0.09, 7).upright();
            // The section is made small enough to lie whole on the glass.
            let widest = outline
                .polygon(90)
                .iter()
                .map(|p| (p.0.abs() / w).max(p.1.abs() / h))
                .fold(0.0, f32::max);
            let outline = outline.scaled((0.46 / widest).min(1.0));
            let offset = rng.range(-0.025, 0.025);
            let outline = outline.at(x + offset * w, y - offset * h);
            NodeSection { outline, seed: rng.bits() }
        })
        .collect()
}

/// A few pen strokes near a corner, such as mark a finding.
fn scribble(rng: &mut Rng, width_um: f32, height_um: f32) -> Vec<Stroke> {
    let side = width_um.min(height_um);
    let half_width = (side * 0.008).clamp(8.0, 180.0);
    let x = if rng.chance(0.5) { 0.07 } else { 0.93 } * width_um;
    let y = if rng.chance(0.5) { 0.07 } else { 0.93 } * height_um;
    let mut from = (x, y);
    (0..2 + rng.bits() % 4)
        .map(|_| {
            let to = (x + rng.range(-0.06, 0.06) * side, y + rng.range(-0.06, 0.06) * side);
            let stroke = Stroke { from, to, half_width };
            from = to;
            stroke
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tissue_covers_a_third_to_two_thirds_and_lesions_lie_in_it() {
        for seed in 0..8 {
            let anatomy = Anatomy::new(seed, 2000.0, 1500.0, true);
            let points = (0..2000u16).map(|i| (f32::from(i % 50) * 40.0, f32::from(i / 50) * 37.5));
            let share =
                points.filter(|&(x, y)| anatomy.site(x, y)[DEPTH] > 0.0).count() as f32 / 2000.0;
            assert!((0.25..0.65).contains(&share), "seed {seed}: {share}");
            assert!(!anatomy.lesions.is_empty());
            for lesion in &anatomy.lesions {
                for (x, y) in lesion.outline.polygon(50) {
                    assert!(anatomy.site(x, y)[DEPTH] > 0.0, "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn clear_rectangles_hold_nothing() {
        let anatomy = Anatomy::new(5, 3000.0, 3000.0, false);
        let mut clear = 0;
        for (tx, ty) in (0..24u8).flat_map(|y| (0..24u8).map(move |x| (f32::from(x), f32::from(y))))
        {
            if anatomy.is_clear(tx * 125.0, ty * 125.0, 125.0, 125.0) {
                let site = anatomy.site(tx * 125.0 + 60.0, ty * 125.0 + 125.0);
                assert!(site[DEPTH] < CLEAR_UM && site[PEN] < 0.0);
                clear += 1;
            }
        }
        assert!((1..24 * 24).contains(&clear), "{clear} of 576 rectangles are clear");
    }

    #[test]
    fn tumor_cells_lie_only_inside_lesions() {
        let anatomy = Anatomy::new(11, 2500.0, 2500.0, true);
        for (x, y) in (0..100u8)
            .flat_map(|y| (0..100u8).map(move |x| (f32::from(x) * 25.0, f32::from(y) * 25.0)))
        {
            let inside = anatomy.lesions.iter().any(|l| l.margin(x, y) > 0.0);
            assert_eq!(inside, anatomy.site(x, y)[TUMOR] > 0.0);
        }
    }
}
