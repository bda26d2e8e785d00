//! What the programs, tests and benchmarks of this repository use beside the surface of
//! the library. Nothing of it is promised: any version may change or drop it.

pub mod cli {
    pub use crate::cli::{main, master, predict, split, stitch};
}

pub mod colour_template {
    pub use crate::colour_template::{StainsFile, read, whole_picture};
}

pub mod config {
    pub use crate::config::{Config, Resources, RunConfig, SchedulerKind, Stage};
}

pub mod export {
    pub mod npy {
        pub use crate::export::npy::{write_f32, write_i64};
    }
}

pub mod jobs {
    pub use crate::jobs::lookup::{Lookup, LookupRow};
    pub use crate::jobs::outcome::{Outcome, OutcomeKind, VARIABLE};
    pub use crate::jobs::plan::{SlideGroups, plan_arrays};
    pub use crate::jobs::reason::{LogEnd, Reason, reason_in_log, reason_of};
    pub use crate::jobs::scheduler::{End, scheduler};
    pub use crate::jobs::script::{INDEX, Job};
    pub use crate::jobs::work::{Request, WorkItem};
}

pub mod model {
    pub use crate::model::dense::network::Side;
    pub use crate::model::dense::{DenseError, densify};
    pub use crate::model::engine::Engine;
    pub use crate::model::engine_error::EngineError;
    pub use crate::model::load::{Model, ModelError};
    pub use crate::model::select::{EngineChoice, EngineRequest, SelectedEngine, select};
    pub use crate::model::trunk::{CutMap, TrunkHead};
}

pub mod normalize {
    pub use crate::normalize::{
        ColourMethod, ColourTransform, lab_to_rgb, normalize_patch, rgb_to_lab,
        standardize_luminosity,
    };
}

pub mod predict {
    use std::error::Error;
    use std::path::Path;

    use crate::config::RunConfig;
    use crate::model::SelectedEngine;
    use crate::number::GroupNumber;
    use crate::predict::Predictor;
    pub use crate::predict::{Preparation, PreparedPatch};
    use crate::progress::Progress;
    use crate::run_dir::RunDir;

    /// Scores `groups` of a run, slide and number, in this order on `threads` workers, of which
    /// there may be more than processors.
    ///
    /// # Errors
    /// Whatever ends the stage `predict`.
    pub fn score_groups(
        run: &Path,
        engine: SelectedEngine,
        threads: usize,
        groups: &[(String, GroupNumber)],
    ) -> Result<(), Box<dyn Error>> {
        let (run, config) = (RunDir::new(run), RunConfig::read(run)?);
        let pool = crate::threads::pool(threads);
        let mut predictor = Predictor::load(&run, &config, engine, &pool)?;
        for (slide, group) in groups {
            predictor.predict(slide, *group, &Progress::Quiet)?;
        }
        Ok(())
    }
}

pub mod slide_inputs {
    use std::path::{Path, PathBuf};

    use crate::slide_inputs::Manifest;

    /// Names and files of the slides of a manifest.
    ///
    /// # Errors
    /// The message of the error.
    pub fn read_manifest(path: &Path) -> Result<Vec<(String, PathBuf)>, String> {
        let manifest = Manifest::read(path).map_err(|error| error.to_string())?;
        Ok(manifest.slides.into_iter().map(|slide| (slide.name, slide.path)).collect())
    }
}

pub mod process {
    pub use crate::process::cpu_s;
}

pub mod resolve {
    pub use crate::resolve::resolve;
}

pub mod run_dir {
    pub use crate::run_dir::{RunDir, SlideRecord, SlideStatus, read_slides, write_slides};
}

pub mod scores {
    pub use crate::scores::audit::points_to_draw;
    pub use crate::scores::content::PartScores;
    pub use crate::scores::reader::read_part;
    pub use crate::scores::scored_by::ScoredBy;
    pub use crate::scores::writer::write_part;
}

pub mod slide {
    pub use crate::slide::open::open_by_openslide;
    pub use crate::slide::openslide::version as openslide_version;
}

pub mod staged {
    pub use crate::staged::StagedFile;
}

pub mod study {
    pub use crate::study::detections_csv::read_numbers;
}

pub mod synth {
    pub use crate::synth::{Cohort, LesionClass, SynthError, SyntheticSlide, make};
}

pub mod threads {
    pub use crate::threads::pool;
}

pub mod truth {
    pub use crate::truth::{AnnotationGroups, Truth};
}
