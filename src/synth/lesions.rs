//! The metastases of a slide: their number, sizes, places and outlines.
//!
//! Sizes follow the classes of pathology by longest diameter: isolated tumor cells below
//! 0.2 mm, micrometastases up to 2 mm, macrometastases above.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "point counts are clamped to u16"
)]

use super::node_section::NodeSection;
use super::noise::{Rng, smoothstep};
use super::wavy_ellipse::WavyEllipse;

/// The size class of a lesion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LesionClass {
    /// Isolated tumor cells: longest diameter below 0.2 mm.
    Itc,
    /// Micrometastasis: 0.2 to 2 mm.
    Micro,
    /// Macrometastasis: above 2 mm.
    Macro,
}

impl LesionClass {
    /// The class of a lesion of this longest diameter.
    pub fn of_diameter_um(diameter_um: f32) -> Self {
        match diameter_um {
            d if d < 200.0 => Self::Itc,
            d if d <= 2000.0 => Self::Micro,
            _ => Self::Macro,
        }
    }
}

/// One metastasis.
#[derive(Debug, Clone)]
pub(super) struct Metastasis {
    pub(super) outline: WavyEllipse,
    /// Outline of the normal tissue that the lesion encloses, if any.
    pub(super) hole: Option<WavyEllipse>,
    pub(super) diameter_um: f32,
    /// Share of cell sites that hold a tumor cell.
    pub(super) density: f32,
    /// Optical density of the chromatin, relative.
    pub(super) strength: f32,
    /// Share of lymphocytes that remain among the tumor cells.
    pub(super) infiltrate: f32,
    /// Optical density of eosin in the cytoplasm.
    pub(super) eosin: f32,
}

impl Metastasis {
    fn new(rng: &mut Rng, diameter_um: f32) -> Self {
        let longest = rng.range(1.0, 1.5);
        let count = if diameter_um < 200.0 { 7 } else { 14 };
        let shape = WavyEllipse::new(rng, longest, 1.0, 0.2, count);
        let factor = diameter_um / shape.longest_diameter();
        Self {
            outline: shape.scaled(factor),
            hole: None,
            diameter_um,
            density: rng.range(0.72, 1.0),
            strength: rng.range(0.85, 1.35),
            infiltrate: rng.range(0.04, 0.4),
            eosin: rng.range(0.12, 0.3),
        }
    }

    /// Makes a hole of normal tissue in the middle of the lesion.
    fn pierce(&mut self, rng: &mut Rng) {
        let radius = (self.outline.a * self.outline.b).sqrt() * rng.range(0.2, 0.32);
        let hole = WavyEllipse::new(rng, radius * 1.2, radius, 0.15, 6);
        self.hole = Some(hole.at(self.outline.x, self.outline.y));
    }

    pub(super) fn class(&self) -> LesionClass {
        LesionClass::of_diameter_um(self.diameter_um)
    }

    /// Distance of (`x`, `y`) from the edge of the tumor, approximately in um, negative
    /// outside.
    pub(super) fn margin(&self, x: f32, y: f32) -> f32 {
        let outer = self.outline.margin(x, y);
        match &self.hole {
            Some(hole) if outer > 0.0 => outer.min(-hole.margin(x, y)),
            _ => outer,
        }
    }
}

/// The share of normal tissue that a lesion replaces, 0 to 1, at a point that lies `margin`
/// um inside the lesion.
pub(super) fn replaced(margin: f32) -> f32 {
    smoothstep(-3.0, 3.0, margin)
}

/// A polygon that follows `outline` to within a few pixels, points (x, y) in um.
pub(super) fn trace(outline: &WavyEllipse, um_per_px: f32) -> Vec<(f32, f32)> {
    let around_px = std::f32::consts::TAU * outline.reach() / um_per_px;
    outline.polygon((around_px / 8.0).clamp(24.0, 3000.0) as u16)
}

