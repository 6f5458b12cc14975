"""morphobench.report"""
