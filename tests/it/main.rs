//! Tests of the program and of the library from outside: one program, so that all of it
//! is linked once, with a harness of its own ([`common::harness`]).

#[macro_use]
extern crate slidegrid_test_attribute;

mod bad_input;
mod belonging;
mod bench_cli;
mod bounds;
mod calibrate;
mod cascade_counts;
mod cluster_sge;
mod cluster_slurm;
mod common;
mod demo_networks;
mod dense;
mod dense_networks;
mod dicom_series;
mod dry_run;
mod export;
mod flips;
mod flow_synth;
mod forget;
mod formats;
mod formats_legacy;
mod formats_patches;
mod frozen_run;
mod fuzz;
mod interruption;
mod invariants;
mod job_libraries;
mod job_scripts;
mod memory;
mod model_engines;
mod normalize;
mod one_slide;
mod openvino;
mod parity;
mod redo;
mod report;
mod reproducible;
mod shared;
mod slide;
mod small_lesions;
mod status_cost;
mod study_cli;
mod study_manifest;
mod study_reference;
mod submitting;
mod system_errors;
mod task_outcome;
mod tissue;
mod tissue_judge;
mod verify;
mod write_faults;

fn main() -> std::process::ExitCode {
    fuzz::run_as_worker().unwrap_or_else(common::harness::main)
}
