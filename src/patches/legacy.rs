//! Patch files of the original HPC_DPAI code, which hold `t<k>/img` and `t<k>/coord` only.
//!
//! Patches of the original are squares of 448 px around tiles of 224 px at level 0. At the
//! slide's edges they are moved inwards: to `x = 0` at the left, and to `x = W - 448 + 1` at the
//! right. The latter is one pixel too far, so the last column lies outside and is black. This
//! module puts such patches back to `x = col * 224 - 112`, with white outside the slide.
//!
//! A patch that was moved at the right or bottom gives the slide's exact size. Without such a
//! patch, the size is estimated from the index beside the file (`<slide>.npy`) and the patches'
//! extent.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5::File;
use ndarray::{Array2, Array3, Ix2};

use super::schema::{COORD, IMG, PatchesMeta, group_name};
use crate::geometry::{PatchCoord, Tiling};
use crate::hdf5_file::{Attributes, FormatError, Lineage, check_dataset, link_exists, read_all};
use crate::number::GroupNumber;
use crate::staged;

const TILE_PX: u32 = 224;
const PATCH_PX: i64 = 448;
/// Largest index of a tile on a slide with sides below 2^32 px.
const LARGEST_TILE: i64 = (u32::MAX / TILE_PX) as i64;

/// The slide and the tiles of a legacy file.
#[derive(Debug, Clone)]
pub(crate) struct Legacy {
    width_px: i64,
    height_px: i64,
    tiles: Vec<(i64, i64)>,
    pub(crate) assumptions: Vec<String>,
}

/// Whether `file` has the layout of the original and no `format` attribute.
pub(crate) fn is_legacy(path: &Path, file: &File) -> Result<bool, FormatError> {
    if Attributes::new(path, file).contains("format")? || !link_exists(path, file, "t1")? {
        return Ok(false);
    }
    let Ok(group) = file.group("t1") else { return Ok(false) };
    Ok(link_exists(path, &group, IMG)? && link_exists(path, &group, COORD)?)
}

/// The size of a slide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlideSize {
    pub(crate) width_px: u32,
    pub(crate) height_px: u32,
}

/// Reads the places of a legacy file and derives its attributes from them. `size` is the size
/// of the slide, if the user gives it.
pub(crate) fn read_meta(
    path: &Path,
    file: &File,
    size: Option<SlideSize>,
) -> Result<(PatchesMeta, Legacy), FormatError> {
    let groups = count_groups(path, file)?;
    let mut rows = Vec::new();
    for group in GroupNumber::up_to(groups) {
        let handle = file
            .group(&group_name(group))
            .map_err(|e| FormatError::hdf5(path, &format!("read t{group}"), &e))?;
        let coord = check_dataset::<i64>(path, &handle, COORD, &[None, Some(5)])?;
        rows.extend(read_all::<i64, Ix2>(path, &coord)?.rows().into_iter().map(|r| r.to_vec()));
    }
    if let Some(row) = rows.iter().find(|row| row[4] != PATCH_PX) {
        let problem = format!("coord {row:?} has side {}, expected {PATCH_PX}", row[4]);
        return Err(FormatError::invalid(path, problem));
    }
    let index = path.with_extension("npy");
    let grid = read_index(&index)?;
    let mut assumptions = vec![
        "written by HPC_DPAI: every stored tile is tissue, the working plane is level 0, micrometres per pixel are unknown".to_owned(),
    ];
    let mut side = |axis: usize, name: &str, tiles: Option<i64>, given: Option<u32>| {
        let place = |row: &Vec<i64>| PlaceAlong { tile: row[axis], first_px: row[axis + 2] };
        let places: Vec<PlaceAlong> = rows.iter().map(place).collect();
        let (side, exact) = slide_side(&places, tiles, given.map(i64::from))
            .map_err(|problem| FormatError::invalid(path, format!("{name}: {problem}")))?;
        if !exact {
            assumptions.push(format!(
                "the slide's {name} is not stored and no patch touches that edge: taken as {side} px, the least that fits"
            ));
        }
        Ok::<i64, FormatError>(side)
    };
    let width_px = side(0, "width", grid.map(|g| g[1]), size.map(|s| s.width_px))?;
    let height_px = side(1, "height", grid.map(|g| g[0]), size.map(|s| s.height_px))?;
    let tiles = rows.iter().map(|row| (row[0], row[1])).collect();
    let meta = meta_of(path, groups, rows.len(), width_px, height_px)?;
    Ok((meta, Legacy { width_px, height_px, tiles, assumptions }))
}

