"""Right answers under a fixed upper bound of visual tokens: every way gets at most as many."""
