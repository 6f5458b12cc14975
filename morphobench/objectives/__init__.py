"""morphobench.objectives"""
