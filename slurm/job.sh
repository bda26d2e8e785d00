#!/bin/bash
# {{about}}
# By hand: sbatch {{script}}
#SBATCH --job-name={{name}}
#SBATCH --array={{array}}
#SBATCH --chdir={{run}}
#SBATCH --output={{log}}
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --partition={{queue}}
#SBATCH --account={{account}}
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={{cpus}}
#SBATCH --mem={{memory_mb}}M
#SBATCH --time={{time_min}}
#SBATCH --signal=B:USR1@{{warn_s}}
#SBATCH {{extra}}
set -eu
{{setup}}
export SLIDEGRID_OUTCOME=1
{{program}}
