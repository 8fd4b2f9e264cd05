"""A preprocessor of nbconvert: what an exported lesson needs besides what nbconvert does.

``helpers.setup.server`` adds it to JupyterLab's *Save and Export Notebook As*, ``jupyter_nbconvert_config.json`` to the
command line.
"""