fn count_groups(path: &Path, file: &File) -> Result<u32, FormatError> {
    let names = file.member_names().map_err(|e| FormatError::hdf5(path, "read its groups", &e))?;
    let numbered = names
        .iter()
        .filter(|name| name.strip_prefix('t').is_some_and(|k| k.parse::<GroupNumber>().is_ok()))
        .count();
    let numbered = u32::try_from(numbered).expect("there are fewer different numbers than 2^32");
    match GroupNumber::up_to(numbered).find(|&k| !names.contains(&group_name(k))) {
        None => Ok(numbered),
        Some(missing) => Err(FormatError::Missing {
            path: path.to_owned(),
            item: format!("group t{missing}"),
            expected: format!("{numbered} groups, t1 to t{numbered}"),
        }),
    }
}

/// The place of a patch along one axis.
struct PlaceAlong {
    tile: i64,
    /// Its first pixel.
    first_px: i64,
}

/// Length of the slide along one axis, px, and whether the length is certain.
///
/// `places` holds the place of each patch. `tiles` is the number of whole tiles according to
/// the index, `given` the length that the user gives.
fn slide_side(
    places: &[PlaceAlong],
    tiles: Option<i64>,
    given: Option<i64>,
) -> Result<(i64, bool), String> {
    let (mut exact, mut least) = (None, tiles.unwrap_or(0) * i64::from(TILE_PX));
    let mut fits = 0;
    for &PlaceAlong { tile, first_px: first } in places {
        if !(0..=LARGEST_TILE).contains(&tile) {
            return Err(format!("patch of tile {tile}, expected 0 to {LARGEST_TILE}"));
        }
        let unmoved = if tile == 0 { 0 } else { tile * i64::from(TILE_PX) - 112 };
        if first > unmoved || first + PATCH_PX <= 1 {
            return Err(format!("patch of tile {tile} starts at {first}, expected {unmoved}"));
        }
        if first == unmoved {
            least = least.max(first + PATCH_PX);
            // The original's formula is one pixel off: a slide that ends one pixel before this
            // patch does not move it.
            fits = fits.max(first + PATCH_PX - 1);
            continue;
        }
        let side = first + PATCH_PX - 1;
        if exact.is_some_and(|known| known != side) {
            return Err(format!(
                "patches end at {} and {side}, expected one edge",
                exact.unwrap_or(0)
            ));
        }
        exact = Some(side);
    }
    match (exact, given) {
        (Some(side), None) if side >= fits => Ok((side, true)),
        (Some(side), Some(given)) if side == given && side >= fits => Ok((side, true)),
        (None, Some(given)) if given >= fits => Ok((given, true)),
        (None, None) => Ok((least.max(1), false)),
        (Some(side), None) => Err(format!("a patch reaches {fits}, expected at most {side}")),
        (_, Some(given)) => Err(format!("given as {given} px, expected {}", exact.unwrap_or(fits))),
    }
}

fn meta_of(
    path: &Path,
    groups: u32,
    patches: usize,
    width_px: i64,
    height_px: i64,
) -> Result<PatchesMeta, FormatError> {
    let px = |value: i64| {
        u32::try_from(value).ok().filter(|&v| v > 0).ok_or_else(|| {
            FormatError::invalid(path, format!("slide side of {value} px, expected 1 to 2^32"))
        })
    };
    let (width_px, height_px) = (px(width_px)?, px(height_px)?);
    Ok(PatchesMeta {
        slide: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        width_px,
        height_px,
        level0_width_px: width_px,
        level0_height_px: height_px,
        downsample: 1.0,
        mpp_x: None,
        mpp_y: None,
        tile_px: TILE_PX,
        block_tiles: 1,
        window_px: TILE_PX,
        halo_px: TILE_PX / 2,
        groups,
        patches,
        tissue_method: "HPC_DPAI index".into(),
        thresholds: BTreeMap::new(),
        config_sha256: String::new(),
        provenance: BTreeMap::new(),
        lineage: Lineage::default(),
        writer: "HPC_DPAI".into(),
        legacy: true,
    })
}

