"""morphobench.models"""
