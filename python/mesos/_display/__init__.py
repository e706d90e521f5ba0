"""How clusters, drivers and what they have are shown: in a line, and in notebooks as HTML.

The HTML has no scripts and loads nothing, and takes its colors from the notebook, so that it suits light and dark ones.
Its styles are attributes, because notebooks that are not trusted lose their style sheets.
"""
