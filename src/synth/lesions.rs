//! Metastases: how many, how large, where, and their drawn outlines.
//!
//! Sizes follow the pathologist's classes: isolated tumour cells below 0.2 mm,
//! micrometastases to 2 mm, macrometastases above (longest diameter).
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "point counts are clamped to u16"
)]

use super::noise::{Dice, smoothstep};
use super::outline::Outline;
use super::piece::Piece;

/// The size class of a lesion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LesionClass {
    /// Isolated tumour cells: longest diameter below 0.2 mm.
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

    /// The class as written in `reference.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Itc => "itc",
            Self::Micro => "micro",
            Self::Macro => "macro",
        }
    }
}

/// One metastasis.
#[derive(Debug, Clone)]
pub(super) struct Lesion {
    pub(super) outline: Outline,
    /// Normal tissue enclosed by the lesion.
    pub(super) hole: Option<Outline>,
    pub(super) diameter_um: f32,
    /// Share of cell sites that hold a tumour cell.
    pub(super) density: f32,
    /// Optical density of its chromatin, relative.
    pub(super) strength: f32,
    /// Lymphocytes left among the tumour cells.
    pub(super) infiltrate: f32,
    /// Optical density of its cytoplasm in eosin.
    pub(super) eosin: f32,
}

impl Lesion {
    fn new(dice: &mut Dice, diameter_um: f32) -> Self {
        let longest = dice.within(1.0, 1.5);
        let count = if diameter_um < 200.0 { 7 } else { 14 };
        let shape = Outline::new(dice, longest, 1.0, 0.2, count);
        let factor = diameter_um / shape.longest_diameter();
        Self {
            outline: shape.scaled(factor),
            hole: None,
            diameter_um,
            density: dice.within(0.72, 1.0),
            strength: dice.within(0.85, 1.35),
            infiltrate: dice.within(0.04, 0.4),
            eosin: dice.within(0.12, 0.3),
        }
    }

    /// Encloses normal tissue where the lesion is large enough to show it.
    fn pierce(&mut self, dice: &mut Dice) {
        let radius = (self.outline.a * self.outline.b).sqrt() * dice.within(0.2, 0.32);
        let hole = Outline::new(dice, radius * 1.2, radius, 0.15, 6);
        self.hole = Some(hole.at(self.outline.x, self.outline.y));
    }

    pub(super) fn class(&self) -> LesionClass {
        LesionClass::of_diameter_um(self.diameter_um)
    }

    /// How far (`x`, `y`) lies inside tumour, in about micrometres.
    pub(super) fn margin(&self, x: f32, y: f32) -> f32 {
        let outer = self.outline.margin(x, y);
        match &self.hole {
            Some(hole) if outer > 0.0 => outer.min(-hole.margin(x, y)),
            _ => outer,
        }
    }
}

/// How much of a point a lesion replaces, 0 to 1, by how far it lies inside, um.
pub(super) fn replaced(margin: f32) -> f32 {
    smoothstep(-3.0, 3.0, margin)
}

/// Points that follow `outline` to a few pixels.
pub(super) fn trace(outline: &Outline, um_per_px: f32) -> Vec<(f32, f32)> {
    let around_px = std::f32::consts::TAU * outline.reach() / um_per_px;
    outline.polygon((around_px / 8.0).clamp(24.0, 3000.0) as u16)
}

/// The diameters to be drawn on one slide, largest first. `room_um`: the
/// narrowest tissue diameter.
fn diameters(dice: &mut Dice, room_um: f32) -> Vec<f32> {
    let mut all = Vec::new();
    if room_um * 0.58 > 2100.0 && dice.chance(0.65) {
        all.push(dice.within(2100.0, (room_um * 0.58).min(4500.0)));
    }
    let largest_micro = (room_um * 0.45).min(1500.0);
    if largest_micro > 230.0 {
        for _ in 0..=(dice.bits() % 3) {
            // Small ones are commoner.
            all.push(205.0 + (largest_micro - 205.0) * dice.unit().powi(2));
        }
    }
    for _ in 0..=(dice.bits() % 3) {
        all.push(dice.within(90.0, 190.0).min(room_um * 0.4));
    }
    all.sort_by(|a, b| b.total_cmp(a));
    all
}

/// Places the lesions of one slide inside its tissue, apart from each other and
/// with their centres where `is_node` holds (not in fat).
pub(super) fn place(
    dice: &mut Dice,
    pieces: &[Piece],
    is_node: impl Fn(f32, f32) -> bool,
) -> Vec<Lesion> {
    let room_um = pieces.iter().map(|p| 2.0 * p.outline.b.min(p.outline.a)).fold(0.0, f32::max);
    let mut placed: Vec<Lesion> = Vec::new();
    for diameter in diameters(dice, room_um) {
        let lesion = Lesion::new(dice, diameter);
        if let Some(mut lesion) = settle(dice, lesion, pieces, &placed, &is_node) {
            if diameter > 260.0 && dice.chance(0.45) {
                lesion.pierce(dice);
            }
            placed.push(lesion);
        }
    }
    if placed.is_empty() {
        // Outlines are star-shaped around their centre, so this always fits.
        let piece = &pieces[0].outline;
        let mut lesion = Lesion::new(dice, (room_um * 0.25).min(180.0));
        lesion.outline = lesion.outline.at(piece.x, piece.y);
        placed.push(lesion);
    }
    placed
}

/// Tries places until the whole outline lies in tissue.
fn settle(
    dice: &mut Dice,
    lesion: Lesion,
    pieces: &[Piece],
    placed: &[Lesion],
    is_node: &impl Fn(f32, f32) -> bool,
) -> Option<Lesion> {
    for _ in 0..300 {
        let piece = &pieces[(dice.bits() % pieces.len() as u64) as usize];
        let reach = piece.outline.reach();
        let x = piece.outline.x + dice.within(-reach, reach);
        let y = piece.outline.y + dice.within(-reach, reach);
        let outline = lesion.outline.clone().at(x, y);
        // Lesions closer than 75 um are evaluated as one.
        let apart = placed.iter().all(|other| {
            let gap = (other.outline.x - x).hypot(other.outline.y - y);
            gap > other.outline.reach() + outline.reach() + 80.0
        });
        if apart
            && is_node(x, y)
            && outline.polygon(48).iter().all(|&(x, y)| piece.depth(x, y) > 12.0)
        {
            return Some(Lesion { outline, ..lesion });
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
            let lesion = Lesion::new(&mut Dice::new(seed), 700.0);
            assert!((lesion.outline.longest_diameter() - 700.0).abs() < 1.0);
        }
    }

    #[test]
    fn holes_are_not_tumour() {
        let mut dice = Dice::new(9);
        let mut lesion = Lesion::new(&mut dice, 800.0);
        assert!(lesion.margin(0.0, 0.0) > 0.0);
        lesion.pierce(&mut dice);
        assert!(lesion.margin(0.0, 0.0) < 0.0);
        let hole = lesion.hole.as_ref().unwrap();
        assert!(hole.polygon(60).iter().all(|&(x, y)| lesion.outline.margin(x, y) > 5.0));
    }
}
