#!/bin/bash
# {{about}}
# By hand: bsub < {{script}}
#BSUB -J {{array_name}}
#BSUB -cwd {{run}}
#BSUB -o {{log}}
#BSUB -r
#BSUB -q {{queue}}
#BSUB -P {{account}}
#BSUB -n {{cpus}}
#BSUB -R span[hosts=1]
#BSUB -M {{memory_mb}}MB
#BSUB -R rusage[mem={{memory_mb}}MB]
#BSUB -W {{time_min}}
#BSUB {{extra}}
set -eu
{{setup}}
export SLIDEGRID_OUTCOME=1
{{program}}
