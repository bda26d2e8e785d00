use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::*;
use crate::config::{ClusterKeys, Resources, Stage};

const KINDS: [SchedulerKind; 5] = [
    SchedulerKind::Local,
    SchedulerKind::Slurm,
    SchedulerKind::Sge,
    SchedulerKind::Pbs,
    SchedulerKind::Lsf,
];

/// Answers by the first words of the command line.
struct Said(BTreeMap<&'static str, &'static str>);

impl Commands for Said {
    fn run(&self, call: &Call) -> io::Result<Answer> {
        let line = call.line();
        let found = self.0.iter().find(|(start, _)| line.starts_with(**start));
        let (_, stdout) = found.ok_or_else(|| io::Error::other(format!("no answer to {line}")))?;
        Ok(Answer { ok: true, stdout: (*stdout).to_owned(), ..Answer::default() })
    }
}

fn said(answers: &[(&'static str, &'static str)]) -> Said {
    Said(answers.iter().copied().collect())
}

fn array() -> Job {
    Job {
        stage: Stage::Predict,
        name: "sg_predict_tumor_001".into(),
        tasks: Some(40),
        resources: Resources {
            queue: Some("long".into()),
            account: Some("lab".into()),
            parallel_environment: Some("smp".into()),
            cpus: 7,
            memory_mb: Some(8000),
            time_min: Some(125),
            throttle: Some(20),
            extra: vec!["--first=1".into(), "--second".into()],
            warn_s: Some(120),
            requeues: 10,
        },
        run: "/data/run".into(),
        log: "/data/run/logs/predict/tumor_001".into(),
        script: "/data/run/jobs/predict_tumor_001.sh".into(),
        about: "Scores groups 1-40 of tumor_001 in 40 tasks.".into(),
        setup: vec!["module load hdf5".into(), "export OMP_NUM_THREADS=1".into()],
        command: "/opt/slidegrid predict --run /data/run --slide tumor_001 --group 1-40 --part {index}/40".into(),
    }
}

fn single() -> Job {
    Job {
        stage: Stage::Stitch,
        name: "sg_stitch_tumor_001".into(),
        tasks: None,
        resources: Resources { cpus: 1, throttle: Some(20), ..Resources::default() },
        log: "/data/run/logs/stitch/tumor_001".into(),
        script: "/data/run/jobs/stitch_tumor_001.sh".into(),
        about: "Assembles the heatmap of tumor_001.".into(),
        setup: Vec::new(),
        command: "/opt/slidegrid stitch --run /data/run --slide tumor_001".into(),
        ..array()
    }
}

/// SLIDEGRID_WRITE_SNAPSHOTS=1 writes them anew; scripts/check runs shellcheck
/// over them.
#[test]
fn scripts_are_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jobs");
    for kind in KINDS {
        for (what, job) in [("array", array()), ("single", single())] {
            let script = scheduler(kind).render(&job);
            let path = folder.join(format!("{}_{what}.sh", kind.name()));
            if std::env::var_os("SLIDEGRID_WRITE_SNAPSHOTS").is_some() {
                std::fs::write(&path, &script).unwrap();
            }
            let expected = std::fs::read_to_string(&path).unwrap();
            assert_eq!(script, expected, "{}", path.display());
            assert!(!script.contains("{{"), "a name of the template has no value:\n{script}");
        }
    }
}

#[test]
fn jobs_wait_for_the_end_of_others_however_it_is() {
    let hold = Hold { after: vec!["7".into(), "8".into()], delay_min: None };
    let line = |kind| scheduler(kind).submit(Path::new("/j/s.sh"), &single(), &hold).line();
    assert_eq!(line(SchedulerKind::Slurm), "sbatch --parsable --dependency=afterany:7:8 /j/s.sh");
    assert_eq!(line(SchedulerKind::Sge), "qsub -terse -hold_jid 7,8 /j/s.sh");
    assert_eq!(line(SchedulerKind::Pbs), "qsub -W depend=afterany:7:8 /j/s.sh");
    assert_eq!(line(SchedulerKind::Lsf), "bsub -w 'ended(7) && ended(8)' < /j/s.sh");
    let later = Hold { after: Vec::new(), delay_min: Some(5) };
    let call = Slurm.submit(Path::new("/j/s.sh"), &single(), &later);
    assert_eq!(call.line(), "sbatch --parsable --begin=now+5minutes /j/s.sh");
    let call = Sge.submit(Path::new("/j/s.sh"), &single(), &later);
    assert!(call.args[1] == "-a" && call.args[2].len() == 12, "{}", call.line());
}

