"""What a training step needs in memory, estimated before it runs."""
