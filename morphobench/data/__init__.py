"""morphobench.data"""
