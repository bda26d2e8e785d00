#!/bin/bash
# {{about}}
# By hand: qsub {{script}}
#PBS -S /bin/bash
#PBS -N {{name}}
#PBS -J {{array}}
#PBS -o {{log}}
#PBS -j oe
#PBS -r y
#PBS -q {{queue}}
#PBS -A {{account}}
#PBS -l select=1:{{select}}
#PBS -l walltime={{walltime}}
#PBS {{extra}}
set -eu
cd {{run}}
{{setup}}
export SLIDEGRID_OUTCOME=1
{{program}}
