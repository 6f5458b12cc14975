#!/usr/bin/env bash
# Check and time training on a machine with a CUDA device, in under 8 minutes: build the extension, run the
# CUDA tests, measure, write one JSON file. Without a device it runs to its end with small sizes.
#
#   tools/gpu_check.sh [OUT_FOLDER]        (default: $OUT, else results/)
#
# Needs a compiler and the Python packages of pyproject.toml, apart from faiss, hdbscan and umap-learn; no
# network. Show the result: python -m benchmarks.gpu.check OUT_FOLDER/gpu_check.json --show --docs docs/gpu.md
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-${OUT:-results}}
mkdir -p "$out"
python=${PYTHON:-python3}
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
export MORPHOBENCH_COMMIT=${MORPHOBENCH_COMMIT:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
began=$SECONDS

if [ -z "${GPU_CHECK_NO_BUILD:-}" ]; then
  "$python" setup.py --quiet build_ext --inplace >"$out/build.log" 2>&1 ||
    { tail -20 "$out/build.log"; echo "gpu_check: the extension could not be built"; exit 1; }
  echo "gpu_check: build took $((SECONDS - began)) s"
fi

start=$SECONDS
timeout 150 "$python" -m pytest tests/training/test_cuda.py -q -p no:cacheprovider -x >"$out/tests.log" 2>&1
tests=$?
tail -5 "$out/tests.log"
echo "gpu_check: tests took $((SECONDS - start)) s, exit code $tests"

left=$((450 - (SECONDS - began)))
timeout "$left" "$python" -m benchmarks.gpu.check "$out/gpu_check.json" \
  --budget-s $((left - 90)) --tests "$out/tests.log" 2>&1 | tee "$out/measure.log"
measured=${PIPESTATUS[0]}
echo "gpu_check: $((SECONDS - began)) s in all; $out/gpu_check.json"
[ "$tests" = 0 ] && [ "$measured" = 0 ]
