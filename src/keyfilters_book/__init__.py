"""What the chapters of the executable book need while they run; it calls the library ``keyfilters``, never the tool that builds.

- ``page``: figures, tables, numbers and claims of a notebook, with the data behind them
- ``figures``: the figures of the chapters; ``exercises``: checks of the exercises, chapter by chapter
- ``representations``: thresholding, sparse coding, wavelets, scattering; ``background``: networks of the lecture
- ``experiments``: the runs of the chapters on training and replacement, and their stored results
- ``paper``: what the chapters on the paper compute beside the library: structure and spectra of filters, the objectives
  between their minima, how the published numbers came about, tables
- ``significance``: what seeds say, paired tests and standard errors
- ``published_experiments``: filters as the published network experiments build them; ``benchmarks``: timing of the fits
"""

# The library knows the names that modules of this package had before, and gives them for one release more.
import keyfilters as keyfilters
