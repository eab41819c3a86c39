"""The report of ``keyfilters inspect``.

- ``inspecting``: ``inspect_model`` and ``inspect_file``; ``report_page``: the HTML page
"""
