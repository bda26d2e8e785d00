//! The working plane (being written elsewhere).

/// The slide resampled to the model's resolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkingPlane {
    /// Width at level 0.
    pub level0_width_px: u32,
    /// Height at level 0.
    pub level0_height_px: u32,
    /// Level-0 px per working px.
    pub downsample: f64,
    /// Width of the plane.
    pub width_px: u32,
    /// Height of the plane.
    pub height_px: u32,
    /// Micrometres per working px, along x; `None` if unknown.
    pub mpp_x: Option<f64>,
    /// Micrometres per working px, along y; `None` if unknown.
    pub mpp_y: Option<f64>,
}