#[test]
fn ids_are_found_in_answers() {
    for (kind, answer, id) in [
        (SchedulerKind::Slurm, "11\n", Some("11")),
        (SchedulerKind::Slurm, "242;local\n", Some("242")),
        (SchedulerKind::Slurm, "Submitted\n", None),
        (SchedulerKind::Sge, "2.1-10:1\n", Some("2")),
        (SchedulerKind::Sge, "4\n", Some("4")),
        (SchedulerKind::Sge, "", None),
        (SchedulerKind::Pbs, "1234[].server\n", Some("1234[].server")),
        (SchedulerKind::Lsf, "Job <1234> is submitted to queue <normal>.\n", Some("1234")),
        (SchedulerKind::Lsf, "Job not submitted.\n", None),
    ] {
        assert_eq!(scheduler(kind).job_id(answer).as_deref(), id, "{answer}");
    }
}

#[test]
fn limits_are_read() {
    let keys = ClusterKeys { queue: Some("main".into()), ..ClusterKeys::default() };
    let config = "AccountingStorageEnforce = associations,limits,qos\nMaxArraySize            = 8\nMaxDBDMsgs = 20008\n";
    let answers = [
        ("scontrol show config", config),
        (
            "scontrol show partition main",
            "PartitionName=main\n   AllocNodes=ALL Default=YES QoS=part\n",
        ),
        ("id -un", "ann\n"),
        (
            "sacctmgr -nP show assoc user=ann format=MaxSubmitJobs,DefaultQOS,QOS",
            "|normal|normal,long\n20||normal\n",
        ),
        ("sacctmgr -nP show qos normal,normal,part format=MaxSubmitJobsPerUser", "\n12\n"),
        ("sacctmgr -nP show qos long,part format=MaxSubmitJobsPerUser", "15\n\n"),
    ];
    let limits = Slurm.limits(&said(&answers), &keys).unwrap();
    assert_eq!(limits, Limits { array_tasks: 7, submitted: Some(12) });
    let long = ClusterKeys { extra: vec!["--qos=long".into()], ..keys.clone() };
    assert_eq!(Slurm.limits(&said(&answers), &long).unwrap().submitted, Some(15));
    // Numbers that nobody enforces.
    let loose = "AccountingStorageEnforce = none\nMaxArraySize            = 8\n";
    let answers = [[("scontrol show config", loose)].as_slice(), &answers[1..]].concat();
    assert_eq!(Slurm.limits(&said(&answers), &keys).unwrap().submitted, None);
    let bare = said(&[("scontrol show config", "MaxArraySize            = 1001\n")]);
    let limits = Slurm.limits(&bare, &keys).unwrap();
    assert_eq!(limits, Limits { array_tasks: 1000, submitted: None });
    let small = "MaxArraySize = 1001\nMaxJobCount             = 10000\n";
    let limits = Slurm.limits(&said(&[("scontrol show config", small)]), &keys).unwrap();
    assert_eq!(limits.submitted, Some(9000));
    assert!(Slurm.is_full("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying.\nsbatch: error: Batch job submission failed: Resource temporarily unavailable"));
    let sge = said(&[(
        "qconf -sconf",
        "max_aj_tasks                 8\nmax_u_jobs                   0\n",
    )]);
    assert_eq!(Sge.limits(&sge, &keys).unwrap(), Limits { array_tasks: 8, submitted: None });
    let pbs = said(&[("qmgr -c", "set server max_array_size = 500\n")]);
    assert_eq!(Pbs.limits(&pbs, &keys).unwrap().array_tasks, 500);
    let lsf = said(&[("bparams -a", "    MAX_JOB_ARRAY_SIZE = 2000\n")]);
    assert_eq!(Lsf.limits(&lsf, &keys).unwrap().array_tasks, 2000);
}

