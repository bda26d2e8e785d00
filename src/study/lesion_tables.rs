//! The tables of lesions: how much of each lesion was scored, and whether it was hit.

use super::lesions_scored::LesionCoverage;
use super::results::{SettingStudy, Study};

/// The first setting of each source. It has the finest stride and therefore the most points
/// in each lesion.
fn finest(study: &Study) -> impl Iterator<Item = &SettingStudy> {
    let is_first = |index: usize| {
        let source = &study.settings[index].row.source;
        study.settings[..index].iter().all(|earlier| earlier.row.source != *source)
    };
    let settings = study.settings.iter().enumerate();
    settings.filter(move |(index, _)| is_first(*index)).map(|(_, setting)| setting)
}

fn poorly_scored(setting: &SettingStudy) -> Vec<&LesionCoverage> {
    setting.coverage.iter().filter(|lesion| lesion.is_poorly_scored()).collect()
}

/// One line for each lesion of which less than nine tenths was scored, at the finest stride of
/// each source.
pub(super) fn warnings(study: &Study) -> Vec<String> {
    let setting_warnings = |setting: &SettingStudy| {
        let label = format!("{}-{}", setting.row.source, setting.row.stride_px);
        let line = |lesion: &LesionCoverage| {
            format!(
                "warning: {label}: {}: lesion {} at {}, {} (level-0 px), {:.0} um: {} of {} points scored ({})",
                lesion.slide,
                lesion.lesion,
                lesion.x,
                lesion.y,
                lesion.major_axis_um,
                lesion.scored,
                lesion.points,
                lesion.reason.unwrap_or("the rest has no scores and cannot be found"),
            )
        };
        poorly_scored(setting).into_iter().map(line).collect::<Vec<_>>()
    };
    finest(study).flat_map(setting_warnings).collect()
}

/// `lesions.csv`: one row per lesion and setting.
pub(super) fn lesions_csv(study: &Study) -> String {
    let mut csv = String::from(
        "source,method,stride_px,name,lesion,x,y,major_axis_um,points,scored,share,outcome,score,reason\n",
    );
    let or_empty = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for setting in &study.settings {
        let row = &setting.row;
        for lesion in &setting.coverage {
            // Reasons contain commas, so they are quoted.
            let reason = lesion.reason.map_or(String::new(), |reason| format!("\"{reason}\""));
            csv += &format!(
                "{},{},{},{},{},{},{},{},{},{},{},{},{},{reason}\n",
                row.source,
                row.method,
                row.stride_px,
                lesion.slide,
                lesion.lesion,
                lesion.x,
                lesion.y,
                lesion.major_axis_um,
                lesion.points,
                lesion.scored,
                or_empty(lesion.share),
                lesion.outcome(),
                or_empty(lesion.score),
            );
        }
    }
    csv
}

/// The section of `study.md` on lesions; empty without lesions to find.
pub(super) fn section_md(study: &Study) -> String {
    let mut md = String::new();
    for setting in finest(study) {
        let row = &setting.row;
        let to_find = setting.coverage.iter().filter(|lesion| !lesion.is_itc).count();
        if to_find == 0 {
            continue;
        }
        let poor = poorly_scored(setting);
        let label = format!("{}, stride {}", row.source, row.stride_px);
        if poor.is_empty() {
            md += &format!(
                "{label}: every lesion to find has scores on at least nine tenths of its points.\n\n"
            );
            continue;
        }
        let unscored = poor.iter().filter(|lesion| lesion.scored == 0).count();
        md += &format!(
            "**Warning.** {label}: {} of {to_find} lesions to find have scores on less than nine tenths of their points, {unscored} of these on none. A lesion that was not scored cannot be found: look at the run's masks.\n\n| slide | lesion | x, y (level-0 px) | axis, um | points inside | scored | share | |\n|---|---|---|---|---|---|---|---|\n",
            poor.len()
        );
        for lesion in poor {
            md += &format!(
                "| {} | {} | {}, {} | {:.0} | {} | {} | {:.1} % | {}{} |\n",
                lesion.slide,
                lesion.lesion,
                lesion.x,
                lesion.y,
                lesion.major_axis_um,
                lesion.points,
                lesion.scored,
                100.0 * lesion.share.unwrap_or(0.0),
                lesion.outcome(),
                lesion.reason.map_or(String::new(), |reason| format!(": {reason}")),
            );
        }
        md.push('\n');
    }
    if md.is_empty() {
        return md;
    }
    format!("\n## Lesions: how much of each was scored\n\n{}", md.trim_end()) + "\n"
}
