"""morphobench.augment"""