fn list(queued: &[Queued]) -> Vec<(String, Option<Vec<u32>>, bool)> {
    let plain = |list: &Vec<TaskNumber>| list.iter().map(|index| index.get()).collect();
    queued.iter().map(|q| (q.id.clone(), q.indices.as_ref().map(plain), q.stuck)).collect()
}

/// As SLURM 22.05 said it.
#[test]
fn the_queue_of_slurm() {
    let text = "125|3|PENDING|JobArrayTaskLimit\n125|4|PENDING|JobArrayTaskLimit\n126|N/A|PENDING|JobHeldUser\n125|1|RUNNING|None\n125|2|COMPLETING|None\n";
    let queued = Slurm.queued(&said(&[("squeue", text)])).unwrap();
    assert_eq!(
        list(&queued),
        [
            ("125".into(), Some(vec![3, 4]), false),
            ("126".into(), None, true),
            ("125".into(), Some(vec![1]), false)
        ]
    );
    assert!(Slurm.queued(&said(&[("squeue", "slurm_load_jobs error\n")])).is_err());
}

/// As Grid Engine 8.1.9 said it.
#[test]
fn the_queue_of_grid_engine() {
    let job = |id: &str, state: &str, tasks: &str| {
        format!(
            "    <job_list state=\"x\">\n      <JB_job_number>{id}</JB_job_number>\n      <JB_name>sl.sh</JB_name>\n      <state>{state}</state>\n      <queue_name></queue_name>\n      <slots>1</slots>\n{tasks}    </job_list>\n"
        )
    };
    let text = format!(
        "<?xml version='1.0'?>\n<job_info  xmlns:xsd=\"x\">\n  <queue_info>\n{}  </queue_info>\n  <job_info>\n{}{}{}  </job_info>\n</job_info>\n",
        job("17", "r", "      <tasks>1</tasks>\n"),
        job("17", "qw", "      <tasks>3-8:1</tasks>\n"),
        job("18", "hqw", ""),
        job("19", "Eqw", "      <tasks>1,3</tasks>\n"),
    );
    let text: &'static str = text.leak();
    let queued = Sge.queued(&said(&[("id -un", "ann\n"), ("qstat -xml -u ann", text)])).unwrap();
    assert_eq!(
        list(&queued),
        [
            ("17".into(), Some(vec![1]), false),
            ("17".into(), Some((3..=8).collect()), false),
            ("18".into(), None, false),
            ("19".into(), Some(vec![1, 3]), true)
        ]
    );
    assert!(
        Sge.queued(&said(&[("id -un", "ann\n"), ("qstat", "error: commlib error\n")])).is_err()
    );
}

#[test]
fn the_queues_of_pbs_and_lsf() {
    let text = "1234[].srv\n1234[7].srv\n1235.srv\n";
    let queued = Pbs.queued(&said(&[("id -un", "ann\n"), ("qselect -T -u ann", text)])).unwrap();
    let expected = [("1234[].srv".into(), Some(vec![7]), false), ("1235.srv".into(), None, false)];
    assert_eq!(list(&queued), expected);
    let text = "7|3|RUN\n7|4|PSUSP\n8|0|PEND\n";
    let queued = Lsf.queued(&said(&[("bjobs", text)])).unwrap();
    let expected = [
        ("7".into(), Some(vec![3]), false),
        ("7".into(), Some(vec![4]), true),
        ("8".into(), None, false),
    ];
    assert_eq!(list(&queued), expected);
}

#[test]
fn a_missing_scheduler_is_named() {
    let error = Slurm.limits(&said(&[]), &ClusterKeys::default()).unwrap_err().to_string();
    assert!(error.contains("scontrol") && error.contains("is slurm installed"), "{error}");
}

#[test]
fn ranges_as_schedulers_print_them() {
    let numbers = |list: &[u32]| {
        Some(list.iter().map(|&index| TaskNumber::try_from(index).unwrap()).collect())
    };
    assert_eq!(indices("[1,3,7-9%2]"), numbers(&[1, 3, 7, 8, 9]));
    assert_eq!(indices("2-10:4"), numbers(&[2, 6, 10]));
    assert_eq!(indices("x"), None);
}
