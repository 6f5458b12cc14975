"""morphobench.training"""
