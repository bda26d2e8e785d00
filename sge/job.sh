#!/bin/bash
# {{about}}
# By hand: qsub {{script}}
#$ -S /bin/bash
#$ -N {{name}}
#$ -t {{array}}
#$ -tc {{throttle}}
#$ -wd {{run}}
#$ -o {{log}}
#$ -j y
#$ -r y
#$ -q {{queue}}
#$ -P {{account}}
#$ -pe {{pe}}
#$ -l h_vmem={{slot_memory_mb}}M
#$ -l h_rt={{time_s}}
#$ {{notify}}
#$ {{extra}}
set -eu
{{setup}}
export SLIDEGRID_OUTCOME=1
{{program}}
