#!/bin/sh
# A sweep as a Slurm array of 16 parts, then the merge:
#
#   part=$(sbatch --parsable docs/sweep/slurm.sh)
#   sbatch --dependency=afterany:"$part" --wrap 'twinboard scenario merge parts/*.jsonl --complete docs/sweep/matrix.toml --junit sweep.xml'
#
# A part that was killed or preempted is submitted again and goes on where it was (`--requeue` does so by itself).
#SBATCH --job-name=sweep
#SBATCH --array=1-16
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --time=01:00:00
#SBATCH --requeue
mkdir -p parts
twinboard scenario sweep docs/sweep/matrix.toml --jobs "$SLURM_CPUS_PER_TASK" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --out "parts/$SLURM_ARRAY_TASK_ID.jsonl"
status=$?
# Runs that failed are told by the merge; the part itself did its work.
[ "$status" -eq 1 ] || exit "$status"
