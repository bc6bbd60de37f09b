"""Binarized networks as drawings: what stands around a binarized layer, the rules, and edits that keep them.

Nothing here needs torch: the window plans with it, the analysis judges with it.
"""
