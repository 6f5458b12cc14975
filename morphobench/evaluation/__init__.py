"""morphobench.evaluation"""
