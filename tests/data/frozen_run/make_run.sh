#!/bin/bash
# Made the files of this folder, by slidegrid of commit 7e8c129: see README.md.
#   make_run.sh SLIDEGRID PYTHON
# PYTHON has openslide-python and pillow.
set -euo pipefail
slidegrid=$1 python=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
export PATH=$here/bin:$PATH
cd "$work"
mkdir input
cp "$here/../models/padded.onnx" input/
cp "$here/../models/padded.toml" input/model.toml
cp "$here/input/config.toml" input/
"$slidegrid" synth --out synth --slides 2 --seed 7 --size 1200 2>/dev/null
"$python" "$here/make_slides.py" synth input
rm -r synth

"$slidegrid" split --threads 1 --run run --config input/config.toml \
    input/first.png input/second.png input/broken.png || [ $? = 5 ]
"$slidegrid" master plan --run run
"$slidegrid" master submit --run run

# What the scheduler would have done: the last task of `second` was killed.
export SLURM_CPUS_PER_TASK=1 SLURM_RESTART_COUNT=0
task() { # script, index, log
    SLURM_ARRAY_TASK_ID=$2 SLURM_JOB_ID=5000 bash "run/jobs/$1.sh" > "run/logs/$3.log" 2>&1 || [ $? = 4 ]
}
task split 1 split/split.4715_1
for index in 1 2 3 4; do task predict_first $index predict/first.4716_$index; done
for index in 1 2; do task predict_second $index predict/second.4718_$index; done
echo 'slurmstepd: error: Detected 1 oom_kill event in StepId=4733.batch. Some of the step tasks have been OOM Killed.' \
    > run/logs/predict/second.4718_3.log
task stitch_first 0 stitch/first.4717
task stitch_second 0 stitch/second.4719
"$slidegrid" stitch --run run --slide second --allow-missing || [ $? = 5 ]

# What the program says of it.
mkdir expected
"$slidegrid" status --run run --json > expected/status.json
RUNNING=4718_3 "$slidegrid" status --run run --json > expected/status-running.json
"$slidegrid" status --run run --cost --json > expected/cost.json
rm -rf run/report
"$slidegrid" master retry --run run --dry-run > expected/retry.txt
rm run/jobs/*.2.sh

# Without the names of this machine's folders; patches packed.
grep -rlI "$work\|$slidegrid" . | xargs sed -i "s#$work#@FOLDER@#g; s#$slidegrid#slidegrid#g"
gzip -9n run/patches/*.h5
rm -rf "$here/run" "$here/expected" "$here/input"
mv run expected input "$here"
rm -r "$work"
