"""What training costs: steps timed in turns, epochs in rounds to convergence, and what a run will take."""