/// The diameters of the lesions of one slide, um, largest first. `room_um` is the
/// narrowest diameter of the largest section.
fn diameters(rng: &mut Rng, room_um: f32) -> Vec<f32> {
    let mut all = Vec::new();
    if room_um * 0.58 > 2100.0 && rng.chance(0.65) {
        all.push(rng.range(2100.0, (room_um * 0.58).min(4500.0)));
    }
    let largest_micro = (room_um * 0.45).min(1500.0);
    if largest_micro > 230.0 {
        for _ in 0..=(rng.bits() % 3) {
            // Small micrometastases are more common than large ones.
            all.push(205.0 + (largest_micro - 205.0) * rng.unit().powi(2));
        }
    }
    for _ in 0..=(rng.bits() % 3) {
        all.push(rng.range(90.0, 190.0).min(room_um * 0.4));
    }
    all.sort_by(|a, b| b.total_cmp(a));
    all
}

/// Places the lesions of one slide inside the tissue, apart from each other and with their
/// centres where `is_node` is true (not in fat).
pub(super) fn place(
    rng: &mut Rng,
    pieces: &[NodeSection],
    is_node: impl Fn(f32, f32) -> bool,
) -> Vec<Metastasis> {
    let room_um = pieces.iter().map(|p| 2.0 * p.outline.b.min(p.outline.a)).fold(0.0, f32::max);
    let mut placed: Vec<Metastasis> = Vec::new();
    for diameter in diameters(rng, room_um) {
        let lesion = Metastasis::new(rng, diameter);
        if let Some(mut lesion) = try_place(rng, lesion, pieces, &placed, &is_node) {
            if diameter > 260.0 && rng.chance(0.45) {
                lesion.pierce(rng);
            }
            placed.push(lesion);
        }
    }
    if placed.is_empty() {
        // This lesion always fits, because outlines are star-shaped around their centre.
        let piece = &pieces[0].outline;
        let mut lesion = Metastasis::new(rng, (room_um * 0.25).min(180.0));
        lesion.outline = lesion.outline.at(piece.x, piece.y);
        placed.push(lesion);
    }
    placed
}

/// Tries random places until the whole outline lies in tissue; `None` after 300 tries.
fn try_place(
    rng: &mut Rng,
    lesion: Metastasis,
    pieces: &[NodeSection],
    placed: &[Metastasis],
    is_node: &impl Fn(f32, f32) -> bool,
) -> Option<Metastasis> {
    for _ in 0..300 {
        let piece = &pieces[(rng.bits() % pieces.len() as u64) as usize];
        let reach = piece.outline.reach();
        let x = piece.outline.x + rng.range(-reach, reach);
        let y = piece.outline.y + rng.range(-reach, reach);
        let outline = lesion.outline.clone().at(x, y);
        // The gap is more than 75 um, below which lesions are evaluated as one.
        let is_apart = placed.iter().all(|other| {
            let gap = (other.outline.x - x).hypot(other.outline.y - y);
            gap > other.outline.reach() + outline.reach() + 80.0
        });
        if is_apart
            && is_node(x, y)
            && outline.polygon(48).iter().all(|&(x, y)| piece.depth(x, y) > 12.0)
        {
            return Some(Metastasis { outline, ..lesion });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_the_longest_diameter() {
        assert_eq!(LesionClass::of_diameter_um(199.0), LesionClass::Itc);
        assert_eq!(LesionClass::of_diameter_um(200.0), LesionClass::Micro);
        assert_eq!(LesionClass::of_diameter_um(2001.0), LesionClass::Macro);
        for seed in 0..20 {
            let lesion = Metastasis::new(&mut Rng::new(seed), 700.0);
            assert!((lesion.outline.longest_diameter() - 700.0).abs() < 1.0);
        }
    }

    #[test]
    fn holes_are_not_tumor() {
        let mut rng = Rng::new(9);
        let mut lesion = Metastasis::new(&mut rng, 800.0);
        assert!(lesion.margin(0.0, 0.0) > 0.0);
        lesion.pierce(&mut rng);
        assert!(lesion.margin(0.0, 0.0) < 0.0);
        let hole = lesion.hole.as_ref().unwrap();
        assert!(hole.polygon(60).iter().all(|&(x, y)| lesion.outline.margin(x, y) > 5.0));
    }
}
