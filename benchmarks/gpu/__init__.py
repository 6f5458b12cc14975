"""Training on a CUDA device beside a plain loop: ``tools/gpu_check.sh`` runs it."""
