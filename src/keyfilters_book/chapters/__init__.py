"""What chapters show beside what their notebooks compute in sight: one module a chapter, for its tables and figures.

The page of a chapter links to its module.
"""
