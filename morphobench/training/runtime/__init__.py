"""What a training runs in: processes, precision, random seeds, signals, timing of steps."""
