"""morphobench.measure"""
