"""Search of hyper-parameters: its options, the space, its trials, and the search itself."""
