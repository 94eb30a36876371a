"""The rules a second time, in plain Python: what every published table must say of the lines that were loaded.

Written from the rules and not from the models, with dicts and sorts and no SQL: slow, and plain to see. `tables.py`
puts the parts together, one module per subject; what they need to know of the project (vars, seeds) is in `project.py`.
"""