impl Legacy {
    /// The tissue mask of the stored tiles.
    pub(crate) fn mask(&self, rows: usize, cols: usize) -> Array2<u8> {
        let mut mask = Array2::zeros((rows, cols));
        for &(col, row) in &self.tiles {
            if let (Ok(row), Ok(col)) = (usize::try_from(row), usize::try_from(col))
                && let Some(tile) = mask.get_mut((row, col))
            {
                *tile = 1;
            }
        }
        mask
    }

    /// The unmoved places and the tissue of the patches with the stored `coord` rows.
    pub(crate) fn places(
        &self,
        path: &Path,
        label: &str,
        rows: &[[i64; 5]],
    ) -> Result<(Vec<PatchCoord>, Array3<u8>), FormatError> {
        let tiling = Tiling::new(TILE_PX, 1, TILE_PX)
            .map_err(|e| FormatError::invalid(path, e.to_string()))?;
        let mut tissue = Array3::zeros((rows.len(), 1, 1));
        let mut coords = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            let (Ok(col), Ok(tile_row)) = (u32::try_from(row[0]), u32::try_from(row[1])) else {
                let problem = format!("{label} patch {index} is of tile {:?}", &row[..2]);
                return Err(FormatError::invalid(path, problem));
            };
            let tile_px = i64::from(TILE_PX);
            // The original's index may be rounded up and name tiles beyond the edge.
            let inside = row[0] * tile_px < self.width_px && row[1] * tile_px < self.height_px;
            tissue[[index, 0, 0]] = u8::from(inside);
            coords.push(PatchCoord::of_block(&tiling, col, tile_row));
        }
        Ok((coords, tissue))
    }

    /// Copies the pixels on the slide from a stored patch to their places in the unmoved patch.
    /// The rest becomes white.
    ///
    /// `stored` and `pixels` are `[448, 448, 3]`; `origin` is the x and y of `stored`.
    pub(crate) fn reframe(
        &self,
        stored: &[u8],
        origin: [i64; 2],
        patch: &PatchCoord,
        pixels: &mut [u8],
    ) {
        pixels.fill(255);
        // First pixel, and one past the last, that lie on the slide and in both patches.
        let shared = |origin: i64, first: i64, side: i64| {
            (origin.max(first).max(0), (origin + PATCH_PX).min(first + PATCH_PX).min(side))
        };
        let (left, right) = shared(origin[0], patch.x_px, self.width_px);
        let (top, bottom) = shared(origin[1], patch.y_px, self.height_px);
        if left >= right {
            return;
        }
        let at =
            |x: i64, y: i64| usize::try_from((y * PATCH_PX + x) * 3).expect("inside both patches");
        let bytes = at(right - left, 0);
        for y in top..bottom {
            let from = at(left - origin[0], y - origin[1]);
            let to = at(left - patch.x_px, y - patch.y_px);
            pixels[to..to + bytes].copy_from_slice(&stored[from..from + bytes]);
        }
    }
}

/// Reads `thumb_rows` and `thumb_cols` from an index file, a NumPy array of nine int64.
fn read_index(path: &Path) -> Result<Option<[i64; 2]>, FormatError> {
    let Some(bytes) = staged::read_if_there(path)? else { return Ok(None) };
    let invalid = || {
        FormatError::invalid(
            path,
            "is not a NumPy array of nine little-endian int64, as the HPC_DPAI index is: remove or replace it",
        )
    };
    let (length_at, data_at) = match bytes.get(..8) {
        Some(b"\x93NUMPY\x01\x00") => (8..10, 10),
        Some(b"\x93NUMPY\x02\x00" | b"\x93NUMPY\x03\x00") => (8..12, 12),
        _ => return Err(invalid()),
    };
    let length = bytes.get(length_at).ok_or_else(invalid)?;
    let length = length.iter().rev().fold(0_usize, |sum, &byte| sum << 8 | usize::from(byte));
    let header = bytes.get(data_at..data_at + length).ok_or_else(invalid)?;
    let header = String::from_utf8_lossy(header);
    let data = &bytes[data_at + length..];
    if !header.contains("'<i8'") || !header.contains("(9,)") || data.len() != 72 {
        return Err(invalid());
    }
    let number = |index: usize| {
        let bytes = data[index * 8..index * 8 + 8].try_into().expect("eight bytes");
        i64::from_le_bytes(bytes)
    };
    let grid = [number(0), number(1)];
    if grid.iter().all(|&n| (1..=LARGEST_TILE).contains(&n)) {
        return Ok(Some(grid));
    }
    Err(invalid())
}
