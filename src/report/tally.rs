//! Totals over the score files of a slide.

use std::collections::{BTreeMap, BTreeSet};

use crate::damage::{self, Watched};
use crate::number::GroupNumber;
use crate::run_dir::RunDir;
use crate::scores::{
    self, CascadeMeta, DenseMeta, ScoresMeta, UnnormalizedKind, UnnormalizedPatch,
};
use crate::staged;

/// Totals over the score files of a slide, or of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Tally {
    /// Number of groups.
    pub(super) groups: u64,
    /// Windows scored.
    pub(super) windows: u64,
    /// Processor time.
    pub(super) cpu_s: f64,
    /// Largest memory of a task.
    pub(super) peak_rss_bytes: u64,
    /// Patches that could not be scored.
    pub(super) failed_patches: u64,
    /// Number of patches whose stains could not be determined.
    pub(super) unnormalized_patches: u64,
    /// The same by reason, and by whether the patch was scored.
    pub(super) unnormalized: BTreeMap<String, u64>,
    /// Groups and processor time by machine.
    pub(super) hosts: BTreeMap<String, (u64, f64)>,
    /// Engines, with their number types.
    pub(super) engines: BTreeSet<String>,
    /// Programs that wrote the files.
    pub(super) writers: BTreeSet<String>,
    /// Models, by hash.
    pub(super) models: BTreeSet<String>,
    /// Methods and strides.
    pub(super) methods: BTreeSet<String>,
    /// Colour normalisations, in words.
    pub(super) normalize: BTreeSet<String>,
    /// Attributes of the `dense` calibration with the largest residual.
    pub(super) dense: Option<DenseMeta>,
    /// Counts of the `cascade`, over all groups.
    pub(super) cascade: Option<CascadeMeta>,
    /// Files that cannot be read.
    pub(super) unreadable: Vec<String>,
}

impl Tally {
    /// Adds up the attributes of the score files that exist for `slide`'s groups.
    pub(super) fn of_slide(run: &RunDir, slide: &str, groups: u32) -> Self {
        let mut tally = Self::default();
        for path in GroupNumber::up_to(groups).map(|group| run.scores(slide, group)) {
            match staged::is_there(&path) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tally.unreadable.push(error.to_string());
                    continue;
                }
            }
            let watched = Watched::new(&path, "predict");
            match damage::reading(&watched, "report", scores::read_scores_notes) {
                Ok(meta) => tally.add(&meta),
                Err(error) => tally.unreadable.push(error.to_string()),
            }
        }
        tally
    }

    fn add(&mut self, meta: &ScoresMeta) {
        self.groups += 1;
        self.windows += meta.windows;
        self.cpu_s += meta.cpu_s;
        self.peak_rss_bytes = self.peak_rss_bytes.max(meta.peak_rss_bytes);
        self.failed_patches += meta.failed_patches;
        self.unnormalized_patches += meta.unnormalized_patches;
        for patch in meta.unnormalized.values() {
            *self.unnormalized.entry(kind_in_words(patch)).or_default() += 1;
        }
        let host = self.hosts.entry(meta.host.clone()).or_default();
        *host = (host.0 + 1, host.1 + meta.cpu_s);
        self.engines.insert(format!("{}, {}", meta.engine, meta.precision));
        self.writers.insert(meta.writer.clone());
        self.models.insert(meta.model_sha256.clone());
        self.methods.insert(format!("{}, stride {} px", meta.method, meta.stride_px));
        if !meta.normalize.is_empty() {
            self.normalize.insert(meta.normalize.clone());
        }
        self.note_method(meta.dense.as_ref(), meta.cascade);
    }

    fn note_method(&mut self, dense: Option<&DenseMeta>, cascade: Option<CascadeMeta>) {
        let largest = |meta: &DenseMeta| self.dense.as_ref().is_none_or(|d| meta.rms > d.rms);
        if let Some(dense) = dense.filter(|meta| largest(meta)) {
            self.dense = Some(dense.clone());
        }
        self.cascade = CascadeMeta::sum(self.cascade, cascade);
    }

    /// Adds the totals of another slide.
    pub(super) fn merge(&mut self, other: &Self) {
        self.groups += other.groups;
        self.windows += other.windows;
        self.cpu_s += other.cpu_s;
        self.peak_rss_bytes = self.peak_rss_bytes.max(other.peak_rss_bytes);
        self.failed_patches += other.failed_patches;
        self.unnormalized_patches += other.unnormalized_patches;
        for (kind, patches) in &other.unnormalized {
            *self.unnormalized.entry(kind.clone()).or_default() += patches;
        }
        for (host, (groups, cpu_s)) in &other.hosts {
            let host = self.hosts.entry(host.clone()).or_default();
            *host = (host.0 + groups, host.1 + cpu_s);
        }
        for (mine, theirs) in [
            (&mut self.engines, &other.engines),
            (&mut self.writers, &other.writers),
            (&mut self.models, &other.models),
            (&mut self.methods, &other.methods),
            (&mut self.normalize, &other.normalize),
        ] {
            mine.extend(theirs.iter().cloned());
        }
        self.note_method(other.dense.as_ref(), other.cascade);
        self.unreadable.extend(other.unreadable.iter().cloned());
    }
}

/// Share of a cascade's points that needed no window of their own.
pub(super) fn spared(cascade: &CascadeMeta) -> f64 {
    let all = cascade.points();
    if all == 0 { 0.0 } else { cascade.screened as f64 / all as f64 }
}

/// The category under which a patch is counted.
fn kind_in_words(patch: &UnnormalizedPatch) -> String {
    let unknown = || "written by another version, without a code".to_owned();
    patch.kind.map_or_else(unknown, UnnormalizedKind::describe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_by_kind() {
        let meta = |codes: &[&str]| {
            let patch = |code: &&str| UnnormalizedPatch {
                reason: "3 of 900 pixels".into(),
                kind: code.parse().ok(),
            };
            ScoresMeta {
                cpu_s: 3.0,
                host: "n1".into(),
                unnormalized_patches: codes.len() as u64,
                unnormalized: (0..).zip(codes.iter().map(patch)).collect(),
                ..ScoresMeta::default()
            }
        };
        let mut tally = Tally::default();
        tally.add(&meta(&["too-little-tissue not-scored"; 2]));
        let mut other = Tally::default();
        let codes = ["no-slide-estimate scored", "too-little-tissue not-scored", ""];
        other.add(&meta(&codes));
        tally.merge(&other);
        let found: Vec<_> = tally.unnormalized.iter().map(|(k, &n)| (k.as_str(), n)).collect();
        let expected = [
            ("no estimate of the slide; scored", 1),
            ("too little tissue; not scored", 3),
            ("written by another version, without a code", 1),
        ];
        assert_eq!(found, expected);
        assert_eq!(tally.unnormalized_patches, 5);
        assert_eq!(tally.hosts["n1"], (2, 6.0));
    }

    #[test]
    fn a_run_has_the_largest_residual_and_all_counts() {
        let dense = |rms| DenseMeta { rms, ..DenseMeta::default() };
        let cascade =
            CascadeMeta { refined: 10, screened: 80, audited: 10, ..CascadeMeta::default() };
        let mut tally = Tally::default();
        for rms in [0.1, 0.3, 0.2] {
            tally.note_method(Some(&dense(rms)), Some(cascade));
        }
        assert_eq!(tally.dense.as_ref().unwrap().rms, 0.3);
        let all = tally.cascade.unwrap();
        assert_eq!((all.refined, all.screened, all.audited), (30, 240, 30));
        assert_eq!(spared(&all), 0.8);
    }
}
